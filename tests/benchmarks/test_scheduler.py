"""What a sweep costs beside its ground states: an empty task through all of simulate."""

import resource
import shutil
import sys
import time
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import phasenet.groundstates
from phasenet.pipeline.engine import Engine
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.simulate import find_states, plan_of
from phasenet.pipeline.status import status_lines, sweep_status
from phasenet.study import load_study

SOURCE = Path(__file__).parents[1] / "groundstates" / "toy_study.py"
SOLVER = "phasenet.groundstates.solve"
BUDGET_MS = 20.0


@pytest.mark.benchmark
@pytest.mark.parametrize("count", [1_000, 10_000, 100_000])
def test_scheduler_costs_less_than_20_ms_a_point(tmp_path, monkeypatch, capsys, count):
    monkeypatch.setitem(sys.modules, SOLVER, types.ModuleType(SOLVER))
    monkeypatch.setattr(phasenet.groundstates, "solve", None, raising=False)
    source = SOURCE.read_text()
    grid = f"a=[k / 100 for k in range(100)], D=[k / 1000 for k in range({count // 100})]"
    source = source.replace("D=[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]", grid)
    source = source.replace('"second_start": 2', '"second_start": 5, "boundaries": ["finite"]')
    source = source.replace('"chain": 3', '"chain": 8')
    path = tmp_path / "toy.py"
    path.write_text(source)
    study = load_study(path)
    monkeypatch.setattr(sys.modules[SOLVER], "solve", _empty(sys.modules[SOLVER]))
    assert len(study.grid) == count
    rows = []
    for what in ("all points", "nothing left"):
        start, cpu = time.perf_counter(), _cpu_seconds()
        with ThreadPoolExecutor(1) as threads:
            find_states(
                study,
                path,
                tmp_path / "run",
                engine=Engine(executor=threads),
                reporter=SilentReporter(),
            )
        rows.append((what, time.perf_counter() - start, _cpu_seconds() - cpu))
    start, cpu = time.perf_counter(), _cpu_seconds()
    lines = status_lines(sweep_status(plan_of(study, path, tmp_path / "run"), tmp_path / "run"))
    rows.append(("status", time.perf_counter() - start, _cpu_seconds() - cpu))
    assert f"done    {count:>8}" in lines[1]
    with capsys.disabled():
        print(f"\n{count} points, states of {_size(tmp_path / 'run')} bytes")
        for what, wall, seconds in rows:
            print(
                f"  {what:14} {wall:8.2f} s wall, {seconds:8.2f} s CPU, "
                f"{1e3 * seconds / count:7.3f} ms CPU a point"
            )
    assert 1e3 * rows[0][2] / count < BUDGET_MS
    shutil.rmtree(tmp_path / "run")


def _empty(module):
    """The fake without its own bookkeeping."""
    from phasenet.records import DmrgOutcome

    def solve(study, point, boundary, *, neighbour, second_start, resume, should_stop):
        start = "product state" if neighbour is None else f"neighbour {neighbour.point}"
        return make(point, boundary, start, neighbour, DmrgOutcome.CONVERGED, 1)

    make = module.solve.__globals__["_state"]
    return solve


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _size(folder: Path) -> int:
    return next((folder / "states").glob("*.state.h5")).stat().st_size
