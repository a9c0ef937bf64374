"""A whole run of the Haldane study at toy size, made once by the command line."""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phasenet.cli.main import main

ROOT = Path(__file__).resolve().parents[2]

TINY = """

import dataclasses

STUDY = dataclasses.replace(
    STUDY,
    grid=Grid.product(Delta=[1.0], D=[0.0, 0.2, 0.4, 1.6, 1.8, 2.0]),
    settings=RunSettings.checked(
        {
            "finite": {"length": 8, "max_bond": 12, "energy_atol": 1e-6},
            "sweep": {"chain": 1},
            "infinite": {"max_bond": 6, "energy_atol": 1e-4, "entropy_atol": 1e-2},
            "sample": {"shots": 200, "xi_per_length": 0.5},
            "train": {"channels": [4], "max_epochs": 3},
            "tensorize": {"max_rank": 16, "probability_rank": 16, "samples": 300},
        }
    ),
)
"""


class CommandLine:
    """Runs ``phasenet`` in a folder that holds a toy copy of the study."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.study = folder / "simulations" / "haldane.py"
        if not self.study.exists():
            self.study.parent.mkdir()
            source = (ROOT / "simulations" / "haldane.py").read_text(encoding="utf-8")
            self.study.write_text(source + TINY, encoding="utf-8")
        self.run_folder = folder / "runs" / "haldane"

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "phasenet.cli.main", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::UserWarning"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def here(self, *arguments: str, code: int = 0) -> str:
        """Run ``phasenet`` within this process, which saves loading its libraries."""
        out, err = io.StringIO(), io.StringIO()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
        try:
            with (
                contextlib.chdir(self.folder),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                found = main(arguments)
        except SystemExit as end:
            found = int(end.code or 0)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        assert found == code, f"{arguments}: {found}\n{out.getvalue()}\n{err.getvalue()}"
        return out.getvalue() + (err.getvalue() if code else "")

    def __call__(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{out}\n{err}"
        return out + err if code else out


def files_of_the_readme() -> dict[str, str]:
    """Python examples that begin with the name of a file."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", readme, flags=re.DOTALL)
    return dict(blocks)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Folder with a finished toy run; tests must leave its files as they are.

    The processes of pytest-xdist share it: the first makes it, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "toy-run"
    done = folder / "done"
    try:
        folder.mkdir()
    except FileExistsError:
        limit = time.monotonic() + 120
        while not done.exists():
            assert time.monotonic() < limit, "the other process did not finish the toy run"
            time.sleep(0.1)
        return CommandLine(folder)
    command = CommandLine(folder)
    for name, text in files_of_the_readme().items():
        (folder / name).write_text(text, encoding="utf-8")
    command("run", "simulations/haldane.py")
    done.touch()
    return command


@pytest.fixture
def fresh(tmp_path: Path) -> CommandLine:
    """Folder with the toy study and nothing else."""
    return CommandLine(tmp_path)
