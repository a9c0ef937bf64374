"""Options of the verbs that find ground states: where the work runs, and what of it."""

import argparse
from typing import TYPE_CHECKING

from phasenet.cli.arguments import positive_integer

if TYPE_CHECKING:
    from phasenet.pipeline.engine import Engine


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers``, ``--engine``, ``--site`` and ``--retry``."""
    group = parser.add_argument_group("where ground states are found (this changes no result)")
    group.add_argument(
        "--workers",
        type=positive_integer,
        default=2,
        metavar="N",
        help="worker processes on this machine, one BLAS thread each (default: 2)",
    )
    group.add_argument(
        "--engine",
        choices=("local", "parsl"),
        default="local",
        help="local: worker processes here; parsl: jobs of a batch system",
    )
    group.add_argument(
        "--site",
        default="",
        metavar="SITE",
        help="slurm, pbs or lsf, with the settings of the group cluster; or a Python file that "
        "defines config, a configuration of Parsl",
    )
    group.add_argument(
        "--retry", action="store_true", help="try again what failed three times before"
    )


def engine_of(options: argparse.Namespace) -> "Engine":
    """Engine that a command names."""
    from phasenet.pipeline.engine import Engine, EngineKind

    return Engine(kind=EngineKind(options.engine), workers=options.workers, site=options.site)
