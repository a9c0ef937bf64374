"""String orders at infinite distance, against closed forms and long strings."""

import itertools
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.criteria import StringOrder, spin_string
from phasenet.errors import SettingsError
from phasenet.groundstates.solve import solve
from phasenet.phases.exact import (
    aklt_cell,
    aklt_core,
    cluster_cell,
    large_d_cell,
    product_cell,
    product_chain,
)
from phasenet.phases.spins import on_site
from phasenet.phases.string_limits import string_limit
from phasenet.phases.strings import string_order
from phasenet.points import ParameterPoint
from phasenet.settings import RunSettings
from phasenet.storage.states import read_state
from phasenet.study import Boundary, load_study
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain

AXES = ("x", "y", "z")
ROOT = Path(__file__).resolve().parents[2]
SAMPLE, SIMULATIONS = ROOT / "datasets" / "sample" / "states", ROOT / "simulations"
HALF = np.sqrt(0.5)
# A singlet on the bond inside a cell: state and Schmidt values of its two sites.
SINGLET = (
    np.array([[[HALF, 0.0], [0.0, HALF]]]),
    np.array([[[0.0], [1.0]], [[-1.0], [0.0]]]),
)


def cell_of(cores, *schmidt):
    return InfiniteTrain(cores=tuple(cores), schmidt_values=tuple(map(np.asarray, schmidt)))


DIMERS = cell_of(SINGLET, [1.0], [HALF, HALF])
DIMERS_ACROSS = cell_of(SINGLET[::-1], [HALF, HALF], [1.0])


def rung_triplets():
    """AKLT state of the triplets on the rungs of a ladder, two spins 1/2 for each spin 1."""
    triplets = np.zeros((3, 2, 2))
    triplets[0, 0, 0] = triplets[2, 1, 1] = 1.0
    triplets[1, 0, 1] = triplets[1, 1, 0] = HALF
    pair = np.einsum("lsr,sab->labr", aklt_core(), triplets).reshape(4, 4)
    u, s, vh = np.linalg.svd(pair)
    # Right-canonical: the weight goes to the left site.
    left, right = (u * s).reshape(2, 2, 4), vh.reshape(4, 2, 2)
    rho = np.einsum("lsr,lsq->rq", left, left) / 2
    weights, turn = np.linalg.eigh(rho)
    kept = weights > 1e-12
    turn, weights = turn[:, kept], weights[kept]
    left, right = left @ turn, np.einsum("ra,rsb->asb", turn, right)
    return cell_of((left, right) * 2, *[[HALF, HALF], np.sqrt(weights)] * 2)


@pytest.mark.parametrize(("axis", "cell"), list(itertools.product(AXES, (1, 2, 3))))
def test_aklt_is_four_ninths_whatever_the_cell(axis, cell):
    one = aklt_cell()
    state = InfiniteTrain(cores=one.cores * cell, schmidt_values=one.schmidt_values * cell)
    found = string_order(state, axis)
    assert found.value == pytest.approx(4 / 9, abs=1e-12)
    assert (found.error, found.method) == (0.0, "exact, r -> infinity")
    trivial = string_order(state, spin_string(axis, 3).trivial)
    assert trivial.value == 0.0
    assert f"decay by a factor {3.0**-cell:.4g} per cell" in trivial.method


@pytest.mark.parametrize("axis", AXES)
def test_large_d_has_no_string_order_but_identity_strings(axis):
    assert string_order(large_d_cell(), axis).value == 0.0
    trivial = string_order(large_d_cell(), spin_string(axis, 3).trivial)
    assert trivial.value == pytest.approx(1.0, abs=1e-12)
    assert ("phase turns" in trivial.method) == (axis != "z")


def test_neel_has_string_order_along_z_only():
    neel = product_cell([0, 2], 3)
    assert string_order(neel, "z").value == pytest.approx(1.0, abs=1e-12)
    broken = string_order(neel, "x")
    assert broken.value == 0.0
    assert broken.method == "exact, r -> infinity: strings decay by a factor 0 per cell"


