"""The verb measure in processes of its own: signals, workers, and what is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from phasenet.phases.exact import aklt_chain
from phasenet.pipeline.measure import MeasurePlan, make_table
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.rows import RowJournal
from phasenet.storage.container import read_header
from tests.pipeline.test_measure import save

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
POINTS = 16


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "phasenet.cli.main", "measure", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_rows_and_the_same_command_goes_on(number, tmp_path):
    states, out, whole = tmp_path / "states", tmp_path / "a.table.h5", tmp_path / "b.table.h5"
    for D in range(POINTS):
        save(states, aklt_chain(32), D=D)
    journal = RowJournal.beside(out)
    command = (states, "--workers", "2", "--out", out)
    process = start(*command)
    limit = time.monotonic() + 60
    while len(journal.read()) < 3:
        assert time.monotonic() < limit
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    # As a terminal does it, to the workers as well.
    os.killpg(process.pid, number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 75, error
    assert "the same command goes on" in error.splitlines()[-1]
    assert "Traceback" not in error
    kept = len(journal.read())
    assert 3 <= kept < POINTS
    assert not out.exists()

    process = start(*command)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 0, error
    assert f"measuring ({kept} are there)" in error
    assert not journal.path.exists()
    make_table(MeasurePlan.of([states]), whole, workers=1, reporter=SilentReporter())
    assert read_header(out).id == read_header(whole).id
