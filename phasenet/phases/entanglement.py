"""Schmidt values, entanglement entropy and correlation length."""

import numpy as np

from phasenet.trains.canonical import schmidt_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import FloatArray, TensorTrain


def schmidt_values(train: TensorTrain | InfiniteTrain) -> tuple[FloatArray, ...]:
    """Schmidt values, largest first, of each inner bond or of the bond left of each site of a cell.

    >>> [s.round(3).tolist() for s in schmidt_values(TensorTrain(cores=(np.ones((1, 2, 1)),) * 3))]
    [[1.0], [1.0]]
    """
    if isinstance(train, InfiniteTrain):
        return tuple(np.sort(np.asarray(values))[::-1] for values in train.schmidt_values)
    return schmidt_form(train)[1][1:]


def schmidt_entropy(values: FloatArray) -> float:
    r"""Von Neumann entropy of one cut in nats: :math:`-\sum p_a \ln p_a`, :math:`p_a \sim s_a^2`.

    >>> print(f"{schmidt_entropy(np.ones(2)):.6f}")
    0.693147
    """
    p = np.asarray(values, dtype=np.float64) ** 2
    p = p[p > 0.0] / p.sum()
    return float(-np.sum(p * np.log(p))) + 0.0


def entropies(train: TensorTrain | InfiniteTrain) -> FloatArray:
    """Entropy in nats of each bond of :func:`schmidt_values`.

    >>> print(entropies(TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)).round(6).tolist())
    [0.0, 0.0]
    """
    return np.array([schmidt_entropy(values) for values in schmidt_values(train)])


def doublet_splitting(values: FloatArray) -> float:
    r"""Relative splitting of the two largest levels, :math:`(s_1^2 - s_2^2)/(s_1^2 + s_2^2)`.

    Zero in the Haldane phase, where every level is evenly degenerate (Pollmann, Turner, Berg,
    Oshikawa, PRB 81, 064439 (2010)), but also in a cat state: judge together with the symmetry.

    >>> print(f"{doublet_splitting(np.array([0.8, 0.6])):.2f}")
    0.28
    """
    p = np.sort(np.asarray(values, dtype=np.float64))[::-1][:2] ** 2
    return 1.0 if len(p) < 2 else float((p[0] - p[1]) / (p[0] + p[1]))


def is_even_degenerate(values: FloatArray, splitting_tol: float = 1e-2) -> bool:
    """Whether the two largest levels of a cut agree within ``splitting_tol``.

    >>> is_even_degenerate(np.ones(2)), is_even_degenerate(np.ones(1))
    (True, False)
    """
    return doublet_splitting(values) < splitting_tol
