"""States as the steps need them: open chain and infinite state of each point, and their labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from phasenet.card import Phase
from phasenet.errors import PhasenetError
from phasenet.phases.labels import label_point
from phasenet.phases.spt import Invariant, invariants
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState, PointLabel
from phasenet.storage.states import read_state
from phasenet.study import Boundary
from phasenet.trains.correlation import correlation_length
from phasenet.trains.infinite import InfiniteTrain


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledState:
    """Infinite ground state of a point with its invariants and the label that follows."""

    state: GroundState
    invariants: tuple[Invariant, ...]
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


def labelled(state: GroundState, phases: Sequence[Phase], *, longest: float) -> LabelledState:
    """Label of the point of an infinite ground state.

    Parameters
    ----------
    state
        Infinite.
    phases
        Known phases.
    longest
        Correlation length, in sites, up to which a finite chain may be trained on.
    """
    assert isinstance(state.train, InfiniteTrain)
    found = invariants(state.train)
    length = correlation_length(state.train)
    label = label_point(
        state.point,
        found,
        phases,
        correlation_length=length,
        longest=longest,
        converged=state.outcome == DmrgOutcome.CONVERGED,
    )
    return LabelledState(state=state, invariants=found, label=label)
