"""The ground state of one point, guarded against states that only its history has made."""

import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from phasenet.errors import StudyError
from phasenet.groundstates.convert import bond_charges, charge_name, schmidt_values, to_train
from phasenet.groundstates.dmrg import History, Optimised, Plan, bond_steps, optimise
from phasenet.groundstates.starts import (
    built_model,
    chain_of,
    changed_abruptly,
    entropy_at_cut,
    product_start,
    same_sector,
    same_state,
    state_start,
)
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState
from phasenet.settings import FiniteSettings, InfiniteSettings
from phasenet.study import Boundary, Study

PRODUCT_STATE = "product state"
_MIRRORED = " and its mirror image"

# Energies per site that differ by less are the same; the second one where one search has not come
# to its end.
_TIE_ATOL, _UNFINISHED_ATOL = 1e-8, 1e-6
# Growth exponent of the correlation length with the bond dimension; 0.87 at central charge 2, more
# at smaller ones.
_CRITICAL_GROWTH = 0.8


def never() -> bool:
    """Return False: nothing stops the search."""
    return False


def solve(
    study: Study,
    point: ParameterPoint,
    boundary: Boundary,
    *,
    neighbour: GroundState | None = None,
    second_start: bool = False,
    resume: GroundState | None = None,
    should_stop: Callable[[], bool] = never,
) -> GroundState:
    """Ground state of one point of a study, with the study's own settings.

    A search from a neighbour may end in a state that only the neighbour explains, such as a
    superposition of two broken states. Where that may be, a second search starts from the product
    state, and the lower energy wins; of equal energies that of the product state, which no path
    has led to.

    Parameters
    ----------
    study
        Model, starting state and settings.
    point
        Couplings.
    boundary
        Open chain or infinite.
    neighbour
        State of a neighbouring point to start from; if None, or if it has another charge, the
        search starts from the product state.
    second_start
        Whether there is a second search in any case, and not only where the first one did not
        converge, the state has changed abruptly from the neighbour's, or an infinite state grows
        with its bond dimension as close to a transition: there a finite bond dimension keeps the
        phase of the neighbour alive beyond its end.
    resume
        What an interrupted call with the same other arguments returned; the search goes on.
    should_stop
        Asked after each sweep of an open chain and every few of an infinite one; once it is true,
        the state so far is returned as it is, with the outcome INTERRUPTED.

    Raises
    ------
    StudyError
        The model or its starting state cannot be built, or its energy is not a number.
    """
    settings = study.settings.finite if boundary == Boundary.FINITE else study.settings.infinite
    with _quiet_tenpy():
        task = _task(study, point, settings, should_stop)
        before = None if neighbour is None else state_start(neighbour, task.model)
        if before is not None and not same_sector(before, task.product):
            neighbour = before = None
        if resume is not None:
            found = task.resumed(resume)
        elif neighbour is not None:
            found = task.from_neighbour(neighbour)
        else:
            found = task.from_product()
        if found.end.outcome is DmrgOutcome.INTERRUPTED or found.start.startswith(PRODUCT_STATE):
            return task.ground_state(found)
        close = _is_near_transition(found)
        if not (second_start or close or _is_doubtful(before, found)):
            return task.ground_state(found)

        def is_found(psi: Any) -> bool:
            # Close to a transition the states of both sides look alike.
            limited = found.end.outcome is DmrgOutcome.SWEEP_LIMIT
            return not (limited or close) and same_state(psi, found.end.psi)

        rival = task.from_product(is_enough=is_found)
        if is_found(rival.end.psi):
            return task.ground_state(found, found)
        if rival.end.outcome is DmrgOutcome.INTERRUPTED:
            unfinished = replace(found.end, outcome=DmrgOutcome.INTERRUPTED)
            return task.ground_state(replace(found, end=unfinished))
        return task.ground_state(*_ranked(found, rival, settings.energy_atol))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Found:
    """One search: what it started from, and where it ended."""

    start: str
    end: Optimised


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """A point with its model and the product state that a search may start from."""

    study: Study
    point: ParameterPoint
    settings: FiniteSettings | InfiniteSettings
    model: Any
    product: Any
    should_stop: Callable[[], bool]

    @property
    def cold(self) -> Plan:
        """Steps from a product state; an infinite chain takes two at least, to be compared."""
        finite, largest = bool(self.product.finite), self.settings.max_bond
        bonds = bond_steps(self.settings.first_bond, largest, least=1 if finite else 2)
        exact_from = largest if finite else min(bonds[-2:])
        return Plan(bonds=bonds, exact_from=exact_from, mixed=True)

    def from_product(self, is_enough: Callable[[Any], bool] = lambda _: False) -> _Found:
        """Search from the product state, which ends once a state is enough."""
        end = self._optimised(self.product.copy(), self.cold, is_enough=is_enough)
        return _found(PRODUCT_STATE, end)

    def from_neighbour(self, neighbour: GroundState) -> _Found:
        """Search from another point; the bond starts where the neighbour's ended."""
        plan = self._warm(_bond_reached(neighbour), steps_before=0 if self.product.finite else 1)
        # A state of few bond states, as at a solvable point, hides most directions from a search.
        scanty = max(neighbour.train.bond_dims) < self.cold.bonds[0]
        psi = state_start(neighbour, self.model)
        end = self._optimised(psi, replace(plan, mixed=scanty))
        return _found(f"neighbour {neighbour.point}", end)

    def resumed(self, resume: GroundState) -> _Found:
        """Search that goes on after the last step that came to its end."""
        if not len(resume.history.get("max_bond", ())):
            plan = self._warm(_bond_reached(resume), steps_before=0 if self.product.finite else 1)
            plan = replace(plan, mixed=resume.start == PRODUCT_STATE)
        else:
            plan = self._warm(_bond_reached(resume), steps_before=0)
            if resume.history["truncation"][-1] > self.settings.truncation_atol:
                plan = replace(plan, bonds=plan.bonds[1:] or plan.bonds)
        psi = state_start(resume, self.model)
        end = self._optimised(psi, plan, done=resume.history, sweeps=resume.sweeps)
        return _found(resume.start.removesuffix(_MIRRORED), end)

    def _warm(self, reached: int, *, steps_before: int) -> Plan:
        bonds = self.cold.bonds
        index = sum(bond < reached for bond in bonds[:-1])
        return replace(self.cold, bonds=bonds[max(index - steps_before, 0) :], mixed=False)

    def _optimised(
        self,
        psi: Any,
        plan: Plan,
        *,
        done: History | None = None,
        sweeps: int = 0,
        is_enough: Callable[[Any], bool] = lambda _: False,
    ) -> Optimised:
        real = not np.issubdtype(np.dtype(self.model.H_MPO.dtype), np.complexfloating)
        assert not (real and np.issubdtype(psi.dtype, np.complexfloating))
        try:
            end = optimise(
                psi,
                self.model,
                self.settings,
                plan,
                done=done or {},
                sweeps=sweeps,
                should_stop=self.should_stop,
                is_enough=is_enough,
            )
        except np.linalg.LinAlgError as error:
            raise StudyError(
                f"DMRG of {self.study.name} at {self.point} failed: {error}; look at the couplings"
            ) from error
        if not math.isfinite(end.energy):
            raise StudyError(
                f"DMRG of {self.study.name} at {self.point} gave the energy {end.energy}; "
                "look at the couplings"
            )
        return end

    def ground_state(self, found: _Found, rival: _Found | None = None) -> GroundState:
        """Record of a search, and of how far the other one ended from it."""
        end, psi = found.end, found.end.psi
        finite = bool(psi.finite)
        beaten = math.nan if rival is None else rival.end.energy - end.energy
        other = math.nan if rival is None else entropy_at_cut(rival.end.psi)
        return GroundState(
            point=self.point,
            spin=float(self.study.spin),
            train=to_train(psi),
            schmidt_values=schmidt_values(psi),
            charge=charge_name(psi),
            bond_charges=bond_charges(psi),
            energy=end.energy,
            variance=float(self.model.H_MPO.variance(psi) / psi.L) if finite else math.nan,
            truncation=end.truncation,
            outcome=end.outcome,
            sweeps=end.sweeps,
            start=found.start,
            rival=max(beaten, 0.0) if rival is not None else math.nan,
            rival_entropy=other - entropy_at_cut(psi),
            history=end.history,
        )


