"""One row of a table from the files of one point: what a worker process does."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from phasenet.card import StudyCard
from phasenet.criteria import SPIN_SYMMETRIES, Order
from phasenet.errors import FileKindError, PhasenetError
from phasenet.phases import phase_observables
from phasenet.phases import state_observables as observables
from phasenet.phases.classifier_observables import classifier_quantities
from phasenet.phases.fidelity import fidelity
from phasenet.phases.observables import Observed, number
from phasenet.phases.orders import measured_orders
from phasenet.phases.spt import Invariant, invariants
from phasenet.phases.string_observables import pair_observables, string_observables
from phasenet.pipeline.intake import StateFile
from phasenet.pipeline.rows import Row
from phasenet.pipeline.selection import Group
from phasenet.pipeline.sources import LabelledState, converged, labelled
from phasenet.pipeline.tasks import Context, Task
from phasenet.points import ParameterPoint
from phasenet.records import GroundState, TensorizedClassifier
from phasenet.storage.states import read_state
from phasenet.storage.tenpy_files import read_tenpy_state
from phasenet.storage.trains import read_train
from phasenet.trains.form import StateForm, state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain


@dataclass(frozen=True, kw_only=True, eq=False)
class MeasuredState:
    """A state in canonical form, and what its file says beside it.

    Parameters
    ----------
    spin
        Of each site; None where that is not known.
    ground
        Our record; None for a file of TeNPy.
    """

    form: StateForm
    spin: float | None
    ground: GroundState | None


def observed_row(task: Task) -> str:
    """Row of a task as a line of JSON.

    Raises
    ------
    PhasenetError
        A file cannot be read, or an error arose that is no fault of the caller; it names the file.
    """
    try:
        return _row(task).line()
    except PhasenetError:
        raise
    except Exception as error:  # one file of thousands must cost only itself
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise PhasenetError(f"{task.files[0].path} cannot be measured: {detail}") from error


def _row(task: Task) -> Row:
    context = task.context
    states, lost = _all_read(task.files)
    if not states:
        raise FileKindError(next(iter(lost.values())))
    chains = {observables.where(state.form): state for state in states}
    observed, label, reason = Observed(), "", ""
    infinite, finite = chains.get("infinite"), chains.get("finite")
    found: LabelledState | None = None
    if infinite and infinite.ground and context.card:
        try:
            found = labelled(infinite.ground, context.card, longest=_longest(finite, context.card))
            label, reason = found.label.label or "", found.label.reason
        except PhasenetError as error:
            reason = f"no label: {error}"
    elif context.card and task.files[0].is_ours:
        reason = "no infinite state"
    if infinite:
        observed += _infinite_observed(infinite, found, context)
    if finite:
        observed += _finite_observed(finite, context, task.point)
    observed += _fidelities(task, chains, lost)
    return Row(
        key=task.key,
        name=task.name,
        point=task.point,
        label=label,
        reason=reason,
        observed=observed,
        lost=tuple((str(path), told) for path, told in lost.items()),
    )


def _all_read(files: Sequence[StateFile]) -> tuple[list[MeasuredState], dict[Path, str]]:
    """States of the files that can be read, and why the others cannot."""
    states, lost = [], {}
    for file in files:
        try:
            states.append(_loaded(file))
        except PhasenetError as error:
            lost[file.path] = str(error)
    return states, lost


def _loaded(file: StateFile) -> MeasuredState:
    if file.is_ours:
        _, ground = read_state(file.path)
        return MeasuredState(form=state_form(ground.train), spin=ground.spin, ground=ground)
    state = read_tenpy_state(file.path)
    return MeasuredState(form=state_form(state.train), spin=state.spin, ground=None)


def _longest(chain: MeasuredState | None, card: StudyCard) -> float:
    if chain is None:
        return float("inf")
    return chain.form.length / card.run_settings().sample.xi_per_length


def _infinite_observed(
    state: MeasuredState, found: LabelledState | None, context: Context
) -> Observed:
    groups = context.selection.groups
    observed = _energy(state) + observables.size_observables(state.form)
    card = context.card
    if found is not None:
        observed += phase_observables.order_observables(found.orders)
        observed += phase_observables.criticality_observables(found.criticality)
    elif card and Group.LOCAL in groups:
        observed += _guarded(Group.LOCAL, lambda: _orders(state, card.orders))
    if state.ground and Group.ENTANGLEMENT in groups:
        history = state.ground.history
        observed += phase_observables.growth_observables(history, state.form)
    if Group.SPT in groups:
        known = found.invariants if found else ()
        observed += _guarded(Group.SPT, lambda: _invariants(state, context, known))
    return observed + _common(state, context)


def _orders(state: MeasuredState, orders: Sequence[Order]) -> Observed:
    train = observables.train_of(state.form)
    assert isinstance(train, InfiniteTrain)
    return phase_observables.order_observables(measured_orders(train, orders))


def _finite_observed(state: MeasuredState, context: Context, point: ParameterPoint) -> Observed:
    groups, card = context.selection.groups, context.card
    observed = _energy(state) + observables.size_observables(state.form)
    if Group.SPT in groups:
        observed += _guarded(Group.SPT, lambda: _invariants(state, context, ()))
    observed += _common(state, context)
    if card and Group.LOCAL in groups:
        observed += _guarded(
            Group.LOCAL, lambda: phase_observables.chain_order_observables(state.form, card.orders)
        )
    if context.train is not None:
        classifier = _classifier(context.train, context.train_id)
        train = TensorTrain(cores=state.form.cores)
        quantities = classifier_quantities(train, classifier, point)
        observed += Observed(quantities=tuple(quantities))
    return observed


def _common(state: MeasuredState, context: Context) -> Observed:
    """Groups that finite and infinite states share."""
    form, observed = state.form, Observed()
    strings = context.strings(form.site_dims, state.spin)
    work: dict[Group, Callable[[], Observed]] = {
        Group.ENTANGLEMENT: lambda: observables.entanglement_observables(form),
        Group.STRINGS: lambda: string_observables(form, strings),
    }
    if state.spin is not None:
        work[Group.LOCAL] = lambda: observables.local_observables(form)
        work[Group.CORRELATIONS] = lambda: observables.correlation_observables(form)
    if state.spin is not None or context.card:
        work[Group.MANY_BODY] = lambda: phase_observables.many_body_observables(
            form, context.symmetries, context.cell
        )
    if not form.infinite:
        work[Group.PAIRS] = lambda: pair_observables(form, strings)
    for group, measure in work.items():
        if group in context.selection.groups:
            observed += _guarded(group, measure)
    if state.spin is None:
        told = "the sites tell no spin: entanglement, and what a study names"
        observed += Observed(sentences=(told,))
    return observed


def _guarded(group: Group, measure: Callable[[], Observed]) -> Observed:
    """Observables of a group, or a sentence on why a state has none of them."""
    try:
        return measure()
    except (PhasenetError, np.linalg.LinAlgError) as error:
        # Semicolons part the reasons of a row.
        cause = str(error).replace(";", ",")
        return Observed(sentences=(f"{group} not measured: {cause}",))


def _invariants(state: MeasuredState, context: Context, known: tuple[Invariant, ...]) -> Observed:
    """Invariants of the study or of spins and those asked for; some are known from the label."""
    asked = context.symmetries
    if state.spin is None and context.card is None:
        asked = asked[len(SPIN_SYMMETRIES) :]
    more = invariants(state.form, asked[len(known) :], cell=context.cell)
    observed = phase_observables.invariant_observables(
        (*known, *more), observables.where(state.form)
    )
    # The label of a state tells the reasons of the known ones.
    told = [
        (found.name, found.reason) for found in more if state.ground is None or found.value == 0
    ]
    return observed + Observed(sentences=phase_observables.told_together(told, state.form))


def _fidelities(task: Task, states: Mapping[str, MeasuredState], lost: dict[Path, str]) -> Observed:
    """Overlap with the next point along each coupling, of states of the same kind."""
    observed = Observed()
    for coupling, files in task.neighbours.items():
        near, unread = _all_read(files)
        # Their own rows lack them as well; this row is to be made again with them.
        lost.update(unread)
        for other in near:
            state = states.get(observables.where(other.form))
            if state is not None:
                measure = partial(_fidelity, state, other, coupling)
                observed += _guarded(Group.FIDELITY, measure)
    return observed


def _fidelity(state: MeasuredState, other: MeasuredState, coupling: str) -> Observed:
    value = fidelity(state.form, other.form)
    meaning = f"ln of the overlap with the next state along {coupling}, per site"
    name = f"fidelity_{coupling}_{observables.where(state.form)}"
    return Observed(quantities=(number(name, meaning, value),))


def _energy(state: MeasuredState) -> Observed:
    ground = state.ground
    if ground is None:
        return Observed()
    end = ground.boundary.value
    return Observed(
        quantities=(
            number(
                f"energy_{end}",
                f"energy per site of the {end} state, pinning fields included",
                ground.energy,
                "J",
            ),
            number(
                f"truncation_{end}",
                "largest discarded weight of the last sweep",
                ground.truncation,
            ),
            number(
                f"converged_{end}",
                "1 if DMRG met its tolerances, 0 if it stopped at the sweep limit",
                float(converged(ground)),
            ),
            number(
                f"rival_{end}",
                "energy per site that a second start ended at, minus the energy of the state",
                ground.rival,
                "J",
            ),
            number(
                f"rival_entropy_{end}",
                "entropy that a second start ended at, minus the entropy of the state",
                ground.rival_entropy,
                "nat",
            ),
        )
    )


@lru_cache(maxsize=1)
def _classifier(path: Path, content: str) -> TensorizedClassifier:
    """Classifier of a file, read once by each worker; ``content`` is the id of what it holds."""
    return read_train(path)[1]
