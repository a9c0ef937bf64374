"""Tucker layer applied to a batch, by matrix products without copies.

Two operations do all the work, and each is the gradient of the other. One contracts the last axis
of a tensor with a factor and puts the rank that is left in front; the other contracts the first
axis, a rank, and puts the mode that appears at the end. Done for all modes in turn they take the
batch from the first axis to the last and back, so that every contraction is one matrix product
whose result has its short side as rows: BLAS is several times faster at that than with its short
side as columns.
"""

import math
from collections.abc import Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor

Place = Literal["own", "inputs", "outputs", "dense"]
"""Where the core is contracted: by itself, between inputs and outputs; or before the batch is
touched, with the factors of the inputs, of the outputs, or with all, which is the dense weight."""

Tensors = Sequence[Tensor]
Kind = TypeVar("Kind")


def project(tensor: Tensor, factor: Tensor) -> Tensor:
    """Matrix (rank, rest) of a tensor (rest, mode) contracted with a factor (mode, rank).

    >>> tuple(project(torch.ones(7, 12), torch.ones(3, 2)).shape)
    (2, 28)
    """
    return factor.t() @ tensor.reshape(-1, factor.shape[0]).t()


def expand(tensor: Tensor, factor: Tensor) -> Tensor:
    """Matrix (rest, mode) of a tensor (rank, rest) contracted with a factor (mode, rank).

    >>> tuple(expand(torch.ones(2, 7), torch.ones(3, 2)).shape)
    (7, 3)
    """
    return tensor.reshape(factor.shape[1], -1).t() @ factor.t()


def tucker_linear(
    x: Tensor, core: Tensor, ins: Tensors, outs: Tensors, bias: Tensor | None, place: Place
) -> Tensor:
    """Outputs (batch, out) of a Tucker layer for inputs (batch, in), by operations of torch alone.

    Parameters
    ----------
    x
        Inputs, row-major over the modes.
    core
        Axes (rank of each input mode, rank of each output mode).
    ins, outs
        Factors (mode, rank) of the inputs and of the outputs.
    bias
        Of shape (out), or None.
    place
        Where the core is contracted.

    >>> eye = torch.eye(2)
    >>> tucker_linear(torch.ones(1, 2), eye, [eye], [eye], None, "dense").tolist()
    [[1.0, 1.0]]
    """
    inside, before, after = placed(tuple(ins), tuple(outs), place)
    t = started(core, len(ins), place)
    for factor in inside:
        t = expand(t, factor)
    weight = middle_matrix(t, x, core, len(ins), place)
    t = x
    for factor in before[::-1]:
        t = project(t, factor)
    z = t.reshape(weight.shape[0], -1) if before else x.t()
    if not after:
        return z.t() @ weight if bias is None else torch.addmm(bias, z.t(), weight)
    t = weight.t() @ z
    for factor in after:
        t = expand(t, factor)
    y = t.reshape(-1, math.prod([factor.shape[0] for factor in outs]))
    return y if bias is None else y + bias


def expanded_core(core: Tensor, ins: Tensors, outs: Tensors) -> Tensor:
    """Dense weight (out, in) of a Tucker layer.

    >>> expanded_core(torch.eye(2), [torch.eye(2)], [torch.ones(1, 2)]).tolist()
    [[1.0, 1.0]]
    """
    t = started(core, len(ins), "dense")
    for factor in (*outs, *ins):
        t = expand(t, factor)
    return t.reshape(-1, math.prod([factor.shape[0] for factor in ins]))


def placed(
    ins: tuple[Kind, ...], outs: tuple[Kind, ...], place: Place
) -> tuple[tuple[Kind, ...], tuple[Kind, ...], tuple[Kind, ...]]:
    """What meets the core, the inputs, and the outputs of the core, each in its order.

    >>> placed(("u",), ("v",), "outputs")
    (('v',), ('u',), ())
    """
    if place == "own":
        return (), ins, outs
    if place == "inputs":
        return ins, (), outs
    if place == "outputs":
        return outs, ins, ()
    return outs + ins, (), ()


def started(core: Tensor, count: int, place: Place) -> Tensor:
    """Core as a matrix, the ranks of its `count` inputs as rows or, if they come last, columns.

    >>> tuple(started(torch.ones(2, 3, 4), 2, "dense").shape)
    (4, 6)
    """
    matrix = core.reshape(core.shape[:count].numel(), -1)
    return matrix if place in ("own", "inputs") else matrix.t()


def middle_matrix(tensor: Tensor, x: Tensor, core: Tensor, count: int, place: Place) -> Tensor:
    """Matrix between what the batch is projected on, as rows, and what is expanded, as columns.

    >>> core = torch.ones(2, 3)
    >>> tuple(middle_matrix(torch.ones(3, 4), torch.ones(5, 4), core, 1, "inputs").shape)
    (4, 3)
    """
    if place in ("own", "outputs"):
        return tensor.reshape(core.shape[:count].numel(), -1)
    return tensor.reshape(-1, x.shape[1]).t()
