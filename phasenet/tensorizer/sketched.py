"""TT-RSS as one of the methods of the public call."""

import numpy as np

from phasenet.errors import SettingsError
from phasenet.tensorizer.construction import Construction
from phasenet.tensorizer.function import BatchFunction, BudgetSpentError, SplitFunction
from phasenet.tensorizer.pivots import IntArray
from phasenet.tensorizer.probes import squares
from phasenet.tensorizer.problem import Problem, zero_on
from phasenet.tensorizer.result import HalfSweep, Outcome
from phasenet.tensorizer.sketch import sketch
from phasenet.trains.train import Array

_PIVOTS = 200


def sketched(
    problem: Problem, function: BatchFunction, *, max_rank: int, seed: int
) -> Construction:
    """Construction by :func:`~phasenet.tensorizer.sketch.sketch` from the samples of a problem.

    Parameters
    ----------
    problem
        Function and samples; the first 200, or three for each bond state, are the pivots.
    function
        The function as the user gave it; a structured one is evaluated by its parts.
    max_rank, seed
        As in :func:`phasenet.tensorize`.
    """
    counted = problem.function
    samples = problem.samples[: max(_PIVOTS, 3 * max_rank)]

    size = float(np.sqrt(squares(counted(samples)).mean()))
    if size == 0.0:
        raise zero_on(len(samples))

    def remembered(configurations: IntArray) -> Array:
        values = counted(configurations)
        return values if counted.vector_valued else values[:, 0]

    structured = isinstance(function, SplitFunction)
    try:
        found = sketch(
            function if structured else remembered,
            samples=samples,
            site_dims=counted.space.site_dims,
            tol=problem.tol,
            max_rank=max_rank,
            seed=seed,
        )
    except BudgetSpentError:
        raise SettingsError(
            f"max_evaluations={counted.max_evaluations} does not suffice for a sketch from "
            f"{len(samples)} samples; raise it or give fewer samples"
        ) from None
    if structured:
        counted.evaluations += found.evaluations
    record = HalfSweep(
        ranks=found.train.bond_dims,
        probe_error=found.spliced_error,
        data_error=problem.data.error(found.train, otherwise=size),
        uniform_error=problem.spread.error(found.train, otherwise=size),
        evaluations=counted.evaluations,
    )
    repaired = sum(count > 0 for count in found.added)
    wrong = max(record.data_error, record.uniform_error) > problem.tol
    capped = max(found.train.bond_dims, default=1) >= max_rank
    outcome = Outcome.RANK_CAP if capped else Outcome.STAGNATED
    return Construction(
        train=found.train,
        outcome=outcome if wrong else Outcome.CONVERGED,
        lost=0.0,
        size=size,
        search=None,
        steps=(f"sketch from {len(samples)} samples, {repaired} cuts repaired",),
        history=(record,),
    )
