"""Figures of the section "automaton": its states and arrows, and the agreement by size."""

import math
import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from phasenet.findings import Section
from phasenet.plots.style import GREY, STYLE, class_colours
from phasenet.trains.train import FloatArray

_RADIUS, _RING, _WIDER = 0.17, 1.0, 0.09
_BEND = 0.16
# Along an arrow, the first choice before the middle, where arrows across the ring meet.
_LABEL_AT = (0.3, 0.24, 0.36, 0.42, 0.5, 0.58)
_ROOM = 0.24
_UNKNOWN = "#dddddd"
_WIDTH = 48


def automaton_figures(section: Section) -> tuple[tuple[str, Figure], ...]:
    """Captions and figures: the automaton as a graph, and the agreement with the network."""
    with mpl.rc_context(STYLE):
        return (
            (
                "The automaton: it starts at the short arrow and follows one arrow at each site. "
                "Colour: what is decided of a chain that ends there. Transitions that no shot "
                "takes are left out.",
                _graph(section),
            ),
            (
                "Share of held-out shots with the network's decision, by the number of states of "
                "an automaton and by the number of values on each bond of the train.",
                _growth(section),
            ),
        )


def _graph(section: Section) -> Figure:
    arrays, labels = section.arrays, section.labels
    states = len(arrays["transitions"])
    places = _places(states)
    figure = Figure(figsize=(8.6, 4.2 + 0.2 * max(0, states - 4)), layout="constrained")
    ax, words = figure.subplots(1, 2, width_ratios=[1.25, 1.0])
    colours = class_colours(labels["classes"])
    for state, (x, y) in enumerate(places):
        output = int(arrays["outputs"][state])
        face = _UNKNOWN if output < 0 else colours[labels["classes"][output]]
        ax.add_patch(Circle((x, y), _RADIUS, facecolor=face, edgecolor="black", lw=1.0, zorder=3))
        ink = "black" if output < 0 else "white"
        ax.text(x, y, f"{state + 1}", ha="center", va="center", color=ink, weight="bold", zorder=4)
    taken = list(places)
    for (state, new), symbols in _arrows(section).items():
        text = ", ".join(symbols)
        if state == new:
            _loop(ax, places[state], _outward(places, state), text)
        else:
            taken.append(_arrow(ax, places[state], places[new], text, taken))
    _start(ax, places, _outward(places, 0))
    margin = float(np.abs(places).max()) + 0.62
    ax.set(xlim=(-margin, margin), ylim=(-margin, margin), aspect="equal")
    ax.set_axis_off()
    _words(words, section, colours)
    return figure


def _places(states: int) -> FloatArray:
    """Centres on a ring, the start on the left."""
    if states == 1:
        return np.zeros((1, 2))
    angles = math.pi - 2 * math.pi * np.arange(states) / states
    ring = _RING + _WIDER * max(0, states - 4)
    return ring * np.column_stack((np.cos(angles), np.sin(angles)))


def _outward(places: FloatArray, state: int) -> float:
    """Angle that points away from the other states."""
    x, y = places[state]
    return math.atan2(y, x) if len(places) > 1 else math.pi / 2


def _arrows(section: Section) -> dict[tuple[int, int], list[str]]:
    """Local states on each arrow that shots take."""
    arrays, symbols = section.arrays, section.labels["local_states"]
    found: dict[tuple[int, int], list[str]] = {}
    for state, row in enumerate(arrays["transitions"]):
        for k, new in enumerate(row):
            if arrays["counts"][state, k]:
                found.setdefault((state, int(new)), []).append(symbols[k])
    return found


def _arrow(
    ax: Axes, start: FloatArray, end: FloatArray, text: str, taken: Sequence[FloatArray]
) -> FloatArray:
    """Place of the label of an arrow, bent so that one back has room beside it."""
    (x, y), (dx, dy) = start, end - start
    control = np.array([x + dx / 2 + _BEND * dy, y + dy / 2 - _BEND * dx])
    away, towards = control - start, control - end
    first = start + away * _RADIUS / np.linalg.norm(away)
    last = end + towards * (_RADIUS + 0.01) / np.linalg.norm(towards)
    path = Path([first, control, last], [Path.MOVETO, Path.CURVE3, Path.CURVE3])
    _patch(ax, path)
    t = np.asarray(_LABEL_AT)[:, None]
    places = (1 - t) ** 2 * first + 2 * t * (1 - t) * control + t**2 * last
    room = np.linalg.norm(places[:, None] - np.asarray(taken), axis=2).min(axis=1)
    # The first with room enough, or the one with the most.
    place = places[int(np.argmax(np.minimum(room, _ROOM)))]
    _label(ax, place, text)
    return np.asarray(place)


