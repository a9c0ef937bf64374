"""``phasenet train``: a classifier of snapshots."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_study, add_verb, output, sibling
from phasenet.cli.reporter import TerminalReporter

_DESCRIPTION = """\
Train a small convolutional classifier on labelled snapshots. Its accuracy on points that it has
never seen is printed beside two nulls: a logistic regression on local features, and the Bayes
optimum, computed from the exact probabilities of the shots.

example:  phasenet train runs/haldane/haldane.snapshots.h5
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "train", "a classifier of snapshots", _DESCRIPTION)
    parser.add_argument("snapshots", type=Path, metavar="SNAPSHOTS.h5", help="labelled snapshots")
    add_out(parser, "*.network.h5 (default: beside the snapshots)")
    add_study(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Train the classifier unless it is there."""
    from phasenet.cli.steps import card_for, finish
    from phasenet.pipeline.summary import score_lines
    from phasenet.pipeline.train import network_product, train

    card = card_for(options.study, options.snapshots)
    out = output(options.out, sibling(options.snapshots, "network"), "network")
    product = network_product(options.snapshots, out, card)
    if finish(product, options.dry_run):
        return
    network = train(options.snapshots, product, card, reporter=TerminalReporter())
    print("\n".join([*score_lines(network), f"written to {out}"]))
