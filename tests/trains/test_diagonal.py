"""Diagonal operators against dense vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.diagonal import (
    diagonal_expectation,
    diagonal_profile,
    diagonal_second_moment,
    diagonal_strings,
    diagonal_variance,
)
from phasenet.trains.train import TensorTrain
from tests.trains.strategies import random_train, words

shapes = st.tuples(st.integers(1, 6), st.integers(2, 3), st.integers(0, 10**6))


def probabilities(state):
    p = np.abs(state(words(state.site_dims))) ** 2
    return p / p.sum()


def dense_case(length, dim, seed, output_site):
    rng = np.random.default_rng(seed)
    state = random_train(rng, [dim] * length, bond=4, dtype=np.complex128)
    outputs = None if output_site is None else 3
    function = random_train(rng, [dim] * length, outputs=outputs, output_site=output_site)
    points = words(state.site_dims)
    return rng, state, function, points, probabilities(state), function(points)


@pytest.mark.parametrize("fraction", [None, 0.0, 0.5, 0.99])
@settings(max_examples=25)
@given(shape=shapes)
def test_moments_agree_with_the_dense_sums(shape, fraction):
    length, dim, seed = shape
    output_site = None if fraction is None else int(fraction * length)
    rng, state, function, points, p, f = dense_case(length, dim, seed, output_site)
    weights = rng.normal(size=(length, dim))
    w = np.prod(weights[np.arange(length), points], axis=1)
    scale = p @ f**2
    atol = 1e-11 * np.max(np.sqrt(scale))
    mean = diagonal_expectation(state, function)
    assert mean.shape == f.shape[1:]
    np.testing.assert_allclose(mean, p @ f, rtol=1e-9, atol=atol)
    weighted = diagonal_expectation(state, function, weights)
    np.testing.assert_allclose(
        weighted, (p * w) @ f, rtol=1e-9, atol=atol * max(1.0, np.max(np.abs(w)))
    )
    np.testing.assert_allclose(diagonal_second_moment(state, function), scale, rtol=1e-9)
    np.testing.assert_allclose(
        diagonal_variance(state, function), scale - (p @ f) ** 2, atol=1e-9 * np.max(scale)
    )


@pytest.mark.parametrize("output_site", [None, 0, 2, 4])
@pytest.mark.parametrize("starts", [(0,), (2,), (0, 1, 3), range(4)])
def test_strings_agree_with_the_dense_sums(output_site, starts):
    rng, state, function, points, p, f = dense_case(5, 3, 7, output_site)
    ends, middle = rng.normal(size=(2, 5, 3))
    e, m = (vectors[np.arange(5), points] for vectors in (ends, middle))
    found = diagonal_strings(state, function, ends, middle, starts)
    for j in range(5):
        wanted = sum(
            (
                (p * e[:, i] * e[:, j] * np.prod(m[:, i + 1 : j], axis=1)) @ f
                for i in starts
                if i < j
            ),
            start=np.zeros(f.shape[1:]),
        )
        np.testing.assert_allclose(found[j], wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("output_site", [None, 0, 3, 4])
def test_profile_agrees_with_the_dense_sums(output_site):
    rng, state, function, points, p, f = dense_case(5, 2, 11, output_site)
    weights = rng.normal(size=(5, 2))
    found = diagonal_profile(state, function, weights)
    w = weights[np.arange(5), points]
    np.testing.assert_allclose(found, np.stack([(p * w[:, j]) @ f for j in range(5)]), rtol=1e-9)


def test_long_chains_neither_overflow_nor_underflow():
    length, dim = 400, 3
    state = TensorTrain(cores=(np.full((1, dim, 1), 1e30),) * length)
    function = TensorTrain(
        cores=(np.full((1, dim, 1), 1e-20),) * length, log_scale=20 * length * np.log(10)
    )
    assert diagonal_expectation(state, function) == pytest.approx(1.0, rel=1e-9)
    ones = np.ones((length, dim))
    strings = diagonal_strings(state, function, ones, ones, (0,))
    np.testing.assert_allclose(strings[1:], 1.0, rtol=1e-9)


def test_the_norm_and_phase_of_the_state_do_not_matter():
    _, state, function, *_ = dense_case(5, 3, 3, None)
    cores = (state.cores[0] * 7j, *state.cores[1:])
    scaled = TensorTrain(cores=cores, log_scale=-300.0)
    assert diagonal_expectation(scaled, function) == pytest.approx(
        float(diagonal_expectation(state, function)), rel=1e-12
    )


def test_errors_name_the_misfit():
    state = TensorTrain(cores=(np.ones((1, 3, 1)),) * 4)
    short = TensorTrain(cores=(np.ones((1, 3, 1)),) * 3)
    with pytest.raises(ShapeError, match="a function has 3 sites"):
        diagonal_expectation(state, short)
    with pytest.raises(ShapeError, match="must be real"):
        diagonal_expectation(state, TensorTrain(cores=(np.ones((1, 3, 1)) * 1j,) * 4))
    with pytest.raises(ShapeError, match="3 on-site operators for 4 sites"):
        diagonal_expectation(state, state, np.ones((3, 3)))
    with pytest.raises(ShapeError, match="norm zero"):
        diagonal_expectation(TensorTrain(cores=(np.zeros((1, 3, 1)),) * 4), state)
    with pytest.raises(SettingsError, match="wanted sites 0"):
        diagonal_strings(state, state, np.ones((4, 3)), np.ones((4, 3)), (4,))
