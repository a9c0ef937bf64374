"""Random weights of tensorized layers: the dense weight is as large as that of nn.Linear."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def dense_std(in_features: int) -> float:
    """Standard deviation of the entries of nn.Linear's first weight, uniform up to 1 / sqrt(in).

    >>> print(f"{dense_std(784):.4f}")
    0.0206
    """
    return 1 / math.sqrt(3 * in_features)


def initial_tensors(
    shapes: Sequence[tuple[int, ...]],
    terms: int,
    in_features: int,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> list[Tensor]:
    """Normal tensors of equal spread whose contraction has the spread of nn.Linear's weight.

    Parameters
    ----------
    shapes
        Shape of each tensor.
    terms
        Products of which one entry of the dense weight is the sum: the product of all bonds. Each
        product has one entry of every tensor.
    in_features
        Inputs of the layer.

    >>> [tuple(t.shape) for t in initial_tensors([(4, 2), (3, 2)], 2, 4)]
    [(4, 2), (3, 2)]
    """
    std = (dense_std(in_features) / math.sqrt(terms)) ** (1 / len(shapes))
    return [torch.randn(s, device=device, dtype=dtype) * std for s in shapes]


def initial_bias(
    out_features: int,
    in_features: int,
    *,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Parameter:
    """Bias as nn.Linear draws it, uniform up to 1 / sqrt(in).

    >>> bool((initial_bias(3, 100).abs() <= 0.1).all())
    True
    """
    bias = torch.empty(out_features, device=device, dtype=dtype)
    return nn.Parameter(bias.uniform_(-1 / math.sqrt(in_features), 1 / math.sqrt(in_features)))
