"""Prefixes and suffixes of a sketch, and the pool of configurations that suffixes come from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasenet.seeds import stream
from phasenet.trains.train import IntArray

KeyArray = NDArray[np.uint64]

_MOST_ENDS = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """Distinct prefixes, or distinct suffixes, of one cut.

    Parameters
    ----------
    sites
        Number of sites of this side.
    states
        Local states, shape (rows, sites); without sites where the features say it all.
    keys
        Additive hash of each row; keys of a prefix and a suffix add up modulo 2^64.
    features
        What the function remembers of each row.
    log
        Logarithm of a factor taken out of the features.
    """

    sites: int
    states: IntArray
    keys: KeyArray
    features: Any
    log: float = 0.0

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, chosen: NDArray[Any]) -> "Side":
        """Return the rows at an index array or a mask."""
        return Side(
            sites=self.sites,
            states=self.states[chosen],
            keys=self.keys[chosen],
            features=self.features[chosen],
            log=self.log,
        )

    def beside(self, other: "Side") -> "Side":
        """Return these rows, then those of another side of the same cut."""
        features = other.features
        if other.log != self.log:
            features = features * math.exp(other.log - self.log)
        return Side(
            sites=self.sites,
            states=np.concatenate((self.states, other.states)),
            keys=np.concatenate((self.keys, other.keys)),
            features=np.concatenate((self.features, features)),
            log=self.log,
        )


class Pool:
    """Configurations whose suffixes may be used as columns; each suffix has a number at its cut.

    Cut ``k`` lies between site ``k`` and ``k + 1``. A column of cut ``k`` is coded as
    ``number * dim + state``: a state of site ``k + 1`` in front of a suffix of cut ``k + 1``, so
    that one-site flips have codes as well.

    Parameters
    ----------
    configurations
        Integers of shape (rows, length).
    site_dims
        Number of states of each site.
    site_keys
        Random key of each state of each site, shape (length, states).
    """

    def __init__(
        self, configurations: IntArray, site_dims: tuple[int, ...], site_keys: KeyArray
    ) -> None:
        rows, length = configurations.shape
        self.configurations, self.site_dims, self.site_keys = configurations, site_dims, site_keys
        self.numbers = np.zeros((length, rows), dtype=np.int64)
        self.codes: list[IntArray] = [np.zeros(1, dtype=np.int64)] * length
        self.members: list[IntArray] = [np.zeros(1, dtype=np.int64)] * length
        self.keys: KeyArray = np.zeros((length + 1, rows), dtype=np.uint64)
        for site in range(length - 1, -1, -1):
            states = configurations[:, site]
            self.keys[site] = self.keys[site + 1] + site_keys[site, states]
            if site > 0:
                found = np.unique(
                    self.codes_of(site - 1, np.arange(rows)), return_index=True, return_inverse=True
                )
                self.codes[site - 1], self.members[site - 1], self.numbers[site - 1] = found

    def codes_of(self, cut: int, rows: IntArray) -> IntArray:
        """Return the column of each configuration at a cut."""
        states = self.configurations[rows, cut + 1]
        return np.asarray(self.numbers[cut + 1, rows] * self.site_dims[cut + 1] + states)

    def split(self, cut: int, codes: IntArray) -> tuple[IntArray, IntArray]:
        """Return the state of site ``cut + 1`` in each column, and a configuration behind it."""
        number, states = np.divmod(codes, self.site_dims[cut + 1])
        return states, self.members[cut + 1][number]

    def positions(self, cut: int, codes: IntArray) -> IntArray:
        """Return the number of each column among the suffixes of the pool, -1 if it has none."""
        known = self.codes[cut]
        place = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        return np.where(known[place] == codes, place, -1)


class ColumnQueue:
    """Columns not yet used, each handed out once."""

    def __init__(self, *, own: IntArray, every: IntArray) -> None:
        self._own, self._every = own, every

    @classmethod
    def of(
        cls, pool: Pool, cut: int, states: IntArray, *, samples: int, rng: np.random.Generator
    ) -> "ColumnQueue":
        """Return all columns of a cut, each kind in random order.

        Those of any kind come in runs of all states in front of one suffix, suffixes of samples
        first: of a suffix in the wrong state, some flip is in the right one.
        """
        own = np.unique(pool.codes_of(cut, np.arange(samples)))
        tails = np.unique(pool.numbers[cut + 1, :samples])
        others = np.setdiff1d(np.arange(len(pool.codes[cut + 1])), tails)
        order = np.concatenate((rng.permutation(tails), rng.permutation(others)))
        flips = order[:, None] * pool.site_dims[cut + 1] + states[None, :]
        return cls(own=rng.permutation(own), every=flips.reshape(-1))

    def own(self, count: int) -> IntArray:
        """Next suffixes of samples."""
        taken, self._own = self._own[: max(count, 0)], self._own[max(count, 0) :]
        self._every = self._every[~np.isin(self._every, taken)]
        return taken

    def every(self, count: int) -> IntArray:
        """Next suffixes of any kind."""
        taken, self._every = self._every[: max(count, 0)], self._every[max(count, 0) :]
        self._own = self._own[~np.isin(self._own, taken)]
        return taken


def known_entries(
    pool: Pool, cut: int, states: IntArray, codes: IntArray, earlier: IntArray
) -> IntArray:
    """Where the block before has the values of this one already.

    Parameters
    ----------
    pool
        Configurations behind the codes.
    cut
        Cut of this block.
    states
        States of site ``cut`` in its rows.
    codes, earlier
        Columns of this block and of the block before.

    Returns
    -------
    Position in ``earlier`` for each state and each column, -1 where there is none.
    """
    place = pool.positions(cut, codes)
    wanted = place[None, :] * pool.site_dims[cut] + states[:, None]
    order = np.argsort(earlier)
    found = np.minimum(np.searchsorted(earlier, wanted, sorter=order), len(earlier) - 1)
    result = order[found]
    return np.where((earlier[result] == wanted) & (place >= 0), result, -1)


def pooled(samples: IntArray, states: Sequence[IntArray], max_rank: int, seed: int) -> IntArray:
    """Samples, then spliced and random configurations, then all ends of the chain.

    The ends make the last cuts exact, where a rank may be as large as the number of suffixes.
    """
    rng = stream(seed, "sketch", "pool")
    count = min(max(8, len(samples) // 2), 64)
    spliced = spliced_samples(samples, count, rng)
    uniform = np.stack([rng.choice(s, size=count // 2) for s in states], axis=1)
    ends = np.zeros((1, 0), dtype=np.int64)
    for s in states[:0:-1]:
        if len(ends) * len(s) > min(2 * max_rank + 8, _MOST_ENDS):
            break
        front = np.repeat(s, len(ends))[:, None]
        ends = np.concatenate((front, np.tile(ends, (len(s), 1))), axis=1)
    body = samples[rng.integers(len(samples), size=len(ends))]
    ended = np.concatenate((body[:, : body.shape[1] - ends.shape[1]], ends), axis=1)
    return np.concatenate((samples, spliced, uniform, ended))


def spliced_samples(samples: IntArray, count: int, rng: np.random.Generator) -> IntArray:
    """Configurations made of three pieces, neighbours from different samples where there are two.

    >>> samples = np.array([[0, 0, 0], [1, 1, 1]])
    >>> spliced_samples(samples, 2, np.random.default_rng(0))[:, 1].tolist()
    [0, 0]
    """
    shots, length = samples.shape
    step = rng.integers(max(shots - 1, 1), size=(count, 3)) + 1
    step[:, 0] = rng.integers(shots, size=count)
    parents = np.cumsum(step, axis=1) % shots
    gaps = max(length - 1, 1)
    first = rng.integers(gaps, size=count)
    second = (first + 1 + rng.integers(max(gaps - 1, 1), size=count)) % gaps
    cuts = np.sort(np.stack((first, second), axis=1), axis=1) + 1
    sites = np.arange(length)
    piece = (sites >= cuts[:, :1]).astype(np.int64) + (sites >= cuts[:, 1:])
    return np.asarray(samples[np.take_along_axis(parents, piece, axis=1), sites])


def site_keys(site_dims: tuple[int, ...], seed: int) -> KeyArray:
    """Random key of each state of each site, shape (length, states)."""
    rng = stream(seed, "sketch", "keys")
    return rng.integers(2**64, size=(len(site_dims), max(site_dims)), dtype=np.uint64)


def distinct(keys: list[KeyArray]) -> int:
    """Count the distinct keys."""
    if not keys:
        return 0
    ordered = np.sort(np.concatenate(keys))
    return int(np.sum(ordered[1:] != ordered[:-1])) + 1
