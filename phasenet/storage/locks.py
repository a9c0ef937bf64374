"""One driver for each part of a folder."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from phasenet.errors import PhasenetError, SettingsError
from phasenet.storage.heartbeat import Owner, beating, file_time, is_alive

_LOOK_SECONDS = 0.5
_UNKNOWN = Owner(host="", pid=0, token="")  # of a lock whose owner died before it was written
_NAME = re.compile(r"driver\.(\d+)-of-(\d+)\.lock")


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Every ``count``-th unit of work, from the ``number``-th on.

    >>> str(Shard.of("2/4")), Shard().is_whole
    ('2/4', True)
    """

    number: int = 1
    count: int = 1

    @classmethod
    def of(cls, text: str) -> "Shard":
        """Shard from text such as ``2/4``."""
        number, _, count = text.partition("/")
        if number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count):
            return cls(number=int(number), count=int(count))
        raise SettingsError(f"shard is {text!r}; wanted I/N with I from 1 to N, such as 2/4")

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the work."""
        return self.count == 1

    def holds(self, index: int) -> bool:
        """Return whether the unit with this index, counted from 0, is in this shard."""
        return index % self.count == self.number - 1

    def overlaps(self, other: "Shard") -> bool:
        """Return whether the two may have work in common."""
        return self.count != other.count or self.number == other.number

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


@contextmanager
def driver_lock(folder: Path, shard: Shard) -> Iterator[Owner]:
    """Right to hand out the work of a shard, until the block ends.

    Parameters
    ----------
    folder
        Folder of the journals of a sweep.
    shard
        Which work.

    Raises
    ------
    PhasenetError
        A living process has the right to some of this work, or the folder cannot be written.
    """
    owner = Owner.here()
    path = folder / f"driver.{shard.number}-of-{shard.count}.lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_dead(folder, shard)
        _create(path, owner)
    except FileExistsError:
        raise _in_use(folder, path) from None
    except OSError as error:
        raise PhasenetError(f"cannot write {path}: {error.strerror}; choose --out") from error
    try:
        # Looked at after our own file is there: of two that come at once, at least one sees both.
        for other, _ in _locks(folder):
            if other != path and shard.overlaps(_shard_of(other)):
                raise _in_use(folder, other)
        with beating(path):
            yield owner
    finally:
        if _owner_in(path) == owner:
            path.unlink(missing_ok=True)


def _create(path: Path, owner: Owner) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    try:
        os.write(descriptor, str(owner).encode())
    finally:
        os.close(descriptor)


def _remove_dead(folder: Path, shard: Shard) -> None:
    """Remove the locks in our way of processes that have ended or are silent."""
    for path, owner in _locks(folder):
        if not shard.overlaps(_shard_of(path)) or not _is_dead(path, owner or _UNKNOWN):
            continue
        # Renamed first, and looked at again: somebody may have put a living lock in its place.
        grave = path.with_name(f".{path.name}.{Owner.here()}")
        with suppress(FileNotFoundError):
            path.rename(grave)
            if _owner_in(grave) != owner:
                with suppress(FileExistsError):
                    path.hardlink_to(grave)
            grave.unlink()


def _is_dead(path: Path, owner: Owner) -> bool:
    """Return whether a lock is nobody's any more.

    Of another machine all we have is the lock: we watch it until it changes or was silent for
    long, as a job that a batch system starts anew elsewhere would otherwise stop at its own lock.
    """
    first = _changed(path)
    while is_alive(path, owner, file_time(path.parent)):
        if owner.host == Owner.here().host or _changed(path) != first:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _locks(folder: Path) -> list[tuple[Path, Owner | None]]:
    paths = (path for path in folder.glob("driver.*.lock") if _NAME.fullmatch(path.name))
    return [(path, _owner_in(path)) for path in sorted(paths)]


def _owner_in(path: Path) -> Owner | None:
    with suppress(FileNotFoundError):
        return Owner.of(path.read_text(encoding="utf-8"))
    return None


def _shard_of(path: Path) -> Shard:
    found = _NAME.fullmatch(path.name)
    assert found is not None
    return Shard(number=int(found[1]), count=int(found[2]))


def _in_use(folder: Path, path: Path) -> PhasenetError:
    owner, shard = _owner_in(path), _shard_of(path)
    part = "" if shard.is_whole else f" (shard {shard})"
    who = f"process {owner.pid} on {owner.host}" if owner else "another process"
    return PhasenetError(
        f"{folder.parent} is being worked on by {who}{part}; wait for it, stop it, or choose "
        "another --out"
    )
