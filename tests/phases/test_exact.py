"""Closed-form states: canonical form, parent Hamiltonians, amplitudes."""

import functools
import itertools

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.phases.exact import (
    aklt_cell,
    aklt_chain,
    cluster_cell,
    cluster_chain,
    large_d_chain,
    product_chain,
)
from phasenet.phases.spins import spin_matrix


def vector(state):
    words = itertools.product(range(state.site_dims[0]), repeat=state.length)
    psi = state(np.array(list(words)))
    return psi / np.linalg.norm(psi)


@pytest.mark.parametrize("cell", [aklt_cell(), cluster_cell()])
def test_cells_are_canonical(cell):
    for core, values in zip(cell.cores, cell.schmidt_values, strict=True):
        np.testing.assert_allclose(
            np.einsum("lsr,ksr->lk", core, core.conj()), np.eye(2), atol=1e-14
        )
        weights = np.diag(values**2)
        np.testing.assert_allclose(
            np.einsum("lsr,lk,ksq->rq", core, weights, core.conj()), weights, atol=1e-14
        )


@pytest.mark.parametrize("ends", list(itertools.product((0, 1), repeat=2)))
def test_aklt_chains_are_ground_states_of_the_aklt_hamiltonian(ends):
    bond = sum(np.kron(spin_matrix(axis, 3), spin_matrix(axis, 3)) for axis in "xyz")
    hamiltonian = bond + bond @ bond / 3
    psi = vector(aklt_chain(5, *ends))
    for site in range(4):
        operator = functools.reduce(
            np.kron, (np.eye(3**site), hamiltonian, np.eye(3 ** (3 - site)))
        )
        np.testing.assert_allclose(operator @ psi, -2 / 3 * psi, atol=1e-13)


def test_cluster_chain_is_stabilised():
    x, z = 2 * spin_matrix("x", 2), 2 * spin_matrix("z", 2)
    psi = vector(cluster_chain(5))
    for site in range(1, 4):
        pieces = [np.eye(2)] * 5
        pieces[site - 1 : site + 2] = [z, x, z]
        np.testing.assert_allclose(functools.reduce(np.kron, pieces) @ psi, psi, atol=1e-13)


def test_product_states():
    assert large_d_chain(4)(np.array([[1, 1, 1, 1], [1, 1, 1, 0]])).tolist() == [1.0, 0.0]
    assert product_chain([0, 2], 3)(np.array([[0, 2], [2, 0]])).tolist() == [1.0, 0.0]
    with pytest.raises(SettingsError, match="at least 2 sites"):
        aklt_chain(1)
