"""``phasenet VERB ...``: exit codes 0 done, 1 an error in one line, 2 usage, 75 stopped early."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from phasenet import __version__
from phasenet.cli import (
    attack,
    chart,
    compress,
    discover,
    estimate,
    explain,
    export,
    fit,
    import_,
    measure,
    merge,
    protect,
    run,
    sample,
    show,
    simulate,
    status,
    tensorize,
    train,
)
from phasenet.engines.threads import THREAD_VARIABLES
from phasenet.errors import PhasenetError

EXIT_ERROR = 1
EXIT_STOPPED = 75

_VERBS = (
    run,
    simulate,
    status,
    merge,
    sample,
    train,
    discover,
    tensorize,
    compress,
    fit,
    explain,
    protect,
    attack,
    measure,
    estimate,
    chart,
    show,
    export,
    import_,
)
_EPILOG = """\
a study flows one way, and every arrow leaves a file:
  study.py --simulate--> states/*.state.h5 --sample--> *.snapshots.h5 --train--> *.network.h5
  --tensorize--> *.train.h5 --measure--> *.table.h5 --chart--> *.chart.h5, PNG, PDF, CSV
beside it:
  snapshots --discover--> transitions without labels        network --compress--> a smaller one
  state --fit--> *.wavefunction.h5 --tensorize--> the network as a state
  network, wavefunction --explain--> what it has learned, as a page
  network --protect--> one train without its parameters, to be published
  networks --attack--> what they give away about their data, against chance

start here:  phasenet run simulations/haldane.py
datasets:    phasenet sample datasets/haldane.toml
exit codes:  0 done, 1 error, 2 usage, 75 stopped early (the same command goes on)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    for variable in THREAD_VARIABLES:
        # Threads of BLAS fight over the cores with our worker processes, and change the last bits.
        os.environ.setdefault(variable, "1")
    parser = argparse.ArgumentParser(
        prog="phasenet",
        description="Phase diagrams of spin chains: ground states, labelled snapshots, neural "
        "classifiers, tensor trains, string orders and SPT invariants.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"phasenet {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for module in _VERBS:
        module.add_parser(verbs)
    options = parser.parse_args(arguments)
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, _interrupt)
    try:
        options.execute(options)
    except KeyboardInterrupt:
        return _fail("stopped early; finished work is kept, the same command goes on", EXIT_STOPPED)
    except BrokenPipeError:
        # The reader of our output has left; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_ERROR
    except (PhasenetError, OSError) as error:
        return _fail(str(error), EXIT_ERROR)
    return 0


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _fail(sentence: str, code: int) -> int:
    print(f"phasenet: {' '.join(sentence.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
