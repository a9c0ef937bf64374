"""Step 2: labelled snapshots of ground states."""

from collections.abc import Sequence
from pathlib import Path

from phasenet.card import StudyCard
from phasenet.errors import PhasenetError
from phasenet.pipeline.product import Product, ordered_states, parents_of
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.pipeline.sources import labelled, states_by_point
from phasenet.records import PointLabel, Snapshots
from phasenet.snapshots.dataset import assign_splits, draw_snapshots
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import write_snapshots
from phasenet.study import Boundary


def snapshots_product(states: Sequence[Path], out: Path, card: StudyCard) -> Product:
    """File of snapshots that these states lead to."""
    settings = card.run_settings()
    header = Header(
        kind=Kind.SNAPSHOTS,
        settings={"sample": settings.sample.as_dict(), "criteria": card.criteria()},
        seed=settings.seed,
        parents=parents_of(ordered_states(states)),
        study=card,
    )
    return Product(path=out, header=header)


def sample(
    states: Sequence[Path], product: Product, card: StudyCard, *, reporter: Reporter
) -> Snapshots:
    """Label every point by what its infinite state shows and draw from its open chain.

    Parameters
    ----------
    states
        Files of the infinite state and of the open chain of every point.
    product
        From :func:`snapshots_product`.
    card
        Phases, what they are recognised by, and settings.
    reporter
        Hears of the stages.

    Raises
    ------
    PhasenetError
        A point lacks one of its two states, or a class has too few points.
    """
    settings = card.run_settings()

    def compute() -> Snapshots:
        found = states_by_point(ordered_states(states))
        for point, slot in found.items():
            missing = sorted(set(Boundary) - set(slot))
            if missing:
                raise PhasenetError(
                    f"point {point} has no {missing[0]} state; labels need the infinite one, "
                    "snapshots the finite one: run phasenet simulate"
                )
        labels: list[PointLabel] = []
        with stage(reporter, "labels", len(found)):
            for slot in found.values():
                length = len(slot[Boundary.FINITE].train.cores)
                longest = length / settings.sample.xi_per_length
                infinite = slot[Boundary.INFINITE]
                labels.append(labelled(infinite, card, longest=longest).label)
                reporter.advance(len(labels), f"{labels[-1].point}: {labels[-1].label}")
        with stage(reporter, "snapshots", 1):
            return draw_snapshots(
                {point: slot[Boundary.FINITE] for point, slot in found.items()},
                assign_splits(labels, settings.sample, settings.seed),
                [phase.label for phase in card.phases],
                settings.sample,
                settings.seed,
            )

    return product.make(compute, write_snapshots)
