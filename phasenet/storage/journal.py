"""What became of each state of a sweep: one line an event, in files that have one writer each.

No state depends on them: they count attempts, and they tell about 100 000 files without opening
one.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from phasenet.errors import PhasenetError
from phasenet.storage.heartbeat import Owner, beating

SUFFIX = ".jsonl"
_LOCAL = threading.local()


class EventKind(StrEnum):
    """What can happen to a state."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    RELEASED = "released"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of a journal.

    Parameters
    ----------
    kind
        What happened; ``released`` comes from the driver, where it ended a worker that was at a
        state: no fault of that state.
    state
        Name of the state, such as ``D=0.5,Delta=1.finite``.
    key
        Digest of all that decides the states of this sweep, beside the point.
    retry
        How often failures were forgiven before; failures of an earlier round do not count.
    energy, truncation, seconds, outcome
        Of a finished state.
    hysteresis
        Whether two starts of a finished state led to different results.
    error
        Of a failure, in one sentence.
    """

    kind: EventKind
    state: str
    key: str
    retry: int = 0
    energy: float = 0.0
    truncation: float = 0.0
    seconds: float = 0.0
    outcome: str = ""
    hysteresis: bool = False
    error: str = ""

    def line(self) -> str:
        """Return the event as JSON; what has its default value is left out.

        >>> Event(kind=EventKind.FAILED, state="D=0.finite", key="1f", error="no model").line()
        '{"event":"failed","state":"D=0.finite","key":"1f","error":"no model"}'
        """
        values: dict[str, Any] = {"event": self.kind.value, "state": self.state, "key": self.key}
        for name in ("retry", "energy", "truncation", "seconds", "outcome", "hysteresis", "error"):
            if value := getattr(self, name):
                values[name] = value
        return json.dumps(values, separators=(",", ":"))


class Journal:
    """The journal of one thread, open for writing; made by :func:`open_journal`."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def write(self, event: Event) -> None:
        """Append an event.

        Raises
        ------
        PhasenetError
            The disk is full.
        """
        _append(self.path, self._descriptor, f"{event.line()}\n".encode())


@contextmanager
def open_journal(folder: Path) -> Iterator[Journal]:
    """Journal of this thread in a folder, kept fresh until the block ends.

    Parameters
    ----------
    folder
        Folder of all journals of a sweep.

    Raises
    ------
    PhasenetError
        The folder cannot be written.
    """
    path = folder / f"{_owner()}{SUFFIX}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    except OSError as error:
        raise PhasenetError(f"cannot write {path}: {error.strerror}; choose --out") from error
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            _append(path, descriptor, b"\n")
        with beating(path):
            yield Journal(path, descriptor)
    finally:
        os.close(descriptor)


def owner_of(path: Path) -> Owner | None:
    """Writer of a journal, from its name."""
    return Owner.of(path.name.removesuffix(SUFFIX))


def _owner() -> Owner:
    # One for each thread: an executor of threads has several writers in one process.
    owner: Owner | None = getattr(_LOCAL, "owner", None)
    if owner is None or owner.pid != os.getpid():
        owner = _LOCAL.owner = Owner.here()
    return owner


def _append(path: Path, descriptor: int, line: bytes) -> None:
    try:
        written = os.write(descriptor, line)
    except OSError as error:
        raise PhasenetError(
            f"cannot write {path}: {error.strerror}; free space there or choose --out"
        ) from error
    if written != len(line):
        raise PhasenetError(f"cannot write {path}: disk full; free space there or choose --out")
