"""Candidates, and the choice among them."""

import dataclasses

import numpy as np
import pytest

from phasenet.compression import (
    Candidate,
    Compressed,
    CompressionCurve,
    CompressSettings,
    candidates,
    choose,
    mean_and_spread,
)
from phasenet.errors import SettingsError


def row(name, parameters, validation, test=0.5):
    return Compressed(
        candidate=Candidate(family=name, size=2.0),
        parameters=parameters,
        validation=np.asarray(validation, float),
        test=np.full(len(validation), test),
        weights={"w": np.zeros(1)},
    )


CURVE = CompressionCurve(
    name="net",
    classes=("a", "b"),
    original=dataclasses.replace(row("original", 1000, [0.90]), weights={}),
    rows=(
        row("tucker", 500, [0.90, 0.91], test=0.1),
        row("mpo", 100, [0.894, 0.898], test=0.2),
        row("cp", 50, [0.80, 0.88], test=0.9),
        row("narrow dense", 40, [0.84, 0.84]),
        Compressed(candidate=Candidate(family="low rank", size=50.0), note="nothing is as small"),
        dataclasses.replace(row("one train, cross", 10, [0.90]), weights={}),
    ),
    nulls=(),
    shots=(1, 1, 1),
)


def test_the_smallest_network_within_some_points_is_chosen_by_validation_alone():
    assert choose(CURVE, within=0.5).candidate.family == "mpo"
    assert choose(CURVE, within=0.0).candidate.family == "tucker"
    assert choose(CURVE, within=6.5).candidate.family == "narrow dense"


def test_the_best_network_at_a_ratio_is_chosen_by_validation_alone():
    # On the test shots, cp would have won.
    assert choose(CURVE, ratio=5).candidate.family == "mpo"
    assert choose(CURVE, ratio=20).candidate.family == "cp"
    assert choose(CURVE, ratio=25).candidate.family == "narrow dense"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"ratio": 30.0}, "none of 4 networks is 30 times smaller: they are up to 25 times"),
        ({"within": -3.0}, "loses at most -3 points: .* the best loses -0.50 points"),
        ({}, "needs either --within POINTS or --ratio R"),
        ({"within": 1.0, "ratio": 2.0}, "needs either"),
    ],
)
def test_a_choice_that_cannot_be_made_says_why(rule, message):
    with pytest.raises(SettingsError, match=message):
        choose(CURVE, **rule)


def test_no_network_at_all_is_said():
    with pytest.raises(SettingsError, match="no candidate of net is a network"):
        choose(dataclasses.replace(CURVE, rows=()), ratio=2.0)


def test_candidates_are_all_families_at_all_ratios_and_trains_of_all_ranks():
    found = candidates(CompressSettings())
    assert len(found) == len(set(found)) == 5 * 5 + 2 * 4
    assert {c.method for c in found} == {None, "cross", "sketch"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"families": ["svd"]}, "compress setting 'families.0' is 'svd'"),
        ({"ratios": [1.0]}, "compress setting 'ratios.0' is 1.0"),
        ({"epoch": 3}, "did you mean 'epochs'"),
    ],
)
def test_settings_that_make_no_sense_are_one_sentence(values, message):
    with pytest.raises(SettingsError, match=message):
        CompressSettings.checked(values)


def test_spread_is_that_of_a_sample():
    assert mean_and_spread(np.array([1.0, 3.0])) == pytest.approx((2.0, 2**0.5))
    assert np.isnan(mean_and_spread(np.array([1.0]))[1])
    assert np.isnan(mean_and_spread(np.array([]))[0])
