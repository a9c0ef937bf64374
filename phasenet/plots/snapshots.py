"""The figure of a dataset: shots of each class, its points and splits, and their limits."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, to_hex
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from phasenet.card import StudyCard
from phasenet.networks.naming import varied_couplings
from phasenet.plots.style import GREY, STYLE, class_colours, symbol
from phasenet.shots import NO_SITE, SPLITS, SnapshotsHead
from phasenet.trains.train import Array, FloatArray, IntArray

# Unlike the colours of classes, and of different brightness as well.
_UP, _MIDDLE, _DOWN, _LOST = "#4B2A7B", "#EFECE6", "#7DBB42", "#8A8A8A"
_MARKS = {"train": "o", "validation": "s", "test": "D", "critical": "^", "unlabelled": "x"}
_UNDETERMINED = "undetermined"
_PANELS_A_ROW, _SHOWN_SOURCES, _LEGEND_COLUMNS = 4, 3, 5
_EXAMPLE_INCHES, _POINT_INCHES, _MARGIN_INCHES = 2.9, 2.6, 1.2
_CAPTION_WIDTH = 135
# Longer chains have no white lines between their sites.
_FRAMED_SITES = 48


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shown:
    """What all panels need: the head, names and colours of classes, and the Bayes optimum."""

    head: SnapshotsHead
    titles: Mapping[str, str]
    colours: Mapping[str, str]
    accuracy: FloatArray
    errors: FloatArray


def dataset_figure(
    head: SnapshotsHead,
    examples: Mapping[int, Array],
    accuracy: FloatArray,
    errors: FloatArray,
    card: StudyCard | None,
) -> Figure:
    """Shots of each class as rows of pixels; below, for each chain, its splits and the limits.

    Parameters
    ----------
    head
        Points, classes and splits.
    examples
        For some points, a few shots, shape (shots, sites).
    accuracy, errors
        Accuracy of the Bayes optimum at each point and its standard error; NaN where unknown.
    card
        Titles of the phases; None where there is no study.
    """
    phases = card.phases if card else ()
    labels = list(dict.fromkeys([*(phase.label for phase in phases), *head.classes]))
    shown = _Shown(
        head=head,
        titles={label: label for label in (*labels, _UNDETERMINED)}
        | {p.label: p.title for p in phases},
        colours={**class_colours(labels), _UNDETERMINED: GREY},
        accuracy=accuracy,
        errors=errors,
    )
    groups = _groups(head, examples)
    rows = -(-len(groups) // _PANELS_A_ROW)
    # Without classes there are no splits either.
    sources = range(min(len(head.sources), _SHOWN_SOURCES) if head.classes else 0)
    heights = [*([_EXAMPLE_INCHES] * rows), *([_POINT_INCHES] * len(sources))]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.0, sum(heights) + _MARGIN_INCHES), layout="constrained")
        grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
        for row in range(rows):
            some = dict(list(groups.items())[row * _PANELS_A_ROW : (row + 1) * _PANELS_A_ROW])
            _examples(figure, grid[row], some, examples, shown)
        for source in sources:
            _points(figure, grid[rows + source], source, shown)
        figure.suptitle(_title(head), size=11)
        figure.supxlabel(_caption(head, len(sources)), size=8.5, x=0.01, ha="left")
    return figure


def _groups(head: SnapshotsHead, examples: Mapping[int, Array]) -> dict[str, list[int]]:
    """Points with examples of each class, and of none."""
    found: dict[str, list[int]] = {label: [] for label in (*head.classes, _UNDETERMINED)}
    for index in examples:
        found[head.points[index].label or _UNDETERMINED].append(index)
    return {label: points for label, points in found.items() if points}


def _title(head: SnapshotsHead) -> str:
    chains = list(
        dict.fromkeys(
            f"{s.title}:  ${s.hamiltonian}$" if s.hamiltonian else s.title for s in head.sources
        )
    )
    if len(chains) == 1:
        return chains[0]
    return head.datasheet.title or ";  ".join(dict.fromkeys(s.title for s in head.sources))


def _caption(head: SnapshotsHead, sources: int) -> str:
    basis = (
        f"basis {head.basis}"
        if not head.basis_names
        else (f"bases {', '.join(head.basis_names)} drawn for each site")
    )
    transform = "" if head.transform == "none" else f", after the {head.transform} transformation"
    soft = any(point.soft_label for point in head.points)
    text = (
        f"Single snapshots, one a row, measured in the {basis}{transform}; couplings on the left."
    )
    if sources:
        text += (
            f" Below: the points and their splits; {'soft labels (lines or squares), and ' * soft}"
            "the share of the snapshots of each point that the Bayes-optimal classifier of its "
            "split gives the right class (circles; hollow near the transition)."
        )
    if 0 < sources < len(head.sources):
        text += f" {len(head.sources) - sources} more chains are not drawn."
    return "\n".join(textwrap.wrap(text, _CAPTION_WIDTH))


def state_colours(site_dim: int) -> list[str]:
    """Colour of each local state, highest weight first: purple by way of white to green.

    >>> state_colours(2)
    ['#4b2a7b', '#7dbb42']
    """
    scale = LinearSegmentedColormap.from_list("spins", [_UP, _MIDDLE, _DOWN])
    return [to_hex(scale(place)) for place in np.linspace(0.0, 1.0, site_dim)]


def _key(head: SnapshotsHead, examples: Mapping[int, Array]) -> list[Patch]:
    names = [f"outcome {k}" for k in range(head.site_dim)]
    if head.basis != "unbiased":
        weights = [Fraction(head.site_dim - 1 - 2 * k, 2) for k in range(head.site_dim)]
        names = [f"{'+' if m > 0 else ''}{m}".replace("-", "−") for m in weights]
    handles = [
        Patch(facecolor=colour, edgecolor=GREY, linewidth=0.4, label=name)
        for colour, name in zip(state_colours(head.site_dim), names, strict=True)
    ]
    if any((spins == head.site_dim).any() for spins in examples.values()):
        handles.append(Patch(facecolor=_LOST, edgecolor=GREY, linewidth=0.4, label="lost"))
    return handles


def _examples(
    figure: Figure,
    cell: SubplotSpec,
    groups: Mapping[str, list[int]],
    examples: Mapping[int, Array],
    shown: _Shown,
) -> None:
    """One panel for each class, the shots of each point together."""
    cells = cell.subgridspec(1, len(groups))
    dim = shown.head.site_dim
    colours = ListedColormap([*state_colours(dim), _LOST, "white"])
    for column, (label, points) in enumerate(groups.items()):
        ax = figure.add_subplot(cells[column])
        spins = np.concatenate([examples[k] for k in points])
        spins = spins[:, (spins != NO_SITE).any(axis=0)]
        edges: dict[str, Any] = {"edgecolors": "white", "linewidth": 0.4}
        sites = np.arange(spins.shape[1] + 1) - 0.5
        ax.pcolormesh(
            sites,
            np.arange(len(spins) + 1),
            np.where(spins == NO_SITE, dim + 1, spins),
            cmap=colours,
            vmin=-0.5,
            vmax=dim + 1.5,
            **(edges if len(sites) <= _FRAMED_SITES else {}),
        )
        ends = np.cumsum([len(examples[k]) for k in points])
        for end in ends[:-1]:
            ax.axhline(end, color="white", lw=4.0)
        middles = ends - np.asarray([len(examples[k]) for k in points]) / 2
        ax.set_yticks(middles, [_place(shown.head, k) for k in points])
        ax.tick_params(left=False)
        ax.invert_yaxis()
        ax.spines[:].set_visible(False)
        ax.set_xlabel("site")
        ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        colour = shown.colours[label]
        ax.set_title(shown.titles[label], color=colour, weight="bold", size=9, loc="left")
    key = _key(shown.head, examples)
    ax.legend(
        handles=key,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=len(key),
        borderaxespad=0.2,
        handlelength=1.0,
        columnspacing=1.0,
    )


def _place(head: SnapshotsHead, index: int) -> str:
    """The couplings of a point that vary along its chain."""
    point = head.points[index]
    names = varied_couplings([p for p in head.points if p.source == point.source])
    return "\n".join(f"{symbol(name)} = {_number(point.point[name])}" for name in sorted(names))


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "−")


def _points(figure: Figure, cell: SubplotSpec, source: int, shown: _Shown) -> None:
    """Splits of the points of one chain, and beside them what can be known at each."""
    head = shown.head
    members = np.asarray(
        [k for k, p in enumerate(head.points) if p.source == source and not p.control]
    )
    names = varied_couplings([head.points[k] for k in members])
    cells = cell.subgridspec(1, 2)
    left, right = (figure.add_subplot(cells[k]) for k in range(2))
    if len(names) < 2:
        x = [head.points[k].point[names[0]] if names else 0.0 for k in members]
        _line_splits(left, np.asarray(x), members, shown)
        _line_limits(right, np.asarray(x), members, shown)
        marks = {}
        for ax in (left, right):
            ax.set_xlabel(symbol(names[0]) if names else "all points")
        right.sharex(left)
    else:
        across, up = (
            np.asarray([head.points[k].point[name] for k in members]) for name in names[:2]
        )
        _plane_splits(left, across, up, members, shown)
        _plane_limits(figure, right, across, up, members, shown)
        marks = _MARKS
        for ax in (left, right):
            ax.set_xlabel(symbol(names[0]))
            ax.set_ylabel(symbol(names[1]))
    rows = _legend(left, members, shown, marks)
    if len(head.sources) > 1:
        chain = head.sources[source]
        title = f"{chain.title}, {chain.sites} sites"
        left.set_title(title, loc="left", size=9, weight="bold", pad=8 + 13 * rows)


def _line_splits(ax: Axes, x: FloatArray, members: IntArray, shown: _Shown) -> None:
    splits = [s for s in SPLITS if any(shown.head.points[k].split == s for k in members)]
    for value, k in zip(x, members, strict=True):
        point = shown.head.points[k]
        colour = GREY if point.label is None else shown.colours[point.label]
        ax.plot(value, splits.index(point.split), _MARKS[point.split], color=colour, ms=5)
    ax.set_yticks(range(len(splits)), splits)
    ax.set_ylim(len(splits) - 0.5, -0.5)
    ax.grid(axis="y", color=GREY, lw=0.3, alpha=0.4)


def _legend(ax: Axes, members: IntArray, shown: _Shown, marks: Mapping[str, str]) -> int:
    """Classes by their colours and splits by their marks, above the axes; return the rows."""
    points = [shown.head.points[k] for k in members]
    labels, splits = {p.label for p in points}, {p.split for p in points}
    entries = [("o", shown.colours[c], shown.titles[c]) for c in shown.head.classes if c in labels]
    entries += [("x", GREY, _UNDETERMINED)] if None in labels else []
    entries += [(m, GREY, s) for s, m in marks.items() if s in splits and s != "unlabelled"]
    ax.legend(
        handles=[
            Line2D([], [], ls="", marker=mark, color=colour, label=name)
            for mark, colour, name in entries
        ],
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=_LEGEND_COLUMNS,
        borderaxespad=0.2,
        handletextpad=0.1,
        columnspacing=1.0,
    )
    return -(-len(entries) // _LEGEND_COLUMNS)


def _line_limits(ax: Axes, x: FloatArray, members: IntArray, shown: _Shown) -> None:
    order = np.argsort(x, kind="stable")
    soft = _own_soft_labels(members, shown.head)
    if np.isfinite(soft).any():
        for label in shown.head.classes:
            own = [k for k in order if shown.head.points[members[k]].label == label]
            ax.plot(x[own], soft[own], "-", color=shown.colours[label], lw=1.4)
    known = np.isfinite(shown.accuracy[members])
    critical = np.asarray([shown.head.points[k].split == "critical" for k in members])
    for hollow in (False, True):
        here = known & (critical == hollow)
        ax.errorbar(
            x[here],
            shown.accuracy[members][here],
            yerr=shown.errors[members][here],
            fmt="o",
            color="black",
            markerfacecolor="white" if hollow else "black",
            markersize=4.5,
            elinewidth=0.9,
            capsize=2.0,
        )
    classes = len(shown.head.classes)
    if classes:
        ax.axhline(1 / classes, color=GREY, lw=0.6, ls=":")
        ax.annotate(
            "chance",
            (1.0, 1 / classes),
            xycoords=ax.get_yaxis_transform(),
            size=7.5,
            ha="right",
            va="bottom",
            color=GREY,
        )
    if not known.any() and not np.isfinite(soft).any():
        ax.text(0.5, 0.6, "no likelihoods", transform=ax.transAxes, ha="center", color=GREY)
    ax.set_ylim(0.0, 1.05)
    ax.set_ylabel("probability of the right class")


def _own_soft_labels(members: IntArray, head: SnapshotsHead) -> FloatArray:
    """Probability of the own class of each point; NaN where there is none."""
    values = []
    for k in members:
        point = head.points[k]
        known = bool(point.soft_label) and point.label is not None
        values.append(point.soft_label[head.label_of_point[k]] if known else np.nan)
    return np.asarray(values)


def _plane_splits(ax: Axes, x: FloatArray, y: FloatArray, members: IntArray, shown: _Shown) -> None:
    for split, mark in _MARKS.items():
        here = [k for k, m in enumerate(members) if shown.head.points[m].split == split]
        labels = [shown.head.points[members[k]].label for k in here]
        colours = [GREY if c is None else shown.colours[c] for c in labels]
        if here:
            ax.scatter(x[here], y[here], marker=mark, c=colours, s=22)


def _plane_limits(
    figure: Figure, ax: Axes, x: FloatArray, y: FloatArray, members: IntArray, shown: _Shown
) -> None:
    soft, known = _own_soft_labels(members, shown.head), shown.accuracy[members]
    lowest = 1 / max(1, len(shown.head.classes))
    scale: dict[str, Any] = {"cmap": "viridis", "vmin": lowest, "vmax": 1.0}
    drawn = ax.scatter(x, y, c=soft, marker="s", s=30, **scale)
    here = np.isfinite(known)
    ax.scatter(x[here], y[here], c=known[here], marker="o", s=60, edgecolors="black", **scale)
    figure.colorbar(drawn, ax=ax, label="probability of the right class", ticks=MaxNLocator(5))
