"""A phase diagram over two couplings."""

import textwrap
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from phasenet.card import StudyCard
from phasenet.errors import SettingsError
from phasenet.phases.boundaries import CROSSING_METHOD, with_estimates
from phasenet.phases.observables import slug
from phasenet.plots.strip import draw_estimate, is_limit
from phasenet.plots.style import (
    GREY,
    LITERATURE,
    STYLE,
    brackets,
    fixed_couplings,
    phase_colours,
    symbol,
)
from phasenet.records import Boundary1D, PhaseDiagram, Table
from phasenet.trains.train import FloatArray

_LEGEND_COLUMNS, _CAPTION_WIDTH = 3, 140


def plane_figure(diagram: PhaseDiagram, card: StudyCard) -> Figure:
    """Labels with their brackets, string order, correlation length and classifier over a plane.

    Parameters
    ----------
    diagram
        Table and boundaries on a grid of two couplings.
    card
        Titles, phases and known transitions.

    Raises
    ------
    SettingsError
        The study does not vary exactly two couplings.
    """
    if len(card.varied) != 2:
        raise SettingsError(
            f"study {card.name} varies {', '.join(card.varied) or 'nothing'}; a plane figure needs "
            "exactly two varied couplings"
        )
    across, up = card.varied[1], card.varied[0]
    table = diagram.table
    x, y = (np.asarray([point[name] for point in table.points]) for name in (across, up))
    panels: tuple[tuple[str, str, Any], ...] = (
        _order_panel(card, table),
        ("correlation_length", r"$\xi$ (sites), infinite", LogNorm()),
        _class_panel(card, table),
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.0, 7.6), layout="constrained")
        axes = figure.subplots(2, 2, sharex=True, sharey=True).ravel()
        _labels(axes[0], diagram, card, x, y)
        for ax, (name, title, norm) in zip(axes[1:], panels, strict=True):
            _map(figure, ax, table, x, y, name, title, norm)
        for letter, ax in zip("abcd", axes, strict=True):
            ax.set_title(f"({letter})", loc="left", weight="bold", size=9)
            for known in card.transitions:
                _mark(ax, known.coupling, known.value, dict(known.at), across, up)
        for ax in axes[2:]:
            ax.set_xlabel(symbol(across))
        for ax in axes[::2]:
            ax.set_ylabel(symbol(up))
        figure.suptitle(
            f"{card.title}:  ${card.hamiltonian}${fixed_couplings(card, table)}", size=11
        )
        figure.supxlabel(_caption(diagram, card), size=8.5, x=0.01, ha="left")
    return figure


def _caption(diagram: PhaseDiagram, card: StudyCard) -> str:
    note = "Grey bars: brackets between points of different phases.  "
    drawn = sorted({b.method for b in _estimates(diagram)})
    if drawn:
        note += f"Circles with bars: our estimates and one standard error ({', '.join(drawn)}).  "
    sources = sorted({known.citation for known in card.transitions})
    crosses = "Red crosses: literature, " + "; ".join(sources) + "." if sources else ""
    return "\n".join(textwrap.wrap(note + crosses, _CAPTION_WIDTH))


def _estimates(diagram: PhaseDiagram) -> list[Boundary1D]:
    """One estimate of each boundary, of infinite size if there is one: a plane has room for one."""
    found = []
    for _, estimates in with_estimates(diagram.boundaries):
        physical = [b for b in estimates if b.method != CROSSING_METHOD]
        found += sorted(physical, key=lambda b: not is_limit(b))[:1]
    return found


def _order_panel(card: StudyCard, table: Table) -> tuple[str, str, Any]:
    """Column that tells most phases apart: a string order, a local order or the entropy."""
    names = {column.name for column in table.columns}
    if "string_x_infinite" in names:
        return "string_x_infinite", r"$-\mathcal{O}^x$, infinite", None
    for order in card.orders:
        if f"order_{slug(order.name)}_infinite" in names:
            return f"order_{slug(order.name)}_infinite", f"{order.name}, infinite", None
    return "entropy_infinite", "entropy (nats), infinite", None


