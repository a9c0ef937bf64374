"""Phase boundaries along lines of points."""

import numpy as np
import pytest

from phasenet.phases.boundaries import (
    CROSSING_METHOD,
    LABEL_METHOD,
    PEAK_METHOD,
    boundaries,
)
from phasenet.points import Grid, ParameterPoint
from phasenet.records import Column, Table

D = (0.0, 0.5, 0.9, 1.0, 1.1, 2.0)
LABELS = ("haldane", "haldane", "haldane", "", "large_d", "large_d")


def table(points, labels, **columns):
    points = tuple(points)
    return Table(
        rows=tuple(str(point) for point in points),
        points=points,
        labels=tuple(labels),
        reasons=("",) * len(points),
        columns=tuple(
            Column(
                name=name,
                unit="1",
                meaning="",
                values=np.asarray(values, dtype=float),
                errors=np.full(len(points), np.nan),
            )
            for name, values in columns.items()
        ),
    )


def line(values=D, **fixed):
    return [ParameterPoint.of({**fixed, "D": value}) for value in values]


def by_method(found, method):
    return [boundary for boundary in found if boundary.method == method]


def test_a_bracket_runs_between_labels_and_encloses_what_is_undetermined():
    (bracket,) = boundaries(table(line(Delta=1.0), LABELS), ("D",))
    assert (bracket.method, bracket.coupling) == (LABEL_METHOD, "D")
    assert (bracket.lower, bracket.upper) == (0.9, 1.1)
    assert bracket.value == pytest.approx(1.0)
    assert bracket.error_bar == pytest.approx(0.1)
    assert (bracket.below, bracket.above) == ("haldane", "large_d")
    assert bracket.at == {"Delta": 1.0}


def test_order_of_the_rows_does_not_matter():
    order = [3, 0, 5, 2, 4, 1]
    points, xi = line(), [1, 2, 5, 9, 6, 1]
    straight = boundaries(table(points, LABELS, correlation_length=xi), ("D",))
    shuffled = boundaries(
        table(
            [points[k] for k in order],
            [LABELS[k] for k in order],
            correlation_length=[xi[k] for k in order],
        ),
        ("D",),
    )
    assert shuffled == straight
    assert len(straight) == 2


@pytest.mark.parametrize(
    "labels",
    [("a",) * 6, ("",) * 6, ("", "a", "", "a", "", ""), ("", "", "", "a", "", "")],
)
def test_no_change_of_label_is_no_boundary(labels):
    xi = [1, 2, 5, 9, 6, 1]
    assert boundaries(table(line(), labels, correlation_length=xi), ("D",)) == ()


def test_several_transitions_on_one_line():
    found = boundaries(table(line(), ("a", "b", "b", "", "a", "c")), ("D",))
    assert [(b.below, b.above, b.lower, b.upper) for b in found] == [
        ("a", "b", 0.0, 0.5),
        ("b", "a", 0.9, 1.1),
        ("a", "c", 1.1, 2.0),
    ]


def test_a_plane_is_searched_line_by_line_in_both_directions():
    grid = Grid.product(Delta=[0.0, 1.0, 2.0], D=[0.0, 1.0, 2.0])
    # The boundary runs along the diagonal; no transition at Delta = 0.
    labels = ["large" if p["D"] + 1 > 3 - p["Delta"] else "small" for p in grid]
    found = boundaries(table(grid, labels), ("Delta", "D"))
    along_d = [(b.at, b.lower, b.upper) for b in found if b.coupling == "D"]
    assert along_d == [({"Delta": 1.0}, 1.0, 2.0), ({"Delta": 2.0}, 0.0, 1.0)]
    along_delta = [(b.at, b.lower, b.upper) for b in found if b.coupling == "Delta"]
    assert along_delta == [({"D": 1.0}, 1.0, 2.0), ({"D": 2.0}, 0.0, 1.0)]


def test_a_coupling_that_is_not_varied_gives_nothing():
    assert boundaries(table(line(Delta=1.0), LABELS), ()) == ()
    assert boundaries(table(line(Delta=1.0), LABELS), ("Delta",)) == ()
    assert boundaries(table(line(), LABELS), ("J",)) == ()


def test_the_peak_of_the_correlation_length():
    xi = [1, 2, 5, 9, 6, 1]
    found = boundaries(table(line(), LABELS, correlation_length=xi), ("D",))
    (peak,) = by_method(found, PEAK_METHOD)
    assert (peak.lower, peak.value, peak.upper) == (0.9, 1.0, 1.1)
    assert (peak.below, peak.above) == ("haldane", "large_d")


def test_each_transition_has_its_own_peak():
    d = range(9)
    xi = [1, 3, 9, 3, 1, 3, 8, 3, 1]
    labels = ["a", "a", "", "b", "b", "b", "", "c", "c"]
    found = boundaries(table(line(d), labels, correlation_length=xi), ("D",))
    peaks = [(b.below, b.value) for b in by_method(found, PEAK_METHOD)]
    assert peaks == [("a", 2.0), ("b", 6.0)]


@pytest.mark.parametrize("xi", [[9, 8, 5, 4, 3, 1], [1, 2, 3, 4, 5, 9], [np.nan] * 6])
def test_a_length_that_is_largest_at_an_end_is_no_peak(xi):
    found = boundaries(table(line(), LABELS, correlation_length=xi), ("D",))
    assert by_method(found, PEAK_METHOD) == []


def test_the_crossing_of_the_classifier_is_interpolated():
    # Difference of the logits: 8 - 10 D, zero at D = 0.8.
    d = np.asarray(D)
    found = boundaries(
        table(line(), LABELS, logit_haldane=4 - 5 * d, logit_large_d=5 * d - 4), ("D",)
    )
    (crossing,) = by_method(found, CROSSING_METHOD)
    assert crossing.value == pytest.approx(0.8)
    assert (crossing.lower, crossing.upper) == (0.5, 0.9)


def test_a_classifier_that_never_changes_its_mind_has_no_crossing():
    ones = np.ones(6)
    for logits in (ones, -ones, np.full(6, np.nan)):
        found = boundaries(
            table(line(), LABELS, logit_haldane=logits, logit_large_d=0 * ones), ("D",)
        )
        assert by_method(found, CROSSING_METHOD) == []
    found = boundaries(table(line(), LABELS, logit_haldane=ones), ("D",))
    assert by_method(found, CROSSING_METHOD) == []


def test_rows_without_the_classifier_do_not_disturb_its_crossing():
    d = np.asarray(D)
    logits = 4 - 5 * d
    logits[-1] = np.nan
    found = boundaries(table(line(), LABELS, logit_haldane=logits, logit_large_d=-logits), ("D",))
    assert by_method(found, CROSSING_METHOD)[0].value == pytest.approx(0.8)
