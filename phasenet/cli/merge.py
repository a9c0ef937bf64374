"""``phasenet merge``: shards of a sweep in one folder."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_verb

_DESCRIPTION = """\
Bring together the ground states of shards that ran on different disks (simulate --shard I/N). All
folders must belong to one sweep; what is still missing is said.

example:  phasenet merge disk1/haldane disk2/haldane --out runs/haldane
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "merge", "shards of a sweep in one folder", _DESCRIPTION)
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="FOLDER", help="folder of a run of simulate"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="folder of the whole run"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Copy the states."""
    from phasenet.pipeline.merge import merge, merge_lines

    print("\n".join(merge_lines(merge(options.folders, options.out), options.out)))
