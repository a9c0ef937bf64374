r"""CP weight applied to a batch, and what each way to do it costs.

With the Khatri-Rao products (columns by columns) of the factors, :math:`K_{in}` (in, rank) and
:math:`K_{out}` (out, rank), the weight is :math:`K_{out} K_{in}^T`: the batch meets two thin
matrices. For a small batch a large product need not be put together: the batch then meets the
factor of the last mode first, and after it the product of the others.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from phasenet.networks.layers.held_products import held_product
from phasenet.networks.layers.plan import Plan, Step, cheapest

Tensors = Sequence[Tensor]


@dataclass(frozen=True, kw_only=True)
class CPWay:
    """One way to apply a CP weight.

    Parameters
    ----------
    ins_apart, outs_apart
        Whether the last mode of the inputs, of the outputs is contracted by itself.
    dense
        Whether the dense weight is put together, whatever the others say.

    >>> CPWay(ins_apart=True, outs_apart=False, dense=False).name
    'last input mode, other inputs, outputs'
    """

    ins_apart: bool
    outs_apart: bool
    dense: bool

    @property
    def name(self) -> str:
        """Way in words."""
        if self.dense:
            return "dense weight"
        ins = "last input mode, other inputs" if self.ins_apart else "inputs"
        return ins + (", other outputs, last output mode" if self.outs_apart else ", outputs")


def khatri_rao(factors: Tensors) -> Tensor:
    """Products of the columns of all factors, (product of the modes, rank).

    >>> khatri_rao([torch.ones(2, 1), torch.tensor([[1.0], [2.0]])]).flatten().tolist()
    [1.0, 2.0, 1.0, 2.0]
    """
    result = factors[0]
    for factor in factors[1:]:
        result = (result.unsqueeze(1) * factor).flatten(0, 1)
    return result


def cp_weight(ins: Tensors, outs: Tensors) -> Tensor:
    """Dense weight (out, in) of factors (mode, rank).

    >>> cp_weight([torch.ones(2, 3)], [torch.ones(1, 3)]).tolist()
    [[3.0, 3.0]]
    """
    return khatri_rao(outs) @ khatri_rao(ins).t()


def cp_linear(x: Tensor, ins: Tensors, outs: Tensors, bias: Tensor | None, way: CPWay) -> Tensor:
    """Outputs (batch, out) of a CP layer for inputs (batch, in), by operations of torch alone.

    >>> way = CPWay(ins_apart=False, outs_apart=False, dense=False)
    >>> cp_linear(torch.ones(1, 2), [torch.ones(2, 3)], [torch.ones(1, 3)], None, way).tolist()
    [[6.0]]
    """
    if way.dense:
        return functional.linear(x, cp_weight(ins, outs), bias)
    if way.ins_apart:
        last = ins[-1]
        others = x.shape[1] // last.shape[0]
        partly = torch.matmul(x.reshape(-1, others, last.shape[0]), last)
        inner = (partly * khatri_rao(ins[:-1])).sum(1)
    else:
        inner = x @ khatri_rao(ins)
    if not way.outs_apart:
        return functional.linear(inner, khatri_rao(outs), bias)
    spread = inner.unsqueeze(1) * khatri_rao(outs[:-1])
    y = functional.linear(spread, outs[-1]).flatten(1)
    return y if bias is None else y + bias


def cp_ways(in_count: int, out_count: int) -> Iterator[CPWay]:
    """All ways that are tried, for numbers of input and output modes.

    >>> [way.name for way in cp_ways(1, 1)]
    ['inputs, outputs', 'dense weight']
    """
    for ins_apart in (False, True)[: min(in_count, 2)]:
        for outs_apart in (False, True)[: min(out_count, 2)]:
            yield CPWay(ins_apart=ins_apart, outs_apart=outs_apart, dense=False)
    yield CPWay(ins_apart=False, outs_apart=False, dense=True)


@lru_cache(maxsize=4096)
def planned(
    in_modes: tuple[int, ...], out_modes: tuple[int, ...], rank: int, batch: int, training: bool
) -> tuple[CPWay, Plan]:
    """Way of the least predicted time and its plan; the first of equals.

    >>> planned((16, 16, 16), (16, 16, 16), 32, 512, True)[1].name
    'inputs, outputs'
    """
    plans = {
        way: plan_of(way, in_modes, out_modes, rank, batch, training)
        for way in cp_ways(len(in_modes), len(out_modes))
    }
    best = cheapest(list(plans.values()))
    return next(way for way, plan in plans.items() if plan is best), best


def plan_of(
    way: CPWay,
    in_modes: tuple[int, ...],
    out_modes: tuple[int, ...],
    rank: int,
    batch: int,
    training: bool,
) -> Plan:
    """Plan of one way.

    Without a gradient a dense weight is put together once and held: it counts one part in 16.

    >>> way = CPWay(ins_apart=False, outs_apart=False, dense=False)
    >>> plan_of(way, (4,), (3,), 2, 10, False).flops
    280
    """
    if way.dense:
        steps = _dense(in_modes, out_modes, rank, batch, training)
    else:
        steps = [
            *_side("input", in_modes, rank, batch, apart=way.ins_apart),
            *_side("output", out_modes, rank, batch, apart=way.outs_apart)[::-1],
        ]
    return Plan(
        name=way.name, batch=batch, steps=tuple(steps), chunk=max(batch, 1), training=training
    )


def _dense(
    in_modes: Sequence[int], out_modes: Sequence[int], rank: int, batch: int, training: bool
) -> list[Step]:
    ins, outs = math.prod(in_modes), math.prod(out_modes)
    steps = [
        *_products("inputs", in_modes, rank),
        *_products("outputs", out_modes, rank),
        _product("weight put together", outs, ins, rank),
    ]
    product = _product("dense weight", ins, outs, batch)
    return [*steps, product] if training else [held_product(product, steps)]


def _side(name: str, modes: Sequence[int], rank: int, batch: int, *, apart: bool) -> list[Step]:
    """Steps of the inputs, or those of the outputs backwards."""
    if not apart:
        steps = _products(f"{name}s", modes, rank)
        return [*steps, _product(f"batch with the {name}s", math.prod(modes), rank, batch)]
    others = math.prod(modes[:-1])
    return [
        *_products(f"other {name}s", modes[:-1], rank),
        _product(f"batch with the last {name} mode", modes[-1], rank, batch * others),
        Step(
            name=f"batch times the other {name}s",
            flops=batch * others * rank,
            elements=2 * batch * others * rank,
        ),
        Step(
            name=f"sum over the other {name}s" if name == "input" else "bias",
            flops=batch * others * rank if name == "input" else 0,
            elements=batch * others * (rank if name == "input" else 2 * modes[-1]),
        ),
    ]


def _products(name: str, modes: Sequence[int], rank: int) -> list[Step]:
    sizes = [math.prod(modes[: k + 1]) * rank for k in range(1, len(modes))]
    return [
        Step(name=f"factors of the {name} put together", flops=size, elements=2 * size)
        for size in sizes
    ]


def _product(name: str, rows: int, columns: int, rest: int) -> Step:
    """Matrix (rows, columns) and one with `rest` vectors."""
    return Step(
        name=name,
        flops=2 * rows * columns * rest,
        elements=rows * columns + (rows + columns) * rest,
        short_side=min(rows, columns),
    )
