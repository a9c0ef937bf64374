"""``phasenet export``: states in TeNPy's own files."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_verb

_DESCRIPTION = """\
Write ground states as files of TeNPy: tenpy.tools.hdf5_io.load gives a dictionary with the MPS as
psi, tensor by tensor as DMRG left it, its energy and its couplings.

example:  phasenet export runs/haldane/states --out for_tenpy
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "export", "states as files of TeNPy", _DESCRIPTION)
    parser.add_argument(
        "states", type=Path, nargs="+", metavar="STATES", help="state files, or a folder of them"
    )
    add_out(parser, "folder of the *.tenpy.h5 (default: beside each state)")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Write each state that has not been written yet."""
    from phasenet.pipeline.exchange import export_state, exports
    from phasenet.pipeline.product import state_files

    for export in exports(state_files(options.states), options.out):
        if export.is_done():
            print(f"nothing to do: {export.target} is up to date")
        elif options.dry_run:
            print(f"would make {export.target}")
        else:
            export_state(export)
            print(f"written to {export.target}")