def _class_panel(card: StudyCard, table: Table) -> tuple[str, str, Any]:
    """Probability of the first class of the classifier, or the entropy where there is none."""
    names = {column.name for column in table.columns}
    for phase in card.phases:
        if f"probability_{phase.label}" in names:
            title = rf"$\langle p\rangle$ of {phase.title}, open chain"
            return f"probability_{phase.label}", title, None
    return "entropy_infinite", "entropy (nats), infinite", None


def _labels(ax: Axes, diagram: PhaseDiagram, card: StudyCard, x: FloatArray, y: FloatArray) -> None:
    labels = np.asarray(diagram.table.labels)
    colours = phase_colours(card)
    _regions(ax, labels, card, x, y)
    for phase in card.phases:
        here = labels == phase.label
        gapless = phase.central_charge is not None
        mark, title = ("o", f"{phase.title} (gapless)") if gapless else ("s", phase.title)
        ax.plot(x[here], y[here], mark, color=colours[phase.label], label=title, ms=5)
    open_points = labels == ""
    if open_points.any():
        ax.plot(x[open_points], y[open_points], "x", color=GREY, label="undetermined", ms=5)
    for boundary in brackets(diagram.boundaries):
        ends = [{**boundary.at, boundary.coupling: v} for v in (boundary.lower, boundary.upper)]
        along_x, along_y = ([end[name] for end in ends] for name in reversed(card.varied))
        ax.plot(along_x, along_y, "-", color=GREY, lw=4, alpha=0.5, zorder=1)
    for boundary in _estimates(diagram):
        place = {**boundary.at, boundary.coupling: boundary.value}
        across, up = card.varied[1], card.varied[0]
        draw_estimate(ax, boundary, (place[across], place[up]), along_x=boundary.coupling == across)
    # Above the axes, in as many rows as are needed.
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=_LEGEND_COLUMNS)


def _regions(ax: Axes, labels: Any, card: StudyCard, x: FloatArray, y: FloatArray) -> None:
    """Cells around the points of each phase, and its name near their middle."""
    columns, rows = np.unique(x), np.unique(y)
    for phase in card.phases:
        here = labels == phase.label
        if not here.any():
            continue
        colour = phase_colours(card)[phase.label]
        cells = np.full((len(rows), len(columns)), np.nan)
        cells[np.searchsorted(rows, y[here]), np.searchsorted(columns, x[here])] = 1.0
        ax.pcolormesh(
            columns, rows, cells, cmap=ListedColormap([colour]), shading="nearest", alpha=0.18
        ).set_zorder(-3)
        distance = np.hypot((x - x[here].mean()) / np.ptp(x), (y - y[here].mean()) / np.ptp(y))
        middle = int(np.argmin(np.where(here, distance, np.inf)))
        ax.annotate(
            phase.title,
            (x[middle], y[middle]),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            weight="bold",
            color=colour,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )


def _map(
    figure: Figure,
    ax: Axes,
    table: Table,
    x: FloatArray,
    y: FloatArray,
    name: str,
    title: str,
    norm: Any,
) -> None:
    """One column as colours; a grid point without a row stays empty."""
    if name not in {column.name for column in table.columns}:
        ax.text(0.5, 0.5, f"no {name}", transform=ax.transAxes, ha="center", color=GREY)
        return
    columns, rows = np.unique(x), np.unique(y)
    values = np.full((len(rows), len(columns)), np.nan)
    values[np.searchsorted(rows, y), np.searchsorted(columns, x)] = table.column(name).values
    if norm is not None:
        # A product state has no correlation length, and no place on a logarithmic scale.
        values[~((values > 0.0) & np.isfinite(values))] = np.nan
    if np.isnan(values).all():
        ax.text(0.5, 0.5, f"no {name}", transform=ax.transAxes, ha="center", color=GREY)
        return
    mesh = ax.pcolormesh(columns, rows, values, norm=norm, cmap="viridis", shading="nearest")
    figure.colorbar(mesh, ax=ax, label=title)


def _mark(
    ax: Axes, coupling: str, value: float, at: dict[str, float], across: str, up: str
) -> None:
    place = {**at, coupling: value}
    if across in place and up in place:
        ax.plot(place[across], place[up], "x", color=LITERATURE, ms=7, mew=2)
