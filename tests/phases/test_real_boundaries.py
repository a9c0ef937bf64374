"""Boundaries from DMRG ground states, against the exact transition of the Ising chain."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.groundstates.solve import solve
from phasenet.phases.boundaries import boundaries, is_bracket
from phasenet.phases.fidelity import fidelity, susceptibility
from phasenet.phases.located import DIVERGENCE_METHOD, PEAK_METHOD, SUSCEPTIBILITY_METHOD
from phasenet.points import ParameterPoint
from phasenet.records import Column, Curve, Table
from phasenet.settings import RunSettings
from phasenet.study import Boundary, load_study
from phasenet.trains.correlation import correlation_length
from tests.phases.ising_oracle import infinite_susceptibilities

SIMULATIONS = Path(__file__).resolve().parents[2] / "simulations"
FIELDS = np.array([0.7, 0.8, 0.86, 0.92, 0.96, 1.04, 1.08, 1.14, 1.2, 1.3])
MIDDLES = (FIELDS[1:] + FIELDS[:-1]) / 2


@pytest.fixture(scope="module")
def states():
    study = load_study(SIMULATIONS / "ising.py")
    settings = {"max_bond": 16, "energy_atol": 1e-7, "entropy_atol": 1e-4, "first_bond": 8}
    study = replace(study, settings=RunSettings.checked({"infinite": settings}))
    return [solve(study, ParameterPoint.of(h=h), Boundary.INFINITE) for h in FIELDS]


@pytest.fixture(scope="module")
def table(states):
    points = tuple(state.point for state in states)
    fidelities = [fidelity(a.train, b.train) for a, b in itertools.pairwise(states)]
    values = {
        "correlation_length": [correlation_length(state.train) for state in states],
        "fidelity_h_infinite": [*fidelities, np.nan],
    }
    curves = ("max_bond", "correlation_length", "entropy")
    return Table(
        rows=tuple(map(str, points)),
        points=points,
        labels=tuple("ferromagnet" if h < 1 else "paramagnet" for h in FIELDS),
        reasons=("",) * len(points),
        columns=tuple(
            Column(
                name=name,
                unit="1",
                meaning="",
                values=np.array(column),
                errors=np.full(len(points), np.nan),
            )
            for name, column in values.items()
        ),
        curves=tuple(
            Curve(
                name=f"growth_{name}",
                unit="1",
                meaning="",
                axes=("step",),
                values=tuple(np.asarray(state.history[name]) for state in states),
            )
            for name in curves
        ),
    )


@pytest.mark.slow
def test_the_susceptibility_of_ground_states_is_the_exact_one(table):
    values = susceptibility(table.column("fidelity_h_infinite").values[:-1], np.diff(FIELDS))
    away = np.abs(MIDDLES - 1) > 0.05
    np.testing.assert_allclose(values[away], infinite_susceptibilities(MIDDLES[away]), rtol=0.06)


@pytest.mark.slow
def test_every_estimate_lies_at_the_transition(table):
    found = {b.method: b for b in boundaries(table, ("h",)) if not is_bracket(b)}
    assert {DIVERGENCE_METHOD, PEAK_METHOD, SUSCEPTIBILITY_METHOD} <= found.keys()
    for boundary in found.values():
        assert abs(boundary.value - 1) < 2 * boundary.error, boundary
        assert boundary.error < 0.2
