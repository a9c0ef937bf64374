"""Two worker processes beside one, on the same short sweep in one run; two idle cores allow 2."""

import os
import resource
import time
from pathlib import Path

import pytest

from phasenet.engines.local import local_pool
from phasenet.engines.tasks import run_tasks
from phasenet.pipeline.simulate import simulate

ROOT = Path(__file__).resolve().parents[2]
STUDY = f"""
from phasenet import Grid, RunSettings, Study, load_study

HALDANE = load_study({str(ROOT / "simulations" / "haldane.py")!r})
STUDY = Study(
    name="workers",
    title="short chains",
    hamiltonian="H",
    spin=1,
    build_model=HALDANE.build_model,
    product_state=HALDANE.product_state,
    grid=Grid.product(Delta=[1.0], D=[0.1 * i for i in range(24)]),
    phases=HALDANE.phases,
    settings=RunSettings.checked({{
        "finite": {{"length": 16, "first_bond": 16, "max_bond": 16}},
        "sweep": {{"boundaries": ("finite",), "chain": 3}},
    }}),
)
"""


@pytest.mark.benchmark
def test_two_workers_beside_one(tmp_path, capsys):
    study = tmp_path / "study.py"
    study.write_text(STUDY)
    seconds, cpu, loads = {1: 0.0, 2: 0.0}, {1: 0.0, 2: 0.0}, []
    for turn, workers in enumerate((1, 2, 2, 1)):
        loads.append(os.getloadavg()[0])
        start, cpu_start = time.perf_counter(), cpu_of_workers()
        simulate(study, tmp_path / str(turn), workers=workers)
        seconds[workers] += time.perf_counter() - start
        cpu[workers] += cpu_of_workers() - cpu_start
    waiting = {workers: seconds_of_waiting_tasks(workers) for workers in (1, 2)}
    told = ", ".join(f"{load:.1f}" for load in loads)
    with capsys.disabled():
        print(
            f"\n24 states: {seconds[1] / 2:.1f} s with 1 worker, {seconds[2] / 2:.1f} s with 2: "
            f"{seconds[1] / seconds[2]:.2f} times as fast; CPU {cpu[1] / 2:.1f} s and "
            f"{cpu[2] / 2:.1f} s; load before each run {told} on {os.cpu_count()} cores; "
            f"tasks that only wait: {waiting[1] / waiting[2]:.2f} times as fast"
        )


def cpu_of_workers() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def seconds_of_waiting_tasks(workers: int) -> float:
    start = time.perf_counter()
    with local_pool(workers) as executor:
        run_tasks(time.sleep, [0.1] * 40, executor=executor, on_done=lambda line: None)
    return time.perf_counter() - start
