"""Transitions without labels as a table and its boundaries, and in words."""

import math
from collections.abc import Sequence

import numpy as np

from phasenet.card import KnownTransition, StudyCard
from phasenet.networks.discovery.indicators import Indicator
from phasenet.networks.discovery.methods import METHODS, PLACES, Method, coupling_of, methods_of
from phasenet.phases.boundaries import shown_boundary
from phasenet.records import Boundary1D, Column, PhaseDiagram, Table
from phasenet.trains.train import FloatArray, IntArray

DISCOVER = "discover"
"""Group of the settings by which a file tells that its transitions were found without labels."""


def diagram_of(base: Table, coupling: str, found: Sequence[Indicator]) -> PhaseDiagram:
    """Table of all curves, one row a point, and a boundary for each method that shows one.

    A curve that lives between points has its numbers in the row of the last point before each, and
    in a column ``NAME_at`` where they are.

    Parameters
    ----------
    base
        Rows of the line in ascending order, without columns.
    coupling
        What varies.
    found
        Curves and their transitions.
    """
    grid = np.asarray([point[coupling] for point in base.points])
    columns = [column for each in found for column in _columns(each, grid, coupling)]
    table = Table(
        rows=base.rows,
        points=base.points,
        labels=base.labels,
        reasons=base.reasons,
        columns=tuple(columns),
    )
    at = {name: value for name, value in base.points[0].couplings if name != coupling}
    located = (each for each in found if math.isfinite(each.location))
    boundaries = tuple(_boundary(each, grid, coupling, at) for each in located)
    return PhaseDiagram(table=table, boundaries=boundaries)


def joined(parts: Sequence[PhaseDiagram]) -> PhaseDiagram:
    """One diagram of several of the same points, methods in the order in which they are shown."""
    table = parts[0].table
    order = [method.column for method in METHODS.values()]
    columns = [column for part in parts for column in part.table.columns]
    boundaries = [boundary for part in parts for boundary in part.boundaries]
    return PhaseDiagram(
        table=Table(
            rows=table.rows,
            points=table.points,
            labels=table.labels,
            reasons=table.reasons,
            columns=tuple(sorted(columns, key=lambda c: order.index(c.name.removesuffix(PLACES)))),
        ),
        boundaries=tuple(sorted(boundaries, key=lambda b: list(METHODS).index(b.method))),
    )


def discovery_lines(diagram: PhaseDiagram, card: StudyCard | None) -> list[str]:
    """The transition by each method with its error, beside the literature, and what to trust.

    Parameters
    ----------
    diagram
        From :func:`diagram_of`.
    card
        Of the study, for its known transitions; None without one.
    """
    table, coupling = diagram.table, coupling_of(diagram.table)
    methods = methods_of(table)
    width = max(len(method.name) for method in methods)
    found = {boundary.method: boundary for boundary in diagram.boundaries}
    at = table.points[0].as_dict()
    fixed = "".join(f", {name} = {value:g}" for name, value in at.items() if name != coupling)
    lines = [f"transition along {coupling} at {len(table.rows)} points{fixed}, without labels:"]
    for method in methods:
        told = "no transition inside the line"
        if method.name in found:
            boundary = found[method.name]
            told = f"{coupling} = {shown_boundary(boundary):<10}  {boundary.note}"
        lines.append(f"  {method.name:<{width}}  {told}".rstrip())
    known = () if card is None else card.known_transitions(coupling, at)
    lines += [_known_line(each) for each in known]
    return [*lines, *_best_line(table), _warning(diagram, coupling)]


def _known_line(known: KnownTransition) -> str:
    error = f" +- {known.error:g}" if known.error else ""
    return f"literature: {known.coupling} = {known.value:.5f}{error} ({known.citation})"


def _best_line(table: Table) -> list[str]:
    """How near networks come to the best accuracy that there is."""
    columns = {column.name: column for column in table.columns}
    names = [METHODS[name].column for name in ("learning by confusion", "optimal confusion")]
    if not set(names) <= set(columns):
        return []
    ours, best = (columns[name] for name in names)
    worst = int(np.nanargmax(best.values - ours.values))
    x, reached, possible = (
        column.values[worst] for column in (columns[f"{names[0]}{PLACES}"], ours, best)
    )
    gap = max(0.0, 100 * (possible - reached))
    return [
        f"networks that tell both sides of a boundary apart are at most {gap:.1f} points of "
        f"accuracy below the best possible ({100 * reached:.1f} of {100 * possible:.1f} %, at a "
        f"boundary at {coupling_of(table)} = {x:g})"
    ]


def _warning(diagram: PhaseDiagram, coupling: str) -> str:
    values = [boundary.value for boundary in diagram.boundaries]
    apart = f" (here they lie {np.ptp(values):.2f} in {coupling} apart)" if len(values) > 1 else ""
    return (
        "errors are statistical: of shots, networks and the step of the grid; the bias of each "
        f"method on a finite chain is not in them, and methods may disagree by more{apart}"
    )


def _columns(each: Indicator, grid: FloatArray, coupling: str) -> list[Column]:
    method = METHODS[each.name]
    rows = np.searchsorted(grid, each.x, side="right") - 1
    unit = method.unit.replace("COUPLING", coupling)
    found = [_column(method.column, unit, method.meaning, (len(grid), rows), each)]
    if not np.array_equal(each.x, grid):
        places = np.full(len(grid), np.nan)
        places[rows] = each.x
        found.append(
            Column(
                name=f"{method.column}{PLACES}",
                unit=coupling,
                meaning=f"{coupling} where {method.column} is given, between two points",
                values=places,
                errors=np.full(len(grid), np.nan),
            )
        )
    return found


def _column(
    name: str, unit: str, meaning: str, places: tuple[int, IntArray], each: Indicator
) -> Column:
    count, rows = places
    values, errors = np.full(count, np.nan), np.full(count, np.nan)
    values[rows], errors[rows] = each.values, each.errors
    return Column(name=name, unit=unit, meaning=meaning, values=values, errors=errors)


def _boundary(each: Indicator, grid: FloatArray, coupling: str, at: dict[str, float]) -> Boundary1D:
    place = int(np.clip(np.searchsorted(grid, each.location), 1, len(grid) - 1))
    return Boundary1D(
        coupling=coupling,
        method=each.name,
        value=each.location,
        lower=float(grid[place - 1]),
        upper=float(grid[place]),
        below="",
        above="",
        at=at,
        error=each.error,
        note=_note(METHODS[each.name], each, coupling),
    )


def _note(method: Method, each: Indicator, coupling: str) -> str:
    k = int(np.nanargmax(each.values))
    if not method.peaked:
        return f"steepest place between {each.values[0]:.3g} and {each.values[-1]:.3g}"
    unit = method.unit.removeprefix("1").replace("COUPLING", coupling)
    return f"peak {each.values[k]:.3g}{unit}"
