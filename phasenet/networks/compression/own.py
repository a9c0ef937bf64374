"""Classifiers of ours and their snapshots, as what is to be compressed and what it is judged on."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.networks.architectures.registry import build
from phasenet.networks.architectures.tensorized import dense_weight
from phasenet.networks.compression.narrow import narrow_architecture
from phasenet.networks.compression.task import SPLITS, Labelled, Network, Subject, Task
from phasenet.networks.convolutional import load_weights
from phasenet.networks.readings import readings_of
from phasenet.shots import Snapshots
from phasenet.trained import Score, TrainedNetwork


def subject_of_record(record: TrainedNetwork) -> Subject:
    """Stored classifier, float32, with its narrower relatives.

    Raises
    ------
    FileKindError, SettingsError
        Its weights or its architecture are of no network of ours.
    """
    network = build(record.architecture)
    load_weights(network, record.weights)

    def narrowed(share: float) -> Network:
        architecture = narrow_architecture(record.architecture, share)
        return build(architecture), architecture

    network = network.float().eval()
    return Subject(
        network=network,
        dense=_dense(network, record.architecture),
        architecture=dict(record.architecture),
        narrowed=narrowed,
    )


@torch.no_grad()
def _dense(network: nn.Module, architecture: Mapping[str, Any]) -> nn.Module:
    """The same function without tensorized layers."""
    if "layers" not in architecture:
        return network
    dense = build({name: v for name, v in architecture.items() if name != "layers"}).float()
    made = dense.state_dict()
    held = network.state_dict()
    for name in made:
        layer, _, last = name.rpartition(".")
        tensorized = layer in architecture["layers"] and last == "weight"
        made[name] = dense_weight(network.get_submodule(layer)) if tensorized else held[name]
    dense.load_state_dict(made)
    return dense.eval()


def task_of_snapshots(snapshots: Snapshots, record: TrainedNetwork) -> Task:
    """Labelled shots that a classifier was trained, stopped and scored on.

    Raises
    ------
    SettingsError
        The shots are of other classes or read otherwise than those it was trained on, or a split
        has none.
    """
    head = snapshots.head
    if tuple(head.classes) != tuple(record.classes):
        raise SettingsError(
            f"the snapshots have the classes {', '.join(head.classes)}, the network knows "
            f"{', '.join(record.classes)}; name those that it was trained on by --snapshots"
        )
    readings = readings_of(snapshots)
    if readings.count != int(record.architecture.get("site_dim", readings.count)):
        raise SettingsError(
            f"a site of the snapshots has {readings.count} readings, the network knows "
            f"{record.architecture['site_dim']}; name those that it was trained on by --snapshots"
        )
    parts = {}
    for split in SPLITS:
        chosen = snapshots.in_split(split)
        chosen = chosen[snapshots.label_index[chosen] >= 0]
        if len(chosen) == 0:
            raise SettingsError(f"the snapshots have no labelled shots in the split {split}")
        parts[split] = Labelled(
            x=torch.from_numpy(readings.of(snapshots, chosen)),
            y=torch.from_numpy(snapshots.label_index[chosen]),
        )
    return Task(**parts, classes=len(head.classes))


def nulls_of_record(record: TrainedNetwork) -> tuple[Score, ...]:
    """Scores on held-out points of all but the network: what local features tell, and Bayes."""
    others = [s for s in record.scores if s.split == "test" and "network" not in s.classifier]
    return tuple(score for score in others if score.classifier != "ensemble")
