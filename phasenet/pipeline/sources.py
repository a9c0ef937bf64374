"""States as the steps need them: open chain and infinite state of each point, and their labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from phasenet.card import StudyCard
from phasenet.errors import PhasenetError
from phasenet.phases.criticality import Criticality, criticality
from phasenet.phases.entanglement import entropies
from phasenet.phases.labels import label_point
from phasenet.phases.orders import MeasuredOrder, measured_orders
from phasenet.phases.spt import Invariant, invariants
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState, PointLabel
from phasenet.storage.states import read_state
from phasenet.study import Boundary
from phasenet.trains.correlation import correlation_length
from phasenet.trains.infinite import InfiniteTrain

# Per site; more than rounding and an unfinished step can raise it.
_RISE_ATOL = 1e-6
_FOUND = (DmrgOutcome.CONVERGED, DmrgOutcome.BOND_LIMIT)


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledState:
    """Infinite ground state of a point with all that its label follows from; lengths in sites."""

    state: GroundState
    correlation_length: float
    invariants: tuple[Invariant, ...]
    orders: tuple[MeasuredOrder, ...]
    criticality: Criticality
    label: PointLabel


def states_by_point(
    paths: Sequence[Path],
) -> dict[ParameterPoint, dict[Boundary, GroundState]]:
    """Ground states by point and boundary, points in the order of their first file.

    Raises
    ------
    PhasenetError
        Two files hold the same state.
    """
    found: dict[ParameterPoint, dict[Boundary, GroundState]] = {}
    for path in paths:
        _, state = read_state(path)
        slot = found.setdefault(state.point, {})
        if state.boundary in slot:
            raise PhasenetError(
                f"{path} holds the {state.boundary} state at {state.point} a second time; "
                "name each state once"
            )
        slot[state.boundary] = state
    return found


def labelled(state: GroundState, card: StudyCard, *, longest: float) -> LabelledState:
    """Label of the point of an infinite ground state.

    Parameters
    ----------
    state
        Infinite.
    card
        Symmetries, local orders and known phases.
    longest
        Correlation length, in sites, up to which a finite chain may be trained on.
    """
    assert isinstance(state.train, InfiniteTrain)
    found = invariants(state.train, card.symmetries)
    orders = measured_orders(state.train, card.orders)
    length = correlation_length(state.train)
    growth = criticality(
        state.history,
        max_bond=max(state.train.bond_dims),
        entropy=float(entropies(state.train)[0]),
        correlation_length=length,
        exact=state.outcome == DmrgOutcome.CONVERGED,
    )
    label = label_point(
        state.point,
        found,
        card.phases,
        correlation_length=length,
        longest=longest,
        converged=converged(state),
        orders=orders,
        criticality=growth,
    )
    doubt = _doubt(state)
    if doubt:
        label = replace(label, label=None, split="unlabelled", reason=f"{doubt}; {label.reason}")
    return LabelledState(
        state=state,
        correlation_length=length,
        invariants=found,
        orders=orders,
        criticality=growth,
        label=label,
    )


def _doubt(state: GroundState) -> str:
    """Why a state that did not converge may be far from the ground state; empty if it is not.

    A search that is merely slow has converged at a smaller bond dimension, and lies below.
    """
    if converged(state):
        return ""
    energies = state.history.get("energy", ())
    if not len(energies):
        return "infinite DMRG converged at no bond dimension"
    if state.energy > min(energies) + _RISE_ATOL:
        return "infinite DMRG ended above its energy at a smaller bond dimension"
    return ""


def converged(state: GroundState) -> bool:
    """Whether energy and entropy of a state met their tolerances at its bond dimension."""
    return state.outcome in _FOUND
