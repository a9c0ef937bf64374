"""Labelled snapshots from ground states and their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from phasenet.errors import SettingsError
from phasenet.points import ParameterPoint
from phasenet.records import GroundState, PointLabel, Snapshots
from phasenet.seeds import stream
from phasenet.settings import SampleSettings
from phasenet.snapshots.sampling import log_probability, sample
from phasenet.trains.train import FloatArray, TensorTrain

_WITH_LIKELIHOOD = ("test", "critical")


def assign_splits(
    labels: Sequence[PointLabel], settings: SampleSettings, seed: int
) -> tuple[PointLabel, ...]:
    """Divide the points that may be trained on into train, validation and test, class by class.

    Parameters
    ----------
    labels
        Points whose split ``train`` means "may be trained on"; all others keep their split.
    settings
        Fractions for validation and test; each gets at least one point of each class.
    seed
        Seed of the run.

    Raises
    ------
    SettingsError
        A class has fewer than three points.
    """
    splits: dict[ParameterPoint, str] = {}
    for label in sorted({p.label for p in labels if p.label is not None}):
        members = [p.point for p in labels if p.label == label and p.split == "train"]
        if len(members) < 3:
            raise SettingsError(
                f"class {label} has {len(members)} points to train, validate and test on; wanted "
                "at least 3: widen the grid, lengthen the chain or lower sample.xi_per_length"
            )
        validation = max(1, min(round(settings.validation * len(members)), len(members) - 2))
        test = max(1, min(round(settings.test * len(members)), len(members) - validation - 1))
        order = stream(seed, "split", label).permutation(len(members))
        for rank, index in enumerate(order):
            name = "validation" if rank < validation else "train"
            splits[members[index]] = "test" if validation <= rank < validation + test else name
    return tuple(replace(p, split=splits.get(p.point, p.split)) for p in labels)


def draw_snapshots(
    states: Mapping[ParameterPoint, GroundState],
    labels: Sequence[PointLabel],
    classes: Sequence[str],
    settings: SampleSettings,
    seed: int,
) -> Snapshots:
    """Snapshots of open chains, with the likelihoods that the Bayes-optimal classifier needs.

    Parameters
    ----------
    states
        Open chains by point.
    labels
        One for each point, with splits assigned.
    classes
        Labels in the order of the outputs of a classifier.
    settings, seed
        Shots for each point; every point draws from a stream of its own.
    """
    spins, logs = [], []
    for label in labels:
        rng = stream(seed, "shots", label.point.id)
        drawn, log_p = sample(_chain(states[label.point]), settings.shots, rng)
        spins.append(drawn)
        logs.append(log_p)
    index = np.repeat(np.arange(len(labels), dtype=np.int32), settings.shots)
    present = tuple(c for c in classes if any(p.label == c for p in labels))
    snapshots = Snapshots(
        spins=np.concatenate(spins),
        site_dim=_chain(states[labels[0].point]).site_dims[0],
        basis=settings.basis,
        points=tuple(labels),
        point_index=index,
        classes=present,
        log_probability=np.concatenate(logs),
        class_log_likelihood=np.full((len(index), len(present)), np.nan),
    )
    return replace(snapshots, class_log_likelihood=_class_log_likelihood(snapshots, states))


def _class_log_likelihood(
    snapshots: Snapshots, states: Mapping[ParameterPoint, GroundState]
) -> FloatArray:
    """Return ln p(shot | class), where a class is the equal mixture of its points in the split."""
    result = snapshots.class_log_likelihood.copy()
    for split in _WITH_LIKELIHOOD:
        chosen = snapshots.in_split(split)
        if len(chosen) == 0:
            continue
        for column, name in enumerate(snapshots.classes):
            members = [p.point for p in snapshots.points if (p.split, p.label) == (split, name)]
            if members:
                logs = [
                    log_probability(_chain(states[point]), snapshots.spins[chosen])
                    for point in members
                ]
                result[chosen, column] = logsumexp(logs, axis=0) - np.log(len(members))
    return result


def _chain(state: GroundState) -> TensorTrain:
    if not isinstance(state.train, TensorTrain):
        raise SettingsError(f"the state at {state.point} is infinite; snapshots need an open chain")
    return state.train
