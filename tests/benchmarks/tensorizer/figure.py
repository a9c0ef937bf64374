"""What each peer needs, as a multiple of what phasenet needs."""

from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from cells import OURS, Cell
from matplotlib import pyplot
from matplotlib.axes import Axes

_STYLE = {
    "seemps_dmrg": ("#0072B2", "o", "seemps dmrg"),
    "seemps_maxvol": ("#0072B2", "s", "seemps maxvol"),
    "seemps_greedy": ("#0072B2", "^", "seemps greedy"),
    "teneva": ("#009E73", "o", "teneva"),
    "teneva_anova": ("#009E73", "s", "teneva, ANOVA start"),
    "tntorch": ("#CC79A7", "D", "tntorch"),
    "torchtt": ("#E69F00", "v", "torchTT dmrg_cross"),
    "tensorkrowch": ("#D55E00", "P", "tensorkrowch tt_rss, 30 pivots or 99 %"),
    "tensorkrowch_100": ("#D55E00", "X", "tensorkrowch tt_rss, 100 pivots or 99.9 %"),
}
_PANELS: tuple[tuple[str, Callable[[Cell], float]], ...] = (
    ("distinct evaluations", lambda cell: cell.evaluations),
    ("CPU seconds, function included", lambda cell: cell.cpu_seconds),
    ("CPU seconds at 1 µs an evaluation", lambda cell: cell.at_microsecond),
)


def draw(table: dict[str, dict[str, Cell]], path: Path) -> None:
    """Write a chart of ratios: one line for each target, a panel for each cost and for errors."""
    rows = {name: row for name, row in table.items() if "phasenet" in row}
    names = list(rows)[::-1]
    capped = [name for name in names if not rows[name]["phasenet"].judged]
    with pyplot.rc_context({"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}):
        figure, axes = pyplot.subplots(
            1, 4, figsize=(13, 1.4 + 0.24 * len(names)), sharey=True, layout="constrained"
        )
        for ax, (title, cost) in zip(axes[:3], _PANELS, strict=True):
            _panel(ax, rows, names, names, cost)
            ax.set_title(title, fontsize=9)
        _panel(axes[3], rows, names, capped, lambda cell: cell.worst)
        axes[3].set_title("error at the rank cap", fontsize=9)
        wrong = {name for name in names if not rows[name]["phasenet"].always_right}
        marked = [
            f"{name} (phasenet not always right)" if name in wrong else name for name in names
        ]
        axes[0].set_yticks(range(len(names)), marked)
        axes[0].set_ylim(-0.7, len(names) - 0.3)
        handles = [
            pyplot.Line2D([], [], color=colour, marker=marker, ls="", ms=5, label=label)
            for colour, marker, label in _STYLE.values()
        ]
        handles.append(
            pyplot.Line2D([], [], color="0.6", marker="o", mfc="none", ls="", label="wrong answer")
        )
        figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
        figure.savefig(path, dpi=150)
        pyplot.close(figure)


def _panel(
    ax: Axes,
    rows: dict[str, dict[str, Cell]],
    names: list[str],
    shown: list[str],
    cost: Callable[[Cell], float],
) -> None:
    for name in shown:
        height = names.index(name)
        ours = cost(rows[name]["phasenet"])
        ax.axhline(height, color="0.92", lw=0.6, zorder=0)
        for peer, cell in rows[name].items():
            if peer in OURS or peer not in _STYLE or cell.ended == 0:
                continue
            colour, marker, _ = _STYLE[peer]
            right = cell.always_right
            ax.plot(
                cost(cell) / ours,
                height,
                marker=marker,
                ms=5 if right else 3.5,
                mec=colour,
                mfc=colour if right else "none",
                mew=0.7,
                alpha=1.0 if right else 0.45,
                ls="",
            )
    ax.axvline(1.0, color="0.2", lw=0.9)
    ax.set_xscale("log")
    ax.set_xlabel("multiple of phasenet's")
