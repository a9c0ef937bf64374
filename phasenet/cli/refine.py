"""Options and words of ``phasenet simulate --refine``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet.cli.reporter import TerminalReporter
from phasenet.errors import SettingsError

if TYPE_CHECKING:
    from phasenet.pipeline.engine import Engine
    from phasenet.study import Study


def add_refine(parser: argparse.ArgumentParser) -> None:
    """Add ``--refine`` and ``--resolution``."""
    parser.add_argument(
        "--refine",
        action="store_true",
        help="add points where the label changes or the correlation length peaks",
    )
    parser.add_argument(
        "--resolution",
        type=float,
        metavar="R",
        help="with --refine: until each boundary lies in an interval no wider than this",
    )


def asks_refinement(options: argparse.Namespace) -> bool:
    """Return whether to refine; raises SettingsError if the options do not go together."""
    if options.resolution is not None and not options.refine:
        raise SettingsError("--resolution belongs to --refine")
    if options.refine and options.resolution is None:
        raise SettingsError("--refine needs --resolution R, the width of a bracket to reach")
    if options.refine and options.shard != "1/1":
        raise SettingsError(
            "--refine looks at all points before it chooses the next ones; leave out --shard, or "
            "refine after phasenet merge"
        )
    return bool(options.refine)


def refine_and_print(
    options: argparse.Namespace, study: "Study", root: Path, engine: "Engine"
) -> None:
    """Refine a study and print its boundaries.

    Raises
    ------
    PhasenetError
        Also, at the end, if some points could not be found.
    """
    from phasenet.pipeline.refine import refine_study, refinement_lines

    found = refine_study(
        study,
        options.study,
        root,
        resolution=options.resolution,
        engine=engine,
        reporter=TerminalReporter(),
        retry=options.retry,
    )
    print("\n".join(refinement_lines(found, study.card())))
    if found.failure is not None:
        raise found.failure
