"""Step 1: ground states of a study."""

from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from phasenet.groundstates.sweep import (
    journal_folder,
    states_folder,
    sweep_keys,
)
from phasenet.groundstates.units import Sweep, Unit, boundaries, cut
from phasenet.pipeline.driver import Driver
from phasenet.pipeline.engine import Engine
from phasenet.pipeline.reporting import Reporter, SilentReporter
from phasenet.pipeline.signals import graceful_stop
from phasenet.pipeline.survey import Survey, survey
from phasenet.storage.atomic import remove_leftovers
from phasenet.storage.locks import Shard, driver_lock
from phasenet.storage.plans import SweepPlan, source_digest, write_plan
from phasenet.study import Study, load_study


@dataclass(frozen=True, kw_only=True)
class FoundStates:
    """Ground states of a study.

    Parameters
    ----------
    paths
        All state files, in the order of the units of work.
    new
        How many of them this call found.
    """

    paths: tuple[Path, ...]
    new: int


def simulate(
    study: Path | str,
    out: Path | str | None = None,
    *,
    workers: int = 2,
    executor: Executor | None = None,
    shard: str = "1/1",
    retry: bool = False,
) -> list[Path]:
    """State files of a study, found where they are not there yet.

    Parameters
    ----------
    study
        Path of a study module.
    out
        Folder of the run; by default ``runs/NAME``.
    workers
        Worker processes on this machine.
    executor
        Any :class:`concurrent.futures.Executor` instead of them, such as Dask's or one of MPI. Its
        workers need the same files under the same paths, and one BLAS thread each.
    shard
        ``I/N`` does every N-th unit of work from the I-th on; others do the rest.
    retry
        Whether to try again what failed three times.

    Raises
    ------
    PhasenetError
        Some states failed; all others are written.
    KeyboardInterrupt
        A signal stopped the work; the same call goes on.

    Examples
    --------
    >>> simulate("nowhere.py")
    Traceback (most recent call last):
    phasenet.errors.MissingInputError: no study at nowhere.py; give the path of a file such as ...
    """
    loaded = load_study(study)
    found = find_states(
        loaded,
        Path(study),
        Path(out) if out is not None else Path("runs") / loaded.name,
        engine=Engine(workers=workers, executor=executor),
        reporter=SilentReporter(),
        shard=Shard.of(shard),
        retry=retry,
    )
    return list(found.paths)


def find_states(
    study: Study,
    study_path: Path,
    root: Path,
    *,
    engine: Engine,
    reporter: Reporter,
    shard: Shard | None = None,
    retry: bool = False,
) -> FoundStates:
    """Find the ground states of every point of the grid that are not there yet.

    Parameters
    ----------
    study, study_path
        The study, perhaps changed, and the file that it was loaded from; workers load it again.
    root
        Folder of the run.
    engine
        What works.
    reporter
        Hears of each finished state.
    shard
        Part of the units to do; all by default.
    retry
        Whether to try again what failed three times.

    Raises
    ------
    FailedStatesError
        Some states failed; all others are written.
    PhasenetError
        The folder cannot be used.
    KeyboardInterrupt
        A signal stopped the work.
    """
    shard = shard or Shard()
    units = planned_units(study, study_path, root, shard)
    return find_units(
        study, study_path, root, units, engine=engine, reporter=reporter, shard=shard, retry=retry
    )


def find_units(
    study: Study,
    study_path: Path,
    root: Path,
    units: tuple[Unit, ...],
    *,
    engine: Engine,
    reporter: Reporter,
    shard: Shard | None = None,
    retry: bool = False,
) -> FoundStates:
    """Find the ground states of some units of a study; as :func:`find_states` otherwise.

    Parameters
    ----------
    study, study_path, root, engine, reporter, shard, retry
        As there; all points of the grid are noted in the folder as the plan.
    units
        What to do now.
    """
    shard = shard or Shard()
    there = survey(units)
    if there.missing:
        _announce(there, reporter)
        with (
            driver_lock(journal_folder(root), shard) as owner,
            graceful_stop(journal_folder(root) / f"stop.{owner}") as stop,
        ):
            remove_leftovers(states_folder(root))
            write_plan(journal_folder(root), plan_of(study, study_path, root))
            driver = Driver.of(units, there, stop, retry=retry, reporter=reporter)
            driver.drive(engine)
            driver.settle(states_folder(root))
    return FoundStates(paths=tuple(there.paths.values()), new=len(there.missing))


def planned_units(study: Study, study_path: Path, root: Path, shard: Shard) -> tuple[Unit, ...]:
    """Units of the work on a study, as they would be done in a folder."""
    sweep = Sweep.of(study, study_path, root, stop_file=journal_folder(root) / "stop")
    return tuple(unit for unit in cut(sweep, study.grid) if shard.holds(unit.index))


def plan_of(study: Study, study_path: Path, root: Path) -> SweepPlan:
    """All states that a study asks for."""
    sweep = Sweep.of(study, study_path, root, stop_file=root)
    asked = boundaries(sweep.card)
    return SweepPlan(
        name=study.name,
        keys=dict(zip(asked, sweep_keys(sweep), strict=True)),
        points=tuple(study.grid),
        source=source_digest(study_path),
    )


def _announce(there: Survey, reporter: Reporter) -> None:
    for paths, what in (
        (there.damaged, "cannot be read and is made again"),
        (there.stale, "was made with other settings and is made again"),
    ):
        if paths:
            more = f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""
            reporter.say(f"{paths[0]}{more} {what}")
