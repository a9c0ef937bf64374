"""Table of values by 64-bit key: open addressing, every operation on whole arrays."""

import numpy as np
from numpy.typing import NDArray

from phasenet.trains.train import Array

_IntArray = NDArray[np.int64]
_KeyArray = NDArray[np.uint64]


class ValueCache:
    """Values of configurations that have been evaluated, found by their keys.

    Keys are sums of random numbers, so their low bits are good hashes as they are; two
    configurations among 1e7 share a key with probability 3e-6.

    Parameters
    ----------
    outputs
        Numbers stored for each key.
    dtype
        Kind of numbers, ``np.float64`` or ``np.complex128``.

    >>> cache = ValueCache(outputs=1, dtype=np.dtype(float))
    >>> entries = cache.insert(np.array([7, 9], dtype=np.uint64), np.array([[0.5], [0.25]]))
    >>> print(cache.find(np.array([9, 8], dtype=np.uint64)), f"{cache.values(entries)[1, 0]}")
    [ 1 -1] 0.25
    """

    def __init__(self, *, outputs: int, dtype: np.dtype[np.generic]) -> None:
        self._slots: _IntArray = np.full(2**15, -1, dtype=np.int64)
        self._mask = np.uint64(len(self._slots) - 1)
        self._keys: _KeyArray = np.zeros(4096, dtype=np.uint64)
        self._values: Array = np.zeros((4096, outputs), dtype=dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def outputs(self) -> int:
        """Numbers stored for each key."""
        return int(self._values.shape[1])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Kind of numbers."""
        return self._values.dtype

    def find(self, keys: _KeyArray) -> _IntArray:
        """Return the entry of each key, shape (keys,), -1 where there is none."""
        position = (keys & self._mask).view(np.int64)
        entries = self._slots[position]
        open_ = ((self._keys[entries] != keys) & (entries >= 0)).nonzero()[0]
        while len(open_):
            moved = (position[open_] + 1) & (len(self._slots) - 1)
            position[open_] = moved
            found = self._slots[moved]
            entries[open_] = found
            open_ = open_[(found >= 0) & (self._keys[found] != keys[open_])]
        return entries

    def values(self, entries: _IntArray) -> Array:
        """Return the values of entries, shape (entries, outputs)."""
        return self._values[entries]

    def insert(self, keys: _KeyArray, values: Array) -> _IntArray:
        """Store values under distinct keys that are not in the table yet; return the entries."""
        start, self._count = self._count, self._count + len(keys)
        if self._count > len(self._keys):
            room = max(2 * len(self._keys), self._count)
            self._keys = np.resize(self._keys, room)
            self._values = np.resize(self._values, (room, self._values.shape[1]))
        self._keys[start : self._count] = keys
        self._values[start : self._count] = values
        entries = np.arange(start, self._count)
        if 3 * self._count > len(self._slots):
            size = len(self._slots)
            while 3 * self._count > size:
                size *= 2
            self._slots = np.full(2 * size, -1, dtype=np.int64)
            self._mask = np.uint64(len(self._slots) - 1)
            self._place(np.arange(self._count))
        else:
            self._place(entries)
        return entries

    def _place(self, entries: _IntArray) -> None:
        """Give each entry a slot; where two want the same one, the last stays and the rest move."""
        mask = len(self._slots) - 1
        position = (self._keys[entries] & self._mask).view(np.int64)
        while len(entries):
            free = self._slots[position] < 0
            self._slots[position[free]] = entries[free]
            lost = self._slots[position] != entries
            entries, position = entries[lost], (position[lost] + 1) & mask
