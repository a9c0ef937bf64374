"""The law of success of random pivots against enumeration, sampling and the algorithm itself."""

from itertools import product

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.insight.aklt_pivots import aklt_amplitudes
from phasenet.insight.pivot_curve import EXACT
from phasenet.insight.pivot_law import success_law, success_probability
from phasenet.insight.state_facts import fidelity_of
from phasenet.phases.exact import aklt_chain
from phasenet.tensorizer.sketch import sketch_plain
from phasenet.trains.born import sample_born


def spans(samples):
    """Whether the samples, of shape (..., pivots, sites), show both bond states at every cut."""
    ones = np.cumsum(1 - samples, axis=-1)[..., :-1].sum(axis=-2)
    return ((ones > 0) & (ones < samples.shape[-2])).all(axis=-1)


@pytest.mark.parametrize(("length", "pivots"), [(3, 2), (4, 2), (4, 3), (5, 3)])
def test_the_exact_probability_is_that_of_all_sets_of_samples(length, pivots):
    states = np.array(list(product(range(3), repeat=length)))
    weights = aklt_chain(length)(states) ** 2
    states, weights = states[weights > 0], weights[weights > 0] / weights.sum()
    chance = sum(
        np.prod(weights[list(chosen)])
        for chosen in product(range(len(states)), repeat=pivots)
        if spans(states[list(chosen)])
    )
    assert success_probability(length, pivots) == pytest.approx(chance, abs=1e-14)


@pytest.mark.parametrize(("length", "pivots"), [(40, 6), (100, 10)])
def test_the_law_and_sampled_sets_agree(length, pivots):
    runs = 1500
    samples, _ = sample_born(aklt_chain(length), runs * pivots, np.random.default_rng(length))
    share = spans(samples.reshape(runs, pivots, length).astype(int)).mean()
    exact = success_probability(length, pivots)
    assert abs(share - exact) < 5 * np.sqrt(exact * (1 - exact) / runs)
    # The closed form takes cuts to be independent: it errs by less than what is sampled here.
    assert abs(success_law(length, pivots) - exact) < 0.015


def test_the_closed_form_is_the_published_formula():
    assert success_law(500, 14) == pytest.approx(
        np.exp(-(497 * 2.0**-13 + 2 * ((2 / 3) ** 14 + (1 / 3) ** 14))), rel=1e-14
    )
    assert success_probability(50, 40) > 1 - 1e-6


def test_the_published_algorithm_is_exact_where_its_pivots_span_every_cut():
    chain, rng = aklt_chain(24), np.random.default_rng(3)
    pool, _ = sample_born(chain, 400, rng)
    told, found = [], []
    for _ in range(20):
        pivots = pool[rng.choice(len(pool), 6, replace=False)]
        train = sketch_plain(
            aklt_amplitudes, samples=pivots, site_dims=[3] * 24, max_rank=2, cumulative=1 - 1e-5
        ).train
        told.append(bool(spans(pivots.astype(int))))
        found.append(fidelity_of(train, chain) >= EXACT)
    assert told == found
    assert 0 < sum(told) < 20


@pytest.mark.parametrize("length", [2, 5, 9])
def test_aklt_amplitudes_are_those_of_the_chain(length):
    states = np.array(list(product(range(3), repeat=min(length, 6))))
    states = np.concatenate([states, np.ones((len(states), length - states.shape[1]), int)], axis=1)
    np.testing.assert_allclose(aklt_amplitudes(states), aklt_chain(length)(states), atol=1e-15)


def test_what_has_no_law():
    with pytest.raises(SettingsError, match="for 2 sites and 3 pivots; wanted at least 3 sites"):
        success_law(2, 3)
    with pytest.raises(SettingsError, match="9 sites and 0 pivots"):
        success_probability(9, 0)
