"""``phasenet train``: a classifier of snapshots."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.cli.arguments import (
    add_out,
    add_study,
    add_verb,
    output,
    positive_integer,
    sibling,
)
from phasenet.cli.reporter import TerminalReporter

if TYPE_CHECKING:
    from phasenet.card import StudyCard
    from phasenet.pipeline.train import TrainOptions

_DESCRIPTION = """\
Train a classifier on labelled snapshots: a small convolutional network, or train.architecture =
mlp, gru, transformer, correlator, train. Its accuracy on points that it has never seen is printed
beside two nulls: a logistic regression on local features, and the Bayes optimum, computed from the
exact probabilities of the shots. Beside the file goes a figure: learning curves, and how far its
confidence can be trusted. Networks that are done are kept; after an interruption the same command
goes on.

examples: phasenet train runs/haldane/haldane.snapshots.h5
          phasenet train runs/haldane/haldane.snapshots.h5 --seeds 5 --cross-validate 5
          phasenet train runs/haldane/haldane.snapshots.h5 --set architecture=gru \\
                 --search "width=32,64" --search "learning_rate=1e-3,1e-2" --out gru.network.h5
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "train", "a classifier of snapshots", _DESCRIPTION)
    parser.add_argument("snapshots", type=Path, metavar="SNAPSHOTS.h5", help="labelled snapshots")
    add_out(parser, "*.network.h5 (default: beside the snapshots)")
    add_study(parser)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="assignments",
        metavar="NAME=VALUE",
        help="a setting (architecture=gru, train.width=32, seed=1); may be repeated",
    )
    parser.add_argument(
        "--seeds",
        type=positive_integer,
        metavar="N",
        help="networks of so many seeds: mean accuracy with its spread, and their ensemble",
    )
    parser.add_argument(
        "--cross-validate",
        type=positive_integer,
        default=0,
        dest="regions",
        metavar="K",
        help="leave out each of K regions of the couplings in turn, and test on it",
    )
    parser.add_argument(
        "--search",
        action="append",
        default=[],
        metavar="NAME=VALUE,VALUE",
        help="try these values of a setting, in all combinations with those of other --search; "
        "the least validation loss decides",
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Train the classifier unless it is there."""
    from phasenet.cli.steps import card_for, finish
    from phasenet.networks.search import SearchAxis
    from phasenet.pipeline.summary import network_lines
    from phasenet.pipeline.train import (
        TrainOptions,
        draw_learning,
        learning_figure_path,
        network_product,
        train,
    )

    card = _changed(card_for(options.study, options.snapshots), options)
    asked = TrainOptions(
        regions=options.regions, axes=tuple(SearchAxis.of(text) for text in options.search)
    )
    out = output(options.out, sibling(options.snapshots, "network"), "network")
    if options.dry_run:
        print("".join(f"{line}\n" for line in _grid_lines(asked, card)), end="")
    product = network_product(options.snapshots, out, card, asked)
    figure = learning_figure_path(out)
    if finish(product, options.dry_run):
        if not options.dry_run and not figure.is_file():
            print(f"drawn again: {draw_learning(out)}")
        return
    network = train(options.snapshots, product, card, asked, reporter=TerminalReporter())
    print("\n".join([*network_lines(network), f"written to {out} and {figure}"]))


def _changed(card: "StudyCard", options: argparse.Namespace) -> "StudyCard":
    """Card with the settings that were asked for."""
    from dataclasses import replace

    from phasenet.overrides import Overrides, changed_settings

    assignments = list(options.assignments)
    assignments += [] if options.seeds is None else [f"train.seeds={options.seeds}"]
    if not assignments:
        return card
    changes = Overrides.of_options(assignments=assignments)
    settings = changed_settings(card.run_settings(), changes, ("", "train"))
    return replace(card, settings=settings.as_dict())


def _grid_lines(asked: "TrainOptions", card: "StudyCard") -> list[str]:
    """Grid of a search and its size."""
    trials = asked.trials(card.run_settings())
    lines = [f"search over {len(trials)} settings:"] if trials else []
    return [*lines, *(f"  {trial.title}" for trial in trials)]
