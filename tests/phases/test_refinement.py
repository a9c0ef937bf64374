"""Where to look next: made-up phase diagrams with boundaries that are known."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.errors import SettingsError
from phasenet.phases.boundaries import LABEL_METHOD, PEAK_METHOD
from phasenet.phases.refinement import OPEN_METHOD, Finding, Line, lines_of, refine
from phasenet.points import Grid, ParameterPoint


def line_of(*labels, xi=None):
    """Findings at D = 0, 1, 2, ... with their labels."""
    lengths = [1.0] * len(labels) if xi is None else xi
    return [
        Finding(point=ParameterPoint.of(D=d, J=1), label=label, correlation_length=length)
        for d, (label, length) in enumerate(zip(labels, lengths, strict=True))
    ]


def refined(findings, resolution=0.5):
    return refine(findings, lines_of([row.point for row in findings]), resolution=resolution)


def explore(look, points, resolution):
    """All findings and the last refinement; look(point) gives a finding."""
    lines = lines_of(points)
    findings = [look(point) for point in points]
    while (found := refine(findings, lines, resolution=resolution)).probes:
        known = {row.point for row in findings}
        new = [probe.point for probe in found.probes]
        assert not known & set(new)
        assert all(known.issuperset(probe.neighbours) for probe in found.probes)
        findings += [look(point) for point in new]
        assert len(findings) < 10_000
    return findings, found


def along_d(boundaries, window, names=None):
    """Phases 0, 1, 2, ... of a line, undetermined closer than window to a boundary."""

    def look(point):
        distance = min((abs(point["D"] - b) for b in boundaries), default=1.0)
        phase = sum(point["D"] > b for b in boundaries)
        label = "" if distance < window else (names or "abcdefgh")[phase]
        return Finding(point=point, label=label, correlation_length=1 / (distance + 1e-6))

    return look


def test_between_two_labels_the_interval_is_halved():
    found = refined(line_of("a", "a", "b", "b"))
    (bracket,) = found.brackets
    assert (bracket.lower, bracket.upper, bracket.method) == (1, 2, LABEL_METHOD)
    assert (bracket.below, bracket.above) == ("a", "b")
    assert (bracket.line.coupling, bracket.line.at) == ("D", (("J", 1.0),))
    (probe,) = found.probes
    assert str(probe.point) == "D=1.5,J=1"
    assert [str(point) for point in probe.neighbours] == ["D=1,J=1", "D=2,J=1"]
    assert refined(line_of("a", "a", "b", "b"), resolution=1).probes == ()


def test_undetermined_points_between_two_labels_leave_the_peak():
    rows = line_of("a", "", "", "", "b", xi=[1, 3, 9, 4, 1])
    (bracket,) = refined(rows).brackets
    assert (bracket.lower, bracket.upper, bracket.method) == (1, 3, PEAK_METHOD)
    assert bracket.window == (0, 4)
    (probe,) = refined(rows).probes
    assert probe.point["D"] == 1.5
    rows.append(Finding(point=ParameterPoint.of(D=1.5, J=1), label="", correlation_length=5))
    (bracket,) = refined(rows).brackets
    assert (bracket.lower, bracket.upper) == (1.5, 3)
    assert refined(rows).probes[0].point["D"] == 2.5
    (bracket,) = refined(rows, resolution=4).brackets
    assert (bracket.lower, bracket.upper, bracket.method) == (0, 4, LABEL_METHOD)


def test_a_peak_between_the_same_labels_may_hide_a_phase():
    (bracket,) = refined(line_of("a", "", "a", xi=[1, 3, 1])).brackets
    assert (bracket.lower, bracket.upper, bracket.below, bracket.above) == (0, 2, "a", "a")


@pytest.mark.parametrize(
    ("labels", "xi", "ends"),
    [
        (["", "", "", ""], [1, 2, 3, 4], (0, 3)),
        (["", "", "", ""], [4, 4, 4, 4], (0, 3)),
        (["a", "", "", ""], [1, 2, 3, 4], (0, 3)),
        (["a", "a", ""], [1, 2, 3], (1, 2)),
        (["", "a", "a"], [1, 2, 3], (0, 1)),
        (["a", "", "a"], [9, 2, 3], (0, 2)),
        (["a", "", "a"], [1, math.nan, 1], (0, 2)),
    ],
)
def test_a_stretch_without_labels_and_peak_is_left_alone(labels, xi, ends):
    found = refined(line_of(*labels, xi=xi))
    assert (found.brackets, found.probes) == ((), ())
    (stretch,) = found.stretches
    assert (stretch.lower, stretch.upper) == ends


def test_without_any_label_a_true_peak_counts():
    found = refined(line_of("", "", "", "", xi=[1, 5, 2, 1]))
    (bracket,) = found.brackets
    assert (bracket.lower, bracket.upper, bracket.below, bracket.above) == (0, 2, "", "")


def test_a_point_that_failed_is_closed_in_from_both_sides():
    rows = line_of("a", "", "b", xi=[1, math.nan, 1])
    assert [probe.point["D"] for probe in refined(rows).probes] == [0.5, 1.5]


def test_without_a_peak_the_boundary_may_be_anywhere_between_the_labels():
    """As at a BKT transition, where the length of a finite bond grows into the critical phase."""

    def look(point):
        d = point["D"]
        label = "critical" if d < 0.9 else "gapped" if d > 1.3 else ""
        return Finding(point=point, label=label, correlation_length=50 - 10 * d)

    points = list(Grid.product(D=[0, 1, 2], J=[1]))
    findings, found = explore(look, points, 0.01)
    (bracket,) = found.brackets
    assert bracket.method == OPEN_METHOD
    assert bracket.lower == pytest.approx(0.9, abs=0.01)
    assert bracket.upper == pytest.approx(1.3, abs=0.01)
    assert len(findings) == 3 + 2 * 7


@pytest.mark.parametrize("labels", [["a"], ["a", "a"], ["", "a"][1:], []])
def test_nothing_to_refine(labels):
    found = refined(line_of(*labels))
    assert (found.brackets, found.stretches, found.probes) == ((), (), ())


@pytest.mark.parametrize("resolution", [0, -1, math.nan, math.inf])
def test_a_resolution_must_be_positive(resolution):
    with pytest.raises(SettingsError, match=r"resolution is .*; it must be a positive number"):
        refined(line_of("a", "b"), resolution=resolution)


@given(
    boundary=st.floats(0.001, 0.999),
    steps=st.integers(1, 12),
    window=st.sampled_from([0.0, 0.003, 0.02, 0.1]),
    resolution=st.floats(1e-4, 0.3),
)
def test_one_boundary_is_found_in_few_points(boundary, steps, window, resolution):
    points = list(Grid.product(D=[k / steps for k in range(steps + 1)]))
    look = along_d([boundary], window)
    if not {"a", "b"} <= {look(point).label for point in points}:
        return
    findings, found = explore(look, points, resolution)
    (bracket,) = found.brackets
    assert bracket.width <= resolution * (1 + 1e-8)
    assert bracket.lower - 1e-9 <= boundary <= bracket.upper + 1e-9
    halvings = max(0, math.log2(1 / steps / resolution))
    # Two points for each halving of a peak, and the few on its way from the window.
    assert len(findings) <= len(points) + 2 * halvings + 5
    if window == 0:
        assert bracket.method == LABEL_METHOD
        assert len(findings) <= len(points) + halvings + 1


@given(
    cuts=st.lists(st.integers(1, 199), min_size=1, max_size=5, unique=True),
    window=st.sampled_from([0.0, 0.002, 0.03]),
    resolution=st.floats(1e-3, 0.1),
)
def test_several_boundaries(cuts, window, resolution):
    boundaries = sorted(cut / 200 + 0.0007 for cut in cuts)
    points = list(Grid.product(D=[k / 20 for k in range(21)], J=[1]))
    look = along_d(boundaries, window)
    findings, found = explore(look, points, resolution)
    for bracket in found.brackets:
        assert bracket.width <= resolution * (1 + 1e-8)
        assert any(bracket.lower - 1e-9 <= b <= bracket.upper + 1e-9 for b in boundaries)
    halvings = max(0, math.log2(0.05 / resolution))
    assert len(findings) <= len(points) + len(boundaries) * (2 * halvings + 6)
    labels = {look(point).label for point in points} - {""}
    if len(labels) == len(boundaries) + 1:
        missed = [
            b
            for b in boundaries
            if not any(r.lower - 1e-9 <= b <= r.upper + 1e-9 for r in found.brackets)
        ]
        assert missed == []


@given(st.data())
def test_whatever_is_found_it_ends(data):
    """Labels and lengths at random: the spacing never falls below a quarter of the resolution."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    resolution = data.draw(st.floats(0.02, 0.5))

    def look(point):
        label = str(rng.choice(["", "", "a", "b"]))
        return Finding(point=point, label=label, correlation_length=rng.choice([1, 2, np.nan]))

    points = list(Grid.product(D=[0, 0.3, 0.9, 2], J=[0, 1]))
    findings, found = explore(look, points, resolution)
    assert all(
        bracket.width <= resolution * (1 + 1e-8) or bracket.method == OPEN_METHOD
        for bracket in found.brackets
    )
    for j in (0, 1):
        values = sorted(row.point["D"] for row in findings if row.point["J"] == j)
        assert min(b - a for a, b in pairwise(values)) >= min(resolution / 4, 0.3) * (1 - 1e-6)


