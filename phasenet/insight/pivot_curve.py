"""A function of local states tensorized from ever more pivots: what becomes of it as a state."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError
from phasenet.insight.state_facts import StateFacts, StateQuestions, facts_of
from phasenet.insight.subject import Progress
from phasenet.seeds import derived_seed, stream
from phasenet.tensorizer.function import BatchFunction
from phasenet.tensorizer.sketch import sketch, sketch_plain
from phasenet.tensorizer.tensorize import tensorize
from phasenet.trains.canonical import round_train
from phasenet.trains.train import Array, IntArray, TensorTrain

EXACT = 0.999
"""Fidelity from which a run counts as exact, as in the paper."""

PUBLISHED, REPAIRED, ADAPTIVE = "published", "repaired", "adaptive"
"""TT-RSS as published, TT-RSS with its cuts repaired, and cross interpolation."""

# Share of the sum of the singular values that the paper keeps.
_CUMULATIVE = 1.0 - 1e-5


@dataclass(frozen=True, kw_only=True)
class PivotSettings:
    """How trains are built for a curve.

    Parameters
    ----------
    published_rank
        Largest rank of the published algorithm; None for the number of pivots.
    max_rank
        Largest rank of the adaptive train; the repaired one has no more, and no more than pivots.
    tol
        Largest relative error asked for; the published algorithm takes none.
    rounding
        Relative distance by which each train is rounded before it is looked at; 0 for none.
    samples
        Samples that an adaptive train may look at; 1: a single one, from which all pivots grow.
    adaptive_runs
        How often an adaptive train is built; None for as often as the others.
    """

    published_rank: int | None = None
    max_rank: int = 64
    tol: float = 1e-8
    rounding: float = 0.0
    samples: int = 1
    adaptive_runs: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class PivotRun:
    """One train, and what it took.

    Parameters
    ----------
    method
        :data:`PUBLISHED`, :data:`REPAIRED` or :data:`ADAPTIVE`.
    pivots
        Samples that it was built from.
    facts
        The train as a state.
    evaluations
        Distinct configurations at which the function was evaluated.
    seconds
        Processor time.
    train
        As it was looked at.
    """

    method: str
    pivots: int
    facts: StateFacts
    evaluations: int
    seconds: float
    train: TensorTrain


@dataclass(frozen=True, kw_only=True, eq=False)
class PivotCurve:
    """All runs on one function, beside the state that it should be.

    Parameters
    ----------
    truth
        The state itself.
    counts
        Numbers of pivots of the sketches.
    runs
        All trains; as many of each method and number of pivots.
    """

    truth: StateFacts
    counts: tuple[int, ...]
    runs: tuple[PivotRun, ...]

    def of(self, method: str, pivots: int | None = None) -> tuple[PivotRun, ...]:
        """Runs of a method, of one number of pivots or of all."""
        return tuple(
            run
            for run in self.runs
            if run.method == method and (pivots is None or run.pivots == pivots)
        )

    def exact_share(self, method: str, pivots: int | None = None) -> float:
        """Share of runs whose fidelity is at least :data:`EXACT`; NaN without runs."""
        found = [run.facts.fidelity >= EXACT for run in self.of(method, pivots)]
        return float(np.mean(found)) if found else math.nan


def pivot_curve(
    function: BatchFunction,
    samples: IntArray,
    truth: TensorTrain,
    counts: Sequence[int],
    runs: int,
    seed: int,
    *,
    questions: StateQuestions,
    settings: PivotSettings | None = None,
    progress: Progress | None = None,
) -> PivotCurve:
    """Trains of a wavefunction from random samples as pivots, and from adaptive ones, as states.

    Parameters
    ----------
    function
        Amplitudes of local states of shape (shots, sites).
    samples
        Samples of the squared amplitudes, shape (shots, sites), from which pivots are drawn.
    truth
        The state that the amplitudes should be.
    counts
        Numbers of pivots for the two sketches.
    runs
        How often each train is built, from other samples.
    seed
        Of all random choices.
    questions
        What is asked of each state.
    settings
        How trains are built.
    progress
        Hears of each run.

    >>> from phasenet.phases.exact import aklt_chain
    >>> from phasenet.trains.born import sample_born
    >>> chain = aklt_chain(30)
    >>> samples, _ = sample_born(chain, 100, np.random.default_rng(0))
    >>> found = pivot_curve(
    ...     chain, samples, chain, [2, 14], 2, 0, questions=StateQuestions.of(None, 3),
    ...     settings=PivotSettings(published_rank=2),
    ... )
    >>> found.exact_share("published", 2), found.exact_share("adaptive")
    (0.0, 1.0)
    """
    if runs < 1 or not counts or min(counts) < 1 or max(counts) > len(samples):
        raise SettingsError(
            f"a curve was asked for {runs} runs with {list(counts)} pivots out of {len(samples)} "
            "samples; wanted at least 1 run and 1 pivot, and no more pivots than samples"
        )
    chosen = settings or PivotSettings()
    tasks = [(method, n, runs) for n in counts for method in (PUBLISHED, REPAIRED)]
    tasks.append((ADAPTIVE, chosen.samples, chosen.adaptive_runs or runs))
    found: list[PivotRun] = []
    for method, pivots, times in tasks:
        for run in range(times):
            rng = stream(seed, "pivots", method, str(pivots), str(run))
            picked = samples[rng.choice(len(samples), min(pivots, len(samples)), replace=False)]
            name = derived_seed(seed, "pivots", method, str(pivots), str(run)) % 2**31
            found.append(_run(method, function, picked, truth, questions, chosen, name))
            if progress is not None:
                fidelity = found[-1].facts.fidelity
                progress(len(found), f"{method} TT from {pivots} samples: fidelity {fidelity:.6f}")
    return PivotCurve(
        truth=facts_of(truth, truth, questions), counts=tuple(counts), runs=tuple(found)
    )


def _run(
    method: str,
    function: BatchFunction,
    picked: IntArray,
    truth: TensorTrain,
    questions: StateQuestions,
    settings: PivotSettings,
    seed: int,
) -> PivotRun:
    start = time.process_time()
    train, evaluations = _BUILDERS[method](function, picked, truth.site_dims, settings, seed)
    seconds = time.process_time() - start
    if settings.rounding:
        rank = max(train.bond_dims, default=1)
        train, _ = round_train(train, tol=settings.rounding, max_rank=rank)
    return PivotRun(
        method=method,
        pivots=len(picked),
        facts=facts_of(train, truth, questions),
        evaluations=evaluations,
        seconds=seconds,
        train=train,
    )


def _published(
    function: BatchFunction,
    picked: IntArray,
    dims: tuple[int, ...],
    settings: PivotSettings,
    seed: int,
) -> tuple[TensorTrain, int]:
    found = sketch_plain(
        function,
        samples=picked,
        site_dims=dims,
        max_rank=settings.published_rank or len(picked),
        cumulative=_CUMULATIVE,
        seed=seed,
    )
    return found.train, found.evaluations


def _repaired(
    function: BatchFunction,
    picked: IntArray,
    dims: tuple[int, ...],
    settings: PivotSettings,
    seed: int,
) -> tuple[TensorTrain, int]:
    found = sketch(
        function,
        samples=picked,
        site_dims=dims,
        max_rank=min(settings.max_rank, len(picked)),
        tol=settings.tol,
        seed=seed,
    )
    return found.train, found.evaluations


def _adaptive(
    function: BatchFunction,
    picked: IntArray,
    dims: tuple[int, ...],
    settings: PivotSettings,
    seed: int,
) -> tuple[TensorTrain, int]:
    # The tensorizer keeps samples to judge by; of a single one, a copy of the same.
    samples = picked if len(picked) > 1 else np.repeat(picked, 2, axis=0)
    found = tensorize(
        function,
        samples=samples,
        site_dims=dims,
        tol=settings.tol,
        max_rank=settings.max_rank,
        method="cross",
        seed=seed,
    )
    return found.train, found.evaluations


_Builder = Callable[
    [BatchFunction, Array, tuple[int, ...], PivotSettings, int], tuple[TensorTrain, int]
]
_BUILDERS: Mapping[str, _Builder] = {
    PUBLISHED: _published,
    REPAIRED: _repaired,
    ADAPTIVE: _adaptive,
}
