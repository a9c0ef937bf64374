"""Intervals of shares: closed forms, and how often they cover the truth."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from phasenet.errors import SettingsError, ShapeError
from phasenet.privacy.intervals import bootstrapped, clustered_share, wilson_interval


@pytest.mark.parametrize(("successes", "count"), [(0, 7), (3, 10), (50, 100), (100, 100)])
def test_the_interval_of_independent_trials_is_that_of_wilson(successes, count):
    found = wilson_interval(successes / count, count)
    known = binomtest(successes, count).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)


def test_intervals_cover_the_truth_where_models_of_a_subset_agree():
    # Shares of the clusters have a beta distribution of mean 0.6 and a correlation of 1/5 within.
    rng = np.random.default_rng(0)
    trials, clusters, size, truth = 1000, 20, 10, 0.6
    covered, naive = 0, 0
    members = np.repeat(np.arange(clusters), size)
    for _ in range(trials):
        shares = rng.beta(4 * truth, 4 * (1 - truth), size=clusters)
        right = rng.random(clusters * size) < shares[members]
        found, blind = clustered_share(right, members), wilson_interval(right.mean(), right.size)
        covered += found.low <= truth <= found.high
        naive += blind.low <= truth <= blind.high
    assert abs(covered / trials - 0.95) < 5 * np.sqrt(0.95 * 0.05 / trials)
    assert naive / trials < 0.80


def test_intervals_cover_the_truth_without_clusters():
    rng = np.random.default_rng(1)
    members, covered = np.repeat(np.arange(30), 5), 0
    for _ in range(1000):
        found = clustered_share(rng.random(150) < 0.5, members)
        covered += found.low <= 0.5 <= found.high
    assert covered / 1000 > 0.95 - 5 * np.sqrt(0.95 * 0.05 / 1000)


def test_whole_clusters_are_drawn_again():
    rng = np.random.default_rng(2)
    clusters = np.repeat(np.arange(40), 25)
    values = rng.normal(size=40)[clusters]
    found = bootstrapped(
        lambda rows: float(values[rows].mean()), clusters, np.random.default_rng(0), draws=400
    )
    wanted = 2 * norm.ppf(0.975) * values[::25].std() / np.sqrt(40)
    assert found.high - found.low == pytest.approx(wanted, rel=0.15)


def test_a_statistic_without_values_has_no_interval():
    found = bootstrapped(lambda rows: np.nan, np.arange(4), np.random.default_rng(0), draws=10)
    assert np.isnan([found.low, found.high]).all()


def test_one_cluster_gives_no_interval():
    with pytest.raises(SettingsError, match="all trials are of one cluster"):
        clustered_share(np.ones(4), np.zeros(4, dtype=int))
    with pytest.raises(ShapeError, match="4 trials have 3 clusters"):
        clustered_share(np.ones(4), np.zeros(3, dtype=int))
    with pytest.raises(SettingsError, match="has 0 trials"):
        wilson_interval(0.5, 0)
