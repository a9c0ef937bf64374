"""``phasenet explain``: what a network has learned."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.cli.arguments import add_out, add_verb, output, sibling, successor
from phasenet.cli.reporter import TerminalReporter

if TYPE_CHECKING:
    from phasenet.pipeline.product import Product

_WAVEFUNCTION = ".wavefunction.h5"
_DESCRIPTION = """\
Read what a network has learned, and write it as one HTML page with all numbers beside it. The first
sentence is the verdict.

NETWORK is

  NAME.network.h5       a classifier: its train as an exact observable of every ground state, and
                        how much of it local densities, two-point functions and strings explain;
                        what it does when the shots are changed; controls; what its bonds carry;
                        the automaton that decides as it does; the modes that matter
  NAME.wavefunction.h5  a neural wavefunction: the train of its amplitudes, with its string orders
                        and SPT invariants beside those of the state that it was fitted to

Sections that are done are kept if the work is stopped: the same command goes on.

examples: phasenet explain runs/haldane/haldane.network.h5 --states runs/haldane/states
          phasenet explain D0.wavefunction.h5 --states "states/D=0,Delta=1.finite.state.h5"
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "explain", "what a network has learned", _DESCRIPTION)
    parser.add_argument("network", type=Path, metavar="NETWORK.h5", help="see above")
    parser.add_argument(
        "--states",
        type=Path,
        nargs="+",
        required=True,
        metavar="PLACE",
        help="ground states, or folders of them; of a wavefunction the one that it was fitted to",
    )
    parser.add_argument(
        "--train",
        type=Path,
        metavar="FILE",
        help="trains of the classifier (default: beside it; made if they are not there)",
    )
    parser.add_argument(
        "--snapshots", type=Path, metavar="FILE", help="its dataset (default: beside it)"
    )
    parser.add_argument(
        "--other",
        type=Path,
        metavar="FILE",
        help="labelled snapshots of another Hamiltonian that has the same phases, as a control",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)"
    )
    add_out(parser, "*.report.h5; page and JSON go beside it (default: NAME.explained.report.h5)")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Explain the network unless that is done."""
    from phasenet.cli.steps import finish
    from phasenet.pipeline.explain import ExplainPlan, explain
    from phasenet.pipeline.explain_wavefunction import WavefunctionPlan, explain_wavefunction
    from phasenet.pipeline.report_lines import verdict_lines

    out = output(options.out, successor(options.network, "explained.report"), "report")
    reporter = TerminalReporter()
    if options.network.name.endswith(_WAVEFUNCTION):
        _check_wavefunction(options)
        wave = WavefunctionPlan.of(options.network, options.states, seed=options.seed)
        product = wave.product(out)
        if finish(product, options.dry_run):
            return
        report = explain_wavefunction(wave, product, reporter=reporter)
    else:
        plan = ExplainPlan.of(
            options.network,
            options.states,
            train=options.train or successor(options.network, "train"),
            snapshots=options.snapshots or sibling(options.network, "snapshots"),
            other=options.other,
            seed=options.seed,
        )
        product = plan.product(out)
        if options.dry_run and not plan.train.is_file():
            print(f"would make {plan.train}")
        if finish(product, options.dry_run):
            return
        report = explain(plan, product, reporter=reporter)
    print("\n".join([*verdict_lines(report), "", _written(product)]))


def _check_wavefunction(options: argparse.Namespace) -> None:
    from phasenet.errors import SettingsError

    for name in ("train", "snapshots", "other"):
        if getattr(options, name) is not None:
            raise SettingsError(f"--{name} belongs to classifiers; a wavefunction needs --states")


def _written(product: "Product") -> str:
    return f"written to {', '.join(str(path) for path in (product.path, *product.extras))}"
