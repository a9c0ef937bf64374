"""Kernels of convolutions as chains of smaller ones: given ranks or an error, group by group."""

from collections.abc import Sequence

import torch
from torch import Tensor

from phasenet.errors import ShapeError
from phasenet.networks.layers.conv_links import Form
from phasenet.networks.layers.decompositions import cp_als, hosvd, input_metric, tt_svd
from phasenet.networks.layers.gauges import (
    left_canonical,
    orthonormal_tucker,
    schmidt_values,
    unit_columns,
)
from phasenet.networks.layers.multilinear import along
from phasenet.networks.layers.spectra import BondSpectrum


def decomposed(
    form: Form,
    kernel: Tensor,
    groups: int,
    ranks: tuple[int, ...] | None,
    *,
    tol: float | None = None,
    samples: Tensor | None = None,
) -> list[Tensor]:
    """Weights of the links whose chain is nearest to a kernel, in the order of the chain.

    Parameters
    ----------
    form
        Of the chain.
    kernel
        Dense weight as nn.Conv has it, (out, in of a group, kernel).
    groups
        Of the channels; each has weights of its own, all have the same ranks.
    ranks
        Useful ones; None: the least for `tol`.
    tol
        Relative error in the Frobenius norm.
    samples
        Inputs (batch, channels, places): the error is that of the outputs for channels that vary
        together as these do, and places that do not.

    >>> weights = decomposed("tucker", torch.ones(4, 2, 3), 1, None, tol=1e-6)
    >>> [tuple(weight.shape) for weight in weights]
    [(1, 2), (1, 1, 3), (4, 1)]
    """
    parts = kernel.detach().to(torch.float64).chunk(groups)
    pairs = list(zip(parts, _roots(samples, kernel.shape[1], groups), strict=True))
    found = [_of_group(form, part, ranks, tol, root) for part, root in pairs]
    if tol is not None and groups > 1:
        each = [ranks_of(form, weights) for weights in found]
        most = tuple(max(bond) for bond in zip(*each, strict=True))
        found = [_of_group(form, part, most, None, root) for part, root in pairs]
    return _of_groups(found, kernel.dtype)


def ranks_of(form: Form, weights: Sequence[Tensor]) -> tuple[int, ...]:
    """Ranks of the weights of one group, which are in the order of the chain.

    >>> ranks_of("cp", [torch.ones(3, 8), torch.ones(3, 5), torch.ones(4, 3)])
    (3,)
    """
    bonds = weights[:1] if form == "cp" else weights[:-1]
    return tuple(len(weight) for weight in bonds)


def canonical(form: Form, weights: Sequence[Tensor], groups: int) -> list[Tensor]:
    """Weights of the same kernel in the canonical gauge of a form.

    >>> first, _, last = canonical("cp", [torch.ones(1, 4), torch.ones(1, 1), torch.ones(2, 1)], 1)
    >>> first.tolist(), last.tolist()
    ([[0.5, 0.5, 0.5, 0.5]], [[2.0], [2.0]])
    """
    found = []
    for part in _apart(weights, groups):
        if form == "tucker":
            core = part[1].movedim(0, -1)
            middle: list[Tensor | None] = [None] * (core.ndim - 2)
            core, (before, *_, after) = orthonormal_tucker(core, [part[0].T, *middle, part[2]])
            assert before is not None and after is not None
            found.append([before.T, core.movedim(-1, 0), after])
        elif form == "mpo":
            found.append(_from_cores(left_canonical(_to_cores(part))))
        else:
            *columns, last = unit_columns([*(w.T for w in part[:-1]), part[-1]])
            found.append([*(column.T for column in columns), last])
    return _of_groups(found, weights[0].dtype)


def spectra_of(form: Form, weights: Sequence[Tensor], groups: int) -> dict[str, BondSpectrum]:
    """Spectrum of each bond: Schmidt values, or for "cp" the norms of the terms.

    Groups do not mix, so that the values of the whole are those of every group.

    >>> found = spectra_of("mpo", [torch.ones(1, 2), torch.ones(1, 1, 3), torch.ones(4, 1)], 1)
    >>> sorted(found), found["bond 1"].values
    (['bond 1', 'bond 2'], array([1.]))
    """
    if form == "cp":
        parts = _apart(canonical(form, weights, groups), groups)
        return {"rank": BondSpectrum.of(torch.cat([part[-1].norm(dim=0) for part in parts]))}
    # Two factors and a core are a train of three sites.
    values = [schmidt_values(_to_cores(part)) for part in _apart(weights, groups)]
    bonds = [BondSpectrum.of(torch.cat(each)) for each in zip(*values, strict=True)]
    names = ["in 0", "out 0"] if form == "tucker" else [f"bond {b + 1}" for b in range(len(bonds))]
    return dict(zip(names, bonds, strict=True))


def _of_group(
    form: Form,
    kernel: Tensor,
    ranks: tuple[int, ...] | None,
    tol: float | None,
    root: Tensor | None,
) -> list[Tensor]:
    weight = (kernel if root is None else along(kernel, root, 1)).movedim(0, -1)
    if form == "tucker":
        weights = _tucker(weight, ranks, tol)
    elif form == "mpo":
        weights = _from_cores(tt_svd(weight, ranks, tol=tol))
    else:
        *factors, last = cp_als(weight, None if ranks is None else ranks[0], tol=tol)
        weights = [*(factor.T for factor in factors), last]
    if root is not None:
        weights[0] = weights[0] @ torch.linalg.inv(root)
    return weights


def _tucker(weight: Tensor, ranks: tuple[int, ...] | None, tol: float | None) -> list[Tensor]:
    """Weights of a kernel (in, places, out)."""
    into, *kernel, out = weight.shape
    matrix = weight.reshape(into, -1, out)
    places = matrix.shape[1]
    first, last = ranks or (min(into, out * places), min(out, into * places))
    core, (before, _, after) = hosvd(matrix, (first, None, last), tol=tol)
    assert before is not None and after is not None
    inner = core.permute(2, 0, 1)
    return [before.T, inner.reshape(*inner.shape[:2], *kernel), after]


def _to_cores(weights: Sequence[Tensor]) -> list[Tensor]:
    """Cores (left, places, right) of the weights of one group."""
    first, *middle, last = weights
    return [first.T[None], *(w.transpose(0, 1).movedim(1, -1) for w in middle), last.T[..., None]]


def _from_cores(cores: Sequence[Tensor]) -> list[Tensor]:
    first, *middle, last = cores
    return [first[0].T, *(c.movedim(-1, 0) for c in middle), last[..., 0].T]


def _apart(weights: Sequence[Tensor], groups: int) -> list[tuple[Tensor, ...]]:
    chunks = [weight.detach().to(torch.float64).chunk(groups) for weight in weights]
    return list(zip(*chunks, strict=True))


def _of_groups(found: Sequence[Sequence[Tensor]], dtype: torch.dtype) -> list[Tensor]:
    return [torch.cat(weights).to(dtype) for weights in zip(*found, strict=True)]


def _roots(samples: Tensor | None, channels: int, groups: int) -> list[Tensor | None]:
    if samples is None:
        return [None] * groups
    if samples.ndim < 3 or samples.shape[1] != channels * groups:
        raise ShapeError(
            f"samples of a convolution have the shape {tuple(samples.shape)}; wanted "
            f"(batch, {channels * groups} channels, places), the inputs of the layer"
        )
    rows = samples.detach().to(torch.float64).movedim(1, -1).flatten(0, -2)
    return [input_metric(part, (channels,))[0] for part in rows.chunk(groups, dim=-1)]
