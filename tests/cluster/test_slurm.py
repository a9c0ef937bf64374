"""Sweeps through a real Slurm: jobs cancelled, workers killed, and every state found once."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from phasenet.storage.states import read_state

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(
        shutil.which("sinfo") is None or subprocess.run(["sinfo"], check=False).returncode != 0,
        reason="no Slurm is running",
    ),
]

ROOT = Path(__file__).parents[2]
PHASENET = Path(sys.executable).with_name("phasenet")
POINTS, CHAIN, SECONDS = 12, 3, 0.7

# Slow enough to be caught at work, however fast the machine is.
STUDY = f"""
import time

from phasenet import Grid, RunSettings, Study, load_study

HALDANE = load_study({str(ROOT / "simulations" / "haldane.py")!r})


def build_model(point, chain):
    time.sleep({SECONDS})
    return HALDANE.build_model(point, chain)


STUDY = Study(
    name="tiny",
    title="short chains",
    hamiltonian="H",
    spin=1,
    build_model=build_model,
    product_state=HALDANE.product_state,
    grid=Grid.product(Delta=[1.0], D=[0.1 * i for i in range({POINTS})]),
    phases=HALDANE.phases,
    settings=RunSettings.checked({{
        "finite": {{"length": 8, "first_bond": 8, "max_bond": 12, "max_sweeps": 10}},
        "sweep": {{"boundaries": ("finite",), "chain": {CHAIN}}},
        "cluster": {{"nodes": 2, "cores": 2, "walltime": "0:10:00"}},
    }}),
)
"""


@dataclass(frozen=True)
class Run:
    """A folder in which the states of the study are found."""

    study: Path
    folder: Path

    def command(self, *options: str) -> list[str]:
        return [str(PHASENET), "simulate", str(self.study), "--out", str(self.folder), *options]

    def states(self) -> list[Path]:
        return sorted((self.folder / "states").glob("*.state.h5"))

    def events(self) -> list[tuple[Path, dict]]:
        return [
            (path, json.loads(line))
            for path in (self.folder / "journal").glob("*.jsonl")
            for line in path.read_text().splitlines()
        ]


def call(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def slurm(*command: str) -> str:
    return call(list(command))


def jobs(*options: str) -> list[str]:
    return slurm("squeue", "--noheader", "--array", "--format=%i", *options).split()


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Run:
    """The same states, found by one worker on this machine."""
    folder = tmp_path_factory.mktemp("local")
    (folder / "study.py").write_text(STUDY)
    run = Run(folder / "study.py", folder / "run")
    call(run.command("--workers", "1"))
    return run


@pytest.fixture
def run(local, tmp_path):
    yield Run(local.study, tmp_path / "run")
    if left := jobs():
        slurm("scancel", *left)
        wait_for(lambda: not jobs())


def assert_all_found_once(run: Run, local: Run) -> None:
    assert [path.name for path in run.states()] == [path.name for path in local.states()]
    assert len(run.states()) == POINTS
    done = Counter(event["state"] for _, event in run.events() if event["event"] == "done")
    assert len(done) == POINTS
    assert set(done.values()) == {1}
    for here, there in zip(run.states(), local.states(), strict=True):
        (header, state), (wanted_header, wanted) = read_state(here), read_state(there)
        assert header.key == wanted_header.key
        assert state.energy == pytest.approx(wanted.energy, rel=1e-7)
    assert str(POINTS) in call([str(PHASENET), "status", str(run.study), "--out", str(run.folder)])


def assert_same_bits(run: Run, local: Run) -> None:
    # Where a search goes on from a checkpoint, the last bits differ, and in what starts from there.
    cut = {event["state"] for _, event in run.events() if event["event"] == "interrupted"}
    names = [f"D={0.1 * i:.12g},Delta=1.finite" for i in range(POINTS)]
    compared = 0
    for unit in (names[i : i + CHAIN] for i in range(0, POINTS, CHAIN)):
        for name in itertools.takewhile(lambda name: name not in cut, unit):
            file = f"{name}.state.h5"
            state = read_state(run.folder / "states" / file)[1]
            wanted = read_state(local.folder / "states" / file)[1]
            assert state.energy == wanted.energy
            for core, wanted_core in zip(state.train.cores, wanted.train.cores, strict=True):
                np.testing.assert_array_equal(core, wanted_core)
            compared += 1
    assert compared >= POINTS // 2


def worker_of_job(run: Run, job: str) -> int:
    """Process that works on a state in a job of Slurm."""
    for path, _ in run.events():
        pid = path.name.split("-")[-2]
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if f"SLURM_JOB_ID={job}".encode() in environment:
            return int(pid)
    return 0


def test_a_cancelled_job_and_a_killed_worker_cost_nothing(run, local):
    log = run.folder.parent / "driver.log"
    with log.open("w") as out:
        driver = subprocess.Popen(
            run.command("--engine", "parsl", "--site", "slurm"), stdout=out, stderr=out
        )
    try:
        wait_for(lambda: len(jobs("--states=running")) == 2)
        first, second = jobs("--states=running")
        wait_for(lambda: worker_of_job(run, first) > 0 and worker_of_job(run, second) > 0)
        wait_for(lambda: len(run.states()) >= 1)
        slurm("scancel", first)
        os.kill(worker_of_job(run, second), signal.SIGKILL)
        assert len(run.states()) < POINTS - 2
        assert driver.wait(240) == 0, log.read_text()
    finally:
        driver.kill()
        driver.wait()
    assert_all_found_once(run, local)
    assert_same_bits(run, local)
    assert jobs() == []


def test_an_interrupted_driver_leaves_no_job_and_the_same_command_goes_on(run, local):
    command = run.command("--engine", "parsl", "--site", "slurm")
    driver = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: len(run.states()) >= 1)
        os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: the driver and its helpers
        told = driver.communicate(timeout=60)[0]
        assert driver.returncode == 75, told
    finally:
        driver.kill()
        driver.wait()
    wait_for(lambda: not jobs())
    assert 1 <= len(run.states()) < POINTS
    call(command)
    assert_all_found_once(run, local)


def test_the_jobs_of_a_killed_driver_end_and_the_same_command_goes_on(run, local):
    command = run.command("--engine", "parsl", "--site", "slurm")
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(run.states()) >= 1)
    finally:
        driver.kill()
        driver.wait()
    wait_for(lambda: not jobs())
    call(command)
    assert_all_found_once(run, local)


def test_a_chain_that_is_longer_than_its_job_goes_on_in_the_next(local, run):
    text = local.study.read_text()
    for short, long in (
        (f"sleep({SECONDS})", "sleep(4)"),
        (f'"chain": {CHAIN}', f'"chain": {POINTS}'),
        ('"nodes": 2, "cores": 2, "walltime": "0:10:00"', '"walltime": "0:01:00"'),
    ):
        assert short in text
        text = text.replace(short, long)
    run.study.with_name("long.py").write_text(text)
    run = Run(run.study.with_name("long.py"), run.folder)
    call(run.command("--engine", "parsl", "--site", "slurm"))
    kinds = Counter(event["event"] for _, event in run.events())
    assert kinds["done"] == POINTS
    assert kinds["interrupted"] >= 1
    assert kinds["failed"] == 0
    for here, there in zip(run.states(), local.states(), strict=True):
        assert read_state(here)[1].energy == pytest.approx(read_state(there)[1].energy, rel=1e-6)


def submit(run: Run, elements: str) -> str:
    told = slurm(
        "sbatch",
        f"--array={elements}",
        "--time=10",
        f"--chdir={ROOT}",
        f"--output={run.folder.parent}/%a.log",
        f"--export=ALL,PHASENET={PHASENET}",
        str(ROOT / "scripts" / "slurm" / "array.sh"),
        str(run.study),
        "--out",
        str(run.folder),
    )
    return told.split()[-1]


def log_of(run: Run) -> str:
    return "\n".join(path.read_text() for path in sorted(run.folder.parent.glob("*.log")))


def test_an_array_with_a_cancelled_element_is_completed_by_the_same_line(run, local):
    job = submit(run, "1-2")
    wait_for(lambda: len(run.states()) >= 2)
    slurm("scancel", f"{job}_1")
    wait_for(lambda: not jobs())
    assert len(run.states()) < POINTS, log_of(run)
    submit(run, "1-2")
    wait_for(lambda: not jobs())
    assert_all_found_once(run, local)


def test_an_element_that_runs_out_of_time_is_queued_again_and_goes_on(run, local):
    job = submit(run, "1-1")
    wait_for(lambda: len(run.states()) >= 2)
    slurm("scancel", "--batch", "--signal=USR1", f"{job}_1")
    wait_for(lambda: "Restarts=1" in slurm("scontrol", "show", "job", job))
    wait_for(lambda: bool(jobs("--states=pending")))
    assert len(run.states()) < POINTS, log_of(run)
    assert "stopped early" in log_of(run)
    # Slurm would wait for two minutes; a node refuses a job that began in the second of its end.
    time.sleep(3)
    slurm("scontrol", "update", f"jobid={job}_1", "StartTime=now")
    wait_for(lambda: not jobs())
    assert_all_found_once(run, local)
