"""Transitions without labels: the curves of all methods, and where each puts the transition."""

import textwrap

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasenet.card import KnownTransition, StudyCard
from phasenet.networks.discovery.methods import (
    CHANGE,
    CONFUSION,
    ENDS,
    METHODS,
    PLACES,
    Method,
    coupling_of,
    methods_of,
)
from phasenet.phases.boundaries import shown_boundary
from phasenet.plots.style import GREY, LITERATURE, STYLE, class_colours, fixed_couplings, symbol
from phasenet.records import PhaseDiagram, Table
from phasenet.trains.train import FloatArray

_LABELS = {
    CONFUSION: "mean accuracy on both sides",
    ENDS: "share that looks like the last points",
    CHANGE: "change, over its largest value",
}
_MARKS = "osD"
_PANEL_INCHES, _HEIGHT_INCHES, _METHOD_INCHES, _MARGIN_INCHES = 4.4, 3.4, 0.22, 0.7
# Of the height of a panel: where the transitions of its curves are.
_HIGHEST_MARK, _MARK_STEP, _HEADROOM = 0.97, 0.045, 0.22
_CHARACTERS_PER_INCH = 15


def discovery_figure(diagram: PhaseDiagram, card: StudyCard | None) -> Figure:
    """Curves of all methods along the coupling, one panel for each family, and their transitions.

    Parameters
    ----------
    diagram
        As :func:`phasenet.pipeline.discover.discover` makes it.
    card
        Of the study, for its title and its known transitions; None without one.
    """
    table = diagram.table
    methods, coupling = methods_of(table), coupling_of(table)
    known = () if card is None else card.known_transitions(coupling, table.points[0].as_dict())
    families = list(dict.fromkeys(method.family for method in methods))
    strip = _MARGIN_INCHES + _METHOD_INCHES * len(methods)
    with mpl.rc_context(STYLE):
        width = _PANEL_INCHES * len(families)
        figure = Figure(figsize=(width, _HEIGHT_INCHES + strip + 0.9), layout="constrained")
        rows = figure.add_gridspec(2, 1, height_ratios=[_HEIGHT_INCHES, strip])
        cells = rows[0].subgridspec(1, len(families))
        axes = [figure.add_subplot(cells[k]) for k in range(len(families))]
        for ax, family in zip(axes, families, strict=True):
            _panel(ax, diagram, [m for m in methods if m.family == family], coupling)
            ax.set_ylabel(_LABELS[family])
        last = figure.add_subplot(rows[1], sharex=axes[0])
        _strip(last, diagram, methods)
        for letter, ax in zip("abcd", [*axes, last], strict=False):
            ax.set_title(f"({letter})", loc="left", weight="bold", size=9)
            ax.set_xlabel(symbol(coupling))
            for each in known:
                ax.axvline(each.value, color=LITERATURE, ls="--", lw=1.0, zorder=-1)
        figure.suptitle(_title(card, table), size=10)
        text = _caption(known, int(_CHARACTERS_PER_INCH * width))
        figure.supxlabel(text, size=8, x=0.01, ha="left")
    return figure


def _panel(ax: Axes, diagram: PhaseDiagram, methods: list[Method], coupling: str) -> None:
    """Curves of one family; above them a point with a bar where each puts the transition."""
    colours = _colours()
    found = {boundary.method: boundary for boundary in diagram.boundaries}
    for row, method in enumerate(methods):
        colour = colours[method.name]
        face = colour if method.exact else "white"
        x, values, errors = _curve(diagram.table, method, coupling)
        ax.errorbar(
            x,
            values,
            yerr=errors,
            fmt=f"-{_MARKS[row]}",
            color=colour,
            markerfacecolor=face,
            label=method.name,
            elinewidth=0.8,
            capsize=1.5,
        )
        if method.name in found:
            boundary = found[method.name]
            ax.errorbar(
                boundary.value,
                _HIGHEST_MARK - _MARK_STEP * row,
                xerr=boundary.error,
                fmt=_MARKS[row],
                color=colour,
                markerfacecolor=face,
                transform=ax.get_xaxis_transform(),
                elinewidth=1.0,
                capsize=2.0,
            )
    low, high = ax.get_ylim()
    ax.set_yticks([tick for tick in ax.get_yticks() if low <= tick <= high])
    ax.set_ylim(low, high + _HEADROOM * (high - low))
    grid = [point[coupling] for point in diagram.table.points]
    margin = 0.02 * (grid[-1] - grid[0])
    ax.set_xlim(grid[0] - margin, grid[-1] + margin)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=1)


def _curve(
    table: Table, method: Method, coupling: str
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Places, values and errors; those of a change over the largest value."""
    column = table.column(method.column)
    x = np.asarray([point[coupling] for point in table.points])
    if f"{method.column}{PLACES}" in {other.name for other in table.columns}:
        x = table.column(f"{method.column}{PLACES}").values
    shown = np.isfinite(column.values)
    scale = float(np.nanmax(np.abs(column.values))) if method.family == CHANGE else 1.0
    return x[shown], column.values[shown] / (scale or 1.0), column.errors[shown] / (scale or 1.0)


def _strip(ax: Axes, diagram: PhaseDiagram, methods: list[Method]) -> None:
    """One row for each method: its transition, in numbers as well."""
    colours = _colours()
    found = {boundary.method: boundary for boundary in diagram.boundaries}
    for row, method in enumerate(methods):
        told = "none"
        if method.name in found:
            boundary = found[method.name]
            told = shown_boundary(boundary)
            ax.errorbar(
                boundary.value,
                -row,
                xerr=boundary.error,
                fmt="o",
                color=colours[method.name],
                markerfacecolor=colours[method.name] if method.exact else "white",
                elinewidth=1.0,
                capsize=2.0,
            )
        place = ax.get_yaxis_transform()
        ax.annotate(told, (1.005, -row), xycoords=place, va="center", size=7.5)
    ax.set_yticks([-row for row in range(len(methods))], [method.name for method in methods])
    ax.set_ylim(-len(methods) + 0.4, 0.6)


def _colours() -> dict[str, str]:
    names = list(METHODS)
    return {**class_colours(names), names[-1]: GREY}


def _title(card: StudyCard | None, table: Table) -> str:
    if card is None:
        return "transitions without labels"
    return f"{card.title}, without labels:  ${card.hamiltonian}${fixed_couplings(card, table)}"


def _caption(known: tuple[KnownTransition, ...], width: int) -> str:
    text = (
        "Points with bars above the curves and below: transitions, with statistical errors only "
        "(of shots, networks and the step of the grid); the bias of a method on a finite chain is "
        "not in them. Filled: best possible, from exact likelihoods."
    )
    lines = textwrap.wrap(text, width)
    for each in known:
        lines += textwrap.wrap(f"Red dashes: literature, {each.value:.5f}, {each.citation}.", width)
    return "\n".join(lines)
