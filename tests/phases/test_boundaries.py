"""Phase boundaries along lines of points."""

import numpy as np
import pytest

from phasenet.phases.boundaries import (
    CROSSING_METHOD,
    LABEL_METHOD,
    PEAK_METHOD,
    boundaries,
    shown_boundary,
    with_estimates,
)
from phasenet.phases.located import SUSCEPTIBILITY_METHOD
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
    assert 0.95 < peak.value < 1.05
    assert peak.lower <= peak.value <= peak.upper
    assert 0 < peak.error < 0.1001
    assert peak.error_bar == peak.error
    assert (peak.below, peak.above) == ("haldane", "large_d")


def test_each_transition_has_its_own_peak():
    d = range(9)
    xi = [1, 3, 9, 3, 1, 3, 8, 3, 1]
    labels = ["a", "a", "", "b", "b", "b", "", "c", "c"]
    found = boundaries(table(line(d), labels, correlation_length=xi), ("D",))
    peaks = by_method(found, PEAK_METHOD)
    assert [b.below for b in peaks] == ["a", "b"]
    assert [b.value for b in peaks] == pytest.approx([2.0, 6.0], abs=1e-9)
    groups = with_estimates(found)
    assert [[b.method for b in group] for _, group in groups] == [[PEAK_METHOD]] * 2


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


def test_the_classifier_has_no_error_because_its_bias_is_unknown():
    d = np.asarray(D)
    found = boundaries(
        table(line(), LABELS, logit_haldane=4 - 5 * d, logit_large_d=5 * d - 4), ("D",)
    )
    (crossing,) = by_method(found, CROSSING_METHOD)
    assert np.isnan(crossing.error)
    assert shown_boundary(crossing) == "0.800 (0.5 to 0.9)"
    assert "bias of the classifier is unknown" in crossing.note


@pytest.mark.parametrize(("where", "which"), [("infinite", ""), ("finite", ", open chain")])
def test_the_fidelity_of_neighbours_has_its_peak_between_points(where, which):
    values = -1e-3 * np.array([1.0, 2.0, 9.0, 3.0, 1.0, np.nan])
    points, labels = line(range(6)), ("a", "a", "", "b", "b", "b")
    found = boundaries(table(points, labels, **{f"fidelity_D_{where}": values}), ("D",))
    (peak,) = by_method(found, SUSCEPTIBILITY_METHOD + which)
    assert 2.0 < peak.value < 3.0
    assert len(found) == 2


def test_strings_and_their_trivial_partners_cross():
    d = np.linspace(0.0, 2.0, 9)
    found = boundaries(
        table(
            line(d),
            ["a"] * 4 + [""] + ["b"] * 4,
            string_z_finite=0.4 - 0.2 * d,
            string_z_ends_1_finite=0.19 * d,
        ),
        ("D",),
    )
    (crossing,) = by_method(found, "string order z equals its trivial partner, open chain")
    assert crossing.value == pytest.approx(0.4 / 0.39)


def test_an_order_sets_in_where_it_is_gone_on_the_other_side():
    h = np.linspace(0.3, 1.5, 13)
    order = np.where(h < 0.95, np.abs(0.95 - h) ** 0.25, 0.0)
    found = boundaries(
        table(line(h), ["a" if x < 0.95 else "b" for x in h], order_dimer_order_infinite=order),
        ("D",),
    )
    (onset,) = by_method(found, "dimer order onset")
    assert abs(onset.value - 0.95) <= 2 * onset.error + 1e-6
    assert onset.note.startswith("exponent = 0.25")


def test_estimates_of_one_transition_do_not_see_the_next():
    d = np.linspace(0.0, 2.0, 21)
    xi = 1 / (np.abs(d - 0.5) + 0.05) + 3 / (np.abs(d - 1.5) + 0.05)
    labels = ["a" if x < 0.45 else "b" if 0.55 < x < 1.45 else "c" if x > 1.55 else "" for x in d]
    found = boundaries(table(line(d), labels, correlation_length=xi), ("D",))
    values = [b.value for b in by_method(found, PEAK_METHOD)]
    assert values == pytest.approx([0.5, 1.5], abs=0.02)


def test_a_point_that_is_there_twice_counts_once():
    points, labels = line(), LABELS
    xi = [1, 2, 5, 9, 6, 1]
    once = boundaries(table(points, labels, correlation_length=xi), ("D",))
    twice = boundaries(
        table([*points, *points], [*labels, *labels], correlation_length=[*xi, *([99] * 6)]),
        ("D",),
    )
    assert [vars(b) for b in twice[1:]] == [vars(b) for b in once[1:]]


def test_other_tables_may_have_few_or_no_points_on_a_line():
    main = table(line(), LABELS, correlation_length=[1, 2, 5, 9, 6, 1])
    alone = boundaries(main, ("D",))
    empty = table(line(Delta=2.0), LABELS, length_finite=[16] * 6)
    short = table(line((2.0, 3.0)), ("a", "b"), length_finite=[24] * 2)
    beyond = table(line((7.0, 8.0)), ("a", "b"), max_bond_infinite=[64] * 2)
    found = boundaries(main, ("D",), [empty, short, beyond])
    assert [b.method for b in found] == [b.method for b in alone]
