"""Swap of two blocks between symmetries: dense vectors, closed forms, and other invariants."""

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
from phasenet.phases.haegeman import haegeman_order
from phasenet.phases.spins import pi_rotation
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

ROTATIONS = (["Rz"], ["Rx"])
SUBLATTICES = (["X", "1"], ["1", "X"])


def random_chain(rng, length, dim, bond):
    bonds = [1, *[bond] * (length - 1), 1]
    shapes = [(bonds[i], dim, bonds[i + 1]) for i in range(length)]
    return TensorTrain(cores=tuple(rng.normal(size=s) + 1j * rng.normal(size=s) for s in shapes))


def dense_order(state, start, n, first, second):
    """E(first, second), with matrices on the sites of two blocks."""
    psi = reduce(lambda a, b: np.tensordot(a, b, axes=1), state.cores)[0, ..., 0]
    dims = psi.shape
    psi = psi.ravel() / np.linalg.norm(psi)
    blocks = [math.prod(dims[start + k * n : start + (k + 1) * n]) for k in range(3)]
    shape = (math.prod(dims[:start]), *blocks, -1)

    def turned(matrices):
        operators = [reduce(np.kron, matrices[k * n : (k + 1) * n]) for k in range(2)]
        return np.einsum("bB,cC,aBCde->abcde", *operators, psi.reshape(shape))

    return np.vdot(turned(second), turned(first).swapaxes(1, 3))


@pytest.mark.parametrize(
    ("length", "dim", "start", "n"), [(6, 3, 0, 2), (6, 3, 1, 1), (8, 2, 1, 2), (7, 2, 4, 1)]
)
def test_dense_vectors(length, dim, start, n):
    rng = np.random.default_rng(length + n)
    state = random_chain(rng, length, dim, 4)
    first, second = (
        [scipy.stats.unitary_group.rvs(dim, random_state=rng) for _ in range(n)] for _ in range(2)
    )
    found = haegeman_order(state, first, second, n, start=start)
    # Patterns repeat from site 0 on.
    actions = [[p[(start + k) % n] for k in range(2 * n)] for p in (first, second)]
    raw = dense_order(state, start, n, *actions).real
    normalisation = dense_order(state, start, n, *[[np.eye(dim)] * 2 * n] * 2).real
    assert found.raw == pytest.approx(raw, abs=1e-12)
    assert found.normalisation == pytest.approx(normalisation, abs=1e-12)
    assert found.value == pytest.approx(raw / normalisation, rel=1e-8)


def test_charges_change_nothing():
    state = aklt_chain(7, 1, 0)
    z, x = ([pi_rotation(axis, 3)] * 4 for axis in ("z", "x"))
    found = haegeman_order(state, *ROTATIONS, 2, start=1)
    assert found.raw == pytest.approx(dense_order(state, 1, 2, z, x).real, abs=1e-12)


def test_exact_for_the_state_that_is_left():
    state = random_chain(np.random.default_rng(3), 6, 3, 9)
    left = TensorTrain(cores=compressed(state_form(state), 0, 6, 5).cores)
    found = haegeman_order(state, *ROTATIONS, 2, max_bond=5)
    exact = haegeman_order(left, *ROTATIONS, 2)
    assert (found.raw, found.normalisation) == pytest.approx((exact.raw, exact.normalisation))
    assert found.discarded > 0.0 == exact.discarded


@pytest.mark.parametrize("cell", [1, 2, 3])
@pytest.mark.parametrize("n", [1, 2, 4, 8])
def test_aklt(n, cell):
    q = (-1 / 3) ** n
    one = aklt_cell()
    many = InfiniteTrain(cores=one.cores * cell, schmidt_values=one.schmidt_values * cell)
    found = haegeman_order(many, *ROTATIONS, n, start=-1)
    assert found.normalisation == pytest.approx((1 + 9 * q**2 - 6 * q**3) / 4, abs=1e-12)
    assert found.raw == pytest.approx(-(1 - 3 * q**2 - 2 * q**3) / 4, abs=1e-12)
    published = {1: -0.333, 2: -0.871, 4: -0.998, 8: -1.000}
    assert found.value == pytest.approx(published[n], abs=5e-4)


def test_one_symmetry_alone_has_no_sign():
    found = haegeman_order(aklt_cell(), ["Rz"], ["Rz"], 8)
    assert found.value == pytest.approx(1.0, abs=1e-6)
    assert haegeman_order(aklt_cell(), ["1"], ["1"], 3).value == 1.0


@pytest.mark.parametrize("state", [cluster_cell(), cluster_chain(24)])
def test_cluster(state):
    for n in (2, 4, 6):
        found = haegeman_order(state, *SUBLATTICES, n)
        assert found.value == pytest.approx(-1.0, abs=1e-12)
        assert found.normalisation == pytest.approx(0.25, abs=1e-12)
    assert haegeman_order(state, ["X"], SUBLATTICES[0], 4).value == pytest.approx(-1.0, abs=1e-12)


@pytest.mark.parametrize("state", [large_d_cell(), large_d_chain(16)])
def test_large_d(state):
    assert haegeman_order(state, *ROTATIONS).value == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("state", [product_cell([0, 2], 3), product_chain([0, 2] * 8, 3)])
def test_a_broken_state_is_undetermined(state):
    found = haegeman_order(state, *ROTATIONS, 2)
    assert found.value == pytest.approx(0.0, abs=1e-14)
    assert found.sign == 0
    assert "broken symmetry" in found.reason


def test_defaults():
    found = haegeman_order(aklt_chain(64), *ROTATIONS)
    assert found.sites == 12
    assert found.sign == -1
    assert found.cut == "bond between sites 25 and 26"
    assert haegeman_order(cluster_chain(64), ["X", "1", "1", "1", "1"], ["1"]).sites == 10


def test_what_does_not_fit():
    chain = aklt_chain(16)
    with pytest.raises(SettingsError, match="sites -1 to 16 do not fit a state of 16 sites"):
        haegeman_order(chain, *ROTATIONS, 6)
    with pytest.raises(SettingsError, match="block has 3 sites in a state of 2; wanted a positive"):
        haegeman_order(cluster_cell(), *SUBLATTICES, 3)
    with pytest.raises(SettingsError, match="pattern of operators is empty"):
        haegeman_order(chain, [], ["Rx"], 2)
