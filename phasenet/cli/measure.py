"""``phasenet measure``: observables of states."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.cli.arguments import (
    add_out,
    add_study,
    add_verb,
    beside_states,
    output,
    positive_integer,
)
from phasenet.cli.reporter import TerminalReporter

if TYPE_CHECKING:
    from phasenet.pipeline.measure import Measured, MeasurePlan
    from phasenet.pipeline.selection import Selection

_DESCRIPTION = """\
Measure string orders, SPT invariants, entanglement and local orders of matrix product states, and,
with --train, a tensorized classifier, all by exact contraction. Reads the states of a run, and any
MPS that was saved with TeNPy (tenpy.tools.hdf5_io.save, or the results of a simulation), finite or
infinite; nothing that such a file names is ever imported. Takes files, folders with all below them,
and patterns in quotes, thousands at a time: each row is kept as it is done, a file that cannot be
read costs only itself, and after an interruption the same command goes on.

examples: phasenet measure runs/haldane/states --train runs/haldane/haldane.train.h5
          phasenet measure my_tenpy_state.h5
          phasenet measure my_tenpy_state.h5 --string x,z --spt
          phasenet measure "sweep/**/*.h5" --all --workers 8 --out sweep.table.h5
          phasenet measure my_cluster_state.h5 --string "Z [X 1] X Z" --symmetry "X,1 1,X"

--string takes axes of spins, or operators with brackets around what repeats between the two ends.
--symmetry takes "U V" (do the two still commute on a bond?), "T U" (time reversal with the unitary
U), "I" or "I U" (inversion); commas part the operators of neighbouring sites. Known by name: 1, Rx,
Ry, Rz (rotations by pi), Sx, Sy, Sz, Sp, Sm and, for two local states, X, Y, Z. For operators as
matrices, local orders and labels, name a study with --study: its symmetries, orders and strings
are then measured in states of any origin.
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "measure", "string orders, SPT invariants, entanglement", _DESCRIPTION)
    parser.add_argument(
        "states",
        type=Path,
        nargs="+",
        metavar="STATES",
        help="state files, files saved with TeNPy, folders, or patterns in quotes",
    )
    parser.add_argument(
        "--train", type=Path, metavar="TRAIN.h5", help="tensorized classifier to measure as well"
    )
    _add_groups(parser)
    parser.add_argument(
        "--workers",
        type=positive_integer,
        default=2,
        metavar="N",
        help="worker processes, one BLAS thread each (default: 2); they change no result",
    )
    add_out(
        parser,
        "*.table.h5, or *.csv for numbers with *.curves.csv beside it (default: a table beside the "
        "states; none for files of TeNPy)",
    )
    add_study(parser)
    parser.set_defaults(execute=execute)


def _add_groups(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is measured (default: all that is cheap)")
    group.add_argument(
        "--string",
        action="append",
        default=[],
        metavar="STRING",
        help="string orders: axes such as x,z, or one such as 'Z [X 1] X Z'; may be repeated",
    )
    group.add_argument(
        "--symmetry",
        action="append",
        default=[],
        metavar="OPERATORS",
        help="SPT invariants of one more symmetry, such as 'Rx Rz', 'T Ry' or I; may be repeated",
    )
    for name, text in (
        ("spt", "SPT invariants"),
        ("entanglement", "entropies, entanglement spectrum, correlation length"),
        ("local", "local order parameters"),
        ("fidelity", "overlap of each state with the next along each coupling"),
        ("correlations", "correlations and structure factors"),
        ("many-body", "partial reflection, partial time reversal, and the swap order parameter"),
        ("pairs", "string orders of all pairs of sites of open chains"),
        ("all", "everything but --pairs"),
    ):
        group.add_argument(f"--{name}", action="append_const", dest="groups", const=name, help=text)


def execute(options: argparse.Namespace) -> None:
    """Measure states of any origin."""
    from phasenet.pipeline.measure import MeasurePlan
    from phasenet.study import load_study

    card = load_study(options.study).card() if options.study else None
    plan = MeasurePlan.of(
        options.states, card=card, train=options.train, selection=_selection(options)
    )
    out = _place(options, plan)
    if out is None:
        _measure_to_screen(options, plan)
    elif out.suffix != ".csv" and plan.product(out).is_done():
        print(f"nothing to do: {out} is up to date")
        plan.check()
    elif options.dry_run:
        print(f"would make {out} of {len(plan.tasks)} states")
    else:
        _measure_to_file(options, plan, out)


def _selection(options: argparse.Namespace) -> "Selection":
    from phasenet.pipeline.selection import ALL, USUAL, Group, Selection, strings_of

    strings, asked = strings_of(options.string), options.groups or []
    groups = {Group(name) for name in asked if name != "all"}
    if "all" in asked:
        groups.update(ALL)
    if strings:
        groups.add(Group.STRINGS)
    if options.symmetry:
        groups.add(Group.SPT)
    if not groups or groups == {Group.PAIRS}:
        groups.update(USUAL)
    return Selection(
        groups=tuple(group for group in Group if group in groups),
        strings=strings,
        symmetries=tuple(options.symmetry),
    )


def _place(options: argparse.Namespace, plan: "MeasurePlan") -> Path | None:
    """Path of the table; None if it goes to the screen alone.

    What a run measures is left alone where something else is asked for.
    """
    from phasenet.pipeline.selection import Selection

    ours = next((file for task in plan.tasks for file in task.files if file.is_ours), None)
    name = plan.context.card.name if plan.context.card else "states"
    if plan.context.selection != Selection():
        name = f"{name}.measured"
    if options.out is not None and options.out.suffix == ".csv":
        return Path(options.out)
    if options.out is None and ours is None:
        return None
    default = beside_states(ours.path, name, "table") if ours else Path(f"{name}.table.h5")
    return output(options.out, default, "table")


def _measure_to_screen(options: argparse.Namespace, plan: "MeasurePlan") -> None:
    if options.dry_run:
        print(f"would measure {len(plan.tasks)} files of TeNPy and print the result")
        return
    measured = plan.carry_out(None, workers=options.workers, reporter=TerminalReporter())
    _show(measured, "")


def _measure_to_file(options: argparse.Namespace, plan: "MeasurePlan", out: Path) -> None:
    from phasenet.pipeline.measure import make_table

    measured = make_table(plan, out, workers=options.workers, reporter=TerminalReporter())
    _show(measured, f"written to {out}")


def _show(measured: "Measured", last: str) -> None:
    from phasenet.pipeline.tabulated import measured_lines

    print("\n".join([*measured_lines(measured.table), *([last] if last else [])]), flush=True)
    measured.check()
