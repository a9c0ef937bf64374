"""Figures of the importance of modes, and of pixels."""

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from phasenet.findings import Section
from phasenet.plots.style import GREY, STYLE, class_colours
from phasenet.trains.train import FloatArray

Figures = tuple[tuple[str, Figure], ...]
_LEVEL = 0.05
# Indices that a panel has room to name, and modes that a figure has room for.
_NAMED, _PANELS = 16, 12
_BAR = "#9DB7D5"


def importance_figures(section: Section) -> Figures:
    """Added loss of every index, of every site, and all scores beside one another."""
    with mpl.rc_context(STYLE):
        return _first(section), _sites(section), _others(section), _scores(section)


def picture_figures(section: Section) -> Figures:
    """Mean picture of each class above the importance of its pixels."""
    arrays, classes = section.arrays, section.labels["classes"]
    rows = (
        ("mean picture", arrays["mean_picture"], "Greys"),
        ("rows x columns", arrays["outer"], "magma"),
        ("pixel by pixel", arrays["pixels"], "RdBu_r"),
    )
    with mpl.rc_context(STYLE):
        size = 0.85 * len(classes) + 1.6, 0.85 * len(rows) + 0.5
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(len(rows), len(classes), squeeze=False)
        for line, (name, pictures, colours) in zip(axes, rows, strict=True):
            largest = float(np.abs(pictures).max())
            least = -largest if colours == "RdBu_r" else 0.0
            for ax, picture in zip(line, pictures, strict=True):
                image = ax.imshow(picture, cmap=colours, vmin=least, vmax=largest)
                ax.set_xticks([])
                ax.set_yticks([])
                ax.spines[:].set_visible(True)
                ax.spines[:].set(linewidth=0.4, color=GREY)
            line[0].set_ylabel(name, fontsize=7.5)
            unit = "grey level" if name == "mean picture" else "added loss\n(nats)"
            figure.colorbar(image, ax=list(line), label=unit, fraction=0.02, pad=0.01)
        for ax, name in zip(axes[0], classes, strict=True):
            ax.set_title(name, fontsize=9)
    caption = (
        "What shuffling adds to the held-out loss of each class: geometric mean of a pixel's row "
        "and column, and the pixel alone. Blue: a typical value would say more for the class."
    )
    return ((caption, figure),)


def _first(section: Section) -> tuple[str, Figure]:
    """Panels of the input modes of one layer, with the names of their indices."""
    modes = _shown_modes(section)
    sizes = [len(range(*part.indices(10**9))) for part in modes.values()]
    height = 0.19 * max(sizes) + 1.0
    figure = Figure(figsize=(4.0 * len(modes) + 0.8, max(2.2, height)), layout="constrained")
    axes = figure.subplots(1, len(modes), squeeze=False)[0]
    colours = class_colours(section.labels["classes"])
    for ax, (name, part) in zip(axes, modes.items(), strict=True):
        _bars(ax, section, part)
        names = section.labels["indices"][part]
        places = np.arange(len(names))
        for label, values in zip(
            section.labels["classes"], section.arrays["added_loss_of_class"][:, part], strict=True
        ):
            ax.plot(values, places, "o", ms=3, color=colours[label], label=label, zorder=3)
        ax.set_yticks(places, [_short(one) for one in names])
        ax.invert_yaxis()
        ax.set_xlabel("added loss (nats)")
        ax.set_title(name, fontsize=9)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    caption = (
        "Held-out loss that is added when an index of a tensorized layer is shuffled over the "
        "shots, with its standard error; dots: over the shots of one class. Hollow bars do "
        f"not stand out against networks taught shuffled labels (family-wise p > {_LEVEL:g}), "
        "whose mean with two standard deviations is grey. *: not all "
        "states of the sites at its ends."
    )
    return caption, figure


def _bars(ax: Axes, section: Section, part: slice) -> None:
    """Horizontal bars of the added loss beside the null."""
    arrays = section.arrays
    values, errors = arrays["score"][0, part], arrays["added_loss_error"][part]
    places, clear = np.arange(len(values)), arrays["p"][0, part] <= _LEVEL
    for kind, face in ((clear, _BAR), (~clear, "none")):
        ax.barh(
            places[kind],
            values[kind],
            xerr=errors[kind],
            color=face,
            edgecolor=GREY,
            lw=0.6,
            error_kw={"elinewidth": 0.8, "ecolor": GREY},
        )
    mean, spread = arrays["null_mean"][part], arrays["null_spread"][part]
    ax.errorbar(
        mean,
        places,
        xerr=2 * spread,
        fmt="|",
        color=GREY,
        ms=5,
        lw=2.5,
        alpha=0.5,
        label="shuffled labels",
    )
    ax.axvline(0, color=GREY, lw=0.6)


