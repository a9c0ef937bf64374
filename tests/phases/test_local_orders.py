"""Local observables against dense vectors and closed forms."""

import functools
import itertools

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.phases.correlations import correlations
from phasenet.phases.exact import (
    aklt_cell,
    aklt_chain,
    cluster_cell,
    product_cell,
    product_chain,
)
from phasenet.phases.local_orders import local_orders
from phasenet.phases.spins import spin_matrix
from phasenet.trains.cells import canonical_cell
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain
from tests.phases.free_fermions import ising_chain, majorana_correlations


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


def spiral(length, turns, tilt=np.pi / 2):
    """Product of spins 1/2 that turn about z by ``turns`` per site, ``tilt`` from the z axis."""
    angles = 2 * np.pi * turns * np.arange(length)
    return tuple(
        np.array([np.cos(tilt / 2), np.exp(1j * angle) * np.sin(tilt / 2)]).reshape(1, 2, 1)
        for angle in angles
    )


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_vectors_and_chiralities_agree_with_dense_vectors(dim, seed):
    state = random_state(5, dim, seed)
    found = local_orders(state)
    S = [spin_matrix(axis, dim) for axis in "xyz"]
    for a in range(3):
        wanted = [dense(state, {i: S[a]}) for i in range(5)]
        np.testing.assert_allclose(found.spin[a], wanted, atol=1e-12)
    biaxial = S[0] @ S[0] - S[1] @ S[1]
    wanted = [dense(state, {i: biaxial}) for i in range(5)]
    np.testing.assert_allclose(found.biaxial, wanted, atol=1e-12)
    pairs = [sum(dense(state, {i: s, i + 1: s}) for s in S) for i in range(4)]
    np.testing.assert_allclose(found.exchange, pairs, atol=1e-12)
    wanted = [
        dense(state, {i: S[0], i + 1: S[1]}) - dense(state, {i: S[1], i + 1: S[0]})
        for i in range(4)
    ]
    np.testing.assert_allclose(found.vector_chirality, wanted, atol=1e-12)
    wanted = [
        sum(
            sign * dense(state, {i + k: S[a] for k, a in enumerate(order)})
            for order, sign in zip(
                itertools.permutations(range(3)), (1, -1, -1, 1, 1, -1), strict=True
            )
        )
        for i in range(3)
    ]
    np.testing.assert_allclose(found.scalar_chirality, wanted, atol=1e-12)


@pytest.mark.parametrize("turns", [0.1, 0.25, 0.5])
def test_a_spiral(turns):
    # (S_i x S_{i+1})_z = S^2 sin^2(tilt) sin(angle); the cone has a scalar chirality as well.
    tilt, angle = 1.1, 2 * np.pi * turns
    wanted = 0.25 * np.sin(tilt) ** 2 * np.sin(angle)
    finite = local_orders(TensorTrain(cores=spiral(12, turns, tilt)))
    np.testing.assert_allclose(finite.vector_chirality, wanted, atol=1e-14)
    n = [
        np.array([np.sin(tilt) * np.cos(k * angle), np.sin(tilt) * np.sin(k * angle), np.cos(tilt)])
        for k in range(3)
    ]
    scalar = np.dot(n[0], np.cross(n[1], n[2])) / 8
    np.testing.assert_allclose(finite.scalar_chirality, scalar, atol=1e-14)
    period = round(1 / turns)
    cores = spiral(period, turns, tilt)
    infinite = local_orders(InfiniteTrain(cores=cores, schmidt_values=(np.ones(1),) * period))
    assert len(infinite.vector_chirality) == len(infinite.scalar_chirality) == period
    np.testing.assert_allclose(infinite.vector_chirality, wanted, atol=1e-14)
    np.testing.assert_allclose(infinite.scalar_chirality, scalar, atol=1e-14)
    assert finite.bulk_mean(finite.vector_chirality) == pytest.approx(wanted)


