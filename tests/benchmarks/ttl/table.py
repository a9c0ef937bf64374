"""Table and figure of what `run.py` has found."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from matplotlib.figure import Figure
from run import TRAINED, TUNED, Row, read_rows

_TITLES = {"mnist": "MNIST, 8 000 + 2 000 digits", "fashion": "Fashion-MNIST, 60 000 + 10 000"}
_DENSE = "dense"


def table(rows: Sequence[Row]) -> str:
    """Accuracies in percent, mean and standard deviation over seeds, as markdown."""
    kinds = list(dict.fromkeys((row["network"], row["recipe"]) for row in rows))
    kinds.sort(key=lambda kind: list(dict.fromkeys(row["network"] for row in rows)).index(kind[0]))
    sets = list(dict.fromkeys(row["data"] for row in rows))
    layer = {row["network"]: row["layer"] for row in rows}
    net = {row["network"]: row["network_weights"] for row in rows}
    lines = [
        "| first layer | how | weights | layer / dense | network / dense | "
        + " | ".join(f"{name} %" for name in sets)
        + " |",
        "|---|---|---|---|---|" + "---|" * len(sets),
    ]
    for name, recipe in kinds:
        cells = [_cell([100 * a for a in _accuracies(rows, d, name, recipe)]) for d in sets]
        ratios = f"{layer[_DENSE] / layer[name]:.2f} | {net[_DENSE] / net[name]:.2f}"
        lines.append(f"| {name} | {recipe} | {layer[name]} | {ratios} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def draw(rows: Sequence[Row], path: Path) -> None:
    """Accuracy against the weights of the first layer, one panel for each set of images."""
    sets = [name for name in _TITLES if any(row["data"] == name for row in rows)]
    figure = Figure(figsize=(4.2 * len(sets), 3.4), layout="constrained")
    for place, data in enumerate(sets, 1):
        axes = figure.add_subplot(1, len(sets), place)
        axes.set(xscale="log", xlabel="weights of the first layer", title=_TITLES[data])
        axes.title.set_fontsize(9)
        if place == 1:
            axes.set_ylabel("accuracy on test images, %")
        dense = 100 * float(np.mean(_accuracies(rows, data, _DENSE, TRAINED)))
        axes.axhline(dense, color="#555555", lw=0.8, ls="--", label=f"dense, {dense:.1f} %")
        names = dict.fromkeys(row["network"] for row in rows if row["network"] != _DENSE)
        for k, name in enumerate(names):
            for recipe, filled in ((TRAINED, False), (TUNED, True)):
                found = [100 * a for a in _accuracies(rows, data, name, recipe)]
                if not found:
                    continue
                size = next(row["layer"] for row in rows if row["network"] == name)
                axes.errorbar(
                    # Side by side where sizes are nearly equal.
                    size * 1.012 ** (k + 4 * filled),
                    np.mean(found),
                    yerr=np.std(found, ddof=1) if len(found) > 1 else None,
                    fmt="osD^vp"[k],
                    color=f"C{k}",
                    mfc=f"C{k}" if filled else "white",
                    ms=5,
                    capsize=2,
                    lw=1,
                    label=f"{name}{', tuned' if filled else ''}",
                )
        axes.spines[["top", "right"]].set_visible(False)
        if place == len(sets):
            axes.legend(fontsize=6.5, frameon=False, loc="lower right")
    figure.savefig(path, dpi=160)


def _accuracies(rows: Sequence[Row], data: str, name: str, recipe: str) -> list[float]:
    wanted = (data, name, recipe)
    return [
        row["accuracy"] for row in rows if (row["data"], row["network"], row["recipe"]) == wanted
    ]


def _cell(found: Sequence[float]) -> str:
    if not found:
        return "-"
    spread = f" ± {np.std(found, ddof=1):.2f}" if len(found) > 1 else ""
    return f"{np.mean(found):.2f}{spread}"


def main() -> int:
    """Print the table and write both into the folder of the runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/ttl"))
    out = parser.parse_args().out
    rows = read_rows(out / "runs.jsonl")
    if not rows:
        print(f"phasenet: no runs in {out}; call run.py first", file=sys.stderr)
        return 1
    text = table(rows)
    (out / "table.md").write_text(text)
    draw(rows, out / "accuracy.png")
    print(text + f"written to {out}/table.md, {out}/accuracy.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
