"""Toy datasets of independent sites, whose likelihoods are known exactly."""

from dataclasses import replace

import numpy as np

from phasenet.points import ParameterPoint
from phasenet.settings import TrainSettings
from phasenet.shots import SampledPoint, Shots, Snapshots, SnapshotsHead, Source

LENGTH = 12
CLASSES = ("haldane", "large_d")
SETTINGS = TrainSettings(channels=(4,), kernel=3, batch=64, max_epochs=12, patience=8)
ROLES = ("train", "validation", "test", "critical")


def toy_snapshots(shots=150, roles=ROLES, length=LENGTH, classes=CLASSES, zeros=(0.2, 0.7)):
    """Independent sites, with more zeros in the second class: likelihoods are known exactly."""
    rng = np.random.default_rng(3)
    points, spins, index, truth = [], [], [], []
    for role in roles:
        for label in classes:
            points.append(
                SampledPoint(
                    point=ParameterPoint.of(D=len(points)), label=label, split=role, reason="toy"
                )
            )
            zero = zeros[CLASSES.index(label)]
            p = [(1 - zero) / 2, zero, (1 - zero) / 2]
            spins.append(rng.choice(3, size=(shots, length), p=p))
            index += [len(points) - 1] * shots
            truth.append(p)
    drawn = np.concatenate(spins).astype(np.uint8)
    weights = {label: truth[CLASSES.index(label)] for label in classes}
    logs = np.stack(
        [np.log(np.asarray(weights[label])[drawn]).sum(axis=1) for label in classes], axis=1
    )
    return Snapshots(
        head=SnapshotsHead(
            site_dim=3,
            basis="Sz",
            classes=classes,
            sources=(chain(length),),
            points=tuple(points),
        ),
        shots=Shots(
            spins=drawn,
            point_index=np.asarray(index, dtype=np.int32),
            log_probability=np.zeros(len(drawn)),
            class_log_likelihood=logs,
        ),
    )


def chain(length, title="Toy"):
    return Source(study="toy", title=title, hamiltonian="", sites=length, boundary="finite")


def with_shots(snapshots, **changes):
    return replace(snapshots, shots=replace(snapshots.shots, **changes))


def with_points(snapshots, change, **changes):
    """The same shots, with the points changed one by one and the head as told."""
    points = tuple(change(point) for point in snapshots.head.points)
    return replace(snapshots, head=replace(snapshots.head, points=points, **changes))


def toy_line(places, *, shots=40, zeros=(0.2, 0.7), length=LENGTH):
    """Points of both classes along one or more couplings: (label, couplings, split) of each."""
    rng = np.random.default_rng(7)
    points, spins = [], []
    for label, couplings, split in places:
        zero = zeros[CLASSES.index(label)]
        spins.append(rng.choice(3, size=(shots, length), p=[(1 - zero) / 2, zero, (1 - zero) / 2]))
        point = ParameterPoint.of(couplings)
        points.append(SampledPoint(point=point, label=label, split=split, reason="toy"))
    drawn = np.concatenate(spins).astype(np.uint8)
    return Snapshots(
        head=SnapshotsHead(
            site_dim=3, basis="Sz", classes=CLASSES, sources=(chain(length),), points=tuple(points)
        ),
        shots=Shots(
            spins=drawn,
            point_index=np.repeat(np.arange(len(points), dtype=np.int32), shots),
            log_probability=np.zeros(len(drawn)),
            class_log_likelihood=np.full((len(drawn), 2), np.nan),
        ),
    )
