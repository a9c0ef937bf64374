"""Labels follow from invariants, orders and criticality, and say why."""

import pytest

from phasenet.card import Phase
from phasenet.phases.criticality import Criticality, Verdict
from phasenet.phases.exact import aklt_cell, large_d_cell, product_cell
from phasenet.phases.labels import label_point
from phasenet.phases.orders import MeasuredOrder
from phasenet.phases.spt import Invariant, invariants
from phasenet.points import ParameterPoint

POINT = ParameterPoint.of(D=0.0)
NAMES = ("Z2xZ2", "time reversal", "bond inversion")
HALDANE = Phase(
    label="haldane", title="Haldane", invariants=dict.fromkeys(NAMES, -1), citation="none"
)
LARGE_D = Phase(label="large_d", title="large D", invariants=dict.fromkeys(NAMES, 1), citation="")


def found(*values):
    return [
        Invariant(
            name=name,
            cut="bond",
            value=value,
            eta=0.995 if value == 0 else 1.0,
            raw=float(value),
            reason="undetermined: |eta| too small" if value == 0 else "determined",
        )
        for name, value in zip(NAMES, values, strict=True)
    ]


def label(values, phases=(HALDANE, LARGE_D), *, xi=5.0, longest=16.0, converged=True):
    return label_point(
        POINT,
        found(*values),
        phases,
        correlation_length=xi,
        longest=longest,
        converged=converged,
    )


@pytest.mark.parametrize(("sign", "name"), [(-1, "haldane"), (1, "large_d")])
def test_invariants_that_agree_give_the_label(sign, name):
    got = label([sign] * 3)
    assert (got.point, got.label, got.split) == (POINT, name, "train")
    assert f"Z2xZ2 {sign:+d}, time reversal {sign:+d}, bond inversion {sign:+d}" in got.reason
    assert "correlation length 5.0 sites" in got.reason


@pytest.mark.parametrize(("cell", "name"), [(aklt_cell(), "haldane"), (large_d_cell(), "large_d")])
def test_exact_states(cell, name):
    got = label_point(
        POINT,
        invariants(cell),
        (LARGE_D, HALDANE),
        correlation_length=1.0,
        longest=16.0,
        converged=True,
    )
    assert got.label == name


def test_a_broken_symmetry_leaves_no_label():
    got = label_point(
        POINT,
        invariants(product_cell([0, 2], 3)),
        (HALDANE, LARGE_D),
        correlation_length=1.0,
        longest=16.0,
        converged=True,
    )
    assert (got.label, got.split) == (None, "unlabelled")
    assert "symmetry broken" in got.reason


@pytest.mark.parametrize("position", [0, 1, 2])
def test_an_undetermined_invariant_leaves_no_label_and_is_named(position):
    values = [-1, -1, -1]
    values[position] = 0
    got = label(values)
    assert (got.label, got.split) == (None, "unlabelled")
    assert got.reason == f"{NAMES[position]} undetermined: |eta| too small"


def test_an_undetermined_invariant_that_no_phase_asks_for_does_not_matter():
    phase = Phase(label="odd", title="Odd", invariants={"time reversal": -1}, citation="")
    assert label([0, -1, 0], (phase,)).label == "odd"
    assert label([-1, 0, -1], (phase,)).label is None


@pytest.mark.parametrize(("xi", "split"), [(15.9, "train"), (16.0, "train"), (16.1, "critical")])
def test_a_point_near_a_transition_is_labelled_but_not_trained_on(xi, split):
    got = label([-1] * 3, xi=xi)
    assert (got.label, got.split) == ("haldane", split)
    assert ("above 16: not trained on" in got.reason) == (split == "critical")


def test_invariants_of_no_known_phase():
    got = label([-1, 1, -1])
    assert (got.label, got.split) == (None, "unlabelled")
    assert got.reason == "Z2xZ2 -1, time reversal +1, bond inversion -1 match no known phase"
    assert label([1, 1, 1], (HALDANE,)).label is None
    assert label([1, 1, 1], ()).label is None


def test_the_first_phase_that_fits_gives_the_label():
    loose = Phase(label="loose", title="Loose", invariants={"Z2xZ2": -1}, citation="")
    assert label([-1] * 3, (loose, HALDANE)).label == "loose"
    assert label([-1] * 3, (HALDANE, loose)).label == "haldane"


