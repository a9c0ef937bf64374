"""Notice to workers before the job around them ends."""

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

# Seconds since 1970; the head of a job sets it.
STOP_VARIABLE = "PHASENET_STOP_AT"
_NOTICE_SECONDS = 120


def with_notice(function: Callable[[Task], Result], task: Task) -> Result:
    """Result of a function; the process gets SIGTERM when its job has little time left.

    Batch systems send SIGTERM as well, but only seconds before SIGKILL, which is too late to
    finish a sweep of DMRG.

    >>> with_notice(str.upper, "done")
    'DONE'
    """
    stop = os.environ.get(STOP_VARIABLE)
    if stop is None:
        return function(task)
    seconds = max(0.0, float(stop) - time.time())
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM))
    timer.daemon = True
    timer.start()
    try:
        return function(task)
    finally:
        timer.cancel()


def notice_seconds(walltime_seconds: int) -> int:
    """Seconds before the end of a job at which its workers get notice.

    >>> notice_seconds(3600), notice_seconds(60)
    (120, 15)
    """
    return min(_NOTICE_SECONDS, walltime_seconds // 4)
