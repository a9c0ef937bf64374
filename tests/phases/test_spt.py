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
from phasenet.phases.spt import commutation_invariant, invariants, inversion_invariant
from phasenet.trains.form import state_form
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
    assert [invariant.name for invariant in found] == ["Z2xZ2", "time reversal", "bond inversion"]
    for invariant in found:
        assert invariant.value == -1
        assert invariant.raw == pytest.approx(-1.0, abs=1e-6)
        assert invariant.eta == pytest.approx(1.0, abs=1e-4)
        assert invariant.cut == f"bond between sites {length // 2 - 1} and {length // 2}"


def test_large_d_is_trivial():
    assert values(large_d_cell()) == [1, 1, 1]
    assert values(large_d_chain(16)) == [1, 1, 1]


@pytest.mark.parametrize("state", [product_cell([0, 2], 3), product_chain([0, 2] * 8, 3)])
def test_neel_is_undetermined(state):
    for invariant in invariants(state):
        assert invariant.value == 0
        assert invariant.eta < 0.5
        assert "symmetry broken" in invariant.reason


@pytest.mark.parametrize("seed", range(4))
def test_gauge_and_phase_change_nothing(seed):
    assert values(in_another_gauge(aklt_cell(), seed)) == [-1, -1, -1]
    assert values(in_another_finite_gauge(aklt_chain(16), seed)) == [-1, -1, -1]
    assert values(in_another_finite_gauge(large_d_chain(16), seed)) == [1, 1, 1]


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
    assert values(dimers(shift))[:2] == [wanted, wanted]


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
        assert invariant.eta < 0.5
        assert "symmetry broken" in invariant.reason
        assert "in each of 2 entangled branches" in invariant.reason


def test_a_side_that_is_never_found_is_no_branch():
    # What correlates the far sides of the window is a projector on all that occurs there.
    words = ((2, 1, 1, 1, 2, 1, 0, 0), (2, 0, 2, 1, 2, 1, 0, 0), (2, 0, 0, 0, 2, 0, 2, 2))
    cores = [np.zeros((3, 3, 3)) for _ in words[0]]
    for k, word in enumerate(words):
        for core, state in zip(cores, word, strict=True):
            core[k, state, k] = 1.0
    first = np.tensordot([[0.67, 0.57, -0.47]], cores[0], axes=(1, 0))
    chain = TensorTrain(cores=(first, *cores[1:-1], cores[-1].sum(axis=2, keepdims=True)))
    for invariant in invariants(chain):
        assert invariant.value == 0
        assert "stay correlated" in invariant.reason


def test_entangled_ends_are_told_from_the_bulk():
    # The end spins form a singlet: the half chain then carries an integer spin, and its trivial
    # action must not pass for that of the bulk.
    core, one = aklt_cell().cores[0], np.eye(2)
    bulk = np.einsum("asb,ct->acsbt", core, one).reshape(4, 3, 4)
    first = np.einsum("lsb->sbl", core).reshape(1, 3, 4)
    last = np.einsum("asr,tr->ats", core, np.array([[0.0, 1.0], [-1.0, 0.0]])).reshape(4, 3, 1)
    for invariant in invariants(TensorTrain(cores=(first, *[bulk] * 22, last))):
        assert invariant.value == -1
        assert invariant.reason == "determined, in each of 2 entangled branches"


def test_a_superposition_of_two_phases_is_undetermined():
    cores = []
    for core, other in zip(aklt_chain(16).cores, large_d_chain(16).cores, strict=True):
        (a, dim, b), (c, _, d) = core.shape, other.shape
        joint = np.zeros((a + c, dim, b + d))
        joint[:a, :, :b], joint[a:, :, b:] = core, other
        cores.append(joint)
    cores[0], cores[-1] = cores[0].sum(axis=0, keepdims=True), cores[-1].sum(axis=2, keepdims=True)
    for invariant in invariants(TensorTrain(cores=tuple(cores))):
        assert invariant.value == 0
        assert "branches with different invariants" in invariant.reason


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
    assert [invariant.value for invariant in found] == [-1 if cut else 1] * 3
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
    chain = TensorTrain(cores=(first, second) * 9)
    plain = Symmetry(name="plain", kind="inversion", cut=1)
    with_z = Symmetry(name="with Z", kind="inversion", operators=(("Z",),), cut=1)
    for state in (cell, chain):
        assert [i.value for i in invariants(state, (plain, with_z), cell=2)] == signs
    assert inversion_invariant(chain).value == signs[0]


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


def stretched(length, xi):
    """AKLT state with more zeros: protected as well, with a longer correlation length."""
    share = np.exp(-1 / xi)
    core = np.zeros((2, 3, 2))
    core[0, 0, 1], core[1, 2, 0] = np.sqrt(1 - share), -np.sqrt(1 - share)
    core[0, 1, 0], core[1, 1, 1] = np.sqrt(share), -np.sqrt(share)
    cell = InfiniteTrain(cores=(core,), schmidt_values=aklt_cell().schmidt_values)
    return cell, TensorTrain(cores=(core[:1], *[core] * (length - 2), core[:, :, 1:]))


@pytest.mark.parametrize("xi", [3.0, 5.0, 7.9])
def test_the_correlation_length_against_the_size(xi):
    cell, chain = stretched(32, xi)
    for invariant in invariants(cell):
        assert invariant.value == -1
        assert invariant.correlation_length == pytest.approx(xi, rel=1e-9)
    for invariant in invariants(chain):
        assert invariant.value == -1
        assert invariant.correlation_length == pytest.approx(xi, rel=0.02)
    for invariant in invariants(stretched(int(3.8 * xi), xi)[1]):
        assert invariant.value == 0
        assert "4 xi > L, for a correlation length of" in invariant.reason


