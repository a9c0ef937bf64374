"""Targets of points: names and values as in tables, closed forms, several chains."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.card import Phase
from phasenet.criteria import Order, StringOrder
from phasenet.errors import ShapeError
from phasenet.phases.exact import aklt_cell, cluster_cell, product_cell
from phasenet.pipeline.sources import labelled
from phasenet.pipeline.targets import joined_targets, targets_of
from phasenet.points import ParameterPoint
from phasenet.records import Column, DmrgOutcome, GroundState
from phasenet.storage.states import read_state
from phasenet.storage.tables import read_table

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample"
POINTS = ("D=0,Delta=1", "D=0.8,Delta=1", "D=2,Delta=1")


def read(name, boundary):
    return read_state(SAMPLE / "states" / f"{name}.{boundary}.state.h5")


@pytest.fixture(scope="module")
def card():
    return read(POINTS[0], "infinite")[0].study


@pytest.fixture(scope="module")
def states(card):
    return [labelled(read(name, "infinite")[1], card, longest=8.0) for name in POINTS]


@pytest.fixture(scope="module")
def found(states, card):
    chains = [read(name, "finite")[1] for name in POINTS]
    return {column.name: column for column in targets_of(states, chains, card)}


def infinite_state(train, spin=1.0, **history):
    length = len(train.cores)
    return GroundState(
        point=ParameterPoint.of(D=0),
        spin=spin,
        train=train,
        schmidt_values=train.schmidt_values,
        charge="",
        bond_charges=(np.zeros(0, dtype=np.int64),) * (length + 1),
        energy=-2 / 3,
        variance=float("nan"),
        truncation=0.0,
        outcome=DmrgOutcome.CONVERGED,
        sweeps=1,
        history={name: np.asarray(values, dtype=float) for name, values in history.items()},
    )


def values_of(train, card, **state):
    label = labelled(infinite_state(train, **state), card, longest=8.0)
    return {column.name: column for column in targets_of([label], [None], card)}


def test_they_are_what_the_table_of_the_same_states_has(found):
    _, table = read_table(SAMPLE / "haldane.table.h5")
    rows = [[str(point) for point in table.points].index(name) for name in POINTS]
    shared = [column for column in table.columns if column.name in found]
    assert {
        *("energy_infinite", "energy_finite", "correlation_length", "entropy_infinite"),
        *("string_x_infinite", "string_z_infinite", "z2xz2_infinite", "time_reversal_infinite"),
    } <= {column.name for column in shared}
    for column in shared:
        own = found[column.name]
        assert own.unit == column.unit
        np.testing.assert_allclose(own.values, column.values[rows], rtol=1e-6, atol=1e-7)


def test_numbers_of_the_haldane_chain(found):
    # White, Huse, PRB 48, 3844 (1993): the spin-1 Heisenberg chain.
    assert found["energy_infinite"].values[0] == pytest.approx(-1.401484, abs=2e-5)
    assert found["string_z_infinite"].values[0] == pytest.approx(0.374325, abs=2e-3)
    assert found["z2xz2_infinite"].values.tolist() == [-1.0, -1.0, 1.0]
    assert found["z2xz2_eta_infinite"].values == pytest.approx(1.0, abs=1e-3)
    assert np.all(found["variance_finite"].values < 1e-3)
    assert found["variance_finite"].unit == "J^2"
    assert found["energy_infinite"].unit == "J"
    assert "central_charge" not in found
    assert all(column.meaning for column in found.values())


def test_closed_forms_of_the_aklt_state(card):
    ordered = replace(card, orders=(Order(name="Neel order", operators=("Sz",), wavenumber=0.5),))
    found = values_of(aklt_cell(), ordered)
    wanted = {
        "energy_infinite": -2 / 3,
        "correlation_length": 1 / np.log(3),
        "entropy_infinite": np.log(2),
        "string_x_infinite": 4 / 9,
        "string_y_infinite": 4 / 9,
        "string_z_infinite": 4 / 9,
        "z2xz2_infinite": -1.0,
        "z2xz2_eta_infinite": 1.0,
    }
    # The square root of rounding noise.
    assert found["order_neel_order_infinite"].values[0] == pytest.approx(0.0, abs=1e-5)
    for name, value in wanted.items():
        assert found[name].values[0] == pytest.approx(value, abs=1e-9), name
        assert np.isnan(found[name].errors[0])
    assert "energy_finite" not in found


def test_orders_of_a_broken_state(card):
    ordered = replace(card, orders=(Order(name="Neel order", operators=("Sz",), wavenumber=0.5),))
    found = values_of(product_cell([0, 2], 3), ordered)
    assert found["order_neel_order_infinite"].values[0] == pytest.approx(1.0)
    assert found["z2xz2_eta_infinite"].values[0] == pytest.approx(0.0, abs=1e-9)


def test_a_study_has_its_own_strings(card):
    stabiliser = StringOrder.parse("Z [X 1] X Z", name="stabiliser")
    own = replace(card, strings=(stabiliser,), symmetries=())
    found = values_of(cluster_cell(), own, spin=0.5)
    assert [name for name in found if name.startswith("string")] == ["string_stabiliser_infinite"]
    assert found["string_stabiliser_infinite"].values[0] == pytest.approx(1.0)


def test_the_central_charge_where_a_phase_has_no_gap(card):
    gapless = Phase(label="xy", title="XY", citation="", central_charge=1.0)
    own = replace(card, phases=(*card.phases, gapless), orders=(), symmetries=(), strings=())
    history = {"max_bond": [1], "entropy": [0.2], "correlation_length": [0.5]}
    found = values_of(aklt_cell(), own, **history)
    growth = 6 * (np.log(2) - 0.2) / np.log(2 / np.log(3))
    assert found["central_charge"].values[0] == pytest.approx(growth)
    # A gapped state has none.
    assert np.isnan(values_of(aklt_cell(), own)["central_charge"].values[0])


def test_points_that_lack_a_chain(states, card):
    chains = [None, read(POINTS[1], "finite")[1], None]
    found = {column.name: column for column in targets_of(states, chains, card)}
    assert np.isnan(found["energy_finite"].values).tolist() == [True, False, True]
    with pytest.raises(ShapeError, match="3 infinite states have 1 open chains"):
        targets_of(states, [None], card)


def column(name, values, unit="1"):
    values = np.asarray(values, dtype=float)
    return Column(name=name, unit=unit, meaning="", values=values, errors=0.1 * values)


def test_several_chains():
    joined = joined_targets(
        [[column("a", [1, 2]), column("b", [3, 4])], [column("c", [5]), column("a", [6])]]
    )
    assert [c.name for c in joined] == ["a", "b", "c"]
    np.testing.assert_equal(joined[0].values, [1, 2, 6])
    np.testing.assert_equal(joined[1].values, [3, 4, np.nan])
    np.testing.assert_equal(joined[2].values, [np.nan, np.nan, 5])
    np.testing.assert_allclose(joined[0].errors, [0.1, 0.2, 0.6])
    assert np.isnan(joined[1].errors[2])
    assert joined_targets([[], []]) == ()


def test_chains_that_do_not_fit_together():
    with pytest.raises(ShapeError, match="target a is in J in one chain and in 1 in another"):
        joined_targets([[column("a", [1], "J")], [column("a", [1])]])
    with pytest.raises(ShapeError, match="one chain has targets and another has none"):
        joined_targets([[column("a", [1])], []])
