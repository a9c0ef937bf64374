"""Splits by point, by region and by source; numbers of shots."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.errors import SettingsError
from phasenet.points import ParameterPoint
from phasenet.recipes import Region
from phasenet.settings import SampleSettings
from phasenet.shots import SampledPoint
from phasenet.snapshots.splits import assign_splits, shots_of_points

HELD = ("train", "validation", "test")


def points_of(haldane=5, large_d=4, critical=0, unlabelled=0, source=0, first=0):
    kinds = (
        [("haldane", "train")] * haldane
        + [("haldane", "critical")] * critical
        + [(None, "unlabelled")] * unlabelled
        + [("large_d", "train")] * large_d
    )
    return [
        SampledPoint(
            point=ParameterPoint.of(D=first + k),
            label=label,
            split=split,
            reason="test",
            source=source,
        )
        for k, (label, split) in enumerate(kinds)
    ]


def splits_of(points):
    return {point.point: point.split for point in points}


def counted(points, **chosen):
    kept = [p for p in points if all(getattr(p, name) == v for name, v in chosen.items())]
    return Counter((p.label, p.split) for p in kept)


def region(name, low, high):
    return Region(name=name, ranges=(("D", low, high),))


@given(
    haldane=st.integers(3, 12),
    large_d=st.integers(3, 12),
    validation=st.floats(0.01, 0.99),
    test=st.floats(0.01, 0.99),
    seed=st.integers(0, 100),
)
def test_each_class_is_in_each_split(haldane, large_d, validation, test, seed):
    settings = SampleSettings(validation=validation, test=test)
    points = points_of(haldane, large_d, critical=2, unlabelled=1)
    assigned = assign_splits(points, settings, seed)
    assert [a.point for a in assigned] == [b.point for b in points]
    assert [a.label for a in assigned] == [b.label for b in points]
    counts = counted(assigned)
    for label, total in (("haldane", haldane), ("large_d", large_d)):
        parts = [counts[label, split] for split in HELD]
        assert min(parts) >= 1
        assert sum(parts) == total
    assert counts["haldane", "critical"] == 2
    assert counts[None, "unlabelled"] == 1


def test_fractions_are_kept():
    settings = SampleSettings(validation=0.2, test=0.3)
    counts = counted(assign_splits(points_of(haldane=20, large_d=10), settings, 0))
    assert [counts["haldane", s] for s in ("validation", "test", "train")] == [4, 6, 10]
    assert [counts["large_d", s] for s in ("validation", "test", "train")] == [2, 3, 5]


def test_the_rule_of_the_first_datasets_still_holds():
    # Made by the rule that split the first datasets; another result would make them new ones.
    first = ["test", "train", "validation", "test", "validation", "train", "train", "train"]
    second = ["validation", "train", "train", "train", "train", "test"]
    assigned = assign_splits(points_of(haldane=8, large_d=6), SampleSettings(), 0)
    assert [point.split for point in assigned] == first + second


def test_the_split_follows_from_seed_and_order_of_the_points():
    points = points_of(haldane=8, large_d=8)
    settings = SampleSettings()
    one = splits_of(assign_splits(points, settings, 0))
    assert splits_of(assign_splits(points, settings, 0)) == one
    assert splits_of(assign_splits(points, settings, 1)) != one
    # Classes are divided independently: the other class may come first, or change in number.
    blocks = splits_of(assign_splits(points[8:] + points[:8], settings, 0))
    assert blocks == one
    fewer = splits_of(assign_splits(points[:-3], settings, 0))
    assert all(fewer[point.point] == one[point.point] for point in points[:8])
    # Within a class the order of the points counts: it is that of the grid.
    turned = splits_of(assign_splits(points[::-1], settings, 0))
    assert turned != one


@pytest.mark.parametrize("members", [1, 2])
def test_a_class_with_fewer_than_three_points(members):
    with pytest.raises(SettingsError, match=f"class haldane has {members} points .*at least 3"):
        assign_splits(points_of(haldane=members), SampleSettings(), 0)


def test_a_class_with_critical_points_only():
    with pytest.raises(SettingsError, match="class haldane has 0 points") as error:
        assign_splits(points_of(haldane=0, critical=5), SampleSettings(), 0)
    assert "\n" not in str(error.value)


def test_the_same_couplings_in_two_chains_stay_together():
    points = points_of(haldane=6, large_d=6) + points_of(haldane=6, large_d=6, source=1)
    assigned = assign_splits(points, SampleSettings(), 3)
    assert splits_of(assigned[:12]) == splits_of(assigned[12:])
    assert splits_of(assigned[:12]) == splits_of(assign_splits(points[:12], SampleSettings(), 3))


def test_sources_to_train_and_to_test_on():
    points = points_of(haldane=5, large_d=4, critical=1) + points_of(
        haldane=2, large_d=1, critical=2, unlabelled=1, source=1
    )
    assigned = assign_splits(points, SampleSettings(), 0, of_source=("train", "test"))
    trained, tested = counted(assigned, source=0), counted(assigned, source=1)
    assert trained == {
        ("haldane", "train"): 4,
        ("haldane", "validation"): 1,
        ("haldane", "critical"): 1,
        ("large_d", "train"): 3,
        ("large_d", "validation"): 1,
    }
    assert tested == {
        ("haldane", "test"): 2,
        ("haldane", "critical"): 2,
        (None, "unlabelled"): 1,
        ("large_d", "test"): 1,
    }


def test_two_points_are_enough_to_train_and_validate_on():
    points = points_of(haldane=2, large_d=2) + points_of(haldane=1, large_d=1, source=1)
    counts = counted(assign_splits(points, SampleSettings(), 0, of_source=("train", "test")))
    assert all(counts[label, split] == 1 for label in ("haldane", "large_d") for split in HELD)
    points = points_of(haldane=1, large_d=2) + points_of(haldane=1, large_d=1, source=1)
    with pytest.raises(SettingsError, match=r"haldane has 1 points to train and validate on.* 2"):
        assign_splits(points, SampleSettings(), 0, of_source=("train", "test"))


def test_without_a_source_to_test_on_points_are_held_out():
    points = points_of(haldane=6, large_d=6) + points_of(haldane=6, large_d=6, source=1, first=50)
    plain = assign_splits(points, SampleSettings(), 0)
    assert assign_splits(points, SampleSettings(), 0, of_source=("train", "train")) == plain
    mixed = assign_splits(points, SampleSettings(), 0, of_source=("", "train"))
    assert {split for _, split in counted(mixed, source=0)} == set(HELD)
    assert {split for _, split in counted(mixed, source=1)} == {"train", "validation"}


def test_a_class_that_the_sources_do_not_test():
    points = points_of() + points_of(haldane=3, large_d=0, critical=1, source=1)
    with pytest.raises(
        SettingsError,
        match=r"large_d has no points in test, only in train and validation; add a \[\[source",
    ) as error:
        assign_splits(points, SampleSettings(), 0, of_source=("train", "test"))
    assert "\n" not in str(error.value)


def test_a_class_that_only_the_test_has():
    points = points_of(large_d=0) + points_of(haldane=3, large_d=3, source=1)
    with pytest.raises(SettingsError, match="large_d has no points in train and validation, only"):
        assign_splits(points, SampleSettings(), 0, of_source=("train", "test"))


def test_regions_name_splits():
    settings = SampleSettings(split="region")
    points = points_of(haldane=6, large_d=6, critical=1)  # D = 0 .. 5, 6 critical, 7 .. 12
    regions = [region("test", 1, 2), region("train", 2, 3), region("test", 6, 8)]
    found = {
        point["D"]: split
        for point, split in splits_of(assign_splits(points, settings, 0, regions=regions)).items()
    }
    assert [found[D] for D in (1, 2, 3, 6, 7, 8)] == [
        *("test", "test", "train", "critical", "test", "test")
    ]
    assert sorted(found[D] for D in (0, 4, 5)) == ["train", "train", "validation"]
    assert sorted(found[D] for D in (9, 10, 11, 12)) == [*["train"] * 3, "validation"]
    # Regions count only where the split is by region.
    by_point = assign_splits(points, SampleSettings(), 0, regions=regions)
    assert by_point == assign_splits(points, SampleSettings(), 0)


def test_where_a_region_validates_all_others_are_trained_on():
    points = points_of(haldane=4, large_d=4)
    regions = [
        *(region("test", 0, 0), region("validation", 1, 1)),
        *(region("test", 7, 7), region("validation", 6, 6)),
    ]
    assigned = assign_splits(points, SampleSettings(split="region"), 0, regions=regions)
    names = ["test", "validation", "train", "train"]
    assert [point.split for point in assigned] == names + names[::-1]


def test_a_class_without_a_region_to_test_on():
    with pytest.raises(SettingsError, match=r"large_d has no points in test.*\[\[region\]\]"):
        assign_splits(
            points_of(), SampleSettings(split="region"), 0, regions=[region("test", 0, 0)]
        )


def test_sources_go_before_regions():
    points = points_of() + points_of(source=1)
    regions = [region("test", 0, 100)]
    settings = SampleSettings(split="region")
    by_source = assign_splits(points, settings, 0, of_source=("train", "test"), regions=regions)
    assert by_source == assign_splits(
        points, SampleSettings(), 0, of_source=("train", "test"), regions=()
    )


def test_each_point_has_the_same_number_of_shots():
    points = assign_splits(points_of(critical=2, unlabelled=1), SampleSettings(), 0)
    assert shots_of_points(points, SampleSettings(shots=70)) == (70,) * 12


@given(
    haldane=st.integers(3, 15),
    large_d=st.integers(3, 15),
    shots=st.integers(15, 300),
    seed=st.integers(0, 20),
)
def test_balanced_classes_have_the_same_number_of_shots(haldane, large_d, shots, seed):
    settings = SampleSettings(shots=shots, balance=True)
    points = assign_splits(points_of(haldane, large_d, 2, 1), settings, seed)
    found = shots_of_points(points, settings)
    for split in HELD:
        totals, fewest = [], shots
        for label in ("haldane", "large_d"):
            kind = (label, split)
            own = [n for n, p in zip(found, points, strict=True) if (p.label, p.split) == kind]
            assert max(own) - min(own) <= 1
            totals.append(sum(own))
            fewest = min(fewest, max(own))
        members = counted(points)
        assert totals[0] == totals[1]
        assert totals[0] == shots * min(members["haldane", split], members["large_d", split])
    others = [n for n, p in zip(found, points, strict=True) if p.split not in HELD]
    assert others == [shots] * 3


def test_a_balance_that_leaves_nothing():
    points = points_of(haldane=5, large_d=1)
    with pytest.raises(SettingsError, match="haldane 3 shots for 5 points of train; raise"):
        shots_of_points(points, SampleSettings(shots=3, balance=True))
