"""A phase diagram over two couplings."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from phasenet.card import StudyCard
from phasenet.errors import SettingsError
from phasenet.plots.style import GREY, STYLE, brackets, fixed_couplings, phase_colours, symbol
from phasenet.records import PhaseDiagram, Table
from phasenet.trains.train import FloatArray


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
    first = card.phases[0]
    panels: tuple[tuple[str, str, Any], ...] = (
        ("string_x_infinite", r"$-\mathcal{O}^x$, infinite", None),
        ("correlation_length", r"$\xi$ (sites), infinite", LogNorm()),
        (f"probability_{first.label}", rf"$\langle p\rangle$ of {first.title}, open chain", None),
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
        sources = sorted({known.citation for known in card.transitions})
        note = "Grey bars: brackets between points of different phases, from SPT invariants.  "
        crosses = "Red crosses: " + "; ".join(sources) + "." if sources else ""
        figure.supxlabel(note + crosses, size=8.5, x=0.01, ha="left")
    return figure


def _labels(ax: Axes, diagram: PhaseDiagram, card: StudyCard, x: FloatArray, y: FloatArray) -> None:
    labels = np.asarray(diagram.table.labels)
    colours = phase_colours(card)
    for phase in card.phases:
        here = labels == phase.label
        ax.plot(x[here], y[here], "s", color=colours[phase.label], label=phase.title, ms=5)
    open_points = labels == ""
    if open_points.any():
        ax.plot(x[open_points], y[open_points], "x", color=GREY, label="undetermined", ms=5)
    for boundary in brackets(diagram.boundaries):
        ends = [{**boundary.at, boundary.coupling: v} for v in (boundary.lower, boundary.upper)]
        along_x, along_y = ([end[name] for end in ends] for name in reversed(card.varied))
        ax.plot(along_x, along_y, "-", color=GREY, lw=4, alpha=0.5)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=len(card.phases) + 1)


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
    mesh = ax.pcolormesh(columns, rows, values, norm=norm, cmap="viridis", shading="nearest")
    figure.colorbar(mesh, ax=ax, label=title)


def _mark(
    ax: Axes, coupling: str, value: float, at: dict[str, float], across: str, up: str
) -> None:
    place = {**at, coupling: value}
    if across in place and up in place:
        ax.plot(place[across], place[up], "x", color="crimson", ms=7, mew=2)
