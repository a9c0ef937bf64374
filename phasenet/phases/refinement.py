"""Which points to look at next, so that every phase boundary is known to a resolution."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from phasenet.errors import SettingsError
from phasenet.phases.boundaries import LABEL_METHOD, PEAK_METHOD
from phasenet.points import ParameterPoint

OPEN_METHOD = "undetermined in between"

Gap = tuple[float, float]

_SLACK = 1 + 1e-9  # widths are differences of rounded numbers


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is known of one point.

    Parameters
    ----------
    point
        Couplings.
    label
        Phase, empty where it is undetermined.
    correlation_length
        Of the infinite state, in sites; NaN if unknown.
    """

    point: ParameterPoint
    label: str
    correlation_length: float


@dataclass(frozen=True)
class Line:
    """Line of a grid along one coupling.

    Parameters
    ----------
    coupling
        What varies.
    at
        The other couplings.
    lower, upper
        Its ends.
    """

    coupling: str
    at: tuple[tuple[str, float], ...]
    lower: float
    upper: float

    def point(self, value: float) -> ParameterPoint:
        """Return the point of the line at a value of its coupling."""
        return ParameterPoint.of(dict(self.at), **{self.coupling: value})

    def uniform(self, resolution: float) -> int:
        """Return how many equidistant points a grid of this resolution has on the line."""
        return math.ceil((self.upper - self.lower) / resolution / _SLACK) + 1


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """Interval of a line that contains a boundary.

    Parameters
    ----------
    line
        Where.
    lower, upper
        Ends of the interval.
    below, above
        Labels of the nearest determined points on both sides; empty where there is none.
    window
        Where these points lie, or else the ends of the line.
    method
        Labels on both ends; or a peak of the correlation length between undetermined points; or
        neither: the boundary lies anywhere between the labels, and the bracket stays wide.
    """

    line: Line
    lower: float
    upper: float
    below: str
    above: str
    window: tuple[float, float]
    method: str

    @property
    def width(self) -> float:
        """Upper minus lower end."""
        return self.upper - self.lower


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Part of a line without labels, and without a peak of the correlation length inside."""

    line: Line
    lower: float
    upper: float


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A point to look at next, and the known points left and right of it."""

    point: ParameterPoint
    neighbours: tuple[ParameterPoint, ParameterPoint]


@dataclass(frozen=True, kw_only=True)
class Refinement:
    """What is known of all boundaries, and what to do next.

    Parameters
    ----------
    brackets
        One for each boundary, in the order of the lines.
    stretches
        Where nothing can be said.
    probes
        Next points; none: every bracket is narrow enough.
    """

    brackets: tuple[Bracket, ...]
    stretches: tuple[Stretch, ...]
    probes: tuple[Probe, ...]


def lines_of(points: Iterable[ParameterPoint]) -> tuple[Line, ...]:
    """Lines of two or more points that differ in one coupling only.

    >>> [line.coupling for line in lines_of([ParameterPoint.of(D=d, J=1) for d in (0, 1, 2)])]
    ['D']
    """
    values: dict[tuple[str, tuple[tuple[str, float], ...]], list[float]] = {}
    for point in points:
        for coupling, value in point.couplings:
            others = tuple(pair for pair in point.couplings if pair[0] != coupling)
            values.setdefault((coupling, others), []).append(value)
    return tuple(
        Line(coupling, at, min(found), max(found))
        for (coupling, at), found in values.items()
        if len(found) > 1
    )


