"""Modes of tensorized layers: their indices, the weight behind each, and other gauges of it."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from phasenet.errors import SettingsError
from phasenet.insight.layer_bonds import tensorized_layers
from phasenet.networks.layers.convolutions import TensorizedConvolution
from phasenet.networks.layers.cp import CPLinear
from phasenet.networks.layers.forms import Tensorized, replaced
from phasenet.networks.layers.low_rank import LowRankConvolution
from phasenet.networks.layers.mpo import MPOLinear
from phasenet.networks.layers.multilinear import along, unfolded
from phasenet.networks.layers.tucker import TuckerLinear

Side = Literal["in", "out"]
Linear = TuckerLinear | MPOLinear | CPLinear


@dataclass(frozen=True, kw_only=True)
class Mode:
    """One axis of the inputs or of the outputs of a tensorized layer.

    Parameters
    ----------
    layer
        Name of the layer in its network.
    side
        "in" or "out".
    number
        Which of the modes on that side.
    sizes
        All modes on that side; of a convolution its channels alone.
    """

    layer: str
    side: Side
    number: int
    sizes: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of indices."""
        return self.sizes[self.number]

    @property
    def name(self) -> str:
        """Layer and mode in words.

        >>> Mode(layer="0.linear", side="in", number=1, sizes=(12, 8)).name
        '0.linear, input mode 1'
        """
        return f"{self.layer}, {self.side}put mode {self.number}"


def modes_of(network: nn.Module) -> tuple[Mode, ...]:
    """Modes of all tensorized layers that have more than one index, inputs first.

    Raises
    ------
    SettingsError
        No layer is tensorized.

    >>> [mode.name for mode in modes_of(nn.Sequential(TuckerLinear((4, 3), (5,), 2)))]
    ['0, input mode 0', '0, input mode 1', '0, output mode 0']
    """
    layers = tensorized_layers(network)
    if not layers:
        raise SettingsError(
            "the network has no tensorized layer; train one with --set layers=tucker or compress it"
        )
    sides: tuple[Side, Side] = ("in", "out")
    return tuple(
        Mode(layer=name, side=side, number=number, sizes=sizes)
        for name, layer in layers.items()
        for side, sizes in zip(sides, _sizes(layer), strict=True)
        for number, size in enumerate(sizes)
        if size > 1
    )


def split(value: Tensor, layer: nn.Module, mode: Mode) -> tuple[Tensor, int]:
    """Inputs or outputs of a layer with one axis for each mode of that side, and where they begin.

    >>> layer = TuckerLinear((4, 3), (5,), 2)
    >>> value, axis = split(torch.ones(7, 12), layer, modes_of(nn.Sequential(layer))[1])
    >>> tuple(value.shape), axis
    ((7, 4, 3), 1)
    """
    axis = value.ndim - 1 if isinstance(layer, Linear) else 1
    return value.reshape(*value.shape[:axis], *mode.sizes, *value.shape[axis + 1 :]), axis


def on_index(
    value: Tensor, layer: nn.Module, mode: Mode, change: Callable[[Tensor, int], Tensor]
) -> Tensor:
    """Inputs or outputs of a layer after a change of them that knows the axis of one mode.

    >>> layer = TuckerLinear((4, 3), (5,), 2)
    >>> mode = modes_of(nn.Sequential(layer))[0]
    >>> on_index(torch.ones(1, 12), layer, mode, lambda t, axis: 2 * t).sum().item()
    24.0
    """
    parts, axis = split(value, layer, mode)
    changed = change(parts, axis + mode.number)
    return changed.flatten(axis, axis + len(mode.sizes) - 1)


def factor_of(layer: nn.Module, mode: Mode) -> tuple[nn.Parameter, int] | None:
    """Parameter and its axis that hold a mode; None of a convolution, whose channels are grouped.

    >>> layer = MPOLinear((4, 3), (2, 5), 2)
    >>> parameter, axis = factor_of(layer, modes_of(nn.Sequential(layer))[1])
    >>> tuple(parameter.shape), axis
    ((2, 5, 3, 1), 2)
    """
    if isinstance(layer, TuckerLinear | CPLinear):
        factors = layer.in_factors if mode.side == "in" else layer.out_factors
        return factors[mode.number], 0
    if isinstance(layer, MPOLinear):
        return layer.cores[mode.number], 2 if mode.side == "in" else 1
    return None


@torch.no_grad()
def weight_energy(layer: nn.Module, mode: Mode) -> Tensor:
    r"""Norms of the weight restricted to each index of a mode, shape (indices,).

    From the parameters: the factors of all other modes only enter by what their columns overlap
    with one another, so that no dense weight is formed. A kernel of a convolution is.

    >>> layer = TuckerLinear((4, 3), (5,), 2)
    >>> found = weight_energy(layer, modes_of(nn.Sequential(layer))[0])
    >>> dense = layer.dense_weight().T.reshape(4, 3, 5)
    >>> bool(torch.allclose(found.float(), dense.flatten(1).norm(dim=1), rtol=1e-4))
    True
    """
    if isinstance(layer, TuckerLinear):
        return _tucker_energy(layer, mode)
    if isinstance(layer, CPLinear):
        return _cp_energy(layer, mode)
    if isinstance(layer, MPOLinear):
        return _mpo_energy(layer, mode)
    assert isinstance(layer, Tensorized)
    kernel = layer.dense_weight().double()
    if mode.side == "out":
        return row_norms(kernel.flatten(1))
    groups = mode.size // kernel.shape[1]
    parts = kernel.reshape(groups, -1, *kernel.shape[1:]).movedim(2, 1)
    return row_norms(parts.flatten(0, 1).flatten(1))


