"""Labelled datasets in files, ``*.snapshots.h5``: plain arrays, one row for each shot.

==================== ================ ========================================================
``spins``            (shots, sites)   uint8: 0 is the highest weight; ``site_dim`` where the
                                      site was lost, 255 beyond the end of a shorter chain
``point``            (shots,)         int32: row of the arrays of points
``label``            (shots,)         int8: class, -1 where undetermined
``split``            (shots,)         int8: index among ``splits``
``log_probability``  (shots,)         ln p of the shot in its own state; NaN where not computed
``class_log_likelihood`` (shots, classes) ln p(shot | class); NaN where not computed
``basis_index``      (shots, sites)   uint8: index among ``basis_names``; absent if it is fixed
``phase``            (shots,)         of the amplitude, in radians; absent if not asked for
``in_training``      (shots,)         bool: whether the configuration is one of the training set
==================== ================ ========================================================

``label`` and ``split`` follow from the points and are not read back. What is known of the points
is in :mod:`phasenet.storage.snapshot_heads`. All arrays of shots have chunks of CHUNK shots, gzip
1: what a loader that shuffles reads at once. :mod:`phasenet.storage.snapshot_writer` writes them.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from phasenet.shots import Shots, Snapshots, SnapshotsHead
from phasenet.storage.container import (
    Content,
    check_id,
    check_kind,
    content_of,
    header_of,
    opened,
    readable,
    streamed,
)
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshot_heads import head_of, head_of_format_1
from phasenet.storage.snapshot_writer import (
    BLOCK,
    FIELDS,
    TYPES,
    Digest,
    SnapshotWriter,
    snapshots_id,
)
from phasenet.trains.train import Array


def write_snapshots(path: Path, header: Header, snapshots: Snapshots) -> Header:
    """Write a dataset; return the header as written."""
    starts = range(0, len(snapshots.shots), BLOCK)
    blocks = (snapshots.shots.at(slice(start, start + BLOCK)) for start in starts)
    return stream_snapshots(path, header, snapshots.head, blocks)


def stream_snapshots(
    path: Path, header: Header, head: SnapshotsHead, blocks: Iterable[Shots]
) -> Header:
    """Write a dataset whose shots come in blocks, in memory for one of them.

    Parameters
    ----------
    path
        Appears whole or not at all.
    header, head
        Of the dataset.
    blocks
        Shots, all with the same arrays; those of shorter chains are filled with
        :data:`phasenet.shots.NO_SITE`. The id does not depend on where blocks end.

    Returns
    -------
    The header as written.

    Raises
    ------
    ShapeError
        Shots do not fit together.
    PhasenetError
        The folder cannot be written, or the disk is full.
    """
    with streamed(path) as (file, check):
        writer = SnapshotWriter(file, check, head)
        for block in blocks:
            writer.append(block)
        return writer.finish(header)


def read_snapshots(path: Path | str) -> tuple[Header, Snapshots]:
    """Header and all of a dataset, checked against its id.

    Raises
    ------
    MissingInputError, FileKindError
    """
    with opened(path) as file:
        header, content = header_of(file, Path(path)), content_of(file)
        check_kind(path, header, Kind.SNAPSHOTS)
        old = _is_format_1(file)
    check_id(path, header, content.id if old else _id(content))
    with readable(path):
        head = _head(content, header, content.arrays["spins"].shape[1], old)
        return header, Snapshots(head=head, shots=_shots(content.arrays))


def read_head(path: Path | str) -> tuple[Header, SnapshotsHead]:
    """Header and head of a dataset; the shots are not read, and so not checked.

    Raises
    ------
    MissingInputError, FileKindError
    """
    with opened(path) as file:
        header = header_of(file, Path(path))
        check_kind(path, header, Kind.SNAPSHOTS)
        content = content_of(file, leave=TYPES)
        return header, _head(content, header, file["spins"].shape[1], _is_format_1(file))


class SnapshotFile:
    """A dataset whose shots are read when they are asked for.

    It may be copied to other processes, forked or new: each opens the file for itself.

    Parameters
    ----------
    path
        A file of any format.

    Attributes
    ----------
    header, head
        As :func:`read_head` has them.
    length
        Number of shots.
    chunk
        Shots that are read fastest at once, from a multiple of this on.
    point_index
        As of :class:`phasenet.shots.Shots`, in memory.

    Raises
    ------
    MissingInputError, FileKindError
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.header, self.head = read_head(path)
        self._file: h5py.File | None = None
        self._columns: dict[str, h5py.Dataset] = {}
        self._owner = 0
        with opened(path) as file:
            spins = file["spins"]
            self.point_index: NDArray[np.int32] = file["point"][()]
            self.length: int = spins.shape[0]
            self.chunk: int = spins.chunks[0] if spins.chunks else max(self.length, 1)

    def rows(self, start: int, stop: int) -> Shots:
        """Shots from ``start`` to before ``stop``, not checked against the id of the file.

        Raises
        ------
        MissingInputError, FileKindError
        """
        with readable(self.path):
            self._opened()
            return _shots({name: rows[start:stop] for name, rows in self._columns.items()})

    def blocks(self) -> Iterator[Shots]:
        """All shots, some thousand at a time."""
        for start in range(0, self.length, BLOCK):
            yield self.rows(start, start + BLOCK)

    def check(self) -> None:
        """Compare all that the file holds with its id.

        Raises
        ------
        MissingInputError, FileKindError
            It is damaged.
        """
        with readable(self.path):
            file = self._opened()
            if _is_format_1(file):
                found = content_of(file).id
            else:
                content = content_of(file, leave=TYPES)
                digests = {name: Digest.of(array) for name, array in content.arrays.items()}
                digests |= {name: _digest(file[name]) for name in TYPES if name in file}
                found = snapshots_id(content.values, digests)
        check_id(self.path, self.header, found)

    def close(self) -> None:
        """Close the file; it opens again when shots are asked for."""
        if self._file is not None:
            self._file.close()
            self._file, self._columns = None, {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_file": None, "_columns": {}}

    def _opened(self) -> h5py.File:
        # A handle that came with a fork is the parent's; its caches are of no use here.
        if self._owner != os.getpid():
            self.close()
        if self._file is None:
            self._file, self._owner = h5py.File(self.path, "r"), os.getpid()
            self._columns = {name: self._file[name] for name in FIELDS if name in self._file}
        return self._file


def _is_format_1(file: h5py.File) -> bool:
    return int(file.attrs["format_version"]) == 1


def _head(content: Content, header: Header, sites: int, old: bool) -> SnapshotsHead:
    return head_of_format_1(content, header.study, sites) if old else head_of(content)


def _id(content: Content) -> str:
    digests = {name: Digest.of(array) for name, array in content.arrays.items()}
    return snapshots_id(content.values, digests)


def _digest(dataset: h5py.Dataset) -> Digest:
    digest = Digest(dataset.dtype, dataset.shape[1:])
    for start in range(0, len(dataset), BLOCK):
        digest.update(dataset[start : start + BLOCK])
    return digest


def _shots(arrays: Mapping[str, Array]) -> Shots:
    fields: dict[str, Any] = {field: arrays.get(name) for name, field in FIELDS.items()}
    return Shots(**fields)
