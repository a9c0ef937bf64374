"""The true errors of a train."""

import numpy as np
from problem import IntArray, Limits, Target

from phasenet.trains.inner import relative_distance
from phasenet.trains.train import Array, TensorTrain

KINDS = ("data", "uniform", "peak", "norm")


def true_errors(target: Target, train: TensorTrain) -> dict[str, float]:
    """Errors by kind, as in `Limits`; only those that the target has."""
    errors = {
        "data": _relative(target, train, target.held_out),
        "uniform": _leak(target, train) if target.amplitudes else _uniform(target, train),
    }
    if target.peak is not None:
        errors["peak"] = _relative(target, train, target.peak)
    if target.exact is not None:
        errors["norm"] = relative_distance(train, target.exact)
    return {kind: error if np.isfinite(error) else float("inf") for kind, error in errors.items()}


def agreement(target: Target, train: TensorTrain) -> float | None:
    """Fraction of held-out samples on which the largest output is the same one."""
    if target.outputs is None:
        return None
    chosen = train(target.held_out).argmax(axis=1)
    return float((chosen == target.function(target.held_out).argmax(axis=1)).mean())


def is_right(limits: Limits, errors: dict[str, float]) -> bool | None:
    """Whether every error is within its limit; None if nothing is judged."""
    judged = {kind: getattr(limits, kind) for kind in KINDS}
    verdicts = [
        errors[kind] <= limit
        for kind, limit in judged.items()
        if limit is not None and kind in errors
    ]
    return all(verdicts) if verdicts else None


def _relative(target: Target, train: TensorTrain, points: IntArray) -> float:
    return _ratio(train(points), target.function(points))


def _uniform(target: Target, train: TensorTrain) -> float:
    return _relative(target, train, target.uniform())


def _leak(target: Target, train: TensorTrain) -> float:
    """Largest error on uniform configurations relative to the largest amplitude of the data."""
    points = target.uniform()
    wrong = np.abs(train(points) - target.function(points)).max()
    return float(wrong / np.abs(target.function(target.held_out)).max())


def _ratio(values: Array, wanted: Array) -> float:
    scale = np.abs(wanted).max()
    return float(np.linalg.norm((values - wanted) / scale) / np.linalg.norm(wanted / scale))
