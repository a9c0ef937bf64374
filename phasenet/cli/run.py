"""``phasenet run``: all steps of a study."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_verb
from phasenet.cli.engines import add_engine, engine_of
from phasenet.cli.overrides import add_overrides, study_of
from phasenet.cli.reporter import TerminalReporter

_DESCRIPTION = """\
Carry a study from its grid to its phase diagram: ground states, labelled snapshots, classifier,
tensor train, observables, figure. Finished work is skipped; after an interruption the same command
goes on from the last finished point. A changed setting redoes what depends on it, and nothing else.

example:  phasenet run simulations/haldane.py --out runs/haldane
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "run", "all steps, from a study to its phase diagram", _DESCRIPTION)
    parser.add_argument("study", type=Path, metavar="STUDY.py", help="study module")
    add_out(parser, "folder for all files (default: runs/NAME)")
    add_engine(parser)
    add_overrides(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Run or plan a study and print what was found."""
    from phasenet.pipeline.run import plan, run

    study, engine = study_of(options), engine_of(options)
    root = options.out or Path("runs") / study.name
    if options.dry_run:
        print("\n".join(plan(study, options.study, root)))
        return
    result = run(
        study,
        options.study,
        root,
        engine=engine,
        reporter=TerminalReporter(),
        retry=options.retry,
    )
    if not result.new_states and not result.made:
        print(f"nothing to do: all files of {study.name} in {root} are up to date")
    print("\n".join(_summary(study.card(), result.folder)))


def _summary(card: Any, folder: Any) -> list[str]:
    from phasenet.pipeline import summary
    from phasenet.storage.header import Kind
    from phasenet.storage.networks import read_network
    from phasenet.storage.tables import read_chart
    from phasenet.storage.trains import read_train

    _, diagram = read_chart(folder.file(Kind.CHART))
    _, network = read_network(folder.file(Kind.NETWORK))
    _, classifier = read_train(folder.file(Kind.TRAIN))
    stem = folder.root / folder.name
    return [
        *summary.phase_lines(diagram.table, card),
        *summary.boundary_lines(diagram, card),
        *summary.score_lines(network),
        *summary.train_lines(classifier),
        *([f"figure: {stem}.png, {stem}.pdf"] if len(card.varied) in (1, 2) else []),
        f"numbers: {stem}.csv ({len(diagram.table.columns)} observables of "
        f"{len(diagram.table.rows)} points)",
        f"files: {folder.states}/*.state.h5, {stem}.*.h5 (phasenet show FILE)",
    ]
