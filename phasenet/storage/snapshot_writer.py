"""Shots written into a file one block after the other, in memory for one block.

The id of the file is the digest of the digests of its arrays: one pass suffices. Beside what Python
and its libraries take, a block of BLOCK shots of 64 sites needs some 20 MB, whatever the number of
shots of the file.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, Self

import h5py
import numpy as np

from phasenet.errors import ShapeError
from phasenet.shots import NO_SITE, SPLITS, Shots, SnapshotsHead
from phasenet.storage.container import COMPRESSION, Scalar, fill_content, stamped
from phasenet.storage.header import Header
from phasenet.storage.snapshot_heads import head_content
from phasenet.trains.train import Array

CHUNK = 1024
"""Shots in a chunk: what a loader that shuffles reads at once."""
BLOCK = 16384
"""Shots that are held in memory at once."""
FIELDS = {
    "spins": "spins",
    "point": "point_index",
    "log_probability": "log_probability",
    "class_log_likelihood": "class_log_likelihood",
    "basis_index": "basis_index",
    "phase": "phase",
    "in_training": "in_training",
}
"""Field of :class:`phasenet.shots.Shots` behind each array that is read back."""
TYPES: Mapping[str, Any] = {
    "spins": np.uint8,
    "point": np.int32,
    "label": np.int8,
    "split": np.int8,
    "log_probability": np.float64,
    "class_log_likelihood": np.float64,
    "basis_index": np.uint8,
    "phase": np.float64,
    "in_training": np.bool_,
}
"""Type of each array of shots."""


class SnapshotWriter:
    """Shots on their way into an open, empty file.

    Parameters
    ----------
    file, check
        From :func:`phasenet.storage.container.streamed`.
    head
        Of the dataset; its longest chain decides how many sites a row has.
    """

    def __init__(self, file: h5py.File, check: Callable[[], None], head: SnapshotsHead) -> None:
        self._file, self._check, self._head = file, check, head
        self._sites = max((source.sites for source in head.sources), default=0)
        self._labels = head.label_of_point.astype(np.int8)
        self._splits = np.asarray([SPLITS.index(p.split) for p in head.points], dtype=np.int8)
        self._columns: dict[str, _Column] = {}

    def append(self, shots: Shots) -> None:
        """Add shots.

        Raises
        ------
        ShapeError
            They have more sites than the longest chain, or other arrays than those before them.
        OSError
            The disk is full.
        """
        arrays = self._arrays(shots)
        if not self._columns:
            self._columns = {n: _Column(self._file, n, a) for n, a in arrays.items()}
        if arrays.keys() != self._columns.keys():
            odd = ", ".join(sorted(arrays.keys() ^ self._columns.keys()))
            raise ShapeError(f"some shots of the dataset have {odd}, others not; draw all alike")
        for name, array in arrays.items():
            self._columns[name].append(array)
        self._check()

    def finish(self, header: Header) -> Header:
        """Write what is left, the head and the header; return the header as written."""
        if not self._columns:
            self.append(no_shots(len(self._head.classes)))
        for column in self._columns.values():
            column.finish()
        content = head_content(self._head)
        fill_content(self._file, content)
        digests = {name: Digest.of(array) for name, array in content.arrays.items()}
        digests |= {name: column.digest for name, column in self._columns.items()}
        header = stamped(header, snapshots_id(content.values, digests))
        self._file.attrs.update(header.attributes())
        self._file.flush()
        self._check()
        return header

    def _arrays(self, shots: Shots) -> dict[str, Array]:
        points = shots.point_index
        stored = {name: getattr(shots, field) for name, field in FIELDS.items()}
        derived = {"label": self._labels[points], "split": self._splits[points]}
        arrays = {
            name: np.asarray(array, dtype=TYPES[name])
            for name, array in {**stored, **derived}.items()
            if array is not None
        }
        for name in {"spins", "basis_index"} & arrays.keys():
            arrays[name] = self._padded(arrays[name])
        return arrays

    def _padded(self, rows: Array) -> Array:
        missing = self._sites - rows.shape[1]
        if missing < 0:
            raise ShapeError(
                f"shots have {rows.shape[1]} sites; the longest chain of the dataset has "
                f"{self._sites}"
            )
        if missing == 0:
            return rows
        return np.pad(rows, ((0, 0), (0, missing)), constant_values=NO_SITE)


class Digest:
    """Digest of an array that comes in blocks of rows.

    >>> whole, parts = Digest.of(np.arange(4)), Digest(np.dtype(np.int64), ())
    >>> parts.update(np.arange(3)), parts.update(np.array([3])), parts.entry() == whole.entry()
    (None, None, True)
    """

    def __init__(self, dtype: np.dtype[Any], tail: tuple[int, ...]) -> None:
        self._dtype, self._tail, self._rows = dtype, tail, 0
        self._hasher = hashlib.sha256()

    @classmethod
    def of(cls, array: Array) -> Self:
        """Digest of a whole array."""
        digest = cls(array.dtype, array.shape[1:])
        digest.update(array)
        return digest

    def update(self, rows: Array) -> None:
        """Add rows."""
        self._rows += len(rows)
        self._hasher.update(np.ascontiguousarray(rows).data)

    def entry(self) -> list[Any]:
        """Type, shape and digest as JSON values."""
        return [self._dtype.str, [self._rows, *self._tail], self._hasher.hexdigest()]


class _Column:
    """One array of shots in a file, which grows by whole chunks."""

    def __init__(self, file: h5py.File, name: str, first: Array) -> None:
        self.digest = Digest(first.dtype, first.shape[1:])
        self._file, self._name = file, name
        self._waiting = first[:0]
        self._rows = 0
        # HDF5 has no chunks without entries, such as those of no classes.
        self._grows = 0 not in first.shape[1:]
        if self._grows:
            shape, chunks = (0, *first.shape[1:]), (CHUNK, *first.shape[1:])
            file.create_dataset(
                name,
                shape=shape,
                dtype=first.dtype,
                maxshape=(None, *shape[1:]),
                chunks=chunks,
                **COMPRESSION,
            )

    def append(self, rows: Array) -> None:
        self.digest.update(rows)
        joined = np.concatenate([self._waiting, rows]) if len(self._waiting) else rows
        whole = len(joined) // CHUNK * CHUNK
        self._put(joined[:whole])
        self._waiting = joined[whole:].copy()

    def finish(self) -> None:
        self._put(self._waiting)
        if not self._grows:
            shape = (self._rows, *self._waiting.shape[1:])
            self._file.create_dataset(self._name, shape=shape, dtype=self._waiting.dtype)

    def _put(self, rows: Array) -> None:
        start, self._rows = self._rows, self._rows + len(rows)
        if self._grows and len(rows):
            dataset = self._file[self._name]
            dataset.resize(self._rows, axis=0)
            dataset[start:] = rows


def no_shots(classes: int) -> Shots:
    """Shots of which there are none."""
    return Shots(
        spins=np.zeros((0, 0), dtype=np.uint8),
        point_index=np.zeros(0, dtype=np.int32),
        log_probability=np.zeros(0),
        class_log_likelihood=np.zeros((0, classes)),
    )


def snapshots_id(values: Mapping[str, Scalar], digests: Mapping[str, Digest]) -> str:
    """Id of a file of format 2: the digest of its scalars and of the digests of its arrays.

    >>> snapshots_id({"site_dim": 3}, {"point": Digest.of(np.zeros(2, dtype=np.int32))})
    '8b45300ac155033a'
    """
    entries = [dict(values), {name: digest.entry() for name, digest in digests.items()}]
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()[:16]
