"""``phasenet compress``: a trained network made smaller."""

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
    from phasenet.compression import CompressSettings
    from phasenet.pipeline.compress import Compression
    from phasenet.pipeline.compress_choice import Rule

_DESCRIPTION = """\
Make a trained network smaller in all ways that there are, and draw what each costs in accuracy:
Tucker, MPO, CP and low-rank forms of its weights (decomposed on samples, healed layer by layer,
tuned on labels and on the network's own probabilities), narrower dense networks trained from
nothing, and the whole network as one tensor train, which also starts the training of one.

NETWORK is

  NAME.network.h5     a classifier of phasenet; its shots are NAME.snapshots.h5, or --snapshots
  file.py:function    a function that returns any torch module, with --data; it is imported, so
                      name only what you trust

The candidate is chosen on validation shots and reported on held-out ones. Its file is
NAME.compressed.network.h5: for a classifier, one that tensorize, show and compress take again; for
any other module, one for phasenet.load_compressed(path, module). Finished candidates are kept: the
same command goes on after an interruption, and chooses anew at once by another rule.

examples: phasenet compress runs/haldane/haldane.network.h5 --ratio 20
          phasenet compress net.py:trained --weights net.pt --data digits.npz --within 1
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "compress", "a trained network made smaller", _DESCRIPTION)
    parser.add_argument("network", metavar="NETWORK", help="what to compress, see above")
    parser.add_argument(
        "--snapshots", type=Path, metavar="FILE", help="dataset of a classifier of phasenet"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE.npz",
        help="dataset of any other module: arrays x, y (index of a class) and, if it is given, "
        "split (train, validation, test)",
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE.pt", help="state_dict of any other module"
    )
    rules = parser.add_mutually_exclusive_group()
    rules.add_argument(
        "--within",
        type=float,
        metavar="POINTS",
        help="choose the smallest network that loses at most so many points of accuracy on the "
        "validation shots (default: 0.5)",
    )
    rules.add_argument(
        "--ratio",
        type=float,
        metavar="R",
        help="choose the most accurate network that is at least R times smaller",
    )
    _add_candidates(parser)
    add_out(parser, "*.compression.h5 (default: beside the network, or FUNCTION.compression.h5)")
    parser.set_defaults(execute=execute)


def _add_candidates(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--families",
        metavar="NAME,NAME",
        help='of "tucker,mpo,cp,low rank,narrow dense" (default: all)',
    )
    parser.add_argument("--ratios", metavar="R,R", help="compressions (default: 2,5,10,20,50)")
    parser.add_argument(
        "--seeds", type=positive_integer, metavar="N", help="repeats of each (default: 3)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="assignments",
        metavar="NAME=VALUE",
        help="another setting (epochs=10, ranks=4,8, start_epochs=0, distillation=0.5); may be "
        "repeated",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of all random choices")


def execute(options: argparse.Namespace) -> None:
    """Compress the network unless that is done, and choose."""
    from phasenet.errors import SettingsError
    from phasenet.pipeline.compress import compress
    from phasenet.pipeline.compress_choice import Rule, choice_product, draw, write_choice
    from phasenet.pipeline.compress_lines import choice_line, curve_lines, verdict_lines
    from phasenet.storage.compression import read_compression

    work = _work(options)
    ratio = options.ratio
    rule = Rule(ratio=ratio, within=None if ratio else _default(options.within, 0.5))
    path = work.product.path
    if options.dry_run:
        print("\n".join(_plan(work, rule)))
        return
    if work.product.is_done():
        choice = choice_product(path, rule)
        if choice.is_done():
            print(f"nothing to do: {choice.path} is up to date")
            return
        curve = read_compression(path)[1]
    else:
        curve = compress(work, reporter=TerminalReporter())
        choice = choice_product(path, rule)
    print("\n".join([*curve_lines(curve), *verdict_lines(curve)]))
    try:
        row = rule.of(curve)
    except SettingsError:
        # Nothing is good enough, which the figure shows.
        draw(curve, None, path)
        raise
    draw(curve, row, path)
    write_choice(curve, row, choice)
    print(f"{choice_line(curve, row, str(rule))}\nwritten to {choice.path}")
    print(f"beside {', '.join(str(p) for p in (path, *choice.extras))}")


def _work(options: argparse.Namespace) -> "Compression":
    from phasenet.errors import SettingsError
    from phasenet.pipeline.compress_sources import ModuleFiles, of_module, of_network
    from phasenet.pipeline.function_source import FunctionSource

    settings = _settings(options)
    if options.network.endswith(".h5"):
        if options.data is not None or options.weights is not None:
            raise SettingsError(
                f"{options.network} is a classifier of phasenet: it has --snapshots, and neither "
                "--data nor --weights"
            )
        network = Path(options.network)
        out = output(options.out, successor(network, "compression"), "compression")
        snapshots = options.snapshots or sibling(network, "snapshots")
        return of_network(network, snapshots, out, settings, seed=options.seed)
    source = FunctionSource.of(options.network)
    if options.data is None:
        raise SettingsError(f"{source.name} needs --data: an .npz of x, y and perhaps split")
    if options.snapshots is not None:
        raise SettingsError(f"--snapshots belongs to *.network.h5; {source.name} takes --data")
    name = source.default_out.name.removesuffix(".train.h5")
    out = output(options.out, Path(f"{name}.compression.h5"), "compression")
    files = ModuleFiles(source=source, weights=options.weights, data=options.data)
    return of_module(files, out, settings, seed=_default(options.seed, 0))


def _settings(options: argparse.Namespace) -> "CompressSettings":
    from phasenet.compression import CompressSettings
    from phasenet.overrides import Overrides

    given: dict[str, object] = {
        item.key.removeprefix("compress."): item.value
        for item in Overrides.of_options(assignments=options.assignments).assignments
    }
    asked = {name: getattr(options, name) for name in ("families", "ratios", "seeds")}
    given |= {name: value for name, value in asked.items() if value is not None}
    for name in ("families", "ratios", "ranks", "methods"):
        if isinstance(given.get(name), str):
            given[name] = [part.strip() for part in str(given[name]).split(",") if part.strip()]
    return CompressSettings.checked(given)


def _plan(work: "Compression", rule: "Rule") -> list[str]:
    """What would be done, without reading the network."""
    from phasenet.compression import candidates
    from phasenet.pipeline.compress_choice import chosen_path, drawings

    path, every = work.product.path, candidates(work.settings)
    left = () if work.product.is_done() else work.open()
    lines = [f"{len(every)} candidates of {work.name}, {work.settings.seeds} seeds each:"]
    lines += [f"  {c}{'' if c in left else ' (done)'}" for c in every]
    made = ", ".join(str(p) for p in (path, *drawings(path), chosen_path(path)))
    return [*lines, f"choice: {rule}", f"would make {made}"]


def _default(given: Any, otherwise: Any) -> Any:
    return otherwise if given is None else given
