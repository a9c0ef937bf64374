"""All invariants of one state agree: from reduced density matrices, and from the bonds."""

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from phasenet.criteria import SPIN_SYMMETRIES, Symmetry
from phasenet.phases.exact import (
    aklt_cell,
    aklt_chain,
    cluster_cell,
    cluster_chain,
    large_d_cell,
    large_d_chain,
)
from phasenet.phases.many_body import many_body_invariants
from phasenet.phases.spt import invariants
from phasenet.storage.states import read_state
from phasenet.trains.infinite import InfiniteTrain

STATES = Path(__file__).resolve().parents[2] / "datasets" / "sample" / "states"
CLUSTER_SYMMETRIES = (
    Symmetry(name="Z2xZ2", kind="commutation", operators=(("X", "1"), ("1", "X"))),
    Symmetry(name="time reversal", kind="time reversal", operators=(("X",),)),
    Symmetry(name="conjugation", kind="time reversal", operators=(("1",),)),
    Symmetry(name="bond inversion", kind="inversion"),
)


def sample(name):
    return read_state(STATES / name)[1].train


CASES = {
    "AKLT": (aklt_cell(), SPIN_SYMMETRIES, [-1, -1, -1]),
    "AKLT chain": (aklt_chain(48, 0, 1), SPIN_SYMMETRIES, [-1, -1, -1]),
    "Haldane": (sample("D=0,Delta=1.infinite.state.h5"), SPIN_SYMMETRIES, [-1, -1, -1]),
    "D = 2": (sample("D=2,Delta=1.infinite.state.h5"), SPIN_SYMMETRIES, [1, 1, 1]),
    "large D": (large_d_cell(), SPIN_SYMMETRIES, [1, 1, 1]),
    "large D chain": (large_d_chain(24), SPIN_SYMMETRIES, [1, 1, 1]),
    "cluster": (cluster_cell(), CLUSTER_SYMMETRIES, [-1, -1, 1, 1]),
    "cluster chain": (cluster_chain(24), CLUSTER_SYMMETRIES, [-1, -1, 1, 1]),
}


@pytest.mark.parametrize("case", CASES)
def test_all_invariants_agree(case):
    state, symmetries, signs = CASES[case]
    many = many_body_invariants(state, symmetries, cell=len(symmetries[0].operators[0]))
    assert [invariant.sign for invariant in many] == signs
    from_bonds = invariants(state, symmetries, cell=len(symmetries[0].operators[0]))
    by_name = {invariant.name: invariant.value for invariant in from_bonds}
    for invariant in many:
        # Inversion needs a bond matrix of a long stretch, which a short chain does not have.
        value = by_name.get(invariant.name, 0)
        assert value == invariant.sign or (value == 0 and "chain" in case)


def test_short_blocks_have_no_sign():
    for invariant in many_body_invariants(sample("D=2,Delta=1.finite.state.h5")):
        assert invariant.value == pytest.approx(1.0, abs=0.25)
        assert invariant.sign == 0
        assert "sites for a correlation length of 3.9" in str(invariant)


@pytest.mark.parametrize("coupling", [0.2, 0.8, 1.2])
@pytest.mark.parametrize("boundary", ["finite", "infinite"])
def test_determined_signs_are_those_of_the_bonds(coupling, boundary):
    state = sample(f"D={coupling},Delta=1.{boundary}.state.h5")
    expected = {invariant.name: invariant.value for invariant in invariants(state)}
    for invariant in many_body_invariants(state):
        if invariant.sign and expected.get(invariant.name):
            assert invariant.sign == expected[invariant.name]


def test_gauge_and_phase_of_a_cell_change_nothing():
    rng = np.random.default_rng(0)
    gauge = scipy.stats.unitary_group.rvs(2, random_state=rng)
    one = aklt_cell()
    core = 1j * np.einsum("ab,bsc,dc->asd", gauge, one.cores[0], gauge.conj())
    turned = InfiniteTrain(cores=(core,), schmidt_values=one.schmidt_values)
    for found, expected in zip(
        many_body_invariants(turned, sites=3), many_body_invariants(one, sites=3), strict=True
    ):
        assert found.raw == pytest.approx(expected.raw, abs=1e-12)
        assert found.normalisation == pytest.approx(expected.normalisation, abs=1e-12)


def test_a_cut_for_each_symmetry():
    symmetries = [
        Symmetry(name=f"cut {cut}", kind="inversion", cut=cut, operators=(("1", "Z"),))
        for cut in (0, 1)
    ]
    cuts = [found.cut for found in many_body_invariants(cluster_chain(26), symmetries, cell=2)]
    assert cuts == ["bond between sites 13 and 14", "bond between sites 12 and 13"]
    cuts = [found.cut for found in many_body_invariants(cluster_cell(), symmetries)]
    assert cuts == ["bond left of the first site of the cell", "bond left of site 1 of the cell"]


def test_blocks_hold_whole_cells_and_patterns():
    found = many_body_invariants(cluster_chain(48), CLUSTER_SYMMETRIES, cell=3, sites=8)
    assert [invariant.sites for invariant in found] == [6, 6, 6, 6]
    assert found[0].cut == "bond between sites 20 and 21"


def test_a_chain_that_is_too_short():
    for found in many_body_invariants(aklt_chain(4)):
        assert math.isnan(found.value)
        assert found.sign == 0
        assert found.reason == "undetermined: 4 sites are too few for blocks of 1 sites"
    many = many_body_invariants(aklt_chain(12), sites=5)
    assert [invariant.sign for invariant in many] == [0, -1, -1]
    assert many[0].reason == "undetermined: 12 sites are too few for blocks of 5 sites"
