"""Files that show that a process lives: their time of change moves on every few seconds.

Times of files are compared with the time of a file just written, never with the clock: the clocks
of a file server and of the machines that use it differ.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_BEAT_SECONDS = 5.0
SILENT_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Owner:
    """A process of some machine.

    Parameters
    ----------
    host, pid
        Where it runs.
    token
        Tells apart what one process owns.
    """

    host: str
    pid: int
    token: str

    @classmethod
    def here(cls) -> "Owner":
        """Return this process, with a new token."""
        return cls(host=socket.gethostname(), pid=os.getpid(), token=secrets.token_hex(4))

    @classmethod
    def of(cls, text: str) -> "Owner | None":
        """Owner from its text, or None if it is none.

        >>> str(Owner.of("node-7-123-abc"))
        'node-7-123-abc'
        """
        host, _, rest = text.strip().rpartition("-")
        host, _, pid = host.rpartition("-")
        return cls(host=host, pid=int(pid), token=rest) if host and pid.isdecimal() else None

    def __str__(self) -> str:
        return f"{self.host}-{self.pid}-{self.token}"

    def is_gone(self) -> bool:
        """Return whether the process was one of this machine and has ended."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return _was_not_collected(self.pid)


def _was_not_collected(pid: int) -> bool:
    # Where nobody asks for the exit status of orphans, as in many containers, they keep their pid.
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] == "Z"


def is_alive(path: Path, owner: Owner, now: float) -> bool:
    """Return whether the owner of a file still keeps it fresh.

    Parameters
    ----------
    path
        A file that is kept by :func:`beating`.
    owner
        Who keeps it.
    now
        From :func:`file_time`, of the same folder.
    """
    if owner.is_gone():
        return False
    try:
        return now - path.stat().st_mtime < SILENT_SECONDS
    except FileNotFoundError:
        return False


def file_time(folder: Path) -> float:
    """Time in seconds that the file system of a folder gives to a file written now."""
    probe = folder / f".{Owner.here()}.time"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        # Whoever may only read the folder has nothing better than the clock.
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink()


@contextmanager
def beating(path: Path) -> Iterator[None]:
    """Keep a file fresh until the block ends."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(_BEAT_SECONDS):
            # On a full or absent disk the file goes stale, and that is what it then should say.
            with suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
