"""Bonds of the tensorized layers of a network: what passes through them, and what it is worth."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.insight.separation import (
    area_error,
    discriminability,
    distance_error,
    linear_scores,
)
from phasenet.networks.functions import logits_function
from phasenet.networks.layers.convolutions import TensorizedConvolution
from phasenet.networks.layers.cp import CPLinear
from phasenet.networks.layers.forms import Tensorized, replaced
from phasenet.networks.layers.low_rank import LowRankConvolution
from phasenet.networks.layers.mpo import MPOLinear
from phasenet.networks.layers.spectra import BondSpectrum
from phasenet.networks.layers.tucker import TuckerLinear
from phasenet.statistics import area_under_curve
from phasenet.trains.train import FloatArray, IntArray

_ROWS = 256


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One place of a network where numbers pass.

    Parameters
    ----------
    name
        Of the layer and its bond.
    numbers
        How many pass for one shot, once places and steps along the chain are averaged.
    area
        Area under the ROC curve of the best linear readout of them.
    error
        Standard error of it.
    distance, distance_error
        Distance of the class means of that readout, d', and its standard error.
    """

    name: str
    numbers: int
    area: float
    error: float
    distance: float
    distance_error: float


def tensorized_layers(network: nn.Module) -> dict[str, Tensorized]:
    """Tensorized layers by name, in the order of the network.

    >>> list(tensorized_layers(nn.Sequential(nn.ReLU(), CPLinear((2, 2), (3,), 2))))
    ['1']
    """
    return {n: layer for n, layer in network.named_modules() if isinstance(layer, Tensorized)}


def layer_spectra(network: nn.Module) -> dict[tuple[str, str], BondSpectrum]:
    """Spectrum of each bond of each tensorized layer, by the names of both.

    >>> list(layer_spectra(nn.Sequential(CPLinear((2, 2), (3,), 2))))
    [('0', 'rank')]
    """
    return {
        (name, bond): spectrum
        for name, layer in tensorized_layers(network).items()
        for bond, spectrum in layer.spectra().items()
    }


def stack_view(
    network: nn.Module, spins: IntArray, second: IntArray, seed: int
) -> tuple[Stage, ...]:
    """How well each bond of each layer tells two classes apart, in the order of computation.

    A layer that acts on every site, or once for every site, is read as the network reads it in the
    end: by the mean over the sites.

    Parameters
    ----------
    network
        Takes local states of shape (shots, sites).
    spins, second
        Shots, and whether each is of the second class.
    seed
        Of the halves that readouts are fitted and tested on.
    """
    found = [_stage("input, one-hot", _one_hot(spins), second, seed)]
    for name, values in _features(network, spins).items():
        found.append(_stage(name, values, second, seed))
    return (*found, _stage("logits", logits_function(network)(spins), second, seed))


def ablated_layers(network: nn.Module, most: int) -> Iterator[tuple[str, str, int, nn.Module]]:
    """Networks without one index of one bond: layer, bond, index (largest first), network.

    Parameters
    ----------
    network
        Left as it is.
    most
        Indices of each bond.

    >>> network = nn.Sequential(CPLinear((2, 2), (3,), 2))
    >>> [(name, bond, index) for name, bond, index, _ in ablated_layers(network, 8)]
    [('0', 'rank', 0), ('0', 'rank', 1)]
    """
    for name, layer in tensorized_layers(network).items():
        canonical = _canonical(layer)
        for bond, spectrum in layer.spectra().items():
            for index in range(min(most, len(spectrum.values))):
                yield name, bond, index, replaced(network, {name: without(canonical, bond, index)})


@torch.no_grad()
def without(layer: Tensorized, bond: str, index: int) -> Tensorized:
    """Copy of a layer with one index of a bond set to zero, in the gauge that the layer is in.

    >>> layer = CPLinear((2, 2), (3,), 1, bias=False)
    >>> without(layer, "rank", 0).dense_weight().abs().max().item()
    0.0
    """
    result = copy.deepcopy(layer)
    kind, _, number = bond.partition(" ")
    place = int(number or 0)
    if isinstance(result, MPOLinear):
        result.cores[place][..., index] = 0
    elif isinstance(result, TuckerLinear):
        factors = result.in_factors if kind == "in" else result.out_factors
        factors[place][:, index] = 0
    elif isinstance(result, CPLinear):
        result.in_factors[0][:, index] = 0
    elif isinstance(result, LowRankConvolution):
        result.down.weight[index] = 0
    else:
        # What comes out of the link before the bond is its first axis.
        link = result.cores[place - 1] if kind == "bond" else result.in_factors[0]
        link = result.core if (kind, result.form) == ("out", "tucker") else link
        link[index] = 0
    return result


