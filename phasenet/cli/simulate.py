"""``phasenet simulate``: ground states of a study."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_verb
from phasenet.cli.engines import add_engine, engine_of
from phasenet.cli.overrides import add_overrides, study_of
from phasenet.cli.refine import add_refine, asks_refinement, refine_and_print
from phasenet.cli.reporter import TerminalReporter

_DESCRIPTION = """\
Find the ground states of every point of a study with TeNPy, each from the state of a neighbouring
point. Each state is written as soon as it is done; finished ones are skipped. A point that fails is
tried three times and costs only itself. Ctrl-C and SIGTERM keep what is done; the same command goes
on. phasenet status STUDY.py tells how far it is.

examples: phasenet simulate simulations/haldane.py --out runs/haldane
          phasenet simulate simulations/haldane.py --set D=0:2:0.1 --set max_bond=64 --workers 8
          phasenet simulate simulations/haldane.py --engine parsl --site slurm
          phasenet simulate simulations/haldane.py --shard 3/20
          phasenet simulate simulations/haldane.py --refine --resolution 0.01
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "simulate", "ground states of a study", _DESCRIPTION)
    parser.add_argument("study", type=Path, metavar="STUDY.py", help="study module")
    add_out(parser, "folder of the run; states go to its folder states (default: runs/NAME)")
    add_engine(parser)
    parser.add_argument(
        "--shard",
        default="1/1",
        metavar="I/N",
        help="every N-th unit of work, from the I-th on: for arrays of jobs without a driver; "
        "phasenet merge brings together what lies on different disks",
    )
    add_refine(parser)
    add_overrides(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Find the missing ground states."""
    from phasenet.pipeline.simulate import find_states, planned_units
    from phasenet.pipeline.survey import survey
    from phasenet.storage.locks import Shard

    study, shard, engine = study_of(options), Shard.of(options.shard), engine_of(options)
    root = options.out or Path("runs") / study.name
    states, refine = root / "states", asks_refinement(options)
    if options.dry_run:
        there = survey(planned_units(study, options.study, root, shard))
        print(f"{len(there.missing)} of {len(there.paths)} ground states to find in {states}")
        print("\n".join(f"  {path.name}" for n, path in there.paths.items() if n in there.missing))
        return
    if refine:
        refine_and_print(options, study, root, engine)
        return
    found = find_states(
        study,
        options.study,
        root,
        engine=engine,
        reporter=TerminalReporter(),
        shard=shard,
        retry=options.retry,
    )
    print(f"{len(found.paths)} ground states in {states}, {found.new} of them new")
