"""The public call: black box in, train and error estimates out."""

import dataclasses
import logging
from collections.abc import Callable, Sequence

import numpy as np

from phasenet.errors import SettingsError
from phasenet.seeds import stream
from phasenet.tensorizer.function import BatchFunction, CountedFunction
from phasenet.tensorizer.pivots import IntArray
from phasenet.tensorizer.probes import uniform
from phasenet.tensorizer.result import HalfSweep, Outcome, Tensorization
from phasenet.tensorizer.search import Search
from phasenet.trains.canonical import round_train
from phasenet.trains.train import Array, TensorTrain, check_configurations

_log = logging.getLogger(__name__)

_HELD_OUT = 512
_UNIFORM = 256
_NOISE_EPSILONS = 64.0


def tensorize(
    function: BatchFunction,
    *,
    samples: Array,
    site_dims: Sequence[int],
    tol: float = 1e-6,
    max_rank: int = 64,
    seed: int = 0,
    max_evaluations: int = 2_000_000,
    batch_size: int = 8192,
    progress: Callable[[HalfSweep], object] | None = None,
) -> Tensorization:
    """Turn a function of local states into a tensor train, by evaluating it where it matters.

    Parameters
    ----------
    function
        Function of integers of shape (shots, length), with values of shape (shots,) or
        (shots, outputs). All outputs share the bonds of the train.
    samples
        Integers of shape (shots, length) from the distribution on which the train has to be
        right; some are held out to measure the error.
    site_dims
        Local dimension of each site.
    tol
        Largest relative L2 error, lifted to the rounding noise of the function if that is larger.
    max_rank
        Largest bond dimension of the result.
    seed
        Seed of all random choices; the same inputs give the same train.
    max_evaluations
        Largest number of distinct configurations at which the function is evaluated.
    batch_size
        Largest number of configurations in one call of the function.
    progress
        Called with the record of each half sweep.

    Returns
    -------
    Train, outcome and measured errors; reaching a limit is an outcome, not an exception.

    >>> samples = np.random.default_rng(0).integers(2, size=(200, 10))
    >>> found = tensorize(lambda x: np.cos(x.sum(axis=1)), samples=samples, site_dims=[2] * 10)
    >>> print(max(found.train.bond_dims), found.outcome.name, f"{found.data_error < 1e-12}")
    2 CONVERGED True
    """
    _check_settings(tol, max_rank, max_evaluations, batch_size)
    build, held_out = _split(_checked_samples(samples, site_dims), max_evaluations, seed)
    counted = CountedFunction(
        function,
        site_dims=site_dims,
        max_evaluations=max_evaluations,
        batch_size=batch_size,
        seed=seed,
    )
    # Evaluated first, so that a spent budget leaves no result without its errors.
    data = _Reference(points=held_out, values=counted(held_out))
    spread = _uniform_reference(counted, min(_UNIFORM, max_evaluations // 8), seed)
    working_tol = max(tol, _NOISE_EPSILONS * counted.precision)
    search = Search(
        counted, samples=build, tol=working_tol, max_rank=max_rank, seed=seed, progress=progress
    )
    outcome = search.run()
    if search.train is None:
        raise SettingsError(
            f"max_evaluations={max_evaluations} ends within the first half sweep; raise it"
        )
    train, lost = round_train(search.train, tol=0.1 * working_tol, max_rank=max_rank)
    result = Tensorization(
        train=train,
        outcome=outcome,
        data_error=data.error(train),
        uniform_error=spread.error(train, otherwise=data.size),
        tol=working_tol,
        evaluations=counted.evaluations,
        history=tuple(search.history),
    )
    result = dataclasses.replace(result, outcome=_earned(result, lost, lifted=working_tol > tol))
    _log.info("%s", result)
    return result


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Reference:
    """Configurations kept away from the construction, and the function there."""

    points: IntArray
    values: Array

    @property
    def size(self) -> float:
        """Root mean square of the function."""
        return float(np.linalg.norm(self.values) / np.sqrt(len(self.points)))

    def error(self, train: TensorTrain, *, otherwise: float = 0.0) -> float:
        """Relative L2 error of a train; relative to another size where the function is zero."""
        values = train(self.points).reshape(self.values.shape)
        difference = float(np.linalg.norm(values - self.values)) / np.sqrt(len(self.points))
        size = self.size or otherwise
        return float(difference / size) if size > 0.0 else float(difference > 0.0)


def _uniform_reference(function: CountedFunction, shots: int, seed: int) -> _Reference:
    points = uniform(function.site_dims, shots, stream(seed, "tensorizer", "uniform"))
    return _Reference(points=points, values=function(points))


def _earned(result: Tensorization, lost: float, *, lifted: bool) -> Outcome:
    """Outcome of the search, checked against the held-out samples and the rounding."""
    accurate = result.data_error <= result.tol and lost <= result.tol
    if result.outcome is Outcome.STAGNATED and lifted and accurate:
        return Outcome.NOISE_FLOOR
    if result.outcome is not Outcome.CONVERGED:
        return result.outcome
    if lost > result.tol:
        return Outcome.RANK_CAP
    if result.data_error > result.tol:
        return Outcome.STAGNATED
    return Outcome.NOISE_FLOOR if lifted else Outcome.CONVERGED


def _split(samples: IntArray, max_evaluations: int, seed: int) -> tuple[IntArray, IntArray]:
    """Samples for the construction and samples held out from it."""
    order = stream(seed, "tensorizer", "split").permutation(len(samples))
    count = max(1, min(_HELD_OUT, len(samples) // 4, max_evaluations // 8))
    return samples[order[count:]], samples[order[:count]]


def _checked_samples(samples: Array, site_dims: Sequence[int]) -> IntArray:
    if len(site_dims) == 0 or min(site_dims) < 1:
        raise SettingsError(f"site_dims is {list(site_dims)}; every site needs at least one state")
    checked = check_configurations(samples, site_dims)
    if len(checked) < 2:
        raise SettingsError(
            f"there are {len(checked)} samples; wanted at least 2, of which one is held out"
        )
    return checked.astype(np.int64)


def _check_settings(tol: float, max_rank: int, max_evaluations: int, batch_size: int) -> None:
    if not 0.0 < tol < 1.0:
        raise SettingsError(f"tol is {tol}; wanted a number between 0 and 1")
    for name, value, least in (
        ("max_rank", max_rank, 1),
        ("max_evaluations", max_evaluations, 16),
        ("batch_size", batch_size, 1),
    ):
        if value < least:
            raise SettingsError(f"{name} is {value}; wanted at least {least}")
