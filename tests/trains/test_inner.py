"""Inner products, sums and distances, against dense tensors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.exact import aklt_chain
from phasenet.trains.arithmetic import add, conjugate, multiple, product, subtract
from phasenet.trains.inner import inner, log_norm, relative_distance
from phasenet.trains.train import TensorTrain
from tests.trains.strategies import DTYPES, dense, random_train, small_trains, tolerance

pairs = small_trains(count=2)


@settings(max_examples=50)
@given(pairs)
def test_inner_product_is_that_of_the_vectors(both):
    left, right = both
    value, log = inner(left, right)
    wanted = np.vdot(dense(left), dense(right))
    scale = np.linalg.norm(dense(left)) * np.linalg.norm(dense(right))
    assert abs(value * math.exp(log) - wanted) <= 1e-11 * scale
    assert isinstance(value, complex if np.iscomplexobj(wanted) else float)


@settings(max_examples=50)
@given(pairs)
def test_sums_norms_and_distances_are_those_of_the_vectors(both):
    left, right = both
    a, b = dense(left), dense(right)
    tiny = 1e-11 * (np.abs(a).max() + np.abs(b).max())
    np.testing.assert_allclose(dense(add(left, right)), a + b, atol=tiny)
    np.testing.assert_allclose(dense(subtract(left, right)), a - b, atol=tiny)
    assert log_norm(left) == pytest.approx(np.log(np.linalg.norm(a)))
    distance = np.linalg.norm(a - b) / np.linalg.norm(b)
    assert relative_distance(left, right) == pytest.approx(distance)
    assert relative_distance(left, left) < 1e-13


@settings(max_examples=50)
@given(small_trains(count=2, dtypes=DTYPES))
def test_products_are_elementwise_also_output_by_output(both):
    left, right = both
    a, b = dense(left), dense(right)
    atol = tolerance(left) * np.abs(a).max() * np.abs(b).max()
    found = product(left, right)
    np.testing.assert_allclose(dense(found), a * b, atol=atol)
    np.testing.assert_allclose(dense(product(conjugate(left), left)).imag, 0.0, atol=10 * atol)


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from(DTYPES))
def test_a_scalar_multiplies_every_output(seed, length, dtype):
    rng = np.random.default_rng(seed)
    dims = rng.integers(1, 4, size=length)
    scalar = random_train(rng, dims)
    vector = random_train(rng, dims, outputs=3, dtype=dtype)
    wanted = dense(scalar)[:, None] * dense(vector)
    for found in (product(scalar, vector), product(vector, scalar)):
        assert found.output_site == vector.output_site
        atol = tolerance(vector) * np.abs(wanted).max()
        np.testing.assert_allclose(dense(found), wanted, atol=atol)


@settings(max_examples=50)
@given(small_trains(count=2, dtypes=DTYPES))
def test_precision_and_kind_survive_the_algebra(both):
    left, right = both
    for found in (add(left, right), product(left, right), multiple(left, np.float64(0.3))):
        assert {core.dtype for core in found.cores} == {left.cores[0].dtype}


@pytest.mark.parametrize("ends", [(0, 0), (0, 1)])
def test_aklt_at_five_hundred_sites_has_the_norm_of_its_transfer_matrix(ends):
    # The transfer matrix of the core has eigenvalues 1 and -1/3 (three times); the entry of its
    # power that belongs to equal (or opposite) virtual spins at the ends is 1/2 (1 +- (-1/3)^L).
    for length in (4, 7, 500):
        state = aklt_chain(length, *ends)
        sign = 1 if ends == (0, 0) else -1
        wanted = 0.5 * (1 + sign * (-1 / 3) ** length)
        value, log = inner(state, state)
        assert value * math.exp(log) == pytest.approx(wanted, rel=1e-12)
        assert 2 * log_norm(state) == pytest.approx(math.log(wanted), rel=1e-11)
    other = aklt_chain(500, 1 - ends[0], ends[1])
    assert abs(inner(state, other)[0]) * math.exp(inner(state, other)[1]) < 1e-12
    assert relative_distance(add(state, state), state) == pytest.approx(1.0)


def test_multiple_takes_sign_phase_and_zero():
    train = TensorTrain(cores=(np.ones((1, 2, 1)),) * 2)
    np.testing.assert_allclose(dense(multiple(train, -3.0)), -3.0)
    np.testing.assert_allclose(dense(multiple(train, 2j)), 2j)
    np.testing.assert_allclose(dense(multiple(train, 0.0)), 0.0)
    with pytest.raises(SettingsError, match="must be finite"):
        multiple(train, math.inf)


def test_long_chains_keep_their_logarithms():
    train = TensorTrain(cores=(np.full((1, 3, 1), 1e3),) * 600)
    value, log = inner(train, train)
    assert value == pytest.approx(1.0)
    assert log == pytest.approx(600 * np.log(3e6))
    assert log_norm(train) == pytest.approx(300 * np.log(3e6))
    other = multiple(train, 1.5)
    assert relative_distance(other, train) == pytest.approx(0.5)


def test_zero_has_no_norm_and_no_distance_to_itself():
    zero = TensorTrain(cores=(np.zeros((1, 2, 1)),) * 3)
    one = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    assert log_norm(zero) == -math.inf
    assert relative_distance(zero, zero) == 0.0
    assert relative_distance(one, zero) == math.inf
    assert relative_distance(zero, one) == pytest.approx(1.0)
    assert inner(zero, one)[0] == 0.0


def test_trains_over_different_spaces_are_an_error():
    three, two = (TensorTrain(cores=(np.ones((1, dim, 1)),)) for dim in (3, 2))
    with pytest.raises(ShapeError, match="both must be the same"):
        inner(three, two)
    vector = TensorTrain(cores=(np.ones((1, 3, 1, 2)),), output_site=0)
    with pytest.raises(ShapeError, match="None and 2 outputs"):
        add(three, vector)
