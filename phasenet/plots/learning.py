"""How a classifier was trained: loss and accuracy by epoch, and how far to trust its confidence."""

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from phasenet.plots.style import GREY, STYLE
from phasenet.trained import Reliability, TrainedNetwork

_SPLITS = {"train": ("#E69F00", "--"), "validation": ("#0072B2", "-")}
_NULLS = {"local features": ("#D55E00", ":"), "Bayes optimum": ("#009E73", "-.")}
_ENSEMBLE = ("#CC79A7", "--")
_INCHES = (10.6, 3.3)
# Of several networks, each is a thin line.
_THIN, _THICK = 0.6, 1.4
_DECADE = 10.0


def learning_figure(network: TrainedNetwork) -> Figure:
    """Loss and accuracy by epoch for each seed, the nulls as lines, and a reliability diagram.

    Parameters
    ----------
    network
        A trained classifier. What an older file does not hold is left out.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=_INCHES, layout="constrained")
        first = figure.add_subplot(1, 3, 1)
        axes = [first, figure.add_subplot(1, 3, 2, sharex=first), figure.add_subplot(1, 3, 3)]
        _curves(axes[0], network, "loss")
        axes[0].set_ylabel("loss (nats)")
        losses = np.concatenate([line.get_ydata() for line in axes[0].lines] or [np.zeros(0)])
        losses = losses[np.isfinite(losses)]
        if len(losses) and losses.max() > _DECADE * losses.min() > 0:
            axes[0].set_yscale("log")
        _curves(axes[1], network, "accuracy")
        _held_out(axes[1], network)
        axes[1].set_ylabel("accuracy")
        _reliability(axes[2], network)
        for letter, ax in zip("abc", axes, strict=True):
            ax.set_title(f"({letter})", loc="left", weight="bold", size=9)
        # Of both panels by epoch, outside, because their curves may be anywhere.
        named = {label: handle for ax in axes[:2] for handle, label in _named(ax)}
        if named:
            handles, labels = list(named.values()), list(named)
            figure.legend(handles, labels, loc="outside lower center", ncols=len(named))
        if _named(axes[2]):
            axes[2].legend(loc="best")
        figure.suptitle(_title(network), size=10)
    return figure


def _named(ax: Axes) -> list[tuple[Artist, str]]:
    handles, labels = ax.get_legend_handles_labels()
    return list(zip(handles, labels, strict=True))


def _title(network: TrainedNetwork) -> str:
    seeds = len(network.all_members)
    several = f", {seeds} seeds" if seeds > 1 else ""
    kind = network.architecture.get("kind", "")
    return f"{kind} classifier, {network.parameters} weights{several}"


def _curves(ax: Axes, network: TrainedNetwork, what: str) -> None:
    """Curves of all networks, the best epoch of each marked."""
    members = network.all_members
    width = _THICK if len(members) == 1 else _THIN
    for split, (colour, style) in _SPLITS.items():
        for k, member in enumerate(members):
            curve = member.history.get(f"{split}_{what}", np.zeros(0))
            if len(curve) == 0:
                continue
            epochs = np.arange(1, len(curve) + 1)
            name = split if k == 0 else None
            ax.plot(epochs, curve, style, color=colour, lw=width, label=name)
            best = member.best_epoch
            if split == "validation" and best:
                label = "best epoch" if k == 0 else None
                ax.plot(best, curve[best - 1], "o", color=colour, mfc="white", label=label)
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if not ax.lines:
        ax.text(0.5, 0.5, "not recorded", transform=ax.transAxes, ha="center", color=GREY)


def _held_out(ax: Axes, network: TrainedNetwork) -> None:
    """Accuracies on the split ``test``: lines of the nulls, and a bar for the network itself."""
    scores = {s.classifier: s for s in network.scores if s.split == "test"}
    for name, (colour, style) in {**_NULLS, "ensemble": _ENSEMBLE}.items():
        if name in scores:
            score = scores[name]
            label = f"{name} (test)"
            ax.axhline(score.accuracy, color=colour, ls=style, lw=1.0, label=label)
    if "network" in scores:
        last = max((len(c) for m in network.all_members for c in m.history.values()), default=1)
        score = scores["network"]
        several = np.isfinite(score.spread)
        ax.errorbar(
            last + max(1.0, 0.04 * last),
            score.accuracy,
            yerr=score.spread if several else score.error,
            fmt="s",
            color="black",
            capsize=2.0,
            label=f"network (test{', mean and spread' if several else ''})",
        )


def _reliability(ax: Axes, network: TrainedNetwork) -> None:
    """Accuracy against confidence on the split ``test``, before and after calibration."""
    ax.set_xlabel("confidence")
    ax.set_ylabel("accuracy at this confidence")
    found = network.calibrations.get("network")
    if found is None or len(found.before.shots) == 0:
        ax.text(0.5, 0.5, "not calibrated", transform=ax.transAxes, ha="center", color=GREY)
        return
    low = 1 / max(len(network.classes), 2)
    ax.plot([low, 1], [low, 1], color=GREY, lw=0.8)
    _bins(ax, found.before, GREY, "white", "before")
    _bins(ax, found.after, "#0072B2", "#0072B2", f"temperature {found.temperature:.2f}")


def _bins(ax: Axes, bins: Reliability, colour: str, face: str, label: str) -> None:
    smoothed = (bins.accuracy * bins.shots + 1) / (bins.shots + 2)
    errors = np.sqrt(smoothed * (1 - smoothed) / np.maximum(bins.shots, 1))
    ax.errorbar(
        bins.confidence,
        bins.accuracy,
        yerr=errors,
        fmt="o",
        color=colour,
        markerfacecolor=face,
        elinewidth=0.8,
        label=f"{label}: ECE {100 * bins.error:.1f} %",
    )
