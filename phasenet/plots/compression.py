"""The figure of a compression: accuracy against size and cost, and how trains learn."""

import textwrap
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from phasenet.compression import NARROW, Compressed, CompressionCurve, mean_and_spread
from phasenet.plots.style import GREY, STYLE, class_colours
from phasenet.trains.train import FloatArray

_NETWORKS = ("tucker", "mpo", "cp", "low rank", NARROW)
_COLOURS = {**class_colours(_NETWORKS), NARROW: "black"}
_MARKS = {"cross": "s", "sketch": "D"}
_TRAIN_COLOUR = "#8A6D3B"
# Letters of the caption, and names in a row of the legend, for each panel.
_LETTERS, _NAMES = 50, 3


def compression_figure(curve: CompressionCurve, chosen: Compressed | None) -> Figure:
    """Accuracy on held-out shots against parameters and FLOPs, one colour a family.

    Parameters
    ----------
    curve
        All candidates; a third panel has the learning curves of the starts, if they were tried.
    chosen
        The candidate that gets a ring.
    """
    panels = 2 if curve.starts is None else 3
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.1 * panels, 4.0), layout="constrained")
        axes = figure.subplots(1, panels)
        rows = [row for row in curve.rows if row.found]
        _against(axes[0], curve, rows, chosen, by_cost=False)
        _against(axes[1], curve, rows, chosen, by_cost=True)
        axes[1].sharey(axes[0])
        axes[0].set_ylim(*_limits(curve, rows))
        if curve.starts is not None:
            _starts(axes[2], curve)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=_NAMES * panels)
        figure.supxlabel(_caption(curve, _LETTERS * panels), size=8, x=0.01, ha="left")
    return figure


def _against(
    ax: Axes,
    curve: CompressionCurve,
    rows: Sequence[Compressed],
    chosen: Compressed | None,
    *,
    by_cost: bool,
) -> None:
    for family in dict.fromkeys(row.candidate.family for row in rows):
        _family(ax, [row for row in rows if row.candidate.family == family], by_cost)
    original = curve.original
    ax.axhline(100 * original.test.mean(), color=GREY, lw=1.0, label="original")
    for score, dashes in zip(curve.nulls, (":", "-.", "--"), strict=False):
        ax.axhline(100 * score.accuracy, color=GREY, ls=dashes, lw=1.0, label=score.classifier)
    ax.plot(_place(original, by_cost), 100 * original.test.mean(), "*", color=GREY, ms=10)
    if chosen is not None:
        ax.plot(
            _place(chosen, by_cost),
            100 * chosen.test.mean(),
            "o",
            ms=13,
            mfc="none",
            mec="crimson",
            mew=1.4,
            ls="",
            label="chosen on validation",
        )
    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("FLOPs a shot" if by_cost else "parameters")
    ax.set_ylabel("accuracy on held-out shots (%)")


def _family(ax: Axes, rows: Sequence[Compressed], by_cost: bool) -> None:
    rows = sorted(rows, key=lambda row: _place(row, by_cost))
    family, method = rows[0].candidate.family, rows[0].candidate.method
    x = np.asarray([_place(row, by_cost) for row in rows])
    means, spreads = np.asarray([mean_and_spread(row.test) for row in rows]).T
    colour = _TRAIN_COLOUR if method else _COLOURS.get(family, GREY)
    ax.errorbar(
        x,
        100 * means,
        yerr=100 * np.nan_to_num(spreads),
        fmt=_MARKS[method] if method else "o",
        ls="--" if family == NARROW else ":" if method else "-",
        color=colour,
        mfc="white" if method else colour,
        capsize=2.0,
        elinewidth=0.9,
        label=family,
    )
    before = np.asarray([mean_and_spread(row.test_at_once)[0] for row in rows])
    if not method and np.isfinite(before).any():
        ax.plot(x, 100 * before, "x", color=colour, ms=4, alpha=0.6)


def _place(row: Compressed, by_cost: bool) -> float:
    return row.flops if by_cost else float(row.parameters)


def _limits(curve: CompressionCurve, rows: Sequence[Compressed]) -> tuple[float, float]:
    """Accuracies of what was tuned; crosses and nulls far below may leave the panel."""
    values = [float(row.test.mean()) for row in rows if not row.candidate.method]
    values += [float(curve.original.test.mean())]
    low, high = min(values), max(values)
    values += [s.accuracy for s in curve.nulls if s.accuracy > low - 2 * (high - low) - 0.02]
    low, high = 100 * min(values), 100 * max(values)
    margin = 0.12 * (high - low) + 0.2
    return max(0.0, low - margin), high + margin


def _starts(ax: Axes, curve: CompressionCurve) -> None:
    starts = curve.starts
    assert starts is not None
    for name, colour in class_colours(list(starts.test)).items():
        found: FloatArray = 100 * starts.test[name]
        mean = found.mean(axis=0)
        ax.plot(starts.epochs, mean, "o-", color=colour, label=name)
        if len(found) > 1:
            spread = found.std(axis=0, ddof=1)
            ax.fill_between(starts.epochs, mean - spread, mean + spread, color=colour, alpha=0.18)
    ax.axhline(100 * curve.original.test.mean(), color=GREY, lw=1.0)
    ax.set_xlabel("passes over the training shots")
    ax.set_ylabel("accuracy on held-out shots (%)")
    ax.set_title(f"one train of rank {starts.rank}, from each start", loc="left", size=9)
    ax.legend(loc="best")


def _caption(curve: CompressionCurve, letters: int) -> str:
    seeds = max((len(row.test) for row in curve.rows), default=1)
    text = (
        f"{curve.name}: circles, after healing and tuning, mean and standard deviation of {seeds} "
        "seeds; crosses, at once after decomposition (those far below are not drawn); star, the "
        f"original. Held-out: {curve.shots[2]} shots that nothing was chosen by."
    )
    return "\n".join(textwrap.wrap(text, letters))
