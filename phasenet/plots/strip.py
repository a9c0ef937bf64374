"""Estimates of each boundary, one row for each method, beside the bracket and the literature."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.ticker import MaxNLocator

from phasenet.card import StudyCard
from phasenet.phases.boundaries import is_bracket, shown_boundary, with_estimates
from phasenet.phases.scaling import AT_INFINITE_BOND, AT_INFINITE_LENGTH
from phasenet.plots.style import GREY, LITERATURE, symbol
from phasenet.records import Boundary1D, PhaseDiagram

METHOD_INCHES = 0.2
_SHOWN, _TICKS = 4, 6
# Bars that are wider than this many brackets leave the strip.
_WIDEST = 2.0


def shown_methods(boundaries: Sequence[Boundary1D]) -> list[str]:
    """Methods of all estimates, in the order in which they first occur."""
    return list(dict.fromkeys(b.method for b in boundaries if not is_bracket(b)))


def is_limit(boundary: Boundary1D) -> bool:
    """Return whether an estimate is for infinite length or bond dimension."""
    return boundary.method.endswith((AT_INFINITE_BOND, AT_INFINITE_LENGTH))


def estimate_strips(
    figure: Figure,
    cell: SubplotSpec,
    diagram: PhaseDiagram,
    card: StudyCard,
) -> None:
    """One strip for each of the first few brackets: estimates against the varied coupling.

    Parameters
    ----------
    figure, cell
        Where the strips go, side by side.
    diagram
        With boundaries along one line.
    card
        Known transitions.
    """
    found = with_estimates(diagram.boundaries)[:_SHOWN]
    methods = shown_methods(diagram.boundaries)
    cells = cell.subgridspec(1, max(len(found), 1))
    for column, (bracket, estimates) in enumerate(found):
        ax = figure.add_subplot(cells[column])
        _strip(ax, bracket, estimates, methods)
        here = {**diagram.table.points[0].as_dict(), **bracket.at}
        for known in card.known_transitions(bracket.coupling, here):
            if ax.get_xlim()[0] <= known.value <= ax.get_xlim()[1]:
                ax.axvline(known.value, color=LITERATURE, ls="--", lw=1.0, zorder=-1)
        if column:
            ax.set_yticklabels([])
        titles = {phase.label: phase.title for phase in card.phases}
        sides = (titles.get(side, side) for side in (bracket.below, bracket.above))
        ax.set_title(" to ".join(sides), size=9)


def _strip(
    ax: Axes, bracket: Boundary1D, estimates: Sequence[Boundary1D], methods: list[str]
) -> None:
    for boundary in estimates:
        row = -methods.index(boundary.method)
        draw_estimate(ax, boundary, (boundary.value, row), along_x=True)
        ax.annotate(
            shown_boundary(boundary),
            (1.01, row),
            xycoords=ax.get_yaxis_transform(),
            va="center",
            size=7.5,
        )
    ax.axvspan(bracket.lower, bracket.upper, color=GREY, alpha=0.25, lw=0, zorder=-2)
    reach = _WIDEST * (bracket.upper - bracket.lower)
    values = [b.value for b in estimates]
    ax.set_xlim(
        min([bracket.lower, *values]) - reach / 2,
        max([bracket.upper, *values]) + reach / 2,
    )
    ax.set_ylim(-len(methods) + 0.4, 0.6)
    ax.set_yticks([-k for k in range(len(methods))], methods)
    ax.xaxis.set_major_locator(MaxNLocator(_TICKS))
    ax.set_xlabel(symbol(bracket.coupling))


def draw_estimate(
    ax: Axes, boundary: Boundary1D, place: tuple[float, float], *, along_x: bool
) -> None:
    """Point with its standard error along the coupling, hollow if it is for a finite size."""
    error = boundary.error if math.isfinite(boundary.error) else None
    ax.errorbar(
        *place,
        xerr=error if along_x else None,
        yerr=None if along_x else error,
        fmt="o",
        color="black",
        markerfacecolor="black" if is_limit(boundary) else "white",
        markersize=4.5,
        elinewidth=1.0,
        capsize=2.0,
    )
