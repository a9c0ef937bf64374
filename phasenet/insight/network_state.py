r"""A neural wavefunction as a state: its train beside the state that it was fitted to.

Whether a network has learnt a phase is a matter of its amplitudes, not of its loss. Its train,
found from the network's own shots, is a state like any other: string orders and invariants of its
symmetries are exact, and so is its fidelity with the ground state.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from phasenet.card import StudyCard
from phasenet.errors import SettingsError
from phasenet.findings import Section
from phasenet.insight.curve_numbers import curve_arrays, curve_table
from phasenet.insight.pivot_curve import (
    ADAPTIVE,
    PUBLISHED,
    REPAIRED,
    PivotCurve,
    PivotSettings,
    pivot_curve,
)
from phasenet.insight.state_facts import StateFacts, StateQuestions
from phasenet.insight.subject import Progress
from phasenet.networks.fitting import one_thread
from phasenet.networks.wavefunctions.functions import amplitude_function, draw_of
from phasenet.phases.spt import DETERMINED
from phasenet.seeds import derived_seed, stream
from phasenet.tensorizer.function import BatchFunction
from phasenet.trains.born import sample_born
from phasenet.trains.form import StateForm
from phasenet.trains.inner import log_norm
from phasenet.trains.train import IntArray, TensorTrain
from phasenet.wavefunctions import FittedWavefunction

NAME = "state"

_SHOTS = 4000
_FRESH = 16_000
_MAX_RANK = 64
# Of the distance of the network from its state: what is finer is the network's own error.
_SHARE = 0.5
_FINEST, _COARSEST = 1e-6, 1e-2
_ROUNDEST = 0.3
# Fidelity from which a train counts as the state, for the sketches.
_CLOSE = 0.9


def state_section(
    found: FittedWavefunction,
    name: str,
    state: StateForm,
    card: StudyCard | None,
    *,
    counts: Sequence[int] = (2, 4, 8, 16),
    runs: int = 3,
    seed: int = 0,
    progress: Progress,
) -> Section:
    """What a neural wavefunction is as a state, and how many pivots its train takes.

    Parameters
    ----------
    found
        The wavefunction.
    name
        Of its file.
    state
        The ground state that it was fitted to: an open chain.
    card
        Of its study, for symmetries and strings; None for those of spins.
    counts
        Numbers of pivots of the two sketches.
    runs
        How often each sketch is made, from other samples.
    seed
        Of all random choices.
    progress
        Hears of each train.

    Raises
    ------
    SettingsError
        The state is infinite, or has other sites.
    """
    _check(found, state)
    questions = StateQuestions.of(card, found.site_dim)
    lack = math.sqrt(max(0.0, 1.0 - found.overlap.fidelity))
    settings = PivotSettings(
        max_rank=_MAX_RANK,
        tol=min(_COARSEST, max(_FINEST, _SHARE * lack)),
        rounding=min(lack, _ROUNDEST),
        samples=_SHOTS,
        adaptive_runs=1,
    )
    function = amplitude_function(found)
    with one_thread():
        curve = pivot_curve(
            function,
            draw_of(found, _SHOTS, seed=seed),
            TensorTrain(cores=state.cores),
            counts,
            runs,
            seed,
            questions=questions,
            settings=settings,
            progress=progress,
        )
        fresh = draw_of(found, _FRESH, seed=derived_seed(seed, "state", "fresh"))
        likeness = likeness_of(curve.of(ADAPTIVE)[0].train, function, fresh, seed)
    return _section(found, name, card, questions, curve, settings, likeness)


def likeness_of(
    train: TensorTrain, function: BatchFunction, shots: IntArray, seed: int
) -> tuple[float, float]:
    r"""Fidelity of a train with normalised amplitudes, and its standard error.

    .. math:: 1 - \sqrt{F} = \Big\langle \frac{|t-\psi|^2}{|t|^2+|\psi|^2} \Big\rangle,
              \qquad \sigma \sim \tfrac12 (|t|^2 + |\psi|^2)

    Unlike the error of a train on samples, in which the largest amplitudes outweigh all others,
    this is the distance of states; and unlike the mean of t / psi, it is a mean of bounded numbers.

    Parameters
    ----------
    train
        Of any norm and any common phase.
    function
        Amplitudes of norm 1.
    shots
        At least 2 samples of the squared amplitudes, shape (shots, sites).
    seed
        Of as many samples of the train.

    >>> from phasenet.phases.exact import large_d_chain
    >>> chain = large_d_chain(4)
    >>> likeness_of(chain, chain, np.ones((2, 4), dtype=np.int64), 0)
    (1.0, 0.0)
    """
    own, _ = sample_born(train, len(shots), stream(seed, "state", "likeness"))
    both = np.concatenate((shots, own))
    values, logs = train.log_values(both)
    psi = np.asarray(function(both))
    scaled = values * np.exp(logs - log_norm(train))
    sizes = np.abs(scaled) ** 2 + np.abs(psi) ** 2
    overlap = np.sum(np.conj(scaled) * psi / sizes)
    turned = scaled * (overlap / abs(overlap) if abs(overlap) > 0.0 else 1.0)
    lacks = np.abs(turned - psi) ** 2 / sizes
    root = 1.0 - float(lacks.mean())
    halves = np.split(lacks, 2)
    variance = sum(float(np.var(half, ddof=1)) / len(half) for half in halves) / 4
    return root**2, 2 * abs(root) * math.sqrt(variance)


def _section(
    found: FittedWavefunction,
    name: str,
    card: StudyCard | None,
    questions: StateQuestions,
    curve: PivotCurve,
    settings: PivotSettings,
    likeness: tuple[float, float],
) -> Section:
    overlap = found.overlap
    return Section(
        name=NAME,
        title=f"Which state is the network that was fitted to {found.state}?",
        verdict=_verdict(found, card, curve),
        notes=_notes(found, questions, settings, likeness),
        tables=(curve_table("the network's trains as states", [name], [curve], questions),),
        arrays={
            **curve_arrays([curve], questions),
            "lengths": np.asarray([found.length]),
            "network_fidelity": np.asarray([overlap.fidelity]),
            "network_fidelity_error": np.asarray([overlap.error]),
            "train_fidelity": np.asarray([likeness[0]]),
            "train_fidelity_error": np.asarray([likeness[1]]),
        },
        labels={
            "systems": (name,),
            "strings": tuple(string.name for string in questions.strings),
            "symmetries": tuple(symmetry.name for symmetry in questions.symmetries),
        },
    )


def _verdict(found: FittedWavefunction, card: StudyCard | None, curve: PivotCurve) -> str:
    truth, facts = curve.truth, curve.of(ADAPTIVE)[0].facts
    signs = dict(zip((one.name for one in facts.invariants), facts.values.tolist(), strict=True))
    told = ", ".join(f"{name} {value:+d}" for name, value in signs.items() if value)
    why = next((f"; by itself {one.reason}" for one in facts.invariants if not one.value), "")
    eta = f"|eta| = {facts.eta:.6f}, of the state itself {truth.eta:.6f}"
    fidelity = f"its train has fidelity {facts.fidelity:.6f} with the state"
    if not truth.determined.any():
        return f"The state itself has no invariant that is determined; {fidelity} ({eta})."
    if not agrees(facts, truth):
        missed = ", ".join(f"{one.name} {one.value:+d}" for one in truth.invariants)
        return (
            f"The network does not show the phase: the state has {missed}, the network "
            f"{told or 'no invariant'} ({eta}{why}); {fidelity}."
        )
    phase = _phase(card, signs)
    return (
        f"The network is a state of {phase}: {told} as of the state itself ({eta}{why}); "
        f"{fidelity}, the network {found.overlap.fidelity:.6f} ± {found.overlap.error:.0e}. "
        f"{_sketches(curve)}"
    )


def _sketches(curve: PivotCurve) -> str:
    """How many pivots either sketch needs for a train that is the state in all runs."""
    said = []
    for method, words in ((PUBLISHED, "as published"), (REPAIRED, "with its cuts repaired")):
        good = [
            all(
                agrees(run.facts, curve.truth) and run.facts.fidelity >= _CLOSE
                for run in curve.of(method, count)
            )
            for count in curve.counts
        ]
        # From there on it never fails again: an invariant may also be right by chance.
        first = len(good) - next((k for k, fine in enumerate(good[::-1]) if not fine), len(good))
        said.append(
            f"{words} from {curve.counts[first]} pivots on"
            if first < len(good)
            else f"{words} not with {curve.counts[-1]} pivots"
        )
    return (
        f"TT-RSS finds its invariants and a fidelity of {_CLOSE:g} in every run: {', '.join(said)}."
    )


def agrees(facts: StateFacts, truth: StateFacts) -> bool:
    """Whether all invariants that are determined for a state are those of another.

    >>> from phasenet.insight.state_facts import facts_of
    >>> from phasenet.phases.exact import aklt_chain, large_d_chain
    >>> aklt, trivial = (
    ...     facts_of(chain(16), aklt_chain(16), StateQuestions.of(None, 3))
    ...     for chain in (aklt_chain, large_d_chain)
    ... )
    >>> agrees(aklt, aklt), agrees(trivial, aklt)
    (True, False)
    """
    if not facts.invariants:
        return False
    known = truth.determined != 0
    return bool((facts.values[known] == truth.determined[known]).all())


def _phase(card: StudyCard | None, values: Mapping[str, int]) -> str:
    """The one phase of a study that has these invariants, in words."""
    phases = [
        phase.title
        for phase in (() if card is None else card.phases)
        if phase.invariants and all(values.get(k) == v for k, v in phase.invariants.items())
    ]
    return f"the {phases[0]} phase" if len(phases) == 1 else "the phase it was fitted to"


def _notes(
    found: FittedWavefunction,
    questions: StateQuestions,
    settings: PivotSettings,
    likeness: tuple[float, float],
) -> tuple[str, ...]:
    notes = [
        f"The adaptive train has fidelity {likeness[0]:.6f} ± {likeness[1]:.0e} with the network "
        f"itself, from {_FRESH} fresh shots of each; fidelities of trains with the state "
        "are exact.",
        f"Trains are rounded by {settings.rounding:.1e}, the distance of the network from its "
        "state, before they are looked at: finer Schmidt values are the network's own errors.",
        "An invariant of a train is the sign on its middle bond where |eta| is at least "
        f"{DETERMINED:g}. That the correlation length is short beside the chain is asked of the "
        "state itself: errors of tiny weight can give a network a longer one. Invariants are not "
        "outputs of the network: it was shown amplitudes, and they follow from its train.",
    ]
    if questions.commutation is not None:
        notes.append(
            "The block swap (Haegeman et al., PRL 109, 050402 (2012)) tends to +1 or -1 only for "
            "blocks that are long beside the correlation length: compare it with the first row."
        )
    return tuple(notes)


def _check(found: FittedWavefunction, state: StateForm) -> None:
    if state.infinite:
        raise SettingsError(
            "the state is infinite and has no amplitudes; give the open chain that the network "
            f"was fitted to, {found.state}"
        )
    if state.site_dims != (found.site_dim,) * found.length:
        raise SettingsError(
            f"the network is for {found.length} sites of {found.site_dim} local states, the state "
            f"has {state.length} of {sorted(set(state.site_dims))}; give {found.state}"
        )
