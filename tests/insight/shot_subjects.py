"""Subjects whose networks read what is known: zeros, neighbours, strings, violated hidden order."""

import numpy as np
import torch
from torch import nn

from phasenet.insight.subject import Subject
from phasenet.phases.conditional import bulk_string_of_snapshots
from phasenet.points import ParameterPoint
from phasenet.records import TensorizedClassifier, TensorizedFunction
from phasenet.shots import SampledPoint, Shots, Snapshots, SnapshotsHead, Source
from phasenet.trained import TrainedNetwork
from phasenet.trains.train import TensorTrain

CLASSES = ("haldane", "large_d")


class Known(nn.Module):
    """Two logits from one function of the shots."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, spins):
        values = np.asarray(self.function(spins.numpy()), dtype=np.float64)
        return torch.from_numpy(np.stack([values, -values], axis=1))


def zeros(spins):
    return 0.5 - (spins == 1).mean(axis=1)


def neighbours(spins, distance=1):
    signs = 1.0 - spins.astype(float)
    return -(signs[:, distance:] * signs[:, :-distance]).mean(axis=1)


def string(spins):
    return bulk_string_of_snapshots(spins, 3) - 0.25


def hidden_order_shots(shots, sites, zero, rng, ordered=True):
    """Alternating signs with zeros anywhere in between, or signs at random."""
    is_zero = rng.random((shots, sites)) < zero
    signs = (np.cumsum(~is_zero, axis=1) + rng.integers(2, size=(shots, 1))) % 2
    if not ordered:
        signs = rng.integers(2, size=(shots, sites))
    return np.where(is_zero, 1, 2 * signs).astype(np.uint8)


def hidden_order_snapshots(
    *, shots=400, sites=32, zeros=(0.3, 0.3), splits=("train", "test"), classes=CLASSES, seed=0
):
    """Hidden order in the first class, none in the second, with given densities of zeros."""
    rng = np.random.default_rng(seed)
    points, spins = [], []
    for split in splits:
        for k, label in enumerate(classes):
            spins.append(hidden_order_shots(shots, sites, zeros[k], rng, ordered=k == 0))
            place = ParameterPoint.of(D=float(k), h=0.1 * len(points))
            points.append(SampledPoint(point=place, label=label, split=split, reason=""))
    return snapshots_of(np.concatenate(spins), points, classes, shots)


def snapshots_of(spins, points, classes, shots, site_dim=3, basis="Sz"):
    source = Source(
        study="toy", title="Toy", hamiltonian="", sites=spins.shape[1], boundary="finite"
    )
    return Snapshots(
        head=SnapshotsHead(
            site_dim=site_dim,
            basis=basis,
            classes=classes,
            sources=(source,),
            points=tuple(points),
        ),
        shots=Shots(
            spins=spins,
            point_index=np.repeat(np.arange(len(points), dtype=np.int32), shots),
            log_probability=np.full(len(spins), np.nan),
            class_log_likelihood=np.full((len(spins), len(classes)), np.nan),
        ),
    )


def subject_of(snapshots, function, states=(), seed=0, length=None):
    classes, dim = snapshots.head.classes, snapshots.head.site_dim
    sites = snapshots.head.sources[0].sites
    train = TensorTrain(cores=(np.zeros((1, dim, 1)),) * sites)
    nothing = TensorizedFunction(
        train=train, data_error=0.0, agreement=1.0, agreement_error=0.0, uniform_error=0.0,
        evaluations=0, outcome="", history={},
    )  # fmt: skip
    architecture = {"kind": "known"} | ({} if length is None else {"length": length})
    return Subject(
        name="known",
        record=TrainedNetwork(
            architecture=architecture, weights={}, classes=classes, history={}, scores=(),
            outcome="",
        ),
        network=Known(function).eval(),
        classifier=TensorizedClassifier(
            classes=classes, logits=nothing, probabilities=nothing, points=(),
            probability_errors=np.zeros((0, 2)), string_errors=np.zeros((0, 2)), held_out=0,
        ),
        states=tuple(states),
        snapshots=snapshots,
        card=None,
        seed=seed,
    )  # fmt: skip


def nothing_to_hear(done, word):
    """Progress of nobody."""
