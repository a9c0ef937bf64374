"""``phasenet attack``: what networks give away about their training data."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.cli.arguments import add_out, add_verb, output, positive_integer, successor
from phasenet.cli.reporter import TerminalReporter

if TYPE_CHECKING:
    from phasenet.findings import Report
    from phasenet.pipeline.product import Product
    from phasenet.privacy.attackers import Attacker

STUDIES = ("groups", "digits", "physics")
_DESCRIPTION = """\
Attack networks before somebody else does, and say with what accuracy it goes, against chance.

  NAME.network.h5 --samples SNAPSHOTS.h5
      membership: which shots was it trained on? By its errors, its loss, by shadow networks that
      are trained like it, and by the likelihood ratio for each shot. With --fresh, shots of the
      same states that it has not seen, the network itself is attacked; without, a stand-in that is
      trained with its settings on half of the shots of each point.
  A.network.h5 B.network.h5 ... --secret TABLE.csv
      attribute: many networks, and a secret of the data of each (which disorder realisation, which
      coupling dominated). TABLE.csv has a head and the columns file, secret, group; networks on the
      same data have the same group and are held out together. From the parameters as they stand,
      from their canonical form and, with --samples, from the answers.
  --reproduce groups|digits|physics
      whole populations of networks and of tensor trains, trained and attacked here

Trained networks are kept if the work is stopped: the same command goes on.

examples: phasenet attack haldane.network.h5 --samples haldane.snapshots.h5 --shadows 8
          phasenet attack published/*.network.h5 --secret secrets.csv --samples probes.snapshots.h5
          phasenet attack --reproduce groups --models 200
"""


def add_parser(verbs: Any) -> None:
    """Add the verb."""
    parser = add_verb(verbs, "attack", "what networks give away about their data", _DESCRIPTION)
    parser.add_argument(
        "networks", type=Path, nargs="*", metavar="NETWORK.h5", help="classifiers, see above"
    )
    parser.add_argument(
        "--samples",
        type=Path,
        metavar="FILE",
        help="dataset of the network, or that networks are asked about",
    )
    parser.add_argument(
        "--fresh",
        type=Path,
        metavar="FILE",
        help="dataset of the same states with other shots, such as one of another seed",
    )
    parser.add_argument(
        "--shadows",
        type=int,
        default=4,
        metavar="N",
        help="shadow networks, an even number (default: 4; 0: only attacks that need none)",
    )
    _add_many(parser)
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)"
    )
    add_out(
        parser,
        "*.report.h5; page and JSON go beside it (default: NAME.attack.report.h5 beside the "
        "network, or beside the table)",
    )
    parser.set_defaults(execute=execute)


def _add_many(parser: argparse.ArgumentParser) -> None:
    """Options of attacks on many networks."""
    parser.add_argument(
        "--secret", type=Path, metavar="FILE.csv", help="file, secret and group of each network"
    )
    parser.add_argument(
        "--attackers",
        default="logistic,boosted,neural",
        metavar="NAME,NAME",
        help="who guesses secrets (default: logistic,boosted,neural)",
    )
    parser.add_argument(
        "--folds",
        type=positive_integer,
        default=10,
        metavar="K",
        help="parts of the networks that are held out in turn (default: 10)",
    )
    parser.add_argument("--reproduce", choices=STUDIES, help="a population made here")
    parser.add_argument(
        "--models",
        type=positive_integer,
        default=160,
        metavar="N",
        help="networks of --reproduce at each level of imbalance (default: 160)",
    )


def execute(options: argparse.Namespace) -> None:
    """Attack unless that is done."""
    from phasenet.errors import SettingsError

    asked = [options.reproduce is not None, bool(options.networks)]
    if sum(asked) != 1:
        raise SettingsError(
            "wanted either networks to attack or --reproduce "
            f"{'|'.join(STUDIES)}, one of both: see phasenet attack --help"
        )
    if options.reproduce is not None:
        _reproduce(options)
    elif options.secret is not None:
        _attribute(options)
    else:
        _membership(options)


def _membership(options: argparse.Namespace) -> None:
    from phasenet.cli.steps import finish
    from phasenet.errors import SettingsError
    from phasenet.pipeline.attack import MembershipPlan, attack_membership

    if len(options.networks) > 1:
        raise SettingsError(
            f"{len(options.networks)} networks are attacked for a secret that they share: name "
            "--secret FILE.csv, or one network for membership"
        )
    if options.samples is None:
        raise SettingsError("an attack on membership wants --samples, the dataset of the network")
    [network] = options.networks
    plan = MembershipPlan(
        network=network,
        samples=options.samples,
        fresh=options.fresh,
        shadows=options.shadows,
        seed=options.seed,
    ).checked()
    product = plan.product(output(options.out, _default(network), "report"))
    if not finish(product, options.dry_run):
        _say(attack_membership(plan, product, reporter=TerminalReporter()), product)


def _attribute(options: argparse.Namespace) -> None:
    from phasenet.cli.steps import finish
    from phasenet.pipeline.attack_secret import SecretPlan, attack_secret

    plan = SecretPlan(
        networks=tuple(options.networks),
        table=options.secret,
        samples=options.samples,
        attackers=_attackers(options.attackers),
        folds=options.folds,
        seed=options.seed,
    )
    default = options.secret.with_name(f"{options.secret.stem}.attack.report.h5")
    product = plan.product(output(options.out, default, "report"))
    if not finish(product, options.dry_run):
        _say(attack_secret(plan, product, reporter=TerminalReporter()), product)


def _reproduce(options: argparse.Namespace) -> None:
    from phasenet.cli.steps import finish
    from phasenet.pipeline.attack_study import StudyPlan, attack_study

    plan = StudyPlan(name=options.reproduce, models=options.models, seed=options.seed)
    default = Path(f"{options.reproduce}.attack.report.h5")
    product = plan.product(output(options.out, default, "report"))
    if not finish(product, options.dry_run):
        _say(attack_study(plan, product, reporter=TerminalReporter()), product)


def _attackers(text: str) -> "tuple[Attacker, ...]":
    from phasenet.errors import SettingsError
    from phasenet.privacy.attackers import ATTACKERS

    names = [name.strip() for name in text.split(",")]
    odd = [name for name in names if name not in ATTACKERS]
    if odd:
        raise SettingsError(f"--attackers has {odd[0]!r}; wanted some of {', '.join(ATTACKERS)}")
    return tuple(attacker for attacker in ATTACKERS if attacker in names)


def _default(network: Path) -> Path:
    path = successor(network, "report")
    return path.with_name(f"{path.name.removesuffix('.report.h5')}.attack.report.h5")


def _say(report: "Report", product: "Product") -> None:
    from phasenet.pipeline.report_lines import report_lines

    made = ", ".join(str(path) for path in (product.path, *product.extras))
    print("\n".join([*report_lines(report), "", f"written to {made}"]))
