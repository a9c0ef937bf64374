"""The array scripts of three batch systems, with a phasenet and batch commands that only act."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"

# Says how it was called; with WAIT it works until it is told to stop, as the real one does.
PHASENET = """#!/usr/bin/env bash
echo "$* threads $OMP_NUM_THREADS"
trap 'echo USR1; stopped=75' USR1
trap 'echo TERM; stopped=75' TERM
touch "$WORK/began"
while [[ -n ${WAIT:-} && -z ${stopped:-} ]]; do sleep 0.02; done
exit "${stopped:-${STATUS:-0}}"
"""
COMMAND = '#!/usr/bin/env bash\necho "$(basename "$0") $*"\n'

SLURM = {"SLURM_ARRAY_TASK_ID": "2", "SLURM_ARRAY_TASK_MAX": "3", "SLURM_ARRAY_JOB_ID": "7"}
PBS = {"PBS_ARRAY_INDEX": "2", "SHARDS": "3", "MINUTES": "240", "STUDY": "a b.py", "OUT": "runs/x"}
LSF = {"LSB_JOBINDEX": "2", "LSB_JOBINDEX_END": "3", "STUDY": "a b.py", "OUT": "runs/x"}
GOLDEN = "simulate a b.py --out runs/x --shard 2/3 --workers 1 threads 1\n"


@pytest.fixture
def element(tmp_path):
    """Start an element of an array."""
    started: list[subprocess.Popen] = []
    for name, text in {
        "phasenet": PHASENET,
        "scontrol": COMMAND,
        "qsub": COMMAND,
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)

    def start(system: str, settings: dict[str, str]) -> subprocess.Popen:
        arguments = ["a b.py", "--out", "runs/x"] if system == "slurm" else []
        process = subprocess.Popen(
            ["bash", str(SCRIPTS / system / "array.sh"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env={
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "WORK": str(tmp_path),
                "PHASENET": str(tmp_path / "phasenet"),
                **settings,
            },
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("system", "settings"), [("slurm", SLURM), ("pbs", PBS), ("lsf", LSF)], ids=str
)
def test_an_element_works_on_its_share_and_hands_on_the_exit_code(element, system, settings):
    process = element(system, settings)
    assert process.communicate(timeout=10)[0] == GOLDEN
    assert process.returncode == 0
    process = element(system, {**settings, "STATUS": "1"})
    assert process.communicate(timeout=10)[0] == GOLDEN
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("system", "settings", "number", "told"),
    [
        ("slurm", SLURM, signal.SIGUSR1, "USR1\nscontrol requeue 7_2\n"),
        ("slurm", SLURM, signal.SIGTERM, "TERM\n"),  # scancel: nobody wants it again
        ("lsf", LSF, signal.SIGUSR1, "USR1\n"),  # LSF itself queues code 75 again
    ],
)
def test_a_signal_stops_an_element_in_good_order(element, tmp_path, system, settings, number, told):
    process = element(system, {**settings, "WAIT": "yes"})
    wait_for(tmp_path / "began")
    process.send_signal(number)
    assert process.communicate(timeout=10)[0] == GOLDEN + told
    assert process.returncode == 75


def test_pbs_stops_before_its_time_is_over_and_submits_its_share_again(element):
    process = element("pbs", {**PBS, "MINUTES": "3", "WAIT": "yes"})
    # timeout 0 would mean no limit at all
    assert "MINUTES is 3; wanted more than 3" in process.communicate(timeout=10)[0]
    process = element("pbs", {**PBS, "STATUS": "75"})
    golden = (
        "qsub -l walltime=4:00:00 -l select=1:ncpus=1 -v INDEX=2,SHARDS=3,MINUTES=240,STUDY=a b.py,"
        "OUT=runs/x,WORKERS=1,SELECT=1:ncpus=1,PHASENET="
    )
    told = process.communicate(timeout=10)[0]
    assert told.startswith(GOLDEN + golden)
    assert told.rstrip().endswith("scripts/pbs/array.sh")
    assert process.returncode == 75


@pytest.mark.parametrize(
    ("system", "settings", "told"),
    [
        ("slurm", {}, "submit it with sbatch --array=1-N"),
        ("slurm", {**SLURM, "SLURM_ARRAY_TASK_ID": "0"}, "the array begins with 0"),
        ("slurm", {**SLURM, "PHASENET": "nowhere"}, "nowhere is not there; submit from the root"),
        ("pbs", {}, "submit it with qsub -J 1-N"),
        ("pbs", {**PBS, "STUDY": ""}, "STUDY is not set; submit with qsub -v"),
        ("lsf", {}, "submit it with bsub -J"),
        ("lsf", {**LSF, "OUT": ""}, "OUT is not set"),
    ],
)
def test_a_wrong_submission_is_one_line(element, system, settings, told):
    process = element(system, settings)
    lines = process.communicate(timeout=10)[0].splitlines()
    assert process.returncode == 1
    assert len(lines) == 1
    assert lines[0].startswith("phasenet: ")
    assert told in lines[0]


@pytest.mark.parametrize("system", ["slurm", "pbs", "lsf"])
def test_the_head_names_what_the_batch_system_must_do(system):
    text = (SCRIPTS / system / "array.sh").read_text()
    head = [line for line in text.splitlines() if line.startswith(("#SBATCH", "#PBS", "#BSUB"))]
    golden = {
        "slurm": [
            "#SBATCH --job-name=phasenet",
            "#SBATCH --ntasks=1",
            "#SBATCH --signal=B:USR1@120",
            "#SBATCH --requeue",
            "#SBATCH --open-mode=append",
            "#SBATCH --output=phasenet-%A_%a.log",
        ],
        "pbs": ["#PBS -N phasenet", "#PBS -j oe", "#PBS -r y"],
        "lsf": [
            "#BSUB -o phasenet-%J_%I.log",
            "#BSUB -wa USR1",
            "#BSUB -wt 3",
            '#BSUB -Q "75"',
            "#BSUB -r",
        ],
    }
    assert head == golden[system]
