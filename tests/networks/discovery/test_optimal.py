"""The best possible predictors against sums over all configurations of a small Ising chain."""

import itertools

import numpy as np
import pytest

from phasenet.networks.discovery.indicators import indicator, peak, steepest
from phasenet.networks.discovery.optimal import (
    balanced_accuracy,
    cells,
    confusion_decisions,
    optimal_indicators,
    spaced,
    supervised_predictions,
)

SITES = 6
GRID = np.array([0.2, 0.35, 0.5, 0.7, 0.8, 1.0, 1.1, 1.3, 1.5, 1.8])
ENDS = 2


def ising_probabilities(fields):
    """Exact probabilities of all outcomes of sigma^z, H = -sum Z Z - h sum X, one row a field."""
    signs = np.array(list(itertools.product([1, -1], repeat=SITES)))
    energy = -np.sum(signs[:, 1:] * signs[:, :-1], axis=1)
    flips = np.arange(2**SITES)[:, None] ^ (1 << np.arange(SITES))
    found = []
    for field in fields:
        matrix = np.diag(energy.astype(float))
        for column in flips.T:
            matrix[np.arange(2**SITES), column] -= field
        found.append(np.linalg.eigh(matrix)[1][:, 0] ** 2)
    return np.array(found)


P = ising_probabilities(GRID)
# Every configuration is a shot of every point; expectations weigh them.
EVERY = [np.log(P.T)] * len(GRID)


def sampled(shots, seed=0):
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(2**SITES, size=shots, p=row) for row in P]
    return [np.log(P.T)[rows] for rows in drawn]


def exact_curves():
    """What each indicator is, by sums over all configurations."""
    width = cells(GRID)
    confusion = []
    for trial in range(1, len(GRID)):
        below = np.average(P[:trial], axis=0, weights=width[:trial])
        above = np.average(P[trial:], axis=0, weights=width[trial:])
        confusion.append(0.5 + 0.25 * np.abs(below - above).sum())
    first, last = P[:ENDS].mean(axis=0), P[-ENDS:].mean(axis=0)
    supervised = P @ (last / (first + last))
    apart = spaced(GRID)
    steps, q = GRID[apart], P[apart]
    predicted = (P / P.sum(axis=0)).T @ GRID
    mean, square = q @ predicted, q @ predicted**2
    spread = np.sqrt(square - mean**2)
    prediction = np.diff(mean) / np.diff(steps) / ((spread[1:] + spread[:-1]) / 2)
    overlap = np.sqrt(q[1:] * q[:-1]).sum(axis=1)
    return (
        np.array(confusion),
        supervised,
        prediction,
        8 * (1 - overlap) / np.diff(steps) ** 2,
    )


def test_confusion_is_half_plus_a_quarter_of_the_distance_of_both_sides():
    decisions = confusion_decisions(GRID, EVERY)
    means = [p @ right for p, right in zip(P, decisions, strict=True)]
    assert balanced_accuracy(GRID, means) == pytest.approx(exact_curves()[0], abs=1e-12)


def test_supervised_predictions_are_the_posterior_of_both_ends():
    predictions = supervised_predictions(EVERY, ENDS)
    means = [p @ one[:, 0] for p, one in zip(P, predictions, strict=True)]
    assert means == pytest.approx(exact_curves()[1], abs=1e-12)


def test_indicators_of_shots_agree_with_sums_over_all_configurations():
    found = optimal_indicators(GRID, sampled(1500), ends=ENDS, rng=np.random.default_rng(1))
    assert [each.name for each in found] == [
        "optimal confusion",
        "optimal supervised",
        "optimal prediction",
        "Fisher information",
    ]
    for each, wanted in zip(found, exact_curves(), strict=True):
        deviations = (each.values - wanted) / each.errors
        assert np.abs(deviations).max() < 5, each.name
        assert each.errors.min() > 0


@pytest.mark.slow
def test_errors_are_those_of_other_shots():
    every = [
        optimal_indicators(GRID, sampled(300, seed), ends=ENDS, rng=np.random.default_rng(seed))
        for seed in range(24)
    ]
    for k, wanted in enumerate(exact_curves()):
        values = np.array([found[k].values for found in every])
        errors = np.array([found[k].errors for found in every])
        # Places of a curve are correlated: their mean square is what is known well.
        squares = ((values - wanted) ** 2).mean() / (errors**2).mean()
        assert 0.5 < squares < 2


def test_the_fisher_information_is_that_of_the_probabilities():
    def fisher(field, step=1e-5):
        above, below = ising_probabilities([field + step, field - step])
        here = ising_probabilities([field])[0]
        return np.sum(((above - below) / (2 * step)) ** 2 / here)

    errors = []
    for step in (0.08, 0.04):
        grid = np.array([0.8 - step / 2, 0.8 + step / 2])
        logs = np.log(ising_probabilities(grid).T)
        p = np.exp(logs.T)
        overlaps = [p[0] @ np.exp((logs[:, 1] - logs[:, 0]) / 2)]
        found = 8 * (1 - overlaps[0]) / step**2
        errors.append(abs(found / fisher(0.8) - 1))
    assert errors[1] < 2e-3
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)  # of second order in the step


def test_outcomes_that_some_states_cannot_give_are_decided_and_not_nan():
    grid = np.linspace(0, 1, 6)
    left, right = np.log([[0.5, 0.5, 1e-300], [1e-300, 0.5, 0.5]])
    left[2] = right[0] = -np.inf
    table = np.stack([left] * 3 + [right] * 3, axis=1)
    rng = np.random.default_rng(0)
    shots = [table[rng.integers(0, 2, 200) + (k >= 3)] for k in range(6)]
    for each in optimal_indicators(grid, shots, ends=1, rng=rng):
        assert np.isfinite(each.values).all()
        assert each.location == pytest.approx(0.5, abs=0.1), each.name


def test_no_transition_is_said_where_the_peak_is_at_an_end_of_the_line():
    x = np.linspace(0, 1, 6)
    shots = [np.full((50, 1), value) for value in x]
    found = indicator(
        "learning by confusion",
        x,
        [shots],
        lambda means: np.array([mean[0] for mean in means]),
        peaked=True,
        grid=x,
        rng=np.random.default_rng(0),
    )
    assert np.isnan(found.location)
    assert np.isnan(peak(x, x))


@pytest.mark.parametrize("sign", [1, -1])
def test_the_steepest_place_is_found_whichever_way_the_curve_goes(sign):
    x = np.linspace(0, 2, 21)
    rng = np.random.default_rng(2)
    y = 0.4 * sign * np.tanh((x - 1.23) / 0.15) + 0.002 * rng.standard_normal(21)
    assert steepest(x, y) == pytest.approx(1.23, abs=0.01)
