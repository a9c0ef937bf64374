"""``phasenet import``: states from TeNPy's own files."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_verb

_DESCRIPTION = """\
Make state files of matrix product states that were saved with TeNPy (tenpy.tools.hdf5_io.save, or
the results of a simulation), finite or infinite, so that every other verb takes them. Nothing that
such a file names is ever imported. Energy and couplings are taken from the file where it has them.

examples: phasenet import my_tenpy_state.h5 --coupling D=0.5 Delta=1 --study simulations/haldane.py
          phasenet import from_tenpy/*.h5 --out states
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "import", "states from files of TeNPy", _DESCRIPTION)
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="files saved with TeNPy"
    )
    parser.add_argument(
        "--coupling",
        type=_coupling,
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="couplings of the model, where the file does not tell them or is wrong",
    )
    parser.add_argument(
        "--energy", type=float, metavar="E", help="energy per site (default: what the file says)"
    )
    parser.add_argument(
        "--converged",
        action="store_true",
        help="vouch for it: points of states that may not have converged get no label",
    )
    parser.add_argument(
        "--study", type=Path, metavar="FILE.py", help="study that the states belong to"
    )
    add_out(parser, "folder of the *.state.h5 (default: beside each file)")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Write each state that has not been written yet."""
    from phasenet.cli.steps import finish
    from phasenet.pipeline.exchange import imports
    from phasenet.study import load_study

    study = load_study(options.study) if options.study else None
    found = imports(
        options.files,
        couplings=dict(options.coupling),
        energy=options.energy,
        converged=options.converged,
        study=study,
        folder=options.out,
    )
    for one in found:
        if not finish(one.product, options.dry_run):
            one.make()
            print(f"written to {one.product.path}: {one.state.outcome.value}")


def _coupling(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE with a number") from None
