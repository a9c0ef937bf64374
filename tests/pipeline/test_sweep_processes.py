"""Sweeps by worker processes, through the command line: deaths, signals, and what they cost."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from phasenet.storage.container import read_header
from phasenet.storage.states import read_state

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tests" / "groundstates" / "toy_study.py"


class Command:
    """``phasenet`` in a folder with the toy study."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "runs" / "toy"
        shutil.copy(SOURCE, folder / "toy.py")

    def trouble(self, **states: dict[str, float]) -> None:
        (self.folder / "trouble.json").write_text(json.dumps(states))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "phasenet.cli.main", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{process.returncode}\n{out}\n{err}"
        assert "Traceback" not in out + err
        return out + err

    def events(self) -> list[dict]:
        return [
            json.loads(line)
            for path in sorted((self.run / "journal").glob("*.jsonl"))
            for line in path.read_text().splitlines()
        ]

    def wait_for(self, kind: str, state: str) -> Path:
        """Wait for an event; return the journal that it is in."""
        limit = time.monotonic() + 60
        words = f'"event":"{kind}","state":"{state}"'
        while time.monotonic() < limit:
            for path in (self.run / "journal").glob("*.jsonl"):
                if words in path.read_text():
                    return path
            time.sleep(0.02)
        raise AssertionError(f"{state} was never {kind}")

    def ids(self) -> dict[str, str]:
        files = sorted((self.run / "states").glob("*.state.h5"))
        assert all(read_state(path) for path in files)
        return {path.name: read_header(path).id for path in files}


def pid_of(journal: Path) -> int:
    return int(journal.name.rsplit("-", 2)[1])


@pytest.fixture
def toy(tmp_path):
    return Command(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    command = Command(tmp_path_factory.mktemp("undisturbed"))
    command("simulate", "toy.py", "--workers", "1")
    return command.ids()


@pytest.mark.slow
def test_killed_worker_costs_one_attempt_and_changes_no_state(toy, undisturbed):
    toy.trouble(**{"D=0.1.finite": {"steps": 300, "seconds": 0.01}})
    process = toy.start("simulate", "toy.py")
    journal = toy.wait_for("started", "D=0.1.finite")
    toy.trouble()
    os.kill(pid_of(journal), signal.SIGKILL)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "12 ground states in runs/toy/states, 12 of them new" in out
    assert toy.ids() == undisturbed
    events = Counter((event["event"], event["state"]) for event in toy.events())
    assert events["started", "D=0.1.finite"] == 2
    assert all(events["done", name.removesuffix(".state.h5")] == 1 for name in undisturbed)


@pytest.mark.slow
def test_point_that_kills_its_workers_is_given_up_alone(toy):
    toy.trouble(**{"D=0.1.finite": {"kill": 99}})
    text = toy("simulate", "toy.py", "--workers", "1", code=1)
    assert "1 of 12 ground states failed (D=0.1.finite)" in text
    assert "its worker process died" in text
    assert len(toy.ids()) == 11
    assert len((toy.folder / "D=0.1.finite.kill").read_bytes()) == 3
    text = toy("status", "runs/toy")
    assert "failed         1" in text
    assert "D=0.1.finite: 3 attempts, its worker process died" in text


@pytest.mark.slow
def test_killed_driver_leaves_nothing_behind_that_the_next_one_minds(toy, undisturbed):
    toy.trouble(**{"D=0.4.finite": {"steps": 3000, "seconds": 0.01}})
    process = toy.start("simulate", "toy.py")
    journal = toy.wait_for("started", "D=0.4.finite")
    assert "running        1  D=0.4.finite" in toy("status", "toy.py")
    process.kill()
    process.communicate(timeout=20)
    wait_for_death(pid_of(journal))
    toy.trouble()
    assert "running        0" in toy("status", "toy.py")
    toy("simulate", "toy.py")
    assert toy.ids() == undisturbed
    assert not list((toy.run / "journal").glob("*.lock"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGUSR1, marks=pytest.mark.slow),
    ],
)
def test_signal_ends_in_a_checkpoint_and_exit_code_75(toy, undisturbed, number):
    toy.trouble(**{"D=0.1.finite": {"steps": 3000, "seconds": 0.01}})
    process = toy.start("simulate", "toy.py")
    toy.wait_for("started", "D=0.1.finite")
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 75
    assert "Traceback" not in out + err
    assert err.splitlines()[-1].startswith("phasenet: stopped early")
    assert (toy.run / "states" / "D=0.1.finite.checkpoint.h5").exists()
    toy.trouble()
    toy("simulate", "toy.py")
    assert "D=0.1.finite, neighbour D=0, second start, resumed" in (
        (toy.folder / "calls.txt").read_text()
    )
    assert toy.ids() == undisturbed


