"""Answers of a function to many tasks, by worker processes of this machine where it pays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from phasenet.engines.local import local_pool
from phasenet.engines.tasks import run_tasks
from phasenet.pipeline.reporting import Reporter, stage

Task = TypeVar("Task")
Result = TypeVar("Result")

# A worker takes about a second to start.
_FEWEST_FOR_WORKERS = 4


@dataclass(frozen=True, kw_only=True)
class _Numbered(Generic[Task, Result]):
    """One task and its place among all."""

    number: int
    function: Callable[[Task], Result]
    task: Task


def _answer(numbered: _Numbered[Task, Result]) -> tuple[int, Result]:
    return numbered.number, numbered.function(numbered.task)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """How tasks are worked on; it changes no answer.

    Parameters
    ----------
    workers
        Worker processes.
    reporter
        Hears of each answer.

    >>> from phasenet.pipeline.reporting import SilentReporter
    >>> answers = Answers(workers=1, reporter=SilentReporter())
    >>> answers.of("in capitals", str.upper, ["a", "b"], str)
    ['A', 'B']
    """

    workers: int
    reporter: Reporter

    def of(
        self,
        title: str,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        told: Callable[[Result], str],
    ) -> list[Result]:
        """Return all answers, in the order of the tasks.

        Parameters
        ----------
        title
            Of the stage.
        function
            Importable by name.
        tasks
            Picklable values.
        told
            A few words on an answer.

        Raises
        ------
        PhasenetError
            The first error of the function, once all other tasks are done.
        """
        found: dict[int, Result] = {}

        def keep(numbered: tuple[int, Result]) -> None:
            number, result = numbered
            found[number] = result
            self.reporter.advance(len(found), told(result))

        numbered = [_Numbered(number=k, function=function, task=t) for k, t in enumerate(tasks)]
        with stage(self.reporter, title, len(tasks)):
            if self.workers > 1 and len(tasks) >= _FEWEST_FOR_WORKERS:
                with local_pool(self.workers) as executor:
                    failures = run_tasks(
                        _answer, numbered, executor=executor, on_done=keep, window=2 * self.workers
                    )
                if failures:
                    raise failures[0].error
            else:
                for one in numbered:
                    keep(_answer(one))
        return [found[k] for k in range(len(tasks))]
