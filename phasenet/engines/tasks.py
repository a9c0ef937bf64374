"""Many independent tasks through any executor, a few at a time.

A task writes its own result and returns a short answer, so that a worker may die at any time:
what it was at is given out again, and nothing else is lost.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

from phasenet.errors import PhasenetError

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerDied(BrokenExecutor):
    """The process that worked on a task is gone; the executor itself goes on."""


@dataclass(frozen=True, kw_only=True)
class Failure(Generic[Task]):
    """A task that raised an error of phasenet, or whose worker died each time."""

    task: Task
    error: PhasenetError


def never() -> bool:
    """Whether to stop: no.

    >>> never()
    False
    """
    return False


def nothing() -> None:
    """What to do from time to time: nothing.

    >>> nothing()
    """


@dataclass(kw_only=True)
class _Work(Generic[Task, Result]):
    """Tasks not given out yet, those that run, and what came of the others."""

    function: Callable[[Task], Result]
    executor: Executor
    max_deaths: int
    waiting: Iterator[tuple[int, Task]]
    again: deque[tuple[int, Task]] = field(default_factory=deque)
    running: dict[Future[Result], tuple[int, Task]] = field(default_factory=dict)
    ended: SimpleQueue[Future[Result]] = field(default_factory=SimpleQueue)
    deaths: Counter[int] = field(default_factory=Counter)
    failures: list[Failure[Task]] = field(default_factory=list)

    def give_out(self, count: int) -> None:
        """Hand tasks to the executor until it has that many."""
        while len(self.running) < count:
            try:
                number, task = self.again.popleft() if self.again else next(self.waiting)
            except StopIteration:
                return
            try:
                future = self.executor.submit(self.function, task)
            except RuntimeError as error:  # broken for good, or shut down
                raise PhasenetError(
                    f"the executor takes no more tasks ({error or type(error).__name__}); "
                    "finished work is kept, start again with a new executor"
                ) from error
            self.running[future] = number, task
            future.add_done_callback(self.ended.put)

    def take_back(self) -> None:
        """Cancel what has not begun."""
        for future in list(self.running):
            if future.cancel():
                del self.running[future]

    def settle(self, future: Future[Result], on_done: Callable[[Result], None]) -> None:
        """Record what came of one task."""
        if future not in self.running:  # taken back
            return
        number, task = self.running.pop(future)
        try:
            answer = future.result()
        except PhasenetError as error:
            self.failures.append(Failure(task=task, error=error))
        except (BrokenExecutor, CancelledError) as error:
            self._count_death(number, task, error)
        else:
            on_done(answer)

    def _count_death(self, number: int, task: Task, error: BaseException) -> None:
        self.deaths[number] += 1
        if self.deaths[number] < self.max_deaths:
            self.again.append((number, task))
            return
        sentence = (
            f"the worker of {_short(task)} died {self.deaths[number]} times "
            f"({error or type(error).__name__}); is memory short? try fewer workers"
        )
        self.failures.append(Failure(task=task, error=PhasenetError(sentence)))


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    executor: Executor,
    on_done: Callable[[Result], None],
    should_stop: Callable[[], bool] = never,
    on_poll: Callable[[], None] = nothing,
    poll_seconds: float = 1.0,
    grace_seconds: float = float("inf"),
    window: int = 256,
    max_deaths: int = 3,
) -> list[Failure[Task]]:
    """Failures of a function that is called on every task, once all others are done.

    Parameters
    ----------
    function
        Importable by name; returns a short answer, such as one line about what it did.
    tasks
        Picklable values.
    executor
        Any executor: :func:`phasenet.engines.local.local_pool`, Dask, MPI, threads. Where it goes
        on after the death of a worker, the task at hand is given out again.
    on_done
        Receives the answer of each finished task, in the order of finishing.
    should_stop
        Asked after each task and each poll; once true, nothing more begins, and the tasks that
        run have ``grace_seconds`` to end.
    on_poll
        Called about every ``poll_seconds``, and once at the end.
    window
        Tasks that the executor holds at a time; more than it has workers.
    max_deaths
        Deaths of its worker that make a task a failure.

    Raises
    ------
    PhasenetError
        The executor is broken and takes no more tasks.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(1) as executor:
    ...     run_tasks(str.upper, ["a", "b"], executor=executor, on_done=print)
    A
    B
    []
    """
    work = _Work(
        function=function, executor=executor, max_deaths=max_deaths, waiting=enumerate(tasks)
    )
    deadline = float("inf")
    next_poll = time.monotonic() + poll_seconds
    try:
        while time.monotonic() < deadline:
            if deadline == float("inf"):
                if should_stop():
                    deadline = time.monotonic() + grace_seconds
                    work.take_back()
                else:
                    work.give_out(window)
            if not work.running:
                break
            try:
                ended = work.ended.get(
                    timeout=max(0.0, min(next_poll, deadline) - time.monotonic())
                )
                work.settle(ended, on_done)
            except Empty:
                pass
            if time.monotonic() >= next_poll:
                on_poll()
                next_poll = time.monotonic() + poll_seconds
        on_poll()
    finally:
        work.take_back()
    return work.failures


def _short(task: object) -> str:
    text = str(task)
    return text if len(text) <= 200 else f"{text[:200]}..."
