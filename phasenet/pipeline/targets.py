"""Numbers of each point of a dataset that can be learned by regression."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from phasenet.card import StudyCard
from phasenet.criteria import StringOrder
from phasenet.errors import ShapeError
from phasenet.phases.entanglement import entropies
from phasenet.phases.estimates import Estimate
from phasenet.phases.observables import Observed, Quantity, columns_of, estimated, number, slug
from phasenet.phases.phase_observables import (
    criticality_observables,
    invariant_observables,
    order_observables,
)
from phasenet.phases.string_limits import string_limit
from phasenet.phases.string_report import turned
from phasenet.pipeline.selection import Selection
from phasenet.pipeline.sources import LabelledState
from phasenet.pipeline.tasks import Context
from phasenet.records import Column, GroundState
from phasenet.trains.form import StateForm, state_form


def targets_of(
    states: Sequence[LabelledState], chains: Sequence[GroundState | None], card: StudyCard
) -> tuple[Column, ...]:
    """Numbers of each point, with the names that they have in tables; couplings are not among them.

    Of the infinite state its energy, correlation length, entropy, invariants with their |eta|,
    order parameters and string orders at infinite distance, and its central charge if the study has
    a gapless phase; of the open chain its energy and its variance.

    Parameters
    ----------
    states
        Infinite state of each point.
    chains
        Open chain of each point; None where there is none.
    card
        Study of the states.
    """
    if len(states) != len(chains):
        raise ShapeError(f"{len(states)} infinite states have {len(chains)} open chains")
    gapless = any(phase.central_charge is not None for phase in card.phases)
    context = Context(card=card, selection=Selection())
    rows = []
    for found, chain in zip(states, chains, strict=True):
        observed = _infinite(found, context)
        if gapless:
            observed += _central_charge(found)
        observed += _finite(chain)
        rows.append({quantity.name: quantity for quantity in observed.quantities})
    return columns_of(rows)


def joined_targets(sources: Sequence[Sequence[Column]]) -> tuple[Column, ...]:
    """Targets of several chains as one list, in the order of the chains.

    Parameters
    ----------
    sources
        Targets of each chain, or of each point; where one lacks a target, its values are NaN.

    Raises
    ------
    ShapeError
        Two chains have a target of the same name in other units, or one has none at all.

    >>> one = Column(name="m", unit="1", meaning="spin", values=np.ones(1), errors=np.zeros(1))
    >>> two = Column(name="n", unit="1", meaning="zeros", values=np.ones(2), errors=np.zeros(2))
    >>> [column.values.tolist() for column in joined_targets([[one], [two]])]
    [[1.0, nan, nan], [nan, 1.0, 1.0]]
    """
    kinds: dict[str, Column] = {}
    for column in (column for columns in sources for column in columns):
        kind = kinds.setdefault(column.name, column)
        if column.unit != kind.unit:
            raise ShapeError(
                f"target {column.name} is in {kind.unit} in one chain and in {column.unit} in "
                "another; wanted the same unit"
            )
    if not kinds:
        return ()
    if not all(sources):
        raise ShapeError("one chain has targets and another has none; wanted some of each")
    return tuple(_joined(kind, sources) for kind in kinds.values())


def _joined(kind: Column, sources: Sequence[Sequence[Column]]) -> Column:
    missing = [np.full(len(columns[0].values), np.nan) for columns in sources]
    own = [next((c for c in columns if c.name == kind.name), None) for columns in sources]
    pairs = list(zip(own, missing, strict=True))
    return replace(
        kind,
        values=np.concatenate([nan if c is None else c.values for c, nan in pairs]),
        errors=np.concatenate([nan if c is None else c.errors for c, nan in pairs]),
    )


def _infinite(found: LabelledState, context: Context) -> Observed:
    state = found.state
    form = state_form(state.train)
    known = Observed(
        quantities=(
            number("energy_infinite", "energy per site of the infinite state", state.energy, "J"),
            number(
                "correlation_length",
                "correlation length of the infinite state, from below at finite max_bond",
                found.correlation_length,
                "site",
            ),
            number(
                "entropy_infinite",
                "von Neumann entropy of the bond left of the cell",
                float(entropies(form)[0]),
                "nat",
            ),
        )
    )
    observed = known + invariant_observables(found.invariants, "infinite")
    observed += order_observables(found.orders)
    return observed + _strings(form, context.strings(form.site_dims, state.spin))


def _strings(form: StateForm, strings: Sequence[StringOrder]) -> Observed:
    # Two axes may be one and the same observable.
    limits: dict[StringOrder, Estimate] = {}
    quantities: list[Quantity] = []
    for string in strings:
        same = turned(string, form)
        if same not in limits:
            limits[same] = string_limit(form, same)
        name, meaning = f"string_{slug(string.name)}_infinite", f"{string} at infinite distance"
        quantities.append(estimated(name, meaning, limits[same]))
    return Observed(quantities=tuple(quantities))


def _central_charge(found: LabelledState) -> Observed:
    quantities = criticality_observables(found.criticality).quantities
    return Observed(quantities=tuple(q for q in quantities if q.name == "central_charge"))


def _finite(chain: GroundState | None) -> Observed:
    if chain is None:
        return Observed()
    meaning = "energy per site of the open chain, pinning fields included"
    spread = "(<H^2> - <H>^2) per site of the open chain: 0 for an eigenstate"
    return Observed(
        quantities=(
            number("energy_finite", meaning, chain.energy, "J"),
            number("variance_finite", spread, chain.variance, "J^2"),
        )
    )
