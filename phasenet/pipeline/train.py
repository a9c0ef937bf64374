"""Step 3: a classifier of snapshots."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phasenet.card import StudyCard
from phasenet.identity import digest
from phasenet.networks.search import SearchAxis, Trial, trials_of
from phasenet.pipeline.product import Product, parents_of
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.records import TrainedNetwork
from phasenet.settings import RunSettings
from phasenet.storage.header import Header, Kind
from phasenet.storage.network_parts import NetworkParts
from phasenet.storage.networks import read_network, write_network
from phasenet.storage.snapshots import read_snapshots

if TYPE_CHECKING:
    from phasenet.networks.fitting import Fitter
    from phasenet.shots import Snapshots
    from phasenet.trained import Member


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What is asked for beside a classifier of the settings.

    Parameters
    ----------
    regions
        Number of regions of a cross-validation; 0: none.
    axes
        Settings that are searched for.
    """

    regions: int = 0
    axes: tuple[SearchAxis, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return what was asked for as plain values, empty for nothing.

        >>> TrainOptions(regions=5).as_dict()
        {'cross_validation': 5}
        """
        found: dict[str, Any] = {"cross_validation": self.regions} if self.regions else {}
        search = {axis.name: list(axis.values) for axis in self.axes}
        return found | ({"search": search} if search else {})

    def trials(self, settings: RunSettings) -> list[Trial]:
        """Grid of the search, empty without one."""
        return list(trials_of(settings.train, self.axes)) if self.axes else []


NOTHING_MORE = TrainOptions()


def network_product(
    snapshots: Path, out: Path, card: StudyCard, options: TrainOptions = NOTHING_MORE
) -> Product:
    """File of the classifier that these snapshots lead to."""
    settings = card.run_settings()
    header = Header(
        kind=Kind.NETWORK,
        settings={"train": settings.train.as_dict(), **options.as_dict()},
        seed=settings.seed,
        parents=parents_of([snapshots]),
        study=card,
    )
    return Product(path=out, header=header)


def train(
    snapshots: Path,
    product: Product,
    card: StudyCard,
    options: TrainOptions = NOTHING_MORE,
    *,
    reporter: Reporter,
) -> TrainedNetwork:
    """Train a classifier, score it beside the nulls, and draw its learning curves.

    Networks that are done when the work is stopped are kept, and not trained again.

    Parameters
    ----------
    snapshots
        File of labelled snapshots.
    product
        From :func:`network_product`.
    card
        Settings.
    options
        What is asked for beside them.
    reporter
        Hears of each epoch.
    """
    parts = NetworkParts.beside(product.path)
    [parent] = product.header.parents

    def compute() -> TrainedNetwork:
        _, data = read_snapshots(snapshots)
        return _trained(data, card.run_settings(), options, _kept(parts, parent.id), reporter)

    def write(path: Path, header: Header, network: TrainedNetwork) -> Header:
        # What follows from the file is to know the settings that a search found.
        found = {**dict(card.settings), "train": dict(network.settings)}
        return write_network(path, replace(header, study=replace(card, settings=found)), network)

    network = product.make(compute, write)
    parts.remove()
    draw_learning(product.path, network)
    return network


def learning_figure_path(network: Path) -> Path:
    """Figure of the learning curves, beside the file of the classifier.

    >>> learning_figure_path(Path("runs/a.network.h5")).as_posix()
    'runs/a.network.png'
    """
    return network.with_name(f"{network.name.removesuffix('.h5')}.png")


def draw_learning(path: Path, network: TrainedNetwork | None = None) -> Path:
    """Draw the learning curves of a classifier, by default the one in the file; return where."""
    from phasenet.plots.learning import learning_figure  # loads matplotlib
    from phasenet.plots.style import save_figure

    figure = learning_figure_path(path)
    save_figure(learning_figure(network or read_network(path)[1]), figure)
    return figure


def _trained(
    data: "Snapshots",
    run: RunSettings,
    options: TrainOptions,
    fitter: "Fitter",
    reporter: Reporter,
) -> TrainedNetwork:
    from phasenet.networks.crossvalidation import cross_validated, regions_of  # loads torch
    from phasenet.networks.training import search_settings, train_classifier

    settings, seed = run.train, run.seed
    if options.regions:
        # Before hours of training, not after them.
        regions_of(data.head, options.regions)
    trials, network = options.trials(run), None
    if trials:
        total = sum(trial.settings.max_epochs for trial in trials)
        with stage(reporter, f"search over {len(trials)} settings", total):
            settings, candidates = search_settings(
                data, trials, seed=seed, progress=reporter.advance, fitter=fitter
            )
    with stage(reporter, "training", settings.seeds * settings.max_epochs):
        network = train_classifier(
            data, settings, seed=seed, progress=reporter.advance, fitter=fitter
        )
    network = replace(network, candidates=candidates) if trials else network
    if not options.regions:
        return network
    with stage(reporter, "cross-validation", options.regions * settings.max_epochs):
        scores = cross_validated(
            data, settings, options.regions, seed=seed, progress=reporter.advance, fitter=fitter
        )
    return replace(network, cross_validation=scores)


def _kept(parts: NetworkParts, data_id: str) -> "Fitter":
    """Fitter that trains each network once, in this process or in one before it."""
    from phasenet.networks.fitting import FitJob, fit

    def fitter(data: "Snapshots", job: FitJob, progress: Callable[[int, str], None]) -> "Member":
        key = digest([data_id, job.key])
        known = parts.read(key)
        if known is not None:
            progress(job.settings.max_epochs, "trained before")
            return known
        member = fit(data, job, progress)
        parts.write(key, member)
        return member

    return fitter
