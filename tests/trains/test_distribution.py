"""Distributions from trains and from their squares, against dense tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.exact import aklt_chain
from phasenet.trains.arithmetic import conjugate, multiple, product
from phasenet.trains.born import born_log_probability, born_marginal, sample_born
from phasenet.trains.distribution import (
    conditioned,
    draw,
    log_probability,
    log_total,
    marginal,
    sample_conditional,
)
from phasenet.trains.train import TensorTrain
from tests.trains.strategies import DTYPES, dense, random_train, small_trains, tolerance, words

positive = small_trains(outputs=(None,), dtypes=(np.float64,), positive=True)


def some_sites(data, length):
    return data.draw(st.sets(st.integers(0, length - 1), min_size=1))


def some_fixed(data, dims):
    sites = data.draw(st.sets(st.integers(0, len(dims) - 1)))
    return {site: data.draw(st.integers(0, dims[site] - 1)) for site in sites}


def born_table(train):
    p = (np.abs(dense(train).reshape(np.prod(train.site_dims), -1)) ** 2).sum(axis=1)
    return p / p.sum()


def matches(points, fixed):
    return np.all([points[:, site] == state for site, state in fixed.items()] or True, axis=0)


@settings(max_examples=50)
@given(small_trains(dtypes=DTYPES), st.data())
def test_marginals_are_sums_of_the_dense_tensor(train, data):
    sites = some_sites(data, train.length)
    full = dense(train)
    table = full.reshape(*train.site_dims, *full.shape[1:])
    others = tuple(site for site in range(train.length) if site not in sites)
    wanted = table.sum(axis=others).reshape(-1, *full.shape[1:])
    found = marginal(train, sites)
    assert found.outputs == train.outputs and found.length == len(sites)
    assert {core.dtype for core in found.cores} == {train.cores[0].dtype}
    atol = tolerance(train) * np.abs(full).sum()
    np.testing.assert_allclose(dense(found), wanted, atol=atol)


@settings(max_examples=50)
@given(positive, st.data())
def test_totals_and_probabilities_are_those_of_the_table(train, data):
    p = dense(train)
    assert log_total(train) == pytest.approx(np.log(p.sum()), abs=1e-11)
    assert log_total(marginal(train, some_sites(data, train.length))) == pytest.approx(
        log_total(train), abs=1e-11
    )
    np.testing.assert_allclose(
        log_probability(train, words(train.site_dims)), np.log(p / p.sum()), atol=1e-10
    )


@settings(max_examples=50)
@given(positive, st.data())
def test_conditional_shots_state_their_exact_probability(train, data):
    fixed = some_fixed(data, train.site_dims)
    p = dense(conditioned(train, fixed))
    states, logs = sample_conditional(train, 40, np.random.default_rng(0), fixed=fixed)
    assert np.all(matches(states, fixed))
    index = np.ravel_multi_index(tuple(states.T), train.site_dims)
    np.testing.assert_allclose(np.exp(logs), p[index] / p.sum(), rtol=1e-9)


@settings(max_examples=50)
@given(small_trains(min_dim=2), st.data())
def test_born_shots_state_their_exact_conditional_probability(train, data):
    fixed = some_fixed(data, train.site_dims)
    p = born_table(train)
    points = words(train.site_dims)
    p = np.where(matches(points, fixed), p, 0.0)
    states, logs = sample_born(train, 40, np.random.default_rng(0), fixed=fixed)
    assert np.all(matches(states, fixed))
    index = np.ravel_multi_index(tuple(states.T), train.site_dims)
    np.testing.assert_allclose(np.exp(logs), p[index] / p.sum(), rtol=1e-8)
    if not fixed:
        np.testing.assert_allclose(born_log_probability(train, states), logs, atol=1e-8)


@settings(max_examples=50)
@given(small_trains(), st.data())
def test_born_marginals_are_sums_of_the_table(train, data):
    sites = some_sites(data, train.length)
    others = tuple(site for site in range(train.length) if site not in sites)
    wanted = born_table(train).reshape(train.site_dims).sum(axis=others)
    np.testing.assert_allclose(born_marginal(train, sites), wanted, atol=1e-12)
    if train.output_site is None:
        squares = marginal(product(conjugate(train), train), sites)
        table = dense(squares).real.reshape(wanted.shape)
        np.testing.assert_allclose(table / table.sum(), wanted, atol=1e-12)


@pytest.mark.parametrize("fixed", [{}, {2: 1}, {0: 0, 4: 2}])
def test_shots_follow_the_table(fixed):
    rng = np.random.default_rng(3)
    shots = 20_000
    train = random_train(rng, [3] * 5, positive=True)
    vector = random_train(rng, [3] * 5, outputs=2, dtype=np.complex128)
    points = words([3] * 5)
    for p, (states, _) in (
        (dense(train), sample_conditional(train, shots, rng, fixed=fixed)),
        (born_table(vector), sample_born(vector, shots, rng, fixed=fixed)),
    ):
        p = np.where(matches(points, fixed), p, 0.0)
        p = p / p.sum()
        counts = np.bincount(np.ravel_multi_index(tuple(states.T), (3,) * 5), minlength=243)
        assert np.all(np.abs(counts - shots * p) <= 5 * np.sqrt(shots * p) + 5)


def test_five_hundred_sites():
    rng = np.random.default_rng(0)
    state = aklt_chain(500)
    states, logs = sample_born(state, 20, rng, fixed={100: 0, 400: 2})
    assert np.all(states[:, [100, 400]] == [0, 2])
    fixed = np.log(born_marginal(state, [100, 400])[0, 2])
    np.testing.assert_allclose(born_log_probability(state, states), logs + fixed, rtol=1e-10)
    # Non-zero spins alternate in the AKLT state; far apart, + and - are as likely as + and +.
    np.testing.assert_allclose(born_marginal(state, [100, 400]), 1 / 9, atol=1e-9)
    squares = multiple(product(state, state), 7.0)
    drawn, more = sample_conditional(squares, 20, rng, fixed={250: 1})
    np.testing.assert_allclose(log_probability(squares, drawn), more - np.log(3), rtol=1e-9)
    assert log_total(squares) == pytest.approx(np.log(3.5), rel=1e-9)


def test_a_draw_never_takes_a_state_of_weight_zero():
    weights = np.array([[0.0, 1.0, 0.0]] * 3)
    states, logs = draw(weights, np.array([0.0, 0.5, 1.0]))
    assert states.tolist() == [1, 1, 1] and logs.tolist() == [0.0, 0.0, 0.0]


def test_rounding_noise_below_zero_counts_as_zero():
    noisy = TensorTrain(cores=(np.array([[[1.0], [-1e-8]]]),) * 2)
    with pytest.raises(SettingsError, match="or raise negative_tol"):
        sample_conditional(noisy, 3, np.random.default_rng(0))
    states, logs = sample_conditional(noisy, 3, np.random.default_rng(0), negative_tol=1e-6)
    assert not np.any(states) and not np.any(logs)


def test_trains_that_are_no_distribution_are_an_error():
    ones = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    sign = TensorTrain(cores=(np.array([[[2.0], [-1.0]]]), *ones.cores[1:]))
    rng = np.random.default_rng(0)
    with pytest.raises(SettingsError, match="site 0 has conditional probability -1"):
        sample_conditional(sign, 2, rng)
    with pytest.raises(SettingsError, match="negative at configuration \\[1, 0, 0\\]"):
        log_probability(sign, np.array([[1, 0, 0]]))
    with pytest.raises(SettingsError, match="sums to"):
        log_total(multiple(ones, -1.0))
    with pytest.raises(ShapeError, match="is complex"):
        log_total(multiple(ones, 1j))
    with pytest.raises(ShapeError, match="output leg at site 0"):
        log_total(TensorTrain(cores=(np.ones((1, 2, 1, 2)),), output_site=0))
    with pytest.raises(SettingsError, match="fixed in state 2"):
        sample_born(ones, 1, rng, fixed={1: 2})
    with pytest.raises(SettingsError, match="zero on all"):
        sample_born(multiple(ones, 0.0), 1, rng)
    with pytest.raises(SettingsError, match="wanted some of 0 to 2"):
        marginal(ones, [3])
    with pytest.raises(SettingsError, match="fit in a table"):
        born_marginal(TensorTrain(cores=(np.ones((1, 2, 1)),) * 40), range(40))