def _found(start: str, end: Optimised) -> _Found:
    return _Found(start=start + _MIRRORED * end.superposed, end=end)


def _task(
    study: Study,
    point: ParameterPoint,
    settings: FiniteSettings | InfiniteSettings,
    should_stop: Callable[[], bool],
) -> _Task:
    chain = chain_of(settings)
    model = built_model(study, point, chain)
    return _Task(
        study=study,
        point=point,
        settings=settings,
        model=model,
        product=product_start(study, point, model, chain),
        should_stop=should_stop,
    )


def _is_near_transition(found: _Found) -> bool:
    """Whether the correlation length of an infinite state still grows with its bond dimension."""
    lengths = [float(length) for length in found.end.history.get("correlation_length", ())]
    if len(lengths) < 2 or min(lengths[-2:]) <= 0.0:
        return False
    bonds = found.end.history["max_bond"]
    growth = math.log(lengths[-1] / lengths[-2]) / math.log(bonds[-1] / bonds[-2])
    return growth > _CRITICAL_GROWTH


def _is_doubtful(before: Any | None, found: _Found) -> bool:
    """Whether a search from a neighbour did not end, or in a state that is unlike the neighbour."""
    if found.end.outcome is DmrgOutcome.SWEEP_LIMIT:
        return True
    # What a superposition changes, and that it lies lower, is known already.
    return (
        not found.end.superposed and before is not None and changed_abruptly(before, found.end.psi)
    )


def _bond_reached(state: GroundState) -> int:
    """Bond dimension of the last step that came to its end, or what the state has."""
    bonds = state.history.get("max_bond")
    return (
        int(bonds[-1])
        if bonds is not None and len(bonds)
        else max(len(values) for values in state.schmidt_values)
    )


def _ranked(found: _Found, rival: _Found, energy_atol: float) -> tuple[_Found, _Found]:
    """Winner and loser: the lower energy; of equal ones the search that came to its end.

    If both did, that from the product state.
    """
    limited = [search.end.outcome is DmrgOutcome.SWEEP_LIMIT for search in (found, rival)]
    advantage = found.end.energy - rival.end.energy
    tie_atol = _UNFINISHED_ATOL if limited[0] != limited[1] else max(_TIE_ATOL, 2.0 * energy_atol)
    if abs(advantage) <= tie_atol:
        return (found, rival) if limited[1] and not limited[0] else (rival, found)
    return (rival, found) if advantage > 0.0 else (found, rival)


@contextmanager
def _quiet_tenpy() -> Iterator[None]:
    # TeNPy warns at every critical point that the state is not canonical, and then mends it; what
    # matters to the user is in the outcome.
    logger = logging.getLogger("tenpy")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logger.setLevel(level)
