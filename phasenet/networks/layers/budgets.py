"""Ranks of one weight for a number of parameters or an error.

The weight is taken as the tensor that its form decomposes, one for each group of a convolution.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from phasenet.errors import SettingsError
from phasenet.networks.layers.alternating import cp_als
from phasenet.networks.layers.decompositions import (
    hosvd,
    input_metric,
    place_of,
    rank_table,
    tt_svd,
)
from phasenet.networks.layers.multilinear import (
    along,
    unfolded,
    useful_bonds,
    useful_tucker_ranks,
)

Dense = nn.Linear | nn.Conv1d | nn.Conv2d


class Modes(NamedTuple):
    """Factors of the inputs and of the outputs; of a convolution, its channels in a group."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


class Weight(NamedTuple):
    """Tensors that a form decomposes, one for each group, and the modes that have no factor."""

    groups: tuple[Tensor, ...]
    kept: tuple[bool, ...]

    @property
    def modes(self) -> tuple[int, ...]:
        """Shape of each group."""
        return tuple(self.groups[0].shape)

    @property
    def size(self) -> int:
        """Numbers of the dense weight."""
        return len(self.groups) * math.prod(self.modes)


def weight_of(layer: Dense, form: str, modes: Modes, samples: Tensor | None = None) -> Weight:
    """Tensors that a form of a layer decomposes, in the metric of samples of its inputs.

    Of a linear layer the axes are the modes of the inputs and those of the outputs ("tucker",
    "cp") or one axis for both at each site ("mpo"); of a convolution those of a group: the inputs,
    space (one axis in all for "tucker"), the outputs.

    >>> weight_of(nn.Linear(6, 4), "mpo", Modes((3, 2), (4,))).modes
    (12, 2)
    """
    if isinstance(layer, nn.Linear):
        return _of_linear(layer, form, modes, samples)
    groups = []
    for group, kernel in enumerate(_double(layer.weight).chunk(layer.groups)):
        tensor = kernel.movedim(0, -1)
        if samples is not None:
            rows = samples.movedim(1, -1).flatten(0, -2).chunk(layer.groups, dim=-1)[group]
            tensor = along(tensor, _double(input_metric(rows, (rows.shape[-1],))[0]), 0)
        groups.append(tensor.flatten(1, -2) if form == "tucker" else tensor)
    kept = tuple(form == "tucker" and axis == 1 for axis in range(groups[0].ndim))
    return Weight(tuple(groups), kept)


def numbers_of(weight: Weight, form: str, ranks: Sequence[int]) -> int:
    """Parameters of a form, bias left out.

    >>> weight = weight_of(nn.Linear(784, 300), "tucker", Modes((28, 28), (300,)))
    >>> numbers_of(weight, "tucker", (5, 5, 10))
    3530
    """
    modes = weight.modes
    if form == "cp":
        each = ranks[0] * sum(modes)
    elif form == "mpo":
        bonds = (1, *ranks, 1)
        each = sum(bonds[k] * size * bonds[k + 1] for k, size in enumerate(modes))
    else:
        whole = _with_kept(weight, ranks)
        factors = zip(modes, whole, weight.kept, strict=True)
        each = math.prod(whole) + sum(size * rank for size, rank, keep in factors if not keep)
    return len(weight.groups) * each


