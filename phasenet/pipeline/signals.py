"""Signals that end a sweep in good order."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

# Batch systems kill 30 s after SIGTERM; whoever asks for SIGUSR1 chooses a longer notice.
_GRACE_SECONDS = {signal.SIGINT: 60.0, signal.SIGTERM: 25.0, signal.SIGUSR1: 110.0}


@dataclass(kw_only=True)
class StopRequest:
    """Whether and until when to stop.

    Parameters
    ----------
    file
        Is there once work has to stop; workers look for it.
    """

    file: Path
    asked: bool = False
    deadline: float = float("inf")

    def ask(self, grace_seconds: float = float("inf")) -> None:
        """Ask all workers to stop."""
        self.asked = True
        self.deadline = time.monotonic() + grace_seconds
        self.file.touch()

    def is_over(self) -> bool:
        """Return whether the time to stop in good order has passed."""
        return time.monotonic() > self.deadline


@contextmanager
def graceful_stop(file: Path) -> Iterator[StopRequest]:
    """Turn SIGINT, SIGTERM and SIGUSR1 into a request; a second SIGINT interrupts at once.

    Parameters
    ----------
    file
        Stop file; removed when the block ends.
    """
    request = StopRequest(file=file)

    def handle(number: int, frame: FrameType | None) -> None:
        if request.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        if not request.asked:
            request.ask(_GRACE_SECONDS[signal.Signals(number)])

    in_main = threading.current_thread() is threading.main_thread()
    saved = {n: signal.signal(n, handle) for n in _GRACE_SECONDS} if in_main else {}
    try:
        yield request
    finally:
        for number, handler in saved.items():
            signal.signal(number, handler)
        file.unlink(missing_ok=True)
