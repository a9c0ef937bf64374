"""The search: half sweeps and probes in turn until the train has earned an outcome."""

from collections.abc import Callable

import numpy as np

from phasenet.seeds import stream
from phasenet.tensorizer.cross import Cross
from phasenet.tensorizer.function import BudgetSpentError, CountedFunction
from phasenet.tensorizer.pivots import IntArray
from phasenet.tensorizer.probes import Findings, Probes, squares, uniform
from phasenet.tensorizer.problem import Problem, zero_on
from phasenet.tensorizer.result import HalfSweep, Outcome
from phasenet.trains.arithmetic import subtract
from phasenet.trains.born import sample_born
from phasenet.trains.canonical import round_train
from phasenet.trains.inner import relative_distance
from phasenet.trains.train import FloatArray, TensorTrain

_HALF_SWEEPS = 60
_PATIENCE = 10
_SEEDS = 2
_DENSE_STATES = 12
_SEED_CANDIDATES = 64
_OVERSAMPLING = 2.0
# A function is thin if it vanishes on more than half of the samples.
_THIN = 0.5
_THIN_EXAM = 2000
_THIN_QUIET = 2
_BLIND_EVALUATIONS = 6000


class Search:
    """Construction in progress: pivots, probes, the best train so far and the history.

    Parameters
    ----------
    problem
        Function, samples and tolerance.
    max_rank
        Largest bond wanted in the end; the search works with more.
    seed
        Seed of all random choices.
    progress
        Called with each record of the history.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        max_rank: int,
        seed: int,
        progress: Callable[[HalfSweep], object] | None,
    ) -> None:
        self.train: TensorTrain | None = None
        self.history: list[HalfSweep] = []
        self._problem = problem
        self._function = problem.function
        self._target = 0.5 * problem.tol
        self._max_rank = max_rank
        self._progress = progress
        self._rng = stream(seed, "tensorizer", "difference")
        self._probes = Probes(
            problem.function, samples=problem.samples, rng=stream(seed, "tensorizer", "probes")
        )
        # A sparse function hides from the parts of a seed that do not belong together: two seeds.
        # Elsewhere the first half sweep finds all the more the more columns it starts with.
        dense = problem.spread.lit >= _THIN
        count = max(_SEEDS, _DENSE_STATES // max(problem.function.space.site_dims) * dense)
        seeds = _seeds(self._probes, problem.function, count, dense=dense)
        self._cross = Cross(
            problem.function,
            seeds=seeds,
            size=self._probes.size,
            tol=0.1 * problem.tol,
            alarm=problem.tol,
            max_rank=self._working_rank(max_rank),
            rng=stream(seed, "tensorizer", "tests"),
        )
        self._dense = dense and self._probes.lit >= _THIN
        self._floor = 4.0 * problem.function.precision
        self._best = np.inf
        self._verified = 0
        self._idle = 0
        self._largest = 0

    @property
    def size(self) -> float:
        """Root mean square of the function on the samples."""
        return self._probes.size

    @property
    def steps(self) -> tuple[str, ...]:
        """What was done, one phrase each."""
        charges = self._function.space.charges
        rank = max((max(sweep.ranks, default=1) for sweep in self.history), default=1)
        found = [f"cross interpolation up to rank {rank}"]
        if charges.count:
            found.append(f"conserved {charges}")
        return tuple(found)

    def evaluated(self) -> IntArray:
        """Return the configurations at which the interpolation knows the function."""
        return self._cross.evaluated()

    def regression(self, samples: IntArray, *, max_rank: int) -> TensorTrain:
        """Return the train of the present pivots, fitted on samples as well."""
        forward = len(self.history) % 2 == 0
        return self._cross.regression(samples, forward=forward, max_rank=max_rank)

    @property
    def working_rank(self) -> int:
        """Largest number of pivots of a cut."""
        return self._cross.max_rank

    def run(self) -> Outcome:
        """Return the outcome; the best train is left in ``train``."""
        try:
            for number in range(_HALF_SWEEPS):
                outcome = self._advance(number)
                if outcome is not None:
                    return outcome
        except BudgetSpentError:
            return Outcome.BUDGET_SPENT
        except KeyboardInterrupt:
            if self.train is None:
                raise
            return Outcome.INTERRUPTED
        return Outcome.STAGNATED

    def _advance(self, number: int) -> Outcome | None:
        """One half sweep, its probes, and what follows from them."""
        thin = self._probes.lit < _THIN
        if thin:
            self._cross.offer(self._blind_columns())
        train = self._cross.half_sweep(
            forward=number % 2 == 0, thoroughness=2 if self._verified else 1
        )
        findings, errors = self._probe(
            train, int(np.clip(self._function.evaluations // 75, 24, 512))
        )
        previous = self._record(train, findings, errors)
        if findings.error > self._target or self._cross.alarmed:
            self._verified = 0
            self._enrich(findings.worst)
            return self._limit(train, findings.error)
        self._verified += 1
        if self._verified <= (_THIN_QUIET if thin else int(self._unsure)):
            return None
        self._verified = 0
        return self._examine(train, previous)

    @property
    def _unsure(self) -> bool:
        """Whether tests have left pairs out that no exam on uniform configurations can see."""
        return not (self._dense or self._cross.complete)

    def _working_rank(self, max_rank: int) -> int:
        """Rank to work with: more than wanted in the end, as far as the budget allows."""
        dims = self._function.space.site_dims
        largest = max(max_rank, int(_OVERSAMPLING * max_rank))
        # A search that ends at its rank cap costs about twice the blocks of its last half sweep.
        while largest > max_rank and 2 * _block_entries(dims, largest) > self._function.left:
            largest = max(max_rank, int(0.95 * largest))
        return largest

    def _record(
        self, train: TensorTrain, findings: Findings, errors: tuple[float, float]
    ) -> TensorTrain:
        """Enter a half sweep into the history and keep its train if it is the best so far.

        Returns the train that was the best before.
        """
        record = HalfSweep(
            ranks=train.bond_dims,
            probe_error=findings.error,
            data_error=errors[0],
            uniform_error=errors[1],
            evaluations=self._function.evaluations,
        )
        previous = train if self.train is None else self.train
        # Noise makes ranks creep up for ever: only a visible step counts as progress.
        progress = findings.error < 0.7 * self._best or sum(train.bond_dims) > 1.02 * self._largest
        self._idle = 0 if progress else self._idle + 1
        self._largest = max(self._largest, sum(train.bond_dims))
        if findings.error <= max(self._best, self._target):
            self._best, self.train = min(self._best, findings.error), train
        self.history.append(record)
        if self._progress is not None:
            self._progress(record)
        return previous

    def _probe(self, train: TensorTrain, count: int) -> tuple[Findings, tuple[float, float]]:
        """Compare with some more samples and as many other configurations.

        Also returns the errors on the held-out samples and uniform configurations.
        """
        samples = self._probes.seen(count)
        others = self._probes.fresh(count, self._cross.prefixes, self._cross.suffixes)
        data, spread = self._problem.data, self._problem.spread
        # One call for all of them: its cost is the number of sites, hardly that of points.
        values = train(np.concatenate((samples, others, data.points, spread.points)))
        probes, held_out, uniform_ = np.split(
            values, np.cumsum((len(samples) + len(others), len(data.points)))
        )
        findings = self._probes.compare(probes, samples, others, tol=self._target)
        errors = (
            data.error_of(held_out, otherwise=self.size),
            spread.error_of(uniform_, otherwise=self.size),
        )
        return findings, errors

    def _enrich(self, worst: IntArray) -> None:
        rank, before = (
            max(sweep.ranks, default=1) for sweep in (self.history[-1], self.history[-2:][0])
        )
        # A rank that doubles has met the end of its columns, not of the function.
        growing = len(self.history) < 2 or rank > 1.8 * before
        self._cross.offer(worst[: max(2, rank if growing and self._dense else rank // 10)])

    def _limit(self, train: TensorTrain, error: float) -> Outcome | None:
        """Outcome of a search that cannot get better, or a finer tolerance to go on with."""
        rank = max(train.bond_dims, default=1)
        if rank > self._max_rank:
            lost = round_train(train, tol=0.0, max_rank=self._max_rank)[1]
            if lost > 2.0 * self._target and error < 0.5 * lost:
                return Outcome.RANK_CAP
        if rank >= self._cross.max_rank:
            return Outcome.RANK_CAP if self._idle >= 1 else None
        if self._idle >= _PATIENCE:
            return Outcome.STAGNATED
        if error > self._target and (self._idle >= 2 or not self._cross.alarmed):
            self._tighten(error)
        return None

    def _tighten(self, error: float) -> None:
        factor = float(np.clip(0.5 * self._target / error, 0.1, 0.5))
        self._cross.tol = min(self._cross.tol, max(factor * self._cross.tol, self._floor))

    def _examine(self, train: TensorTrain, previous: TensorTrain) -> Outcome | None:
        """Converged if many fresh probes and the change since the last train say so."""
        size = int(np.clip(self._function.evaluations // 40, 150, 10_000))
        if self._probes.lit < _THIN:
            size = max(size, int(min(size / self._probes.lit, _THIN_EXAM)))
        findings, errors = self._probe(train, size)
        if findings.error > self._target:
            self._enrich(findings.worst)
            return None
        if max(errors) > self._problem.tol:
            # Uniform configurations count on their own scale, which can be far below the data's.
            self._tighten(max(errors))
            return None
        # A train can be right on all samples and wrong elsewhere; where it still changes is where.
        if self._unsure and relative_distance(previous, train) > self._target:
            points, _ = sample_born(subtract(train, previous), 100, self._rng)
            found = self._probes.compare(train(points), points[:0], points, tol=self._target)
            if len(found.worst):
                self._enrich(found.worst)
                self._tighten(self._target)
                return None
        return Outcome.CONVERGED

    def _blind_columns(self) -> IntArray:
        """Configurations at the corners, and once tests pass, others at random.

        Where most samples see nothing, the neighbours of pivots see too little as well.
        """
        dims = self._function.space.site_dims
        last = np.asarray(dims, dtype=np.int64) - 1
        corners = np.stack((np.zeros_like(last), last))
        if self._cross.alarmed or not self.history:
            return corners
        rows = sum(rank * dim for rank, dim in zip(self.history[-1].ranks, dims, strict=False))
        count = int(np.clip(_BLIND_EVALUATIONS // rows, 4, 64))
        return np.concatenate((corners, uniform(dims, count, self._rng)))


def _seeds(probes: Probes, function: CountedFunction, count: int, *, dense: bool) -> IntArray:
    """Samples with large values that differ much from one another."""
    samples, sizes = _candidates(probes, function, dense=dense)
    chosen = [int(np.argmax(sizes))]
    while len(chosen) < min(count, len(samples)):
        distance = (samples[:, None] != samples[chosen]).mean(axis=2).min(axis=1)
        weight = sizes * distance
        if not np.any(weight):
            break
        chosen.append(int(np.argmax(weight)))
    return samples[chosen]


def _candidates(
    probes: Probes, function: CountedFunction, *, dense: bool
) -> tuple[IntArray, FloatArray]:
    """Samples, as many as it takes to see where the function is not zero, and its sizes.

    Where one sample outweighs all others, larger values are to be expected among the next ones.
    """
    more, taken = _SEED_CANDIDATES, probes.first(0)
    while True:
        taken = probes.first(len(taken) + more)
        weights = squares(function(taken))
        if weights.any() and (not dense or probes.exhausted or 2 * weights.max() < weights.sum()):
            return taken, np.sqrt(weights)
        if probes.exhausted:
            raise zero_on(probes.total)
        more *= 2


def _block_entries(dims: tuple[int, ...], rank: int) -> int:
    """Entries of all blocks (bond, site, bond) of a train whose bonds are as large as they can."""
    left = [1]
    for dim in dims[:-1]:
        left.append(min(rank, left[-1] * dim))
    right = [1]
    for dim in dims[:0:-1]:
        right.append(min(rank, right[-1] * dim))
    bonds = [min(pair) for pair in zip([*left, 1], [1, *right][::-1], strict=True)]
    return sum(a * dim * b for a, dim, b in zip(bonds[:-1], dims, bonds[1:], strict=True))
