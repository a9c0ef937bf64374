"""Options that several verbs share."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.errors import SettingsError


def add_verb(verbs: Any, name: str, summary: str, description: str) -> argparse.ArgumentParser:
    """Add the parser of one verb."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name,
        help=summary,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return parser


def add_out(parser: argparse.ArgumentParser, text: str) -> None:
    """Add ``--out`` and ``--dry-run``."""
    parser.add_argument("--out", type=Path, metavar="PATH", help=text)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done, and do nothing"
    )


def add_study(parser: argparse.ArgumentParser) -> None:
    """Add ``--study``."""
    parser.add_argument(
        "--study",
        type=Path,
        metavar="FILE.py",
        help="take settings, phases and titles from this study instead of from the input file",
    )


def positive_integer(text: str) -> int:
    """Integer of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
    return value


def beside_states(state: Path, name: str, kind: str) -> Path:
    """Default place of a file made from states: above their folder ``states``, or beside them.

    >>> beside_states(Path("runs/a/states/x.state.h5"), "a", "table").as_posix()
    'runs/a/a.table.h5'
    """
    folder = state.parent.parent if state.parent.name == "states" else state.parent
    return folder / f"{name}.{kind}.h5"


def sibling(path: Path, kind: str) -> Path:
    """File of another kind beside a file of ours, with the same stem.

    >>> sibling(Path("runs/a/x.snapshots.h5"), "network").as_posix()
    'runs/a/x.network.h5'
    """
    return path.with_name(f"{path.name.split('.')[0]}.{kind}.h5")


def successor(path: Path, kind: str) -> Path:
    """File of another kind made from a file of ours, with its whole name but the kind.

    >>> successor(Path("runs/a/x.compressed.network.h5"), "train").as_posix()
    'runs/a/x.compressed.train.h5'
    """
    stem = path.name.removesuffix(".h5").rpartition(".")[0] or path.name.removesuffix(".h5")
    return path.with_name(f"{stem}.{kind}.h5")


def output(given: Path | None, default: Path, kind: str) -> Path:
    """Path of an output file; a folder means the default name inside it."""
    path = given or default
    if given is not None and given.is_dir():
        path = given / default.name
    if not path.name.endswith(f".{kind}.h5"):
        raise SettingsError(f"--out is {path}; wanted a name that ends in .{kind}.h5, or a folder")
    return path
