"""Pivots: sets of partial configurations of one side of a cut, with hash keys that add up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from phasenet.tensorizer.charges import Charges

IntArray = NDArray[np.int64]
KeyArray = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]

# Above this number of pairs, sorting both sides is faster than comparing all of them.
_PAIRS = 50_000


class Extender(Protocol):
    """The part of a structured function that pivots need; see :class:`SplitFunction`."""

    def prefixes(self, states: IntArray, /) -> Any:
        """Features of the first sites, one row each."""

    def suffixes(self, states: IntArray, /) -> Any:
        """Features of the last sites, one row each."""

    def extend_prefixes(self, features: Any, site: int, states: IntArray, /) -> Any:
        """Features after one more site on the right."""

    def extend_suffixes(self, features: Any, site: int, states: IntArray, /) -> Any:
        """Features after one more site on the left."""


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
    charges
        Sums of the conserved charges, shape (pivots, charges).
    features
        What a structured function needs of each pivot, with as many rows; None for a plain one.
    on_left
        Whether the sites are those to the left of the cut.
    """

    states: IntArray
    keys: KeyArray
    charges: IntArray
    features: Any
    on_left: bool

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, chosen: IntArray) -> "Pivots":
        """Return the chosen pivots, in the order given."""
        return Pivots(
            states=self.states[chosen],
            keys=self.keys[chosen],
            charges=self.charges[chosen],
            features=None if self.features is None else self.features[chosen],
            on_left=self.on_left,
        )

    def union(self, other: "Pivots") -> "Pivots":
        """Return these pivots, then those of the other set that are new."""
        new = other.take(np.flatnonzero(~other.within(self)))
        if len(new) == 0:
            return self
        features = self.features
        return Pivots(
            states=np.concatenate((self.states, new.states)),
            keys=np.concatenate((self.keys, new.keys)),
            charges=np.concatenate((self.charges, new.charges)),
            features=None if features is None else np.concatenate((features, new.features)),
            on_left=self.on_left,
        )

    def within(self, other: "Pivots") -> BoolArray:
        """Return which of these pivots belong to the other set."""
        if len(self) * len(other) > _PAIRS:
            return np.isin(self.keys, other.keys)
        return np.asarray((self.keys[:, None] == other.keys).any(axis=1))


