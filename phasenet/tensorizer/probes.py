"""Configurations that search for errors, and what they find."""

from dataclasses import dataclass

import numpy as np

from phasenet.tensorizer.function import CountedFunction
from phasenet.tensorizer.pivots import IntArray, first_occurrences
from phasenet.trains.canonical import right_canonical
from phasenet.trains.train import Array, FloatArray, TensorTrain


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

    def seen(self, shots: int, *, latest: int = 512) -> IntArray:
        """Return the latest samples after taking some more, as far as there are any."""
        self._seen = min(len(self._samples), self._seen + shots)
        return self._samples[max(0, self._seen - latest) : self._seen]

    def fresh(self, count: int) -> IntArray:
        """Return crossovers, mutations and swaps of samples, and uniform configurations."""
        share = -(-count // 4)
        return np.concatenate(
            (
                self._crossovers(share),
                self._mutations(share),
                self._swaps(share),
                uniform(self._function.site_dims, share, self._rng),
            )
        )

    def compare(
        self, train: TensorTrain, samples: IntArray, others: IntArray, *, tol: float
    ) -> Findings:
        """Return the errors of a train on samples and on other probes."""
        points = np.concatenate((samples, others))
        values = self._function(points)
        squares = _squares(values - train(points).reshape(values.shape))
        references = _squares(values)
        shots = len(samples)
        data, other = references[:shots].mean(), references[shots:].mean() if len(others) else 0.0
        error = _ratio(squares[:shots].mean(), data)
        if len(others):
            error = max(error, _ratio(squares[shots:].mean(), max(data, other)))
        order = np.argsort(-squares, kind="stable")
        order = order[squares[order] > tol**2 * data]
        distinct = first_occurrences(self._function.keys(points[order]))
        return Findings(error=error, worst=points[order[distinct]])

    def _parents(self, count: int) -> IntArray:
        return self._samples[self._rng.integers(len(self._samples), size=count)]

    def _crossovers(self, count: int) -> IntArray:
        length = self._samples.shape[1]
        cuts = self._rng.integers(length, size=(count, 1))
        return np.where(np.arange(length) < cuts, self._parents(count), self._parents(count))

    def _mutations(self, count: int) -> IntArray:
        points = self._parents(count).copy()
        strange = uniform(self._function.site_dims, count, self._rng)
        for _ in range(2):
            sites = self._rng.integers(points.shape[1], size=count)
            points[np.arange(count), sites] = strange[np.arange(count), sites]
        return points

    def _swaps(self, count: int) -> IntArray:
        """Samples with two sites exchanged, which conserves a charge."""
        points = self._parents(count).copy()
        dims = np.asarray(self._function.site_dims)
        first, second = self._rng.integers(points.shape[1], size=(2, count))
        rows = np.flatnonzero(dims[first] == dims[second])
        first, second = first[rows], second[rows]
        kept = points[rows, first].copy()
        points[rows, first] = points[rows, second]
        points[rows, second] = kept
        return points


def uniform(site_dims: tuple[int, ...], count: int, rng: np.random.Generator) -> IntArray:
    """Configurations with every state of every site equally likely.

    >>> print(uniform((2, 3), 4, np.random.default_rng(0)).shape)
    (4, 2)
    """
    return rng.integers(np.asarray(site_dims), size=(count, len(site_dims)))


def sample_squared(train: TensorTrain, count: int, rng: np.random.Generator) -> IntArray:
    """Configurations drawn from the squared magnitude of a train that is not zero.

    >>> train = TensorTrain(cores=(np.array([[[0.0], [1.0]]]),) * 3)
    >>> print(sample_squared(train, 2, np.random.default_rng(0)).tolist())
    [[1, 1, 1], [1, 1, 1]]
    """
    cores = right_canonical(train).cores
    rows: Array = np.ones((count, 1, 1))
    chosen = np.zeros((count, train.length), dtype=np.int64)
    for site, core in enumerate(cores):
        wide = core if core.ndim == 4 else core[..., None]
        grown = np.einsum("nol,lsrp->nsopr", rows, wide, optimize=True)
        grown = grown.reshape(count, wide.shape[1], -1, wide.shape[2])
        weights = np.cumsum(np.sum(np.abs(grown) ** 2, axis=(2, 3)), axis=1)
        draws = rng.random(count) * weights[:, -1]
        states = np.minimum(np.sum(draws[:, None] >= weights, axis=1), wide.shape[1] - 1)
        chosen[:, site] = states
        rows = grown[np.arange(count), states]
        rows = rows / np.maximum(np.abs(rows).max(axis=(1, 2), keepdims=True), 1e-300)
    return chosen


def _squares(values: Array) -> FloatArray:
    return np.asarray(np.sum(np.abs(values) ** 2, axis=1), dtype=np.float64)


def _ratio(square: float, reference: float) -> float:
    if square == 0.0:
        return 0.0
    return float(np.sqrt(square / reference)) if reference > 0.0 else float("inf")