@pytest.mark.slow
def test_second_interrupt_ends_at_once_and_is_no_fault_of_the_point(toy):
    toy.trouble(**{"D=0.1.finite": {"seconds": 60}})
    process = toy.start("simulate", "toy.py")
    toy.wait_for("started", "D=0.1.finite")
    process.send_signal(signal.SIGINT)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 75
    assert err.splitlines()[-1].startswith("phasenet: stopped early")
    assert ("released", "D=0.1.finite") in {(e["event"], e["state"]) for e in toy.events()}
    assert "failed         0" in toy("status", "toy.py")


@pytest.mark.slow
def test_second_driver_gets_one_line(toy):
    toy.trouble(**{"D=0.1.finite": {"steps": 3000, "seconds": 0.01}})
    process = toy.start("simulate", "toy.py")
    toy.wait_for("started", "D=0.1.finite")
    text = toy("simulate", "toy.py", code=1)
    assert f"is being worked on by process {process.pid} on" in text
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)


@pytest.mark.slow
def test_shards_at_the_same_time_do_everything_once(toy, undisturbed):
    both = [toy.start("simulate", "toy.py", "--shard", f"{i}/2", "--workers", "1") for i in (1, 2)]
    for process in both:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert toy.ids() == undisturbed
    events = Counter((event["event"], event["state"]) for event in toy.events())
    assert set(events.values()) == {1}


@pytest.mark.slow
def test_status_follows_the_sweep_that_was_begun(toy):
    assert "waiting       12" in toy("status", "toy.py")
    toy("simulate", "toy.py", "--set", "D=0,1")
    assert toy("status", "toy.py").startswith(
        "toy: 4 ground states of 2 points\n  done           4"
    )
    path = toy.folder / "toy.py"
    path.write_text(path.read_text() + "\n# a comment\n")
    assert toy("status", "toy.py").splitlines()[-1].startswith("toy.py asks for other states by")
    assert "waiting       10" in toy("status", "toy.py", "--set", "D=0:0.5:0.1")
    assert "no study at x.py" in toy("status", "x.py", code=1)
    assert "no sweep has begun in ." in toy("status", ".", code=1)


@pytest.mark.slow
def test_merge_from_the_command_line(toy, undisturbed):
    for shard in ("1/2", "2/2"):
        toy("simulate", "toy.py", "--shard", shard, "--out", f"disk{shard[0]}")
    text = toy("merge", "disk1", "disk2", "--out", "runs/toy")
    assert text.startswith("12 of 12 ground states of toy in runs/toy/states, 12 of them new")
    assert toy.ids() == undisturbed


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_full_disk_is_one_line_and_nothing_is_lost(toy, undisturbed):
    disk = toy.folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no tmpfs here")
    try:
        (disk / "ballast").write_bytes(bytes(100_000))
        text = toy("simulate", "toy.py", "--out", "disk/run", "--workers", "1", code=1)
        line = text.splitlines()[-1]
        assert line.startswith("phasenet: cannot write")
        assert "No space left" in line
        assert "ground states left; the same command goes on" in line
        (disk / "ballast").unlink()
        toy.run = disk / "run"
        kept = toy.ids()
        assert kept.items() <= undisturbed.items()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


BAD_STUDIES = {
    "at import": (
        "STUDY = Study(",
        "raise ValueError('a slip')\nSTUDY = Study(",
        "cannot be loaded",
    ),
    "no number": ("0.5]", "float('nan')]", "coupling D is nan; it must be a finite real number"),
    "bond of 0": ('{"sweep"', '{"finite": {"max_bond": 0}, "sweep"', "finite.max_bond"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", BAD_STUDIES)
def test_bad_study_is_one_line(toy, what):
    old, new, words = BAD_STUDIES[what]
    path = toy.folder / "toy.py"
    path.write_text(path.read_text().replace(old, new))
    text = toy("simulate", "toy.py", code=1)
    assert len(text.splitlines()) == 1
    assert words in text
    assert not toy.run.exists()


def wait_for_death(pid: int) -> None:
    limit = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists():
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":
            return
        assert time.monotonic() < limit
        time.sleep(0.02)