@pytest.mark.parametrize("branches", [((0,), (2,)), ((0, 2), (2, 0))])
def test_superpositions_of_broken_states_keep_their_strings(branches):
    length = len(branches[0])
    cores = [np.zeros((2, 3, 2)) for _ in range(length)]
    for branch, states in enumerate(branches):
        for core, state in zip(cores, states, strict=True):
            core[branch, state, branch] = 1.0
    cat = cell_of(cores, *[[HALF, HALF]] * length)
    # Ferromagnetic strings alternate: over an even number of sites inside they are -1.
    wanted, found = -1.0 if length == 1 else 1.0, string_order(cat, "z")
    assert found.value == pytest.approx(wanted, abs=1e-12)
    assert ("phase turns" in found.method) == (length == 1)
    assert string_order(cat, "z", (0, 101)).value == pytest.approx(wanted, abs=1e-12)
    # R^x takes one branch to the other, and both have the same S^x: none.
    assert string_order(cat, "x").value == 0.0
    # In the cat state the symmetry is whole: a string of flips that ends is another matter.
    assert string_order(cat, spin_string("x", 3).trivial).value == 0.0


@pytest.mark.parametrize(("axis", "start"), list(itertools.product(AXES, (0, 1))))
def test_spin_half_dimers_have_string_order_across_their_singlets(axis, start):
    string = replace(spin_string(axis, 2), start=start, period=2)
    for state, inside_cell in ((DIMERS, True), (DIMERS_ACROSS, False)):
        wanted = float((start == 0) == inside_cell)
        found = string_order(state, string)
        assert found.value == pytest.approx(wanted, abs=1e-12)
        assert string_order(state, string, (start, start + 101)).value == pytest.approx(
            wanted, abs=1e-12
        )
        ends = string_order(state, string.trivial)
        assert abs(ends.value) == pytest.approx(1.0 - wanted, abs=1e-12)


def test_what_depends_on_the_sublattice_is_said():
    found = string_order(DIMERS, "z")
    assert found.value == pytest.approx(1.0, abs=1e-12)
    assert found.method == (
        "exact, r -> infinity from site 0 with a multiple of 2 sites inside; others have 0 to 1"
    )


@pytest.mark.parametrize("state", ["dimers", "rungs", "ground state"])
def test_every_start_and_distance_has_its_limit(state):
    train = {"dimers": DIMERS, "rungs": rung_triplets()}.get(state)
    train = (
        read_state(SAMPLE / "D=2,Delta=1.infinite.state.h5")[1].train if train is None else train
    )
    form, found = state_form(train), []
    for start, beyond in itertools.product(range(train.cell), repeat=2):
        left = ("1", *["Rz"] * beyond)
        string = StringOrder(
            name="z", left=left, inside=("Rz",), right=("1",), start=start, period=train.cell
        )
        distance = 1 + beyond + 60 * train.cell
        far = string_order(form, string, (start, start + distance)).value
        found.append(far)
        assert string_order(form, string).value == pytest.approx(far, abs=1e-9)
    method = string_order(form, StringOrder.parse("1 [Rz] 1")).method
    if np.ptp(found) > 1e-3:
        assert method.endswith(f"others have {min(found) + 0.0:.4g} to {max(found) + 0.0:.4g}")
    else:
        assert method == "exact, r -> infinity"


@pytest.mark.parametrize("axis", AXES)
def test_rungs_of_a_ladder_carry_spin_one(axis):
    string = replace(spin_string(axis, 2), start=1, period=2)
    found = string_order(rung_triplets(), string)
    assert found.value == pytest.approx(4 / 9, abs=1e-12)
    assert found.method == "exact, r -> infinity"
    assert string_order(rung_triplets(), string.trivial).value == 0.0
    rungs = InfiniteTrain(cores=DIMERS.cores * 2, schmidt_values=DIMERS.schmidt_values * 2)
    assert string_order(rungs, string).value == 0.0
    assert string_order(rungs, string.trivial).value == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("start", [0, 1])
