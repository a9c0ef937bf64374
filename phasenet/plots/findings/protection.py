"""Figures of a protected network: what survives in its cores, its numbers and its logits."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from phasenet.findings import Section
from phasenet.plots.style import GREY, STYLE, class_colours
from phasenet.trains.train import FloatArray

_INVARIANTS = (
    ("published_changes", "o", "train as found / as published"),
    ("twin_changes", "s", "canonical forms of two trains of one function"),
    ("orthogonal_changes", "v", "train as found / orthogonal gauge alone"),
)
_MOST_SHOTS = 3000
_MOST_WEIGHTS = 16
# Below the rounding of doubles there is nothing to draw.
_LEAST = 1e-17


def protection_figures(section: Section) -> tuple[tuple[str, Figure], ...]:
    """Captions and figures of the section ``protection``."""
    return (
        (
            "Singular values of the slices of each core: an orthogonal gauge alone leaves them, "
            "and with them how the train was found; in what is published they follow from the "
            "function, whatever train it came from.",
            _invariant_figure(section),
        ),
        (
            "Best correlation of each weight tensor with any run of published numbers, and of "
            "each core as it was found: in the published file and, as a scale of chance, in other "
            "gauges of the same function.",
            _match_figure(section),
        ),
        (
            "Logits of held-out shots: what is published is the function, and nothing about the "
            "function is hidden.",
            _logit_figure(section),
        ),
    )


def _invariant_figure(section: Section) -> Figure:
    colours = class_colours([name for name, _, _ in _INVARIANTS])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.0, 3.4), layout="constrained")
        ax = figure.subplots()
        for name, mark, label in _INVARIANTS:
            changes = np.maximum(section.arrays[name], _LEAST)
            sites = np.arange(1, len(changes) + 1)
            ax.semilogy(sites, changes, mark, color=colours[name], mfc="none", label=label)
        ax.set_ylim(_LEAST * 3, 30)
        ax.set_xlabel("core (site)")
        ax.set_ylabel("relative change of singular values")
        figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=1)
    return figure


def _match_figure(section: Section) -> Figure:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        _matches(left, section, "network", section.labels["network"])
        left.set_ylabel("best correlation |r|")
        left.set_xlabel("weight tensor of the network")
        sites = [name.removeprefix("cores.") for name in section.labels["train"]]
        _matches(right, section, "train", [f"{int(site) + 1}" for site in sites])
        right.set_xlabel("core of the train as found (site)")
        left.set_ylim(0.0, 1.05)
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def _matches(ax: Axes, section: Section, name: str, labels: Sequence[str]) -> None:
    chance, found = section.arrays[f"{name}_matches_by_chance"], section.arrays[f"{name}_matches"]
    places = np.arange(len(found))
    many = np.broadcast_to(places, chance.shape)
    ax.plot(many.ravel(), chance.ravel(), "_", color=GREY, alpha=0.5, label="other gauges", ms=6)
    ax.plot(places, found, "o", color="#D55E00", label="published file")
    if len(found) == 0:
        ax.text(0.5, 0.5, "none is long enough", transform=ax.transAxes, ha="center", color=GREY)
    step = max(1, -(-len(labels) // _MOST_WEIGHTS))
    long = max(map(len, labels), default=0) > 4
    ax.set_xticks(
        places[::step], labels[::step], rotation=30 if long else 0, ha="right" if long else "center"
    )
    ax.set_xlim(-0.7, max(len(found), 1) - 0.3)


def _logit_figure(section: Section) -> Figure:
    original, published = (section.arrays[f"{n}_logits"] for n in ("original", "published"))
    labels = section.arrays["labels"]
    classes = section.labels["classes"]
    colours = class_colours(classes)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.8, 3.6), layout="constrained")
        ax = figure.subplots()
        for k, label in enumerate(classes):
            chosen = np.flatnonzero(labels == k)[: _MOST_SHOTS // len(classes)]
            ax.plot(
                _margin(original[chosen]),
                _margin(published[chosen]),
                ".",
                color=colours[label],
                ms=2,
                alpha=0.5,
                label=label,
                rasterized=True,
            )
        ends = ax.get_xlim()
        ax.plot(ends, ends, color=GREY, lw=0.8, zorder=0)
        ax.set_xlabel(f"network: logit of {classes[0]} minus mean")
        ax.set_ylabel("published train: the same")
        ax.legend(markerscale=4, loc="upper left")
    return figure


def _margin(logits: FloatArray) -> FloatArray:
    return np.asarray(logits[:, 0] - logits.mean(axis=1))
