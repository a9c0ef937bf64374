"""Figures of a classifier as an observable: expectation values, and what explains its variance."""

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from phasenet.findings import Section
from phasenet.plots.style import GREY, STYLE, class_colours, symbol
from phasenet.trains.train import FloatArray

_FAMILIES = {
    "density": "#0072B2",
    "profile": "#56B4E9",
    "two-point": "#E69F00",
    "short string": "#CC79A7",
    "string": "#882255",
}
_NAMES = {
    "density": "densities",
    "profile": "+ densities site by site",
    "two-point": "+ two-point functions",
    "short string": "+ short strings",
    "string": "+ longer strings",
}
_WIDTH_INCHES, _HEIGHT_INCHES = 11.4, 3.4
_MOST_MAPS = 3


def observable_figures(section: Section) -> tuple[tuple[str, Figure], ...]:
    """Captions and figures of a classifier as an observable.

    Parameters
    ----------
    section
        Of :func:`phasenet.insight.observable.observable_section`.
    """
    with mpl.rc_context(STYLE):
        figures = [_expectations(section), _shares(section)]
        if section.arrays["couplings"].shape[1] == 2:
            figures.insert(0, _maps(section))
    return tuple(figures)


def _expectations(section: Section) -> tuple[str, Figure]:
    figure = Figure(figsize=(_WIDTH_INCHES, _HEIGHT_INCHES), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    x, label = _places(section)
    arrays, classes = section.arrays, section.labels["classes"]
    colours = class_colours(classes)
    _functions(left, section, x)
    for k, name in enumerate(classes):
        values, errors = arrays["probability_mean"][:, k], arrays["probability_error"][:, k]
        middle.errorbar(
            x, values, errors, fmt=_line(section), color=colours[name], capsize=2, label=name
        )
        given, doubt = arrays["string_given_class"][:, k], arrays["string_given_class_error"][:, k]
        right.errorbar(
            x,
            given,
            doubt,
            fmt=_line(section),
            color=colours[name],
            capsize=2,
            label=f"shots called {name}",
        )
    middle.set(ylabel="mean probability of a class", ylim=(-0.03, 1.03))
    middle.legend()
    if np.isfinite(arrays["string_of_state"]).any():
        right.plot(x, arrays["string_of_state"], "--", color=GREY, label="all shots", zorder=3)
        right.legend()
        right.set_ylabel(r"string order $-O^z$ of the shots of a class")
    else:
        right.set_axis_off()
        right.text(0.5, 0.5, "no strings $O^z$:\nspins are not integer", ha="center", va="center")
    for ax in (left, middle, right):
        ax.set_xlabel(label)
        _shade(ax, section, x)
    caption = (
        "The classifier in each ground state, exact. Left: mean of the function, and a band of one "
        "standard deviation of single shots. Middle: mean probabilities; bars: error of the train. "
        "Right: string order of the shots that are called by a class, which belongs to the shots, "
        f"not to the network. {_shading(section)}"
    )
    return caption, figure


def _functions(ax: Axes, section: Section, x: FloatArray) -> None:
    """Means and standard deviations of the logits."""
    logits = _logits(section)
    names = [_short(section.labels["targets"][k]) for k in logits]
    colours = class_colours(names) if len(names) > 1 else {names[0]: "black"}
    for k, name in zip(logits, names, strict=True):
        mean = section.arrays["state_target_mean"][:, k]
        spread = np.sqrt(np.maximum(section.arrays["state_target_variance"][:, k], 0.0))
        ax.plot(x, mean, _line(section), color=colours[name], label=name)
        ax.fill_between(x, mean - spread, mean + spread, color=colours[name], alpha=0.15, lw=0)
    ax.axhline(0.0, color=GREY, lw=0.8, ls=":")
    ax.set_ylabel("logit less their mean" if len(names) > 1 else f"logit, {names[0]}")
    if len(names) > 1:
        ax.legend()


def _shares(section: Section) -> tuple[str, Figure]:
    logits, families = _logits(section), section.labels["families"]
    rows = [(m, k) for m in range(len(section.labels["measures"])) for k in logits]
    height = max(_HEIGHT_INCHES, 0.9 + 0.3 * len(rows))
    figure = Figure(figsize=(_WIDTH_INCHES, height), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.2))
    _bars(left, section, rows)
    x, label = _places(section)
    nested = np.clip(section.arrays["state_r2_nested"][:, logits].mean(axis=1), 0.0, 1.0)
    below, step = np.zeros(len(x)), None if _line(section) == "o-" else "mid"
    for k, family in enumerate(families):
        colour = _FAMILIES[family]
        right.fill_between(x, below, nested[:, k], color=colour, lw=0.3, ec="white", step=step)
        right.plot(x, nested[:, k], ".", color="white", ms=2)
        below = nested[:, k]
    many = "" if len(logits) == 1 else ", mean of all logits"
    right.set(xlabel=label, ylabel=f"$R^2$ in one ground state{many}", ylim=(0, 1), xmargin=0)
    handles: list[Artist] = [Patch(color=_FAMILIES[family]) for family in families]
    handles.append(Line2D([], [], color="black", lw=1.6))
    handles.append(Line2D([], [], color="black", ls="", marker="D", mfc="white", ms=5))
    told = [*(_NAMES[family] for family in families), "between the states", "network"]
    figure.legend(handles, told, loc="outside upper center", ncols=len(told))
    caption = (
        "Share of the variance of the logit that linear combinations of order parameters explain, "
        "families added from left to right and from below; the rest is grey on the left and white "
        "on the right. Left: over the ground states of a phase and over all of them; the rule "
        "marks the share that lies between the means of the states, the diamond what all families "
        "explain of the network itself on fresh shots. Right: in each state alone."
    )
    return caption, figure


