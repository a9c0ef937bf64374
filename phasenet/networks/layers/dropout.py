"""Tensor dropout: indices of bonds are left out at random while a layer is trained."""

from collections.abc import Sequence

import torch
from torch import Tensor


def bond_mask(size: int, dropout: float, like: Tensor) -> Tensor:
    """Weights of a bond's indices, 0 with the probability `dropout`, else 1 / (1 - dropout).

    Their mean is 1, so the mean of the weight is not changed. Dtype and device are those of `like`.

    >>> sorted(set(bond_mask(100, 0.5, torch.ones(1)).tolist()))
    [0.0, 2.0]
    """
    kept = torch.rand(size, device=like.device) >= dropout
    return kept.to(like.dtype) / (1 - dropout)


def masked(tensor: Tensor, axes: Sequence[int], dropout: float) -> Tensor:
    """Tensor whose indices on some axes, bonds all of them, are left out at random.

    >>> masked(torch.ones(2, 3), [1], 0.0).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    for axis in axes:
        shape = [1] * tensor.ndim
        shape[axis] = tensor.shape[axis]
        tensor = tensor * bond_mask(tensor.shape[axis], dropout, tensor).reshape(shape)
    return tensor