def row_norms(matrix: Tensor) -> Tensor:
    """Norm of each row of a matrix, shape (rows,).

    >>> row_norms(torch.tensor([[3.0, 4.0]])).tolist()
    [5.0]
    """
    return matrix.square().sum(dim=1).sqrt()


def orthonormal_network(network: nn.Module) -> nn.Module:
    """Copy in double precision and evaluation mode, each factorised layer in its fixed gauge.

    >>> layer = orthonormal_network(nn.Sequential(TuckerLinear((4, 3), (5,), 2)))[0]
    >>> factor = layer.in_factors[0]
    >>> bool(torch.allclose(factor.T @ factor, torch.eye(2).double()))
    True
    """
    result = copy.deepcopy(network).double().eval()
    layers = {
        name: layer.orthonormal()
        for name, layer in tensorized_layers(result).items()
        if isinstance(layer, Linear)
    }
    return replaced(result, layers).eval()


@torch.no_grad()
def random_gauge(network: nn.Module, seed: int, *, orthogonal: bool) -> nn.Module:
    """Copy whose factorised linear layers have other parameters and the same weight.

    Parameters
    ----------
    network
        In double precision, better.
    seed
        Of the matrices that are put between factor and core, and between cores.
    orthogonal
        Whether they are orthogonal or of any kind. The columns of CP have no other freedom than
        their signs, and their scales.

    >>> network = nn.Sequential(TuckerLinear((4, 3), (5,), 2)).double()
    >>> other = random_gauge(network, 0, orthogonal=False)
    >>> bool(torch.allclose(other[0].dense_weight(), network[0].dense_weight()))
    True
    >>> bool(torch.allclose(other[0].core, network[0].core))
    False
    """
    result = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    for layer in tensorized_layers(result).values():
        if isinstance(layer, TuckerLinear):
            for mode, factor in enumerate((*layer.in_factors, *layer.out_factors)):
                there = _drawn(factor.shape[1], generator, orthogonal).to(factor)
                layer.core.copy_(along(layer.core, torch.linalg.inv(there), mode))
                factor.copy_(factor @ there)
        elif isinstance(layer, MPOLinear):
            for left, right in pairwise(layer.cores):
                there = _drawn(left.shape[3], generator, orthogonal).to(left)
                left.copy_(left @ there)
                right.copy_(along(right, torch.linalg.inv(there), 0))
        elif isinstance(layer, CPLinear):
            factors = (*layer.in_factors, *layer.out_factors)
            for one, other in pairwise(factors):
                scale = _drawn(one.shape[1], generator, orthogonal).diagonal().to(one)
                scale = scale.sign() if orthogonal else scale
                one.mul_(scale)
                other.div_(scale)
    return result


def _sizes(layer: nn.Module) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if isinstance(layer, Linear):
        return layer.in_modes, layer.out_modes
    if isinstance(layer, LowRankConvolution):
        return (layer.down.in_channels,), (layer.up.out_channels,)
    assert isinstance(layer, TensorizedConvolution)
    return (layer.in_channels,), (layer.out_channels,)


def _drawn(rank: int, generator: torch.Generator, orthogonal: bool) -> Tensor:
    """Orthogonal matrix, or one with singular values from 1/4 to 4."""
    drawn = torch.randn(2, rank, rank, generator=generator, dtype=torch.float64)
    bases: Tensor = torch.linalg.qr(drawn)[0]
    if orthogonal:
        return bases[0]
    values = torch.exp2(4 * torch.rand(rank, generator=generator, dtype=torch.float64) - 2)
    return (bases[0] * values) @ bases[1]


def _tucker_energy(layer: TuckerLinear, mode: Mode) -> Tensor:
    factors = [factor.double() for factor in (*layer.in_factors, *layer.out_factors)]
    chosen = mode.number + (len(layer.in_factors) if mode.side == "out" else 0)
    core = layer.core.double()
    for other, factor in enumerate(factors):
        if other != chosen:
            core = along(core, torch.linalg.qr(factor).R, other)
    return row_norms(factors[chosen] @ unfolded(core, chosen))


def _cp_energy(layer: CPLinear, mode: Mode) -> Tensor:
    factors = [factor.double() for factor in (*layer.in_factors, *layer.out_factors)]
    chosen = factors.pop(mode.number + (len(layer.in_factors) if mode.side == "out" else 0))
    overlap = torch.stack([factor.T @ factor for factor in factors]).prod(dim=0)
    squares: Tensor = ((chosen @ overlap) * chosen).sum(dim=1)
    return squares.clamp_min(0).sqrt()


def _mpo_energy(layer: MPOLinear, mode: Mode) -> Tensor:
    cores = [core.double() for core in layer.cores]
    left = right = torch.ones(1, 1, dtype=torch.float64)
    for core in cores[: mode.number]:
        left = torch.einsum("ab,aoic,boid->cd", left, core, core)
    for core in cores[: mode.number : -1]:
        right = torch.einsum("aoic,boid,cd->ab", core, core, right)
    kept = "i" if mode.side == "in" else "o"
    core = cores[mode.number]
    squares: Tensor = torch.einsum(f"ab,aoic,boid,cd->{kept}", left, core, core, right)
    return squares.clamp_min(0).sqrt()
