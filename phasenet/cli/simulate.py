"""``phasenet simulate``: ground states of a study."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_verb, add_workers
from phasenet.cli.reporter import TerminalReporter

_DESCRIPTION = """\
Find the ground states of every point of a study with TeNPy: an infinite chain (for labels) and an
open chain (for snapshots). Each state is written as soon as it is done; finished ones are skipped.

example:  phasenet simulate simulations/haldane.py --out runs/haldane
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "simulate", "ground states of a study", _DESCRIPTION)
    parser.add_argument("study", type=Path, metavar="STUDY.py", help="study module")
    add_out(parser, "folder of the run; states go to its folder states (default: runs/NAME)")
    add_workers(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Find the missing ground states."""
    from phasenet.groundstates.sweep import state_tasks, unfinished
    from phasenet.pipeline.folder import RunFolder
    from phasenet.pipeline.simulate import simulate
    from phasenet.study import load_study

    study = load_study(options.study)
    folder = RunFolder(root=options.out or Path("runs") / study.name, name=study.name).states
    if options.dry_run:
        tasks = state_tasks(study, options.study, folder)
        missing = unfinished(study, tasks)
        print(f"{len(missing)} of {len(tasks)} ground states to find in {folder}")
        print("\n".join(f"  {task.path.name}" for task in missing))
        return
    paths, new = simulate(
        study, options.study, folder, workers=options.workers, reporter=TerminalReporter()
    )
    print(f"{len(paths)} ground states in {folder}, {new} of them new")
