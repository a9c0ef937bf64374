"""Which indices of its tensorized layers a classifier needs, beside a null of shuffled labels."""

import numpy as np
import torch
from torch import Tensor, nn

from phasenet.errors import SettingsError
from phasenet.findings import Section
from phasenet.insight.importance_modes import Linear, orthonormal_network, random_gauge
from phasenet.insight.importance_names import index_names, state_names
from phasenet.insight.importance_null import Lesson, Taught, accuracy_of, against_null, taught
from phasenet.insight.importance_report import NAME, Importance, written
from phasenet.insight.importance_scores import SCORES, ModeScores, mode_scores, site_losses
from phasenet.insight.layer_bonds import tensorized_layers
from phasenet.insight.subject import Progress, Subject
from phasenet.networks.architectures.registry import build
from phasenet.networks.held_out import sites_of_points
from phasenet.networks.readings import readings_of
from phasenet.networks.scoring import labelled
from phasenet.seeds import stream
from phasenet.settings import TrainSettings
from phasenet.trains.train import FloatArray

NULLS, REPLICAS = 19, 3
STEPS = NULLS + REPLICAS + 1
"""What :func:`importance_section` tells its progress of, with its own numbers."""

_GAUGE_SHOTS = 256


def importance_section(
    subject: Subject,
    *,
    shots: int = 1000,
    train_shots: int = 8192,
    nulls: int = NULLS,
    replicas: int = REPLICAS,
    epochs: int = 3,
    progress: Progress,
) -> Section:
    """Find which indices of which modes a classifier needs.

    Parameters
    ----------
    subject
        Classifier with at least one tensorized layer.
    shots
        Held-out shots that the scores are taken on, at most.
    train_shots, epochs
        What each network of the null is taught, at most, and for how long.
    nulls, replicas
        Networks that are taught shuffled labels, and true ones in the same way. The least p-value
        is one over the number of the nulls plus one.
    progress
        Told of each network.

    Raises
    ------
    SettingsError
        No layer is tensorized, or a split lacks shots of two classes.
    """
    if not tensorized_layers(subject.network):
        raise SettingsError(
            f"{subject.name} has no tensorized layer; train one with --set layers=tucker or "
            "compress it"
        )
    lesson = _lesson(subject, shots, train_shots, epochs)
    network = orthonormal_network(subject.network)
    classes, seed = lesson.classes, subject.seed
    scores = mode_scores(network, *lesson.held_out, classes=classes, seed=seed)
    changes = gauge_changes(network, *lesson.held_out, classes=classes, seed=seed)
    progress(1, "scores of the network")

    def teach(networks: int, before: int, *, shuffled: bool) -> tuple[Taught, ...]:
        return taught(
            lambda: build(subject.record.architecture),
            lesson,
            networks=networks,
            shuffled=shuffled,
            seed=seed,
            progress=progress,
            before=before,
        )

    null = teach(nulls, 1, shuffled=True)
    data = subject.snapshots
    states = state_names(readings_of(data), data.head.basis)
    result = Importance(
        network=network,
        lesson=lesson,
        accuracy=accuracy_of(network, *lesson.held_out),
        found=against_null(scores, [one.scores for one in null]),
        null=null,
        replicas=teach(replicas, 1 + nulls, shuffled=False),
        changes=changes,
        sites=site_losses(network, *lesson.held_out, seed=seed).numpy(),
        names=tuple(index_names(network, one.mode, states) for one in scores),
    )
    return written(result, subject.record.classes, states)


def gauge_changes(
    network: nn.Module, x: Tensor, y: Tensor, *, classes: int, seed: int
) -> FloatArray:
    """Change of each score under an orthogonal and under a general random gauge, shape (scores, 2).

    Relative to the norm of the score, NaN where there are only convolutions; measured, so that
    what :data:`SCORES` says of each is seen.

    >>> from phasenet.networks.layers.tucker import TuckerLinear
    >>> network = orthonormal_network(nn.Sequential(TuckerLinear((4, 3), (2,), 2)))
    >>> x, y = torch.randn(9, 12).double(), torch.arange(9) % 2
    >>> changes = gauge_changes(network, x, y, classes=2, seed=0)
    >>> [score.name for score, row in zip(SCORES, changes) if row[1] > 1e-6]
    ['gradient norm', 'factor norm']
    """
    if not any(isinstance(layer, Linear) for layer in tensorized_layers(network).values()):
        return np.full((len(SCORES), 2), np.nan)
    x, y = x[:_GAUGE_SHOTS], y[:_GAUGE_SHOTS]
    with torch.random.fork_rng(devices=[]):
        others = [random_gauge(network, seed, orthogonal=one) for one in (True, False)]
    before, *after = (
        mode_scores(one, x, y, classes=classes, seed=seed) for one in (network, *others)
    )
    return np.asarray([[_change(before, one, score.name) for one in after] for score in SCORES])


def _change(before: tuple[ModeScores, ...], after: tuple[ModeScores, ...], name: str) -> float:
    one, other = (np.concatenate([s.values[name] for s in every]) for every in (before, after))
    known = np.isfinite(one)
    if not known.any():
        return float("nan")
    norm = max(float(np.linalg.norm(one[known])), np.finfo(np.float64).tiny)
    return float(np.linalg.norm((other - one)[known])) / norm


def _lesson(subject: Subject, shots: int, train_shots: int, epochs: int) -> Lesson:
    settings = subject.record.settings
    default = TrainSettings()
    return Lesson(
        train=_shots(subject, "train", train_shots),
        held_out=_shots(subject, "test", shots),
        classes=len(subject.record.classes),
        epochs=epochs,
        batch=int(settings.get("batch", default.batch)),
        learning_rate=float(settings.get("learning_rate", default.learning_rate)),
    )


def _shots(subject: Subject, split: str, most: int) -> tuple[Tensor, Tensor]:
    """Readings and classes of labelled shots of a split, of one length, no repeats of training."""
    data = subject.snapshots
    chosen, repeated = labelled(data, split), data.shots.in_training
    if repeated is not None and split != "train":
        chosen = chosen[~repeated[chosen]]
    lengths = sites_of_points(data.head)[data.shots.point_index[chosen]]
    if len(chosen):
        chosen = chosen[lengths == np.bincount(lengths).argmax()]
    if len(np.unique(data.label_index[chosen])) < 2:
        raise SettingsError(
            f"the split {split} has labelled shots of less than two classes; draw shots of more "
            "points"
        )
    rng = stream(subject.seed, NAME, split)
    chosen = rng.permutation(chosen)[:most]
    read = readings_of(data).of(data, chosen)
    return torch.as_tensor(read.astype(np.int64)), torch.as_tensor(data.label_index[chosen])
