"""Step 1: ground states of a study."""

from pathlib import Path

from phasenet.errors import PhasenetError
from phasenet.groundstates.sweep import solve_all, state_tasks, unfinished
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.study import Study


def simulate(
    study: Study, study_path: Path, folder: Path, *, workers: int, reporter: Reporter
) -> tuple[list[Path], int]:
    """Find the ground states of every point of the grid that are not there yet.

    Parameters
    ----------
    study, study_path
        The study and the file that it was loaded from; worker processes load it again.
    folder
        Where the state files go.
    workers
        Processes that work side by side.
    reporter
        Hears of each finished state.

    Returns
    -------
    All state files in grid order, and how many of them are new.

    Raises
    ------
    PhasenetError
        Some states failed; all others are written.
    """
    tasks = state_tasks(study, study_path, folder)
    todo = unfinished(study, tasks)
    if todo:
        done = len(tasks) - len(todo)

        def on_done(line: str) -> None:
            nonlocal done
            done += 1
            reporter.advance(done, line)

        with stage(reporter, "ground states", len(tasks)):
            reporter.advance(done, "already there")
            failures = solve_all(todo, workers=workers, on_done=on_done)
        if failures:
            raise PhasenetError(
                f"{len(failures)} of {len(tasks)} ground states failed, the others are in "
                f"{folder}; the first: {failures[0].error}"
            )
    return [task.path for task in tasks], len(todo)
