"""``phasenet show``: what a file holds and where it comes from."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_verb

_DESCRIPTION = """\
Print what a file of phasenet holds, how it was made, and its lineage back to the grid. A file that
was saved with TeNPy is described as well.

example:  phasenet show runs/haldane/haldane.train.h5
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "show", "what a file holds, and its lineage", _DESCRIPTION)
    parser.add_argument("file", type=Path, metavar="FILE", help="any file of phasenet or TeNPy")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Print the file."""
    from phasenet.pipeline.show import describe

    print("\n".join(describe(options.file)))
