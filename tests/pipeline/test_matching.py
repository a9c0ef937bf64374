"""Pairs of points that look the same locally."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.errors import ShapeError
from phasenet.phases.correlations import correlations, expectations
from phasenet.phases.exact import aklt_cell, aklt_chain, large_d_cell, product_cell, product_chain
from phasenet.pipeline.matching import local_profile, matched_pairs
from phasenet.points import ParameterPoint
from phasenet.settings import ControlSettings
from phasenet.shots import SampledPoint
from phasenet.storage.states import read_state
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

STATES = Path(__file__).resolve().parents[2] / "datasets" / "sample" / "states"
COUPLINGS = (0, 0.2, 0.4, 0.8, 1.2, 1.6, 1.8, 2)


def point_of(label, k=0, split="train", control=""):
    return SampledPoint(
        point=ParameterPoint.of(D=k), label=label, split=split, reason="test", control=control
    )


def random_chain(seed, length=5, dim=3):
    rng = np.random.default_rng(seed)
    bonds = [1, *[3] * (length - 1), 1]
    cores = [
        rng.normal(size=(a, dim, b)) + 1j * rng.normal(size=(a, dim, b))
        for a, b in itertools.pairwise(bonds)
    ]
    return TensorTrain(cores=tuple(cores))


def random_cell(seed):
    rng = np.random.default_rng(seed)
    cores = tuple(rng.normal(size=(3, 3, 3)) for _ in range(2))
    return state_form(InfiniteTrain(cores=cores, schmidt_values=(np.ones(3),) * 2))


def dense_profile(state, reach):
    """Averages over all sites of all configurations, weighed by their probabilities."""
    dim = state.site_dims[0]
    words = np.array(list(itertools.product(range(dim), repeat=state.length)))
    p = np.abs(state(words)) ** 2
    p /= p.sum()
    densities = [p @ (words == k).mean(axis=1) for k in range(dim)]
    spins = (dim - 1) / 2 - words
    pairs = [
        [p @ (values[:, r:] * values[:, :-r]).mean(axis=1) for r in range(1, reach + 1)]
        for values in (spins, spins**2)
    ]
    return np.array(densities), np.array(pairs)


@pytest.mark.parametrize(("dim", "seed"), [(2, 0), (3, 1), (3, 2), (4, 3)])
def test_profiles_of_chains_against_all_configurations(dim, seed):
    state = random_chain(seed, dim=dim)
    densities, pairs = dense_profile(state, 3)
    found = local_profile(state_form(state), 3)
    np.testing.assert_allclose(found.densities, densities, atol=1e-13)
    np.testing.assert_allclose(found.correlations, pairs, atol=1e-12)
    assert found.sites == 5


def test_profiles_of_infinite_states_are_averages_over_the_cell():
    form = random_cell(4)
    found = local_profile(form, 5)
    assert found.sites == 0
    assert found.densities.sum() == pytest.approx(1.0)
    square = tuple(map(tuple, np.diag([1.0, 0.0, 1.0])))
    assert found.densities[0] + found.densities[2] == pytest.approx(
        expectations(form, square).mean()
    )
    for row, operator in zip(found.correlations, ("Sz", square), strict=True):
        starts = [correlations(form, operator, operator, start, 5) for start in (0, 1)]
        np.testing.assert_allclose(row, np.mean(starts, axis=0), atol=1e-12)
    # The cell may begin anywhere.
    shifted = state_form(
        InfiniteTrain(
            cores=form.cores[1:] + form.cores[:1],
            schmidt_values=form.schmidt_values[1:] + form.schmidt_values[:1],
        )
    )
    np.testing.assert_allclose(local_profile(shifted, 5).correlations, found.correlations)


def test_profile_of_aklt():
    found = local_profile(state_form(aklt_cell()), 4)
    np.testing.assert_allclose(found.densities, 1 / 3)
    distances = np.arange(1, 5)
    np.testing.assert_allclose(found.correlations[0], 4 / 3 * (-1 / 3) ** distances, atol=1e-14)
    np.testing.assert_allclose(found.correlations[1], 4 / 9, atol=1e-14)


def test_a_short_chain_is_compared_over_its_length():
    forms = [state_form(random_chain(seed)) for seed in (0, 1)]
    points = [point_of("a"), point_of("b")]
    (pair,) = matched_pairs(forms, points, ControlSettings(matched=1, matched_range=9))
    assert pair.reach == 4


@pytest.fixture(scope="module")
def haldane():
    """States of the sample on both sides of the transition at D = 0.968."""
    trains = [read_state(STATES / f"D={D:g},Delta=1.finite.state.h5")[1].train for D in COUPLINGS]
    points = [point_of("haldane" if D < 1 else "large_d", D) for D in COUPLINGS]
    return [state_form(train) for train in trains], points


def test_the_closest_points_of_two_phases(haldane):
    forms, points = haldane
    pairs = matched_pairs(forms, points, ControlSettings(matched=10))
    # Zeros become more with D: points next to the transition are closest.
    assert [(pair.first, pair.second) for pair in pairs] == [(3, 4), (2, 5), (1, 6), (0, 7)]
    differences = [pair.density_difference for pair in pairs]
    assert differences == sorted(differences)
    zeros = [1 - expectations(forms[k], ((1, 0, 0), (0, 0, 0), (0, 0, 1))).mean() for k in (3, 4)]
    assert pairs[0].density_difference == pytest.approx(zeros[1] - zeros[0], abs=1e-12)
    assert pairs[0].density_difference > 0.05  # far apart, and the pair says so
    assert pairs[0].correlation_difference > 0.05
    assert matched_pairs(forms, points, ControlSettings(matched=2)) == pairs[:2]


def test_only_labelled_shots_as_they_were_measured(haldane):
    forms, points = haldane
    points = [
        *points[:3],
        replace(points[3], label=None, split="unlabelled"),
        replace(points[4], split="control", control="sign scramble"),
        replace(points[5], split="critical"),
        replace(points[6], split="test"),
        replace(points[7], split="validation"),
    ]
    pairs = matched_pairs(forms, points, ControlSettings(matched=10))
    assert [(pair.first, pair.second) for pair in pairs] == [(2, 5), (1, 6), (0, 7)]


def test_densities_decide_first_then_correlations():
    # All have as many zeros; of those with the same correlations one is found.
    words = {"a": [0, 2, 1, 1] * 2, "b": [0, 1, 2, 1] * 2, "c": [0, 2, 1, 1] * 2}
    trains = [product_chain(word, 3) for word in words.values()]
    forms = [state_form(train) for train in trains]
    points = [point_of(label, k) for k, label in enumerate(words)]
    (pair,) = matched_pairs(forms, points, ControlSettings(matched=3))
    assert (pair.first, pair.second) == (0, 2)
    assert pair.density_difference == 0.0
    assert pair.correlation_difference == 0.0


def test_a_string_order_may_be_all_that_differs():
    # AKLT and a chain of zeros differ in everything; AKLT and itself under another name in nothing.
    forms = [state_form(state) for state in (aklt_cell(), large_d_cell(), aklt_cell())]
    points = [point_of("haldane"), point_of("large_d", 1), point_of("trivial", 2)]
    (pair,) = matched_pairs(forms, points, ControlSettings(matched=1))
    assert (pair.first, pair.second) == (0, 2)
    assert max(pair.density_difference, pair.correlation_difference) < 1e-12


def test_chains_of_different_lengths_are_no_pair():
    forms = [state_form(aklt_chain(8)), state_form(aklt_chain(10)), state_form(aklt_cell())]
    points = [point_of(label, k) for k, label in enumerate("abc")]
    assert matched_pairs(forms, points, ControlSettings(matched=3)) == ()


def test_nothing_is_contracted_unless_pairs_are_asked_for():
    assert matched_pairs(iter(()), [point_of("a")], ControlSettings()) == ()


def test_sites_of_several_kinds():
    cores = (np.ones((1, 2, 1)), np.ones((1, 3, 1)))
    form = state_form(TensorTrain(cores=cores))
    with pytest.raises(ShapeError, match="2, 3 local states; matched pairs need the same number"):
        local_profile(form, 1)
    assert local_profile(state_form(product_cell([0, 1], 2)), 1).correlations[0] == -0.25
