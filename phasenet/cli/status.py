"""``phasenet status``: how far a sweep is."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.cli.arguments import add_verb
from phasenet.cli.overrides import add_overrides, study_of

if TYPE_CHECKING:
    from phasenet.storage.plans import SweepPlan

_DESCRIPTION = """\
Tell how many ground states of a study are done, running, waiting and failed, how long the rest will
take, and how well the finished ones converged. Reads journals only, so that it is instant for
100 000 points, and may be asked from any machine that sees the folder.

examples: phasenet status simulations/haldane.py
          phasenet status runs/haldane
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "status", "how far a sweep is", _DESCRIPTION)
    parser.add_argument(
        "study", type=Path, metavar="STUDY.py", help="study module, or the folder of its run"
    )
    parser.add_argument(
        "--out", type=Path, metavar="PATH", help="folder of the run (default: runs/NAME)"
    )
    add_overrides(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Print the status."""
    from phasenet.pipeline.status import status_lines, sweep_status

    root, plan, notes = _asked(options)
    print("\n".join([*status_lines(sweep_status(plan, root)), *notes]))


def _asked(options: argparse.Namespace) -> "tuple[Path, SweepPlan, list[str]]":
    """Folder, its plan, and a note where the study asks for something else by now."""
    from phasenet.groundstates.sweep import journal_folder
    from phasenet.pipeline.simulate import plan_of
    from phasenet.storage.plans import read_plan, source_digest

    if options.study.is_dir():
        return options.study, read_plan(journal_folder(options.study)), []
    changed = options.assignments or options.config or options.zipped or options.points
    root = options.out or Path("runs") / options.study.stem
    begun = None if changed else _begun(root)
    # The study itself, and with it TeNPy, is loaded only where its file is not the one that ran.
    if begun and options.study.is_file() and source_digest(options.study) == begun.source:
        return root, begun, []
    study = study_of(options)
    root = options.out or Path("runs") / study.name
    asked = plan_of(study, options.study, root)
    begun = None if changed else _begun(root)
    if begun is None or (begun.keys, begun.points) == (asked.keys, asked.points):
        return root, asked, []
    note = f"{options.study} asks for other states by now; this is the sweep that was begun last"
    return root, begun, [note]


def _begun(root: Path) -> "SweepPlan | None":
    from phasenet.errors import MissingInputError
    from phasenet.groundstates.sweep import journal_folder
    from phasenet.storage.plans import read_plan

    try:
        return read_plan(journal_folder(root))
    except MissingInputError:
        return None
