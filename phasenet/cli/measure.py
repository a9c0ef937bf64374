"""``phasenet measure``: observables of states."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_study, add_verb, beside_states, output
from phasenet.cli.reporter import TerminalReporter

_DESCRIPTION = """\
Measure string orders, SPT invariants, entanglement and local orders of matrix product states, and,
with --train, a tensorized classifier, all by exact contraction. Reads the states of a run, and any
MPS that was saved with TeNPy (tenpy.tools.hdf5_io.save, or the results of a simulation), finite or
infinite; nothing that such a file names is ever imported.

examples: phasenet measure runs/haldane/states --train runs/haldane/haldane.train.h5
          phasenet measure my_tenpy_state.h5
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "measure", "string orders, SPT invariants, entanglement", _DESCRIPTION)
    parser.add_argument(
        "states",
        type=Path,
        nargs="+",
        metavar="STATES",
        help="state files, a folder of them, or files saved with TeNPy",
    )
    parser.add_argument(
        "--train", type=Path, metavar="TRAIN.h5", help="tensorized classifier to measure as well"
    )
    add_out(parser, "*.table.h5 (default: beside the states; none for files of TeNPy)")
    add_study(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Measure states of a run, or foreign ones."""
    from phasenet.errors import SettingsError
    from phasenet.pipeline.measure import is_ours
    from phasenet.pipeline.product import state_files

    files = state_files(options.states)
    ours = {is_ours(path) for path in files}
    if len(ours) == 2:
        raise SettingsError("some states are of a run, others of TeNPy; measure them separately")
    if ours == {True}:
        _measure_run(options, files)
    elif options.train or options.study:
        raise SettingsError("--train and --study belong to states of a run, not to files of TeNPy")
    else:
        _measure_foreign(options, files)


def _measure_run(options: argparse.Namespace, files: list[Path]) -> None:
    from phasenet.cli.steps import card_for, finish
    from phasenet.pipeline.measure import measure, table_product
    from phasenet.pipeline.summary import table_lines

    card = card_for(options.study, files[0])
    out = output(options.out, beside_states(files[0], card.name, "table"), "table")
    product = table_product(files, options.train, out, card)
    if finish(product, options.dry_run):
        return
    table = measure(files, options.train, product, card, reporter=TerminalReporter())
    print("\n".join([*table_lines(table), f"written to {out}"]))


def _measure_foreign(options: argparse.Namespace, files: list[Path]) -> None:
    from phasenet.cli.steps import finish
    from phasenet.pipeline.measure import foreign_product, foreign_table
    from phasenet.pipeline.summary import observable_lines
    from phasenet.storage.tables import write_table

    reporter = TerminalReporter()
    if options.out is None:
        if options.dry_run:
            print(f"would measure {len(files)} files of TeNPy and print the result")
        else:
            print("\n".join(observable_lines(foreign_table(files, reporter=reporter))))
        return
    out = output(options.out, Path("tenpy.table.h5"), "table")
    product = foreign_product(files, out)
    if finish(product, options.dry_run):
        return
    table = product.make(lambda: foreign_table(files, reporter=reporter), write_table)
    print("\n".join([*observable_lines(table), f"written to {out}"]))