def useful(weight: Weight, form: str, ranks: int | Sequence[int]) -> tuple[int, ...]:
    """Ranks given, or one for all, none above what the shape can use.

    >>> useful(weight_of(nn.Linear(6, 4), "cp", Modes((3, 2), (4,))), "cp", 50)
    (6,)
    """
    modes = weight.modes
    counts = {"tucker": weight.kept.count(False), "mpo": len(modes) - 1, "cp": 1}
    count = counts[form]
    wanted = (ranks,) * count if isinstance(ranks, int) else tuple(ranks)
    if len(wanted) != count or any(rank < 1 for rank in wanted):
        raise SettingsError(
            f"the ranks of a {form} form with the modes {modes} are {ranks!r}; wanted {count} "
            "whole numbers from 1, or one for all"
        )
    if form == "cp":
        return (min(wanted[0], math.prod(modes) // max(modes)),)
    if form == "mpo":
        return useful_bonds(modes, wanted)
    full = useful_tucker_ranks(modes, _with_kept(weight, wanted), weight.kept)
    return _without_kept(weight, full)


def ranks_to(weight: Weight, form: str, tol: float) -> tuple[int, ...]:
    """Least ranks whose relative error is at most `tol` in every group.

    >>> weight = weight_of(nn.Linear(6, 4), "mpo", Modes((3, 2), (4,)))
    >>> ranks_to(weight, "mpo", 1.0)
    (1,)
    """
    found: list[tuple[int, ...]] = []
    for tensor in weight.groups:
        if form == "cp":
            found.append((cp_als(tensor, tol=tol)[0].shape[1],))
        elif form == "mpo":
            found.append(tuple(core.shape[2] for core in tt_svd(tensor, tol=tol)[:-1]))
        else:
            limits = [
                None if keep else size for size, keep in zip(tensor.shape, weight.kept, strict=True)
            ]
            core = hosvd(tensor, limits, tol=tol, sweeps=1)[0]
            found.append(_without_kept(weight, core.shape))
    return tuple(max(each) for each in zip(*found, strict=True))


def ranks_within(weight: Weight, form: str, numbers: int) -> tuple[int, ...] | None:
    """Ranks of the least error with at most so many parameters; None if rank 1 has more.

    Tucker ranks are the best of all for the bases of the unfoldings; bonds of a train grow one by
    one, where a parameter takes off most of the error.

    >>> weight = weight_of(nn.Linear(784, 300), "cp", Modes((28, 28), (300,)))
    >>> ranks_within(weight, "cp", 3560)
    (10,)
    """
    ones = useful(weight, form, 1)
    least = numbers_of(weight, form, ones)
    if least > numbers:
        return None
    if form == "cp":
        return useful(weight, form, numbers // least)
    if form == "mpo":
        return _bonds_within(weight, numbers)
    tables = [_table(tensor, weight.kept) for tensor in weight.groups]
    missed = torch.stack([table[0] for table in tables]).sum(0)
    size = tables[0][1] * len(tables)
    missed = missed.masked_fill(size > numbers, math.inf)
    # Of choices of the same error, the one of the fewest parameters.
    close = missed <= float(missed.min()) + 1e-14 * float(weight.groups[0].square().sum())
    return useful(weight, form, _without_kept(weight, place_of(size.masked_fill(~close, math.inf))))


def _of_linear(layer: nn.Linear, form: str, modes: Modes, samples: Tensor | None) -> Weight:
    check_modes(layer, modes)
    ins, outs = modes
    tensor = _double(layer.weight).reshape(*outs, *ins)
    roots = () if samples is None else input_metric(samples, ins)
    for mode, root in enumerate(roots):
        tensor = along(tensor, _double(root), len(outs) + mode)
    if form != "mpo":
        order = (*range(len(outs), tensor.ndim), *range(len(outs)))
        return Weight((tensor.permute(order),), (False,) * tensor.ndim)
    sites = max(len(ins), len(outs))
    ins, outs = (m + (1,) * (sites - len(m)) for m in modes)
    pairs = tensor.reshape(*outs, *ins).permute([k + s for k in range(sites) for s in (0, sites)])
    sizes = [out * into for out, into in zip(outs, ins, strict=True)]
    return Weight((pairs.reshape(sizes),), (False,) * sites)


def check_modes(layer: nn.Linear, modes: Modes) -> None:
    """Raise SettingsError where the modes are not factors of the features.

    >>> check_modes(nn.Linear(6, 4), Modes((3, 2), (4,)))
    """
    for name, factors, features in (
        ("in", modes.inputs, layer.in_features),
        ("out", modes.outputs, layer.out_features),
    ):
        if math.prod(factors) != features or any(factor < 1 for factor in factors):
            raise SettingsError(
                f"the {name}_modes {tuple(factors)} have the product {math.prod(factors)}, the "
                f"layer has {features} {name}_features; wanted factors of them"
            )


def _bonds_within(weight: Weight, numbers: int) -> tuple[int, ...]:
    tails = [_tails(weight, cut) for cut in range(1, len(weight.modes))]
    levels = sorted({tail for each in tails for tail in each}, reverse=True)
    # All cuts discard about as much: the lowest level that still fits.
    low, high = 0, len(levels)
    if not levels:
        return ()
    while high - low > 1:
        middle = (low + high) // 2
        fits = numbers_of(weight, "mpo", _at_level(weight, tails, levels[middle])) <= numbers
        low, high = (middle, high) if fits else (low, middle)
    bonds = list(_at_level(weight, tails, levels[low]))
    grown = True
    while grown:
        grown = False
        for bond in sorted(range(len(bonds)), key=lambda k: -tails[k][bonds[k] - 1]):
            more = [rank + (k == bond) for k, rank in enumerate(bonds)]
            fits = numbers_of(weight, "mpo", more) <= numbers
            if fits and useful_bonds(weight.modes, more) == tuple(more):
                bonds, grown = more, True
                break
    return tuple(bonds)


def _tails(weight: Weight, cut: int) -> list[float]:
    """What a cut discards at rank 1, 2, ..., squared."""
    rows = math.prod(weight.modes[:cut])
    squares = torch.stack([torch.linalg.svdvals(t.reshape(rows, -1)) ** 2 for t in weight.groups])
    total = squares.sum(0)
    return [*total.flip(0).cumsum(0).flip(0)[1:].tolist(), 0.0]


def _at_level(weight: Weight, tails: Sequence[Sequence[float]], level: float) -> tuple[int, ...]:
    bonds = [next(rank for rank, tail in enumerate(each, 1) if tail <= level) for each in tails]
    return useful_bonds(weight.modes, bonds)


def _table(tensor: Tensor, kept: Sequence[bool]) -> tuple[Tensor, Tensor]:
    rotated = tensor
    for mode, keep in enumerate(kept):
        if not keep:
            rows = unfolded(tensor, mode)
            vectors = torch.linalg.eigh(rows @ rows.T)[1].flip(1)
            rotated = along(rotated, vectors.T, mode)
    return rank_table(rotated, kept)


def _with_kept(weight: Weight, ranks: Sequence[int]) -> tuple[int, ...]:
    given = iter(ranks)
    return tuple(
        size if keep else next(given) for size, keep in zip(weight.modes, weight.kept, strict=True)
    )


def _without_kept(weight: Weight, ranks: Sequence[int]) -> tuple[int, ...]:
    return tuple(rank for rank, keep in zip(ranks, weight.kept, strict=True) if not keep)


def _double(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float64)
