"""Options that change a study: ``--set``, ``--config``, ``--zip``, ``--points``."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phasenet.study import Study


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group(
        "changes to the study (the command line goes before a file, a file before the study)"
    )
    group.add_argument(
        "--set",
        action="append",
        default=[],
        dest="assignments",
        metavar="NAME=VALUE",
        help="a setting (finite.max_bond=128; max_bond=128 in all steps that have it) or a "
        "coupling (D=0:2:0.1, Delta=0.5,1); may be repeated",
    )
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE.toml",
        help="the same as tables: [finite] max_bond = 128, [grid] D = '0:2:0.1'",
    )
    group.add_argument(
        "--zip",
        action="append",
        default=[],
        dest="zipped",
        metavar="NAME,NAME",
        help="couplings that run together instead of in all combinations",
    )
    group.add_argument(
        "--points",
        type=Path,
        metavar="FILE.csv",
        help="points instead of the grid: a line of names of couplings, then one point a line",
    )


def study_of(options: argparse.Namespace) -> "Study":
    """Study that a command names, with its changes, which are said in one line."""
    from phasenet.overrides import Overrides, apply_overrides, differences
    from phasenet.study import load_study

    study = load_study(options.study)
    overrides = Overrides.of_options(
        assignments=options.assignments, zipped=options.zipped, points=options.points
    )
    if options.config is not None:
        overrides = Overrides.from_toml(options.config).then(overrides)
    changed = apply_overrides(study, overrides)
    said = differences(study, changed)
    if said:
        print(f"{study.name} with {'; '.join(said)}")
    return changed