def _loop(ax: Axes, place: FloatArray, angle: float, text: str) -> None:
    spread, reach = 0.5, 0.55
    ends = [place + _RADIUS * _unit(angle + turn) for turn in (-spread, spread)]
    far = [place + reach * _unit(angle + turn) for turn in (-0.6 * spread, 0.6 * spread)]
    codes = [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    _patch(ax, Path([ends[0], *far, ends[1]], codes))
    _label(ax, place + 0.5 * _unit(angle), text)


def _start(ax: Axes, places: FloatArray, angle: float) -> None:
    # Beside the loop, if there is one.
    direction = _unit(angle + 1.15)
    tip, tail = (places[0] + length * direction for length in (_RADIUS + 0.01, _RADIUS + 0.3))
    _patch(ax, Path([tail, tip], [Path.MOVETO, Path.LINETO]))
    x, y = tail + 0.03 * direction
    ax.text(x, y, "start", ha="center", va="top", size=8, color=GREY)


def _patch(ax: Axes, path: Path) -> None:
    ax.add_patch(
        FancyArrowPatch(
            path=path, arrowstyle="-|>", mutation_scale=10, lw=1.0, color="black", zorder=2
        )
    )


def _label(ax: Axes, place: FloatArray, text: str) -> None:
    box = {"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none"}
    ax.text(place[0], place[1], text, ha="center", va="center", size=9, bbox=box, zorder=5)


def _unit(angle: float) -> FloatArray:
    return np.array([math.cos(angle), math.sin(angle)])


def _words(ax: Axes, section: Section, colours: dict[str, str]) -> None:
    """What the states stand for, and the colours of the decisions."""
    ax.set_axis_off()
    lines = []
    used = section.arrays["counts"].sum(axis=1) / section.arrays["counts"].sum()
    for state, name in enumerate(section.labels["states"]):
        share = f"{100 * used[state]:.0f} % of steps"
        text = f"{state + 1}  {name} ({share})" if name else f"{state + 1}  {share}"
        lines.append(textwrap.fill(text, _WIDTH, subsequent_indent="    "))
    ax.text(0.0, 0.95, "\n".join(lines), va="top", size=8.5, transform=ax.transAxes)
    handles = [
        Line2D([], [], marker="o", ls="", markersize=8, color=colour, label=f"decides {label}")
        for label, colour in colours.items()
    ]
    if (section.arrays["outputs"] < 0).any():
        handles.append(
            Line2D(
                [], [], marker="o", ls="", markersize=8, color=_UNKNOWN, label="no shot ends here"
            )
        )
    ax.legend(handles=handles, loc="lower left", borderaxespad=0.0)


def _growth(section: Section) -> Figure:
    arrays = section.arrays
    figure = Figure(figsize=(8.4, 3.0), layout="constrained")
    first, second = figure.subplots(1, 2, sharey=True)
    states = np.arange(1, len(arrays["agreement_by_states"]) + 1)
    first.plot(states, arrays["agreement_by_states"], "-o", color="#0072B2", label="held-out shots")
    first.plot(
        states, arrays["joined_by_states"], "--s", color="#E69F00", label="halves of two shots"
    )
    first.set(xlabel="states of the automaton", ylabel="share with the network's decision")
    first.xaxis.set_major_locator(MaxNLocator(integer=True))
    first.legend(loc="lower right")
    second.semilogx(
        arrays["weighted_ranks"], arrays["weighted_agreement"], "-o", color="#0072B2", base=2
    )
    second.set_xlabel("values on each bond of the train")
    second.xaxis.set_major_formatter("{x:.0f}")
    for ax in (first, second):
        ax.axhline(1.0, color=GREY, lw=0.8, ls=":")
    for letter, ax in zip("ab", (first, second), strict=True):
        ax.set_title(f"({letter})", loc="left", weight="bold", size=9)
    return figure
