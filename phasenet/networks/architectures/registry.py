"""All kinds of classifiers by name: from settings to an architecture, from there to a network.

An architecture is a dictionary of plain values that a file holds as JSON. Nothing that it names is
imported: a kind is one of ARCHITECTURES, the form of a layer one of three.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from phasenet.errors import FileKindError, SettingsError
from phasenet.networks.architectures.architecture import Architecture
from phasenet.networks.architectures.convolutional import CONVOLUTIONAL
from phasenet.networks.architectures.correlator import CORRELATOR
from phasenet.networks.architectures.gru import GRU
from phasenet.networks.architectures.mlp import MLP
from phasenet.networks.architectures.tensor_train import TRAIN
from phasenet.networks.architectures.tensorized import with_forms
from phasenet.networks.architectures.transformer import TRANSFORMER
from phasenet.networks.layers.forms import forms_for
from phasenet.networks.readings import Readings
from phasenet.settings import NETWORK_SIZES, TrainSettings

ARCHITECTURES: Mapping[str, Architecture] = MappingProxyType(
    {
        "convolutional": CONVOLUTIONAL,
        "mlp": MLP,
        "gru": GRU,
        "transformer": TRANSFORMER,
        "correlator": CORRELATOR,
        "train": TRAIN,
    }
)
"""Kinds of networks by the names that ``train.architecture`` takes."""

# A gigabyte in float32: far above what snapshots of a chain can teach.
_MOST_WEIGHTS = 2**28


def architecture_of(
    settings: TrainSettings, readings: Readings, lengths: Sequence[int], classes: int
) -> dict[str, Any]:
    """Architecture of the classifier that settings ask for, as plain values.

    Parameters
    ----------
    settings
        Of the architecture and its layers.
    readings
        What the network sees of a site.
    lengths
        Number of sites of the chains that it is trained on, in any order.
    classes
        Number of outputs.

    Raises
    ------
    SettingsError
        A setting is changed that this kind does not use, or does not fit to the chains.

    >>> readings = Readings(site_dim=3, lost=False, bases=())
    >>> architecture_of(TrainSettings(architecture="gru", width=8), readings, [32], 2)
    {'kind': 'gru', 'site_dim': 3, 'width': 8, 'depth': 2, 'classes': 2}
    """
    kind = ARCHITECTURES[settings.architecture]
    _check_used(settings, kind)
    lengths = sorted(set(lengths))
    if kind.one_length and len(lengths) > 1:
        several = ", ".join(name for name, other in ARCHITECTURES.items() if not other.one_length)
        raise SettingsError(
            f"the chains have {', '.join(str(length) for length in lengths)} sites; "
            f"train.architecture {settings.architecture} takes one length only: choose one of "
            f"{several}"
        )
    architecture = {
        "kind": settings.architecture,
        **readings.as_dict(),
        **kind.values(settings, readings.count, lengths),
        "classes": classes,
    }
    if settings.layers == "dense":
        return architecture
    forms = forms_for(_outline(architecture), settings.layers, ranks=settings.rank)
    if not forms:
        raise SettingsError(
            f"no layer of architecture {settings.architecture!r} gets smaller as {settings.layers} "
            f"of rank {settings.rank}; lower train.rank or leave train.layers dense"
        )
    return {**architecture, "layers": {name: form.as_dict() for name, form in forms.items()}}


def build(architecture: Mapping[str, Any]) -> nn.Module:
    """Untrained network of an architecture, as a file holds it.

    It takes integers of shape (shots, sites) and gives logits of shape (shots, classes). The
    weights are drawn from torch's global generator.

    Raises
    ------
    SettingsError
        There is no such kind of network or of layer.
    FileKindError
        A value is missing or nonsense.

    >>> network = build({"kind": "gru", "site_dim": 3, "width": 8, "depth": 2, "classes": 2})
    >>> tuple(network(torch.zeros(5, 6, dtype=torch.long)).shape)
    (5, 2)
    """
    name = architecture.get("kind")
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise SettingsError(
            f"architecture is {name!r:.60}; wanted one of {', '.join(map(repr, ARCHITECTURES))}"
        )
    _outline(architecture)
    network = ARCHITECTURES[name].make(architecture)
    layers = architecture.get("layers")
    return with_forms(network, layers) if layers else network


def _check_used(settings: TrainSettings, kind: Architecture) -> None:
    default = TrainSettings()
    changed = [name for name in NETWORK_SIZES if getattr(settings, name) != getattr(default, name)]
    odd = [name for name in changed if name not in kind.uses]
    if odd:
        raise SettingsError(
            f"train.{odd[0]} is {getattr(settings, odd[0])}, but architecture "
            f"{settings.architecture!r} does not use it; it uses {', '.join(kind.uses)}"
        )
    if settings.layers == "dense" and settings.rank != default.rank:
        raise SettingsError(
            f"train.rank is {settings.rank}, but dense layers have none; set train.layers to "
            "tucker, mpo or cp"
        )


def _outline(architecture: Mapping[str, Any]) -> nn.Module:
    """Dense network without numbers, so that none that is too large is ever allocated."""
    with torch.device("meta"):
        network = ARCHITECTURES[architecture["kind"]].make(architecture)
    weights = sum(weight.numel() for weight in network.parameters())
    if weights > _MOST_WEIGHTS:
        raise FileKindError(
            f"architecture {architecture['kind']!r} has {weights} weights; wanted at most "
            f"{_MOST_WEIGHTS}"
        )
    return network
