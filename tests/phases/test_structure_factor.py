"""Structure factors against closed forms, sums of correlations and sum rules."""

import itertools
from itertools import pairwise

import numpy as np
import pytest

from phasenet.phases.correlations import (
    connected_correlations,
    connected_matrix,
    correlation_matrix,
    expectations,
)
from phasenet.phases.exact import aklt_cell, aklt_chain, cluster_cell, product_cell, product_chain
from phasenet.phases.structure_factor import bragg_weights, structure_factor
from phasenet.trains.cells import canonical_cell
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain
from tests.phases.free_fermions import hopping_correlations, xx_chain

TURNS = np.linspace(0.0, 1.0, 13)


def cat(period):
    """Equal superposition of the translations of a state with one spin up in ``period``."""
    core = np.zeros((period, 2, period))
    for step in range(period):
        core[step, 0 if step == 0 else 1, (step + 1) % period] = 1.0
    values = np.full(period, np.sqrt(1 / period))
    return InfiniteTrain(cores=(core,), schmidt_values=(values,))


def random_cell(seed, cell=2, dim=3, bond=4):
    rng = np.random.default_rng(seed)
    shape = (bond, dim, bond)
    cores = [rng.normal(size=shape) + 1j * rng.normal(size=shape) for _ in range(cell)]
    return canonical_cell(cores)


def plateau_cell(seed, size=3):
    """Random spin-1/2 cell of three sites whose S^z is 1/2 in all."""
    rng = np.random.default_rng(seed)
    bonds = [(0, 2), (-1, 1, 3), (0, 2), (1, 3)]
    cores = []
    for left, right in pairwise(bonds):
        core = np.zeros((len(left) * size, 2, len(right) * size))
        for a, b in itertools.product(range(len(left)), range(len(right))):
            if abs(right[b] - left[a]) == 1:
                place = np.s_[a * size : (a + 1) * size, 0 if right[b] > left[a] else 1]
                core[(*place, slice(b * size, (b + 1) * size))] = rng.normal(size=(size, size))
        cores.append(core)
    return canonical_cell(cores)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_aklt(axis):
    # The sum of the geometric series (4/3) (-1/3)^r, and 2/3 on the site itself.
    cosine = np.cos(2 * np.pi * TURNS)
    wanted = 2 * (1 - cosine) / (5 + 3 * cosine)
    for cell in (1, 2, 3):
        one = aklt_cell()
        many = InfiniteTrain(cores=one.cores * cell, schmidt_values=one.schmidt_values * cell)
        np.testing.assert_allclose(structure_factor(many, axis, TURNS), wanted, atol=1e-13)
        assert np.abs(bragg_weights(many, axis, TURNS)).max() < 1e-14
    found = structure_factor(aklt_chain(300), axis, TURNS)
    np.testing.assert_allclose(found, wanted, atol=2e-2)


def test_finite_chains_are_the_double_sum():
    rng = np.random.default_rng(2)
    dims = [1, 3, 4, 3, 2, 1]
    shapes = [(dims[k], 3, dims[k + 1]) for k in range(5)]
    state = TensorTrain(
        cores=tuple(rng.normal(size=shape) + 1j * rng.normal(size=shape) for shape in shapes)
    )
    for axis in ("x", "y", "z"):
        pairs = correlation_matrix(state, f"S{axis}", f"S{axis}")
        wanted = [
            sum(
                np.exp(2j * np.pi * q * (j - i)) * pairs[i, j] for i in range(5) for j in range(5)
            ).real
            / 5
            for q in TURNS
        ]
        found = structure_factor(state, axis, TURNS)
        np.testing.assert_allclose(found, wanted, atol=1e-12)
        rest = connected_matrix(state, f"S{axis}", f"S{axis}")
        phases = np.exp(2j * np.pi * np.outer(TURNS, np.arange(5)))
        smooth = np.einsum("qi,ij,qj->q", phases.conj(), rest, phases).real / 5
        weights = bragg_weights(state, axis, TURNS)
        np.testing.assert_allclose(found, smooth + 5 * weights, atol=1e-12)