def test_strings_of_the_cluster_state(start):
    string = replace(StringOrder.parse("Z [X 1] X Z"), start=start, period=2)
    found = string_order(cluster_cell(), string)
    assert found.value == pytest.approx(1.0, abs=1e-12)
    assert string_order(cluster_cell(), string.trivial).value == 0.0
    # Of the product of all X alone, which an Ising coupling leaves: Smacchia et al. (2011).
    whole = StringOrder.parse("Z Y [X X] Y Z")
    assert string_order(cluster_cell(), whole).value == pytest.approx(1.0, abs=1e-12)
    plus = cell_of([np.full((1, 2, 1), HALF)], [1.0])
    assert string_order(plus, string).value == 0.0
    assert string_order(plus, string.trivial).value == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("text", ["X [Z 1] Z X", "X Y [Z Z] Y X"])
def test_strings_of_a_cluster_chain_with_its_field_along_z(text):
    hadamard = np.array([[1.0, 1.0], [1.0, -1.0]]) * HALF
    cores = [np.einsum("st,ltr->lsr", hadamard, core) for core in cluster_cell().cores]
    turned = InfiniteTrain(cores=tuple(cores), schmidt_values=cluster_cell().schmidt_values)
    string = StringOrder.parse(text)
    found = string_order(turned, string)
    assert found.value == pytest.approx(1.0, abs=1e-12)
    assert found.method == "exact, r -> infinity"
    up = product_cell([0], 2)
    assert string_order(turned, string.trivial).value == string_order(up, string).value == 0.0
    assert string_order(up, string.trivial).value == pytest.approx(1.0, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("field", [0.5, 2.0])
def test_strings_of_the_cluster_chain_in_a_field(field):
    study = load_study(SIMULATIONS / "cluster_field.py")
    study = replace(study, settings=RunSettings.checked({"infinite": {"max_bond": 24}}))
    state = solve(study, ParameterPoint.of(h=field), Boundary.INFINITE)
    # Each sublattice is an Ising chain: its order parameter, Pfeuty, Ann. Phys. 57, 79 (1970).
    ratio = min(field, 1.0 / field)
    wanted = (1.0 - ratio**2) ** 0.25
    for start in (0, 1):
        string = replace(StringOrder.parse("X [Z 1] Z X"), start=start, period=2)
        values = [string_order(state.train, kind).value for kind in (string, string.trivial)]
        there, absent = values if field < 1.0 else values[::-1]
        assert there == pytest.approx(wanted, abs=2e-6)
        assert absent == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("axis", AXES)
def test_rotated_states_keep_rotated_strings(axis):
    rng = np.random.default_rng(8)
    turn = np.linalg.qr(rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)))[0]
    state = cell_of([np.einsum("st,ltr->lsr", turn, aklt_core())], [HALF, HALF])
    end, inside = (turn @ on_site(f"{kind}{axis}", 3) @ turn.conj().T for kind in "SR")
    string = StringOrder(name="turned", left=(end,), inside=(inside,), right=(end,), factor=-1.0)
    assert string_order(state, string).value == pytest.approx(4 / 9, abs=1e-12)
    assert string_order(state, axis).value == 0.0


@pytest.mark.parametrize("anisotropy", ["0", "0.8", "1.2"])
def test_limits_of_ground_states_are_those_of_long_strings(anisotropy):
    state = read_state(SAMPLE / f"D={anisotropy},Delta=1.infinite.state.h5")[1].train
    form = state_form(state)
    for axis in ("x", "z"):
        for string in (spin_string(axis, 3), spin_string(axis, 3).trivial):
            limit = string_order(form, string)
            far = string_order(form, string, (0, 401)).value
            assert limit.error == 0.0
            # A finite bond dimension breaks rotations about x a little, and says so.
            eta = re.search(r"eta\| = (\S+) per", limit.method)
            decay = float(eta.group(1)) ** 200 if eta else 1.0
            assert decay > 0.99
            assert decay * limit.value == pytest.approx(far, abs=1e-4 if eta else 2e-6)
    if anisotropy == "0":
        # Bond dimension 24; White and Huse, PRB 48, 3844 (1993): 0.374325.
        assert string_order(form, "z").value == pytest.approx(0.374325, abs=1e-4)
        assert string_order(form, "x").value == pytest.approx(0.374325, abs=1e-4)


def test_a_limit_needs_an_infinite_state():
    with pytest.raises(SettingsError, match="needs an infinite state"):
        string_limit(state_form(product_chain([0, 1], 2)), spin_string("z", 2))
