"""``phasenet fit``: a neural wavefunction of a ground state."""

import argparse
from pathlib import Path
from typing import Any

from phasenet.cli.arguments import add_out, add_verb, beside_states, output
from phasenet.cli.reporter import TerminalReporter

_DESCRIPTION = """\
Fit an autoregressive network to the amplitudes of a ground state, signs or phases included. It is
shown the exact conditional probabilities and phases along fresh shots of the state; what it gives
is normalised, exactly zero outside the sector of a conserved charge, and draws shots of its own.
Its fidelity with the state is estimated from fresh shots. Ctrl-C keeps the best network so far.
The file goes into phasenet tensorize: the train of the network's amplitudes is a state, whose
string orders and SPT invariants are those of the network.

settings: width, depth, shots, batch, learning_rate, max_epochs, patience, refine_epochs,
          overlap_shots, seed
examples: phasenet fit "runs/haldane/states/D=0,Delta=1.finite.state.h5"
          phasenet fit aklt.finite.state.h5 --set width=16 --set max_epochs=30
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "fit", "a neural wavefunction of a ground state", _DESCRIPTION)
    parser.add_argument("state", type=Path, metavar="STATE.h5", help="state of an open chain")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="assignments",
        metavar="NAME=VALUE",
        help="a setting (width=64, seed=1); may be repeated",
    )
    parser.add_argument(
        "--device", default="cpu", metavar="NAME", help="where it is fitted: cpu, cuda, cuda:1"
    )
    add_out(parser, "*.wavefunction.h5 (default: beside the states)")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Fit the wavefunction unless it is there."""
    from phasenet.cli.steps import finish
    from phasenet.overrides import Overrides
    from phasenet.pipeline.fit import fit, wavefunction_lines, wavefunction_product
    from phasenet.settings import FitSettings
    from phasenet.storage.container import read_header

    changes = Overrides.of_options(assignments=options.assignments)
    settings = FitSettings.checked(
        {a.key.removeprefix("fit."): a.value for a in changes.assignments}
    )
    name = options.state.name.removesuffix(".h5").removesuffix(".state").removesuffix(".finite")
    default = beside_states(options.state, name, "wavefunction")
    out = output(options.out, default, "wavefunction")
    product = wavefunction_product(options.state, out, settings)
    if finish(product, options.dry_run):
        return
    found = fit(
        options.state, product, settings, reporter=TerminalReporter(), device=options.device
    )
    written = f"written to {out} in {read_header(out).seconds:.2g} s"
    print("\n".join([*wavefunction_lines(found), written]))
