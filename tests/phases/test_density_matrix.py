"""Reduced density matrices against dense vectors, expectation values and entropies."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError
from phasenet.phases import density_matrix
from phasenet.phases.correlations import correlations, expectations
from phasenet.phases.density_matrix import reduced_density_matrix
from phasenet.phases.entanglement import entropies
from phasenet.phases.exact import aklt_cell, aklt_chain, cluster_cell, product_cell
from phasenet.phases.spins import spin_matrix
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

LENGTH = 6


def random_chain(dim, seed, *, real=False):
    rng = np.random.default_rng(seed)
    bonds = [1, *rng.integers(1, 5, size=LENGTH - 1), 1]
    shapes = [(bonds[k], dim, bonds[k + 1]) for k in range(LENGTH)]
    cores = [rng.normal(size=s) + (0 if real else 1j) * rng.normal(size=s) for s in shapes]
    return TensorTrain(cores=tuple(cores))


def random_cell(seed):
    """Infinite state of two sites, not canonical before its form is made."""
    rng = np.random.default_rng(seed)
    cores = tuple(rng.normal(size=(3, 2, 3)) + 1j * rng.normal(size=(3, 2, 3)) for _ in range(2))
    return state_form(InfiniteTrain(cores=cores, schmidt_values=(np.ones(3),) * 2))


def dense_density_matrix(state, start, sites):
    dim = state.site_dims[0]
    words = np.array(list(itertools.product(range(dim), repeat=state.length)))
    psi = state(words)
    psi = (psi / np.linalg.norm(psi)).reshape((dim,) * state.length)
    kept = list(range(start, start + sites))
    psi = np.moveaxis(psi, kept, range(sites)).reshape(dim**sites, -1)
    return psi @ psi.conj().T


def entropy_of(rho):
    p = np.linalg.eigvalsh(rho)
    p = p[p > 1e-14]
    return float(-np.sum(p * np.log(p)))


@settings(max_examples=20)
@given(
    st.integers(2, 3), st.integers(0, 10**6), st.booleans(), st.integers(0, 5), st.integers(1, 6)
)
def test_against_dense_vectors(dim, seed, real, start, sites):
    state, start = random_chain(dim, seed, real=real), min(start, LENGTH - sites)
    found = reduced_density_matrix(state, start, sites)
    assert found.dtype == (np.float64 if real else np.complex128)
    np.testing.assert_allclose(found, dense_density_matrix(state, start, sites), atol=1e-12)
    assert np.trace(found).real == pytest.approx(1.0, abs=1e-13)
    np.testing.assert_allclose(found, found.conj().T, atol=1e-14)
    assert np.linalg.eigvalsh(found).min() > -1e-13


@pytest.mark.parametrize("start", [-2, 0, 1, 7])
def test_an_infinite_state_has_those_of_its_cell(start):
    form = random_cell(3)
    whole = reduced_density_matrix(form, start, 4)
    assert np.trace(whole).real == pytest.approx(1.0, abs=1e-12)
    assert np.linalg.eigvalsh(whole).min() > -1e-12
    np.testing.assert_allclose(whole, reduced_density_matrix(form, start + 2, 4), atol=1e-12)
    # Sites to the left or to the right, traced out, leave the density matrix of the others.
    inner = np.trace(whole.reshape(2, 4, 2, 2, 4, 2), axis1=0, axis2=3)
    inner = np.trace(inner, axis1=1, axis2=3)
    np.testing.assert_allclose(inner, reduced_density_matrix(form, start + 1, 2), atol=1e-10)


@pytest.mark.parametrize("state", [random_cell(1), state_form(aklt_chain(9, 0, 1)), aklt_cell()])
def test_expectation_values_follow(state):
    form = state_form(state)
    dim = form.site_dims[0]
    sx, sy, sz = (spin_matrix(axis, dim) for axis in ("x", "y", "z"))
    one = reduced_density_matrix(form, 1, 1)
    for name, matrix in (("Sx", sx), ("Sy", sy), ("Sz", sz)):
        value = expectations(form, name)[1 % form.length]
        assert np.trace(one @ matrix).real == pytest.approx(value, abs=1e-12)
    # S^y S^z at a distance of two is not symmetric: it knows left from right.
    three = reduced_density_matrix(form, 1, 3)
    operator = np.kron(np.kron(sy, np.eye(dim)), sz)
    wanted = correlations(form, "Sy", "Sz", 1, 2)[1]
    assert np.trace(three @ operator).real == pytest.approx(wanted, abs=1e-12)


def test_entropies_follow():
    chain = random_chain(3, 5)
    found = [entropy_of(reduced_density_matrix(chain, 0, sites)) for sites in range(1, 6)]
    np.testing.assert_allclose(found, entropies(chain), atol=1e-12)
    # A block of an infinite AKLT state is cut twice, and the two ends forget each other as 3^-n.
    for sites in range(2, 6):
        decay = (-1 / 3) ** sites
        p = np.array([1 + 3 * decay, *[1 - decay] * 3]) / 4
        wanted = -np.sum(p * np.log(p))
        assert entropy_of(reduced_density_matrix(aklt_cell(), 0, sites)) == pytest.approx(wanted)
    # Blocks of the cluster state are maximally entangled at each of their two ends.
    rho = reduced_density_matrix(cluster_cell(), 0, 4)
    assert entropy_of(rho) == pytest.approx(2 * np.log(2))


def test_the_first_site_runs_slowest():
    rho = reduced_density_matrix(product_cell([0, 2], 3), 0, 2)
    assert np.flatnonzero(np.diag(rho)).tolist() == [2]
    assert rho.dtype == np.float64


def test_large_states_are_taken_piece_by_piece(monkeypatch):
    state = random_chain(3, 11)
    whole = reduced_density_matrix(state, 1, 3)
    monkeypatch.setattr(density_matrix, "_ENTRIES", 1)
    np.testing.assert_allclose(reduced_density_matrix(state, 1, 3), whole, atol=1e-14)


@pytest.mark.parametrize(
    ("start", "sites", "words"),
    [
        (0, 0, "sites is 0; wanted at least 1"),
        (4, 3, "sites 4 .. 6 do not fit a chain of 6 sites"),
        (-1, 2, "sites -1 .. 0 do not fit"),
    ],
)
def test_sites_that_do_not_fit(start, sites, words):
    with pytest.raises(SettingsError, match=words):
        reduced_density_matrix(random_chain(3, 0), start, sites)


def test_too_many_sites():
    with pytest.raises(SettingsError, match="7 sites has 2187 rows; wanted at most 729"):
        reduced_density_matrix(aklt_cell(), 0, 7)
