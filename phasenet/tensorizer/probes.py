"""Configurations that search for errors, and what they find."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.tensorizer.function import CountedFunction
from phasenet.tensorizer.pivots import IntArray, Pivots, first_occurrences
from phasenet.trains.train import Array, FloatArray, TensorTrain

_DARK = 1e-24
_CUTS = 4
_FIRST, _LATEST = 64, 448
_VANISHING = 1e-4


@dataclass(frozen=True, kw_only=True, eq=False)
class Findings:
    """Errors of a train on probes.

    Parameters
    ----------
    error
        Larger of two relative L2 errors: on samples, and on all other probes, where the reference
        is the larger of the values there and on the samples.
    worst
        Distinct configurations whose own error is over the tolerance, the worst first.
    """

    error: float
    worst: IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """Configurations that are never used in the construction, and the function there.

    Parameters
    ----------
    points
        Configurations, shape (shots, length).
    values
        The function there, shape (shots, outputs).
    """

    points: IntArray
    values: Array

    @property
    def size(self) -> float:
        """Root mean square of the function."""
        return float(np.sqrt(squares(self.values).mean()))

    @property
    def lit(self) -> float:
        """Fraction of the configurations where the function is not zero."""
        sizes = squares(self.values)
        return float(np.mean(sizes > _DARK * sizes.max()))

    def error(self, train: TensorTrain, *, otherwise: float) -> float:
        """Relative L2 error of a train; relative to ``otherwise`` where the function vanishes."""
        return self.error_of(train(self.points), otherwise=otherwise)

    def error_of(self, values: Array, *, otherwise: float) -> float:
        """Relative L2 error of the values of a train at these configurations."""
        off = squares(self.values - values.reshape(self.values.shape))
        size = self.size if self.size > _VANISHING * otherwise else otherwise
        return _ratio(float(off.mean()), size**2)


class Probes:
    """Samples seen so far, and fresh probes of every kind.

    Parameters
    ----------
    function
        Function to compare with.
    samples
        Configurations of shape (shots, length) from the distribution that matters.
    rng
        Draws crossovers, mutations and uniform configurations.
    """

    def __init__(
        self, function: CountedFunction, *, samples: IntArray, rng: np.random.Generator
    ) -> None:
        self._function = function
        self._samples = samples
        self._rng = rng
        self._seen = 0
        self._sizes: list[FloatArray] = []

    @property
    def total(self) -> int:
        """Number of samples."""
        return len(self._samples)

    @property
    def exhausted(self) -> bool:
        """Whether all samples have been seen."""
        return self._seen == len(self._samples)

    @property
    def size(self) -> float:
        """Root mean square of the function over all samples seen so far."""
        return float(np.sqrt(np.concatenate(self._sizes).mean()))

    @property
    def lit(self) -> float:
        """Fraction of the samples seen so far where the function is not zero."""
        sizes = np.concatenate(self._sizes)
        return float(np.mean(sizes > _DARK * sizes.max()))

    def first(self, shots: int) -> IntArray:
        """Return the first samples, as far as there are so many."""
        self.seen(max(0, shots - self._seen))
        return self._samples[:shots]

    def seen(self, shots: int) -> IntArray:
        """Return the first and the latest samples, after taking some more if there are any."""
        end = min(len(self._samples), self._seen + shots)
        new = self._samples[self._seen : end]
        if len(new):
            self._sizes.append(squares(self._function(new)))
        self._seen = end
        if end <= _FIRST + _LATEST:
            return self._samples[:end]
        return np.concatenate((self._samples[:_FIRST], self._samples[end - _LATEST : end]))

    def fresh(
        self, count: int, prefixes: Sequence[Pivots] = (), suffixes: Sequence[Pivots] = ()
    ) -> IntArray:
        """Return samples that are crossed, mutated or swapped, and uniform configurations.

        With the pivots of every cut, as many again are crossed with those: what is rare among
        samples sits there.
        """
        share = -(-count // (6 if prefixes else 4))
        found = [
            self._crossovers(share),
            self._mutations(share),
            self._swaps(share),
            uniform(self._function.space.site_dims, share, self._rng),
        ]
        if prefixes:
            found.append(self._crossed_with(prefixes, share))
            found.append(self._crossed_with(suffixes, share))
        return np.concatenate(found)

    def compare(self, found: Array, samples: IntArray, others: IntArray, *, tol: float) -> Findings:
        """Return the errors of a train, by its values on samples and then on other probes."""
        points = np.concatenate((samples, others))
        values = self._function(points)
        errors = squares(values - found.reshape(values.shape))
        shots, data, error = len(samples), self.size**2, 0.0
        if shots:
            error = _ratio(float(errors[:shots].mean()), data)
        if len(others):
            other = float(squares(values[shots:]).mean())
            error = max(error, _ratio(float(errors[shots:].mean()), max(data, other)))
        order = np.argsort(-errors, kind="stable")
        order = order[errors[order] > tol**2 * data]
        distinct = first_occurrences(self._function.space.keys(points[order]))
        return Findings(error=error, worst=points[order[distinct]])

    def _parents(self, count: int) -> IntArray:
        return self._samples[self._rng.integers(len(self._samples), size=count)]

    def _crossovers(self, count: int) -> IntArray:
        length = self._samples.shape[1]
        cuts = self._rng.integers(length, size=(count, 1))
        return np.where(np.arange(length) < cuts, self._parents(count), self._parents(count))

    def _crossed_with(self, sets: Sequence[Pivots], count: int) -> IntArray:
        """Samples, half of them uniform ones, with one part replaced by a pivot."""
        points = self._parents(count).copy()
        points[::2] = uniform(self._function.space.site_dims, len(points[::2]), self._rng)
        parts = self._rng.permutation(len(sets))[: max(_CUTS, count // 64)]
        for start, cut in enumerate(parts):
            pivots, rows = sets[cut], slice(start, None, len(parts))
            chosen = self._rng.integers(len(pivots), size=len(points[rows]))
            sites = slice(cut + 1) if pivots.on_left else slice(cut + 1, None)
            points[rows, sites] = pivots.states[chosen]
        return points

    def _mutations(self, count: int) -> IntArray:
        points = self._parents(count).copy()
        strange = uniform(self._function.space.site_dims, count, self._rng)
        for _ in range(2):
            sites = self._rng.integers(points.shape[1], size=count)
            points[np.arange(count), sites] = strange[np.arange(count), sites]
        return points

    def _swaps(self, count: int) -> IntArray:
        """Samples with two sites exchanged, which conserves a charge."""
        points = self._parents(count).copy()
        dims = np.asarray(self._function.space.site_dims)
        first, second = self._rng.integers(points.shape[1], size=(2, count))
        rows = np.flatnonzero(dims[first] == dims[second])
        first, second = first[rows], second[rows]
        kept = points[rows, first].copy()
        points[rows, first] = points[rows, second]
        points[rows, second] = kept
        return points


def uniform(site_dims: Sequence[int], count: int, rng: np.random.Generator) -> IntArray:
    """Configurations with every state of every site equally likely.

    >>> print(uniform((2, 3), 4, np.random.default_rng(0)).shape)
    (4, 2)
    """
    return rng.integers(np.asarray(site_dims), size=(count, len(site_dims)))


def squares(values: Array) -> FloatArray:
    """Squared magnitude of each row of values, summed over outputs.

    >>> print(squares(np.array([[3.0, 4.0]])).tolist())
    [25.0]
    """
    return np.asarray(np.sum(np.abs(values) ** 2, axis=1), dtype=np.float64)


def _ratio(square: float, reference: float) -> float:
    if square == 0.0:
        return 0.0
    return float(np.sqrt(square / reference)) if reference > 0.0 else float("inf")