def test_a_search_that_did_not_converge_is_said():
    assert "sweep limit" in label([-1] * 3, converged=False).reason
    assert "sweep limit" not in label([-1] * 3).reason


NEEL = Phase(label="neel", title="Neel", orders={"staggered": True}, citation="")
XY = Phase(label="xy", title="XY", orders={"staggered": False}, central_charge=1.0, citation="")
PLAIN = Phase(
    label="plain",
    title="Plain",
    invariants={"Z2xZ2": 1},
    orders={"staggered": False},
    citation="",
)
ALL = (NEEL, XY, PLAIN)


def staggered(value):
    return (MeasuredOrder(name="staggered", threshold=0.05, value=value),)


def grown(verdict, growth=1.34, central_charge=1.0):
    return Criticality(verdict=verdict, growth=growth, central_charge=central_charge)


def judged(order, criticality, values=(1, 1, 1), phases=ALL, *, xi=5.0, longest=16.0):
    return label_point(
        POINT,
        found(*values),
        phases,
        correlation_length=xi,
        longest=longest,
        converged=True,
        orders=staggered(order),
        criticality=criticality,
    )


GAP, NO_GAP, OPEN = Verdict.GAPPED, Verdict.CRITICAL, Verdict.UNDETERMINED


@pytest.mark.parametrize(
    ("order", "verdict", "wanted"),
    [
        (0.4, GAP, "neel"),
        (0.4, OPEN, "neel"),
        (0.0, NO_GAP, "xy"),
        (0.0, GAP, "plain"),
        (0.05, GAP, None),
        (0.0, OPEN, None),
    ],
)
def test_orders_and_criticality_decide(order, verdict, wanted):
    got = judged(order, grown(verdict))
    assert got.label == wanted
    assert got.split == ("train" if wanted else "unlabelled")
    if wanted:
        assert f"staggered {order:.3g}" in got.reason
        assert str(grown(verdict)) in got.reason


@pytest.mark.parametrize(
    ("order", "criticality", "reason"),
    [
        (0.05, grown(GAP), "staggered undetermined: 0.05 is close to 0.05"),
        (0.0, grown(OPEN), "gap undetermined: neither clearly critical nor clearly gapped"),
        (0.0, None, "gap undetermined: neither clearly critical nor clearly gapped"),
        (0.0, grown(NO_GAP, central_charge=2.0), "c = 2.00, xi ~ chi^1.34 match no known phase"),
    ],
)
def test_an_open_criterion_is_named(order, criticality, reason):
    got = judged(order, criticality)
    assert got.label is None
    assert reason in got.reason
    assert "\n" not in got.reason


def test_a_phase_behind_one_that_is_ruled_out_is_not_held_up_by_it():
    # The invariant of the plain phase is open, but its order is not there.
    assert judged(0.4, grown(GAP), values=(0, 1, 1), phases=(PLAIN, NEEL)).label == "neel"
    assert judged(0.0, grown(GAP), values=(0, 1, 1), phases=(PLAIN, NEEL)).label is None


def test_criticality_is_asked_only_where_a_phase_has_no_gap():
    got = judged(0.0, None, phases=(NEEL, PLAIN))
    assert got.label == "plain"
    assert "critical" not in got.reason


def test_a_gapless_phase_may_be_trained_on_at_any_correlation_length():
    assert judged(0.0, grown(NO_GAP), xi=280.0).split == "train"
    assert judged(0.0, grown(GAP), xi=280.0).split == "critical"


def test_a_symmetry_that_is_clearly_broken_rules_a_phase_out():
    neel = Phase(label="neel", title="", orders={"staggered": True}, citation="")
    broken = invariants(product_cell([0, 2], 3))
    for phases in ((HALDANE, neel), (neel, HALDANE)):
        got = label_point(
            POINT,
            broken,
            phases,
            correlation_length=0.0,
            longest=16.0,
            converged=True,
            orders=staggered(1.0),
        )
        assert got.label == "neel"
        assert "time reversal symmetry broken" in got.reason


def test_what_was_not_measured_is_said():
    missing = label_point(POINT, (), (PLAIN,), correlation_length=1.0, longest=2.0, converged=True)
    assert missing.reason == "staggered undetermined: not measured"
    with_order = label_point(
        POINT,
        (),
        (PLAIN,),
        correlation_length=1.0,
        longest=2.0,
        converged=True,
        orders=staggered(0.0),
    )
    assert with_order.reason == "Z2xZ2 undetermined: not measured"
