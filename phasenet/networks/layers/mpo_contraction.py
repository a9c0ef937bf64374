r"""Matrix product operator applied to a batch, by matrix products without transpositions.

From right to left, site k turns a tensor :math:`t` with the axes (samples, input modes before k;
input mode k, right bond; output modes after k) into the one of its left bond and output mode,

.. math:: t'_{p,(l o),q} = \sum_{(i r)} A_{(l o),(i r)} t_{p,(i r),q},

and what comes out is read as the tensor of site k - 1 as it lies in memory. From left to right it
is the same with inputs and outputs in each other's place. What is between two sites is larger than
the batch by a bond, more than a cache holds, so large batches are taken in chunks, each from one
end to the other, and once more for the gradient: nothing but the inputs is kept for it.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from phasenet.networks.layers.mpo_plans import Stage, Way

Tensors = Sequence[Tensor]


def fused(cores: Tensors) -> Tensor:
    """Core (left, out, in, right) of neighbouring cores put together.

    >>> tuple(fused([torch.ones(1, 3, 4, 2), torch.ones(2, 5, 6, 1)]).shape)
    (1, 15, 24, 1)
    """
    result = cores[0]
    for core in cores[1:]:
        joined = _joined(result, core).permute(0, 1, 3, 2, 4, 5)
        left, out, new_out, in_, new_in, right = joined.shape
        result = joined.reshape(left, out * new_out, in_ * new_in, right)
    return result


def matrices(cores: Tensors, way: Way) -> list[Tensor]:
    """Matrix (after, before) of each stage, from the cores of all sites.

    >>> from phasenet.networks.layers.mpo_plans import ways
    >>> cores = [torch.ones(1, 3, 4, 2), torch.ones(2, 5, 6, 1)]
    >>> [tuple(m.shape) for m in matrices(cores, next(ways(2)))]
    [(10, 6), (3, 8)]
    """
    leftwards = way.direction == "right to left"
    return [_matrix(cores[first:last], leftwards) for first, last in way.ordered]


def swept(x: Tensor, found: Tensors, order: Sequence[Stage], bias: Tensor | None) -> Tensor:
    """Outputs (batch, out) of inputs (batch, in), by operations of torch alone.

    >>> from phasenet.networks.layers.mpo_plans import stages, ways
    >>> cores, way = [torch.ones(1, 3, 4, 2), torch.ones(2, 5, 6, 1)], next(ways(2))
    >>> order = stages([(1, 3, 4, 2), (2, 5, 6, 1)], way)
    >>> swept(torch.ones(7, 24), matrices(cores, way), order, None)[0, :3].tolist()
    [48.0, 48.0, 48.0]
    """
    t = x
    for matrix, stage in zip(found[:-1], order[:-1], strict=True):
        t = _applied(matrix, t, stage)
    matrix, stage = found[-1], order[-1]
    features = stage.rows * stage.after * stage.columns
    if bias is None or stage.rows > 1:
        y = _applied(matrix, t, stage).reshape(-1, features)
        return y if bias is None else y + bias
    if stage.columns == 1:
        # A view less is a node less in the graph, which small layers feel.
        rows = x if len(order) == 1 else t.reshape(-1, stage.before)
        return functional.linear(rows, matrix, bias)
    t = t.reshape(-1, stage.before, stage.columns)
    added = bias.reshape(1, stage.after, stage.columns)
    y = torch.baddbmm(added, matrix.expand(t.shape[0], -1, -1), t)
    return y.reshape(-1, features)


def contracted(
    x: Tensor,
    cores: Tensors,
    bias: Tensor | None,
    way: Way,
    order: tuple[Stage, ...],
    chunk: int | None,
) -> Tensor:
    """Outputs (batch, out) of inputs (batch, in), in chunks of the batch, with a lean gradient.

    Parameters
    ----------
    x
        Inputs, row-major over the modes.
    cores
        Of all sites, (left, out mode, in mode, right).
    bias
        Of shape (out), or None.
    way, order
        Order of the contractions, and its stages.
    chunk
        Rows that are taken through all stages at once; with more rows than these, what is between
        the stages is computed anew for the gradient. None: all, by plain operations.

    >>> from phasenet.networks.layers.mpo_plans import stages, ways
    >>> cores = [torch.ones(1, 3, 4, 2), torch.ones(2, 5, 6, 1)]
    >>> way = next(ways(2))
    >>> order = stages([(1, 3, 4, 2), (2, 5, 6, 1)], way)
    >>> tuple(contracted(torch.ones(7, 24), cores, None, way, order, 2).shape)
    (7, 15)
    """
    found = matrices(cores, way)
    if chunk is None or x.shape[0] <= chunk:
        return swept(x, found, order, bias)
    if not torch.is_grad_enabled():
        return torch.cat([swept(part, found, order, bias) for part in torch.split(x, chunk)])
    result: Tensor = _ChunkedSweep.apply(x, bias, order, chunk, *found)  # type: ignore[no-untyped-call]
    return result


class _ChunkedSweep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        bias: Tensor | None,
        order: tuple[Stage, ...],
        chunk: int,
        *found: Tensor,
    ) -> Tensor:
        ctx.order, ctx.chunk = order, chunk
        ctx.save_for_backward(x, bias, *found)
        return torch.cat([swept(part, found, order, bias) for part in torch.split(x, chunk)])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (delta,) = grads
        x, bias, *found = ctx.saved_tensors
        if torch.is_grad_enabled():
            return _by_autograd(ctx, delta, x, bias, found)
        needs_x, needs_bias, _, _, *needs = ctx.needs_input_grad
        sums: list[Tensor | None] = [None] * len(found)
        parts = []
        for rows, back in zip(
            torch.split(x, ctx.chunk), torch.split(delta, ctx.chunk), strict=True
        ):
            seen = [rows]
            for matrix, stage in zip(found[:-1], ctx.order, strict=False):
                seen.append(_applied(matrix, seen[-1], stage))
            for k in reversed(range(len(found))):
                if needs[k]:
                    gradient = _matrix_gradient(back, seen[k], ctx.order[k])
                    before = sums[k]
                    sums[k] = gradient if before is None else before.add_(gradient)
                if needs_x or any(needs[:k]):
                    back = _applied(found[k].t(), back, ctx.order[k].back)
            parts.append(back)
        dx = torch.cat([part.reshape(-1, x.shape[1]) for part in parts]) if needs_x else None
        return (dx, delta.sum(0) if needs_bias else None, None, None, *sums)


def _by_autograd(
    ctx: Any, delta: Tensor, x: Tensor, bias: Tensor | None, found: Tensors
) -> tuple[Tensor | None, ...]:
    """The same gradients as a graph, for second derivatives."""
    y = swept(x, found, ctx.order, bias)
    needs = ctx.needs_input_grad
    arguments = (x, bias, None, None, *found)
    wanted = [a for a, need in zip(arguments, needs, strict=True) if a is not None and need]
    result = iter(torch.autograd.grad(y, wanted, delta, create_graph=True))
    return tuple(next(result) if need else None for need in needs)


def _applied(matrix: Tensor, t: Tensor, stage: Stage) -> Tensor:
    if stage.columns == 1:
        return functional.linear(t.reshape(-1, stage.before), matrix)
    t = t.reshape(-1, stage.before, stage.columns)
    return torch.bmm(matrix.expand(t.shape[0], -1, -1), t)


def _matrix_gradient(back: Tensor, t: Tensor, stage: Stage) -> Tensor:
    """Gradient (after, before) of a matrix, from that of what came out and what went in."""
    if stage.columns == 1:
        return back.reshape(-1, stage.after).t() @ t.reshape(-1, stage.before)
    t = t.reshape(-1, stage.before, stage.columns)
    back = back.reshape(-1, stage.after, stage.columns)
    if stage.before * stage.after <= stage.columns * (stage.before + stage.after):
        return torch.bmm(back, t.transpose(1, 2)).sum(0)
    # One large product pays for two copies where a matrix for each row would be larger than they.
    left, right = (tensor.transpose(0, 1).flatten(1) for tensor in (back, t))
    return left @ right.t()


def _matrix(cores: Tensors, leftwards: bool) -> Tensor:
    if len(cores) == 1:
        left, out, in_, right = cores[0].shape
        if leftwards:
            return cores[0].reshape(left * out, in_ * right)
        return cores[0].permute(1, 3, 0, 2).reshape(out * right, left * in_)
    joined = _joined(fused(cores[:-1]), cores[-1])
    left, out, in_, new_out, new_in, right = joined.shape
    if leftwards:
        ordered = joined.permute(0, 1, 3, 2, 4, 5)
        return ordered.reshape(left * out * new_out, in_ * new_in * right)
    ordered = joined.permute(1, 3, 5, 0, 2, 4)
    return ordered.reshape(out * new_out * right, left * in_ * new_in)


def _joined(first: Tensor, second: Tensor) -> Tensor:
    """Two cores contracted, (left, out, in, out, in, right)."""
    bond = second.shape[0]
    product = first.reshape(-1, bond) @ second.reshape(bond, -1)
    return product.reshape(*first.shape[:3], *second.shape[1:])
