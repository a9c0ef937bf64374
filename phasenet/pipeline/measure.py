"""Step 5: observables of states, by exact contraction."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from phasenet.card import StudyCard
from phasenet.errors import FileKindError
from phasenet.phases.observables import (
    Quantity,
    chain_order_quantities,
    classifier_quantities,
    columns_of,
    criticality_quantities,
    entanglement_quantities,
    finite_quantities,
    infinite_quantities,
    order_quantities,
)
from phasenet.phases.spt import invariants
from phasenet.pipeline.product import Product, ordered_states, parents_of
from phasenet.pipeline.reporting import Reporter, stage
from phasenet.pipeline.sources import LabelledState, converged, labelled, states_by_point
from phasenet.points import ParameterPoint
from phasenet.records import GroundState, Table, TensorizedClassifier
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind, Parent
from phasenet.storage.tables import write_table
from phasenet.storage.tenpy_files import TenpyState, read_tenpy_state
from phasenet.storage.trains import read_train
from phasenet.study import Boundary
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain


def table_product(
    states: Sequence[Path], train: Path | None, out: Path, card: StudyCard
) -> Product:
    """Table that these states, and a tensorized classifier if there is one, lead to."""
    settings = card.run_settings()
    header = Header(
        kind=Kind.TABLE,
        settings={
            "criteria": card.criteria(),
            "cell": settings.infinite.cell,
            "xi_per_length": settings.sample.xi_per_length,
        },
        seed=0,
        parents=parents_of([*ordered_states(states), *([train] if train else [])]),
        study=card,
    )
    return Product(path=out, header=header)


def measure(
    states: Sequence[Path],
    train: Path | None,
    product: Product,
    card: StudyCard,
    *,
    reporter: Reporter,
) -> Table:
    """Measure all states of a study: one row a point.

    Parameters
    ----------
    states
        State files; each point may have an infinite state, an open chain, or both.
    train
        Tensorized classifier, measured in every open chain.
    product
        From :func:`table_product`.
    card
        Phases, what they are recognised by, and settings.
    reporter
        Hears of each point.
    """

    def compute() -> Table:
        classifier = read_train(train)[1] if train else None
        found = states_by_point(ordered_states(states))
        labels, reasons, rows = [], [], []
        with stage(reporter, "measuring", len(found)):
            for point, slot in found.items():
                row, infinite = _row(slot, card, classifier)
                rows.append({quantity.name: quantity for quantity in row})
                labels.append((infinite.label.label if infinite else None) or "")
                reasons.append(infinite.label.reason if infinite else "no infinite state")
                reporter.advance(len(rows), str(point))
        return Table(
            rows=tuple(str(point) for point in found),
            points=tuple(found),
            labels=tuple(labels),
            reasons=tuple(reasons),
            columns=columns_of(rows),
        )

    return product.make(compute, write_table)


def foreign_product(paths: Sequence[Path], out: Path) -> Product:
    """Table of MPS saved by plain TeNPy; the ids of its parents are digests of their bytes."""
    parents = tuple(
        Parent(kind=Kind.STATE, id=hashlib.sha256(p.read_bytes()).hexdigest()[:16], name=p.name)
        for p in paths
    )
    header = Header(
        kind=Kind.TABLE, settings={"foreign": True}, seed=0, parents=parents, study=None
    )
    return Product(path=out, header=header)


def foreign_table(paths: Sequence[Path], *, reporter: Reporter) -> Table:
    """Observables of MPS that were saved by plain TeNPy: one row a file."""
    rows, reasons = [], []
    with stage(reporter, "measuring", len(paths)):
        for path in paths:
            row, reason = _foreign_row(read_tenpy_state(path))
            reasons.append(reason)
            rows.append({quantity.name: quantity for quantity in row})
            reporter.advance(len(rows), path.name)
    return Table(
        rows=tuple(path.name for path in paths),
        points=(ParameterPoint.of(),) * len(paths),
        labels=("",) * len(paths),
        reasons=tuple(reasons),
        columns=columns_of(rows),
    )


def is_ours(path: Path) -> bool:
    """Return whether a file is one of phasenet's state files.

    Raises
    ------
    FileKindError
        It is a file of phasenet, but of another kind.
    """
    try:
        kind = read_header(path).kind
    except FileKindError:
        return False
    if kind != Kind.STATE:
        raise FileKindError(f"{path} is a {kind} file; measure needs states")
    return True


def _row(
    slot: dict[Boundary, GroundState],
    card: StudyCard,
    classifier: TensorizedClassifier | None,
) -> tuple[list[Quantity], LabelledState | None]:
    settings = card.run_settings()
    row: list[Quantity] = []
    infinite: LabelledState | None = None
    chain = slot.get(Boundary.FINITE)
    if Boundary.INFINITE in slot:
        longest = len(chain.train.cores) / settings.sample.xi_per_length if chain else float("inf")
        infinite = labelled(slot[Boundary.INFINITE], card, longest=longest)
        assert isinstance(infinite.state.train, InfiniteTrain)
        row += _energy(infinite.state)
        row += infinite_quantities(infinite.state.train, infinite.invariants)
        row += order_quantities(infinite.orders)
        row += criticality_quantities(infinite.criticality)
    if chain:
        assert isinstance(chain.train, TensorTrain)
        found = invariants(chain.train, card.symmetries, cell=settings.infinite.cell)
        row += [*_energy(chain), *finite_quantities(chain.train, found)]
        row += chain_order_quantities(chain.train, card.orders)
        if classifier:
            row += classifier_quantities(chain.train, classifier, chain.point)
    return row, infinite


def _energy(state: GroundState) -> list[Quantity]:
    where = state.boundary.value
    return [
        Quantity(
            name=f"energy_{where}",
            unit="J",
            meaning=f"energy per site of the {where} state, pinning fields included",
            value=state.energy,
        ),
        Quantity(
            name=f"truncation_{where}",
            unit="1",
            meaning="largest discarded weight of the last sweep",
            value=state.truncation,
        ),
        Quantity(
            name=f"converged_{where}",
            unit="1",
            meaning="1 if DMRG met its tolerances, 0 if it stopped at the sweep limit",
            value=float(converged(state)),
        ),
        Quantity(
            name=f"rival_{where}",
            unit="J",
            meaning="energy per site that a second start ended at, minus the energy of the state",
            value=state.rival,
        ),
        Quantity(
            name=f"rival_entropy_{where}",
            unit="nat",
            meaning="entropy that a second start ended at, minus the entropy of the state",
            value=state.rival_entropy,
        ),
    ]


def _foreign_row(state: TenpyState) -> tuple[list[Quantity], str]:
    """Observables of a state of unknown origin, and what to know of them."""
    train = state.train
    if state.spin is None:
        return entanglement_quantities(train), "the sites are no spins: entanglement only"
    found = invariants(train)
    reasons = "; ".join(f"{invariant.name} {invariant.reason}" for invariant in found)
    if isinstance(train, InfiniteTrain):
        return infinite_quantities(train, found), reasons
    return finite_quantities(train, found), reasons
