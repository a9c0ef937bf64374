"""``phasenet export``: states in TeNPy's own files, datasets in formats of others."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_verb
from phasenet.errors import SettingsError

_DESCRIPTION = """\
Write ground states as files of TeNPy: tenpy.tools.hdf5_io.load gives a dictionary with the MPS as
psi, tensor by tensor as DMRG left it, its energy and its couplings.

Write a dataset as one npz of numpy, as a folder of parquet files that load_dataset of Hugging
Face's datasets reads, or as the attributes of a Dataset of PennyLane. The last two need
pip install 'phasenet-mps[export]'.

example:  phasenet export runs/haldane/states --out for_tenpy
          phasenet export runs/haldane/haldane.snapshots.h5 --out haldane.npz
          phasenet export haldane.snapshots.h5 --format parquet
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "export", "states and datasets in formats of others", _DESCRIPTION)
    parser.add_argument(
        "states",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="state files, or a folder of them; or one *.snapshots.h5",
    )
    add_out(
        parser,
        "folder of the *.tenpy.h5; of a dataset, the file or folder that it becomes (default: "
        "beside each input)",
    )
    parser.add_argument(
        "--format",
        metavar="NAME",
        help="of a dataset: npz, parquet or pennylane (default: what --out ends in)",
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Write what has not been written yet."""
    from phasenet.pipeline.export_snapshots import is_dataset

    datasets = [path for path in options.states if is_dataset(path)]
    if not datasets:
        _execute_states(options)
    elif len(options.states) > 1:
        raise SettingsError(f"{datasets[0]} is a dataset; export one dataset at a time, alone")
    else:
        _execute_dataset(options)


def _execute_states(options: argparse.Namespace) -> None:
    from phasenet.pipeline.exchange import export_state, exports
    from phasenet.pipeline.product import state_files

    if options.format:
        raise SettingsError("--format goes with a *.snapshots.h5; states become TeNPy's")
    for export in exports(state_files(options.states), options.out):
        if export.is_done():
            print(f"nothing to do: {export.target} is up to date")
        elif options.dry_run:
            print(f"would make {export.target}")
        else:
            export_state(export)
            print(f"written to {export.target}")


def _execute_dataset(options: argparse.Namespace) -> None:
    from phasenet.pipeline.export_snapshots import export_snapshots, snapshots_export

    export = snapshots_export(options.states[0], options.out, options.format)
    if export.is_done():
        print(f"nothing to do: {export.target} is up to date")
    elif options.dry_run:
        print(f"would make {export.target}")
    else:
        export_snapshots(export)
        print(f"written to {export.target}")
