"""Sums, multiples and elementwise products of trains."""

import math

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.canonical import move_output, right_canonical
from phasenet.trains.train import Array, TensorTrain


def add(left: TensorTrain, right: TensorTrain) -> TensorTrain:
    """Sum of two functions; the bond dimensions add.

    Parameters
    ----------
    left, right
        Trains over the same sites with the same outputs; the result carries its output leg where
        ``left`` does.

    >>> one = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    >>> print(f"{add(one, one)(np.array([[0, 1, 0]]))[0]:.6f}")
    2.000000
    """
    right = _aligned(left, right)
    left, right = right_canonical(left), right_canonical(right)
    log_scale = _common_scale(left, right)
    cores = [
        _direct_sum(a, b, site=site, length=left.length)
        for site, (a, b) in enumerate(
            zip(_scaled_cores(left, log_scale), _scaled_cores(right, log_scale), strict=True)
        )
    ]
    return TensorTrain(cores=tuple(cores), output_site=left.output_site, log_scale=log_scale)


def subtract(left: TensorTrain, right: TensorTrain) -> TensorTrain:
    """Difference of two functions; the bond dimensions add.

    >>> one = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    >>> print(f"{subtract(one, multiple(one, 3.0))(np.array([[0, 1, 0]]))[0]:.6f}")
    -2.000000
    """
    return add(left, multiple(right, -1.0))


def multiple(train: TensorTrain, factor: complex) -> TensorTrain:
    """Train times a number; its magnitude goes into the log-scale.

    >>> one = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    >>> print(f"{multiple(one, 2.0).log_scale:.6f}")
    0.693147
    """
    # A number of numpy's own types would turn single precision into double.
    factor = complex(factor)
    size = abs(factor)
    if not math.isfinite(size):
        raise SettingsError(f"factor is {factor}; it must be finite")
    phase = factor / size if size > 0.0 else 0j
    first = train.cores[0] * (phase.real if phase.imag == 0.0 else phase)
    return TensorTrain(
        cores=(first, *train.cores[1:]),
        output_site=train.output_site,
        log_scale=train.log_scale + (math.log(size) if size > 0.0 else 0.0),
    )


def product(left: TensorTrain, right: TensorTrain) -> TensorTrain:
    r"""Elementwise (Hadamard) product :math:`f(\sigma)\,g(\sigma)`; the bond dimensions multiply.

    A scalar function multiplies every output of the other one; two vector-valued functions need
    the same number of outputs and are multiplied output by output. Round the product afterwards.

    >>> parity = TensorTrain(cores=(np.array([[[1.0], [-1.0]]]),) * 3)
    >>> product(parity, parity)(np.array([[0, 1, 1], [0, 0, 1]])).tolist()
    [1.0, 1.0]
    """
    _check_same_sites(left, right)
    if left.output_site is not None and right.output_site is not None:
        right = _aligned(left, right)
    cores = tuple(_kron(a, b) for a, b in zip(left.cores, right.cores, strict=True))
    return TensorTrain(
        cores=cores,
        output_site=right.output_site if left.output_site is None else left.output_site,
        log_scale=left.log_scale + right.log_scale,
    )


def conjugate(train: TensorTrain) -> TensorTrain:
    """Complex conjugate of a function.

    >>> conjugate(TensorTrain(cores=(np.full((1, 2, 1), 1j),)))(np.array([[0]])).tolist()
    [-1j]
    """
    return TensorTrain(
        cores=tuple(core.conj() for core in train.cores),
        output_site=train.output_site,
        log_scale=train.log_scale,
    )


def check_same_space(left: TensorTrain, right: TensorTrain) -> None:
    """Raise ShapeError unless two trains have the same sites and the same outputs."""
    _check_same_sites(left, right)
    if left.outputs != right.outputs:
        raise ShapeError(
            f"the trains have {left.outputs} and {right.outputs} outputs; both must be the same"
        )


def _check_same_sites(left: TensorTrain, right: TensorTrain) -> None:
    if left.site_dims != right.site_dims:
        raise ShapeError(
            f"the trains have {left.length} and {right.length} sites of dimensions "
            f"{left.site_dims} and {right.site_dims}; both must be the same"
        )


def _aligned(left: TensorTrain, right: TensorTrain) -> TensorTrain:
    """Right train with its output leg where the left one has it."""
    check_same_space(left, right)
    if left.output_site is None or left.output_site == right.output_site:
        return right
    return move_output(right, left.output_site)


def _common_scale(left: TensorTrain, right: TensorTrain) -> float:
    """Larger log-scale of the trains that are not zero."""
    scales = [train.log_scale for train in (left, right) if np.any(train.cores[0])]
    return max(scales, default=0.0)


def _scaled_cores(train: TensorTrain, log_scale: float) -> tuple[Array, ...]:
    first = train.cores[0]
    if np.any(first):
        first = first * math.exp(train.log_scale - log_scale)
    return (first, *train.cores[1:])


def _direct_sum(a: Array, b: Array, *, site: int, length: int) -> Array:
    """Core of a sum: block-diagonal, joined to 1 at the outer bonds."""
    if length == 1:
        return np.asarray(a + b)
    if site == 0:
        return np.concatenate((a, b), axis=2)
    if site == length - 1:
        return np.concatenate((a, b), axis=0)
    shape = (a.shape[0] + b.shape[0], a.shape[1], a.shape[2] + b.shape[2], *a.shape[3:])
    core = np.zeros(shape, dtype=np.result_type(a, b))
    core[: a.shape[0], :, : a.shape[2]] = a
    core[a.shape[0] :, :, a.shape[2] :] = b
    return core


def _kron(a: Array, b: Array) -> Array:
    """Core of a product: bonds multiply, the output leg of either or of both stays."""
    legs = {(3, 3): "asb,csd->acsbd", (4, 3): "asbo,csd->acsbdo", (3, 4): "asb,csdo->acsbdo"}
    joined: Array = np.einsum(legs.get((a.ndim, b.ndim), "asbo,csdo->acsbdo"), a, b)
    shape = (a.shape[0] * b.shape[0], a.shape[1], a.shape[2] * b.shape[2])
    return joined.reshape(*shape, *joined.shape[5:])
