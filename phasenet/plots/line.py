"""Everything measured along one coupling, in one figure."""

from collections.abc import Sequence
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasenet.card import StudyCard
from phasenet.errors import SettingsError
from phasenet.phases.lines import Section, lines_along
from phasenet.phases.located import susceptibilities
from phasenet.phases.observables import slug
from phasenet.plots.strip import METHOD_INCHES, estimate_strips, shown_methods
from phasenet.plots.style import (
    GREY,
    LITERATURE,
    STYLE,
    brackets,
    fixed_couplings,
    phase_colours,
    symbol,
)
from phasenet.records import PhaseDiagram, Table
from phasenet.trains.train import FloatArray

_MARKS, _FACES = "osDv", ("black", "white", "grey", "white")
_AXES = {"x": "#009E73", "y": "#E67E00", "z": "#8E44AD"}
# Closer than any eye can tell.
_TWIN_ATOL = 1e-3
_ORDERS = ("#B22222", "#1F6F8B", "#7A6A00")
_WIDTH_INCHES, _PANEL_INCHES, _MARGIN_INCHES = 12.4, 3.0, 1.0


def line_figure(diagram: PhaseDiagram, card: StudyCard) -> Figure:
    """Everything measured along one coupling, phases shaded, boundaries beside the literature.

    Parameters
    ----------
    diagram
        Table and boundaries along one line.
    card
        Titles, phases and known transitions.

    Raises
    ------
    SettingsError
        The study varies no coupling, or more than one.
    """
    if len(card.varied) != 1:
        raise SettingsError(
            f"study {card.name} varies {', '.join(card.varied) or 'nothing'}; a line figure needs "
            "exactly one varied coupling"
        )
    coupling = card.varied[0]
    x = np.asarray([point[coupling] for point in diagram.table.points])
    colours = phase_colours(card)
    with mpl.rc_context(STYLE):
        figure, axes = _panels(diagram, card)
        _orders(axes[0], diagram.table, x, card)
        _invariants(axes[1], diagram.table, x, card)
        _classifier(axes[2], diagram.table, x, card, colours)
        _entropy(axes[3], diagram.table, x)
        _correlation_length(axes[4], diagram.table, x)
        _conditional(axes[5], diagram.table, x, card, colours)
        for letter, ax in zip("abcdef", axes, strict=True):
            ax.set_title(f"({letter})", loc="left", weight="bold", size=9, pad=12)
            ax.margins(x=0.02)
            _shade(ax, diagram, x, colours)
            for known in card.known_transitions(coupling, diagram.table.points[0].as_dict()):
                ax.axvline(known.value, color=LITERATURE, ls="--", lw=1.0, zorder=-1)
            _name_phases(ax, diagram, x, card, colours)
        for ax in axes[3:]:
            ax.set_xlabel(symbol(coupling))
        fixed = fixed_couplings(card, diagram.table)
        figure.suptitle(f"{card.title}:  ${card.hamiltonian}${fixed}", size=11)
        figure.supxlabel(_caption(diagram, card, coupling), size=8.5, x=0.01, ha="left")
    return figure


def _panels(diagram: PhaseDiagram, card: StudyCard) -> tuple[Figure, list[Axes]]:
    """Six panels in two rows; below them a strip of the estimates of each boundary."""
    methods = shown_methods(diagram.boundaries)
    strip = _MARGIN_INCHES + METHOD_INCHES * len(methods) if methods else 0.0
    figure = Figure(
        figsize=(12.4, 2 * _PANEL_INCHES + _MARGIN_INCHES + strip), layout="constrained"
    )
    heights = [_PANEL_INCHES, _PANEL_INCHES, *([strip] if methods else [])]
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    axes: list[Axes] = []
    for row in range(2):
        cells = grid[row].subgridspec(1, 3)
        for column in range(3):
            axes.append(figure.add_subplot(cells[column], sharex=axes[0] if axes else None))
    for ax in axes[:3]:
        ax.tick_params(labelbottom=False)
    if methods:
        estimate_strips(figure, grid[2], diagram, card)
    return figure, axes


