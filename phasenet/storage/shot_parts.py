"""Shots of a dataset that is being drawn: one small file for each block, joined in the end."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phasenet.errors import FileKindError, MissingInputError, PhasenetError
from phasenet.shots import Shots, SnapshotsHead
from phasenet.storage.atomic import remove_leftovers
from phasenet.storage.container import Content, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshot_writer import FIELDS
from phasenet.storage.snapshots import stream_snapshots


@dataclass(frozen=True)
class ShotParts:
    """Folder of the parts of one dataset; whatever is no whole part there counts as missing.

    Parameters
    ----------
    path
        The folder; it need not exist.
    """

    path: Path

    @classmethod
    def beside(cls, out: Path) -> "ShotParts":
        """Folder beside the file that the parts will be joined in.

        >>> ShotParts.beside(Path("runs/a.snapshots.h5")).path.as_posix()
        'runs/a.snapshots.h5.parts'
        """
        return cls(out.with_name(f"{out.name}.parts"))

    def has(self, key: str) -> bool:
        """Whether a part is there, whole and made for this key."""
        try:
            self._content(key)
        except (MissingInputError, FileKindError):
            return False
        return True

    def write(self, key: str, shots: Shots) -> None:
        """Write a part atomically.

        Parameters
        ----------
        key
            File name of the part; it should say all that decides the shots.
        shots
            Some thousand.

        Raises
        ------
        PhasenetError
            The folder cannot be written, or the disk is full.
        """
        stored = {name: getattr(shots, field) for name, field in FIELDS.items()}
        arrays = {name: rows for name, rows in stored.items() if rows is not None}
        write_file(self._file(key), _header(key), Content(arrays=arrays, values={}))

    def read(self, key: str) -> Shots:
        """Shots of a part.

        Raises
        ------
        MissingInputError, FileKindError
        """
        arrays = self._content(key).arrays
        fields: dict[str, Any] = {field: arrays.get(name) for name, field in FIELDS.items()}
        return Shots(**fields)

    def remove(self) -> None:
        """Delete the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _content(self, key: str) -> Content:
        path = self._file(key)
        header, content = read_content(path, Kind.SNAPSHOTS)
        if header.key != _header(key).key:
            raise FileKindError(f"{path} is no part {key} of a dataset; remove it")
        return content

    def _file(self, key: str) -> Path:
        return self.path / f"{key}.h5"


def join_parts(
    parts: ShotParts,
    keys: Sequence[str],
    out: Path,
    header: Header,
    head: SnapshotsHead,
    *,
    mark: Callable[[Shots], Shots],
) -> Header:
    """Write the dataset that some parts make up, in memory for one of them.

    Parameters
    ----------
    parts, keys
        Where the shots are, and in which order. All have the same arrays; those of shorter chains
        are filled with :data:`phasenet.shots.NO_SITE`.
    out
        File of the dataset; it appears whole or not at all. The parts stay.
    header, head
        Of the dataset.
    mark
        What is done to the shots of each part on the way.

    Returns
    -------
    The header as written.

    Raises
    ------
    MissingInputError, FileKindError
        A part is missing or damaged.
    PhasenetError
        The folder cannot be written, or the disk is full.
    """
    remove_leftovers(parts.path)
    # Among the parts, so that what a killed process leaves goes when they go.
    joined = parts.path / out.name
    header = stream_snapshots(joined, header, head, (mark(parts.read(key)) for key in keys))
    try:
        joined.replace(out)
    except OSError as error:
        raise PhasenetError(
            f"cannot write {out}: {error.strerror}; free space there or choose --out"
        ) from error
    return header


def _header(key: str) -> Header:
    return Header(kind=Kind.SNAPSHOTS, settings={"part": key}, seed=0, parents=(), study=None)
