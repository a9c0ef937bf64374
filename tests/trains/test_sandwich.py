"""On-site operators between diagonal ones, against dense matrices."""

from functools import reduce

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import ShapeError
from phasenet.phases.exact import aklt_chain
from phasenet.trains.diagonal import diagonal_expectation, diagonal_second_moment
from phasenet.trains.sandwich import sandwich_expectation
from phasenet.trains.train import TensorTrain
from tests.trains.strategies import dense, random_train, small_trains


def random_operators(rng, dims, complex_):
    def one(dim):
        kind = rng.integers(3)
        if kind == 0:
            return None
        values = rng.normal(size=(dim, dim) if kind == 1 else dim)
        return values + 1j * rng.normal(size=values.shape) if complex_ else values

    return [one(dim) for dim in dims]


def matrix(operators, dims):
    parts = [
        np.eye(dim) if op is None else (np.diag(op) if op.ndim == 1 else op)
        for op, dim in zip(operators, dims, strict=True)
    ]
    return reduce(np.kron, parts)


@settings(max_examples=50)
@given(
    small_trains(outputs=(None,)), st.sampled_from([None, 2]), st.booleans(), st.integers(0, 10**6)
)
def test_sandwich_is_that_of_the_dense_matrices(state, outputs, complex_, seed):
    rng = np.random.default_rng(seed)
    dims = state.site_dims
    dtype = np.complex128 if complex_ else np.float64
    function = random_train(rng, dims, outputs=outputs, dtype=dtype)
    operators = random_operators(rng, dims, complex_)
    psi = dense(state)
    phi = (dense(function).reshape(len(psi), -1) * psi[:, None]) / np.linalg.norm(psi)
    image = matrix(operators, dims) @ phi
    wanted = np.einsum("nc,nc->c", phi.conj(), image)
    scale = np.linalg.norm(phi) * np.linalg.norm(image)
    found = sandwich_expectation(state, function, operators)
    assert found.shape == (() if outputs is None else (outputs,))
    np.testing.assert_allclose(
        found, wanted if outputs else wanted[0], rtol=1e-9, atol=1e-11 * scale
    )


@settings(max_examples=50)
@given(small_trains(count=2, outputs=(None,), dtypes=(np.float64,)))
def test_without_operators_it_is_the_second_moment(both):
    state, function = both
    found = sandwich_expectation(state, function, [None] * state.length)
    np.testing.assert_allclose(found, diagonal_second_moment(state, function), rtol=1e-9)


def test_a_rotation_of_half_a_chain_turns_the_spins_there():
    # f = exp(i phi S^z) on the left half takes S^x to cos(phi) S^x + sin(phi) S^y there.
    state, phi = aklt_chain(12), 0.7
    spin_x = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / np.sqrt(2)
    turn = np.exp(1j * phi * np.array([1.0, 0.0, -1.0])).reshape(1, 3, 1)
    function = TensorTrain(cores=(turn,) * 6 + (np.ones((1, 3, 1)),) * 6)
    none = TensorTrain(cores=(np.ones((1, 3, 1)),) * 12)
    both = [spin_x if site in (5, 6) else None for site in range(12)]
    plain = sandwich_expectation(state, none, both)
    assert plain == pytest.approx(-4 / 9, rel=1e-3)
    assert sandwich_expectation(state, function, both) == pytest.approx(np.cos(phi) * plain)


def test_diagonal_operators_commute_with_the_function():
    state, spin = aklt_chain(40), np.array([1.0, 0.0, -1.0])
    ones = TensorTrain(cores=(np.ones((1, 3, 1)),) * 40)
    operators = [np.ones(3)] * 40
    operators[10], operators[30] = spin, spin
    operators[11:30] = [np.array([-1.0, 1.0, -1.0])] * 19
    found = sandwich_expectation(state, ones, operators)
    assert -found == pytest.approx(4 / 9, rel=1e-6)
    wanted = diagonal_expectation(state, ones, np.stack(operators))
    assert found == pytest.approx(float(wanted), rel=1e-9)


def test_four_hundred_sites_keep_their_scale():
    state = TensorTrain(cores=(np.full((1, 2, 1), 1e30),) * 400)
    function = TensorTrain(cores=(np.full((1, 2, 1), 1e-20),) * 400, log_scale=8000 * np.log(10))
    flip = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert sandwich_expectation(state, function, [flip] * 400) == pytest.approx(1.0, rel=1e-9)


def test_misfits_are_errors():
    state = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    with pytest.raises(ShapeError, match="2 on-site operators for 3 sites"):
        sandwich_expectation(state, state, [None] * 2)
    with pytest.raises(ShapeError, match="the function has 2 sites"):
        sandwich_expectation(state, TensorTrain(cores=state.cores[:2]), [None] * 3)
    with pytest.raises(ShapeError, match="dimension 3; the site has 2"):
        sandwich_expectation(state, state, [np.ones(3), None, None])
    zero = TensorTrain(cores=(np.zeros((1, 2, 1)),) * 3)
    with pytest.raises(ShapeError, match="norm zero"):
        sandwich_expectation(zero, state, [None] * 3)
    vector = TensorTrain(cores=(np.ones((1, 2, 1, 2)), *state.cores[1:]), output_site=0)
    with pytest.raises(ShapeError, match="output leg at site 0"):
        sandwich_expectation(vector, state, [None] * 3)
