"""Where phases meet along lines of points, each number with the method that gave it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from phasenet.phases.estimates import shown
from phasenet.phases.lines import Section, lines_along
from phasenet.phases.located import CROSSING_METHOD, PEAK_METHOD, Located, located
from phasenet.phases.scaling import scaled
from phasenet.records import Boundary1D, Table
from phasenet.trains.train import FloatArray, IntArray

__all__ = [
    "CROSSING_METHOD",
    "LABEL_METHOD",
    "PEAK_METHOD",
    "boundaries",
    "is_bracket",
    "shown_boundary",
    "with_estimates",
]

LABEL_METHOD = "phase labels"
# An estimate whose error is a larger part of its line says nothing.
_LARGEST_ERROR = 0.25
# Files from before there were local orders say it so.
_LABEL_METHODS = (LABEL_METHOD, "SPT invariants")


def boundaries(
    table: Table, varied: Sequence[str], others: Sequence[Table] = ()
) -> tuple[Boundary1D, ...]:
    """Boundaries along every line of the grid on which one coupling varies.

    For each change of label: the bracket between the last point of one phase and the first of the
    next (points without a label lie inside the bracket); then each estimate that the observables
    up to halfway to the neighbouring brackets support, with its standard error.

    Parameters
    ----------
    table
        With labels.
    varied
        Couplings that take more than one value on the grid.
    others
        Tables of the same line at other lengths or bond dimensions, for extrapolation.
    """
    found: list[Boundary1D] = []
    for coupling in varied:
        for line in lines_along(table.points, coupling):
            at = {n: v for n, v in table.points[line[0]].couplings if n != coupling}
            brackets = _brackets(table, line, coupling, at)
            for k, bracket in enumerate(brackets):
                last = k + 1 == len(brackets)
                lower = _halfway(brackets[k - 1], bracket) if k else -np.inf
                upper = np.inf if last else _halfway(bracket, brackets[k + 1])
                found += [bracket, *_estimates((table, *others), bracket, lower, upper)]
    return tuple(found)


def is_bracket(boundary: Boundary1D) -> bool:
    """Return whether a boundary is the bracket between two labels."""
    return boundary.method in _LABEL_METHODS


def shown_boundary(boundary: Boundary1D) -> str:
    """Value with its standard error, or the interval of the grid where there is none.

    Parameters
    ----------
    boundary
        An estimate, no bracket.
    """
    if np.isnan(boundary.error):
        return f"{boundary.value:.3f} ({boundary.lower:g} to {boundary.upper:g})"
    return shown(boundary.value, boundary.error)


def with_estimates(
    found: Sequence[Boundary1D],
) -> list[tuple[Boundary1D, tuple[Boundary1D, ...]]]:
    """Each bracket with the estimates of the boundary in it, which follow it in a phase diagram.

    >>> with_estimates(())
    []
    """
    starts = [k for k, boundary in enumerate(found) if is_bracket(boundary)]
    ends = [*starts[1:], len(found)]
    return [
        (found[start], tuple(found[start + 1 : end]))
        for start, end in zip(starts, ends, strict=False)
    ]


def _brackets(
    table: Table, line: IntArray, coupling: str, at: dict[str, float]
) -> list[Boundary1D]:
    """Changes of the label along one line."""
    found = []
    labelled = [row for row in line if table.labels[row]]
    for left, right in pairwise(labelled):
        if table.labels[left] != table.labels[right]:
            lower, upper = (float(table.points[row][coupling]) for row in (left, right))
            found.append(
                Boundary1D(
                    coupling=coupling,
                    method=LABEL_METHOD,
                    value=(lower + upper) / 2,
                    lower=lower,
                    upper=upper,
                    below=table.labels[left],
                    above=table.labels[right],
                    at=at,
                )
            )
    return found


def _estimates(
    tables: Sequence[Table], bracket: Boundary1D, lower: float, upper: float
) -> list[Boundary1D]:
    """Everything that tells where the boundary in a bracket lies."""
    parts = [_section(table, bracket, lower, upper) for table in tables]
    sections = [section for section in parts if section is not None]
    x = sections[0].x
    found = located(sections[0], bracket.below, bracket.above) + scaled(sections)
    widest = _LARGEST_ERROR * float(np.ptp(x))
    return [_placed(each, bracket, x) for each in found if not each.estimate.error > widest]


def _halfway(one: Boundary1D, other: Boundary1D) -> float:
    return (one.upper + other.lower) / 2


def _section(table: Table, bracket: Boundary1D, lower: float, upper: float) -> Section | None:
    """Rows of a table on the line of a bracket, between two values of its coupling."""
    for line in lines_along(table.points, bracket.coupling):
        others = {n: v for n, v in table.points[line[0]].couplings if n != bracket.coupling}
        if others == bracket.at:
            x = [table.points[row][bracket.coupling] for row in line]
            rows = [row for row, value in zip(line, x, strict=True) if lower <= value <= upper]
            return Section(
                table=table,
                rows=np.asarray(rows, dtype=np.int64),
                coupling=bracket.coupling,
                near=bracket.value,
            )
    return None


def _placed(found: Located, bracket: Boundary1D, x: FloatArray) -> Boundary1D:
    """Estimate of the boundary that a bracket encloses, with the grid points beside it."""
    value = found.estimate.value
    below, above = x[x <= value], x[x >= value]
    return Boundary1D(
        coupling=bracket.coupling,
        method=found.method,
        value=value,
        lower=float(below[-1]) if len(below) else float(x[0]),
        upper=float(above[0]) if len(above) else float(x[-1]),
        below=bracket.below,
        above=bracket.above,
        at=bracket.at,
        error=found.estimate.error,
        note=found.estimate.method,
    )
