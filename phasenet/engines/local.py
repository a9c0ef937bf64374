"""Worker processes on this machine, one BLAS thread each.

A task writes its own result, so that a worker may die at any time: a broken pool is rebuilt and
only what is unfinished is given out again.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

from phasenet.engines.threads import THREAD_VARIABLES
from phasenet.errors import PhasenetError

Task = TypeVar("Task")

_BROKEN_POOLS_WITHOUT_PROGRESS = 3


@dataclass(frozen=True, kw_only=True)
class Failure(Generic[Task]):
    """A task that raised an error of phasenet."""

    task: Task
    error: PhasenetError


def run_tasks(
    function: Callable[[Task], str],
    tasks: Sequence[Task],
    *,
    workers: int,
    on_done: Callable[[str], None],
) -> list[Failure[Task]]:
    """Call a function on every task, in worker processes.

    Parameters
    ----------
    function
        Importable by name; returns one line about what it did.
    tasks
        Picklable values.
    workers
        Processes that work side by side.
    on_done
        Receives the line of each finished task, in the order of finishing.

    Returns
    -------
    The tasks that raised a PhasenetError; all others are done.

    Raises
    ------
    PhasenetError
        Workers died again and again without finishing anything.
    """
    open_tasks = dict(enumerate(tasks))
    failures: list[Failure[Task]] = []
    broken = 0
    while open_tasks:
        before = len(open_tasks)
        try:
            _run_pool(function, open_tasks, failures, workers, on_done)
        except BrokenProcessPool as error:
            broken = broken + 1 if len(open_tasks) == before else 1
            if broken == _BROKEN_POOLS_WITHOUT_PROGRESS:
                raise PhasenetError(
                    f"worker processes died {broken} times without finishing a task, "
                    f"{len(open_tasks)} are open; is memory short? try fewer --workers"
                ) from error
    return failures


def _run_pool(
    function: Callable[[Task], str],
    open_tasks: dict[int, Task],
    failures: list[Failure[Task]],
    workers: int,
    on_done: Callable[[str], None],
) -> None:
    """Work on the open tasks, removing each as it ends, until none is left or the pool breaks."""
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    executor = ProcessPoolExecutor(
        max_workers=min(workers, len(open_tasks)),
        mp_context=context,
        initializer=_start_worker,
        initargs=(reader,),
    )
    try:
        with _worker_environment():
            futures = {executor.submit(function, task): i for i, task in open_tasks.items()}
        pending: set[Future[str]] = set(futures)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            # Results come before the news of a dead worker, which ends this pool.
            for future in sorted(done, key=lambda f: isinstance(f.exception(), BrokenProcessPool)):
                try:
                    on_done(future.result())
                except PhasenetError as error:
                    failures.append(Failure(task=open_tasks[futures[future]], error=error))
                del open_tasks[futures[future]]
    except BaseException:
        writer.close()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
        reader.close()
        writer.close()


@contextmanager
def _worker_environment() -> Iterator[None]:
    # BLAS reads these variables once, when a worker starts. A worker also inherits an ignored
    # SIGINT, so that Ctrl-C is handled by the parent alone.
    saved = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    in_main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
    try:
        yield
    finally:
        if in_main:
            signal.signal(signal.SIGINT, handler)
        for name, value in saved.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start_worker(lifeline: Connection) -> None:
    # The parent holds the other end; it closes when the parent stops the work or dies.
    def leave_with_parent() -> None:
        lifeline.poll(None)
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