@torch.no_grad()
def _canonical(layer: Tensorized) -> Tensorized:
    """Layer of the same weight whose indices are ordered by how much they matter."""
    if not isinstance(layer, LowRankConvolution):
        return layer.orthonormal()
    result = copy.deepcopy(layer)
    up, down = (part.weight.double().flatten(1) for part in (layer.up, layer.down))
    u, s, vh = torch.linalg.svd(up @ down, full_matrices=False)
    rank = up.shape[1]
    result.up.weight.copy_(u[:, :rank].reshape(layer.up.weight.shape))
    result.down.weight.copy_((s[:rank, None] * vh[:rank]).reshape(layer.down.weight.shape))
    return result


def _stage(name: str, values: FloatArray, second: IntArray, seed: int) -> Stage:
    scores = linear_scores(values, second, seed)
    found, distance = (
        float(area_under_curve(scores, second == 0)),
        float(discriminability(scores, second)),
    )
    return Stage(
        name=name,
        numbers=values.shape[1],
        area=found,
        error=float(area_error(found, second)),
        distance=distance,
        distance_error=distance_error(distance, second),
    )


def _one_hot(spins: IntArray) -> FloatArray:
    return np.asarray(np.eye(int(spins.max()) + 1)[spins].reshape(len(spins), -1))


@torch.no_grad()
def _features(network: nn.Module, spins: IntArray) -> dict[str, FloatArray]:
    """Values on each bond, one row for each shot, by the names of layer and bond."""
    parts: dict[str, list[FloatArray]] = {}
    for rows in np.array_split(spins, max(1, -(-len(spins) // _ROWS))):
        for name, values in _of_rows(network, rows).items():
            parts.setdefault(name, []).append(values)
    return {name: np.concatenate(each) for name, each in parts.items()}


def _of_rows(network: nn.Module, spins: IntArray) -> dict[str, FloatArray]:
    shots, sites = spins.shape
    # An axis as long as there are shots is theirs only if it cannot be that of the sites.
    asked = np.concatenate((spins, spins[:1])) if shots == sites else spins
    seen: dict[str, list[torch.Tensor]] = {}

    def hook(name: str, layer: Tensorized) -> torch.utils.hooks.RemovableHandle:
        def note(_: nn.Module, received: tuple[torch.Tensor, ...]) -> None:
            is_convolution = isinstance(layer, TensorizedConvolution | LowRankConvolution)
            leading = received[0].shape[: 1 if is_convolution else -1]
            for bond, values in layer.bond_activations(received[0]).items():
                if is_convolution:
                    values = values.flatten(2).mean(2)
                seen.setdefault(f"{name}: {bond}", []).append(
                    _per_shot(values, leading, len(asked))
                )

        return layer.register_forward_pre_hook(note)

    hooks = [hook(name, layer) for name, layer in tensorized_layers(network).items()]
    try:
        network(torch.as_tensor(asked, dtype=torch.long))
    finally:
        for handle in hooks:
            handle.remove()
    return {
        name: torch.stack(calls).mean(0)[:shots].double().numpy() for name, calls in seen.items()
    }


def _per_shot(values: torch.Tensor, leading: torch.Size, shots: int) -> torch.Tensor:
    """Values of shape (shots, numbers), the mean over all other leading axes of an input."""
    if shots not in leading:
        raise SettingsError(
            f"a tensorized layer gets inputs with the leading axes {tuple(leading)} for {shots} "
            "shots; wanted one of them to be the shots"
        )
    axis = leading.index(shots)
    found = values.movedim(axis, 0)
    return (
        found.flatten(1, len(leading) - 1).mean(1).flatten(1)
        if len(leading) > 1
        else (found.flatten(1))
    )
