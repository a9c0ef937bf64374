"""Boundaries from several lengths or bond dimensions, on exact data of the Ising chain."""

import itertools

import numpy as np
import pytest

from phasenet.phases.boundaries import boundaries
from phasenet.phases.lines import Section
from phasenet.phases.located import DIVERGENCE_METHOD, PEAK_METHOD, SUSCEPTIBILITY_METHOD
from phasenet.phases.scaling import (
    AT_INFINITE_BOND,
    AT_INFINITE_LENGTH,
    ENTROPY_GROWTH_METHOD,
    SizedCurve,
    scale_free_crossing,
    size_limit,
)
from phasenet.phases.sized import bond_curves, chains_of
from phasenet.points import ParameterPoint
from phasenet.records import Column, Curve, Table
from tests.phases.ising_oracle import (
    correlation_lengths,
    open_entropy,
    open_log_fidelity,
    open_magnetisation,
    ring_susceptibilities,
)

FIELDS = np.round(np.arange(0.8, 1.21, 0.02), 2)
ORDER_METHOD = f"scaling of the magnetisation{AT_INFINITE_LENGTH}"


def table(fields, columns, curves=None):
    points = tuple(ParameterPoint.of(h=h) for h in fields)
    labels = tuple("" if abs(h - 1) < 1e-9 else "ab"[int(h > 1)] for h in fields)
    return Table(
        rows=tuple(map(str, points)),
        points=points,
        labels=labels,
        reasons=("",) * len(points),
        columns=tuple(
            Column(
                name=name,
                unit="1",
                meaning="",
                values=np.broadcast_to(np.asarray(values, dtype=float), (len(points),)),
                errors=np.full(len(points), np.nan),
            )
            for name, values in columns.items()
        ),
        curves=tuple(
            Curve(name=name, unit="1", meaning="", axes=("step",), values=tuple(values))
            for name, values in (curves or {}).items()
        ),
    )


def open_chains(length):
    """Table of exact open chains."""
    pairs = itertools.pairwise(FIELDS)
    fidelities = [open_log_fidelity(*pair, length) for pair in pairs]
    columns = {
        "length_finite": length,
        "fidelity_h_finite": [*fidelities, np.nan],
        "entropy_finite": [open_entropy(h, length) for h in FIELDS],
        "order_magnetisation_finite": [open_magnetisation(h, length) for h in FIELDS],
    }
    return table(FIELDS, columns)


@pytest.fixture(scope="module")
def chains():
    return [open_chains(length) for length in (16, 24, 32, 48, 64)]


def estimates(found):
    return {boundary.method: boundary for boundary in found}


def test_the_oracle_is_the_closed_form_at_the_transition():
    values = ring_susceptibilities(np.array([1.0]), 64)
    assert 64 * values[0] == pytest.approx(64 * 63 / 32)


def test_rings_lead_to_the_transition():
    curves = [
        SizedCurve(size=n, x=FIELDS, values=np.log(ring_susceptibilities(FIELDS, n)))
        for n in (16, 32, 64)
    ]
    found = size_limit(curves, near=1.0)
    assert abs(found.value - 1) < 2 * found.error
    assert found.error < 2e-3


def test_open_chains_lead_to_the_transition_three_ways(chains):
    found = estimates(boundaries(chains[-1], ("h",), chains[:-1]))
    for method, widest in (
        (SUSCEPTIBILITY_METHOD + AT_INFINITE_LENGTH, 0.015),
        (ENTROPY_GROWTH_METHOD, 0.03),
        (ORDER_METHOD, 0.005),
    ):
        boundary = found[method]
        assert abs(boundary.value - 1) < 2 * boundary.error, boundary
        assert boundary.error < widest
    # The peak of a single chain is far off, and none is quoted for infinite length.
    alone = estimates(boundaries(chains[0], ("h",)))
    assert not any("infinity" in method for method in alone)


def test_the_order_of_the_tables_does_not_matter(chains):
    straight, mixed = ([chains[k] for k in order] for order in ((0, 1, 2, 3), (0, 3, 1, 2)))
    assert boundaries(straight[0], ("h",), straight[1:]) == boundaries(mixed[0], ("h",), mixed[1:])


def test_two_lengths_are_too_few(chains):
    found = estimates(boundaries(chains[0], ("h",), chains[1:2]))
    assert not any("infinity" in method for method in found)
    curves = [SizedCurve(size=n, x=FIELDS, values=np.exp(-n * FIELDS)) for n in (8, 12, 16)]
    assert scale_free_crossing(curves, near=1.0) is None


def test_a_table_of_mixed_lengths_has_no_length(chains):
    mixed = table(FIELDS, {"length_finite": np.where(FIELDS < 1, 16, 32)})
    rows = np.arange(len(FIELDS))
    sections = [Section(table=t, rows=rows, coupling="h", near=1.0) for t in (mixed, chains[0])]
    assert chains_of(sections) == sections[1:]


def cut_lengths(bond, shift):
    """Exact lengths around a displaced transition, cut by the bond dimension."""
    cut = 0.5 * bond
    exact = correlation_lengths(FIELDS + 0.003 + shift / cut)
    return 1 / np.sqrt(exact**-2.0 + cut**-2)


def test_the_growth_of_each_state_leads_to_infinite_bond_dimension():
    bonds = [16.0, 32.0, 64.0]
    steps = np.stack([cut_lengths(bond, 0.3) for bond in bonds], axis=1)
    # Far from the transition a state needs no more than the smaller bond dimensions.
    kept = [3 if abs(h - 1) < 0.15 else 2 for h in FIELDS]
    curves = {
        "growth_max_bond": [np.array(bonds[:n]) for n in kept],
        "growth_correlation_length": [row[:n] for row, n in zip(steps, kept, strict=True)],
    }
    lengths = [row[n - 1] for row, n in zip(steps, kept, strict=True)]
    found = estimates(boundaries(table(FIELDS, {"correlation_length": lengths}, curves), ("h",)))
    limit = found[PEAK_METHOD + AT_INFINITE_BOND]
    assert abs(limit.value - 0.997) < 2 * limit.error
    assert limit.error < 0.03
    assert "error with the shift from max_bond 32" in found[DIVERGENCE_METHOD].note


def test_tables_at_several_bond_dimensions_take_the_place_of_growth():
    tables = [
        table(FIELDS, {"max_bond_infinite": b, "correlation_length": cut_lengths(b, 0.3)})
        for b in (16, 32, 64)
    ]
    rows = np.arange(len(FIELDS))
    sections = [Section(table=t, rows=rows, coupling="h", near=1.0) for t in tables[::-1]]
    assert [curve.size for curve in bond_curves(sections, "correlation_length")] == [16, 32, 64]
    found = estimates(boundaries(tables[2], ("h",), tables[:2]))
    assert PEAK_METHOD + AT_INFINITE_BOND in found
    assert PEAK_METHOD + AT_INFINITE_BOND not in estimates(boundaries(tables[2], ("h",)))
