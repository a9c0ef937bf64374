"""What linear layers in factorised form share: their modes checked, values taken over."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from phasenet.errors import SettingsError, ShapeError


def check_modes(
    kind: str, in_modes: Sequence[int], out_modes: Sequence[int], dropout: float
) -> None:
    """Raise SettingsError for a layer that cannot be.

    >>> check_modes("CP", (28, 28), (300,), 0.1)
    """
    if not in_modes or not out_modes or min((*in_modes, *out_modes)) < 1:
        raise SettingsError(
            f"the modes of the {kind} layer are {tuple(in_modes)} -> {tuple(out_modes)}; "
            "wanted at least one of each, all from 1"
        )
    if not 0 <= dropout < 1:
        raise SettingsError(
            f"the dropout of the {kind} layer is {dropout}; wanted 0 <= dropout < 1"
        )


def wrong_inputs(kind: str, x: Tensor, in_modes: Sequence[int]) -> ShapeError:
    """Error for inputs of another length than the modes make.

    >>> import torch
    >>> print(wrong_inputs("CP", torch.ones(2, 5), (4, 3)))
    the inputs of the CP layer have 5 features; wanted 12, the product of its modes (4, 3)
    """
    return ShapeError(
        f"the inputs of the {kind} layer have {x.shape[-1]} features; "
        f"wanted {math.prod(in_modes)}, the product of its modes {tuple(in_modes)}"
    )


def check_dense(
    kind: str,
    dense: nn.Linear,
    in_modes: Sequence[int],
    out_modes: Sequence[int],
    *,
    chosen: bool,
) -> None:
    """Raise an error for a dense layer that the modes do not fit, or without a choice of ranks.

    >>> check_dense("CP", nn.Linear(12, 6), (4, 3), (6,), chosen=True)
    """
    check_modes(kind, in_modes, out_modes, 0.0)
    wanted = math.prod(out_modes), math.prod(in_modes)
    if tuple(dense.weight.shape) != wanted:
        raise ShapeError(
            f"the dense weight has the shape {tuple(dense.weight.shape)} (out, in); the modes "
            f"{tuple(in_modes)} -> {tuple(out_modes)} want {wanted}"
        )
    if not chosen:
        raise SettingsError(f"the {kind} layer of a dense one has neither ranks nor tol; give one")


def parameter_of(value: Tensor, like: Tensor) -> nn.Parameter:
    """Copy of values as a parameter, with the device and dtype of another tensor.

    >>> import torch
    >>> parameter_of(torch.ones(2).double(), torch.zeros(1)).dtype
    torch.float32
    """
    copied = value.detach().to(device=like.device, dtype=like.dtype, copy=True)
    return nn.Parameter(copied.contiguous())
