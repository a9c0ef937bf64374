"""The AKLT state against the number of pivots: table, figure and all numbers.

A plain module: `bash scripts/reproduce_aklt.sh`.
"""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

# Before numpy is loaded.
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

from phasenet.findings import FindingTable, Section
from phasenet.insight.aklt_pivots import aklt_section
from phasenet.plots.findings.state import aklt_figures
from phasenet.plots.style import save_figure


def main(arguments: Sequence[str] | None = None) -> int:
    """Run everything and write ``aklt.md``, ``aklt.json``, ``aklt.png`` and ``aklt.pdf``."""
    options = _parser().parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    section = aklt_section(
        options.lengths,
        options.pivots,
        options.runs,
        options.seed,
        adaptive_runs=options.adaptive_runs,
        progress=lambda done, text: print(f"{done}: {text}", flush=True),
    )
    (options.out / "aklt.md").write_text(in_words(section))
    numbers = {name: array.tolist() for name, array in section.arrays.items()}
    (options.out / "aklt.json").write_text(json.dumps(numbers))
    ((caption, figure),) = aklt_figures(section)
    for suffix in ("png", "pdf"):
        save_figure(figure, options.out / f"aklt.{suffix}")
    print(f"{section.verdict}\n{caption}")
    return 0


def in_words(section: Section) -> str:
    """Verdict, tables and notes as markdown."""
    notes = "\n".join(f"- {note}" for note in section.notes)
    return "\n\n".join([section.verdict, *map(_markdown, section.tables), notes]) + "\n"


def _markdown(table: FindingTable) -> str:
    lines = [table.columns, ("---",) * len(table.columns), *table.rows]
    rows = [" | ".join(_cell(cell) for cell in line) for line in lines]
    return "\n".join([f"**{table.title}**", "", *(f"| {row} |" for row in rows)])


def _cell(cell: str | float | None) -> str:
    if cell is None or cell != cell:
        return ""
    return f"{cell:.6g}" if isinstance(cell, float) else cell


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/aklt"))
    parser.add_argument("--lengths", type=int, nargs="+", default=[100, 200, 500])
    parser.add_argument("--pivots", type=int, nargs="+", default=[2, 4, 6, 8, 10, 12, 14])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--adaptive-runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
