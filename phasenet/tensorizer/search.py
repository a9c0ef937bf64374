"""The search: half sweeps and probes in turn until the train has earned an outcome."""

from collections.abc import Callable

import numpy as np

from phasenet.errors import SettingsError
from phasenet.seeds import stream
from phasenet.tensorizer.cross import Cross
from phasenet.tensorizer.function import BudgetSpentError, CountedFunction
from phasenet.tensorizer.pivots import IntArray, first_occurrences
from phasenet.tensorizer.probes import Findings, Probes, sample_squared
from phasenet.tensorizer.result import HalfSweep, Outcome
from phasenet.trains.arithmetic import subtract
from phasenet.trains.canonical import round_train
from phasenet.trains.inner import relative_distance
from phasenet.trains.train import TensorTrain

_HALF_SWEEPS = 60
_PATIENCE = 10
_SEEDS = 2
_SEED_CANDIDATES = 64
_OVERSAMPLING = 1.5


class Search:
    """Construction in progress: pivots, probes, the best train so far and the history.

    Parameters
    ----------
    function
        Function to interpolate.
    samples
        Configurations of shape (shots, length) that the construction may use.
    tol
        Largest relative L2 error wanted.
    max_rank
        Largest bond wanted in the end; the search works with more.
    seed
        Seed of all random choices.
    progress
        Called with each record of the history.
    """

    def __init__(
        self,
        function: CountedFunction,
        *,
        samples: IntArray,
        tol: float,
        max_rank: int,
        seed: int,
        progress: Callable[[HalfSweep], object] | None,
    ) -> None:
        self.train: TensorTrain | None = None
        self.history: list[HalfSweep] = []
        self._function = function
        self._target = 0.5 * tol
        self._max_rank = max_rank
        self._progress = progress
        self._rng = stream(seed, "tensorizer", "difference")
        self._probes = Probes(function, samples=samples, rng=stream(seed, "tensorizer", "probes"))
        self._cross = Cross(
            function,
            seeds=self._seeds(),
            tol=0.3 * tol,
            alarm=tol,
            max_rank=int(np.ceil(_OVERSAMPLING * max_rank)),
            rng=stream(seed, "tensorizer", "tests"),
        )
        self._floor = max(4.0 * function.precision, 0.003 * tol)
        self._best = np.inf
        self._verifying = False
        self._idle = 0
        self._size = 0

    def run(self) -> Outcome:
        """Return the outcome; the best train is left in ``train``."""
        try:
            for number in range(_HALF_SWEEPS):
                outcome = self._advance(number)
                if outcome is not None:
                    return outcome
        except BudgetSpentError:
            return Outcome.BUDGET_SPENT
        return Outcome.STAGNATED

    def _advance(self, number: int) -> Outcome | None:
        """One half sweep, its probes, and what follows from them."""
        train = self._cross.half_sweep(
            forward=number % 2 == 0, thoroughness=2 if self._verifying else 1
        )
        findings = self._probe(train, count=min(512, max(32, self._function.evaluations // 50)))
        previous = self._record(train, findings)
        if findings.error > self._target or self._cross.alarmed:
            self._verifying = False
            self._enrich(findings.worst)
            return self._limit(train, findings.error)
        if not self._verifying:
            self._verifying = True
            return None
        self._verifying = False
        return self._examine(train, previous)

    @property
    def _ranks(self) -> IntArray:
        return np.asarray(self.history[-1].ranks if self.history else 0)

    def _record(self, train: TensorTrain, findings: Findings) -> TensorTrain:
        """Enter a half sweep into the history and keep its train if it is the best so far.

        Returns the train that was the best before.
        """
        record = HalfSweep(
            ranks=train.bond_dims,
            probe_error=findings.error,
            evaluations=self._function.evaluations,
        )
        self.history.append(record)
        if self._progress is not None:
            self._progress(record)
        previous = train if self.train is None else self.train
        # Noise makes ranks creep up for ever: only a visible step counts as progress.
        progress = findings.error < 0.7 * self._best or sum(train.bond_dims) > 1.02 * self._size
        self._idle = 0 if progress else self._idle + 1
        self._size = max(self._size, sum(train.bond_dims))
        if findings.error <= max(self._best, self._target):
            self._best, self.train = min(self._best, findings.error), train
        return previous

    def _probe(self, train: TensorTrain, *, count: int) -> Findings:
        samples = self._probes.seen(count // 2)
        return self._probes.compare(train, samples, self._probes.fresh(count), tol=self._target)

    def _enrich(self, worst: IntArray) -> None:
        rank = int(self._ranks.max(initial=1))
        self._cross.insert(worst[: max(2, rank // 10)])

    def _limit(self, train: TensorTrain, error: float) -> Outcome | None:
        """Outcome of a search that cannot get better, or a finer tolerance to go on with."""
        rank = int(self._ranks.max(initial=1))
        if rank > self._max_rank:
            lost = round_train(train, tol=0.0, max_rank=self._max_rank)[1]
            if lost > 2.0 * self._target and error < 0.5 * lost:
                return Outcome.RANK_CAP
        if rank >= self._cross.max_rank:
            return Outcome.RANK_CAP if self._idle >= 1 else None
        if self._idle >= _PATIENCE:
            return Outcome.STAGNATED
        if error > self._target and (self._idle >= 1 or not self._cross.alarmed):
            self._tighten()
        return None

    def _tighten(self) -> None:
        self._cross.tol = min(self._cross.tol, max(0.3 * self._cross.tol, self._floor))

    def _examine(self, train: TensorTrain, previous: TensorTrain) -> Outcome | None:
        """Converged if many fresh probes and the change since the last train say so."""
        size = int(np.clip(self._function.evaluations // 8, 300, 10_000))
        findings = self._probe(train, count=size)
        if findings.error > self._target:
            self._enrich(findings.worst)
            return None
        # A train can be right on all samples and wrong elsewhere; where it still changes is where.
        if relative_distance(previous, train) > self._target:
            points = sample_squared(subtract(train, previous), 100, self._rng)
            found = self._probes.compare(train, self._probes.seen(0), points, tol=self._target)
            if len(found.worst):
                self._enrich(found.worst)
                self._tighten()
                return None
        return Outcome.CONVERGED

    def _seeds(self) -> IntArray:
        """Samples with large values that differ much from one another."""
        samples = self._probes.seen(_SEED_CANDIDATES)
        samples = samples[first_occurrences(self._function.keys(samples))]
        sizes = np.abs(self._function(samples)).max(axis=1)
        if not np.any(sizes):
            raise SettingsError(
                f"the function is zero on all of {len(samples)} samples; "
                "give samples where it is not"
            )
        chosen = [int(np.argmax(sizes))]
        while len(chosen) < min(_SEEDS, len(samples)):
            distance = (samples[:, None] != samples[chosen]).mean(axis=2).min(axis=1)
            weight = sizes * distance
            if not np.any(weight):
                break
            chosen.append(int(np.argmax(weight)))
        return samples[chosen]
