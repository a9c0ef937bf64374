"""Inner products, norms and distances of trains, safe for chains of any length."""

import math

import numpy as np

from phasenet.trains.arithmetic import check_same_space, subtract
from phasenet.trains.canonical import move_output, right_canonical
from phasenet.trains.train import Array, TensorTrain

_LARGEST_LOG = 700.0


def inner(left: TensorTrain, right: TensorTrain) -> tuple[complex, float]:
    r"""Inner product :math:`\sum_{\sigma, c} \overline{f_c(\sigma)}\, g_c(\sigma)` as ``(v, l)``.

    The product is ``v * exp(l)``, with a ``v`` of order one (or zero) and a real ``l``; ``v`` is a
    float for real trains.

    Parameters
    ----------
    left, right
        Trains over the same sites with the same outputs; ``left`` is conjugated.

    >>> one = TensorTrain(cores=(np.ones((1, 2, 1)),) * 500)
    >>> value, log = inner(one, one)
    >>> print(f"{value:.6f} {log / 500:.6f}")
    1.000000 0.693147
    """
    check_same_space(left, right)
    if left.output_site is not None and left.output_site != right.output_site:
        right = move_output(right, left.output_site)
    log = left.log_scale + right.log_scale
    environment: Array = np.ones((1, 1))
    for a, b in zip(left.cores, right.cores, strict=True):
        environment, step = _carry(environment, a, b)
        log += step
    value = environment[0, 0]
    return (complex(value) if np.iscomplexobj(value) else float(value)), log


def log_norm(train: TensorTrain) -> float:
    """Natural logarithm of the Frobenius norm over all configurations and outputs; -inf for zero.

    >>> print(f"{log_norm(TensorTrain(cores=(np.ones((1, 4, 1)),) * 500)) / 500:.6f}")
    0.693147
    """
    normal = right_canonical(train)
    return normal.log_scale if np.any(normal.cores[0]) else -math.inf


def relative_distance(train: TensorTrain, reference: TensorTrain) -> float:
    """Norm of the difference over the norm of the reference.

    The difference is orthogonalised as a train, so distances down to 1e-14 are resolved; expanding
    the square of the norm would stop at 1e-8.

    >>> one = TensorTrain(cores=(np.ones((1, 2, 1)),) * 200)
    >>> shifted = TensorTrain(cores=one.cores, log_scale=float(np.log1p(1e-12)))
    >>> print(f"{relative_distance(shifted, one):.1e}")
    1.0e-12
    """
    top, bottom = log_norm(subtract(train, reference)), log_norm(reference)
    if top == -math.inf:
        return 0.0
    return math.exp(top - bottom) if top - bottom < _LARGEST_LOG else math.inf


def _carry(environment: Array, a: Array, b: Array) -> tuple[Array, float]:
    """Environment carried over one site, largest entry 1, and the logarithm taken out of it."""
    half = np.tensordot(environment, b, axes=(1, 0))
    axes = ([0, 1, 3], [0, 1, 3]) if a.ndim == 4 else ([0, 1], [0, 1])
    result = np.tensordot(a.conj(), half, axes=axes)
    size = float(np.abs(result).max())
    if size == 0.0:
        return result, 0.0
    return result / size, math.log(size)
