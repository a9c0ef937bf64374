"""``phasenet sample``: labelled datasets of snapshots."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.cli.arguments import add_out, add_study, add_verb, beside_states, output
from phasenet.cli.engines import add_engine, engine_of
from phasenet.cli.reporter import TerminalReporter

if TYPE_CHECKING:
    from phasenet.overrides import Overrides
    from phasenet.pipeline.dataset_plan import DatasetPlan

_DESCRIPTION = """\
Draw snapshots of ground states, in any product basis, and label each point by its infinite state:
SPT invariants, local orders and, where a phase has no gap, the central charge. Points where one of
them is undetermined stay unlabelled; points whose correlation length is too long for the chain are
labelled, but not trained on. A recipe (datasets/*.toml) names chains, basis, noise, splits and
controls, and has its ground states found first. Finished blocks are kept; after an interruption the
same command goes on.

examples: phasenet sample datasets/haldane.toml --workers 4
          phasenet sample runs/haldane/states
          phasenet sample runs/haldane/states --set basis=random --out random.snapshots.h5
          phasenet sample datasets/haldane.toml --set shots=100000 --shard 2/8
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "sample", "labelled datasets of snapshots", _DESCRIPTION)
    parser.add_argument(
        "states",
        type=Path,
        nargs="+",
        metavar="RECIPE.toml|STATES",
        help="a recipe; or state files, or folders of them",
    )
    add_out(
        parser,
        "*.snapshots.h5 (default: runs/datasets/RECIPE/RECIPE.snapshots.h5, or NAME.snapshots.h5 "
        "above the folder of the states)",
    )
    add_study(parser)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="assignments",
        metavar="NAME=VALUE",
        help="a setting (shots=1000, basis=Sx, noise.flip=0.01), for recipes also of the ground "
        "states; may be repeated",
    )
    parser.add_argument(
        "--shard",
        default="1/1",
        metavar="I/N",
        help="shots of every N-th point, from the I-th on; phasenet merge joins the files",
    )
    parser.add_argument(
        "--device", default="cpu", help="where states are contracted: cpu (default), cuda, cuda:1"
    )
    parser.add_argument(
        "--precision",
        choices=("float64", "float32"),
        default="float64",
        help="of the contraction (default: float64)",
    )
    add_engine(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> None:
    """Make the dataset unless it is there."""
    from dataclasses import replace

    from phasenet.cli.steps import finish
    from phasenet.overrides import Overrides
    from phasenet.pipeline.dataset_facts import read_facts
    from phasenet.pipeline.dataset_lines import snapshot_lines
    from phasenet.pipeline.sample import sample
    from phasenet.storage.locks import Shard

    changes = Overrides.of_options(assignments=options.assignments)
    is_recipe = len(options.states) == 1 and options.states[0].suffix == ".toml"
    plan, default = (_of_recipe if is_recipe else _of_states)(options, changes)
    if plan is None:
        return
    shard = Shard.of(options.shard)
    plan = replace(plan, shard=shard, precision=options.precision)
    if not shard.is_whole:
        stem = default.name.removesuffix(".snapshots.h5")
        default = default.with_name(f"{stem}.{shard.number}-of-{shard.count}.snapshots.h5")
    out = output(options.out, default, "snapshots")
    product = plan.product(out)
    if finish(product, options.dry_run):
        return
    sample(
        plan,
        product,
        reporter=TerminalReporter(),
        workers=options.workers,
        device=options.device,
    )
    written = " and ".join(str(path) for path in (out, *product.extras))
    print("\n".join([*snapshot_lines(read_facts(out)), f"written to {written}"]))


def _of_states(
    options: argparse.Namespace, changes: "Overrides"
) -> tuple["DatasetPlan | None", Path]:
    from dataclasses import replace

    from phasenet.overrides import changed_settings
    from phasenet.pipeline.dataset_plan import card_of_states, plan_of_states
    from phasenet.pipeline.product import state_files
    from phasenet.study import load_study

    files = state_files(options.states)
    card = load_study(options.study).card() if options.study else card_of_states(files)
    if changes.assignments:
        groups = ("", "sample", "noise", "controls", "features")
        settings = changed_settings(card.run_settings(), changes, groups)
        card = replace(card, settings=settings.as_dict())
    return plan_of_states(files, card), beside_states(files[0], card.name, "snapshots")


def _of_recipe(
    options: argparse.Namespace, changes: "Overrides"
) -> tuple["DatasetPlan | None", Path]:
    """Plan of a recipe, once its ground states are there; None for a dry run without them."""
    from phasenet.pipeline.recipe import missing_states, plan_of_recipe
    from phasenet.recipes import load_recipe

    recipe = load_recipe(options.states[0], changes)
    root = Path("runs/datasets") / recipe.name
    default = root / f"{recipe.name}.snapshots.h5"
    if options.dry_run:
        missing, total = missing_states(recipe, root)
        print(f"{missing} of {total} ground states to find in {root}")
        if missing:
            print(f"would make {options.out or default}")
            return None, default
    plan = plan_of_recipe(
        recipe,
        root,
        engine=engine_of(options),
        reporter=TerminalReporter(),
        retry=options.retry,
    )
    return plan, default
