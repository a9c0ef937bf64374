"""``phasenet discover``: transitions in snapshots, without labels."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.cli.arguments import add_out, add_study, add_verb, output, positive_integer
from phasenet.cli.reporter import TerminalReporter

if TYPE_CHECKING:
    from phasenet.card import StudyCard
    from phasenet.pipeline.discover import DiscoverPlan
    from phasenet.settings import DiscoverSettings, TrainSettings

_DESCRIPTION = """\
Find where the phase changes along one coupling, from snapshots without their labels: by confusion
(networks that tell both sides of each trial boundary apart), by principal components and
autoencoders that know both ends of the line, and with --states by the best possible predictors,
which follow from the exact likelihoods of the shots. Each method gives a transition with a
statistical error, beside the literature; methods that are done are kept if the work is stopped.

examples: phasenet discover runs/haldane/haldane.snapshots.h5
          phasenet discover runs/haldane/haldane.snapshots.h5 --states runs/haldane/states
          phasenet discover plane.snapshots.h5 --at Delta=1 --seeds 5 --set architecture=gru
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "discover", "transitions in snapshots, without labels", _DESCRIPTION)
    parser.add_argument("snapshots", type=Path, metavar="SNAPSHOTS.h5", help="snapshots")
    parser.add_argument(
        "--states",
        type=Path,
        metavar="FOLDER",
        help="states that the shots were taken of: the best possible predictors as well",
    )
    parser.add_argument(
        "--at",
        action="append",
        default=[],
        dest="fixed",
        metavar="NAME=VALUE",
        help="only points with this coupling, where several vary; may be repeated",
    )
    parser.add_argument(
        "--seeds", type=positive_integer, metavar="N", help="networks of each kind (default: 2)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="seed of all random choices")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="assignments",
        metavar="NAME=VALUE",
        help="a setting (shots=4000, ends=3, max_epochs=20) or one of the networks "
        "(architecture=gru, learning_rate=1e-3); may be repeated",
    )
    add_out(
        parser,
        "*.chart.h5; figures and CSV go beside it (default: NAME.discovery.chart.h5 beside the "
        "snapshots)",
    )
    add_study(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Find the transitions unless that is done."""
    from phasenet.cli.steps import finish
    from phasenet.pipeline.discover import discover
    from phasenet.pipeline.discovered import discovery_lines

    card = _card(options)
    plan = _plan(options, card)
    stem = options.snapshots.name.split(".")[0]
    default = options.snapshots.with_name(f"{stem}.discovery.chart.h5")
    product = plan.product(output(options.out, default, "chart"), card)
    if finish(product, options.dry_run):
        return
    diagram = discover(plan, product, reporter=TerminalReporter())
    made = ", ".join(str(path) for path in (product.path, *product.extras))
    print("\n".join([*discovery_lines(diagram, card), f"written to {made}"]))


def _card(options: argparse.Namespace) -> "StudyCard | None":
    """Card of the study; a dataset of no study has no known transitions."""
    from phasenet.storage.container import read_header
    from phasenet.study import load_study

    if options.study is not None:
        return load_study(options.study).card()
    return read_header(options.snapshots).study


def _plan(options: argparse.Namespace, card: "StudyCard | None") -> "DiscoverPlan":
    from phasenet.pipeline.discover import DiscoverPlan

    settings, train = _settings(options, card)
    return DiscoverPlan.of(
        options.snapshots, settings, train, _fixed(options.fixed), options.states
    )


def _settings(
    options: argparse.Namespace, card: "StudyCard | None"
) -> "tuple[DiscoverSettings, TrainSettings]":
    """Settings of the methods and of their networks; a bare name means the former first."""
    from phasenet.errors import SettingsError
    from phasenet.overrides import Overrides, changed_settings
    from phasenet.settings import DiscoverSettings, RunSettings

    run = RunSettings() if card is None else card.run_settings()
    given: dict[str, object] = {"seed": run.seed}
    rest = []
    for item in Overrides.of_options(assignments=options.assignments).assignments:
        name = item.key.removeprefix("discover.")
        if name != item.key or name in DiscoverSettings.model_fields:
            given[name] = item.value
        elif item.key in ("patience", "train.patience", "train.seeds", "train.max_epochs"):
            raise SettingsError(
                f"--set {item.key} decides nothing here; wanted max_epochs or seeds of discover, "
                "which trains without stopping early"
            )
        else:
            rest.append(item)
    for name in ("seeds", "seed"):
        if getattr(options, name) is not None:
            given[name] = getattr(options, name)
    train = changed_settings(run, Overrides(assignments=tuple(rest)), ("train",)).train
    return DiscoverSettings.checked(given), train


def _fixed(texts: list[str]) -> dict[str, float]:
    """Couplings that do not vary."""
    from phasenet.errors import SettingsError

    found = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise SettingsError(f"--at is {text!r}; wanted NAME=VALUE such as Delta=1") from None
    return found
