"""Worker processes on this machine, one BLAS thread each.

Each worker has a thread of the parent beside it: where a worker dies, exactly the task that it was
at is lost, and the thread starts another worker.
"""

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

from phasenet.engines.memory import free_bytes
from phasenet.engines.tasks import WorkerDied
from phasenet.engines.threads import THREAD_VARIABLES
from phasenet.engines.worker import IGNORED_SIGNALS

_START = """\
import sys
sys.path[:] = sys.argv[2:]
from phasenet.engines.worker import serve
serve(int(sys.argv[1]))
"""
_MEMORY_FLOOR_BYTES = 1 << 30
_MEMORY_PAUSE_SECONDS = 0.5


@contextmanager
def local_pool(workers: int) -> Iterator[Executor]:
    """Executor of worker processes on this machine, which end with the block.

    A dead worker is replaced, and its task alone ends in
    :class:`~phasenet.engines.tasks.WorkerDied`. While memory is short, no task begins beside
    another.

    >>> with local_pool(1) as executor:
    ...     executor.submit(str.upper, "done").result()
    'DONE'
    """
    pool = _Pool(workers)
    try:
        yield pool
    finally:
        pool.end()


@dataclass(frozen=True, kw_only=True)
class _Call:
    """A function and its task, packed, and where the answer goes."""

    packed: bytes
    future: Future[Any]


class _Worker:
    """A worker process and the parent's end of its socket."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), *sys.path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")},
            )
        self.connection = Connection(ours.detach())

    def ask(self, packed: bytes) -> Any:
        """Answer to a call; raises the error of the function, or WorkerDied."""
        try:
            self.connection.send_bytes(packed)
            answer = self.connection.recv_bytes()
        except (EOFError, OSError):
            raise WorkerDied(self._last_words()) from None
        went_well, result = pickle.loads(answer)
        if not went_well:
            raise result
        return result

    def end(self) -> None:
        """Close the socket and end the process, whatever it is at."""
        self.process.kill()
        self.process.wait()
        self.connection.close()

    def _last_words(self) -> str:
        code = self.process.wait()
        if code >= 0:
            return f"worker process {self.process.pid} ended with exit code {code}"
        return f"worker process {self.process.pid} was killed by {signal.Signals(-code).name}"


class _Pool(Executor):
    """Workers and their threads; each thread takes the next call when its worker is free."""

    def __init__(self, workers: int) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._at_work: set[_Worker] = set()
        self._admitted = 0
        self._ending = False
        self._threads = [threading.Thread(target=self._lane, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Future of a function of one argument."""
        if len(args) != 1 or kwargs:
            raise TypeError("a worker process takes functions of one argument")
        if self._ending:
            raise RuntimeError("the workers have ended")
        future: Future[Any] = Future()
        self._calls.put(_Call(packed=pickle.dumps((fn, args[0])), future=future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all workers, once what was submitted is done unless it is to be cancelled."""
        if wait and not cancel_futures:
            for _ in self._threads:
                self._calls.put(None)
            for thread in self._threads:
                thread.join()
        self.end()

    def end(self) -> None:
        """End all workers at once, whatever they are at; what waits is cancelled."""
        with self._lock:
            self._ending = True
            for worker in self._at_work:
                worker.process.kill()
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _lane(self) -> None:
        # A worker inherits the blocked signals; until it can ignore them, they must not end it.
        signal.pthread_sigmask(signal.SIG_BLOCK, IGNORED_SIGNALS)
        worker: _Worker | None = None
        while (call := self._calls.get()) is not None:
            self._admit()
            if self._ending:
                call.future.cancel()
            if call.future.set_running_or_notify_cancel():
                worker = self._serve(call, worker)
            else:
                self._leave(worker)
        if worker is not None:
            worker.end()

    def _serve(self, call: _Call, worker: _Worker | None) -> _Worker | None:
        """Answer one call; returns the worker if it still lives."""
        try:
            worker = worker or _Worker()
            with self._lock:
                self._at_work.add(worker)
                if self._ending:
                    worker.process.kill()
            result = worker.ask(call.packed)
        except BaseException as error:
            self._leave(worker)
            if isinstance(error, WorkerDied) and worker is not None:
                worker.end()
                worker = None
            call.future.set_exception(error)
            return worker
        self._leave(worker)
        call.future.set_result(result)
        return worker

    def _admit(self) -> None:
        """Wait until there is memory for one task more, or no other task is at work."""
        while True:
            with self._lock:
                free = free_bytes() if self._admitted else None
                if self._ending or free is None or free > _MEMORY_FLOOR_BYTES:
                    self._admitted += 1
                    return
            time.sleep(_MEMORY_PAUSE_SECONDS)

    def _leave(self, worker: _Worker | None) -> None:
        with self._lock:
            self._admitted -= 1
            if worker is not None:
                self._at_work.discard(worker)
