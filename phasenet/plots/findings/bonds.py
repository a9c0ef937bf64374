"""Figures of the section "bonds": spectra, what each class looks like, what values are worth."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from phasenet.findings import Section
from phasenet.plots.style import GREY, STYLE, class_colours
from phasenet.trains.train import FloatArray

_UNIFORM, _DATA, _READOUT = "#E69F00", "#0072B2", "#009E73"
# Schmidt values below it are left out of the picture.
_SMALLEST = 1e-4
_ROW_INCHES = 0.32


def bonds_figures(section: Section) -> tuple[tuple[str, Figure], ...]:
    """Captions and figures; those of layers only where the network has tensorized ones."""
    with mpl.rc_context(STYLE):
        found = [
            (
                "Schmidt values of the train, less the mean of the function, over all "
                "configurations alike and in the measure of the shots: all values at the middle "
                "bond, and the effective rank of every bond.",
                _spectra(section),
            ),
            (
                "How the decision forms along the chain: what the sites left of a bond tell of "
                "the class, and what the gap of the logits is expected to be once they are known, "
                "mean and spread of the shots of each class.",
                _evolution(section),
            ),
            (
                "Values of every bond of the train: how far apart the classes are in the left "
                "feature of each, and what the accuracy loses and how much of the gap between the "
                "class means is left when it is set to zero.",
                _ablation(section),
            ),
        ]
        if section.labels["layer_bonds"]:
            found += [
                (
                    "Tensorized layers: Schmidt values of each bond, and what a linear readout "
                    "of the numbers that pass it tells of the class, in the order of the network.",
                    _layers(section),
                ),
                (
                    "Ablation in the layers: what the accuracy loses when one index of one bond "
                    "is set to zero, in the gauge that orders the indices by size.",
                    _layer_ablation(section),
                ),
            ]
    return tuple(found)


def _spectra(section: Section) -> Figure:
    arrays = section.arrays
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    first, second = figure.subplots(1, 2)
    bonds = np.arange(len(arrays["data_effective_rank"]))
    middle = (len(bonds) - 1) // 2
    for name, colour, mark, said in (
        ("uniform", _UNIFORM, "s", "all configurations"),
        ("data", _DATA, "o", "measure of the shots"),
    ):
        values = arrays[f"{name}_values"][middle]
        values = values[values > _SMALLEST]
        first.semilogy(np.arange(1, len(values) + 1), values, mark, color=colour, label=said)
        ranks = arrays[f"{name}_effective_rank"]
        second.plot(bonds, ranks, f"-{mark}", color=colour, label=said)
    second.step(
        bonds, arrays["values_kept"], where="mid", color=GREY, lw=1.0, label="for 99 % of decisions"
    )
    first.set(xlabel=f"value of bond {middle}", ylabel="Schmidt value (norm 1)")
    first.xaxis.set_major_locator(MaxNLocator(integer=True))
    second.set(xlabel="bond", ylabel="effective number of values")
    second.set_ylim(0.0, 1.15 * second.get_ylim()[1])
    first.legend()
    second.legend(loc="lower center")
    _letters([first, second])
    return figure


def _evolution(section: Section) -> Figure:
    arrays, classes = section.arrays, section.labels["classes"]
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    first, second = figure.subplots(1, 2)
    bonds = np.arange(len(arrays["running_area"]))
    first.plot(bonds, arrays["readout_area"], "-s", color=_READOUT, label="linear readout")
    first.plot(bonds, arrays["running_area"], "-o", color=_DATA, label="expectation of the train")
    first.axhline(0.5, color=GREY, lw=0.8, ls=":")
    first.text(bonds[-1], 0.505, "chance", color=GREY, size=7.5, ha="right", va="bottom")
    first.set(xlabel="bond", ylabel="area under the curve")
    first.set_ylim(0.48, 1.02)
    first.legend(loc="center right")
    means, spreads = arrays["guess_mean"], arrays["guess_spread"]
    for k, (each, colour) in enumerate(class_colours(classes).items()):
        low, high = means[:, k] - spreads[:, k], means[:, k] + spreads[:, k]
        second.fill_between(bonds, low, high, color=colour, alpha=0.2, lw=0)
        second.plot(bonds, means[:, k], "-o", color=colour, label=each)
    second.axhline(0.0, color=GREY, lw=0.8, ls=":")
    second.set(xlabel="bond", ylabel="expected gap (logits)")
    second.legend(loc="best")
    _letters([first, second])
    return figure


def _ablation(section: Section) -> Figure:
    arrays = section.arrays
    figure = Figure(figsize=(8.4, 5.6), layout="constrained")
    top, first, second = figure.subplots(3, 1, sharex=True)
    apart = np.abs(arrays["feature_distance"].T)
    _matrix(figure, top, apart, "|d'| of the feature", (0.0, float(np.nanmax(apart)) or 1.0))
    loss = arrays["accuracy"] - arrays["ablated_accuracy"].T
    gap = arrays["ablated_gap"].T / arrays["gap"]
    _matrix(figure, first, loss, "loss of accuracy", (0.0, max(float(np.nanmax(loss)), 1e-3)))
    _matrix(figure, second, gap, "gap that is left", (0.0, 1.0))
    for ax in (top, first, second):
        ax.set_ylabel("value")
    second.set_xlabel("bond")
    _letters([top, first, second])
    return figure


def _matrix(
    figure: Figure, ax: Axes, values: FloatArray, label: str, limits: tuple[float, float]
) -> None:
    rows = len(values)
    image = ax.imshow(
        values,
        aspect="auto",
        cmap="viridis" if limits[1] == 1.0 else "viridis_r",
        vmin=limits[0],
        vmax=limits[1],
        interpolation="nearest",
        extent=(-0.5, values.shape[1] - 0.5, rows + 0.5, 0.5),
    )
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.colorbar(image, ax=ax, label=label, pad=0.01)


def _layers(section: Section) -> Figure:
    arrays, bonds = section.arrays, section.labels["layer_bonds"]
    stages = section.labels["stages"]
    height = max(3.2, 1.0 + _ROW_INCHES * max(len(stages), len(bonds)))
    figure = Figure(figsize=(9.6, height), layout="constrained")
    first, second = figure.subplots(1, 2, width_ratios=[1.0, 1.0])
    # Spectra as dots in one row for each bond, the area of a dot its share of the weight.
    for row, values in enumerate(arrays["layer_values"]):
        here = values[np.isfinite(values)]
        indices = np.arange(1, len(here) + 1)
        first.scatter(indices, np.full(len(here), row), s=160 * here**2 + 2, color=_DATA)
    ranks = arrays["layer_effective_rank"]
    named = [f"{bond}\n{r:.2f} effective" for bond, r in zip(bonds, ranks, strict=True)]
    first.set_yticks(range(len(bonds)), named, size=7.5)
    first.set_ylim(len(bonds) - 0.4, -0.6)
    first.xaxis.set_major_locator(MaxNLocator(integer=True))
    first.set_xlabel("index of the bond (area of a dot: share of the weight)")
    rows = np.arange(len(stages))
    second.errorbar(
        arrays["stage_distance"],
        rows,
        xerr=arrays["stage_distance_error"],
        fmt="-o",
        color=_READOUT,
        elinewidth=0.8,
        capsize=1.5,
    )
    second.set_yticks(rows, stages, size=7.5)
    second.set_ylim(len(stages) - 0.4, -0.6)
    second.set_xlabel("d' of a linear readout")
    second.grid(axis="x", lw=0.4, color="#dddddd")
    _letters([first, second])
    return figure


def _layer_ablation(section: Section) -> Figure:
    arrays, bonds = section.arrays, section.labels["layer_bonds"]
    loss = arrays["layer_accuracy"] - arrays["layer_ablated_accuracy"]
    figure = Figure(figsize=(6.4, max(2.0, 1.2 + _ROW_INCHES * len(bonds))), layout="constrained")
    ax = figure.subplots()
    image = ax.imshow(
        loss,
        aspect="auto",
        cmap="viridis_r",
        vmin=0.0,
        vmax=max(float(np.nanmax(loss)), 1e-3),
        interpolation="nearest",
        extent=(0.5, loss.shape[1] + 0.5, len(bonds) - 0.5, -0.5),
    )
    ax.set_yticks(range(len(bonds)), bonds)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("index that is set to zero")
    figure.colorbar(image, ax=ax, label="loss of accuracy", pad=0.01)
    return figure


def _letters(axes: list[Axes]) -> None:
    for letter, ax in zip("abcd", axes, strict=False):
        ax.set_title(f"({letter})", loc="left", weight="bold", size=9)