class PivotSpace:
    """What all pivots of one function share: local dimensions, keys, charges, structure.

    Parameters
    ----------
    site_dims
        Local dimension of each site.
    charges
        Conserved charges outside whose sector the function is zero.
    extender
        The function, if it is structured.
    rng
        Draws the keys.

    >>> space = PivotSpace((2, 2, 2), Charges.none((2, 2, 2)), None, np.random.default_rng(0))
    >>> one = space.extended(space.empty(on_left=True), 0)
    >>> print(len(one), one.states.ravel().tolist())
    2 [0, 1]
    """

    def __init__(
        self,
        site_dims: Sequence[int],
        charges: Charges,
        extender: Extender | None,
        rng: np.random.Generator,
    ) -> None:
        self.site_dims = tuple(site_dims)
        self.length = len(self.site_dims)
        self.charges = charges
        self._extender = extender
        self._keys: list[KeyArray] = [
            rng.integers(2**64, size=dim, dtype=np.uint64) for dim in self.site_dims
        ]

    def keys(self, configurations: IntArray) -> KeyArray:
        """Return the key of each whole configuration."""
        total = np.zeros(len(configurations), dtype=np.uint64)
        for site, keys in enumerate(self._keys):
            total += keys[configurations[:, site]]
        return total

    def empty(self, *, on_left: bool) -> Pivots:
        """Return the one pivot of a side without sites."""
        states = np.zeros((1, 0), dtype=np.int64)
        return Pivots(
            states=states,
            keys=np.zeros(1, dtype=np.uint64),
            charges=np.zeros((1, self.charges.count), dtype=np.int64),
            features=self._start(states, on_left),
            on_left=on_left,
        )

    def extended(self, pivots: Pivots, site: int) -> Pivots:
        """Return all pivots of the cut one site further; the state of that site runs fastest."""
        dim, count, sites = self.site_dims[site], len(pivots), pivots.states.shape[1]
        on_left, local = pivots.on_left, np.arange(dim)
        states = np.empty((count, dim, sites + 1), dtype=np.int64)
        states[:, :, slice(sites) if on_left else slice(1, None)] = pivots.states[:, None]
        states[:, :, sites if on_left else 0] = local
        charges = pivots.charges[:, None] + self.charges.weights[site]
        features = pivots.features
        if features is not None:
            parents = np.repeat(np.arange(count), dim)
            features = self._step(features[parents], site, np.tile(local, count), on_left)
        return Pivots(
            states=states.reshape(count * dim, sites + 1),
            keys=(pivots.keys[:, None] + self._keys[site]).reshape(-1),
            charges=charges.reshape(count * dim, -1) if charges.size else _uncharged(count * dim),
            features=features,
            on_left=on_left,
        )

    def parts(self, configurations: IntArray, *, on_left: bool) -> list[Pivots]:
        """Return the parts of whole configurations on one side of every cut, each part once.

        Cut ``b`` lies between site ``b`` and ``b + 1``.
        """
        order = range(self.length - 1) if on_left else range(self.length - 1, 0, -1)
        current, everyone = self.empty(on_left=on_left), np.zeros(len(configurations), dtype=int)
        found = []
        for site in order:
            whole = self._grown(current, site, everyone, configurations[:, site])
            heads, everyone = _distinct(whole.keys)
            current = whole.take(heads)
            found.append(current)
        return found if on_left else found[::-1]

    def _grown(self, pivots: Pivots, site: int, parents: IntArray, states: IntArray) -> Pivots:
        """Return the pivots that continue given parents by given states of one site."""
        on_left, column = pivots.on_left, states[:, None]
        old = pivots.states[parents]
        features = pivots.features
        if features is not None:
            features = self._step(features[parents], site, states, on_left)
        return Pivots(
            states=np.concatenate((old, column) if on_left else (column, old), axis=1),
            keys=pivots.keys[parents] + self._keys[site][states],
            charges=pivots.charges[parents] + self.charges.weights[site][states],
            features=features,
            on_left=on_left,
        )

    def _step(self, features: Any, site: int, states: IntArray, on_left: bool) -> Any:
        assert self._extender is not None
        step = self._extender.extend_prefixes if on_left else self._extender.extend_suffixes
        return step(features, site, states)

    def _start(self, states: IntArray, on_left: bool) -> Any:
        if self._extender is None:
            return None
        return self._extender.prefixes(states) if on_left else self._extender.suffixes(states)


def _distinct(keys: KeyArray) -> tuple[IntArray, IntArray]:
    """Positions of the first occurrences, and for each key the number of its first occurrence."""
    if len(keys) ** 2 <= _PAIRS:
        first = (keys[:, None] == keys).argmax(axis=1)
    else:
        _, heads, inverse = np.unique(keys, return_index=True, return_inverse=True)
        first = heads[inverse]
    new = first == np.arange(len(keys))
    return new.nonzero()[0], (np.cumsum(new) - 1)[first]


def _uncharged(count: int) -> IntArray:
    return np.zeros((count, 0), dtype=np.int64)


def joined(near: Pivots, far: Pivots, i: IntArray, j: IntArray) -> IntArray:
    """Whole configurations from pairs of a pivot of one side and a pivot of the other."""
    left, right, rows, columns = (near, far, i, j) if near.on_left else (far, near, j, i)
    whole = np.empty((len(i), left.states.shape[1] + right.states.shape[1]), dtype=np.int64)
    whole[:, : left.states.shape[1]] = left.states[rows]
    whole[:, left.states.shape[1] :] = right.states[columns]
    return whole


def first_occurrences(keys: KeyArray) -> IntArray:
    """Position of the first occurrence of each distinct key, in the order of the keys given."""
    return np.sort(np.unique(keys, return_index=True)[1])
