"""Figures of trains as states, against the number of pivots."""

from collections.abc import Callable, Iterable

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from phasenet.findings import Section
from phasenet.phases.spt import DETERMINED
from phasenet.plots.style import GREY, STYLE, class_colours
from phasenet.trains.train import Array

_METHODS = {
    "published": ("TT-RSS as published", "o", "-", -1),
    "repaired": ("TT-RSS, cuts repaired", "s", "--", 1),
}
_COLOURS = class_colours(["adaptive", "published", "repaired"])
# Where fidelities and etas end that are 1 to all digits.
_FLOOR = 1e-12
_LARGEST_ORDER = 1.1
_ORDER = "block swap (SPT order)"
_Quantity = Callable[[Section, str], Array]
_Middle = Callable[..., Array]


def state_figures(section: Section) -> tuple[tuple[str, Figure], ...]:
    """Caption and figure of a network as a state: fidelity, order parameter and eta.

    Parameters
    ----------
    section
        Of :func:`phasenet.insight.network_state.state_section`.
    """
    arrays = section.arrays
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.3), layout="constrained")
        axes = figure.subplots(1, 3)
        for ax, quantity in zip(axes, _STATE_QUANTITIES, strict=True):
            _panel(ax, section, quantity, 0, np.nanmedian)
            ax.set_xscale("log", base=2)
            _pivot_axis(ax, section)
        axes[0].set(yscale="log", ylabel="infidelity with the state, $1-F$")
        lack = max(float(1.0 - arrays["network_fidelity"][0]), _FLOOR)
        _line(axes[0], lack, (0, (1, 1.5)), "network itself, from its shots")
        axes[1].set(ylim=(-1.15, 1.15), ylabel=_ORDER)
        _line(axes[1], float(arrays["truth_order"][0]), (0, (5, 2)), "state itself")
        axes[2].set(yscale="log", ylabel=r"lack of symmetry, $1-|\eta|$")
        eta = float(_lack_of("eta")(section, "truth")[0])
        _line(axes[2], eta, (0, (5, 2)), "state itself")
        axes[2].axhspan(1.0 - DETERMINED, 1.0, color=GREY, alpha=0.08, lw=0, label="not determined")
        _legend(figure, axes, 3)
    caption = (
        f"{section.labels['systems'][0]} as a train, built from N random pivots of its own shots: "
        "every point a run, lines their medians. Blue: adaptive pivots, median and range. The "
        "block swap tends to -1 or +1 for blocks beyond the correlation length; values outside of "
        "[-1, 1] are no order parameters and are not drawn."
    )
    return ((caption, figure),)


def aklt_figures(section: Section) -> tuple[tuple[str, Figure], ...]:
    """Caption and figure of AKLT: fidelity and order parameter, a column for each length.

    Parameters
    ----------
    section
        Of :func:`phasenet.insight.aklt_pivots.aklt_section`.
    """
    systems = section.labels["systems"]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.1 * len(systems) + 0.6, 5.4), layout="constrained")
        axes = figure.subplots(2, len(systems), sharex=True, sharey="row", squeeze=False)
        for column, name in enumerate(systems):
            top, bottom = axes[:, column]
            _panel(top, section, _plain("fidelity"), column, np.nanmean)
            _law(top, section, column)
            top.set_title(f"AKLT, ${name}$", loc="left", size=9)
            _panel(bottom, section, _order, column, np.nanmean)
            _pivot_axis(bottom, section)
            for ax, source in ((top, "adaptive_fidelity"), (bottom, "adaptive_order")):
                value = np.nanmedian(section.arrays[source][column])
                ax.plot(1, value, "*", color=_COLOURS["adaptive"], ms=9, clip_on=False)
        axes[0, 0].set(ylabel="fidelity with the AKLT state", ylim=(-0.05, 1.08))
        axes[1, 0].set(ylabel=_ORDER, ylim=(-1.12, 0.25))
        _legend(figure, axes[0], 2 if len(systems) < 3 else 3)
    runs = section.arrays["published_fidelity"].shape[2]
    caption = (
        f"AKLT trains from N random pivots, {runs} runs each: every point a run, lines means. "
        "Crosses and dots: share of exact runs of the published algorithm, and the probability "
        "that random pivots span every cut. Star: adaptive pivots, which grow from one sample. "
        "Below: swap of two blocks of 10 sites in the middle, -1 for AKLT, +1 for a trivial state; "
        "values outside of [-1, 1], of trains that have lost a block, are not drawn."
    )
    return ((caption, figure),)


def _plain(name: str) -> _Quantity:
    return lambda section, source: section.arrays[f"{source}_{name}"]


def _lack_of(name: str) -> _Quantity:
    return lambda section, source: np.maximum(1.0 - section.arrays[f"{source}_{name}"], _FLOOR)


def _order(section: Section, source: str) -> Array:
    """Block swaps; beyond +1 and -1 they are of trains that have lost a block, and left out."""
    values = section.arrays[f"{source}_order"]
    return np.where(np.abs(values) <= _LARGEST_ORDER, values, np.nan)


_STATE_QUANTITIES = (_lack_of("fidelity"), _order, _lack_of("eta"))


def _panel(ax: Axes, section: Section, quantity: _Quantity, system: int, middle: _Middle) -> None:
    """Runs of both sketches, and the band of adaptive trains."""
    pivots = section.arrays["pivots"]
    adaptive, colour = quantity(section, "adaptive")[system], _COLOURS["adaptive"]
    if np.isfinite(adaptive).any():
        ax.axhspan(np.nanmin(adaptive), np.nanmax(adaptive), color=colour, alpha=0.25, lw=0)
        ax.axhline(float(np.nanmedian(adaptive)), color=colour, lw=1.6, label="adaptive pivots")
    for method, (label, mark, dashes, side) in _METHODS.items():
        values = quantity(section, method)[system]
        found = np.isfinite(values).any(axis=1)
        # Side by side where both have a run.
        places = np.broadcast_to(pivots[:, None] * (1 + 0.02 * side), values.shape)
        ax.plot(places, values, mark, color=_COLOURS[method], ms=2.6, alpha=0.45, lw=0)
        lines = middle(values[found], axis=1)
        ax.plot(pivots[found], lines, dashes, color=_COLOURS[method], label=label)


def _law(ax: Axes, section: Section, system: int) -> None:
    pivots = section.arrays["pivots"]
    law = section.arrays["law_exact"][system]
    ax.plot(pivots, law, ":", color=GREY, lw=1.5, label="law: probability of an exact train")
    share = (section.arrays["published_fidelity"][system] >= 0.999).mean(axis=1)
    ax.plot(pivots, share, "x", color=_COLOURS["published"], ms=5, label="share of exact runs")


def _line(ax: Axes, value: float, dashes: tuple[int, tuple[float, ...]], label: str) -> None:
    if np.isfinite(value):
        ax.axhline(value, color=GREY, ls=dashes, lw=1.2, label=label)


def _pivot_axis(ax: Axes, section: Section) -> None:
    ax.set_xlabel("pivots $N$")
    ax.xaxis.set_major_locator(FixedLocator(section.arrays["pivots"].tolist()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(ScalarFormatter())


def _legend(figure: Figure, axes: Iterable[Axes], columns: int) -> None:
    """One legend above all panels, each label once."""
    handles = {
        label: handle
        for ax in axes
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=columns)
