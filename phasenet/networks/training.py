"""Training of a classifier with early stopping, and its scores beside the nulls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from phasenet.errors import SettingsError
from phasenet.networks.convolutional import (
    KIND,
    ConvolutionalClassifier,
    build,
    load_weights,
    weights_of,
)
from phasenet.networks.functions import logits_function
from phasenet.networks.functions import stored_functions as stored_functions
from phasenet.networks.nulls import bayes_decisions, class_balance, fit_local_classifier
from phasenet.records import Score, Snapshots, TrainedNetwork
from phasenet.seeds import derived_seed
from phasenet.settings import TrainSettings
from phasenet.statistics import binomial_error
from phasenet.trains.train import Array, FloatArray, IntArray

Progress = Callable[[int, str], None]

SCORED_SPLITS = ("test", "critical")


@contextmanager
def one_thread() -> Iterator[None]:
    """Single-threaded, deterministic torch, so that the same seed gives the same bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)


def train_classifier(
    snapshots: Snapshots,
    settings: TrainSettings,
    *,
    seed: int,
    progress: Progress,
) -> TrainedNetwork:
    """Train on the split ``train``, stop by the split ``validation``, score on held-out points.

    Parameters
    ----------
    snapshots
        At least two classes in both splits.
    settings
        Architecture and optimiser.
    seed
        Seed of the run.
    progress
        Receives the number of the epoch and one line about it.

    Raises
    ------
    SettingsError
        The chain is shorter than the network's window, or a split lacks a class.
    """
    architecture = _architecture(snapshots, settings)
    with one_thread():
        torch.manual_seed(derived_seed(seed, "network", "initial weights"))
        network = build(architecture)
        history, outcome = _fit(network, snapshots, settings, seed, progress)
        decide: dict[str, Callable[[Array], FloatArray]] = {
            "network": logits_function(network),
            "local features": fit_local_classifier(snapshots),
        }
        scores = tuple(
            score for split in SCORED_SPLITS for score in _scores(snapshots, split, decide)
        )
        return TrainedNetwork(
            architecture=architecture,
            weights=weights_of(network),
            classes=snapshots.classes,
            history=history,
            scores=scores,
            outcome=outcome,
        )


def _architecture(snapshots: Snapshots, settings: TrainSettings) -> dict[str, Any]:
    window = 1 + len(settings.channels) * (settings.kernel - 1)
    length = snapshots.spins.shape[1]
    if length < window:
        raise SettingsError(
            f"the chain has {length} sites, the network sees {window} at once; "
            "lower train.kernel or the number of train.channels"
        )
    return {
        "kind": KIND,
        "site_dim": snapshots.site_dim,
        "channels": list(settings.channels),
        "kernel": settings.kernel,
        "classes": len(snapshots.classes),
    }


def _fit(
    network: ConvolutionalClassifier,
    snapshots: Snapshots,
    settings: TrainSettings,
    seed: int,
    progress: Progress,
) -> tuple[dict[str, FloatArray], str]:
    x, y = _tensors(snapshots, "train")
    x_valid, y_valid = _tensors(snapshots, "validation")
    loss = torch.nn.CrossEntropyLoss(weight=class_balance(y, len(snapshots.classes)))
    optimiser = torch.optim.Adam(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.max_epochs)
    generator = torch.Generator().manual_seed(derived_seed(seed, "network", "batches"))
    curves: dict[str, list[float]] = {"train_loss": [], "validation_loss": []}
    best, best_epoch, kept = np.inf, 0, weights_of(network)
    epoch = 0
    while epoch < settings.max_epochs and epoch - best_epoch < settings.patience:
        epoch += 1
        curves["train_loss"].append(_epoch(network, x, y, loss, optimiser, settings, generator))
        decay.step()
        with torch.no_grad():
            curves["validation_loss"].append(float(loss(network(x_valid), y_valid)))
        if curves["validation_loss"][-1] < best:
            best, best_epoch, kept = curves["validation_loss"][-1], epoch, weights_of(network)
        progress(epoch, f"validation loss {curves['validation_loss'][-1]:.4f}")
    load_weights(network, kept)
    stopped = (
        "no better for patience epochs" if epoch < settings.max_epochs else "max_epochs reached"
    )
    outcome = f"{stopped}; best validation loss {best:.4f} at epoch {best_epoch} of {epoch}"
    return {name: np.asarray(curve) for name, curve in curves.items()}, outcome


def _epoch(
    network: ConvolutionalClassifier,
    x: torch.Tensor,
    y: torch.Tensor,
    loss: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    settings: TrainSettings,
    generator: torch.Generator,
) -> float:
    total = 0.0
    batches = torch.split(torch.randperm(len(x), generator=generator), settings.batch)
    for batch in batches:
        optimiser.zero_grad()
        value = loss(network(x[batch]), y[batch])
        value.backward()
        optimiser.step()
        total += float(value.detach())
    return total / len(batches)


def _tensors(snapshots: Snapshots, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = snapshots.in_split(split)
    labels = snapshots.label_index[chosen]
    if len(snapshots.classes) < 2:
        raise SettingsError(
            f"the snapshots have the labels {', '.join(snapshots.classes) or 'of no phase'} only; "
            "a classifier needs two or more: add points of other phases to the grid"
        )
    if set(range(len(snapshots.classes))) - set(labels.tolist()):
        raise SettingsError(
            f"split {split} holds snapshots of {len(set(labels.tolist()))} classes; wanted all of "
            f"{', '.join(snapshots.classes)}"
        )
    return torch.from_numpy(snapshots.spins[chosen]), torch.from_numpy(labels)


def _scores(
    snapshots: Snapshots, split: str, decide: dict[str, Callable[[Array], FloatArray]]
) -> list[Score]:
    chosen = snapshots.in_split(split)
    if len(chosen) == 0:
        return []
    truth = snapshots.label_index[chosen]
    decisions: dict[str, IntArray] = {
        name: function(snapshots.spins[chosen]).argmax(axis=1) for name, function in decide.items()
    }
    decisions["Bayes optimum"] = bayes_decisions(snapshots.class_log_likelihood[chosen], truth)
    return [_score(name, split, guess == truth) for name, guess in decisions.items()]


def _score(name: str, split: str, right: Array) -> Score:
    accuracy = float(right.mean())
    error = binomial_error(accuracy, len(right))
    return Score(classifier=name, split=split, accuracy=accuracy, error=error, shots=len(right))
