"""The public call: black box in, train and error estimates out."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import get_args

from phasenet.errors import SettingsError
from phasenet.settings import Method
from phasenet.tensorizer.charges import Charges
from phasenet.tensorizer.construction import Construction
from phasenet.tensorizer.finish import fitted, harmless, regressed
from phasenet.tensorizer.function import BatchFunction, ChargeBrokenError
from phasenet.tensorizer.problem import Problem, broken, prepare
from phasenet.tensorizer.result import HalfSweep, Outcome, Tensorization
from phasenet.tensorizer.search import Search
from phasenet.tensorizer.sketched import sketched
from phasenet.trains.canonical import round_train
from phasenet.trains.train import Array

_UNFINISHED = (Outcome.RANK_CAP, Outcome.STAGNATED, Outcome.BUDGET_SPENT)
_log = logging.getLogger(__name__)


def tensorize(
    function: BatchFunction,
    *,
    samples: Array,
    site_dims: Sequence[int],
    tol: float = 1e-6,
    max_rank: int = 64,
    seed: int = 0,
    method: Method = "auto",
    charges: Charges | None = None,
    max_evaluations: int = 2_000_000,
    batch_bytes: int = 2**24,
    progress: Callable[[HalfSweep], object] | None = None,
) -> Tensorization:
    """Turn a function of local states into a tensor train, by evaluating it where it matters.

    Parameters
    ----------
    function
        Function of integers of shape (shots, length), with values of shape (shots,) or
        (shots, outputs). All outputs share the bonds of the train. A
        :class:`~phasenet.tensorizer.function.SplitFunction` is evaluated piece by piece.
    samples
        Integers of shape (shots, length) from the distribution on which the train has to be
        right. The first 64 are tried as pivots, so a known point of a narrow peak goes there;
        of the others some are held out to measure the error.
    site_dims
        Local dimension of each site.
    tol
        Largest relative L2 error, lifted to the rounding noise of the function if that is larger.
    max_rank
        Largest bond dimension of the result.
    seed
        Seed of all random choices; the same inputs give the same train.
    method
        ``"cross"``: cross interpolation. ``"sketch"``: TT-RSS, which takes its pivots from the
        samples. ``"auto"``: cross interpolation, then least squares on samples where the rank or
        the evaluations did not suffice.
    charges
        Charges outside whose sector the function is zero. By default they are looked for in the
        samples and tested; ``Charges.none(site_dims)`` forbids that.
    max_evaluations
        Largest number of distinct configurations at which the function is evaluated.
    batch_bytes
        Largest size of the configurations in one call of the function.
    progress
        Called with the record of each half sweep.

    Returns
    -------
    Train, outcome and measured errors; reaching a limit is an outcome, not an exception, and so is
    Ctrl-C once there is a train.

    >>> import numpy as np
    >>> samples = np.random.default_rng(0).integers(2, size=(200, 10))
    >>> found = tensorize(lambda x: np.cos(x.sum(axis=1)), samples=samples, site_dims=[2] * 10)
    >>> print(max(found.train.bond_dims), found.outcome.name, f"{found.data_error < 1e-12}")
    2 CONVERGED True
    """
    start = time.perf_counter()
    _check_settings(tol, max_rank, max_evaluations, batch_bytes, method)
    problem = prepare(
        function,
        samples=samples,
        site_dims=site_dims,
        tol=tol,
        charges=charges,
        max_evaluations=max_evaluations,
        batch_bytes=batch_bytes,
        seed=seed,
    )
    if method == "sketch":
        found = sketched(problem, function, max_rank=max_rank, seed=seed)
    else:
        try:
            found = _crossed(problem, method, max_rank, seed, progress)
        except ChargeBrokenError:
            if charges is not None:
                raise broken(charges) from None
            # A probe has refuted the charges that samples suggested; what is known stays known.
            problem.function.space.charges = Charges.none(site_dims)
            found = _crossed(problem, method, max_rank, seed, progress)
    found = harmless(found, problem)
    data_error = problem.data.error(found.train, otherwise=found.size)
    result = Tensorization(
        train=found.train,
        outcome=_earned(found, data_error, problem),
        data_error=data_error,
        uniform_error=problem.spread.error(found.train, otherwise=found.size),
        tol=problem.tol,
        evaluations=problem.function.evaluations,
        seconds=time.perf_counter() - start,
        steps=found.steps,
        history=found.history,
    )
    _log.info("%s", result)
    return result


def _crossed(
    problem: Problem,
    method: Method,
    max_rank: int,
    seed: int,
    progress: Callable[[HalfSweep], object] | None,
) -> Construction:
    """Cross interpolation, rounded to the rank wanted, and what follows where that is too small."""
    search = Search(problem, max_rank=max_rank, seed=seed, progress=progress)
    outcome = search.run()
    if search.train is None:
        raise SettingsError(
            f"max_evaluations={problem.function.max_evaluations} ends within the first half sweep; "
            "raise it"
        )
    train, lost = round_train(search.train, tol=0.1 * problem.tol, max_rank=max_rank)
    found = Construction(
        train=train,
        outcome=outcome,
        lost=lost,
        size=search.size,
        search=search,
        steps=search.steps,
        history=tuple(search.history),
    )
    if method == "auto" and (outcome in _UNFINISHED or lost > problem.tol):
        return _fitted(found, problem, max_rank, seed)
    return found


def _fitted(found: Construction, problem: Problem, max_rank: int, seed: int) -> Construction:
    """Regression and least squares on samples, as long as the user has patience."""
    try:
        found = regressed(found, problem, max_rank=max_rank, seed=seed)
        return fitted(found, problem, seed=seed)
    except KeyboardInterrupt:
        return replace(found, outcome=Outcome.INTERRUPTED)


def _earned(found: Construction, data_error: float, problem: Problem) -> Outcome:
    """Outcome of a construction, checked against the held-out samples and the rounding."""
    accurate = data_error <= problem.tol and found.lost <= problem.tol
    if found.outcome is Outcome.STAGNATED and problem.lifted and accurate:
        return Outcome.NOISE_FLOOR
    if found.outcome not in (Outcome.CONVERGED, Outcome.STAGNATED):
        return found.outcome
    if found.lost > problem.tol:
        return Outcome.RANK_CAP
    if found.outcome is Outcome.STAGNATED:
        return Outcome.STAGNATED
    if data_error > problem.tol:
        return Outcome.STAGNATED
    return Outcome.NOISE_FLOOR if problem.lifted else Outcome.CONVERGED


def _check_settings(
    tol: float, max_rank: int, max_evaluations: int, batch_bytes: int, method: Method
) -> None:
    if method not in get_args(Method):
        raise SettingsError(f"method is {method!r}; known: {', '.join(get_args(Method))}")
    if not 0.0 < tol < 1.0:
        raise SettingsError(f"tol is {tol}; wanted a number between 0 and 1")
    for name, value, least in (
        ("max_rank", max_rank, 1),
        ("max_evaluations", max_evaluations, 16),
        ("batch_bytes", batch_bytes, 1),
    ):
        if value < least:
            raise SettingsError(f"{name} is {value}; wanted at least {least}")
