"""Cross-validation by region: folds share no point, and each is a block of neighbours."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError
from phasenet.networks.crossvalidation import cross_validated, regions_of, without_region
from phasenet.settings import TrainSettings
from tests.networks.toy import chain, toy_line, with_points

SETTINGS = TrainSettings(channels=(4,), batch=64, max_epochs=4)
SPLITS = ("train", "validation", "train", "test", "train")


def line(count=6, start=0.0):
    """As many points of each class along D."""
    values = [round(start + 0.1 * k, 1) for k in range(2 * count)]
    return [
        (("haldane", "large_d")[k >= count], {"D": value, "Delta": 1.0}, SPLITS[k % len(SPLITS)])
        for k, value in enumerate(values)
    ]


def places(head, split):
    return {(p.label, p.point) for p in head.points if p.split == split}


def test_regions_are_intervals_of_each_phase():
    regions = regions_of(toy_line(line(), shots=1).head, 3)
    assert [region.name for region in regions] == [
        "D = 0 to 0.1 and D = 0.6 to 0.7",
        "D = 0.2 to 0.3 and D = 0.8 to 0.9",
        "D = 0.4 to 0.5 and D = 1 to 1.1",
    ]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 5), st.integers(0, 4), st.sampled_from(SPLITS)),
        min_size=8,
        max_size=40,
    ),
    st.integers(2, 6),
)
def test_folds_share_no_point_and_hold_all(drawn, folds):
    found = {(x, y): (bool(c), s) for c, x, y, s in drawn}
    given_places = [
        (("haldane", "large_d")[c], {"a": float(x), "b": float(y)}, s)
        for (x, y), (c, s) in found.items()
    ]
    data = toy_line([*line(8, start=20.0), *given_places], shots=1)
    regions = regions_of(data.head, folds)
    every = {(p.label, p.point) for p in data.head.points}
    assert sum(len(region.places) for region in regions) == len(every)
    assert set().union(*(region.places for region in regions)) == every
    for region in regions:
        parted = without_region(data, region)
        parts = {split: places(parted.head, split) for split in ("train", "validation", "test")}
        assert parts["test"] == region.places
        assert sum(len(part) for part in parts.values()) == len(every)
        # Both phases are left to train on and to stop by, and both are tested on.
        assert all(
            {label for label, _ in part} == {"haldane", "large_d"} for part in parts.values()
        )


def test_regions_of_a_plane_are_blocks():
    grid = [
        (label, {"x": float(x), "y": 10.0 * y + shift}, SPLITS[(x + y) % 5])
        for label, shift in (("haldane", 0.0), ("large_d", 100.0))
        for x in range(4)
        for y in range(4)
    ]
    for region in regions_of(toy_line(grid, shots=1).head, 4):
        for label in ("haldane", "large_d"):
            couplings = [p.as_dict() for name, p in region.places if name == label]
            assert len(couplings) == 4
            # A block holds all points of its bounding box.
            box = [len({c[name] for c in couplings}) for name in "xy"]
            assert np.prod(box) == 4


def test_what_is_never_trained_on_stays_out():
    data = toy_line([*line(), ("haldane", {"D": 0.55, "Delta": 1.0}, "critical")], shots=2)
    far = with_points(
        data,
        lambda p: replace(p, source=1) if p.point["D"] == 0.3 else p,
        sources=(chain(12), chain(20)),
    )
    for head, missing in ((data.head, {0.55}), (far.head, {0.55, 0.3})):
        held = {p["D"] for r in regions_of(head, 3) for _, p in r.places}
        assert {p.point["D"] for p in head.points} - held == missing
    parted = without_region(far, regions_of(far.head, 3)[0])
    assert {p.point["D"] for p in parted.head.points if p.split == "unlabelled"} == {0.55, 0.3}


def test_chains_at_one_place_are_left_out_together():
    data = toy_line([*line(), *line()], shots=1)
    for region in regions_of(data.head, 3):
        assert len(region.places) == 4
        assert len(without_region(data, region).in_split("test")) == 8


def test_points_that_stop_a_training_stay_what_they_are():
    data = toy_line(line(), shots=1)
    before = places(data.head, "validation")
    for region in regions_of(data.head, 3):
        parted = without_region(data, region)
        assert before - region.places <= places(parted.head, "validation")


@pytest.mark.parametrize(
    ("count", "folds", "words"),
    [
        (6, 1, "cross-validation has 1 regions; wanted 2 or more"),
        (2, 3, "phase haldane has 2 points to train and test on; cross-validation with 3 regions"),
        (3, 2, "phase haldane has 3 points .* and two beside each"),
    ],
)
def test_too_few_points_are_one_sentence(count, folds, words):
    with pytest.raises(SettingsError, match=words):
        regions_of(toy_line(line(count), shots=1).head, folds)


@pytest.mark.slow
def test_each_region_is_scored_by_networks_that_have_not_seen_it():
    data = toy_line(line())
    heard = []
    scores = cross_validated(
        data, SETTINGS, 3, seed=0, progress=lambda epoch, text: heard.append((epoch, text))
    )
    names = [region.name for region in regions_of(data.head, 3)]
    assert [(s.classifier, s.split) for s in scores] == [
        (classifier, name) for name in names for classifier in ("network", "local features")
    ]
    assert all(score.shots == 160 for score in scores)
    assert all(score.accuracy > 0.9 for score in scores if score.classifier == "local features")
    assert heard[-1][0] == 12
    assert heard[-1][1].startswith("region 3 of 3: validation loss")
    again = cross_validated(data, SETTINGS, 3, seed=0, progress=lambda *_: None)
    assert again == scores


def test_a_region_whose_labels_are_swapped_is_failed():
    # What holds in one region only cannot be learned from the others.
    data = toy_line(line())
    region = regions_of(data.head, 3)[1]
    spins = data.shots.spins.copy()
    inside = np.isin(
        data.shots.point_index,
        [k for k, p in enumerate(data.head.points) if (p.label, p.point) in region.places],
    )
    chosen = np.flatnonzero(inside)
    spins[chosen] = spins[chosen][::-1]
    swapped = replace(data, shots=replace(data.shots, spins=spins))
    scores = cross_validated(
        swapped, replace_epochs(SETTINGS, 6), 3, seed=0, progress=lambda *_: None
    )
    found = {s.split: s.accuracy for s in scores if s.classifier == "local features"}
    assert found[region.name] < 0.3


def replace_epochs(values, epochs):
    return values.model_copy(update={"max_epochs": epochs})
