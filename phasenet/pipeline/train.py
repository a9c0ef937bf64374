"""Step 3: a classifier of snapshots."""

from pathlib import Path

from phasenet.card import StudyCard
from phasenet.pipeline.product import Product, parents_of
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.records import TrainedNetwork
from phasenet.storage.header import Header, Kind
from phasenet.storage.networks import write_network
from phasenet.storage.snapshots import read_snapshots


def network_product(snapshots: Path, out: Path, card: StudyCard) -> Product:
    """File of the classifier that these snapshots lead to."""
    settings = card.run_settings()
    header = Header(
        kind=Kind.NETWORK,
        settings={"train": settings.train.as_dict()},
        seed=settings.seed,
        parents=parents_of([snapshots]),
        study=card,
    )
    return Product(path=out, header=header)


def train(
    snapshots: Path, product: Product, card: StudyCard, *, reporter: Reporter
) -> TrainedNetwork:
    """Train a classifier and score it beside the nulls.

    Parameters
    ----------
    snapshots
        File of labelled snapshots.
    product
        From :func:`network_product`.
    card
        Settings.
    reporter
        Hears of each epoch.
    """
    from phasenet.networks.training import train_classifier  # loads torch

    settings = card.run_settings()

    def compute() -> TrainedNetwork:
        _, data = read_snapshots(snapshots)
        with stage(reporter, "training", settings.train.max_epochs):
            return train_classifier(
                data, settings.train, seed=settings.seed, progress=reporter.advance
            )

    return product.make(compute, write_network)