def _orders(ax: Axes, table: Table, x: FloatArray, card: StudyCard) -> None:
    for axis, colour in _AXES.items():
        if axis == "y" and _is_twin(table, "string_x", "string_y"):
            continue
        twin = ", y" if axis == "x" and _is_twin(table, "string_x", "string_y") else ""
        label = rf"$-\mathcal{{O}}^{{{axis}{twin}}}$"
        _pair(ax, table, x, f"string_{axis}", colour, label, "os")
    rest = [(f"string_{slug(s.name)}", s.name) for s in card.strings if s.name not in _AXES]
    rest += [(f"order_{slug(order.name)}", order.name) for order in card.orders]
    for row, (name, label) in enumerate(rest):
        _pair(ax, table, x, name, _ORDERS[row % len(_ORDERS)], label, "^v")
    ax.axhline(0, color=GREY, lw=0.5)
    strings = any(column.name.startswith("string_") for column in table.columns)
    kinds = [*(["string"] if strings else []), *(["local"] if card.orders else [])]
    ax.set_ylabel(f"{' and '.join(kinds) or 'string'} order")
    _legend(ax)


def _pair(
    ax: Axes, table: Table, x: FloatArray, name: str, colour: str, label: str, marks: str
) -> None:
    """An order of the infinite states, full, and of the open chains, dotted and hollow."""
    full, dotted = f"-{marks[0]}", f":{marks[1]}"
    _curve(ax, table, x, f"{name}_infinite", colour, f"{label}, infinite", full)
    _curve(ax, table, x, f"{name}_finite", colour, f"{label}, open chain", dotted, hollow=True)


def _is_twin(table: Table, one: str, other: str) -> bool:
    """Whether two observables agree wherever they are, so that one curve would hide the other."""
    columns = {column.name: column.values for column in table.columns}
    pairs = [
        (columns[name], columns[name.replace(one, other)])
        for name in (f"{one}_infinite", f"{one}_finite")
        if name in columns and name.replace(one, other) in columns
    ]
    return bool(pairs) and all(
        np.allclose(left, right, atol=_TWIN_ATOL, equal_nan=True) for left, right in pairs
    )


def _classifier(
    ax: Axes, table: Table, x: FloatArray, card: StudyCard, colours: dict[str, str]
) -> None:
    names = {column.name for column in table.columns}
    if not names.intersection(f"probability_{phase.label}" for phase in card.phases):
        _susceptibility(ax, table, card)
        return
    for phase in card.phases:
        name = f"probability_{phase.label}"
        _curve(ax, table, x, name, colours[phase.label], phase.title, "-o", bars=True)
    ax.axhline(0.5, color=GREY, lw=0.5)
    ax.set_ylim(-0.05, 1.05)
    ax.set_ylabel(r"classifier $\langle p_c\rangle$, open chain")
    _legend(ax)


def _susceptibility(ax: Axes, table: Table, card: StudyCard) -> None:
    """Where there is no classifier: how fast neighbouring states lose their overlap."""
    coupling = card.varied[0]
    for line in lines_along(table.points, coupling):
        section = Section(table=table, rows=line, coupling=coupling, near=0.0)
        for where, style, label in (("infinite", "-o", "infinite"), ("finite", ":s", "open chain")):
            middle, logs = susceptibilities(section, where)
            if np.isfinite(logs).any():
                face = "black" if where == "infinite" else "white"
                ax.plot(middle, np.exp(logs), style, color="black", mfc=face, label=label)
                ax.set_yscale("log")
    ax.set_ylabel(r"fidelity susceptibility $\chi_F$ per site")
    _legend(ax)


def _conditional(
    ax: Axes, table: Table, x: FloatArray, card: StudyCard, colours: dict[str, str]
) -> None:
    _curve(ax, table, x, "string_z_finite", GREY, "all snapshots", "-")
    for phase in card.phases:
        name = f"string_z_given_{phase.label}"
        label = f"called {phase.title}"
        _curve(ax, table, x, name, colours[phase.label], label, "o", bars=True)
    ax.axhline(0, color=GREY, lw=0.5)
    ax.set_ylabel(r"$-\mathcal{O}^z$ given the class, open chain")
    if not ax.get_legend_handles_labels()[1]:
        ax.text(0.5, 0.6, "no string order", transform=ax.transAxes, ha="center", color=GREY)
    _legend(ax)


def _entropy(ax: Axes, table: Table, x: FloatArray) -> None:
    _curve(ax, table, x, "entropy_infinite", "black", "infinite", "-o")
    _curve(ax, table, x, "entropy_finite", "black", "open chain", ":s", hollow=True)
    ax.set_ylabel("entanglement entropy (nats)")
    _legend(ax)


def _correlation_length(ax: Axes, table: Table, x: FloatArray) -> None:
    _curve(ax, table, x, "correlation_length", "black", "infinite", "-o")
    lengths = [column.values for column in table.columns if column.name == "correlation_length"]
    if any((values > 0.0).any() for values in lengths):
        ax.set_yscale("log")
    ax.set_ylabel(r"correlation length $\xi$ (sites)")
    _legend(ax)


