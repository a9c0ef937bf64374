"""``phasenet estimate``: observables from the shots of a dataset."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.cli.arguments import add_out, add_verb, output, positive_integer

if TYPE_CHECKING:
    from phasenet.pipeline.estimate import EstimatePlan
    from phasenet.records import Table

_DESCRIPTION = """\
Estimate string orders, expectation values, two-point functions and purities from the shots of a
dataset, as an experiment would, one row a point, with standard errors; with --states beside the
exact values of the states that the shots were taken of. Random bases are read as classical shadows:
from shots in the basis random or unbiased every component of the spins is estimated at once. Shots
with a lost site are left out of the products that act there.

examples: phasenet estimate runs/haldane/haldane.snapshots.h5
          phasenet estimate haldane.snapshots.h5 --string z --states runs/haldane/states
          phasenet estimate shadows.snapshots.h5 --string x,y,z --distance 2 3 --purity 2
          phasenet estimate haldane.snapshots.h5 --correlation "Sz Sz" --distance 1 2 4 --out a.csv

--string takes axes of spins, or operators with brackets around what repeats between the two ends,
such as "Z [X 1] X Z". Known by name: 1, Rx, Ry, Rz (rotations by pi), Sx, Sy, Sz, Sp, Sm and, for
two local states, X, Y, Z; real parts are estimated.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "estimate", "observables from shots, with errors", _DESCRIPTION)
    parser.add_argument("file", type=Path, metavar="FILE.snapshots.h5", help="labelled dataset")
    group = parser.add_argument_group(
        "what is estimated (default: strings, <Sz> and <Sz Sz> as far as the basis measures them)"
    )
    for name, metavar, text in (
        ("string", "STRING", "string orders: axes such as x,z, or one such as 'Z [X 1] X Z'"),
        ("local", "OPERATOR", "expectation value along the chain, such as Sz"),
        ("correlation", "OPERATORS", "two-point function, such as 'Sz Sz'"),
    ):
        group.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar=metavar,
            help=f"{text}; may be repeated",
        )
    group.add_argument(
        "--purity",
        type=positive_integer,
        default=0,
        metavar="SITES",
        help="purity and second Renyi entropy of so many sites in the middle",
    )
    group.add_argument(
        "--distance",
        type=positive_integer,
        nargs="+",
        default=[],
        metavar="R",
        help="of strings and two-point functions, averaged over all pairs of sites at each "
        "(default: neighbours, strings over pairs of the bulk or in random bases at a short one)",
    )
    parser.add_argument("--split", default="", help="only points of this split, such as test")
    parser.add_argument(
        "--states",
        type=Path,
        metavar="FOLDER",
        help="states that the shots were taken of: show exact values beside the estimates",
    )
    add_out(
        parser,
        "*.table.h5, or *.csv for numbers with *.curves.csv beside it (default: none)",
    )
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Estimate what is asked for, unless its table is there."""
    from phasenet.pipeline.estimate import EstimatePlan, estimate, estimate_lines
    from phasenet.pipeline.estimate_targets import Asked

    asked = Asked(
        strings=tuple(options.string),
        local=tuple(options.local),
        correlations=tuple(options.correlation),
        purity=options.purity,
        distances=tuple(dict.fromkeys(options.distance)),
        split=options.split,
    )
    plan = EstimatePlan.of(options.file, asked, options.states)
    out = _place(options)
    if out is not None and out.suffix != ".csv" and plan.product(out).is_done():
        print(f"nothing to do: {out} is up to date")
    elif options.dry_run:
        print(f"would estimate from {options.file}" + (f" and write {out}" if out else ""))
    else:
        table = estimate(plan) if out is None else _written(plan, out)
        print("\n".join(estimate_lines(table)))
        if out is not None:
            print(f"written to {out}")


def _place(options: argparse.Namespace) -> Path | None:
    if options.out is None or options.out.suffix == ".csv":
        return None if options.out is None else Path(options.out)
    stem = options.file.name.split(".")[0]
    return output(options.out, options.file.with_name(f"{stem}.estimated.table.h5"), "table")


def _written(plan: "EstimatePlan", out: Path) -> "Table":
    from phasenet.pipeline.chart import write_csv
    from phasenet.pipeline.estimate import estimate
    from phasenet.pipeline.spreadsheet import curves_path, write_curves
    from phasenet.storage.tables import write_table

    if out.suffix != ".csv":
        return plan.product(out).make(lambda: estimate(plan), write_table)
    table = estimate(plan)
    write_csv(table, out)
    write_curves(table, curves_path(out))
    return table
