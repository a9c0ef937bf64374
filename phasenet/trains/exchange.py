"""Trains from and to plain lists of arrays, as other libraries keep them."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.train import Array, TensorTrain


def from_arrays(
    arrays: Iterable[Any], *, output_site: int | None = None, log_scale: float = 0.0
) -> TensorTrain:
    """Train of copies of arrays, which are checked: numbers, finite, with bonds that agree.

    Parameters
    ----------
    arrays
        One array (left, site, right) per site, with a fourth axis (output) at ``output_site``; the
        outer bonds of dimension 1 may be left out.
    output_site
        Site with the output leg; None for a scalar function.
    log_scale
        Natural logarithm of a positive factor.

    >>> from_arrays([[[1.0, 0.0], [0.0, 1.0]], np.eye(2)]).bond_dims
    (2,)
    """
    cores = [_checked(array, site) for site, array in enumerate(arrays)]
    for site in {0, len(cores) - 1} if cores else ():
        cores[site] = _with_outer_bonds(cores[site], site, len(cores), output=site == output_site)
    return TensorTrain(cores=tuple(cores), output_site=output_site, log_scale=log_scale)


def to_arrays(train: TensorTrain) -> list[Array]:
    """Cores (left, site, right) that share the scale, so that their product is the function.

    >>> arrays = to_arrays(TensorTrain(cores=(np.ones((1, 2, 1)),) * 2, log_scale=np.log(4.0)))
    >>> print(f"{arrays[0][0, 0, 0]:.3f} {arrays[1][0, 0, 0]:.3f}")
    2.000 2.000
    """
    share = train.log_scale / train.length
    dtype = np.result_type(np.float32, *train.cores)
    if abs(share) > 0.9 * float(np.log(np.finfo(dtype).max)):
        raise SettingsError(
            f"log_scale is {train.log_scale:.3e} for {train.length} cores, {share:.0f} each; "
            "plain arrays cannot hold that: normalise the train first"
        )
    return [core * float(np.exp(share)) for core in train.cores]


def from_krowch(tensors: Sequence[Any], *, out_position: int | None = None) -> TensorTrain:
    """Train of the tensors of a TensorKrowch ``MPS`` or ``MPSLayer`` with open boundaries.

    Parameters
    ----------
    tensors
        ``model.tensors`` as arrays (detached, on the CPU): (site, right), then (left, site, right),
        at last (left, site).
    out_position
        Which of them is the output node of an ``MPSLayer``; its leg joins the core before it, or
        after it at position 0. None for an ``MPS``.

    >>> layer = [np.ones((2, 3)), np.ones((3, 4, 5)), np.ones((5, 2))]
    >>> train = from_krowch(layer, out_position=1)
    >>> print(train.length, train.output_site, train.outputs)
    2 0 4
    """
    cores = list(from_arrays(tensors).cores)
    if out_position is None:
        return TensorTrain(cores=tuple(cores))
    if not (0 <= out_position < len(cores) and len(cores) > 1):
        raise SettingsError(
            f"out_position is {out_position} among {len(cores)} tensors; it must be one of at "
            "least two"
        )
    node = cores.pop(out_position)
    site = max(out_position - 1, 0)
    if out_position == 0:
        joined = np.einsum("lom,msr->lsro", node, cores[0])
    else:
        joined = np.einsum("lsm,mor->lsro", cores[site], node)
    cores[site] = joined
    return TensorTrain(cores=tuple(cores), output_site=site)


def to_krowch(train: TensorTrain) -> list[Array]:
    """Arrays in the order and shapes of TensorKrowch's ``tensors``, the scale shared among them.

    A vector-valued train gets one more array for the output node of an ``MPSLayer``, at
    ``out_position = output_site + 1``.

    >>> train = TensorTrain(cores=(np.ones((1, 2, 1, 3)), np.ones((1, 2, 1))), output_site=0)
    >>> [array.shape for array in to_krowch(train)]
    [(2, 2), (2, 3, 1), (1, 2)]
    """
    arrays = to_arrays(train)
    if train.output_site is not None:
        core = arrays[train.output_site]
        left, dim, right, outputs = core.shape
        basis, rest = np.linalg.qr(core.reshape(left * dim, right * outputs))
        node = rest.reshape(-1, right, outputs).swapaxes(1, 2)
        arrays[train.output_site : train.output_site + 1] = [basis.reshape(left, dim, -1), node]
    arrays[0] = arrays[0][0]
    arrays[-1] = arrays[-1][..., 0]
    return arrays


def _checked(array: Any, site: int) -> Array:
    """Copy of an array of finite numbers; integers become doubles."""
    copy = np.array(array)
    if copy.dtype.kind not in "fciub":
        raise ShapeError(f"array {site} holds {copy.dtype}; wanted numbers")
    copy = copy if copy.dtype.kind in "fc" else copy.astype(np.float64)
    if 0 in copy.shape or not np.all(np.isfinite(copy)):
        raise ShapeError(
            f"array {site} of shape {copy.shape} is empty or not finite; every number must be"
        )
    return copy


def _with_outer_bonds(array: Array, site: int, length: int, *, output: bool) -> Array:
    """First or last array with the outer bond that was left out."""
    missing = 3 + output - array.ndim
    if length == 1 and missing == 2:
        return array[None, :, None]
    if length > 1 and missing == 1:
        return array[None] if site == 0 else np.expand_dims(array, 2)
    return array
