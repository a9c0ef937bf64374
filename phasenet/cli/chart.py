"""``phasenet chart``: phase diagram of a table."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_study, add_verb, output, sibling

_DESCRIPTION = """\
Find the phase boundaries of a table, draw everything against the varied couplings (PNG and PDF)
and write all numbers as CSV. Boundaries come from the data: a bracket where the labels change, and
estimates with one standard error, each with its method; a method whose data do not suffice gives no
number. Literature values are marks beside them.

More tables of the same study, at other chain lengths or bond dimensions, are used to extrapolate
the boundaries of the first one; it alone is drawn.

example:  phasenet chart runs/haldane/haldane.table.h5
          phasenet chart runs/L64/ising.table.h5 runs/L32/ising.table.h5 runs/L16/ising.table.h5
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "chart", "phase diagram: figure, CSV, boundaries", _DESCRIPTION)
    parser.add_argument("table", type=Path, metavar="TABLE.h5", help="table of observables")
    parser.add_argument(
        "others",
        type=Path,
        nargs="*",
        metavar="OTHER.h5",
        help="tables of the same study at other lengths or bond dimensions",
    )
    add_out(parser, "*.chart.h5; the figures and the CSV go beside it (default: beside the table)")
    add_study(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Draw the phase diagram unless it is there."""
    from phasenet.cli.steps import card_for, finish
    from phasenet.pipeline.chart import chart, chart_product
    from phasenet.pipeline.summary import estimate_lines, phase_lines

    card = card_for(options.study, options.table)
    out = output(options.out, sibling(options.table, "chart"), "chart")
    product = chart_product(options.table, out, card, options.others)
    if finish(product, options.dry_run):
        return
    diagram = chart(options.table, product, card, options.others)
    made = ", ".join(str(path) for path in (out, *product.extras))
    print("\n".join([*phase_lines(diagram.table, card), *estimate_lines(diagram, card)]))
    print(f"written to {made}")
