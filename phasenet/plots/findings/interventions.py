"""Figures of interventions: dose-response curves, and what symmetry operations change."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from phasenet.findings import Section
from phasenet.plots.findings.readers import READER_COLOURS
from phasenet.plots.style import GREY, STYLE, class_colours
from phasenet.trains.train import FloatArray

_MARKS = {"density of zeros": "s", "bulk string": "^", "neighbour pairs": "v", "network": "o"}
_AXES = {
    "sign scramble": "share of signs drawn anew",
    "sign shuffle": "share of signs dealt out again",
    "block flip": "length of flipped blocks (sites)",
    "zero shuffle": "share of zeros moved",
}
_INDEX = "index (class gaps)"


def interventions_figures(section: Section) -> tuple[tuple[str, Figure], ...]:
    """Captions and figures: dose-response curves, share of shots still called right, symmetries."""
    with mpl.rc_context(STYLE):
        return (
            (
                "How far changed shots of a class (row) move towards the other classes, 0: not at "
                "all, 1: all the way; network in black, beside readers of known things on the same "
                "shots. Bars are standard errors; the dotted line is the block length that halves "
                "what flips of blocks do to the network beyond a flip of the whole chain.",
                _curves(section),
            ),
            ("Share of the shots of each class that are still called so.", _called(section)),
            (
                "Change of the network's log odds by symmetry operations of the bulk, root mean "
                "square, and share of decisions that change; an open chain is not translation "
                "invariant.",
                _symmetries(section),
            ),
        )


def _curves(section: Section) -> Figure:
    families, classes = section.labels["interventions"], section.labels["classes"]
    figure = Figure(
        figsize=(2.6 * len(families) + 0.4, 2.2 * len(classes) + 0.9), layout="constrained"
    )
    grid = figure.subplots(len(classes), len(families), squeeze=False, sharey="row")
    for place, name in enumerate(classes):
        for ax, family in zip(grid[place], families, strict=True):
            _dose_response(ax, section, family, place)
            if place == len(classes) - 1:
                ax.set_xlabel(_AXES[family])
            if place == 0:
                ax.set_title(family, size=9)
        low, high = _limits(section, place)
        grid[place][0].set_ylim(low, high)
        grid[place][0].set_ylabel(f"shots of {name}\n{_INDEX}")
    # A reader without an index in one panel may have one in another.
    handles = {
        label: handle
        for ax in grid.flat
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        list(handles.values()), list(handles), loc="outside upper center", ncols=len(handles)
    )
    return figure


def _dose_response(ax: Axes, section: Section, family: str, place: int) -> None:
    key = family.replace(" ", "_")
    doses = section.arrays[f"{key}_doses"]
    index, error = section.arrays[f"{key}_index"], section.arrays[f"{key}_index_error"]
    ax.axhline(0.0, color=GREY, lw=0.6)
    for reader, name in reversed(list(enumerate(section.labels["readers"]))):
        y, bars = index[reader, place], error[reader, place]
        if np.isnan(y).all():
            continue
        x = doses
        if family != "block flip":
            x, y, bars = (np.concatenate([[0.0], values]) for values in (x, y, bars))
        ax.errorbar(
            x,
            y,
            yerr=bars,
            fmt=_MARKS.get(name, "D"),
            ls="-" if name == "network" else "--",
            color=READER_COLOURS.get(name, GREY),
            lw=1.8 if name == "network" else 0.9,
            capsize=1.5,
            elinewidth=0.8,
            label=name,
        )
    if family == "block flip":
        _lengths_axis(ax, doses)
        half = section.arrays["used_lengths"][0, place]
        if np.isfinite(half):
            ax.axvline(half, color="black", ls=":", lw=1.0)


def _lengths_axis(ax: Axes, lengths: FloatArray) -> None:
    ax.set_xscale("log", base=2)
    # Half of a chain and a power of two may stand too close for two numbers.
    told = [x for x, after in zip(lengths, [*lengths[1:], np.inf], strict=True) if after > 1.4 * x]
    ax.set_xticks(told, [f"{x:g}" for x in told])
    ax.xaxis.set_minor_formatter(NullFormatter())


def _limits(section: Section, place: int) -> tuple[float, float]:
    """Of all curves of a class; rulers may leave the panel, the network may not."""
    arrays = section.arrays
    keys = [name.replace(" ", "_") for name in section.labels["interventions"]]
    every = np.concatenate([arrays[f"{key}_index"][:, place].ravel() for key in keys])
    own = np.concatenate([arrays[f"{key}_index"][0, place] for key in keys])
    low = min(-0.1, float(np.nanmin(own)) - 0.1, max(-0.5, float(np.nanmin(every)) - 0.05))
    high = max(1.1, float(np.nanmax(own)) + 0.1, min(1.5, float(np.nanmax(every)) + 0.05))
    return low, high


def _called(section: Section) -> Figure:
    families, classes = section.labels["interventions"], section.labels["classes"]
    figure = Figure(figsize=(2.6 * len(families) + 0.4, 2.8), layout="constrained")
    row = figure.subplots(1, len(families), squeeze=False, sharey="row")[0]
    colours = class_colours(classes)
    for ax, family in zip(row, families, strict=True):
        key = family.replace(" ", "_")
        doses = section.arrays[f"{key}_doses"]
        for place, name in enumerate(classes):
            ax.errorbar(
                doses,
                100 * section.arrays[f"{key}_called"][place],
                yerr=100 * section.arrays[f"{key}_called_error"][place],
                fmt="o-",
                color=colours[name],
                capsize=1.5,
                label=name,
            )
        if family == "block flip":
            _lengths_axis(ax, doses)
        ax.set_title(family, size=9)
        ax.set_xlabel(_AXES[family])
        ax.set_ylim(-3, 103)
    row[0].set_ylabel("still called so (%)")
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def _symmetries(section: Section) -> Figure:
    arrays, labels = section.arrays, section.labels
    figure = Figure(figsize=(7.0, 2.6), layout="constrained")
    first, second = figure.subplots(1, 2)
    _bars(first, labels, arrays["symmetry_roughness"], None)
    first.set_ylabel("r.m.s. change of log odds\n(class gaps)")
    errors = 100 * arrays["symmetry_changed_error"]
    _bars(second, labels, 100 * arrays["symmetry_changed"], errors)
    second.set_ylabel("decisions that change (%)")
    handles, names = first.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure


def _bars(
    ax: Axes,
    labels: Mapping[str, Sequence[str]],
    values: FloatArray,
    errors: FloatArray | None,
) -> None:
    """Groups of bars, one group for each operation and in it one bar for each class."""
    classes, operations = labels["classes"], labels["symmetries"]
    width = 0.8 / len(classes)
    for place, (name, colour) in enumerate(class_colours(classes).items()):
        x = np.arange(len(operations)) + (place - (len(classes) - 1) / 2) * width
        error = None if errors is None else errors[place]
        ax.bar(x, values[place], width, yerr=error, color=colour, capsize=2, label=name)
    names = [name.replace(" by ", "\nby ") for name in operations]
    ax.set_xticks(range(len(operations)), names)
    ax.set_ylim(bottom=0.0)
