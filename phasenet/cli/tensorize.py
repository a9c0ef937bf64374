"""``phasenet tensorize``: a classifier as tensor trains."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_study, add_verb, output, sibling
from phasenet.cli.reporter import TerminalReporter

_DESCRIPTION = """\
Turn a classifier into tensor trains with a class leg, one of its logits and one of its
probabilities. Error and agreement of the decisions are measured on snapshots that were held out.

example:  phasenet tensorize runs/haldane/haldane.network.h5
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "tensorize", "a classifier as tensor trains", _DESCRIPTION)
    parser.add_argument("network", type=Path, metavar="NETWORK.h5", help="classifier")
    parser.add_argument(
        "--snapshots",
        type=Path,
        metavar="FILE",
        help="snapshots whose distribution matters (default: beside the network)",
    )
    add_out(parser, "*.train.h5 (default: beside the network)")
    add_study(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Tensorize the classifier unless that is done."""
    from phasenet.cli.steps import card_for, finish
    from phasenet.pipeline.summary import train_lines
    from phasenet.pipeline.tensorize import tensorize, train_product

    card = card_for(options.study, options.network)
    snapshots = options.snapshots or sibling(options.network, "snapshots")
    out = output(options.out, sibling(options.network, "train"), "train")
    product = train_product(options.network, snapshots, out, card)
    if finish(product, options.dry_run):
        return
    found = tensorize(options.network, snapshots, product, card, reporter=TerminalReporter())
    print("\n".join([*train_lines(found), f"written to {out}"]))
