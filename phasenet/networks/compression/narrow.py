"""Networks of the same kind with fewer channels: what any compression has to beat."""

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

import torch
from torch import nn

from phasenet.networks.compression.measures import parameters_of
from phasenet.networks.compression.task import Network

_WIDTHS = ("channels", "width", "bonds")
_STEPS = 1000
_Dense = nn.Linear | nn.Conv1d | nn.Conv2d
_Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.LayerNorm


def narrow_architecture(architecture: Mapping[str, Any], share: float) -> dict[str, Any]:
    """Architecture of ours with a share of its channels, width or bond dimension, and dense.

    Parameters
    ----------
    architecture
        Plain values, as a file holds them.
    share
        Between 0 and 1; every width is rounded, to at least 1. Heads that do not divide the width
        any more become fewer.

    >>> narrow_architecture({"kind": "convolutional", "channels": [8, 16], "kernel": 3}, 0.25)
    {'kind': 'convolutional', 'channels': [2, 4], 'kernel': 3}
    """
    found = {name: value for name, value in architecture.items() if name != "layers"}
    for name in _WIDTHS:
        if name in found:
            wide = found[name]
            several = isinstance(wide, list | tuple)
            found[name] = [_scaled(w, share) for w in wide] if several else _scaled(wide, share)
    if "heads" in found and "width" in found:
        found["heads"] = math.gcd(int(found["heads"]), int(found["width"]))
    return found


def narrow_sequential(network: nn.Module, share: float) -> nn.Module | None:
    """Untrained copy of a Sequential with a share of the outputs of each layer but the last.

    Parameters
    ----------
    network
        Made of linear layers, convolutions without groups, their norms, and what has no
        parameters; Sequentials may be nested.
    share
        Between 0 and 1; every width is rounded, to at least 1.

    Returns
    -------
    None for a network of another kind.

    >>> wide = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))
    >>> print(narrow_sequential(wide, 0.25)[2])
    Linear(in_features=2, out_features=2, bias=True)
    """
    if not isinstance(network, nn.Sequential):
        return None
    result = copy.deepcopy(network)
    places = _leaves(result)
    weighty = [k for k, (_, _, leaf) in enumerate(places) if _is_dense(leaf)]
    known = all(
        _is_dense(leaf) or isinstance(leaf, _Norm) or parameters_of(leaf) == 0
        for _, _, leaf in places
    )
    if not weighty or not known:
        return None
    before = after = _inputs(places[weighty[0]][2])
    for k, (parent, name, leaf) in enumerate(places):
        if _is_dense(leaf):
            outputs = int(leaf.weight.shape[0])
            narrower = outputs if k == weighty[-1] else _scaled(outputs, share)
            # Behind a flattening, each channel is several inputs.
            inputs = _inputs(leaf) // before * after
            setattr(parent, name, _dense(leaf, inputs, narrower))
            before, after = outputs, narrower
        elif isinstance(leaf, _Norm):
            setattr(parent, name, _norm(leaf, before, after))
    return result


def within_budget(
    narrowed: Callable[[float], Network], budget: int
) -> tuple[nn.Module, dict[str, Any], float] | None:
    """Widest narrow network of at most so many parameters, its architecture and its share.

    Parameters
    ----------
    narrowed
        Untrained network with a share of the widths.
    budget
        Parameters.

    Returns
    -------
    None if even the narrowest one is larger.
    """
    low, high = 0, _STEPS
    best = None
    with torch.random.fork_rng(devices=[]):
        while low <= high:
            middle = (low + high) // 2
            network, architecture = narrowed(middle / _STEPS)
            if parameters_of(network) <= budget:
                best, low = (network, architecture, middle / _STEPS), middle + 1
            else:
                high = middle - 1
    return best


def _scaled(width: int, share: float) -> int:
    return max(1, round(int(width) * share))


def _leaves(network: nn.Sequential) -> list[tuple[nn.Module, str, nn.Module]]:
    """Layers in their order, each with the Sequential that holds it and its name there."""
    found: list[tuple[nn.Module, str, nn.Module]] = []
    for name, layer in network.named_children():
        if isinstance(layer, nn.Sequential):
            found += _leaves(layer)
        else:
            found.append((network, name, layer))
    return found


def _is_dense(layer: nn.Module) -> TypeGuard[_Dense]:
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return layer.groups == 1
    return isinstance(layer, nn.Linear)


def _inputs(layer: nn.Module) -> int:
    assert _is_dense(layer)
    return layer.weight.shape[1]


def _dense(layer: _Dense, inputs: int, outputs: int) -> nn.Module:
    """Untrained layer of the same kind with other numbers of inputs and outputs."""
    made = copy.deepcopy(layer)
    made.weight = nn.Parameter(layer.weight.new_empty(outputs, inputs, *layer.weight.shape[2:]))
    if layer.bias is not None:
        made.bias = nn.Parameter(layer.bias.new_empty(outputs))
    if isinstance(made, nn.Linear):
        made.in_features, made.out_features = inputs, outputs
    else:
        made.in_channels, made.out_channels = inputs, outputs
    made.reset_parameters()
    return made


def _norm(layer: _Norm, before: int, after: int) -> nn.Module:
    if isinstance(layer, nn.LayerNorm):
        shape = [*layer.normalized_shape[:-1], layer.normalized_shape[-1] // before * after]
        return nn.LayerNorm(shape, eps=layer.eps, elementwise_affine=layer.elementwise_affine)
    features = layer.num_features // before * after
    return type(layer)(features, eps=layer.eps, momentum=layer.momentum, affine=layer.affine)
