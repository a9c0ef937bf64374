"""What of a network is left in the numbers of the train that replaces it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.signal

from phasenet.trains.train import Array, FloatArray, IntArray

# A shorter run of numbers is like some other by chance.
_LEAST_NUMBERS = 24
_SIGMAS, _ROUNDING = 6.0, 1e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Leftovers:
    """Numbers of a network found again in what is published, and what chance alone finds.

    Parameters
    ----------
    equal
        Published numbers that some weight of the network has to all bits of float32, sign aside.
    equal_by_chance
        The same in other gauges of the same function, shape (draws,).
    names
        Weights of the network that are long enough to be looked for.
    matches
        Largest correlation of each with any equally long run of published numbers, or of the
        published numbers with any run of it, sign aside, shape (names,).
    matches_by_chance
        The same in other gauges, shape (draws, names).
    """

    equal: int
    equal_by_chance: IntArray
    names: tuple[str, ...]
    matches: FloatArray
    matches_by_chance: FloatArray

    @property
    def best(self) -> float:
        """Best match of any of the weights; 0 where none is long enough."""
        return float(self.matches.max(initial=0.0))

    @property
    def best_by_chance(self) -> FloatArray:
        """The same in each of the other gauges, shape (draws,)."""
        return np.asarray(self.matches_by_chance.max(axis=1, initial=0.0))

    @property
    def stands_out(self) -> bool:
        """Whether more is found than chance explains: by six of its standard deviations."""
        mean, best = float(self.equal_by_chance.mean()), self.best_by_chance
        more = self.equal > mean + _SIGMAS * math.sqrt(mean + 1.0)
        return more or self.best > float(best.mean()) + _SIGMAS * float(best.std()) + _ROUNDING

    @property
    def draws(self) -> int:
        """Number of other gauges."""
        return len(self.equal_by_chance)


def leftovers(published: FloatArray, others: FloatArray, weights: Mapping[str, Array]) -> Leftovers:
    """Search the numbers of a network among the published ones.

    Parameters
    ----------
    published
        All numbers in the order of the file, shape (numbers,).
    others
        The same of other gauges, shape (draws, numbers).
    weights
        Of the network, by name.

    >>> rng = np.random.default_rng(0)
    >>> weight = rng.normal(size=(10, 10)).astype(np.float32)
    >>> published = np.concatenate((rng.normal(size=50), weight.ravel()))
    >>> found = leftovers(published, rng.normal(size=(19, 150)), {"weight": weight})
    >>> found.equal, round(float(found.matches[0]), 3)
    (100, 1.0)
    """
    every = np.concatenate([np.ravel(weight) for weight in weights.values()])
    long = {name: np.ravel(w) for name, w in weights.items() if w.size >= _LEAST_NUMBERS}
    by_chance = [[best_match(other, weight) for weight in long.values()] for other in others]
    return Leftovers(
        equal=equal_numbers(published, every),
        equal_by_chance=np.asarray([equal_numbers(other, every) for other in others]),
        names=tuple(long),
        matches=np.asarray([best_match(published, weight) for weight in long.values()]),
        matches_by_chance=np.asarray(by_chance).reshape(len(others), len(long)),
    )


def equal_numbers(published: Array, weights: Array) -> int:
    """Published numbers that some weight has to all bits of float32, sign aside; zeros are none.

    Neither order nor sign hides a number here.

    >>> equal_numbers(np.array([0.1, -0.2, 0.0]), np.array([0.2, 0.0]))
    1
    """
    ours, theirs = (np.abs(np.ravel(a)).astype(np.float32) for a in (published, weights))
    return int(np.isin(ours[ours > 0.0], theirs).sum())


def best_match(one: Array, two: Array) -> float:
    """Largest modulus of the correlation of the shorter array with any run of the longer one.

    >>> print(f"{best_match(np.arange(3.0), np.array([5.0, 4.0, 1.0, -2.0, -5.0])):.3f}")
    1.000
    """
    short, long = sorted((np.ravel(a).astype(np.float64) for a in (one, two)), key=len)
    pattern = short - short.mean()
    size = float(np.linalg.norm(pattern))
    # Sums over runs lose no digits to the mean or the scale of the whole.
    spread = float(long.std())
    if size == 0.0 or spread == 0.0:
        return 0.0
    scaled, ones = (long - long.mean()) / spread, np.ones(len(short))
    products = scipy.signal.fftconvolve(scaled, pattern[::-1] / size, mode="valid")
    sums = scipy.signal.fftconvolve(scaled, ones, mode="valid")
    squares = scipy.signal.fftconvolve(scaled**2, ones, mode="valid")
    variances = squares - sums**2 / len(short)
    # A run of equal numbers resembles nothing.
    varied = variances > 1e-9 * len(short)
    found = np.abs(products[varied]) / np.sqrt(variances[varied])
    return float(min(1.0, found.max(initial=0.0)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Likeness:
    """How far a published network is the original on held-out shots.

    Parameters
    ----------
    original, published
        Logits, shape (shots, classes).
    labels
        Index of the class of each shot.
    """

    original: FloatArray
    published: FloatArray
    labels: IntArray

    @property
    def agreement(self) -> float:
        """Share of equal decisions."""
        return float((self.original.argmax(axis=1) == self.published.argmax(axis=1)).mean())

    @property
    def error(self) -> float:
        """Relative L2 difference of the logits."""
        change = np.linalg.norm(self.published - self.original)
        return float(change / np.linalg.norm(self.original))

    @property
    def accuracies(self) -> tuple[float, float]:
        """Share of right decisions of the original and of the published network."""
        right = self._right()
        return float(right[0].mean()), float(right[1].mean())

    @property
    def gain(self) -> tuple[float, float]:
        r"""Accuracy of the published network minus that of the original, and its standard error.

        Both decide on the same shots, so only those count where one of them is wrong:
        :math:`\sqrt{b + c - (b - c)^2 / n} / n` (McNemar, Psychometrika 12, 153 (1947)), one shot
        at least.
        """
        one, two = self._right()
        won, lost, shots = int((~one & two).sum()), int((one & ~two).sum()), len(one)
        spread = max(won + lost - (won - lost) ** 2 / shots, 1.0)
        return (won - lost) / shots, math.sqrt(spread) / shots

    def _right(self) -> tuple[Array, Array]:
        one, two = (f.argmax(axis=1) == self.labels for f in (self.original, self.published))
        return one, two
