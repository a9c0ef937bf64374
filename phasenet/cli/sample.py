"""``phasenet sample``: labelled snapshots of ground states."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_study, add_verb, beside_states, output
from phasenet.cli.reporter import TerminalReporter

_DESCRIPTION = """\
Draw snapshots of the open chains in the Sz basis and label each point by its infinite state: SPT
invariants, local orders and, where a phase has no gap, the central charge. Points where one of them
is undetermined stay unlabelled; points whose correlation length is too long for the chain are
labelled, but not trained on.

example:  phasenet sample runs/haldane/states
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "sample", "labelled snapshots of ground states", _DESCRIPTION)
    parser.add_argument(
        "states", type=Path, nargs="+", metavar="STATES", help="state files, or a folder of them"
    )
    add_out(parser, "*.snapshots.h5 (default: NAME.snapshots.h5 above the folder of the states)")
    add_study(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Draw the snapshots unless they are there."""
    from phasenet.cli.steps import card_for, finish
    from phasenet.pipeline.product import state_files
    from phasenet.pipeline.sample import sample, snapshots_product
    from phasenet.pipeline.summary import snapshot_lines

    files = state_files(options.states)
    card = card_for(options.study, files[0])
    out = output(options.out, beside_states(files[0], card.name, "snapshots"), "snapshots")
    product = snapshots_product(files, out, card)
    if finish(product, options.dry_run):
        return
    snapshots = sample(files, product, card, reporter=TerminalReporter())
    print("\n".join([*snapshot_lines(snapshots), f"written to {out}"]))
