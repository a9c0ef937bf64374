"""What phasenet asks Parsl for, and one round through workers that Parsl starts itself."""

import json
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from phasenet.engines.deadline import STOP_VARIABLE, with_notice
from phasenet.engines.parsl_pool import parsl_pool
from phasenet.engines.tasks import run_tasks
from phasenet.errors import SettingsError
from phasenet.settings import ClusterSettings

SETTINGS = ClusterSettings(
    queue="long",
    account="physics",
    walltime="10:00:00",
    nodes=3,
    cores=4,
    prelude="module load python",
)


def test_without_parsl_the_way_to_get_it_is_told(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "parsl", None)
    wanted = r"the engine parsl is not installed; pip install phasenet-mps\[cluster\]"
    with pytest.raises(SettingsError, match=wanted), parsl_pool("slurm", SETTINGS, folder=tmp_path):
        pass


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, r"site is '.*site\.py'; wanted slurm, pbs, lsf or a Python file"),
        ("raise ValueError('no\\n such')", r"site file .*site\.py raises ValueError: no"),
        ("config = 3", r"site file .*site\.py defines config = 3; wanted a parsl\.Config"),
        ("", r"defines config = None"),
    ],
)
def test_a_bad_site_file_is_one_line(tmp_path, text, told):
    pytest.importorskip("parsl")
    site = tmp_path / "site.py"
    if text is not None:
        site.write_text(text)
    with (
        pytest.raises(SettingsError, match=told),
        parsl_pool(str(site), SETTINGS, folder=tmp_path / "run"),
    ):
        pass


def test_a_machine_without_the_batch_system_is_one_line(tmp_path, monkeypatch):
    pytest.importorskip("parsl")
    monkeypatch.setenv("PATH", str(tmp_path))
    told = "site is pbs, but qsub is not on PATH of this machine"
    with pytest.raises(SettingsError, match=told), parsl_pool("pbs", SETTINGS, folder=tmp_path):
        pass


@pytest.mark.parametrize(
    ("site", "heads"),
    [
        (
            "slurm",
            [
                "#SBATCH --nodes=1",
                "#SBATCH --time=600",
                "#SBATCH --partition=long",
                "#SBATCH --account=physics",
                "#SBATCH --cpus-per-task=4",
            ],
        ),
        ("pbs", ["#PBS -l walltime=10:00:00", "#PBS -l select=1:ncpus=4"]),
        ("lsf", ["#BSUB -P physics", "#BSUB -q long", "#BSUB -n 4", '#BSUB -R "span[ptile=4]"']),
    ],
)
def test_the_script_of_a_job_asks_for_what_the_settings_say(tmp_path, monkeypatch, site, heads):
    pytest.importorskip("parsl")
    from phasenet.engines.parsl_pool import _batch_config

    says = {
        "slurm": "Submitted batch job 5",
        "pbs": "5.host",
        "lsf": "Job <5> is submitted to queue <long>.",
    }
    for name in ("sbatch", "qsub", "bsub", "sacct"):
        (tmp_path / name).write_text(f'#!/bin/sh\ncat >/dev/null </dev/null\necho "{says[site]}"\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    executor = _batch_config(site, SETTINGS, tmp_path).executors[0]
    provider = executor.provider
    provider.script_dir = str(tmp_path)
    assert provider.submit("work", 1).startswith("5")
    (script,) = tmp_path.glob("parsl.*")
    lines = script.read_text().splitlines()
    for head in heads:
        assert head in lines
    prelude = [
        "module load python",
        "export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 "
        "PHASENET_STOP_AT=$(($(date +%s) + 35880))",
        f'export PATH="{Path(sys.executable).parent}:$PATH"',
    ]
    assert lines[lines.index(prelude[0]) :][:3] == prelude
    assert (provider.nodes_per_block, provider.max_blocks) == (1, 3)
    assert executor.drain_period == 32400


@pytest.mark.parametrize(
    ("walltime", "seconds"),
    [("24:00:00", 77760), ("1:00:00", 3240), ("0:10:00", 360), ("0:02:00", 60)],
)
def test_a_job_begins_nothing_new_near_its_end(walltime, seconds):
    from phasenet.engines.parsl_pool import _drain_seconds

    assert _drain_seconds(walltime) == seconds


def test_a_task_gets_notice_before_its_job_ends_and_none_after_its_own_end(monkeypatch):
    noticed = threading.Event()

    def wait(seconds):
        noticed.wait(seconds)
        return noticed.is_set()

    saved = signal.signal(signal.SIGTERM, lambda number, frame: noticed.set())
    try:
        monkeypatch.setenv(STOP_VARIABLE, str(time.time() + 0.1))
        assert not with_notice(wait, 0.01)
        time.sleep(0.15)
        assert not noticed.is_set()
        monkeypatch.setenv(STOP_VARIABLE, str(time.time() + 0.05))
        assert with_notice(wait, 10)
    finally:
        signal.signal(signal.SIGTERM, saved)


@pytest.mark.slow
def test_a_round_through_the_workers_of_a_site_file(tmp_path):
    pytest.importorskip("parsl")
    site = tmp_path / "site.py"
    site.write_text(
        "from parsl import Config\n"
        "from parsl.executors import HighThroughputExecutor\n"
        "from parsl.providers import LocalProvider\n"
        "workers = HighThroughputExecutor(\n"
        "    address='127.0.0.1', max_workers_per_node=1, provider=LocalProvider()\n"
        ")\n"
        f"config = Config(\n"
        f"    executors=[workers], initialize_logging=False, run_dir={str(tmp_path / 'run')!r}\n"
        f")\n"
    )
    lines: list[str] = []
    with parsl_pool(str(site), SETTINGS, folder=tmp_path) as executor:
        failures = run_tasks(json.dumps, range(5), executor=executor, on_done=lines.append)
    assert failures == []
    assert sorted(lines) == list("01234")