def refine(findings: Sequence[Finding], lines: Sequence[Line], *, resolution: float) -> Refinement:
    """Brackets of all boundaries along some lines, and the points that would narrow them.

    Between two different labels with nothing undetermined in between, the interval is halved. With
    undetermined points in between, the boundary is taken to lie where the correlation length has
    its peak: between the neighbours of the highest point, of which the farther one is approached by
    half. Where no undetermined point is higher than both labelled ends, there is no such peak, and
    only the ends are moved towards each other. Without labels on both sides, a peak is narrowed as
    well, but the absence of one is final.

    Parameters
    ----------
    findings
        What is known, in any order.
    lines
        From :func:`lines_of` of the grid that was there first.
    resolution
        Largest width of a bracket, in units of the couplings.

    Returns
    -------
    With no probes when every bracket is at most that wide, or cannot be narrowed. No two points
    ever come closer than a quarter of the resolution, so that repeating this ends.

    >>> rows = [
    ...     Finding(point=ParameterPoint.of(D=d), label="a" if d < 3 else "b", correlation_length=1)
    ...     for d in (0, 4)
    ... ]
    >>> found = refine(rows, lines_of([row.point for row in rows]), resolution=1)
    >>> [str(probe.point) for probe in found.probes]
    ['D=2']
    """
    if not (resolution > 0 and math.isfinite(resolution)):
        raise SettingsError(f"resolution is {resolution}; it must be a positive number")
    brackets: list[Bracket] = []
    stretches: list[Stretch] = []
    probes: dict[ParameterPoint, Probe] = {}
    on_line = _sorted(findings)
    for line in lines:
        rows = on_line.get((line.coupling, line.at), [])
        for first, last in _windows(rows):
            bracket, gaps = _bracket(line, rows, first, last, resolution * _SLACK)
            if bracket is None:
                ends = (rows[k].point[line.coupling] for k in (first, last))
                stretches.append(Stretch(line=line, lower=next(ends), upper=next(ends)))
                continue
            brackets.append(bracket)
            for gap in gaps:
                probe = _probe(line, gap)
                probes |= {} if probe is None else {probe.point: probe}
    return Refinement(
        brackets=tuple(brackets), stretches=tuple(stretches), probes=tuple(probes.values())
    )


def _sorted(
    findings: Sequence[Finding],
) -> Mapping[tuple[str, tuple[tuple[str, float], ...]], list[Finding]]:
    """Findings by the lines that they lie on, along each line."""
    found: dict[tuple[str, tuple[tuple[str, float], ...]], list[Finding]] = {}
    for finding in findings:
        for coupling, _ in finding.point.couplings:
            others = tuple(pair for pair in finding.point.couplings if pair[0] != coupling)
            found.setdefault((coupling, others), []).append(finding)
    for (coupling, _), rows in found.items():
        rows.sort(key=lambda row: row.point[coupling])
    return found


def _windows(rows: Sequence[Finding]) -> list[tuple[int, int]]:
    """First and last row of each part of a line that may hold a boundary."""
    labelled = [k for k, row in enumerate(rows) if row.label]
    last = len(rows) - 1
    if not labelled:
        return [(0, last)] if last > 0 else []
    windows = [(i, j) for i, j in pairwise(labelled) if rows[i].label != rows[j].label or j > i + 1]
    before = [(0, labelled[0])] if labelled[0] > 0 else []
    return [*before, *windows, *([(labelled[-1], last)] if labelled[-1] < last else [])]


def _bracket(
    line: Line, rows: Sequence[Finding], first: int, last: int, widest: float
) -> tuple[Bracket | None, list[Gap]]:
    """Bracket of the boundary in a window, if there is one, and the gaps to be halved."""
    x = [row.point[line.coupling] for row in rows]
    height = [_height(row) for row in rows]
    below, above = rows[first].label, rows[last].label
    changes = bool(below and above and below != above)
    whole = x[first], x[last]
    centre = sum(whole) / 2
    inside = range(first + 1, last)
    top = max(inside, key=lambda k: (height[k], -abs(x[k] - centre)), default=first)
    if changes and (top == first or whole[1] - whole[0] <= widest):
        ends, method, gaps = whole, LABEL_METHOD, [whole]
    elif height[top] > max(height[first], height[last]):
        ends, method = (x[top - 1], x[top + 1]), PEAK_METHOD
        parts = (ends[0], x[top]), (x[top], ends[1])
        # Half of the bracket may be narrow enough where the bracket is not.
        gaps = [max(parts, key=_width)] if _width(ends) > widest else []
        widest = 0.0
    elif changes:
        ends, method = whole, OPEN_METHOD
        gaps = [(x[first], x[first + 1]), (x[last - 1], x[last])]
    else:
        return None, []
    bracket = Bracket(
        line=line,
        lower=ends[0],
        upper=ends[1],
        below=below,
        above=above,
        window=whole,
        method=method,
    )
    return bracket, [gap for gap in gaps if _width(gap) > widest]


def _width(gap: Gap) -> float:
    return gap[1] - gap[0]


def _height(row: Finding) -> float:
    """Correlation length, lowest of all where it is unknown."""
    return -math.inf if math.isnan(row.correlation_length) else row.correlation_length


def _probe(line: Line, gap: Gap) -> Probe | None:
    """Point in the middle of a gap, or nothing where numbers end."""
    ends = line.point(gap[0]), line.point(gap[1])
    point = line.point(sum(gap) / 2)
    return None if point in ends else Probe(point=point, neighbours=ends)
