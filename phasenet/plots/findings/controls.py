"""Figures of controls: accuracies beside nulls, and matched pairs."""

import textwrap

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from phasenet.findings import Section
from phasenet.plots.findings.readers import READER_COLOURS
from phasenet.plots.style import GREY, STYLE
from phasenet.trains.train import FloatArray

_LETTERS = 22


def controls_figures(section: Section) -> tuple[tuple[str, Figure], ...]:
    """Captions and figures: accuracies, and ranking of matched pairs where there are some."""
    with mpl.rc_context(STYLE):
        found = [
            (
                "Accuracy of the network beside that of local features and of the Bayes optimum, "
                "with standard errors; dotted, that of calling every shot the same of classes "
                "with equally many shots.",
                _accuracies(section),
            )
        ]
        if section.labels["pairs"]:
            found.append(
                (
                    "Pairs of points of different classes that look the same locally: area under "
                    "the receiver operating characteristic, with standard errors; dotted, chance.",
                    _pairs(section),
                )
            )
    return tuple(found)


def _accuracies(section: Section) -> Figure:
    return _groups(
        section.labels["parts"],
        section.labels["judges"],
        section.arrays["accuracy"],
        section.arrays["accuracy_error"],
        floor=100 / len(section.labels["classes"]),
        axis="accuracy (%)",
    )


def _pairs(section: Section) -> Figure:
    return _groups(
        section.labels["pairs"],
        section.labels["pair_judges"],
        section.arrays["pair_area"],
        section.arrays["pair_area_error"],
        floor=50.0,
        axis="pairs of shots ranked rightly (%)",
    )


def _groups(
    groups: tuple[str, ...],
    judges: tuple[str, ...],
    values: FloatArray,
    errors: FloatArray,
    *,
    floor: float,
    axis: str,
) -> Figure:
    """Points with bars of error, one group on the x axis for each set of shots."""
    figure = Figure(figsize=(max(4.6, 1.8 * len(groups) + 1.2), 3.0), layout="constrained")
    ax = figure.subplots()
    width = 0.5 / max(len(judges) - 1, 1)
    for k, judge in enumerate(judges):
        if np.isnan(values[:, k]).all():
            continue
        x = np.arange(len(groups)) + (k - (len(judges) - 1) / 2) * width
        ax.errorbar(
            x,
            100 * values[:, k],
            yerr=100 * errors[:, k],
            fmt="o",
            ms=5,
            capsize=2.5,
            color=READER_COLOURS.get(judge, GREY),
            label=judge,
        )
    ax.axhline(floor, color=GREY, ls=":", lw=1.0)
    names = [
        "\n".join(line for part in name.split(" / ") for line in textwrap.wrap(part, _LETTERS))
        for name in groups
    ]
    ax.set_xticks(range(len(groups)), names)
    ax.set_xlim(-0.6, len(groups) - 0.4)
    ax.set_ylabel(axis)
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(len(labels), 3))
    return figure
