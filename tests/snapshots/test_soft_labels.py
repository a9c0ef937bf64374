"""Probabilities of classes near a boundary."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.errors import SettingsError, ShapeError
from phasenet.points import ParameterPoint
from phasenet.shots import SampledPoint
from phasenet.snapshots.soft_labels import with_soft_labels

NAMES = ("haldane", "large_d", "neel", "xy")


def point_of(label):
    return SampledPoint(point=ParameterPoint.of(D=1), label=label, split="train", reason="test")


def soft(label, length, *, gapless=False, sites=32, classes=NAMES):
    (point,) = with_soft_labels([point_of(label)], [length], [gapless], [sites], classes)
    return point.soft_label


@given(
    length=st.floats(0, 1e6),
    sites=st.integers(2, 500),
    count=st.integers(1, 4),
    own=st.integers(0, 3),
)
def test_shares_sum_to_one_and_the_own_class_has_the_largest(length, sites, count, own):
    classes, label = NAMES[:count], NAMES[own % count]
    shares = soft(label, length, sites=sites, classes=classes)
    assert sum(shares) == pytest.approx(1.0, abs=1e-12)
    assert all(0.0 <= share <= 1.0 for share in shares)
    mine = shares[own % count]
    assert mine == max(shares)
    others = [share for name, share in zip(classes, shares, strict=True) if name != label]
    assert len(set(others)) <= 1
    if length > 0:
        wanted = 1 - (1 - 1 / count) * math.exp(-sites / length)
        assert mine == pytest.approx(wanted, abs=1e-12)


def test_limits():
    assert soft("neel", 0.0) == (0.0, 0.0, 1.0, 0.0)
    assert soft("neel", math.inf) == pytest.approx((0.25,) * 4)
    assert soft(None, 3.0) == (0.25,) * 4
    # At one correlation length of a chain e^-1 of three quarters is lost.
    assert soft("neel", 32.0)[2] == pytest.approx(1 - 0.75 / math.e)


@given(st.floats(0.1, 1e3), st.floats(0.1, 1e3), st.integers(2, 200), st.integers(2, 200))
def test_longer_chains_and_shorter_correlations_are_sharper(one, two, short, long):
    assert soft("xy", min(one, two))[3] >= soft("xy", max(one, two))[3]
    lengths = sorted((short, long))
    assert soft("xy", one, sites=lengths[1])[3] >= soft("xy", one, sites=lengths[0])[3]


def test_what_has_no_scale_is_certain():
    assert soft("xy", 1e5, gapless=True) == (0.0, 0.0, 0.0, 1.0)
    assert soft("xy", math.nan) == (0.0, 0.0, 0.0, 1.0)
    assert soft(None, math.nan, gapless=True) == (0.25,) * 4


def test_points_keep_everything_else():
    points = [point_of("xy"), point_of(None)]
    found = with_soft_labels(points, [1.0, 2.0], [False] * 2, [8, 16], NAMES)
    assert [(p.label, p.point, p.split) for p in found] == [
        (p.label, p.point, p.split) for p in points
    ]
    assert found[0].soft_label[3] == pytest.approx(1 - 0.75 * math.exp(-8))


def test_what_does_not_fit():
    with pytest.raises(SettingsError, match="label 'dimer' is none of the classes haldane"):
        soft("dimer", 1.0)
    with pytest.raises(ShapeError, match="2 points have 1 correlation lengths"):
        with_soft_labels([point_of("xy")] * 2, [1.0], [False], [8], NAMES)
