"""``phasenet tensorize``: a classifier, or any function, as a tensor train."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.cli.arguments import (
    add_out,
    add_study,
    add_verb,
    output,
    positive_integer,
    sibling,
    successor,
)
from phasenet.cli.reporter import TerminalReporter

if TYPE_CHECKING:
    from phasenet.settings import TensorizeOptions

_DESCRIPTION = """\
Turn a function of many local states into a tensor train, and measure the error on samples that
were held out and on uniform configurations. The function is

  NETWORK.h5          a classifier of phasenet: trains of its logits and of its probabilities
  module:function     any Python function of an integer array (shots, sites) that returns (shots,)
  file.py:function    or (shots, outputs); it is imported, so name only what you trust
  net.pt              a TorchScript network, called with an int64 tensor (shots, sites)
  X.wavefunction.h5   the amplitudes of a neural wavefunction: its train is a state

Samples are a *.snapshots.h5, or a .npy array of integers (shots, sites); a wavefunction draws its
own. Ctrl-C keeps the best train so far. Without options, the settings of its run hold for a
classifier; for a function, rank 64 and a relative error of 1e-6, or for a wavefunction a tenth of
its distance from the state that it was fitted to.

examples: phasenet tensorize runs/haldane/haldane.network.h5
          phasenet tensorize my_module:amplitude --samples shots.npy --max-rank 64 --tol 1e-3
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "tensorize", "a classifier or any function as a train", _DESCRIPTION)
    parser.add_argument("function", metavar="FUNCTION", help="what to tensorize, see above")
    parser.add_argument(
        "--samples",
        type=Path,
        metavar="FILE",
        help="where the train has to be right (default, for a classifier: the snapshots beside it)",
    )
    parser.add_argument(
        "--site-dim",
        type=positive_integer,
        metavar="D",
        help="local states of a site (default: that of the snapshots; of a .npy, largest + 1)",
    )
    _add_limits(parser)
    parser.add_argument(
        "--device", metavar="NAME", help="where a network is evaluated: cpu, cuda, cuda:1"
    )
    add_out(parser, "*.train.h5 (default: beside the network, or FUNCTION.train.h5 here)")
    add_study(parser)
    parser.set_defaults(execute=execute)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-rank",
        type=positive_integer,
        metavar="N",
        help="largest bond dimension, of both trains of a classifier",
    )
    parser.add_argument("--tol", type=float, metavar="X", help="largest relative L2 error")
    parser.add_argument(
        "--method", choices=("auto", "cross", "sketch"), help="how (default: auto, by the function)"
    )
    parser.add_argument(
        "--max-evaluations",
        type=positive_integer,
        metavar="N",
        help="largest number of distinct configurations",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of all random choices")


def execute(options: argparse.Namespace) -> None:
    """Tensorize the classifier or the function unless that is done."""
    from phasenet.settings import TensorizeOptions

    asked = TensorizeOptions(
        tol=options.tol,
        max_rank=options.max_rank,
        max_evaluations=options.max_evaluations,
        method=options.method,
        seed=options.seed,
        device=options.device,
    )
    if options.function.endswith(".h5") and not options.function.endswith(".wavefunction.h5"):
        _classifier(options, asked)
    else:
        _black_box(options, asked)


def _classifier(options: argparse.Namespace, asked: "TensorizeOptions") -> None:
    from phasenet.cli.steps import card_for, finish
    from phasenet.errors import SettingsError
    from phasenet.pipeline.summary import outcome_lines, train_lines
    from phasenet.pipeline.tensorize import card_with, tensorize, train_product
    from phasenet.storage.container import read_header

    network = Path(options.function)
    snapshots = options.samples or sibling(network, "snapshots")
    if options.site_dim is not None or snapshots.suffix == ".npy":
        raise SettingsError(
            f"{network} is a classifier; its samples are a *.snapshots.h5, which knows the site "
            "dimension"
        )
    card = card_with(card_for(options.study, network), asked)
    out = output(options.out, successor(network, "train"), "train")
    product = train_product(network, snapshots, out, card)
    if finish(product, options.dry_run):
        return
    found = tensorize(
        network,
        snapshots,
        product,
        card,
        reporter=TerminalReporter(),
        device=asked.device or "cpu",
    )
    print("\n".join([*train_lines(found), *outcome_lines(found)]))
    print(f"written to {out} in {read_header(out).seconds:.2g} s")


def _black_box(options: argparse.Namespace, asked: "TensorizeOptions") -> None:
    from phasenet.cli.steps import finish
    from phasenet.errors import SettingsError
    from phasenet.pipeline.black_box import black_box_product, read_samples, tensorize_black_box
    from phasenet.pipeline.fit import train_tol, wavefunction_samples
    from phasenet.pipeline.function_source import Form, FunctionSource
    from phasenet.pipeline.summary import quality_line
    from phasenet.storage.container import read_header

    source = FunctionSource.of(options.function)
    is_wave = source.form is Form.WAVEFUNCTION
    if options.samples is None and not is_wave:
        raise SettingsError(
            f"{source.name} needs --samples: a *.snapshots.h5, or a .npy of integers (shots, sites)"
        )
    if options.study is not None:
        raise SettingsError(f"--study belongs to classifiers; {source.name} is of no study")
    if is_wave and asked.tol is None:
        asked = replace(asked, tol=train_tol(Path(source.place)))
    if options.samples is None:
        samples = wavefunction_samples(Path(source.place), asked.seed or 0)
    else:
        samples = read_samples(options.samples, options.site_dim)
    out = output(options.out, source.default_out, "train")
    product = black_box_product(source, samples, out, asked)
    if samples.guessed and not product.is_done():
        print(
            f"site dimension {samples.site_dim}: {options.samples} goes up to "
            f"{samples.site_dim - 1} (--site-dim says otherwise)"
        )
    if finish(product, options.dry_run):
        return
    found = tensorize_black_box(source, samples, product, asked, reporter=TerminalReporter())
    print(f"written to {out} in {read_header(out).seconds:.2g} s: {quality_line(found)}")
