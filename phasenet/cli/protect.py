"""``phasenet protect``: a trained network for publication."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.cli.arguments import (
    add_out,
    add_verb,
    output,
    positive_integer,
    sibling,
    successor,
)
from phasenet.cli.reporter import TerminalReporter

if TYPE_CHECKING:
    from phasenet.pipeline.protect import Protection

_DESCRIPTION = """\
Turn a classifier into one tensor train that can be published: found from training shots, trained
on if --epochs asks for it, brought to its canonical form, which trains of one function share, and
given a random gauge. The file is a *.network.h5 as any other, for tensorize, show and attack, and
for phasenet.load_network; it has no history, scores of training shots, seed or lineage.

What survives is measured and printed, with what this protection is not: it hides the parameters,
never the function, so every attack that only asks questions works as before. The report beside
the file is yours to keep, not to publish.

examples: phasenet protect runs/haldane/haldane.network.h5
          phasenet protect haldane.network.h5 --rank 8 --epochs 10 --gauge orthogonal
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "protect", "a trained network for publication", _DESCRIPTION)
    parser.add_argument("network", type=Path, metavar="NETWORK", help="*.network.h5")
    parser.add_argument(
        "--samples",
        type=Path,
        metavar="FILE",
        help="dataset that it was trained on (default: the *.snapshots.h5 beside it)",
    )
    parser.add_argument(
        "--rank", type=positive_integer, metavar="R", help="largest bond dimension (default: 16)"
    )
    parser.add_argument(
        "--method", choices=("sketch", "cross"), help="how the train is found (default: sketch)"
    )
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="passes of training on the labels and on the network's own probabilities (default: 0)",
    )
    parser.add_argument(
        "--gauge",
        choices=("orthogonal", "general"),
        help="random matrices on the bonds (default: general, of condition number 10)",
    )
    parser.add_argument(
        "--condition", type=float, metavar="X", help="condition number of general matrices"
    )
    parser.add_argument(
        "--seed",
        type=int,
        metavar="N",
        help="seed of the gauge (default: the entropy of the system, kept nowhere); who knows it "
        "can take the gauge off, and has what anyone can compute: the canonical form",
    )
    add_out(parser, "*.network.h5 (default: NAME.protected.network.h5 beside the network)")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Publish the network unless that is done."""
    from phasenet.pipeline.protect import protect
    from phasenet.pipeline.report_lines import report_lines

    work = _work(options)
    product = work.product
    if work.is_done():
        print(f"nothing to do: {work.out} is up to date (another --out draws another gauge)")
        return
    files = ", ".join(str(path) for path in (product.path, *product.extras))
    if options.dry_run:
        print(f"would make {work.out}, and to keep: {files}")
        return
    report = protect(work, reporter=TerminalReporter())
    notes = [f"  {note}" for section in report.sections for note in section.notes]
    print("\n".join([*report_lines(report), "what this is not, and what to know:", *notes]))
    print(f"to publish: {work.out}\nto keep: {files}")


def _work(options: argparse.Namespace) -> "Protection":
    from phasenet.pipeline.protect import Protection
    from phasenet.privacy.gauges import ProtectSettings

    names = ("rank", "method", "epochs", "gauge", "condition")
    given = {name: getattr(options, name) for name in names}
    settings = ProtectSettings.checked({n: v for n, v in given.items() if v is not None})
    default = successor(options.network, "protected.network")
    return Protection(
        network=options.network,
        snapshots=options.samples or sibling(options.network, "snapshots"),
        out=output(options.out, default, "network"),
        settings=settings,
        seed=options.seed,
    )