def test_a_plane_is_refined_along_its_lines():
    def look(point):
        inside = point["D"] ** 2 + point["J"] ** 2 < 1
        return Finding(point=point, label="in" if inside else "out", correlation_length=1)

    points = list(Grid.product(J=[0.0, 0.5, 1.5], D=[0.0, 0.5, 1.5]))
    findings, found = explore(look, points, 0.01)
    assert len(found.brackets) == 4
    for bracket in found.brackets:
        known = dict(bracket.line.at)
        exact = math.sqrt(1 - next(iter(known.values())) ** 2)
        assert bracket.lower <= exact <= bracket.upper
    uniform = sum(line.uniform(0.01) for line in lines_of(points))
    assert uniform == 6 * 151
    assert len(findings) == 9 + 4 * 7


def test_lines_and_their_uniform_grids():
    points = [ParameterPoint.of(D=d, J=j) for d, j in [(0, 1), (2, 1), (0.3, 1), (5, 2), (5, 3)]]
    along, other = lines_of(points)
    assert (along.coupling, along.lower, along.upper, along.at) == ("D", 0, 2, (("J", 1.0),))
    assert other.at == (("D", 5.0),)
    assert along.uniform(0.01) == 201
    assert along.uniform(3) == 2
    assert Line("D", (), 0.0, 1.0).uniform(0.3) == 5
    assert lines_of(Grid.zipped(D=[0, 1], J=[0, 1])) == ()
