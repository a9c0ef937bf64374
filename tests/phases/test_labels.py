"""Labels follow from invariants, and say why."""

import pytest

from phasenet.card import Phase
from phasenet.phases.exact import aklt_cell, large_d_cell, product_cell
from phasenet.phases.labels import label_point
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
            eta=0.98 if value == 0 else 1.0,
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
    assert got.reason == f"{NAMES[position]} undetermined: undetermined: |eta| too small"


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
