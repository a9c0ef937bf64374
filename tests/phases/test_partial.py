"""Partial reflection and partial time reversal: dense matrices, closed forms, broken states."""

import math
from functools import reduce

import numpy as np
import pytest
import scipy.stats

from phasenet.errors import SettingsError
from phasenet.phases.compressed import compressed
from phasenet.phases.exact import (
    aklt_cell,
    aklt_chain,
    cluster_cell,
    cluster_chain,
    large_d_cell,
    large_d_chain,
    product_cell,
    product_chain,
)
from phasenet.phases.many_body_values import ManyBodyInvariant
from phasenet.phases.partial import partial_reflection, partial_time_reversal
from phasenet.phases.spins import on_site
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

FUNCTIONS = (partial_reflection, partial_time_reversal)


def random_chain(rng, length, dim, bond, *, real=False):
    bonds = [1, *[bond] * (length - 1), 1]
    shapes = [(bonds[i], dim, bonds[i + 1]) for i in range(length)]
    cores = [rng.normal(size=s) + 1j * rng.normal(size=s) * (not real) for s in shapes]
    return TensorTrain(cores=tuple(cores))


def vector(state):
    """Normalised amplitudes, one axis per site."""
    full = reduce(lambda a, b: np.tensordot(a, b, axes=1), state.cores)[0, ..., 0]
    return full / np.linalg.norm(full)


def density(psi, first, count):
    """Density matrix of consecutive sites, an axis for each site of the ket, then of the bra."""
    dims = psi.shape
    flat = psi.reshape(math.prod(dims[:first]), math.prod(dims[first : first + count]), -1)
    rho = np.einsum("asb,atb->st", flat, flat.conj())
    return rho.reshape(dims[first : first + count] * 2)


def matrix(rho):
    side = math.isqrt(rho.size)
    return rho.reshape(side, side)


def product_operator(matrices):
    return reduce(np.kron, matrices)


def purities(psi, bond, n):
    squares = [matrix(density(psi, first, n)) for first in (bond - n, bond)]
    return np.mean([np.trace(rho @ rho).real for rho in squares])


def dense_reflection(psi, bond, n, matrices):
    rho = density(psi, bond - n, 2 * n)
    count = 2 * n
    reflected = rho.transpose(*range(count)[::-1], *range(count, 2 * count))
    value = np.trace(product_operator(matrices) @ matrix(reflected))
    return value.real, purities(psi, bond, n) ** 0.5


def dense_time_reversal(psi, bond, n, matrices):
    rho = density(psi, bond - n, 2 * n)
    axes = list(range(4 * n))
    axes[:n], axes[2 * n : 3 * n] = axes[2 * n : 3 * n], axes[:n]
    u = product_operator([*matrices, *(np.eye(d) for d in psi.shape[bond : bond + n])])
    value = np.trace(matrix(rho) @ u @ matrix(rho.transpose(axes)) @ u.conj().T)
    return value.real, purities(psi, bond, n) ** 1.5


def random_unitaries(rng, dim, count):
    return [scipy.stats.unitary_group.rvs(dim, random_state=rng) for _ in range(count)]


@pytest.mark.parametrize(
    ("length", "dim", "bond", "n"), [(6, 3, 3, 1), (6, 3, 3, 3), (6, 3, 2, 2), (8, 2, 4, 3)]
)
def test_dense_density_matrices(length, dim, bond, n):
    rng = np.random.default_rng(length + n)
    state = random_chain(rng, length, dim, 4)
    psi, pattern = vector(state), random_unitaries(rng, dim, length)
    dense = {
        partial_reflection: dense_reflection(psi, bond, n, pattern[bond - n : bond + n]),
        partial_time_reversal: dense_time_reversal(psi, bond, n, pattern[bond - n : bond]),
    }
    for function, (raw, normalisation) in dense.items():
        found = function(state, n, bond=bond, operators=pattern)
        assert found.raw == pytest.approx(raw, abs=1e-12)
        assert found.normalisation == pytest.approx(normalisation, abs=1e-12)
        assert found.value == pytest.approx(raw / normalisation, rel=1e-10)
        assert found.sites == n
        assert found.discarded == pytest.approx(0.0, abs=1e-12)


