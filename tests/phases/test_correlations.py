"""Two-point functions against dense vectors, determinants of free fermions and closed forms."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError, ShapeError
from phasenet.operators import frozen
from phasenet.phases.correlations import (
    connected_correlations,
    connected_matrix,
    correlation_matrix,
    correlations,
    expectations,
)
from phasenet.phases.exact import aklt_cell, aklt_chain, cluster_cell, product_cell
from phasenet.phases.spins import on_site
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain
from tests.phases.free_fermions import (
    hopping_correlations,
    ising_chain,
    majorana_correlations,
    xx_chain,
)

LENGTH = 5
names = st.sampled_from(["Sx", "Sy", "Sz", "Sp", "Sm", "Rz", "matrix"])


def random_state(dim, seed, *, real=False):
    rng = np.random.default_rng(seed)
    dims = [1, *rng.integers(1, 5, size=LENGTH - 1), 1]
    shapes = [(dims[k], dim, dims[k + 1]) for k in range(LENGTH)]
    cores = [rng.normal(size=s) + (0 if real else 1j) * rng.normal(size=s) for s in shapes]
    return TensorTrain(cores=tuple(np.ascontiguousarray(core) for core in cores))


def operator(name, dim, seed):
    if name != "matrix":
        return name
    rng = np.random.default_rng(seed)
    return frozen([rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))])[0]


def dense(state, *placed):
    """Expectation value of matrices on sites, those of one site in the order given."""
    dim = state.site_dims[0]
    words = itertools.product(range(dim), repeat=state.length)
    psi = state(np.array(list(words)))
    acted = psi
    for site, matrix in reversed(placed):
        pieces = [matrix if k == site else np.eye(dim) for k in range(state.length)]
        acted = functools.reduce(np.kron, pieces) @ acted
    return (psi.conj() @ acted) / np.vdot(psi, psi).real


@pytest.mark.slow
@settings(max_examples=25)
@given(st.integers(2, 3), names, names, st.integers(0, 10**6), st.booleans())
def test_all_pairs_agree_with_dense_vectors(dim, first, second, seed, real):
    state = random_state(dim, seed, real=real)
    a, b = operator(first, dim, seed), operator(second, dim, seed + 1)
    A, B = on_site(a, dim), on_site(b, dim)
    wanted = np.array(
        [[dense(state, (i, A), (j, B)) for j in range(LENGTH)] for i in range(LENGTH)]
    )
    left = np.array([dense(state, (i, A)) for i in range(LENGTH)])
    right = np.array([dense(state, (i, B)) for i in range(LENGTH)])
    np.testing.assert_allclose(expectations(state, a), left, atol=1e-11)
    np.testing.assert_allclose(correlation_matrix(state, a, b), wanted, atol=1e-11)
    np.testing.assert_allclose(
        connected_matrix(state, a, b), wanted - np.outer(left, right), atol=1e-11
    )
    np.testing.assert_allclose(correlations(state, a, b, 1), wanted[1, 2:], atol=1e-11)
    np.testing.assert_allclose(
        connected_correlations(state, a, b, 1, 2), (wanted - np.outer(left, right))[1, 2:4],
        atol=1e-11,
    )  # fmt: skip


def test_hermitian_operators_have_real_correlations():
    state = random_state(3, 3)
    assert not np.iscomplexobj(correlations(state, "Sx", "Sy"))
    assert not np.iscomplexobj(correlation_matrix(state, "Sy", "Sy"))
    assert np.iscomplexobj(correlation_matrix(state, "Sp", "Sm"))


def test_xx_chain_of_free_fermions():
    # Jordan and Wigner: <S^z S^z> - <S^z><S^z> = -|C|^2, <S^x S^x> a determinant of 2C - 1.
    length, C = 12, hopping_correlations(12)
    form = state_form(xx_chain(length))
    assert form.modulus == 0
    off = ~np.eye(length, dtype=bool)
    found = connected_matrix(form, "Sz", "Sz")
    np.testing.assert_allclose(found[off], -(C**2)[off], atol=1e-10)
    G = 2 * C - np.eye(length)
    spins = correlation_matrix(form, "Sx", "Sx")
    for i, j in itertools.combinations(range(length), 2):
        wanted = np.linalg.det(G[i:j, i + 1 : j + 1]) / 4
        assert abs(spins[i, j] - wanted) < 1e-10
    np.testing.assert_allclose(correlation_matrix(form, "Sy", "Sy"), spins, atol=1e-10)
    np.testing.assert_allclose(
        correlation_matrix(form, "Sp", "Sm").real[off], 2 * spins[off], atol=1e-10
    )


@pytest.mark.parametrize("field", [0.7, 1.0, 1.4])
def test_ising_chain_of_free_fermions(field):
    length, G = 12, majorana_correlations(12, field)
    form = state_form(ising_chain(length, field))
    assert form.modulus == 4
    np.testing.assert_allclose(expectations(form, "Z"), np.diag(G), atol=1e-9)
    found = correlation_matrix(form, "X", "X")
    along = connected_matrix(form, "Z", "Z")
    for i, j in itertools.combinations(range(length), 2):
        wanted = np.linalg.det(G[i + 1 : j + 1, i:j])
        assert abs(found[i, j] - wanted) < 1e-8
        assert abs(along[i, j] + G[i, j] * G[j, i]) < 1e-8


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_aklt(axis):
    # S.S = 4 (-1/3)^r: -4/3 on a bond, as the energy -2/3 of the AKLT Hamiltonian demands.
    spin, wanted = f"S{axis}", 4 / 3 * (-1 / 3.0) ** np.arange(1, 9)
    for cell in (1, 2, 3):
        one = aklt_cell()
        many = InfiniteTrain(cores=one.cores * cell, schmidt_values=one.schmidt_values * cell)
        np.testing.assert_allclose(correlations(many, spin, spin, 0, 8), wanted, atol=1e-14)
    np.testing.assert_allclose(correlations(aklt_chain(60), spin, spin, 25, 8), wanted, atol=1e-12)
    r = np.arange(7)
    both = np.abs(r[:, None] - r)
    square = np.where(both == 0, 2 / 3, 4 / 3 * (-1 / 3.0) ** both)
    found = correlation_matrix(aklt_cell(), spin, spin, range(-2, 5))
    np.testing.assert_allclose(found, square, atol=1e-14)


def test_states_without_correlations():
    assert np.abs(correlations(cluster_cell(), "Z", "Z")).max() < 1e-15
    neel = product_cell([0, 2], 3)
    assert correlations(neel, "Sz", "Sz", 1, 3).tolist() == [-1.0, 1.0, -1.0]
    assert connected_correlations(neel, "Sz", "Sz", 1, 3).tolist() == [0.0, 0.0, 0.0]
    assert correlations(product_cell([0], 2), "Sp", "Sm").tolist() == [0.0] * 64
    # An operator that takes the state out of its bond space leaves nothing to contract.
    assert (
        correlation_matrix(product_cell([0], 2), "Sp", "Sp", range(3)).tolist() == [[0.0] * 3] * 3
    )


def test_a_cat_state_keeps_its_correlations():
    core = np.zeros((2, 2, 2))
    core[0, 0, 1] = core[1, 1, 0] = 1.0
    neel = InfiniteTrain(cores=(core,), schmidt_values=(np.full(2, np.sqrt(0.5)),))
    assert expectations(neel, "Sz")[0] == pytest.approx(0.0, abs=1e-15)
    found = connected_correlations(neel, "Sz", "Sz", longest=200)
    np.testing.assert_allclose(found, 0.25 * (-1.0) ** np.arange(1, 201), atol=1e-12)


def test_sites_of_different_spins():
    rng = np.random.default_rng(4)
    shapes = [(1, 2, 2), (2, 3, 3), (3, 2, 2), (2, 3, 1)]
    state = TensorTrain(cores=tuple(rng.normal(size=shape) for shape in shapes))
    psi = np.einsum("asb,btc,cud,dve->stuv", *state.cores)
    psi = psi / np.linalg.norm(psi)
    S = {dim: on_site("Sx", dim) for dim in (2, 3)}
    wanted = np.einsum("stuv,sS,vV,StuV", psi, S[2], S[3], psi)
    found = correlation_matrix(state, "Sx", "Sx")
    assert found[0, 3] == found[3, 0] == pytest.approx(wanted, abs=1e-12)
    wanted = np.einsum("stuv,tT,vV,sTuV", psi, S[3], S[3], psi)
    assert found[1, 3] == pytest.approx(wanted, abs=1e-12)


def test_errors():
    with pytest.raises(SettingsError, match="do not fit a chain of 6 sites"):
        correlations(aklt_chain(6), "Sz", "Sz", 3, 3)
    with pytest.raises(SettingsError, match="give sites, such as"):
        correlation_matrix(aklt_cell(), "Sz", "Sz")
    with pytest.raises(SettingsError, match="wanted consecutive ones of a state of 6 sites"):
        correlation_matrix(aklt_chain(6), "Sz", "Sz", range(3, 9))
    with pytest.raises(SettingsError, match="operator 'Sq' is unknown"):
        expectations(aklt_cell(), "Sq")
    with pytest.raises(ShapeError, match="acts on a site of 3 states"):
        expectations(aklt_cell(), ((1, 0), (0, 1)))
