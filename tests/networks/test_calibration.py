"""Temperatures and calibration errors against cases that are known in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from phasenet.networks.calibration import BINS, calibrated, fitted_temperature, reliability
from phasenet.trained import Reliability

SHOTS = 40_000


def right_with(confidence, seed=0):
    """Labels 0 with the probability that is given for each shot, else 1."""
    return (np.random.default_rng(seed).random(len(confidence)) > confidence).astype(np.int64)


def two_classes(log_odds):
    return np.stack([log_odds, np.zeros(len(log_odds))], axis=1)


def log_odds(seed=1, width=2.0):
    return np.random.default_rng(seed).normal(0, width, SHOTS)


@pytest.mark.parametrize("temperature", [0.2, 0.5, 1.0, 3.0, 8.0])
def test_the_temperature_is_recovered(temperature):
    true = log_odds()
    truth = right_with(expit(true))
    found = fitted_temperature(two_classes(temperature * true), truth)
    # The curvature of the likelihood: sum of p (1 - p) x^2 in 1/T at T = 1.
    p = expit(true)
    error = 1 / np.sqrt((p * (1 - p) * true**2).sum())
    assert abs(found / temperature - 1) < 5 * error


def test_the_temperature_of_three_classes_is_that_of_the_least_likelihood_on_a_grid():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(2000, 3))
    truth = np.asarray([rng.choice(3, p=p) for p in softmax(logits, axis=1)])

    def loss(temperature):
        return -np.log(softmax(4 * logits / temperature, axis=1))[np.arange(2000), truth].mean()

    grid = np.geomspace(2, 8, 301)
    best = grid[np.argmin([loss(t) for t in grid])]
    assert fitted_temperature(4 * logits, truth) == pytest.approx(best, rel=0.02)


def test_where_all_decisions_are_right_there_is_still_a_temperature():
    logits = two_classes(np.full(100, 5.0))
    found = fitted_temperature(logits, np.zeros(100, dtype=int))
    # Platt's share of the wrong class is 1/102, so that the odds at the optimum are 101.
    assert found == pytest.approx(5 / np.log(101), rel=1e-4)


def test_the_calibration_error_of_a_classifier_that_is_too_sure_is_known():
    # Says 0.9 and is right in 7 of 10 cases: an error of 0.2 whatever the bins.
    confidence = np.full(1000, 0.9)
    truth = np.repeat([0, 1], [700, 300])
    found = reliability(np.stack([confidence, 1 - confidence], axis=1), truth)
    assert found.error == pytest.approx(0.2, abs=1e-12)
    assert found.shots.tolist() == [1000]


def test_the_calibration_error_of_sharpened_probabilities_is_that_of_the_integral():
    true = np.abs(log_odds())
    truth = right_with(expit(true))
    found = reliability(softmax(two_classes(3 * true), axis=1), truth)
    # The bins are fine enough that the mean modulus is that of the means.
    assert found.error == pytest.approx(np.mean(expit(3 * true) - expit(true)), abs=0.01)
    honest = reliability(softmax(two_classes(true), axis=1), truth)
    assert honest.error < 3 * honest.floor
    assert honest.floor < 0.01


def test_chance_alone_gives_the_floor():
    true = np.abs(log_odds())
    p = softmax(two_classes(true), axis=1)
    found = [reliability(p[:3000], right_with(p[:3000, 0], seed)) for seed in range(40)]
    errors = np.asarray([r.error for r in found])
    floor = np.mean([r.floor for r in found])
    assert abs(errors.mean() - floor) < 5 * errors.std() / np.sqrt(40)


def test_bins_hold_equally_many_shots():
    p = softmax(two_classes(log_odds()), axis=1)
    shots = reliability(p, right_with(p[:, 0])).shots
    assert len(shots) == BINS
    assert np.ptp(shots) <= 1


@given(st.lists(st.floats(0.5, 1.0), min_size=1, max_size=40), st.integers(1, 20))
def test_bins_hold_all_shots_and_their_means(values, bins):
    p = np.stack([values, 1 - np.asarray(values)], axis=1)
    truth = np.arange(len(values)) % 2
    found = reliability(p, truth, bins)
    assert found.shots.sum() == len(values)
    assert len(found.shots) <= bins
    assert (found.shots > 0).all()
    total = (found.shots * found.confidence).sum()
    assert total == pytest.approx(np.maximum(p[:, 0], p[:, 1]).sum())


def test_calibration_helps_on_shots_that_it_has_not_seen():
    true = log_odds()
    truth = right_with(expit(true))
    logits = two_classes(4 * true)
    half = SHOTS // 2
    found = calibrated((logits[:half], truth[:half]), (logits[half:], truth[half:]))
    assert found.before.error > 0.1
    assert found.after.error < 3 * found.after.floor


def test_no_shots_have_no_error():
    nothing = reliability(np.zeros((0, 2)), np.zeros(0, dtype=int))
    assert len(nothing.shots) == 0
    assert np.isnan(nothing.error)
    assert isinstance(nothing, Reliability)