def test_an_infinite_state_is_the_bulk_of_a_long_chain():
    rng = np.random.default_rng(1)
    cores = [rng.normal(size=(3, 2, 3)) + 1j * rng.normal(size=(3, 2, 3)) for _ in range(2)]
    cell = local_orders(canonical_cell(cores))
    chain = TensorTrain(cores=(cores[0][:1], cores[1], *cores * 60, cores[0], cores[1][:, :, :1]))
    found = local_orders(chain)
    middle = slice(60, 62)
    for name in ("spin", "quadrupole", "exchange", "vector_chirality", "scalar_chirality"):
        wanted = getattr(found, name)[..., middle]
        np.testing.assert_allclose(getattr(cell, name), wanted, atol=1e-10)
    assert cell.dimer == pytest.approx(found.dimer, abs=1e-3)


def test_dimers():
    # Singlets on the bonds 0-1, 2-3, ...: -3/4 on these and 0 between them.
    singlet = np.array([[0.0, 1.0], [-1.0, 0.0]]) / np.sqrt(2)
    left, right = singlet[None], np.eye(2)[:, :, None]
    for state in (
        TensorTrain(cores=(left, right) * 8),
        canonical_cell([left, right]),
    ):
        found = local_orders(state)
        assert found.dimer == pytest.approx(-0.75, abs=1e-14)
        np.testing.assert_allclose(found.dimers, -0.75, atol=1e-14)
        np.testing.assert_allclose(found.exchange[:2], [-0.75, 0.0], atol=1e-14)
        assert found.staggered_mean(found.exchange) == pytest.approx(-0.375, abs=1e-14)
    assert local_orders(aklt_cell()).dimer == 0.0
    assert abs(local_orders(aklt_chain(40)).dimer) < 1e-4


def test_means_over_the_bulk():
    neel = local_orders(product_chain([0, 2] * 5, 3))
    np.testing.assert_allclose(neel.staggered_spin, [0.0, 0.0, 1.0], atol=1e-15)
    # Ten sites: the bulk are the sites 2 .. 7.
    assert neel.bulk_mean(np.arange(10.0)) == 4.5
    assert neel.bulk_mean(neel.magnetisation) == 0.0
    single = local_orders(product_chain([0], 3))
    assert np.isnan(single.bulk_mean(single.exchange))
    assert np.isnan(local_orders(product_cell([0], 3)).bulk_mean(np.zeros(0)))
    up = local_orders(product_cell([0], 3))
    assert up.staggered_spin.tolist() == [0.0, 0.0, 0.0]
    assert local_orders(cluster_cell()).spin.tolist() == [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("field", [0.8, 1.2])
def test_ising_chain_of_free_fermions(field):
    G, found = majorana_correlations(12, field), local_orders(ising_chain(12, field))
    np.testing.assert_allclose(2 * found.magnetisation, np.diag(G), atol=1e-9)
    np.testing.assert_allclose(found.spin[:2], 0.0, atol=1e-12)
    # 4 S.S = X X + Y Y + Z Z of neighbours.
    a, b, c = np.diag(G, -1), np.diag(G, 1), np.diag(G)
    wanted = (a + b + c[:-1] * c[1:] - a * b) / 4
    np.testing.assert_allclose(found.exchange, wanted, atol=1e-9)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_correlations_agree_with_dense_vectors(axis):
    state, spin = random_state(6, 3, 8), spin_matrix(axis, 3)
    wanted = [dense(state, {1: spin, 1 + r: spin}) for r in (1, 2, 3, 4)]
    np.testing.assert_allclose(
        correlations(state, f"S{axis}", f"S{axis}", 1, 4), wanted, atol=1e-12
    )


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_aklt_correlations(axis):
    # S.S = 4 (-1/3)^r: -4/3 on a bond, as the energy -2/3 of the AKLT Hamiltonian demands.
    wanted = 4 / 3 * (-1 / 3.0) ** np.arange(1, 9)
    np.testing.assert_allclose(
        correlations(aklt_cell(), f"S{axis}", f"S{axis}", 0, 8), wanted, atol=1e-14
    )
    np.testing.assert_allclose(
        correlations(aklt_chain(60), f"S{axis}", f"S{axis}", 25, 8), wanted, atol=1e-12
    )
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
    with pytest.raises(SettingsError, match="chain"):
        correlations(aklt_chain(6), "Sz", "Sz", 3, 3)