def _others(section: Section) -> tuple[str, Figure]:
    """Profiles of all modes, the largest added loss of each first."""
    names, parts = section.labels["modes"], _parts(section)
    count = min(len(names), _PANELS)
    columns = min(3, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(2.7 * columns + 0.6, 1.9 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, name, part in zip(axes, names, parts, strict=False):
        values = section.arrays["score"][0, part]
        order = np.argsort(-values)
        errors, null = section.arrays["added_loss_error"][part], section.arrays["null_added_loss"]
        places = np.arange(1.0, 1 + len(values))
        ax.errorbar(
            places,
            values[order],
            yerr=errors[order],
            fmt="o-",
            ms=2.5,
            color="#0072B2",
            lw=0.8,
            label="the network",
        )
        if "replica_added_loss" in section.arrays:
            replicas = -np.sort(-section.arrays["replica_added_loss"][:, part], axis=1)
            _band(ax, places, replicas, "#D55E00", "taught again, true labels")
        _band(ax, places, -np.sort(-null[:, part], axis=1), GREY, "taught again, shuffled labels")
        ax.set_title(name, fontsize=7.5)
        ax.axhline(0, color=GREY, lw=0.5)
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for ax in axes[count:]:
        ax.set_visible(False)
    figure.supxlabel("rank of the index in its mode", fontsize=9)
    figure.supylabel("added loss (nats)", fontsize=9)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    left_out = f" (the first {count} of {len(names)} modes)" if count < len(names) else ""
    return (
        f"Added loss of all indices, the largest first{left_out}, of the network and, from the "
        "least to the largest, of networks taught true and shuffled labels in the same way.",
        figure,
    )


def _band(ax: Axes, x: FloatArray, rows: FloatArray, colour: str, label: str) -> None:
    ax.fill_between(x, rows.min(axis=0), rows.max(axis=0), color=colour, alpha=0.35, lw=0)
    ax.plot(x, rows.mean(axis=0), color=colour, lw=0.8, label=label)


def _scores(section: Section) -> tuple[str, Figure]:
    """All scores of the input modes of one layer, each as a share of its largest."""
    modes, scores = _shown_modes(section), section.labels["scores"]
    widths = [len(section.labels["indices"][part]) for part in modes.values()]
    size = max(4.2, 0.22 * sum(widths) + 2.2), 0.28 * len(scores) + 1.5
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, len(modes), squeeze=False, width_ratios=widths)[0]
    for ax, (name, part) in zip(axes, modes.items(), strict=True):
        values = section.arrays["score"][:, part]
        largest = np.nanmax(np.abs(np.where(np.isfinite(values), values, 0)), axis=1, keepdims=True)
        shares = values / np.where(largest > 0, largest, 1)
        image = ax.imshow(shares, aspect="auto", cmap="Blues", vmin=0, vmax=1)
        ax.set_title(name, fontsize=8)
        ax.set_xlabel("index")
        ax.set_yticks([])
        ax.set_facecolor("0.9")
    axes[0].set_yticks(np.arange(len(scores)), scores)
    figure.colorbar(image, ax=list(axes), label="share of the largest", fraction=0.05)
    return "All scores of the same indices. A convolution has no norms of factors.", figure


def _sites(section: Section) -> tuple[str, Figure]:
    """Added loss of every site and, of a first layer that sees all, what each local state moves."""
    arrays, classes = section.arrays, section.labels["classes"]
    moved, states = arrays.get("site_moved"), section.labels["states"]
    heights = [2.0] if moved is None else [2.0, 0.2 * len(states) + 0.3]
    figure = Figure(figsize=(6.4, sum(heights) + 0.9), layout="constrained")
    axes = figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    colours, sites = class_colours(classes), np.arange(len(arrays["site_added_loss"]))
    axes[0].errorbar(
        sites,
        arrays["site_added_loss"],
        yerr=arrays["site_added_loss_error"],
        fmt="o-",
        color=GREY,
        label="all shots",
    )
    for name, values in zip(classes, arrays["site_added_loss_of_class"], strict=True):
        axes[0].plot(sites, values, color=colours[name], lw=0.9, label=name)
    axes[0].axhline(0, color=GREY, lw=0.5)
    axes[0].set_ylabel("added loss (nats)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    axes[-1].set_xlabel("site")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    caption = "Held-out loss that is added when a single site is shuffled over the shots."
    if moved is not None:
        image = axes[1].imshow(moved.T, aspect="auto", cmap="Blues", vmin=0)
        axes[1].set_yticks(np.arange(len(states)), states)
        figure.colorbar(image, ax=axes[1], label="moved output", fraction=0.05)
        caption += (
            " Below: standard deviation that each local state gives to the outputs of the first "
            "layer."
        )
    return caption, figure


def _parts(section: Section) -> list[slice]:
    ends = np.cumsum(section.arrays["size"])
    return [
        slice(int(end - size), int(end))
        for end, size in zip(ends, section.arrays["size"], strict=True)
    ]


def _shown_modes(section: Section) -> dict[str, slice]:
    """Input modes of the first layer, or where its indices mean nothing of the most needed one."""
    names, parts, inputs = section.labels["modes"], _parts(section), section.arrays["is_input"]
    layers = [name.rpartition(", ")[0] for name in names]
    layer = layers[0]
    if section.labels["indices"][0] == "index 0":
        added = section.arrays["score"][0]
        most = [
            added[part].max() if one else -np.inf for part, one in zip(parts, inputs, strict=True)
        ]
        layer = layers[int(np.argmax(most))]
    found = {
        name: slice(part.start, min(part.stop, part.start + _NAMED))
        for name, part, one, this in zip(names, parts, inputs, layers, strict=True)
        if one and this == layer
    }
    return found or {names[0]: slice(parts[0].start, min(parts[0].stop, _NAMED))}


def _short(name: str) -> str:
    return name.replace(", the ends in part", "*")