def test_free_fermions_along_z():
    length, C = 12, hopping_correlations(12)
    pairs = -(C**2) + np.diag(np.diag(C))
    phases = np.exp(2j * np.pi * np.outer(TURNS, np.arange(length)))
    wanted = np.einsum("qi,ij,qj->q", phases.conj(), pairs, phases).real / length
    np.testing.assert_allclose(structure_factor(xx_chain(length), "z", TURNS), wanted, atol=1e-10)


@pytest.mark.parametrize(
    "state", [random_cell(0), random_cell(1), random_cell(2, bond=12), plateau_cell(3)]
)
def test_infinite_states_are_the_sum_of_connected_correlations(state):
    cell = state.cell
    for axis in ("x", "y", "z"):
        spin = f"S{axis}"
        wanted = np.zeros(len(TURNS))
        for site in range(cell):
            same = connected_matrix(state, spin, spin, range(site, site + 1)).item().real
            far = connected_correlations(state, spin, spin, site, 300)
            cosines = np.cos(2 * np.pi * np.outer(TURNS, np.arange(1, 301)))
            wanted += (same + 2 * cosines @ far) / cell
        np.testing.assert_allclose(structure_factor(state, axis, TURNS), wanted, atol=1e-9)
        means = expectations(state, spin)
        weights = bragg_weights(state, axis, [0.0, 1 / cell, 0.4 / cell])
        phases = np.exp(2j * np.pi * np.arange(cell) / cell)
        wanted = [np.mean(means) ** 2, abs(np.mean(means * phases)) ** 2, 0.0]
        np.testing.assert_allclose(weights, wanted, atol=1e-12)


def test_a_cell_that_carries_a_charge():
    form = state_form(plateau_cell(3))
    assert form.modulus == 0
    assert expectations(form, "Sz").sum() == pytest.approx(0.5, abs=1e-12)
    weights = bragg_weights(form, "z", [0.0, 1 / 3])
    assert weights[0] == pytest.approx(1 / 36, abs=1e-12)


@pytest.mark.parametrize("seed", [3, 4])
def test_sum_rule(seed):
    state = random_cell(seed, cell=1, dim=2)
    turns = np.arange(400) / 400
    for axis in ("x", "y", "z"):
        total = structure_factor(state, axis, turns).mean() + bragg_weights(state, axis, 0.0)
        assert total == pytest.approx(0.25, abs=1e-9)


@pytest.mark.parametrize("state", [product_cell([0, 2], 3), product_chain([0, 2] * 10, 3)])
def test_neel(state):
    weights = bragg_weights(state, "z", [0.0, 0.25, 0.5])
    np.testing.assert_allclose(weights, [0.0, 0.0, 1.0], atol=1e-15)
    np.testing.assert_allclose(structure_factor(state, "x", TURNS), 0.5, atol=1e-14)
    found = structure_factor(state, "z", [0.0, 0.5])
    wanted = [0.0, 20.0 if isinstance(state, TensorTrain) else 0.0]
    np.testing.assert_allclose(found, wanted, atol=1e-13)


@pytest.mark.parametrize("period", [2, 3, 4])
def test_superpositions_of_translations_have_bragg_peaks(period):
    state, turns = cat(period), np.arange(period) / period
    # One spin in each period is turned over: 1/2 - 1 of the rest.
    wanted = np.full(period, 1.0 / period**2)
    wanted[0] = (1.0 / period - 0.5) ** 2
    np.testing.assert_allclose(bragg_weights(state, "z", turns), wanted, atol=1e-13)
    assert np.abs(bragg_weights(state, "z", turns + 0.1)).max() < 1e-13
    assert np.abs(structure_factor(state, "z", TURNS)).max() < 1e-13
    np.testing.assert_allclose(structure_factor(state, "x", TURNS), 0.25, atol=1e-13)


def test_states_without_correlations_are_flat():
    np.testing.assert_allclose(structure_factor(cluster_cell(), "z", TURNS), 0.25, atol=1e-13)
    np.testing.assert_allclose(structure_factor(cluster_cell(), "y", TURNS), 0.25, atol=1e-13)


def test_wavenumbers_of_any_shape():
    assert structure_factor(aklt_cell(), "z", 0.5) == pytest.approx(2.0)
    found = structure_factor(aklt_cell(), "z", TURNS.reshape(1, 13))
    assert found.shape == (1, 13)
    assert structure_factor(aklt_chain(20), "z", [[0.5]]).shape == (1, 1)
