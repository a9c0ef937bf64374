"""A whole run of the Haldane study at toy size, made once by the command line.

Tests that use it carry the mark ``xdist_group("toy run")``, so that one process runs them all.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

TINY = """

import dataclasses

STUDY = dataclasses.replace(
    STUDY,
    grid=Grid.product(Delta=[1.0], D=[0.0, 0.2, 0.4, 1.6, 1.8, 2.0]),
    settings=RunSettings.checked(
        {
            "finite": {"length": 8, "max_bond": 16, "energy_atol": 1e-7},
            "infinite": {"max_bond": 8, "energy_atol": 1e-5, "entropy_atol": 1e-3},
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

    def __call__(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, f"{arguments}: {process.returncode}\n{out}\n{err}"
        return out + err if code else out


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Folder with a finished toy run; tests must leave its files as they are."""
    command = CommandLine(tmp_path_factory.mktemp("finished"))
    command("run", "simulations/haldane.py")
    return command


@pytest.fixture
def fresh(tmp_path: Path) -> CommandLine:
    """Folder with the toy study and nothing else."""
    return CommandLine(tmp_path)
