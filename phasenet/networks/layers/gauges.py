"""Gauges of a factorised weight: other factors, the same weight.

Each form has a freedom that the weight does not see. Here it is fixed: what a bond carries is then
ordered by how much it matters, and two layers of the same weight have the same numbers, as long as
no two singular values are equal.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from phasenet.networks.layers.multilinear import along, unfolded


def orthonormal_tucker(
    core: Tensor, factors: Sequence[Tensor | None]
) -> tuple[Tensor, tuple[Tensor | None, ...]]:
    """Tucker form with orthonormal columns and a core of orthogonal slices, largest norm first.

    The norms of the slices of the core along a mode are the singular values of the weight unfolded
    along it (the higher-order singular value decomposition).

    >>> core, factors = orthonormal_tucker(torch.ones(1, 1), [torch.full((4, 1), 3.0), None])
    >>> core.tolist(), factors[0].tolist()
    ([[6.0]], [[0.5], [0.5], [0.5], [0.5]])
    """
    middle = core.detach().to(torch.float64)
    bases: list[Tensor | None] = []
    for mode, factor in enumerate(factors):
        if factor is None:
            bases.append(None)
            continue
        base, triangle = torch.linalg.qr(factor.detach().to(torch.float64))
        middle = along(middle, triangle, mode)
        bases.append(base)
    rotations = [
        None if base is None else torch.linalg.svd(unfolded(middle, mode), full_matrices=False)[0]
        for mode, base in enumerate(bases)
    ]
    for mode, (base, rotation) in enumerate(zip(bases, rotations, strict=True)):
        if base is not None and rotation is not None:
            columns = base @ rotation
            signs = _signs(columns)
            bases[mode] = columns * signs
            middle = along(middle, (rotation * signs).T, mode)
    return middle.to(core.dtype), tuple(
        None if base is None else base.to(core.dtype) for base in bases
    )


def left_canonical(cores: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Train whose cores are orthonormal from the left, in the basis of the Schmidt states.

    Every core but the last, as a matrix (left and modes, right), has orthonormal columns; what is
    right of a bond is orthogonal as well, with the Schmidt values of the bond as norms, largest
    first. The last core carries the norm. A core has the axes (left, any modes, right).

    >>> first, last = left_canonical([torch.full((1, 4, 1), 3.0), torch.ones(1, 1, 1)])
    >>> first.flatten().tolist(), last.item()
    ([0.5, 0.5, 0.5, 0.5], 6.0)
    """
    return _swept(cores)[0]


def schmidt_values(cores: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Schmidt values of each inner bond of a train, descending, in double precision.

    >>> [values.tolist() for values in schmidt_values([torch.ones(1, 4, 1), torch.ones(1, 1, 1)])]
    [[2.0]]
    """
    return _swept(cores)[1]


def unit_columns(factors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """CP form whose columns have norm 1 in every mode but the last, which carries the weights.

    Columns come with the largest weight first; the largest entry of a unit column is positive.

    >>> first, last = unit_columns([torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0, -1.0]])])
    >>> first.tolist(), last.tolist()
    ([[1.0, 1.0]], [[-3.0, 1.0]])
    """
    columns = [factor.detach().to(torch.float64) for factor in factors]
    *others, last = columns
    result = []
    for factor in others:
        norms = factor.norm(dim=0)
        unit = torch.where(norms > 0, factor / norms.clamp_min(1e-300), 0.0)
        signs = _signs(unit)
        result.append(unit * signs)
        last = last * (norms * signs)
    order = torch.argsort(last.norm(dim=0), descending=True, stable=True)
    return tuple(factor[:, order].to(factors[0].dtype) for factor in (*result, last))


def _swept(cores: Sequence[Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Left-canonical cores and the Schmidt values of the inner bonds."""
    work = [core.detach().to(torch.float64) for core in cores]
    for site in range(len(work) - 1, 0, -1):
        rows = work[site].reshape(len(work[site]), -1)
        base, triangle = torch.linalg.qr(rows.T)
        work[site] = base.T.reshape(-1, *work[site].shape[1:])
        work[site - 1] = torch.tensordot(work[site - 1], triangle.T, dims=1)
    values = []
    for site in range(len(work) - 1):
        core = work[site]
        u, s, vh = torch.linalg.svd(core.reshape(-1, core.shape[-1]), full_matrices=False)
        signs = _signs(u)
        work[site] = (u * signs).reshape(*core.shape[:-1], -1)
        work[site + 1] = torch.tensordot((s * signs)[:, None] * vh, work[site + 1], dims=1)
        values.append(s)
    return tuple(core.to(cores[0].dtype) for core in work), tuple(values)


def _signs(columns: Tensor) -> Tensor:
    """Sign of the largest entry of each column; 1 for a column of zeros."""
    largest = columns.gather(0, columns.abs().argmax(0, keepdim=True))[0]
    return torch.where(largest < 0, -1.0, 1.0).to(columns.dtype)
