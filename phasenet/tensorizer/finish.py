"""What can still be done for a construction that could not converge."""

from dataclasses import replace

import numpy as np

from phasenet.seeds import stream
from phasenet.tensorizer.construction import Construction
from phasenet.tensorizer.function import BudgetSpentError
from phasenet.tensorizer.pivots import IntArray
from phasenet.tensorizer.polish import group_weights, polish
from phasenet.tensorizer.probes import Reference, uniform
from phasenet.tensorizer.problem import Problem
from phasenet.trains.canonical import round_train
from phasenet.trains.train import TensorTrain

_JUDGES = 256
_SAMPLES = 8000
_UNIFORM = 20_000
_DATA_SHARE = 0.5
# Multiplications of one pass, (points) x (bond)^2 x (site) x (output): about two seconds.
_WORK = 1e9


def harmless(found: Construction, problem: Problem) -> Construction:
    """Construction of smaller rank where the train is no closer to the function than zero is.

    An interpolation of far too small a rank can be of any size off its pivots. Its stated error on
    samples decides, and nothing is touched where that is below 1.
    """
    error, best = problem.data.error(found.train, otherwise=found.size), found
    rank = max(found.train.bond_dims, default=1)
    while error > 1.0 and rank > 1:
        rank //= 2
        train, lost = round_train(found.train, tol=0.0, max_rank=rank)
        smaller = problem.data.error(train, otherwise=found.size)
        if smaller < error:
            error, steps = smaller, (*found.steps, f"back to rank {rank}")
            best = replace(found, train=train, lost=lost, steps=steps)
    return best


def regressed(found: Construction, problem: Problem, *, max_rank: int, seed: int) -> Construction:
    """Construction whose cores are fitted on parts of samples, where that lowers the error.

    One train comes from all pivots and is rounded; another has no more pivots than wanted, because
    rounding, which weighs all configurations alike, can spoil what is right on samples. The best
    on other samples and on uniform configurations is kept.

    Parameters
    ----------
    found
        Cross interpolation to start from.
    problem
        Function and samples.
    max_rank
        Largest bond wanted.
    seed
        Seed of the uniform configurations.
    """
    assert found.search is not None
    function, columns = problem.function, 2 * max_rank
    judges = _affordable(problem, problem.samples[columns:][:_JUDGES], function.left // 8)
    rng = stream(seed, "tensorizer", "regression")
    spread = uniform(function.space.site_dims, len(judges), rng)
    spread = _affordable(problem, spread, function.left // 8)
    if len(judges) == 0 or len(spread) == 0:
        return found
    data, other = (Reference(points=p, values=function(p)) for p in (judges, spread))

    def error_of(train: TensorTrain) -> float:
        # Samples are what the train is for, so their error counts twice.
        errors = (reference.error(train, otherwise=found.size) for reference in (data, data, other))
        return sum(errors)

    error, best = error_of(found.train), found
    assert found.search.train is not None
    if error_of(found.search.train) < 0.5 * error:
        # The pivots know better: what is wrong comes from rounding, which samples cannot mend.
        return found
    bonds, dims = (*found.train.bond_dims, 1), found.train.site_dims
    rows = sum(bond * dim for bond, dim in zip(bonds, dims, strict=True))
    for rank in sorted({max_rank, found.search.working_rank}):
        # Half of what is left pays for the columns of all samples together.
        affordable = function.left * max_rank // (2 * rows * rank)
        count = min(columns, len(problem.samples), affordable)
        if count == 0:
            break
        try:
            train = found.search.regression(problem.samples[:count], max_rank=rank)
        except BudgetSpentError:
            break
        train, lost = round_train(train, tol=0.0, max_rank=max_rank)
        if error_of(train) < error:
            error, steps = error_of(train), (*found.steps, f"regression on {count} samples")
            best = replace(found, train=train, lost=max(lost, found.lost), steps=steps)
    return best


def fitted(found: Construction, problem: Problem, *, seed: int) -> Construction:
    """Construction whose train, of the same bonds, is closer to the function on samples.

    Half of the weight is on samples, half on uniform configurations and, in a chain so short that
    they are a fair part of all configurations, on those of the cross interpolation. Uses what is
    left of the evaluations; where nothing better is found, the construction comes back as it was.

    Parameters
    ----------
    found
        Construction to start from.
    problem
        Function and samples.
    seed
        Seed of the uniform configurations and of the fit.
    """
    function = problem.function
    groups = _groups(found, problem, seed)
    values = [function(group) for group in groups]
    others = sum(len(group) for group in groups[1:])
    if others == 0 or not values[0].any():
        return found
    shares = [_DATA_SHARE, *((1 - _DATA_SHARE) * len(group) / others for group in groups[1:])]
    targets = np.concatenate(values)
    fit = polish(
        found.train,
        np.concatenate(groups),
        targets if function.vector_valued else targets[:, 0],
        weights=group_weights(values, shares),
        seed=seed,
    )
    if not fit.error_after < fit.error_before:
        return found
    step = f"least squares on {len(groups[0])} samples and {others} other configurations"
    return replace(found, train=fit.train, steps=(*found.steps, step))


def _groups(found: Construction, problem: Problem, seed: int) -> list[IntArray]:
    """Samples, then other configurations, none of them empty but perhaps the first."""
    train, function = found.train, problem.function
    bond, dims = max(train.bond_dims, default=1), train.site_dims
    most = max(256, int(_WORK / (bond**2 * train.length * function.outputs)))
    samples = problem.samples[: min(_SAMPLES, most // 2)]
    configurations = float(np.prod(np.asarray(dims, dtype=float)))
    wanted = max(len(samples), configurations / 4)
    count = int(min(wanted, _UNIFORM, most // 2, function.evaluations))
    samples = _affordable(problem, samples, function.left // 2)
    spent = int(np.count_nonzero(~function.known(samples)))
    spread = uniform(dims, count, stream(seed, "tensorizer", "finish"))
    groups = [samples, _affordable(problem, spread, function.left - spent)]
    if configurations <= 16 * _UNIFORM:
        assert found.search is not None
        groups.append(found.search.evaluated())
    return [groups[0], *(group for group in groups[1:] if len(group))]


def _affordable(problem: Problem, points: IntArray, evaluations: int) -> IntArray:
    """Leading points that can be evaluated without going over a budget."""
    new = np.cumsum(~problem.function.known(points))
    return points[new <= evaluations]