def test_dense_density_matrices_without_operators():
    state = random_chain(np.random.default_rng(0), 8, 2, 4, real=True)
    psi = vector(state)
    nothing = [np.eye(2)] * 6
    raw, normalisation = dense_reflection(psi, 4, 3, nothing)
    found = partial_reflection(state, 3)
    assert (found.raw, found.normalisation) == pytest.approx((raw, normalisation), abs=1e-12)
    raw, normalisation = dense_time_reversal(psi, 4, 3, [on_site("Ry", 2)] * 3)
    found = partial_time_reversal(state, 3)
    assert (found.raw, found.normalisation) == pytest.approx((raw, normalisation), abs=1e-12)


def test_charges_change_nothing():
    state = aklt_chain(6, 0, 1)
    psi = vector(state)
    raw, normalisation = dense_reflection(psi, 3, 2, [np.eye(3)] * 4)
    found = partial_reflection(state, 2)
    assert (found.raw, found.normalisation) == pytest.approx((raw, normalisation), abs=1e-12)
    raw, normalisation = dense_time_reversal(psi, 3, 2, [on_site("Ry", 3)] * 2)
    found = partial_time_reversal(state, 2)
    assert (found.raw, found.normalisation) == pytest.approx((raw, normalisation), abs=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_exact_for_the_state_that_is_left(function):
    state = random_chain(np.random.default_rng(3), 8, 3, 9)
    stretch = compressed(state_form(state), 0, 8, 6)
    left = TensorTrain(cores=stretch.cores)
    found, exact = function(state, 4, max_bond=6), function(left, 4)
    assert found.raw == pytest.approx(exact.raw, abs=1e-12)
    assert found.normalisation == pytest.approx(exact.normalisation, abs=1e-12)
    assert found.discarded > 0.01
    overlap = abs(np.vdot(vector(left), vector(state))) ** 2
    assert 1 - overlap == pytest.approx(found.discarded, rel=0.5)


@pytest.mark.parametrize("cell", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_aklt(n, cell):
    q = 9.0**-n
    mean = (1 + 3 * q) / 4
    one = aklt_cell()
    many = InfiniteTrain(cores=one.cores * cell, schmidt_values=one.schmidt_values * cell)
    found = partial_reflection(many, n, bond=1)
    assert found.raw == pytest.approx(-(1 - 3 * q) / 2, abs=1e-12)
    assert found.normalisation == pytest.approx(mean**0.5, abs=1e-12)
    found = partial_time_reversal(many, n, bond=1)
    assert found.raw == pytest.approx(-(1 - 6 * q - 3 * q**2) / 8, abs=1e-12)
    assert found.normalisation == pytest.approx(mean**1.5, abs=1e-12)


def test_defaults():
    found = partial_reflection(aklt_chain(64))
    assert found.sites == 12
    assert found.cut == "bond between sites 31 and 32"
    assert found.sign == -1
    assert str(found) == (
        f"partial reflection -1.0000 (12 sites, raw={found.raw:.4f}, discarded=0.0e+00, "
        "bond between sites 31 and 32): determined"
    )
    assert partial_time_reversal(aklt_cell()).sites == 16
    three = InfiniteTrain(
        cores=aklt_cell().cores * 3, schmidt_values=aklt_cell().schmidt_values * 3
    )
    found = partial_time_reversal(three, bond=-2)
    assert found.sites == 18
    assert found.cut == "bond left of site 1 of the cell"
    # Half-integer spins in even numbers: a fifth of 28 is 5.
    assert partial_reflection(cluster_chain(28)).sites == 4


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("state", [large_d_cell(), large_d_chain(16)])
def test_large_d(function, state):
    found = function(state)
    assert found.value == pytest.approx(1.0, abs=1e-14)
    assert found.sign == 1


@pytest.mark.parametrize("state", [cluster_cell(), cluster_chain(24)])
def test_cluster(state):
    assert partial_reflection(state, 4).value == pytest.approx(1.0, abs=1e-12)
    # Y is no symmetry: it turns the sign of the stabilisers.
    for operator, value in (("1", 1), ("X", -1), ("Y", 0)):
        found = partial_time_reversal(state, 4, operators=[operator])
        assert found.value == pytest.approx(value, abs=1e-12)
        assert found.sign == value


def dimers():
    """Cells of two spins 1/2, singlets between cells."""
    closes = np.array([[[0.0], [1.0]], [[-1.0], [0.0]]])
    opens = np.eye(2).reshape(1, 2, 2) * math.sqrt(0.5)
    return InfiniteTrain(
        cores=(closes, opens),
        schmidt_values=(np.full(2, math.sqrt(0.5)), np.ones(1)),
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_dimer_chain_has_both_signs(function):
    assert [function(dimers(), 2, bond=bond).value for bond in (0, 1, 2)] == pytest.approx(
        [-1.0, 1.0, -1.0], abs=1e-12
    )


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("state", [product_cell([0, 2], 3), product_chain([0, 2] * 8, 3)])
def test_a_broken_state_is_undetermined(function, state):
    found = function(state, 2)
    assert found.value == pytest.approx(0.0, abs=1e-14)
    assert found.sign == 0
    assert "broken symmetry" in found.reason


def test_a_cat_state_is_undetermined():
    core = np.zeros((2, 3, 2))
    core[0, 0, 0] = core[1, 2, 1] = 1.0
    cat = InfiniteTrain(cores=(core,), schmidt_values=(np.full(2, math.sqrt(0.5)),))
    found = partial_reflection(cat)
    assert found.value == pytest.approx(math.sqrt(2), abs=1e-12)
    assert found.sign == 0
    assert partial_time_reversal(cat).value == pytest.approx(0.0, abs=1e-12)
    assert partial_time_reversal(cat, operators=["1"]).value == pytest.approx(math.sqrt(2))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_gauge_and_phase_change_nothing(function):
    rng = np.random.default_rng(5)
    state = random_chain(rng, 8, 3, 4)
    cores = list(state.cores)
    for bond in range(7):
        gauge = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)) + 2 * np.eye(4)
        cores[bond] = np.tensordot(cores[bond], gauge, axes=(2, 0)) * 3j
        cores[bond + 1] = np.tensordot(np.linalg.inv(gauge), cores[bond + 1], axes=(1, 0))
    turned = TensorTrain(cores=tuple(cores))
    assert function(turned, 3).value == pytest.approx(function(state, 3).value, abs=1e-10)


def test_degenerate_schmidt_values_are_left_out_together():
    form = state_form(cluster_cell())
    assert [len(compressed(form, 0, 4, bond).weights) for bond in (1, 2, 3)] == [1, 2, 2]
    chain = random_chain(np.random.default_rng(1), 6, 3, 9)
    assert [core.shape[2] for core in compressed(state_form(chain), 1, 3, 4).cores] == [4, 4, 4]


def test_a_heavy_truncation_is_undetermined():
    found = partial_reflection(aklt_cell(), 4, max_bond=1)
    assert found.discarded > 0.5
    assert "larger max_bond" in found.reason
    assert found.sign == 0


@pytest.mark.parametrize("function", FUNCTIONS)
def test_what_does_not_fit(function):
    chain = aklt_chain(16)
    with pytest.raises(SettingsError, match="sites -1 to 16 do not fit a state of 16 sites"):
        function(chain, 9)
    with pytest.raises(SettingsError, match="sites 13 to 16 do not fit"):
        function(chain, 2, bond=15)
    with pytest.raises(SettingsError, match="a block has 0 sites in a state of 4"):
        function(aklt_chain(4))
    with pytest.raises(SettingsError, match="max_bond is 0"):
        function(chain, 2, max_bond=0)
    with pytest.raises(SettingsError, match="Pauli matrix X acts on 2"):
        function(chain, 2, operators=["X"])
    with pytest.raises(SettingsError, match="acts with 'Sz'; wanted a unitary"):
        function(chain, 2, operators=["Sz"])


def test_an_empty_pattern():
    with pytest.raises(SettingsError, match="pattern of operators is empty"):
        partial_time_reversal(aklt_cell(), 2, operators=[])


def test_values_are_values():
    with pytest.raises(AttributeError):
        partial_reflection(aklt_cell(), 2).value = 1.0
    assert isinstance(partial_reflection(aklt_cell(), 2), ManyBodyInvariant)