def _invariants(ax: Axes, table: Table, x: FloatArray, card: StudyCard) -> None:
    names = {column.name for column in table.columns}
    shown = [s.name for s in card.symmetries if f"{slug(s.name)}_infinite" in names]
    if not shown:
        _growth(ax, table, x)
        return
    for row, name in enumerate(shown):
        values = table.column(f"{slug(name)}_infinite").values
        known = values != 0
        height = values + 0.16 * ((len(shown) - 1) / 2 - row)
        kind = row % len(_MARKS)
        ax.plot(x[known], height[known], _MARKS[kind], color="black", mfc=_FACES[kind], label=name)
        ax.plot(x[~known], height[~known], "x", color=GREY)
    ax.plot([], [], "x", color=GREY, label=r"undetermined, $|\eta|<0.999$")
    ax.set_ylim(-1.6, 1.6)
    ax.set_yticks([-1, 0, 1], ["-1", "none", "+1"])
    ax.set_ylabel("SPT invariant, infinite chain")
    # Invariants lie at -1 and +1 only, so the legend fits between them on the emptier side.
    _legend(ax, loc="center left" if np.median(x) > x.mean() else "center right")


def _growth(ax: Axes, table: Table, x: FloatArray) -> None:
    """Where a study names no symmetry: how states grow with their bond dimension."""
    _curve(ax, table, x, "growth_exponent", "black", r"$\kappa$ of $\xi\sim\chi^\kappa$", "-o")
    _curve(ax, table, x, "central_charge", _AXES["x"], r"$c=6\,dS/d\ln\xi$", ":s", hollow=True)
    ax.axhline(0, color=GREY, lw=0.5)
    ax.set_ylabel("growth with the bond dimension")
    _legend(ax)


def _curve(
    ax: Axes,
    table: Table,
    x: FloatArray,
    name: str,
    colour: str,
    label: str,
    style: str,
    *,
    hollow: bool = False,
    bars: bool = False,
) -> None:
    """One column against x; nothing if the table lacks it."""
    if name not in {column.name for column in table.columns}:
        return
    column = table.column(name)
    known = np.isfinite(column.values)
    face = "white" if hollow else colour
    ax.errorbar(
        x[known],
        column.values[known],
        yerr=column.errors[known] if bars else None,
        fmt=style,
        color=colour,
        markerfacecolor=face,
        label=label,
        elinewidth=0.8,
        capsize=1.5,
    )


def _legend(ax: Axes, loc: Literal["best", "center left", "center right"] = "best") -> None:
    if ax.get_legend_handles_labels()[1]:
        ax.legend(loc=loc)


def _shade(ax: Axes, diagram: PhaseDiagram, x: FloatArray, colours: dict[str, str]) -> None:
    for label, lower, upper in _regions(diagram.table.labels, x):
        ax.axvspan(lower, upper, color=colours.get(label, GREY), alpha=0.10, lw=0, zorder=-3)
    for boundary in brackets(diagram.boundaries):
        ax.axvspan(boundary.lower, boundary.upper, color=GREY, alpha=0.45, lw=0, zorder=-2)


def _regions(labels: Sequence[str], x: FloatArray) -> list[tuple[str, float, float]]:
    """Stretches of neighbouring points with the same label."""
    order = np.argsort(x)
    found: list[tuple[str, float, float]] = []
    for k in order:
        label, value = labels[k], float(x[k])
        if found and found[-1][0] == label:
            found[-1] = (label, found[-1][1], value)
        else:
            found.append((label, value, value))
    return [region for region in found if region[0]]


def _name_phases(
    ax: Axes, diagram: PhaseDiagram, x: FloatArray, card: StudyCard, colours: dict[str, str]
) -> None:
    titles = {phase.label: phase.title for phase in card.phases}
    for label, lower, upper in _regions(diagram.table.labels, x):
        ax.text(
            (lower + upper) / 2,
            1.02,
            titles.get(label, label),
            color=colours.get(label, GREY),
            transform=ax.get_xaxis_transform(),
            ha="center",
            va="bottom",
            weight="bold",
        )


def _caption(diagram: PhaseDiagram, card: StudyCard, coupling: str) -> str:
    lines = []
    if brackets(diagram.boundaries):
        lines.append("Grey bands: brackets, between whose ends the labels change.")
    if shown_methods(diagram.boundaries):
        lines.append(
            "Points with bars: our estimates and one standard error, hollow at a finite size, "
            "filled where carried to infinite length or bond dimension."
        )
    lines += [
        f"Red dashes: literature, {known.value:.5f}, {known.citation}."
        for known in card.known_transitions(coupling, diagram.table.points[0].as_dict())
    ]
    return "\n".join(lines)
