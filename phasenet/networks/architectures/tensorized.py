"""Tensorized layers of a network: put in as a file names them, and the weights they stand for."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from phasenet.errors import FileKindError, SettingsError, ShapeError
from phasenet.networks.layers.forms import (
    LayerForm,
    Tensorized,
    dense_layers,
    replaced,
    untrained,
)


def with_forms(network: nn.Module, layers: Mapping[str, Any]) -> nn.Module:
    """Copy of a dense network with untrained tensorized layers, as a file names them.

    Raises
    ------
    FileKindError
        There is no such layer, or its form does not fit.

    >>> form = {"form": "cp", "in_modes": [4], "out_modes": [3], "ranks": [2]}
    >>> with_forms(nn.Sequential(nn.Linear(4, 3)), {"0": form})[0].ranks
    (2,)
    """
    if not isinstance(layers, Mapping):
        raise FileKindError(f"the tensorized layers are {layers!r:.60}; wanted forms by name")
    there = dense_layers(network)
    odd = [name for name in layers if name not in there]
    if odd:
        raise FileKindError(
            f"the architecture has a tensorized layer {odd[0]!r:.60}; the network has "
            f"{', '.join(there)}"
        )
    return replaced(network, {n: _made(n, there[n], values) for n, values in layers.items()})


def dense_weight(layer: nn.Module) -> torch.Tensor:
    """Weight of a dense layer, or the one that a tensorized layer stands for.

    >>> tuple(dense_weight(nn.Linear(3, 2)).shape)
    (2, 3)
    """
    if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
        return layer.weight
    assert isinstance(layer, Tensorized)
    return layer.dense_weight()


def _made(name: str, layer: nn.Module, values: Any) -> nn.Module:
    said = f"the form of layer {name!r} cannot be used"
    if not isinstance(values, Mapping):
        raise FileKindError(f"{said}: got {values!r:.60}, wanted its modes and ranks")
    try:
        form = LayerForm.of(values)
        if isinstance(layer, nn.Linear):
            _check_modes(layer, form)
        return untrained(layer, form)
    except (SettingsError, ShapeError, KeyError, TypeError, ValueError) as error:
        raise FileKindError(f"{said}: {error}") from error


def _check_modes(layer: nn.Linear, form: LayerForm) -> None:
    features = (layer.in_features, layer.out_features)
    if (math.prod(form.in_modes), math.prod(form.out_modes)) != features:
        raise ShapeError(
            f"modes {form.in_modes} and {form.out_modes} of a layer with {features[0]} inputs and "
            f"{features[1]} outputs"
        )
