"""Lines of points along one coupling, and the part of one around a boundary."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phasenet.points import ParameterPoint
from phasenet.records import Table
from phasenet.trains.train import FloatArray, IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """Part of a line of a table that holds one boundary.

    Parameters
    ----------
    table
        Observables.
    rows
        Rows of the table, in the order of the coupling.
    coupling
        What varies.
    near
        Where the boundary is looked for.
    """

    table: Table
    rows: IntArray
    coupling: str
    near: float

    @cached_property
    def x(self) -> FloatArray:
        """Values of the coupling, rising."""
        return np.asarray([self.table.points[row][self.coupling] for row in self.rows])

    @cached_property
    def names(self) -> frozenset[str]:
        """Columns of the table."""
        return frozenset(column.name for column in self.table.columns)

    def values(self, name: str) -> FloatArray:
        """Return one column, NaN if the table lacks it."""
        if name not in self.names:
            return np.full(len(self.rows), np.nan)
        return np.asarray(self.table.column(name).values)[self.rows]

    def errors(self, name: str) -> FloatArray:
        """Return the errors of one column, NaN if the table lacks it."""
        if name not in self.names:
            return np.full(len(self.rows), np.nan)
        return np.asarray(self.table.column(name).errors)[self.rows]

    def curve(self, name: str) -> list[FloatArray]:
        """Return one array for each row, empty if the table lacks the curve."""
        for curve in self.table.curves:
            if curve.name == name:
                return [np.asarray(curve.values[row], dtype=float) for row in self.rows]
        return [np.zeros(0)] * len(self.rows)


def lines_along(points: Sequence[ParameterPoint], coupling: str) -> list[IntArray]:
    """Rows of points that differ in one coupling only, in its order; of equal points the first.

    Parameters
    ----------
    points
        One for each row.
    coupling
        What varies along a line.

    >>> points = [ParameterPoint.of(D=d, J=j) for d in (2, 0, 1) for j in (1, 2)]
    >>> [line.tolist() for line in lines_along(points, "D")]
    [[2, 4, 0], [3, 5, 1]]
    """
    groups: dict[tuple[tuple[str, float], ...], dict[float, int]] = {}
    for row, point in enumerate(points):
        if coupling in point.as_dict():
            others = tuple(pair for pair in point.couplings if pair[0] != coupling)
            groups.setdefault(others, {}).setdefault(point[coupling], row)
    return [
        np.asarray([rows[value] for value in sorted(rows)])
        for rows in groups.values()
        if len(rows) > 1
    ]
