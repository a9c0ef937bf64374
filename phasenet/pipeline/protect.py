"""A classifier as one train for publication: ``*.network.h5``, and a report on what it tells."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from phasenet.errors import FileKindError, MissingInputError, SettingsError
from phasenet.findings import Report
from phasenet.pipeline.construction import Construction, was_interrupted
from phasenet.pipeline.product import Product, parents_of
from phasenet.pipeline.reporting import Reporter
from phasenet.pipeline.reports import draw_report, report_files
from phasenet.privacy.gauges import ProtectSettings
from phasenet.seeds import derived_seed
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.networks import read_network, write_network
from phasenet.storage.reports import read_report, write_report
from phasenet.storage.snapshots import read_snapshots

if TYPE_CHECKING:
    from phasenet.networks.compression.curve import Bench
    from phasenet.trains.train import TensorTrain

# The train is found as well as its rank allows.
_TRAIN_TOL = 1e-6
_PUBLISHED = "published"


@dataclass(frozen=True, kw_only=True)
class Protection:
    """A classifier that is to be published as one train.

    Parameters
    ----------
    network, snapshots
        Files of the classifier and of its dataset.
    out
        Where the published classifier goes; its report, which is not for publication, and the page
        and the numbers of that go beside it.
    settings
        How it is made.
    seed
        Of the gauge; None takes the entropy of the system.
    """

    network: Path
    snapshots: Path
    out: Path
    settings: ProtectSettings
    seed: int | None

    def __post_init__(self) -> None:
        if self.seed is not None and self.seed < 0:
            raise SettingsError(f"the seed of the gauge is {self.seed}; wanted 0 or more, or none")

    @property
    def product(self) -> Product:
        """The report, page and numbers."""
        stem = self.out.name.removesuffix(f".{Kind.NETWORK}.h5")
        path = self.out.with_name(f"{stem}.{Kind.REPORT}.h5")
        header = Header(
            kind=Kind.REPORT,
            settings={"protect": self.settings.as_dict(), "seeded": self.seed is not None},
            seed=self.seed or 0,
            parents=parents_of([self.network, self.snapshots]),
            study=read_header(self.network).study,
        )
        return Product(path=path, header=header, extras=report_files(path))

    def is_done(self) -> bool:
        """Return whether the published file is that of the report, and the report is that of us."""
        product = self.product
        if not product.is_done() or not self.out.is_file():
            return False
        try:
            _, report = read_report(product.path)
            return read_header(self.out).id in report.sections[0].labels[_PUBLISHED]
        except (FileKindError, MissingInputError):
            return False


def protect(work: Protection, *, reporter: Reporter) -> Report:
    """Publish a classifier as one train, and measure what that tells of the original.

    Parameters
    ----------
    work
        The files.
    reporter
        Hears of each step.

    Raises
    ------
    SettingsError
        The classifier is of other data, or of no chains of one length.
    """
    from phasenet.networks.training import one_thread  # loads torch

    if work.out.resolve() == work.network.resolve():
        raise SettingsError(f"{work.out} is the network itself; choose another --out")

    def compute() -> Report:
        with one_thread():
            return _protected(work, reporter)

    product = work.product
    product.make(compute, write_report)
    header, report = read_report(product.path)
    draw_report(product, header, report)
    return report


def _protected(work: Protection, reporter: Reporter) -> Report:
    from phasenet.privacy.gauges import gauge_source, regauged
    from phasenet.privacy.protect import (
        bench_of,
        examined,
        public_card,
        published_record,
        retrained,
    )
    from phasenet.privacy.protection import protection_section

    header, record = read_network(work.network)
    _, snapshots = read_snapshots(work.snapshots)
    settings = work.settings
    bench = bench_of(record, snapshots, settings, seed=header.seed)
    found = _tensorized(bench, settings, header.seed, reporter)
    if settings.epochs:
        reporter.say("retraining ...")
    train = retrained(bench, found, settings)
    rng = gauge_source(work.seed)
    hidden = regauged(train, settings.gauge, rng, condition=settings.condition)
    made = Header(
        kind=Kind.NETWORK, settings={}, seed=0, parents=(), study=public_card(header.study)
    )
    published = published_record(bench, record, hidden)
    reporter.say("examining what is to be published ...")
    evidence = examined(bench, train, published, settings, seeded=work.seed is not None)
    written = write_network(work.out, made, published)
    names = _names(work)
    traces = traces_in(work.out, names)
    section = protection_section(evidence, record.classes, traces=len(traces), searched=len(names))
    section = replace(section, labels={**section.labels, _PUBLISHED: (written.id,)})
    title = f"{work.out.name}: what it tells of {work.network.name}"
    return Report(title=title, verdict=section.verdict, sections=(section,))


def traces_in(path: Path, texts: Iterable[str]) -> tuple[str, ...]:
    """Texts that the bytes of a file contain."""
    image = path.read_bytes()
    return tuple(text for text in texts if text.encode() in image)


def _names(work: Protection) -> tuple[str, ...]:
    """Ids and names that say which network and which data a file was made from."""
    found: dict[str, None] = {}
    for path in (work.network, work.snapshots):
        header = read_header(path)
        names = [path.name, header.id, header.created]
        names += [text for parent in header.parents for text in (parent.id, parent.name)]
        found |= dict.fromkeys(name for name in names if name)
    return tuple(found)


def _tensorized(
    bench: "Bench", settings: ProtectSettings, seed: int, reporter: Reporter
) -> "TensorTrain":
    from phasenet.networks.compression.whole import logits_of, samples_of

    chance = derived_seed(seed, "protect", "train")
    samples, site_dim = samples_of(bench, chance)
    construction = Construction(
        title="the network",
        tol=_TRAIN_TOL,
        max_rank=settings.rank,
        max_evaluations=settings.max_evaluations,
        method=settings.method,
        seed=chance,
    )
    found = construction.run(logits_of(bench.subject), samples, site_dim, reporter)
    if was_interrupted(found.outcome.value):
        raise KeyboardInterrupt
    return found.train
