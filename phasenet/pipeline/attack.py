"""Membership inference on a classifier of a file: which shots it was trained on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.errors import SettingsError
from phasenet.findings import Report, Section
from phasenet.identity import digest
from phasenet.pipeline.product import Product, parents_of
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.pipeline.reports import draw_report, report_files
from phasenet.seeds import derived_seed
from phasenet.settings import TrainSettings
from phasenet.storage.container import check_kind, current_header, read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.network_parts import NetworkParts
from phasenet.storage.networks import read_network
from phasenet.storage.reports import read_report, write_report
from phasenet.storage.snapshots import read_snapshots
from phasenet.trained import Member, TrainedNetwork

if TYPE_CHECKING:
    from phasenet.privacy.membership_report import Observed
    from phasenet.privacy.pools import Mask, Pool

ATTACK = "attack"


@dataclass(frozen=True, kw_only=True)
class MembershipPlan:
    """Which classifier is attacked, and with which shots.

    Parameters
    ----------
    network
        File of the classifier.
    samples
        Dataset that it was trained on.
    fresh
        Other shots of the same states, which it has not seen; None: a stand-in with its settings is
        trained on half of the shots of each point, and attacked.
    shadows
        Networks that show the attacker how members are answered, an even number.
    seed
        Of all random choices.
    """

    network: Path
    samples: Path
    fresh: Path | None
    shadows: int
    seed: int

    def checked(self) -> "MembershipPlan":
        """Return the plan, if there is something to attack.

        Raises
        ------
        SettingsError
            The number of shadows is odd, or there are neither fresh shots nor known settings.
        MissingInputError, FileKindError
        """
        if self.shadows % 2:
            raise SettingsError(
                f"--shadows is {self.shadows}; wanted an even number, because shadow networks "
                "come in pairs on complementary halves"
            )
        for path in filter(None, (self.samples, self.fresh)):
            check_kind(path, read_header(path), Kind.SNAPSHOTS)
        check_kind(self.network, read_header(self.network), Kind.NETWORK)
        return self

    def product(self, out: Path) -> Product:
        """Report, page and JSON that the plan leads to."""
        paths = [self.network, self.samples, *filter(None, [self.fresh])]
        header = Header(
            kind=Kind.REPORT,
            settings={
                ATTACK: {"membership": {"shadows": self.shadows, "fresh": self.fresh is not None}}
            },
            seed=self.seed,
            parents=parents_of(paths),
            study=read_header(self.network).study,
        )
        return Product(path=out, header=header, extras=report_files(out))


def attack_membership(plan: MembershipPlan, product: Product, *, reporter: Reporter) -> Report:
    """Train what the attack needs, attack, and write the report.

    Networks that are done when the work is stopped are kept, and not trained again.

    Parameters
    ----------
    plan
        What is attacked.
    product
        From :meth:`MembershipPlan.product`.
    reporter
        Hears of each epoch.

    Raises
    ------
    SettingsError
        Shots do not fit the network, or it was made in another way than by its settings.
    """
    parts = NetworkParts.beside(product.path)

    def compute() -> Report:
        from phasenet.privacy.membership_report import membership_section  # loads torch

        section = membership_section(_observed(plan, parts, reporter), seed=plan.seed)
        title = f"Attack on {plan.network.name}"
        return Report(title=title, verdict=headline(section), sections=(section,))

    report = made_report(product, compute)
    parts.remove()
    return report


def made_report(product: Product, compute: Callable[[], Report]) -> Report:
    """Report of a product, computed unless it is there, with the files that go beside it."""
    if current_header(product.path, product.header.key) is None:
        product.make(compute, write_report)
    header, report = read_report(product.path)
    draw_report(product, header, report)
    return report


def headline(section: Section) -> str:
    """Verdict of a section without its numbers.

    >>> headline(Section(name="a", title="?", verdict="no attack works: the best has 0.51"))
    'no attack works'
    """
    return section.verdict.partition(": ")[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Trainer:
    """Trains networks on halves of a pool, each once."""

    pool: "Pool"
    settings: TrainSettings
    parts: NetworkParts
    reporter: Reporter
    data: tuple[str, ...] = field(default=())

    def trained(self, inside: "Mask", seed: int, before: int) -> Member:
        from phasenet.networks.fitting import FitJob, fit
        from phasenet.networks.training import within

        job = FitJob(settings=self.settings, seed=seed)
        key = digest([*self.data, job.key, inside.tobytes().hex()])
        epochs = self.settings.max_epochs
        known = self.parts.read(key)
        if known is not None:
            self.reporter.advance((before + 1) * epochs, "trained before")
            return known
        progress = within(self.reporter.advance, before * epochs, f"network {before + 1}")
        member = fit(self.pool.training_set(inside), job, progress)
        self.parts.write(key, member)
        return member


def _observed(plan: MembershipPlan, parts: NetworkParts, reporter: Reporter) -> "Observed":
    from phasenet.privacy.membership_report import Observed
    from phasenet.privacy.pools import halved_pool, joined_pool

    header, record = read_network(plan.network)
    first, data = read_snapshots(plan.samples)
    ids: tuple[str, ...] = (first.id,)
    if plan.fresh is None:
        pool = halved_pool(data, seed=plan.seed)
    else:
        second, fresh = read_snapshots(plan.fresh)
        pool, ids = joined_pool(data, fresh), (first.id, second.id)
    architecture = dict(record.architecture)
    stand_in, attacked = plan.fresh is None, record.all_members[0]
    masks = pool.shadow_halves(plan.shadows, plan.seed)
    count = len(masks) + stand_in
    shadows = []
    if count:
        settings = _settings(plan, header, record, pool)
        trainer = _Trainer(pool=pool, settings=settings, parts=parts, reporter=reporter, data=ids)
        with stage(reporter, f"training {count} networks", count * settings.max_epochs):
            if stand_in:
                attacked = trainer.trained(pool.inside, header.seed, 0)
            for k, mask in enumerate(masks):
                seed = derived_seed(plan.seed, "membership", "shadow", str(k))
                member = trainer.trained(mask, seed, k + stand_in)
                shadows.append(pool.answers(architecture, member, mask))
    return Observed(
        name=plan.network.name,
        answers=pool.answers(architecture, attacked, pool.inside),
        shadows=tuple(shadows),
        classes=record.classes,
        stand_in=stand_in,
        left_out=float(1 - pool.judged.mean()),
        caution="" if stand_in else _caution(header, first, plan.samples),
    )


def _settings(
    plan: MembershipPlan, header: Header, record: TrainedNetwork, pool: "Pool"
) -> TrainSettings:
    """Settings that lead to networks like the one in the file, if it was trained by settings."""
    from phasenet.networks.fitting import architecture_for

    known: dict[str, Any] = dict(record.settings or header.settings.get("train", {}))
    settings = TrainSettings.checked({**known, "seeds": 1}) if known else None
    like = settings and architecture_for(pool.snapshots, settings)
    if settings is None or like != dict(record.architecture):
        raise SettingsError(
            f"{plan.network} was not made by training with its settings alone (but compressed, "
            "protected or imported), so that no other can be trained like it; name --fresh "
            "snapshots and --shadows 0"
        )
    return settings


def _caution(network: Header, samples: Header, path: Path) -> str:
    if samples.id in {parent.id for parent in network.parents}:
        return ""
    return (
        f"The network does not name {path.name} as what it was trained on: if it was not, there "
        "are no members among these shots."
    )
