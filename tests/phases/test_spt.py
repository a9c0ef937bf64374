"""Invariants of closed-form states, in any gauge and cell."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from phasenet.criteria import SPIN_SYMMETRIES, Symmetry
from phasenet.errors import SettingsError
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
from phasenet.phases.spins import pi_rotation, spin_matrix
from phasenet.phases.spt import commutation_invariant, invariants
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain


def values(train):
    return [invariant.value for invariant in invariants(train)]


def rotated(core, unitary):
    return np.einsum("st,ltr->lsr", unitary, core)


def in_another_gauge(train, seed):
    """The same infinite state: unitaries within degenerate Schmidt values, and phases."""
    rng = np.random.default_rng(seed)
    bonds = [scipy.stats.unitary_group.rvs(dim, random_state=rng) for dim in train.bond_dims]
    cores = []
    for site, core in enumerate(train.cores):
        left, right = bonds[site], bonds[(site + 1) % train.cell]
        phase = np.exp(2j * np.pi * rng.uniform())
        cores.append(phase * np.einsum("ab,bsc,dc->asd", left, core, right.conj()))
    return InfiniteTrain(cores=tuple(cores), schmidt_values=train.schmidt_values)


def in_another_finite_gauge(state, seed):
    """The same finite state up to a factor: invertible matrices on every bond."""
    rng = np.random.default_rng(seed)
    cores = list(state.cores)
    for bond, dim in enumerate(state.bond_dims):
        gauge = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim)) + 2 * np.eye(dim)
        cores[bond] = np.tensordot(cores[bond], gauge, axes=(2, 0)) * 3j
        cores[bond + 1] = np.tensordot(np.linalg.inv(gauge), cores[bond + 1], axes=(1, 0))
    return TensorTrain(cores=tuple(cores))


@pytest.mark.parametrize("cell", [1, 2, 3])
def test_aklt_is_protected_in_every_way(cell):
    one = aklt_cell()
    many = InfiniteTrain(cores=one.cores * cell, schmidt_values=one.schmidt_values * cell)
    for invariant in invariants(many):
        assert invariant.value == -1
        assert invariant.raw == pytest.approx(-1.0, abs=1e-12)
        assert invariant.eta == pytest.approx(1.0, abs=1e-12)
        assert invariant.reason == "determined"


@pytest.mark.parametrize("length", [12, 17, 32])
def test_finite_aklt(length):
    found = invariants(aklt_chain(length, 0, 1))
    assert [invariant.name for invariant in found] == ["Z2xZ2", "time reversal"]
    assert [invariant.value for invariant in found] == [-1, -1]
    assert found[0].cut == f"bond between sites {length // 2 - 1} and {length // 2}"


def test_large_d_is_trivial():
    assert values(large_d_cell()) == [1, 1, 1]
    assert values(large_d_chain(16)) == [1, 1]


@pytest.mark.parametrize("state", [product_cell([0, 2], 3), product_chain([0, 2] * 8, 3)])
def test_neel_is_undetermined(state):
    for invariant in invariants(state):
        assert invariant.value == 0
        assert invariant.eta < 0.5
        assert "symmetry broken" in invariant.reason


@pytest.mark.parametrize("seed", range(4))
def test_gauge_and_phase_change_nothing(seed):
    assert values(in_another_gauge(aklt_cell(), seed)) == [-1, -1, -1]
    assert values(in_another_finite_gauge(aklt_chain(16), seed)) == [-1, -1]
    assert values(in_another_finite_gauge(large_d_chain(16), seed)) == [1, 1]


def test_a_symmetric_local_rotation_changes_nothing():
    turn = scipy.linalg.expm(0.7j * spin_matrix("z", 3) @ spin_matrix("z", 3))
    cell = InfiniteTrain(
        cores=(rotated(aklt_cell().cores[0], turn),), schmidt_values=aklt_cell().schmidt_values
    )
    axes = [[pi_rotation(axis, 3)] for axis in ("x", "z")]
    assert commutation_invariant(cell, *axes).value == -1


def test_an_unsymmetric_rotation_breaks_the_symmetry():
    x, z = spin_matrix("x", 3), spin_matrix("z", 3)
    turn = scipy.linalg.expm(0.5j * (x @ z + z @ x) + 0.3j * (x @ x @ z + z @ x @ x))
    chain = TensorTrain(cores=tuple(rotated(core, turn) for core in aklt_chain(16).cores))
    assert invariants(chain)[0].value == 0


def test_cluster_state_under_the_spin_flips_of_each_sublattice():
    one, flip = np.eye(2), 2 * spin_matrix("x", 2)
    found = commutation_invariant(cluster_cell(), [flip, one], [one, flip], name="sublattices")
    assert (found.name, found.value) == ("sublattices", -1)
    chain = commutation_invariant(cluster_chain(16), [flip, one] * 8, [one, flip] * 8)
    assert chain.value == -1


@pytest.mark.parametrize(("shift", "wanted"), [(0, 1), (1, -1)])
def test_the_invariant_of_dimers_belongs_to_the_cut(shift, wanted):
    first = np.array([[[1.0, 0.0], [0.0, 1.0]]]) * np.sqrt(0.5)
    second = np.array([[[0.0], [1.0]], [[-1.0], [0.0]]])
    cores, schmidt = (first, second), (np.ones(1), np.full(2, np.sqrt(0.5)))
    order = (shift, 1 - shift)
    dimers = InfiniteTrain(
        cores=tuple(cores[k] for k in order), schmidt_values=tuple(schmidt[k] for k in order)
    )
    assert values(dimers)[:2] == [wanted, wanted]


def test_a_cat_state_is_undetermined():
    cores = []
    for state, opposite in ((0, 2), (2, 0)):
        core = np.zeros((2, 3, 2))
        core[0, state, 0] = core[1, opposite, 1] = 1.0
        cores.append(core)
    half = (np.full(2, np.sqrt(0.5)),) * 2
    for invariant in invariants(InfiniteTrain(cores=tuple(cores), schmidt_values=half)):
        assert invariant.value == 0
        assert "stay correlated" in invariant.reason
    chain = [*cores * 8]
    ends = (chain[0].sum(axis=0, keepdims=True), chain[-1].sum(axis=2, keepdims=True))
    for invariant in invariants(TensorTrain(cores=(ends[0], *chain[1:-1], ends[1]))):
        assert invariant.value == 0
        assert "stay correlated" in invariant.reason


def test_entangled_ends_are_undetermined():
    # The end spins form a singlet: the half chain then carries an integer spin, and its trivial
    # action must not pass for that of the bulk.
    core, one = aklt_cell().cores[0], np.eye(2)
    bulk = np.einsum("asb,ct->acsbt", core, one).reshape(4, 3, 4)
    first = np.einsum("lsb->sbl", core).reshape(1, 3, 4)
    last = np.einsum("asr,tr->ats", core, np.array([[0.0, 1.0], [-1.0, 0.0]])).reshape(4, 3, 1)
    for invariant in invariants(TensorTrain(cores=(first, *[bulk] * 14, last))):
        assert invariant.value == 0
        assert "entangled ends" in invariant.reason


def test_short_chains_say_so():
    for invariant in invariants(aklt_chain(6)):
        assert invariant.value == 0
        assert "6 sites are too few" in invariant.reason


def test_results_are_the_same_every_time():
    chain = in_another_finite_gauge(aklt_chain(16), 0)
    assert invariants(chain) == invariants(chain)


def at_cut(cut):
    return tuple(replace(symmetry, cut=cut) for symmetry in SPIN_SYMMETRIES)


def dimers(shift=0):
    """Infinite singlets between a site and the next, the first of them inside the cell."""
    first = np.array([[[1.0, 0.0], [0.0, 1.0]]]) * np.sqrt(0.5)
    second = np.array([[[0.0], [1.0]], [[-1.0], [0.0]]])
    cores, schmidt = (first, second), (np.ones(1), np.full(2, np.sqrt(0.5)))
    order = (shift, 1 - shift)
    return InfiniteTrain(
        cores=tuple(cores[k] for k in order), schmidt_values=tuple(schmidt[k] for k in order)
    )


@pytest.mark.parametrize("cut", [0, 1])
def test_the_bonds_of_aklt_are_all_alike(cut):
    cell = InfiniteTrain(cores=aklt_cell().cores * 2, schmidt_values=aklt_cell().schmidt_values * 2)
    found = invariants(cell, at_cut(cut))
    assert [invariant.value for invariant in found] == [-1, -1, -1]
    assert found[0].cut == f"bond left of {'site 1' if cut else 'the first site'} of the cell"


@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("cut", [0, 1])
def test_the_cut_chooses_the_bond_of_a_dimerised_cell(shift, cut):
    sign = 1 if shift == cut else -1
    assert [i.value for i in invariants(dimers(shift), at_cut(cut))] == [sign] * 3


@pytest.mark.parametrize("length", [15, 16, 17, 18])
@pytest.mark.parametrize("cut", [0, 1])
def test_the_cut_of_an_open_chain_is_of_the_kind_asked_for(length, cut):
    cores = dimers().cores
    up = np.array([1.0, 0.0]).reshape(1, 2, 1)
    chain = TensorTrain(cores=(*cores * (length // 2), *[up] * (length % 2)))
    found = invariants(chain, at_cut(cut), cell=2)
    assert [invariant.value for invariant in found] == [-1 if cut else 1] * 2
    bond = int(found[0].cut.split()[-1])
    assert bond % 2 == cut
    assert abs(bond - length // 2) <= 1


@pytest.mark.parametrize("cut", [0, 1])
def test_patterns_repeat_along_the_cell(cut):
    sublattices = Symmetry(
        name="sublattices", kind="commutation", operators=(("X", "1"), ("1", "X")), cut=cut
    )
    one = cluster_cell()
    cell = InfiniteTrain(cores=one.cores * 2, schmidt_values=one.schmidt_values * 2)
    for train in (one, cell, cluster_chain(16)):
        (found,) = invariants(train, (sublattices,), cell=2)
        assert (found.name, found.value) == ("sublattices", -1)


def test_time_reversal_with_another_unitary():
    # The cluster state is real; the flip of all spins acts on its bond as the product of those of
    # the two sublattices, which anticommute.
    plain = Symmetry(name="conjugation", kind="time reversal", operators=(("1",),))
    flip = Symmetry(name="flip", kind="time reversal", operators=(("X",),))
    found = invariants(cluster_cell(), (plain, flip))
    assert [(i.name, i.value) for i in found] == [("conjugation", 1), ("flip", -1)]


@pytest.mark.parametrize(("turned", "signs"), [(False, [-1, 1]), (True, [1, -1])])
def test_inversion_with_a_unitary(turned, signs):
    # A singlet is odd under the exchange of its spins, the triplet with m = 0 is even; Z on both
    # spins multiplies either by -1.
    first, second = dimers().cores
    if turned:
        second = rotated(second, np.diag([1.0, -1.0]))
    cell = InfiniteTrain(cores=(first, second), schmidt_values=dimers().schmidt_values)
    plain = Symmetry(name="plain", kind="inversion", cut=1)
    with_z = Symmetry(name="with Z", kind="inversion", operators=(("Z",),), cut=1)
    assert [i.value for i in invariants(cell, (plain, with_z))] == signs


def test_a_pattern_that_does_not_fit_the_cell_is_one_line():
    symmetry = Symmetry(name="odd", kind="time reversal", operators=(("Ry", "1"),))
    with pytest.raises(SettingsError, match="'odd' repeats every 2 sites and the cell has 1; give"):
        invariants(aklt_cell(), (symmetry,))
    with pytest.raises(SettingsError, match="Pauli matrix X acts on 2 local states"):
        flip = Symmetry(name="flip", kind="time reversal", operators=(("X",),))
        invariants(aklt_cell(), (flip,))


def test_no_symmetries_are_no_invariants():
    assert invariants(aklt_cell(), ()) == ()
    assert invariants(aklt_chain(12), ()) == ()
