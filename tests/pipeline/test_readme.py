"""Every command and every Python example of the README runs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


COMMANDS = [line for block in blocks("bash") for line in block.splitlines() if line]

# These would install, simulate for minutes or start the tests from within the tests.
LIGHT = {
    "bash scripts/run.sh": "bash scripts/run.sh --dry-run",
    "bash scripts/test.sh": "bash scripts/test.sh --collect-only -q tests/test_points.py",
    "bash scripts/check.sh static": "bash -n scripts/check.sh",
    (
        refine := "phasenet simulate simulations/haldane.py --set boundaries=infinite --refine "
        "--resolution 0.01"
    ): f"{refine} --dry-run",
}


def run(command: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, shell=True, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout.decode()}\n{done.stderr.decode()}"


@pytest.fixture
def copy(finished, tmp_path):
    """Own copy of a finished run, with the data of the checkout."""
    shutil.copytree(finished.folder, tmp_path / "copy")
    (tmp_path / "copy" / "datasets").symlink_to(ROOT / "datasets")
    return type(finished)(tmp_path / "copy")


def test_phasenet_commands_run_as_written(copy):
    # In their order: some read what an earlier one wrote.
    for command in COMMANDS:
        if command not in LIGHT:
            program, *arguments = shlex.split(command)
            assert program == "phasenet"
            copy.here(*arguments)


@pytest.mark.parametrize("command", LIGHT)
def test_scripts_start(command):
    assert command in COMMANDS
    if not (ROOT / ".venv" / "phasenet.stamp").exists():
        pytest.skip("needs the environment that scripts/test.sh makes")
    run(LIGHT[command], ROOT)


def test_python_examples_run(copy, monkeypatch):
    monkeypatch.chdir(copy.folder)
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})


def test_every_file_that_the_readme_names_exists(finished):
    for name in re.findall(r"(?:simulations|scripts|datasets|phasenet)/[\w./,=]+\w", README):
        assert (ROOT / name).exists(), name
