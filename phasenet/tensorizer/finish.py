"""The last step of a construction that could not converge: rounding, then least squares."""

from dataclasses import dataclass

import numpy as np

from phasenet.seeds import stream
from phasenet.tensorizer.pivots import IntArray
from phasenet.tensorizer.polish import group_weights, polish
from phasenet.tensorizer.probes import uniform
from phasenet.tensorizer.problem import Problem
from phasenet.trains.train import TensorTrain

_SAMPLES = 8000
_UNIFORM = 20_000
_DATA_SHARE = 0.5
# Multiplications of one pass, (points) x (bond)^2 x (site) x (output): about two seconds.
_WORK = 1e9


@dataclass(frozen=True, kw_only=True, eq=False)
class Finished:
    """Train after least squares, and one phrase on what was done."""

    train: TensorTrain
    step: str


def fitted(
    train: TensorTrain, problem: Problem, evaluated: IntArray, *, seed: int
) -> Finished | None:
    """Train of the same bonds that is closer to the function on samples; None if none was found.

    Half of the weight is on samples, half on uniform configurations and, in a chain so short that
    they are a fair part of all configurations, on those of the cross interpolation. Uses what is
    left of the evaluations.

    Parameters
    ----------
    train
        Train to start from.
    problem
        Function and samples.
    evaluated
        Configurations at which the cross interpolation knows the function.
    seed
        Seed of the uniform configurations and of the fit.
    """
    function, dims = problem.function, train.site_dims
    bond = max(train.bond_dims, default=1)
    most = max(256, int(_WORK / (bond**2 * train.length * function.outputs)))
    samples = problem.samples[: min(_SAMPLES, most // 2)]
    configurations = float(np.prod(np.asarray(dims, dtype=float)))
    count = int(min(max(len(samples), configurations / 4), _UNIFORM, most // 2))
    groups = [_affordable(problem, samples, function.left // 2)]
    values = [function(groups[0])]
    rng = stream(seed, "tensorizer", "finish")
    groups.append(_affordable(problem, uniform(dims, count, rng), function.left))
    if configurations <= 16 * _UNIFORM:
        groups.append(evaluated)
    groups = [group for group in groups if len(group)]
    values += [function(group) for group in groups[1:]]
    others = sum(len(group) for group in groups[1:])
    shares = [_DATA_SHARE, *((1 - _DATA_SHARE) * len(group) / others for group in groups[1:])]
    if others == 0 or not values[0].any():
        return None
    fit = polish(
        train,
        np.concatenate(groups),
        np.concatenate(values) if train.outputs is not None else np.concatenate(values)[:, 0],
        weights=group_weights(values, shares),
        seed=seed,
    )
    if not fit.error_after < fit.error_before:
        return None
    return Finished(
        train=fit.train,
        step=f"least squares on {len(groups[0])} samples and {others} other configurations",
    )


def _affordable(problem: Problem, points: IntArray, evaluations: int) -> IntArray:
    """Leading points that can be evaluated without going over a budget."""
    new = np.cumsum(~problem.function.known(points))
    return points[new <= evaluations]
