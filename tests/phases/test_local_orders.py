"""Local observables against dense vectors and closed forms."""

import functools
import itertools

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.phases.exact import aklt_cell, aklt_chain, product_cell, product_chain
from phasenet.phases.local_orders import local_orders, spin_correlations
from phasenet.phases.spins import spin_matrix
from phasenet.trains.train import TensorTrain


def random_state(length, dim, seed):
    rng = np.random.default_rng(seed)
    dims = [1, *rng.integers(2, 5, size=length - 1), 1]
    shapes = [(dims[k], dim, dims[k + 1]) for k in range(length)]
    return TensorTrain(
        cores=tuple(rng.normal(size=shape) + 1j * rng.normal(size=shape) for shape in shapes)
    )


def dense(state, placed):
    words = itertools.product(range(state.site_dims[0]), repeat=state.length)
    psi = state(np.array(list(words)))
    pieces = [placed.get(k, np.eye(state.site_dims[0])) for k in range(state.length)]
    return (psi.conj() @ functools.reduce(np.kron, pieces) @ psi).real / np.vdot(psi, psi).real


@pytest.mark.parametrize("dim", [2, 3])
def test_finite_chains_agree_with_dense_vectors(dim):
    state, z = random_state(6, dim, dim), spin_matrix("z", dim)
    found = local_orders(state)
    m = np.array([dense(state, {i: z}) for i in range(6)])
    np.testing.assert_allclose(found.magnetisation, m, atol=1e-12)
    np.testing.assert_allclose(
        found.quadrupole, [dense(state, {i: z @ z}) for i in range(6)], atol=1e-12
    )
    np.testing.assert_allclose(
        found.neighbours, [dense(state, {i: z, i + 1: z}) for i in range(5)], atol=1e-12
    )
    assert found.staggered == pytest.approx(np.mean(m * [1, -1, 1, -1, 1, -1]), abs=1e-12)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_correlations_agree_with_dense_vectors(axis):
    state, spin = random_state(6, 3, 8), spin_matrix(axis, 3)
    wanted = [dense(state, {1: spin, 1 + r: spin}) for r in (1, 2, 3, 4)]
    np.testing.assert_allclose(spin_correlations(state, axis, 1, 4), wanted, atol=1e-12)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_aklt_correlations(axis):
    # S.S = 4 (-1/3)^r: -4/3 on a bond, as the energy -2/3 of the AKLT Hamiltonian demands.
    wanted = 4 / 3 * (-1 / 3.0) ** np.arange(1, 9)
    np.testing.assert_allclose(spin_correlations(aklt_cell(), axis, 0, 8), wanted, atol=1e-14)
    np.testing.assert_allclose(spin_correlations(aklt_chain(60), axis, 25, 8), wanted, atol=1e-12)
    found = local_orders(aklt_cell())
    assert found.quadrupole[0] == pytest.approx(2 / 3, abs=1e-14)
    assert found.neighbours[0] == pytest.approx(-4 / 9, abs=1e-14)
    assert str(found) == "m=0.000000, m_staggered=0.000000, (S^z)^2=0.666667, S^z S^z=-0.444444"


@pytest.mark.parametrize("state", [product_chain([0, 2] * 3, 3), product_cell([0, 2], 3)])
def test_neel(state):
    found = local_orders(state)
    assert found.staggered == 1.0
    assert found.neighbours.tolist() == [-1.0] * len(found.neighbours)
    assert len(found.neighbours) == (5 if isinstance(state, TensorTrain) else 2)


def test_a_single_polarised_cell_has_no_staggered_order():
    assert local_orders(product_cell([0], 3)).staggered == 0.0


def test_errors():
    with pytest.raises(SettingsError, match="do not fit a chain of 6 sites"):
        spin_correlations(aklt_chain(6), "z", 3, 3)
