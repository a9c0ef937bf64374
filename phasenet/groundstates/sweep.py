"""Ground states of a whole grid: each point is written as soon as it is done."""

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from phasenet.engines.local import Failure, run_tasks
from phasenet.points import ParameterPoint
from phasenet.settings import RunSettings
from phasenet.storage.atomic import remove_leftovers
from phasenet.storage.container import current_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.states import write_state
from phasenet.study import Boundary, Study, load_study


@dataclass(frozen=True, kw_only=True)
class StateTask:
    """One ground state to be found, as a worker process needs to know it."""

    study_path: Path
    settings: RunSettings
    point: ParameterPoint
    boundary: Boundary
    path: Path


def state_tasks(study: Study, study_path: Path, folder: Path) -> tuple[StateTask, ...]:
    """Tasks of all points of the grid, the infinite and the open chain of each, in grid order."""
    return tuple(
        StateTask(
            study_path=study_path,
            settings=study.settings,
            point=point,
            boundary=boundary,
            path=folder / f"{point}.{boundary}.{Kind.STATE}.h5",
        )
        for point in study.grid
        for boundary in (Boundary.INFINITE, Boundary.FINITE)
    )


def state_header(study: Study, point: ParameterPoint, boundary: Boundary) -> Header:
    """Header of a state: all that decides it, and the card of its study."""
    chain = study.settings.finite if boundary == Boundary.FINITE else study.settings.infinite
    settings: dict[str, Any] = {
        "point": point.as_dict(),
        "boundary": boundary.value,
        "spin": float(study.spin),
        "model_code": study.code_digest,
        "dmrg": chain.as_dict(),
    }
    # Nothing in DMRG is drawn at random, so the seed of the run must not make states stale.
    return Header(kind=Kind.STATE, settings=settings, seed=0, parents=(), study=study.card())


def unfinished(study: Study, tasks: Sequence[StateTask]) -> tuple[StateTask, ...]:
    """Tasks whose file is missing, unreadable or made with other settings."""
    return tuple(
        task
        for task in tasks
        if current_header(task.path, state_header(study, task.point, task.boundary).key) is None
    )


def solve_all(
    tasks: Sequence[StateTask], *, workers: int, on_done: Callable[[str], None]
) -> list[Failure[StateTask]]:
    """Find and write the ground states of all tasks.

    Parameters
    ----------
    tasks
        From :func:`unfinished`.
    workers
        Processes that work side by side, one BLAS thread each.
    on_done
        Receives one line for each finished state.

    Returns
    -------
    The tasks that failed; all others are written.
    """
    for folder in {task.path.parent for task in tasks}:
        remove_leftovers(folder)
    return run_tasks(solve_and_write, tasks, workers=workers, on_done=on_done)


def solve_and_write(task: StateTask) -> str:
    """Find one ground state, write its file, and return one line about it."""
    from phasenet.groundstates.solve import solve  # the parent process needs no TeNPy

    study = replace(_load_once(task.study_path), settings=task.settings)
    start = time.perf_counter()
    state = solve(study, task.point, task.boundary)
    seconds = time.perf_counter() - start
    header = state_header(study, task.point, task.boundary)
    write_state(task.path, replace(header, seconds=seconds), state)
    note = "" if state.outcome.name == "CONVERGED" else ", sweep limit"
    return (
        f"{task.point} {task.boundary}: e = {state.energy:.8f}, {state.sweeps} sweeps{note}, "
        f"{seconds:.1f} s"
    )


@functools.cache
def _load_once(path: Path) -> Study:
    return load_study(path)