def _bars(ax: Axes, section: Section, rows: list[tuple[int, int]]) -> None:
    """Stacked shares in each mixture."""
    arrays, labels = section.arrays, section.labels
    several = len(_logits(section)) > 1
    for y, (m, k) in enumerate(rows):
        start = 0.0
        for family, end in zip(labels["families"], arrays["mixture_r2_nested"][m, k], strict=True):
            ax.barh(y, end - start, left=start, color=_FAMILIES[family], height=0.62)
            start = float(end)
        ax.barh(y, 1.0 - start, left=start, color="#DDDDDD", height=0.62)
        sampled = arrays["mixture_r2_nested_sampled"][m, k, -1]
        doubt = arrays["mixture_r2_nested_sampled_error"][m, k, -1]
        ax.errorbar(
            sampled, y, xerr=doubt, fmt="D", color="black", mfc="white", ms=5, clip_on=False
        )
        ax.vlines(arrays["mixture_between_share"][m, k], y - 0.42, y + 0.42, color="black", lw=1.6)
    names = [
        labels["measures"][m] + (f", logit {_short(labels['targets'][k])}" if several else "")
        for m, k in rows
    ]
    ax.set_yticks(range(len(rows)), names)
    ax.invert_yaxis()
    ax.set(xlabel="$R^2$ over a mixture of ground states", xlim=(0, 1))


def _maps(section: Section) -> tuple[str, Figure]:
    """Means of the logits over a plane of couplings."""
    logits = _logits(section)[:_MOST_MAPS]
    x, y = section.arrays["couplings"].T
    figure = Figure(figsize=(1.0 + 3.5 * len(logits), _HEIGHT_INCHES), layout="constrained")
    for ax, k in zip(figure.subplots(1, len(logits), squeeze=False)[0], logits, strict=True):
        mean = section.arrays["state_target_mean"][:, k]
        most = float(np.abs(mean).max())
        drawn = ax.scatter(x, y, c=mean, cmap="RdBu", vmin=-most, vmax=most, s=46, ec=GREY, lw=0.4)
        figure.colorbar(drawn, ax=ax, label=f"mean of {section.labels['targets'][k]}")
        first, second = map(symbol, section.labels["couplings"])
        ax.set(xlabel=first, ylabel=second)
    return "Mean of the function in each ground state of the plane, exact.", figure


def _logits(section: Section) -> list[int]:
    """Indices of the targets that are logits."""
    return [k for k, name in enumerate(section.labels["targets"]) if name.startswith("logit")]


def _short(target: str) -> str:
    """Name of a logit without what all of them have in theirs."""
    return target.removeprefix("logit ").removesuffix(", centred")


def _line(section: Section) -> str:
    """Markers, joined where the states lie on a line."""
    return "o-" if section.arrays["couplings"].shape[1] == 1 else "o"


def _places(section: Section) -> tuple[FloatArray, str]:
    """Where each state stands on the horizontal axis, and what the axis is."""
    couplings = section.arrays["couplings"]
    if couplings.shape[1] == 1:
        return couplings[:, 0], symbol(section.labels["couplings"][0])
    names = ", ".join(map(symbol, section.labels["couplings"]))
    return np.arange(len(couplings), dtype=np.float64), f"ground state, in the order of {names}"


def _shade(ax: Axes, section: Section, x: FloatArray) -> None:
    """Phase of the states along the foot of the panel."""
    colours = class_colours(section.labels["classes"])
    for place, phase in zip(x, section.labels["phases"], strict=True):
        ax.plot(
            place,
            0.012,
            marker="|",
            color=colours.get(phase, "white"),
            ms=7,
            mew=2.5,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
        )


def _shading(section: Section) -> str:
    known = " or ".join(section.labels["classes"])
    return f"Ticks along the foot: phase of the state by its invariants ({known}), in its colour."
