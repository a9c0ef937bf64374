"""Overlaps of states against dense vectors, closed forms and the map of transfer itself."""

import itertools
import math

import numpy as np
import pytest
import scipy.linalg

from phasenet.errors import ShapeError
from phasenet.phases.exact import aklt_cell, aklt_chain, aklt_core, product_chain
from phasenet.phases.fidelity import fidelity, susceptibility
from phasenet.phases.spins import spin_matrix
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain


def random_chain(seed, length, site_dim, bond, *, complex_entries=True):
    rng = np.random.default_rng(seed)
    bonds = [1, *[bond] * (length - 1), 1]
    cores = []
    for left, right in itertools.pairwise(bonds):
        core = rng.normal(size=(left, site_dim, right))
        if complex_entries:
            core = core + 1j * rng.normal(size=core.shape)
        cores.append(core)
    return TensorTrain(cores=tuple(cores))


def dense(train):
    vector = np.ones((1, 1))
    for core in train.cores:
        vector = np.tensordot(vector, core, axes=(-1, 0)).reshape(-1, core.shape[2])
    return vector[:, 0] / np.linalg.norm(vector)


def tilted(angle, length):
    """Product of spins that are turned by an angle, one half of it in the amplitudes."""
    core = np.array([math.cos(angle / 2), math.sin(angle / 2)]).reshape(1, 2, 1)
    return TensorTrain(cores=(core,) * length)


def tilted_cell(angle, cell=1):
    cores = tilted(angle, cell).cores
    return InfiniteTrain(cores=cores, schmidt_values=(np.ones(1),) * cell)


@pytest.mark.parametrize(("site_dim", "length"), [(2, 8), (3, 6)])
def test_an_overlap_is_that_of_the_vectors(site_dim, length):
    for seed in range(3):
        one, other = (random_chain(seed + k, length, site_dim, 4) for k in (0, 100))
        wanted = math.log(abs(np.vdot(dense(one), dense(other)))) / length
        assert fidelity(one, other) == pytest.approx(wanted, abs=1e-12)
        assert fidelity(other, one) == pytest.approx(wanted, abs=1e-12)


def test_a_state_agrees_with_itself_in_any_gauge():
    one = random_chain(5, 7, 3, 4)
    scaled = TensorTrain(cores=(2j * one.cores[0], *one.cores[1:]))
    assert fidelity(one, scaled) == pytest.approx(0.0, abs=1e-13)
    assert fidelity(one, state_form(one)) <= 0.0
    assert fidelity(aklt_cell(), aklt_cell()) == pytest.approx(0.0, abs=1e-13)


def test_orthogonal_states_have_no_overlap():
    up, down = (product_chain((k,) * 6, 2) for k in (0, 1))
    assert fidelity(up, down) == -math.inf
    # Different total charge, with bonds that the charge grades differently.
    assert fidelity(aklt_chain(6, 0, 0), aklt_chain(6, 0, 1)) == -math.inf
    cells = [
        InfiniteTrain(cores=train.cores[:1], schmidt_values=(np.ones(1),)) for train in (up, down)
    ]
    assert fidelity(*cells) == -math.inf


def test_turned_spins_of_chains_and_cells_agree_with_the_closed_form():
    for angle in (1e-3, 0.3, 1.5):
        wanted = math.log(math.cos(angle / 2))
        assert fidelity(tilted(0.0, 20), tilted(angle, 20)) == pytest.approx(wanted, abs=1e-14)
        assert fidelity(tilted_cell(0.0, 2), tilted_cell(angle, 3)) == pytest.approx(
            wanted, abs=1e-14
        )


def test_a_long_chain_does_not_underflow():
    value = fidelity(tilted(0.0, 1500), tilted(2.0, 1500))
    assert value == pytest.approx(math.log(math.cos(1.0)), abs=1e-12)


def test_aklt_and_a_product_overlap_by_one_matrix():
    rng = np.random.default_rng(3)
    amplitudes = rng.normal(size=3) + 1j * rng.normal(size=3)
    amplitudes /= np.linalg.norm(amplitudes)
    cell = InfiniteTrain(cores=(amplitudes.reshape(1, 3, 1),) * 3, schmidt_values=(np.ones(1),) * 3)
    matrix = np.einsum("lsr,s->lr", aklt_core(), amplitudes.conj())
    wanted = math.log(np.abs(np.linalg.eigvals(matrix)).max())
    assert fidelity(aklt_cell(), cell) == pytest.approx(wanted, abs=1e-12)
    assert fidelity(cell, aklt_cell()) == pytest.approx(wanted, abs=1e-12)


def test_a_turned_aklt_state_is_the_same_state():
    # No charge is left to grade the second one.
    turn = scipy.linalg.expm(0.4j * spin_matrix("x", 3))
    core = np.einsum("ts,lsr->ltr", turn, aklt_core())
    turned = InfiniteTrain(cores=(core,), schmidt_values=aklt_cell().schmidt_values)
    assert fidelity(aklt_cell(), turned) == pytest.approx(0.0, abs=1e-12)


def test_two_different_kinds_or_sizes_cannot_be_compared():
    with pytest.raises(ShapeError, match="one state is an open chain, the other infinite"):
        fidelity(aklt_cell(), aklt_chain(4))
    with pytest.raises(ShapeError, match="4 and 5 sites of dimensions \\[3\\] and \\[3\\]"):
        fidelity(aklt_chain(4), aklt_chain(5))
    with pytest.raises(ShapeError, match=r"dimensions \[3\] and \[2\]; wanted the same"):
        fidelity(aklt_cell(), tilted_cell(0.1))


def test_the_susceptibility_of_turned_spins_is_a_quarter():
    # F = cos(angle / 2), so that -2 ln F / angle^2 = 1/4 + O(angle^2).
    steps = np.array([0.1, 0.05])
    values = np.array([fidelity(tilted(0.0, 5), tilted(step, 5)) for step in steps])
    np.testing.assert_allclose(susceptibility(values, steps), 0.25, rtol=1e-3)
