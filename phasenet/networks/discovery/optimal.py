r"""What the best possible predictors would find, from the exact probabilities of all shots.

Learning by confusion, supervised learning at both ends and the prediction of the coupling have
optimal predictors that follow from the likelihoods :math:`p(\sigma \mid \gamma_k)` alone
(J. Arnold, F. Schäfer, Phys. Rev. X 12, 031044 (2022); J. Arnold et al., Phys. Rev. Lett. 132,
207301 (2024)): no network on the same shots can do better.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from phasenet.networks.discovery.indicators import Indicator, indicator
from phasenet.trains.train import FloatArray, IntArray


def optimal_indicators(
    grid: FloatArray,
    log_likelihood: Sequence[FloatArray],
    *,
    ends: int,
    rng: np.random.Generator,
) -> tuple[Indicator, ...]:
    r"""Confusion, supervised and prediction-based indicators, and the Fisher information.

    Parameters
    ----------
    grid
        Couplings :math:`\gamma_k` in ascending order.
    log_likelihood
        For the shots of each point, their natural logarithms under all points, shape (shots,
        points).
    ends
        Points on either side that the supervised predictor knows.
    rng
        For the errors.
    """
    middles = (grid[1:] + grid[:-1]) / 2
    # Changes over a small step drown in noise: neighbours too near are left out there.
    apart = spaced(grid)
    steps = grid[apart]
    between = (steps[1:] + steps[:-1]) / 2

    def found(
        name: str, x: FloatArray, shots: list[FloatArray], curve: object, *, peaked: bool = True
    ) -> Indicator:
        assert callable(curve)
        return indicator(name, x, [shots], curve, peaked=peaked, grid=grid, rng=rng)

    likelihood = list(log_likelihood)
    return (
        found(
            "optimal confusion",
            middles,
            confusion_decisions(grid, likelihood),
            lambda means: balanced_accuracy(grid, means),
        ),
        found(
            "optimal supervised",
            grid,
            supervised_predictions(likelihood, ends),
            _first,
            peaked=False,
        ),
        found(
            "optimal prediction",
            between,
            [_moments(grid, likelihood[k]) for k in apart],
            lambda means: _signal(steps, means),
        ),
        found(
            "Fisher information",
            between,
            _overlaps([likelihood[k][:, apart] for k in apart]),
            lambda means: _information(steps, means),
        ),
    )


def spaced(grid: FloatArray) -> IntArray:
    """Points that are at least a 25th of the line apart, from the first one on.

    >>> spaced(np.array([0.0, 0.01, 1.0, 1.03, 2.0])).tolist()
    [0, 2, 4]
    """
    least, kept = 0.04 * (grid[-1] - grid[0]), [0]
    for k in range(1, len(grid)):
        if grid[k] - grid[kept[-1]] >= least * (1 - 1e-9):
            kept.append(k)
    return np.asarray(kept)


def cells(grid: FloatArray) -> FloatArray:
    """Width of the cell of each point, so that a mean over the line does not depend on its grid.

    >>> cells(np.array([0.0, 1.0, 1.5])).tolist()
    [0.5, 0.75, 0.25]
    """
    steps = np.diff(grid) / 2
    return np.asarray(np.concatenate([steps, [0.0]]) + np.concatenate([[0.0], steps]))


def confusion_decisions(grid: FloatArray, log_likelihood: Sequence[FloatArray]) -> list[FloatArray]:
    """Whether each shot is put on its side of each trial boundary, shape (shots, points - 1).

    Both sides count alike; a side is the mean of its distributions over the coupling.
    """
    points, width = len(log_likelihood), cells(grid)
    found = []
    for k, array in enumerate(log_likelihood):
        right = np.empty((len(array), points - 1))
        for trial in range(1, points):
            below = _mean(array[:, :trial], width[:trial])
            above = _mean(array[:, trial:], width[trial:])
            right[:, trial - 1] = below > above if k < trial else above >= below
        found.append(right)
    return found


def _mean(log_likelihood: FloatArray, width: FloatArray) -> FloatArray:
    """Logarithm of the mean likelihood over some points."""
    return np.asarray(logsumexp(log_likelihood, axis=1, b=width / width.sum()))


def balanced_accuracy(grid: FloatArray, means: Sequence[FloatArray]) -> FloatArray:
    """Mean of the accuracies on both sides of each trial boundary, from those at each point.

    It is 1/2 where nothing can be told, and largest where the most differs. With sides that count
    by their size instead, it would be 1 at both ends, for no reason of physics.

    >>> means = [np.array([1.0, 0.5]), np.array([0.5, 1.0]), np.array([1.0, 0.5])]
    >>> balanced_accuracy(np.array([0.0, 1.0, 2.0]), means).round(4).tolist()
    [0.8333, 0.6667]
    """
    table, width = np.asarray(means), cells(grid)
    return np.asarray(
        [
            np.average(table[:t, t - 1], weights=width[:t]) / 2
            + np.average(table[t:, t - 1], weights=width[t:]) / 2
            for t in range(1, len(table))
        ]
    )


def supervised_predictions(log_likelihood: Sequence[FloatArray], ends: int) -> list[FloatArray]:
    """Probability that a shot is from the last points and not from the first, shape (shots, 1)."""
    found = []
    for array in log_likelihood:
        first, last = logsumexp(array[:, :ends], axis=1), logsumexp(array[:, -ends:], axis=1)
        with np.errstate(invalid="ignore", over="ignore"):
            odds = np.exp(np.clip(first - last, -700, 700))
        # Shots that neither end can give tell nothing.
        found.append(np.where(np.isnan(odds), 0.5, 1 / (1 + odds))[:, None])
    return found


def _first(means: list[FloatArray]) -> FloatArray:
    return np.asarray([mean[0] for mean in means])


def _moments(grid: FloatArray, array: FloatArray) -> FloatArray:
    """Predicted coupling of each shot and its square, all points equally likely before."""
    posterior = np.exp(array - logsumexp(array, axis=1, keepdims=True))
    predicted = posterior @ grid
    return np.stack([predicted, predicted**2], axis=1)


def _signal(grid: FloatArray, means: list[FloatArray]) -> FloatArray:
    """Change of the mean prediction with the coupling, over the width of its distribution."""
    table = np.asarray(means)
    width = np.sqrt(np.maximum(table[:, 1] - table[:, 0] ** 2, 1e-300))
    return np.asarray(np.diff(table[:, 0]) / np.diff(grid) / ((width[1:] + width[:-1]) / 2))


def _overlaps(log_likelihood: list[FloatArray]) -> list[FloatArray]:
    r"""For each shot, :math:`\sqrt{p_{k \pm 1} / p_k}` of the points before and after its own."""
    last = len(log_likelihood) - 1
    found = []
    for k, array in enumerate(log_likelihood):
        own = array[:, k]
        sides = [array[:, max(k - 1, 0)], array[:, min(k + 1, last)]]
        found.append(np.stack([np.exp((side - own) / 2) for side in sides], axis=1))
    return found


def _information(grid: FloatArray, means: list[FloatArray]) -> FloatArray:
    r"""Fisher information :math:`8 (1 - \sum_\sigma \sqrt{p q}) / \delta^2` between two points."""
    table = np.asarray(means)
    overlap = (table[:-1, 1] + table[1:, 0]) / 2
    return np.asarray(8 * (1 - overlap) / np.diff(grid) ** 2)
