"""Where phases meet along a line of points, each number with the method that gave it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from phasenet.points import ParameterPoint
from phasenet.records import Boundary1D, Table
from phasenet.trains.train import FloatArray, IntArray

LABEL_METHOD = "phase labels"
PEAK_METHOD = "correlation length peak"
CROSSING_METHOD = "classifier crossing"
# Files from before there were local orders say it so.
_LABEL_METHODS = (LABEL_METHOD, "SPT invariants")


def boundaries(table: Table, varied: Sequence[str]) -> tuple[Boundary1D, ...]:
    """Boundaries along every line of the grid on which one coupling varies.

    For each change of label: the bracket between the last point of one phase and the first of the
    next (points without a label lie inside the bracket); the maximum of the correlation length
    near it; and, where the table has the classifier, the crossing of the two mean logits.

    Parameters
    ----------
    table
        With labels.
    varied
        Couplings that take more than one value on the grid.
    """
    found: list[Boundary1D] = []
    for coupling in varied:
        for line in _lines(table.points, coupling):
            x = np.asarray([table.points[row][coupling] for row in line])
            at = {n: v for n, v in table.points[line[0]].couplings if n != coupling}
            labelled = [k for k in range(len(line)) if table.labels[line[k]]]
            for left, right in pairwise(labelled):
                sides = table.labels[line[left]], table.labels[line[right]]
                if sides[0] == sides[1]:
                    continue
                bracket = Boundary1D(
                    coupling=coupling,
                    method=LABEL_METHOD,
                    value=float(x[left] + x[right]) / 2,
                    lower=float(x[left]),
                    upper=float(x[right]),
                    below=sides[0],
                    above=sides[1],
                    at=at,
                )
                found += [bracket, *_refined(table, line, x, bracket)]
    return tuple(found)


def is_bracket(boundary: Boundary1D) -> bool:
    """Return whether a boundary is the bracket between two labels."""
    return boundary.method in _LABEL_METHODS


def _lines(points: Sequence[ParameterPoint], coupling: str) -> list[IntArray]:
    """Rows of points that differ in one coupling only, in its order."""
    groups: dict[tuple[tuple[str, float], ...], list[int]] = {}
    for row, point in enumerate(points):
        if coupling in point.as_dict():
            others = tuple(pair for pair in point.couplings if pair[0] != coupling)
            groups.setdefault(others, []).append(row)
    return [
        np.asarray(sorted(rows, key=lambda row: points[row][coupling]))
        for rows in groups.values()
        if len(rows) > 1
    ]


def _refined(table: Table, line: IntArray, x: FloatArray, bracket: Boundary1D) -> list[Boundary1D]:
    names = {column.name for column in table.columns}
    result = []
    if "correlation_length" in names:
        result += _peak(x, table.column("correlation_length").values[line], bracket)
    logits = [f"logit_{side}" for side in (bracket.below, bracket.above)]
    if names.issuperset(logits):
        below, above = (table.column(name).values[line] for name in logits)
        result += _crossing(x, below - above, bracket)
    return result


def _peak(x: FloatArray, y: FloatArray, bracket: Boundary1D) -> list[Boundary1D]:
    """Local maximum of the line nearest to the bracket that exceeds both of its ends."""
    ends = max(y[0], y[-1])
    tops = [k for k in range(1, len(x) - 1) if y[k] >= max(y[k - 1], y[k + 1]) and y[k] > ends]
    if not tops:
        return []
    top = min(tops, key=lambda k: abs(x[k] - bracket.value))
    return [_between(bracket, PEAK_METHOD, float(x[top]), float(x[top - 1]), float(x[top + 1]))]


def _crossing(x: FloatArray, difference: FloatArray, bracket: Boundary1D) -> list[Boundary1D]:
    """Zero of the difference of the mean logits, by linear interpolation."""
    changes = np.flatnonzero((difference[:-1] > 0) & (difference[1:] <= 0))
    if len(changes) == 0:
        return []
    k = min(changes, key=lambda k: abs(x[k] + x[k + 1] - 2 * bracket.value))
    share = difference[k] / (difference[k] - difference[k + 1])
    value = float(x[k] + share * (x[k + 1] - x[k]))
    return [_between(bracket, CROSSING_METHOD, value, float(x[k]), float(x[k + 1]))]


def _between(
    bracket: Boundary1D, method: str, value: float, lower: float, upper: float
) -> Boundary1D:
    return Boundary1D(
        coupling=bracket.coupling,
        method=method,
        value=value,
        lower=lower,
        upper=upper,
        below=bracket.below,
        above=bracket.above,
        at=bracket.at,
    )
