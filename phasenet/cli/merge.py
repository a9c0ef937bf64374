"""``phasenet merge``: shards of a sweep in one folder, datasets of several machines in one file."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_verb, output
from phasenet.errors import SettingsError

_DESCRIPTION = """\
Bring together what several machines have made, of one study and with the same settings.

Folders: the ground states of shards that ran on different disks (simulate --shard I/N); what is
still missing is said.

Files *.snapshots.h5: the shards of a dataset (sample --shard I/N), which give the file that one
machine would have written; or datasets of different points, joined without likelihoods.

examples: phasenet merge disk1/haldane disk2/haldane --out runs/haldane
          phasenet merge shard1.snapshots.h5 shard2.snapshots.h5 --out haldane.snapshots.h5
"""
_SUFFIX = ".snapshots.h5"


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(
        verbs, "merge", "shards of a sweep in one folder, datasets in one file", _DESCRIPTION
    )
    parser.add_argument(
        "places",
        type=Path,
        nargs="+",
        metavar="FOLDER|FILE",
        help=f"folders of runs of simulate, or files *{_SUFFIX}",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="folder of the whole run, or file"
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Copy the states, or join the datasets."""
    places: list[Path] = options.places
    files = [place for place in places if place.name.endswith(_SUFFIX)]
    if not files:
        from phasenet.pipeline.merge import merge, merge_lines

        print("\n".join(merge_lines(merge(places, options.out), options.out)))
        return
    others = [place for place in places if place not in files]
    if others:
        raise SettingsError(
            f"merge has the dataset {files[0]} and {others[0]}; give folders of runs, or files "
            f"*{_SUFFIX}"
        )
    from phasenet.pipeline.merge_snapshots import merge_snapshots, merged_lines

    out = output(options.out, Path(f"merged{_SUFFIX}"), "snapshots")
    merge_snapshots(files, out)
    print("\n".join(merged_lines(files, out)))
