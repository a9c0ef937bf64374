"""Files appear whole or not at all."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from phasenet.errors import PhasenetError

_MARK = ".partial"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Temporary path beside ``path``; flushed and renamed when the block ends well.

    Raises
    ------
    PhasenetError
        The folder cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}{_MARK}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except PhasenetError:
        # A file that is missing is an OSError too.
        raise
    except OSError as error:
        raise PhasenetError(
            f"cannot write {path}: {error.strerror or error}; free space there or choose --out"
        ) from error
    finally:
        # Where the folder itself is missing or no folder, there is nothing to remove.
        with suppress(OSError):
            temporary.unlink()


def remove_leftovers(folder: Path) -> int:
    """Delete temporary files of processes of this machine that no longer run; return how many."""
    removed = 0
    for leftover in folder.rglob(f".*{_MARK}"):
        host, pid = leftover.name.removesuffix(_MARK).rsplit(".", 2)[-2:]
        here = host == socket.gethostname().rsplit(".", 1)[-1]
        if here and pid.isdecimal() and not _is_running(int(pid)):
            leftover.unlink(missing_ok=True)
            removed += 1
    return removed


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