def test_a_long_broken_chain_is_no_symmetric_one():
    # Over its window hardly more than rounding noise is left of the symmetry.
    core = np.zeros((2, 3, 2))
    core[0, 0, 0] = core[1, 2, 0] = core[0, 2, 1] = 0.7
    core[1, 0, 1] = core[0, 1, 0] = core[1, 1, 1] = 0.2
    chain = TensorTrain(cores=(core[:1], *[core] * 398, core[:, :, :1]))
    for invariant in invariants(chain)[:2]:
        assert invariant.value == 0
        assert "symmetry broken" in invariant.reason


def cartesian(vectors):
    """Spin-1 core whose matrices of the states x, y and z are given."""
    x, y, z = vectors
    states = (-(x - 1j * y) / np.sqrt(2), z, (x + 1j * y) / np.sqrt(2))
    return np.stack(states, axis=1)


def singlets(spin_half, seed, length):
    """Random chain, symmetric under all rotations and under time reversal, in any gauge."""
    rng = np.random.default_rng(seed)
    if spin_half:
        vectors = [2 * spin_matrix(axis, 2) for axis in "xyz"]
        parts, mixes = [vectors], [rng.normal(size=(3, 3)) + 2 * np.eye(3)]
    else:
        ends = [np.zeros((4, 4)) for _ in range(3)]
        turns = [np.zeros((4, 4)) for _ in range(3)]
        for axis in range(3):
            ends[axis][0, axis + 1] = ends[axis][axis + 1, 0] = 1.0
            one, other = 1 + (axis + 1) % 3, 1 + (axis + 2) % 3
            turns[axis][one, other], turns[axis][other, one] = 1.0, -1.0
        parts = [ends, turns]
        mixes = [np.eye(2) + 0.3 * rng.normal(size=(2, 2)) for _ in parts]
    core = sum(
        cartesian([np.kron(vector, mix) for vector in part])
        for part, mix in zip(parts, mixes, strict=True)
    )
    chain = TensorTrain(cores=(core[:1], *[core] * (length - 2), core[:, :, :1]))
    return in_another_finite_gauge(chain, seed)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spin_half", [True, False])
def test_random_symmetric_chains(spin_half, seed):
    found = invariants(singlets(spin_half, seed, 40))[:2]
    for invariant in found:
        assert invariant.value == (-1 if spin_half else 1), str(invariant)


def test_operators_may_be_matrices():
    names = ("Rx", "Rz")
    matrices = [pi_rotation(axis, 3) for axis in "xz"]
    by_name = Symmetry(name="", kind="commutation", operators=tuple((name,) for name in names))
    by_matrix = Symmetry(name="", kind="commutation", operators=tuple([m] for m in matrices))
    for state in (aklt_cell(), aklt_chain(16), large_d_chain(16)):
        assert invariants(state, (by_name,)) == invariants(state, (by_matrix,))


def test_rotations_about_other_axes_keep_no_charge():
    # All rotations are symmetries of AKLT; these mix all charges.
    turn = scipy.linalg.expm(1j * (0.7 * spin_matrix("x", 3) + 0.4 * spin_matrix("y", 3)))
    tilted = [turn @ pi_rotation(axis, 3) @ turn.conj().T for axis in "xz"]
    assert commutation_invariant(aklt_cell(), [tilted[0]], [tilted[1]]).value == -1
    found = commutation_invariant(aklt_chain(16), [tilted[0]] * 16, [tilted[1]] * 16)
    assert found.value == -1
    # And of a rotated state the rotated ones, without any charge left.
    square = spin_matrix("z", 3) @ spin_matrix("z", 3)
    bent = turn @ scipy.linalg.expm(0.3j * square)
    chain = TensorTrain(cores=tuple(rotated(core, bent) for core in aklt_chain(16).cores))
    moved = [bent @ pi_rotation(axis, 3) @ bent.conj().T for axis in "xz"]
    assert commutation_invariant(chain, [moved[0]] * 16, [moved[1]] * 16).value == -1
    assert invariants(chain)[0].value == 0


def test_a_pattern_longer_than_the_cell_of_an_open_chain():
    sublattices = Symmetry(
        name="sublattices", kind="commutation", operators=(("X", "1"), ("1", "X")), cut=1
    )
    (found,) = invariants(cluster_chain(17), (sublattices,))
    assert (found.value, int(found.cut.split()[-1]) % 2) == (-1, 1)


def test_inversion_that_the_state_has_not():
    # A period of three, up up down: no bond of its kind is a centre of inversion of both signs.
    pattern = product_chain([0, 2, 1, 1] * 4 + [0], 3)
    found = inversion_invariant(pattern)
    assert found.value == 0
    assert "symmetry broken" in found.reason
    assert "an odd number of sites has no middle bond" in found.reason
    unlike = TensorTrain(cores=tuple(np.ones((1, 2 + k % 2, 1)) for k in range(16)))
    assert "no mirror images" in inversion_invariant(unlike).reason


def test_states_need_no_norm_and_no_gauge():
    chain = aklt_chain(16)
    big = TensorTrain(cores=tuple(1e5j * core for core in chain.cores), log_scale=3.0)
    assert values(big) == values(state_form(chain)) == [-1, -1, -1]
