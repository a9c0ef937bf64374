"""Pivots: sets of partial configurations of one side of a cut, with hash keys that add up."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
KeyArray = NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pivots:
    """Distinct partial configurations of the sites on one side of a cut.

    Parameters
    ----------
    states
        Local states, shape (pivots, sites of this side), in the order of the chain.
    keys
        Additive hash of each pivot, shape (pivots,): the key of a whole configuration is the sum
        of the keys of its two parts, modulo 2^64.
    on_left
        Whether the sites are those to the left of the cut.

    >>> print(len(Pivots.empty(on_left=True)))
    1
    """

    states: IntArray
    keys: KeyArray
    on_left: bool

    @classmethod
    def empty(cls, *, on_left: bool) -> "Pivots":
        """Return the one pivot of a side without sites."""
        return cls(
            states=np.zeros((1, 0), dtype=np.int64),
            keys=np.zeros(1, dtype=np.uint64),
            on_left=on_left,
        )

    @classmethod
    def of(
        cls, configurations: IntArray, cut: int, site_keys: KeyArray, *, on_left: bool
    ) -> "Pivots":
        """Return the parts of whole configurations on one side of a cut, each part once.

        Cut ``b`` lies between site ``b`` and ``b + 1``; ``site_keys`` has shape (length, states).
        """
        sites = np.arange(cut + 1) if on_left else np.arange(cut + 1, configurations.shape[1])
        states = configurations[:, sites]
        keys = site_keys[sites, states].sum(axis=1, dtype=np.uint64)
        return cls(states=states, keys=keys, on_left=on_left).take(first_occurrences(keys))

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, chosen: NDArray[Any]) -> "Pivots":
        """Return the pivots at an index array or a mask."""
        return Pivots(states=self.states[chosen], keys=self.keys[chosen], on_left=self.on_left)

    def union(self, other: "Pivots") -> "Pivots":
        """Return these pivots, then those of the other set that are new."""
        new = other.take(~other.within(self))
        return Pivots(
            states=np.concatenate((self.states, new.states)),
            keys=np.concatenate((self.keys, new.keys)),
            on_left=self.on_left,
        )

    def within(self, other: "Pivots") -> NDArray[np.bool_]:
        """Return which of these pivots belong to the other set."""
        return np.isin(self.keys, other.keys)

    def extended(self, site_keys: KeyArray) -> "Pivots":
        """Return all pivots of the cut one site further; the state of that site runs fastest.

        ``site_keys`` has one key for each state of the new site.
        """
        dim = len(site_keys)
        column = np.tile(np.arange(dim), len(self))[:, None]
        old = np.repeat(self.states, dim, axis=0)
        parts = (old, column) if self.on_left else (column, old)
        return Pivots(
            states=np.concatenate(parts, axis=1),
            keys=(self.keys[:, None] + site_keys[None, :]).reshape(-1),
            on_left=self.on_left,
        )


def joined(near: Pivots, far: Pivots, i: IntArray, j: IntArray) -> IntArray:
    """Whole configurations from pairs of a pivot of one side and a pivot of the other."""
    left, right, rows, columns = (near, far, i, j) if near.on_left else (far, near, j, i)
    return np.concatenate((left.states[rows], right.states[columns]), axis=1)


def first_occurrences(keys: KeyArray) -> IntArray:
    """Position of the first occurrence of each distinct key, in the order of the keys given."""
    return np.sort(np.unique(keys, return_index=True)[1])
