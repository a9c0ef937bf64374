"""What attackers see of classifiers in files."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from phasenet.errors import FileKindError, ShapeError
from phasenet.networks.architectures.tensor_train import TrainClassifier, as_train
from phasenet.networks.fitting import network_of
from phasenet.networks.functions import logits_function
from phasenet.privacy.attribute_report import BLACK, WHITE, View
from phasenet.privacy.features import (
    Layer,
    canonical_networks,
    canonical_trains,
    correct_bits,
    logit_features,
    raw_parameters,
    schmidt_values,
    weight_spectra,
)
from phasenet.trained import TrainedNetwork
from phasenet.trains.train import Array, FloatArray, IntArray

_LAYERED = ("mlp", "convolutional")
"""Kinds of networks that are one layer after the other, with SiLU between them."""


def views_of(
    records: Sequence[TrainedNetwork], probes: tuple[Array, IntArray] | None
) -> tuple[tuple[View, ...], tuple[str, ...]]:
    """Views of some classifiers, and a sentence on each view that there is not.

    Parameters
    ----------
    records
        Classifiers of the same classes; of several seeds the first network.
    probes
        Questions, shape (probes, sites), and their labels; None: no black-box views.

    Raises
    ------
    FileKindError
        The classifiers have other classes or kinds than each other.
    """
    first = records[0]
    for record in records:
        for what, one, other in (
            ("classes", first.classes, record.classes),
            ("kind", first.architecture.get("kind"), record.architecture.get("kind")),
        ):
            if one != other:
                raise FileKindError(
                    f"networks have {what} {one!r} and {other!r}; wanted the same of all"
                )
    networks = [network_of(dict(r.architecture), r.all_members[0]) for r in records]
    views, left_out = _white_box(records, networks)
    if probes is None:
        left_out.append("Answers were not looked at: name snapshots that the networks are asked.")
    else:
        views += _black_box(networks, *probes)
    return tuple(views), tuple(left_out)


def _white_box(
    records: Sequence[TrainedNetwork], networks: Sequence[nn.Module]
) -> tuple[list[View], list[str]]:
    weights = [record.weights for record in records]
    makers: list[tuple[str, Callable[[], FloatArray]]] = [
        ("raw parameters", lambda: raw_parameters(weights))
    ]
    left_out = []
    kind = records[0].architecture["kind"]
    trains = [as_train(n) for n in networks if isinstance(n, TrainClassifier)]
    if trains:
        makers += [
            ("canonical form", lambda: canonical_trains(trains)),
            ("Schmidt values", lambda: schmidt_values(trains)),
        ]
    else:
        if kind in _LAYERED and not any(r.architecture.get("layers") for r in records):
            layers = [_layers(network) for network in networks]
            makers.append(("canonical form", lambda: canonical_networks(layers, "silu")))
        else:
            left_out.append(f"No canonical form is known here of networks of kind {kind}.")
        makers.append(("weight spectra", lambda: weight_spectra(weights)))
    views = []
    for name, make in makers:
        try:
            views.append(View(name=name, box=WHITE, features=make()))
        except ShapeError as reason:
            left_out.append(f"{name[0].upper()}{name[1:]} were not looked at: {reason}.")
    return views, left_out


def _black_box(networks: Sequence[nn.Module], spins: Array, labels: IntArray) -> list[View]:
    logits = np.stack([logits_function(network)(spins) for network in networks])
    return [
        View(name="answers", box=BLACK, features=logit_features(logits)),
        View(name="right or wrong", box=BLACK, features=correct_bits(logits, labels)),
    ]


def _layers(network: nn.Module) -> list[Layer]:
    """Weights and biases of layers in their order."""
    found = []
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv1d):
            assert isinstance(module.weight, torch.Tensor)
            assert isinstance(module.bias, torch.Tensor)
            found.append((_numbers(module.weight), _numbers(module.bias)))
    return found


def _numbers(values: torch.Tensor) -> Array:
    return np.asarray(values.detach().cpu().double().numpy())
