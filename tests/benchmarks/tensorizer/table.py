"""Tables and a figure of what `run.py` has measured."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from cells import OURS, Cell, cells
from figure import draw
from judge import KINDS
from measure import Row
from optimum import optimum_errors
from run import read_rows
from targets import ROBUSTNESS, TARGETS

_AS_GOOD = 1.1
_PAIR = ("phasenet", "tensorkrowch")


def report(table: dict[str, dict[str, Cell]], same_pivots: Sequence[Row]) -> str:
    """All tables as markdown."""
    everything = [cell for row in table.values() for cell in row.values()]
    versions = dict.fromkeys(f"{cell.peer} {cell.version}" for cell in everything)
    parts = [
        "# The tensorizer beside its peers",
        "Versions: " + ", ".join(versions) + ".",
        "Evaluations are distinct configurations; seconds are CPU seconds of one thread; medians "
        "over seeds. `right` counts seeds whose every true error is within its limit. `at 1 us` "
        "puts 1 microsecond for each requested point in place of the time of the function.",
        "## Robustness",
        _robustness(table),
        "## phasenet and the best peer that is right with every seed (as accurate, if rank-capped)",
        _summary(table),
        "## Cost in the length of a local function",
        _exponents(table),
    ]
    if same_pivots:
        parts += ["## The same pivots, the published algorithm", _same_pivots(same_pivots)]
    for target, row in table.items():
        parts += [f"## {target}", _one_target(row)]
        optimum = optimum_errors(TARGETS[target]())
        if optimum is not None:
            errors = ", ".join(f"{kind} {_error(error)}" for kind, error in optimum.items())
            parts.append(f"Singular value decomposition of all values at this rank: {errors}.")
    return "\n\n".join(parts) + "\n"


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("|" + "|".join(row) + "|" for row in rows)


def _robustness(table: dict[str, dict[str, Cell]]) -> str:
    lines = []
    peers = dict.fromkeys(peer for row in table.values() for peer in row)
    for peer in peers:
        found = [table[name][peer] for name in ROBUSTNESS if peer in table.get(name, {})]
        # A peer that ran out of time with one seed was not asked again: its other seeds count too.
        asked = len(found) * max((cell.seeds for cell in found), default=0)
        always = sum(cell.always_right for cell in found)
        claims = sum(row[peer].overclaimed for row in table.values() if peer in row)
        over = str(claims) if peer in OURS else ""
        right = sum(cell.right for cell in found)
        lines.append([peer, f"{right}/{asked}", f"{always}/{len(found)}", over])
    head = ["peer", "right", "targets with every seed right", "wrong, but called converged"]
    return _markdown(head, lines)


def _summary(table: dict[str, dict[str, Cell]]) -> str:
    lines = []
    for target, row in table.items():
        if "phasenet" not in row:
            continue
        ours = row["phasenet"]
        others = [cell for cell in row.values() if cell.peer not in OURS and cell.always_right]
        # Where nothing is right or wrong, a cheaper train with a larger error is no competitor.
        peers = [cell for cell in others if ours.judged or cell.worst <= _AS_GOOD * ours.worst]
        line = [target, f"{ours.right}/{ours.seeds}" if ours.judged else _error(ours.worst)]
        for key in ("evaluations", "cpu_seconds", "at_microsecond"):
            line += _beside(ours, peers, key)
        if not ours.judged and others:
            best = min(others, key=lambda cell: cell.worst)
            line.append(f"{_error(best.worst)} ({best.peer})")
        else:
            line.append("")
        lines.append(line)
    head = ["target", "right or worst error"]
    head += ["evaluations", "fewest", "ratio", "CPU s", "least", "ratio"]
    head += ["s at 1 us", "least", "ratio", "smallest error of a peer"]
    return _markdown(head, lines)


def _beside(ours: Cell, peers: Sequence[Cell], key: str) -> list[str]:
    """Our number, the smallest of the peers with its name, and theirs over ours."""
    mine = getattr(ours, key)
    if not peers:
        return [_number(mine), "none", ""]
    best = min(peers, key=lambda cell: float(getattr(cell, key)))
    value = getattr(best, key)
    return [_number(mine), f"{_number(value)} ({best.peer})", f"{value / mine:.2f}"]


def _exponents(table: dict[str, dict[str, Cell]]) -> str:
    """Slopes of log cost over log length."""
    lines = []
    peers = dict.fromkeys(peer for row in table.values() for peer in row)
    names = [name for name in table if name.startswith("local_n")]
    for peer in peers:
        found = [table[name][peer] for name in names if peer in table[name]]
        found = [cell for cell in found if cell.always_right]
        if len(found) < 3:
            continue
        lengths = np.log([float(cell.target.removeprefix("local_n")) for cell in found])
        slopes = [
            np.polyfit(lengths, np.log([getattr(cell, key) for cell in found]), 1)[0]
            for key in ("evaluations", "own_seconds", "cpu_seconds")
        ]
        lines.append([peer, str(len(found)), *(f"{slope:.2f}" for slope in slopes)])
    head = ["peer", "lengths", "evaluations", "CPU s without the function", "CPU s"]
    return _markdown(head, lines) if lines else "Not measured."


def _same_pivots(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        line = [row["target"], str(row["pivots"]), str(row["rank"])]
        for key in ("seconds", "own_seconds"):
            ours, theirs = row[f"phasenet_{key}"], row[f"tensorkrowch_{key}"]
            line += [f"{ours:.3f}", f"{theirs:.3f}", f"{theirs / ours:.0f}"]
        lines.append([*line, *(_error(row[f"{peer}_error"]) for peer in _PAIR)])
    costs = [f"{peer} {what}" for what in ("CPU s", "without f") for peer in (*_PAIR, "ratio of")]
    head = ["target", "pivots", "rank", *costs, *(f"{peer} error" for peer in _PAIR)]
    return _markdown(head, lines)


def _one_target(row: dict[str, Cell]) -> str:
    kinds = [kind for kind in KINDS if any(kind in cell.errors for cell in row.values())]
    agree = any(cell.agreement is not None for cell in row.values())
    lines = []
    for peer, cell in row.items():
        line = [peer, f"{cell.right}/{cell.seeds}" if cell.judged else f"-/{cell.seeds}"]
        line += [_error(cell.errors[kind]) if kind in cell.errors else "-" for kind in kinds]
        if agree:
            line.append("-" if cell.agreement is None else f"{cell.agreement:.3f}")
        line += [_number(cell.evaluations), _number(cell.requested), _number(cell.calls)]
        line += [_number(cell.cpu_seconds), _number(cell.own_seconds), _number(cell.at_microsecond)]
        line += ["-" if np.isnan(cell.rank) else f"{cell.rank:.0f}", cell.remark]
        lines.append(line)
    head = ["peer", "right", *(f"error {kind}" for kind in kinds)]
    head += ["same decision"] if agree else []
    head += [
        "evaluations",
        "requested",
        "calls",
        "CPU s",
        "without f",
        "at 1 us",
        "rank",
        "outcome",
    ]
    return _markdown(head, lines)


def _number(value: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.3g}"


def _error(value: float) -> str:
    return "0" if value == 0.0 else f"{value:.1e}"


def main() -> int:
    """Write tables.md and figure.png beside the runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    options = parser.parse_args()
    table = cells(read_rows(options.out / "runs.jsonl"))
    same = options.out / "same_pivots.json"
    text = report(table, json.loads(same.read_text()) if same.exists() else [])
    (options.out / "tables.md").write_text(text)

    draw(table, options.out / "figure.png")
    print(f"{options.out / 'tables.md'}, {options.out / 'figure.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
