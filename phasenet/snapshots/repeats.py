"""Which configurations of a dataset are in its training set as well."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from phasenet.shots import NO_SITE, Shots
from phasenet.trains.train import Array

_WORD = 8
_SEED = 0x9E3779B97F4A7C15


class Configurations:
    """The training set of a dataset: 8 bytes a shot, twice that while they are sorted.

    A configuration is its spins, without filling, in its basis. It is kept as a hash of 64 bits: of
    10^7 other shots beside 10^7 training shots, one is taken for a repeat by mistake with
    probability 5e-6.

    >>> test = Shots(
    ...     spins=np.array([[0, 1], [1, 1]], dtype=np.uint8),
    ...     point_index=np.array([1, 1], dtype=np.int32),
    ...     log_probability=np.zeros(2),
    ...     class_log_likelihood=np.zeros((2, 1)),
    ... )
    >>> training = Configurations()
    >>> training.add(replace(test, point_index=np.array([0, 0], dtype=np.int32)))
    >>> training.marked(test).in_training.tolist()
    [True, True]
    """

    def __init__(self) -> None:
        self._points: set[int] = set()
        self._sorted = np.zeros(0, dtype=np.uint64)
        self._new: list[NDArray[np.uint64]] = []

    def add(self, shots: Shots) -> None:
        """Add shots, all of which are trained on; all other shots are of other points."""
        self._points.update(np.unique(shots.point_index).tolist())
        self._new.append(hashes(shots))

    def marked(self, shots: Shots) -> Shots:
        """Shots with ``in_training``: False for the training shots themselves."""
        self._sort()
        repeated = np.zeros(len(shots), dtype=bool)
        others = ~np.isin(shots.point_index, list(self._points))
        if len(self._sorted) and others.any():
            found = hashes(shots)[others]
            places = np.searchsorted(self._sorted, found)
            places[places == len(self._sorted)] = 0
            repeated[others] = self._sorted[places] == found
        return replace(shots, in_training=repeated)

    def _sort(self) -> None:
        if self._new:
            everything = np.concatenate([self._sorted, *self._new])
            self._new = []
            everything.sort()
            self._sorted = everything


def hashes(shots: Shots) -> NDArray[np.uint64]:
    """64-bit hash of the configuration of each shot.

    Shots of one configuration have the same, however many sites of filling they have. Eight sites
    make up a word; each word goes through the finalizer of splitmix64 (Steele, Lea and Flood,
    OOPSLA 2014) after a multiplication by an odd number of its own.
    """
    total = _sum_of_words(shots.spins, 0)
    if shots.basis_index is not None:
        # A basis is as long as its spins, whatever fills it.
        basis = np.where(shots.spins == NO_SITE, np.uint8(NO_SITE), shots.basis_index)
        total += _sum_of_words(basis, 1)
    return total


def _sum_of_words(rows: Array, which: int) -> NDArray[np.uint64]:
    short = -rows.shape[1] % _WORD
    # Filling becomes zero, which contributes nothing.
    whole = np.pad(~rows, ((0, 0), (0, short))).view("<u8").astype(np.uint64, copy=False)
    total = np.zeros(len(rows), dtype=np.uint64)
    odd = _odd_numbers(whole.shape[1], which)
    for word, multiplier in zip(whole.T, odd, strict=True):
        total += _mixed(word * multiplier)
    return total


def _odd_numbers(count: int, which: int) -> NDArray[np.uint64]:
    # The first ones do not depend on how many there are.
    numbers = np.random.default_rng([_SEED, which]).integers(2**64, size=count, dtype=np.uint64)
    return numbers | np.uint64(1)


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
