"""String orders of open chains at large distance: the error must be worth its name."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.criteria import StringOrder, spin_string
from phasenet.groundstates.solve import solve
from phasenet.phases.exact import aklt_chain, cluster_chain, large_d_chain, product_chain
from phasenet.phases.plateau import plateau, shanks, symmetric_strings
from phasenet.phases.strings import string_order, string_pairs
from phasenet.points import ParameterPoint
from phasenet.settings import RunSettings
from phasenet.storage.states import read_state
from phasenet.study import Boundary
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample" / "states"
POINTS = ("0", "0.8", "1.2")
HALF = np.sqrt(0.5)


def infinite(anisotropy):
    return read_state(SAMPLE / f"D={anisotropy},Delta=1.infinite.state.h5")[1].train


def cut_out(anisotropy, length, seed):
    """Chain with the bulk of an infinite ground state, and random ends."""
    train, rng = infinite(anisotropy), np.random.default_rng(seed)
    cores = [train.cores[k % train.cell] for k in range(length)]
    ends = [train.schmidt_values[0] * rng.normal(size=core.shape[0]) for core in cores[:1]]
    ends += [rng.normal(size=cores[-1].shape[2])]
    cores[0] = np.einsum("l,lsr->sr", ends[0], cores[0])[None]
    cores[-1] = (cores[-1] @ ends[1])[:, :, None]
    return TensorTrain(cores=tuple(cores))


@pytest.mark.parametrize("anisotropy", POINTS)
def test_the_infinite_value_lies_within_the_error_of_a_chain(anisotropy):
    for axis in ("x", "z"):
        string = spin_string(axis, 3)
        wanted = string_order(infinite(anisotropy), string).value
        for seed in (1, 2):
            found = plateau(state_form(cut_out(anisotropy, 64, seed)), string)
            assert abs(found.value - wanted) <= max(2.5 * found.error, 1e-6)
            # Worth something, too: away from both transitions, a few per cent.
            assert found.error < (0.01 if anisotropy == "0" else 0.1)


@pytest.mark.parametrize("anisotropy", POINTS)
def test_errors_of_short_chains_are_large_enough(anisotropy):
    state = read_state(SAMPLE / f"D={anisotropy},Delta=1.finite.state.h5")[1].train
    for axis in ("x", "z"):
        found = string_order(state, axis)
        wanted = string_order(infinite(anisotropy), axis).value
        assert abs(found.value - wanted) <= 2.0 * found.error


@pytest.mark.slow
def test_the_pinned_heisenberg_chain(haldane):
    finite = {"length": 64, "max_bond": 48, "pinning_field": 0.5}
    study = replace(haldane, settings=RunSettings.checked({"finite": finite}))
    state = solve(study, ParameterPoint.of(D=0.0, Delta=1.0), Boundary.FINITE)
    for axis in ("x", "z"):
        found = string_order(state.train, axis)
        # White and Huse, PRB 48, 3844 (1993).
        assert abs(found.value - 0.374325096) <= found.error < 1e-3


def test_symmetric_strings_are_pairs_about_the_middle():
    form = state_form(cut_out("0", 16, 3))
    found, pairs = symmetric_strings(form, spin_string("z", 3)), string_pairs(form, "z")
    np.testing.assert_array_equal(found.firsts, np.arange(8))
    np.testing.assert_array_equal(found.distances, 15 - 2 * np.arange(8))
    np.testing.assert_allclose(found.values, pairs[np.arange(8), 15 - np.arange(8)], atol=1e-13)


def test_strings_that_cannot_be_symmetric_are_nearly_so():
    string = replace(StringOrder.parse("Z [X 1] X Z"), start=1, period=2)
    found = symmetric_strings(state_form(cluster_chain(24)), string)
    np.testing.assert_array_equal(found.firsts, [1, 3, 5, 7, 9])
    np.testing.assert_array_equal(found.firsts + found.distances, [20, 18, 16, 14, 12])
    estimate = string_order(cluster_chain(24), string)
    assert estimate.value == pytest.approx(1.0, abs=1e-12)
    assert estimate.error == 0.0


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_states_without_a_correlation_length_have_no_error(axis):
    found = string_order(aklt_chain(64), axis)
    assert found.value == pytest.approx(4 / 9, abs=1e-10)
    assert found.error < 1e-6
    flat = string_order(large_d_chain(16), axis)
    assert (flat.value, flat.error) == (0.0, 0.0)
    assert string_order(large_d_chain(16), spin_string(axis, 3).trivial).value == 1.0


def test_superpositions_of_broken_states_keep_their_strings():
    cores = [np.zeros((2, 3, 2)) for _ in range(20)]
    for core in cores:
        core[0, 0, 0] = core[1, 2, 1] = 1.0
    cores[0], cores[-1] = cores[0].sum(axis=0)[None], cores[-1].sum(axis=2)[:, :, None]
    cat = TensorTrain(cores=tuple(cores))
    # Symmetric pairs have an even number of sites inside.
    found = string_order(cat, "z")
    assert (found.value, found.error) == (pytest.approx(-1.0, abs=1e-12), 0.0)
    assert string_order(cat, "x").value == pytest.approx(0.0, abs=1e-12)


def test_alternating_strings_are_those_of_one_sublattice():
    singlet = (
        np.array([[[HALF, 0.0], [0.0, HALF]]]),
        np.array([[[0.0], [1.0]], [[-1.0], [0.0]]]),
    )
    dimers = TensorTrain(cores=singlet * 16)
    found = string_order(dimers, "z")
    assert found.value == pytest.approx(1.0, abs=1e-12)
    assert found.error == 0.0
    assert found.method.endswith("from sites 0 modulo 2; others have 0")
    across = replace(spin_string("z", 2), start=1, period=2)
    assert string_order(dimers, across).value == pytest.approx(0.0, abs=1e-12)


def test_a_short_chain_has_no_plateau_and_says_why():
    found = string_order(product_chain([0, 2] * 4, 3), "z")
    assert math.isnan(found.value) and math.isnan(found.error)
    assert found.method == (
        "the chain of 8 sites has 4 strings about its middle, and a plateau needs 5"
    )
    never = StringOrder(name="far", left=("Sz",), inside=("1",), right=("Sz",), start=9, period=20)
    assert "has 0 strings" in string_order(product_chain([0, 2] * 4, 3), never).method


@pytest.mark.parametrize(("u", "v"), [(0.5, -0.8), (0.3, 1.7), (1.4, 2.0)])
def test_shanks_removes_two_exponentials(u, v):
    k = np.arange(5)
    assert shanks(0.25 + 0.1 * u**k - 0.03 * v**k) == pytest.approx(0.25, abs=1e-11)


def test_shanks_of_a_constant_or_a_line_is_nothing():
    assert math.isnan(shanks(np.ones(5)))
    assert math.isnan(shanks(np.arange(5.0)))
