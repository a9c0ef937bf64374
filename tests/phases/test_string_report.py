"""What string orders say together: the selection rule, on states whose phase is known."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.criteria import StringOrder, spin_string
from phasenet.phases.estimates import Estimate
from phasenet.phases.exact import (
    aklt_cell,
    aklt_chain,
    cluster_cell,
    cluster_chain,
    large_d_cell,
    large_d_chain,
    product_cell,
    product_chain,
)
from phasenet.phases.string_report import Reading, StringFinding, StringReport, string_report
from phasenet.phases.strings import string_order
from phasenet.storage.states import read_state
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample" / "states"
AXES = ("x", "y", "z")
CLUSTER = tuple(
    replace(StringOrder.parse("Z [X 1] X Z", name=name), start=start, period=2)
    for start, name in enumerate(("even", "odd"))
)


def readings(report):
    return [finding.reading for finding in report.findings]


@pytest.mark.parametrize("state", [aklt_cell(), aklt_chain(40)], ids=["infinite", "chain"])
def test_aklt_is_a_witness(state):
    report = string_report(state, AXES)
    assert readings(report) == [Reading.PROJECTIVE] * 3
    assert report.witness is True
    assert report.verdict == (
        "x, y, z only with their ends: symmetry-protected order at the bonds where their insides "
        "begin"
    )
    for finding in report.findings:
        assert finding.order.value == pytest.approx(4 / 9, abs=1e-6)


@pytest.mark.parametrize("state", [large_d_cell(), large_d_chain(16)], ids=["infinite", "chain"])
def test_large_d_is_trivial(state):
    report = string_report(state, AXES)
    assert readings(report) == [Reading.TRIVIAL] * 3
    assert report.witness is False
    assert report.verdict == "x, y, z only without ends: a trivial phase"


@pytest.mark.parametrize(
    "state", [product_cell([0, 2], 3), product_chain([0, 2] * 8, 3)], ids=["infinite", "chain"]
)
def test_the_string_along_z_alone_is_no_witness(state):
    report = string_report(state, AXES)
    assert readings(report) == [Reading.ABSENT, Reading.ABSENT, Reading.BROKEN]
    assert report.witness is False
    assert "only z is non-zero: no witness" in report.verdict
    alone = string_report(state, ("z",))
    assert alone.witness is False
    assert "z alone is no witness" in alone.verdict


def test_y_is_x_where_the_spin_along_z_is_conserved():
    state = state_form(read_state(SAMPLE / "D=0.4,Delta=1.infinite.state.h5")[1].train)
    assert state.modulus == 0
    x, y = string_report(state, ("x", "y")).findings
    assert (x.string.name, y.string.name) == ("x", "y")
    assert (y.order, y.trivial) == (x.order, x.trivial)
    assert string_order(state, "y").value == pytest.approx(y.order.value, abs=1e-10)
    # Along x and y alike, but not along z: a product of spins tilted in the plane of x and y.
    angles = np.exp(1j * 0.7 * np.array([1.0, 0.0, -1.0]))
    tilted = (angles * np.array([0.5, np.sqrt(0.5), 0.5])).reshape(1, 3, 1)
    report = string_report(InfiniteTrain(cores=(tilted,), schmidt_values=(np.ones(1),)), ("x", "y"))
    assert [f.order.value for f in report.findings] == pytest.approx([0.0, 0.0])
    at = [string_order(state_form(TensorTrain(cores=(tilted,) * 2)), a, (0, 1)).value for a in "xy"]
    assert at == pytest.approx([-(np.cos(0.7) ** 2), -(np.sin(0.7) ** 2)])


def test_one_string_never_is_a_witness():
    report = string_report(aklt_cell(), ("z",))
    assert report.witness is None
    assert "z alone is no witness" in report.verdict
    assert "measure a second string" in report.verdict


@pytest.mark.parametrize("state", [cluster_cell(), cluster_chain(32)], ids=["infinite", "chain"])
def test_both_sublattices_of_a_cluster_state(state):
    report = string_report(state, CLUSTER)
    assert readings(report) == [Reading.PROJECTIVE] * 2
    assert report.verdict.startswith("even, odd only with their ends: symmetry-protected order")


def test_a_field_makes_the_cluster_chain_trivial():
    core = np.full((1, 2, 1), np.sqrt(0.5))
    plus = InfiniteTrain(cores=(core,), schmidt_values=(np.ones(1),))
    assert readings(string_report(plus, CLUSTER)) == [Reading.TRIVIAL] * 2


@pytest.mark.parametrize(("start", "reading"), [(0, Reading.PROJECTIVE), (1, Reading.TRIVIAL)])
def test_what_a_dimer_shows_depends_on_where_strings_start(start, reading):
    half = np.sqrt(0.5)
    singlet = (
        np.array([[[half, 0.0], [0.0, half]]]),
        np.array([[[0.0], [1.0]], [[-1.0], [0.0]]]),
    )
    strings = [replace(spin_string(axis, 2), start=start, period=2) for axis in AXES]
    infinite = InfiniteTrain(cores=singlet, schmidt_values=(np.ones(1), np.full(2, half)))
    for state in (infinite, TensorTrain(cores=singlet * 16)):
        assert readings(string_report(state, strings)) == [reading] * 3


def test_a_superposition_of_broken_states_is_broken():
    core = np.zeros((2, 3, 2))
    core[0, 0, 0] = core[1, 2, 1] = 1.0
    cat = InfiniteTrain(cores=(core,), schmidt_values=(np.full(2, np.sqrt(0.5)),))
    report = string_report(cat, ("x", "z"))
    assert readings(report) == [Reading.ABSENT, Reading.BROKEN]
    assert report.witness is False


def test_no_string_of_a_state_without_any_symmetry():
    tilted = np.array([0.8, 0.1, 0.6])
    state = InfiniteTrain(
        cores=(tilted.reshape(1, 3, 1) / np.linalg.norm(tilted),), schmidt_values=(np.ones(1),)
    )
    report = string_report(state, AXES)
    assert readings(report) == [Reading.ABSENT] * 3
    assert report.verdict == "no string survives: a broken symmetry or no gap"


def test_a_short_chain_says_nothing():
    report = string_report(aklt_chain(6), ("x", "z"))
    assert readings(report) == [Reading.UNKNOWN] * 2
    assert report.witness is None
    assert "not known within errors: x, z" in report.verdict
    assert "a plateau needs 5" in str(report)


def finding(name, order, trivial):
    estimates = [Estimate(value=v, error=e, method="given") for v, e in (order, trivial)]
    return StringFinding(
        string=StringOrder.parse("Sz [Rz] Sz", name=name), order=estimates[0], trivial=estimates[1]
    )


@pytest.mark.parametrize(
    ("order", "trivial", "reading"),
    [
        ((0.3, 0.01), (0.001, 0.001), Reading.PROJECTIVE),
        ((-0.3, 0.01), (0.001, 0.001), Reading.PROJECTIVE),
        ((0.3, 0.2), (0.0, 0.0), Reading.UNKNOWN),
        ((0.0, 0.001), (0.5, 0.01), Reading.TRIVIAL),
        ((0.2, 0.01), (0.5, 0.01), Reading.BROKEN),
        ((0.009, 0.0), (0.0, 0.0), Reading.ABSENT),
        ((math.nan, math.nan), (0.0, 0.0), Reading.UNKNOWN),
    ],
)
def test_errors_decide_what_is_there(order, trivial, reading):
    assert finding("z", order, trivial).reading == reading


def test_verdicts_of_mixed_readings():
    there, broken = finding("x", (0.3, 0.0), (0.0, 0.0)), finding("z", (0.3, 0.0), (0.3, 0.0))
    trivial, unknown = finding("y", (0.0, 0.0), (0.5, 0.0)), finding("u", (0.1, 0.1), (0.0, 0.0))
    assert "with and without their ends" in StringReport(findings=(there, broken)).verdict
    assert "only x is non-zero" in StringReport(findings=(there, trivial)).verdict
    mixed = StringReport(findings=(there, there, unknown))
    assert mixed.witness is None
    assert mixed.verdict == "no common reading: not known within errors: u"
