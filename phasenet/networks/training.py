"""Training of a classifier with early stopping, and its scores beside the nulls."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from phasenet.errors import SettingsError
from phasenet.networks.bayes import bayes_decisions, with_likelihood
from phasenet.networks.convolutional import (
    KIND,
    ConvolutionalClassifier,
    build,
    load_weights,
    weights_of,
)
from phasenet.networks.functions import logits_function
from phasenet.networks.functions import stored_functions as stored_functions
from phasenet.networks.held_out import SCORED, parts_of, sites_of_points
from phasenet.networks.nulls import class_balance, fit_local_classifier
from phasenet.networks.readings import Readings, readings_of
from phasenet.records import Score, TrainedNetwork
from phasenet.seeds import derived_seed
from phasenet.settings import TrainSettings
from phasenet.shots import UNLABELLED, Snapshots
from phasenet.statistics import binomial_error
from phasenet.trains.train import Array, FloatArray, IntArray

Progress = Callable[[int, str], None]
_Decide = Mapping[str, Callable[[Array], FloatArray]]
_Labelled = tuple[torch.Tensor, torch.Tensor]

# Held-out shots whose loss is computed at once.
_BLOCK = 2**17


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
        At least two classes in both splits; chains of one length in each of them. Where sites are
        lost or bases drawn, the network sees that too.
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
    readings = readings_of(snapshots)
    architecture = _architecture(snapshots, readings, settings)
    with one_thread():
        torch.manual_seed(derived_seed(seed, "network", "initial weights"))
        network = build(architecture)
        shots, held_out = (_tensors(snapshots, readings, s) for s in ("train", "validation"))
        history, outcome = _fit(network, shots, held_out, settings, seed, progress)
        decide: _Decide = {
            "network": logits_function(network),
            "local features": fit_local_classifier(snapshots, readings),
        }
        scores = tuple(
            score for split in SCORED for score in _scores(snapshots, readings, split, decide)
        )
        return TrainedNetwork(
            architecture=architecture,
            weights=weights_of(network),
            classes=snapshots.head.classes,
            history=history,
            scores=scores,
            outcome=outcome,
        )


def _architecture(
    snapshots: Snapshots, readings: Readings, settings: TrainSettings
) -> dict[str, Any]:
    window = 1 + len(settings.channels) * (settings.kernel - 1)
    length = min(sites_of_points(snapshots.head))
    if length < window:
        raise SettingsError(
            f"the chain has {length} sites, the network sees {window} at once; "
            "lower train.kernel or the number of train.channels"
        )
    return {
        "kind": KIND,
        **readings.as_dict(),
        "channels": list(settings.channels),
        "kernel": settings.kernel,
        "classes": len(snapshots.head.classes),
    }


def _fit(
    network: ConvolutionalClassifier,
    shots: _Labelled,
    held_out: _Labelled,
    settings: TrainSettings,
    seed: int,
    progress: Progress,
) -> tuple[dict[str, FloatArray], str]:
    x, y = shots
    loss = torch.nn.CrossEntropyLoss(weight=class_balance(y, network.readout.out_features))
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
        curves["validation_loss"].append(_held_out_loss(network, *held_out, loss))
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
    loss: torch.nn.CrossEntropyLoss,
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


@torch.no_grad()
def _held_out_loss(
    network: ConvolutionalClassifier,
    x: torch.Tensor,
    y: torch.Tensor,
    loss: torch.nn.CrossEntropyLoss,
) -> float:
    """Mean over all shots, each with the weight of its class."""
    assert loss.weight is not None
    total, weights = 0.0, 0.0
    for shots, labels in zip(torch.split(x, _BLOCK), torch.split(y, _BLOCK), strict=True):
        weight = float(loss.weight[labels].sum())
        total += weight * float(loss(network(shots), labels))
        weights += weight
    return total / weights


def _tensors(snapshots: Snapshots, readings: Readings, split: str) -> _Labelled:
    chosen, classes = snapshots.in_split(split), snapshots.head.classes
    labels = snapshots.label_index[chosen]
    if len(classes) < 2:
        raise SettingsError(
            f"the snapshots have the labels {', '.join(classes) or 'of no phase'} only; "
            "a classifier needs two or more: add points of other phases to the grid"
        )
    if set(range(len(classes))) - set(labels.tolist()):
        raise SettingsError(
            f"split {split} holds snapshots of {len(set(labels.tolist()))} classes; wanted all of "
            f"{', '.join(classes)}"
        )
    return torch.from_numpy(readings.of(snapshots, chosen)), torch.from_numpy(labels)


def _scores(snapshots: Snapshots, readings: Readings, split: str, decide: _Decide) -> list[Score]:
    """Accuracies on all labelled shots of a split, and on its parts."""
    chosen = snapshots.in_split(split)
    chosen = chosen[snapshots.label_index[chosen] != UNLABELLED]
    if len(chosen) == 0:
        return []
    truth = snapshots.label_index[chosen]
    guesses = {name: _decisions(snapshots, readings, chosen, f) for name, f in decide.items()}
    likelihood = snapshots.shots.class_log_likelihood[chosen]
    known, lengths = with_likelihood(likelihood), _lengths(snapshots, chosen)
    scores = []
    for part, members in parts_of(snapshots, split, chosen).items():
        scores += [_score(n, part, (g == truth)[members]) for n, g in guesses.items()]
        rated = members & known
        if rated.any():
            best = bayes_decisions(likelihood[rated], truth[rated], lengths[rated])
            # What is best for shots as they were measured need not be best for controls.
            name = "Bayes rule" if split == "control" else "Bayes optimum"
            scores.append(_score(name, part, best == truth[rated]))
    return scores


def _decisions(
    snapshots: Snapshots,
    readings: Readings,
    chosen: IntArray,
    function: Callable[[Array], FloatArray],
) -> IntArray:
    """Class that a function gives the largest value, shots of one length at a time."""
    lengths = _lengths(snapshots, chosen)
    result = np.empty(len(chosen), dtype=np.int64)
    for length in np.unique(lengths):
        rows = lengths == length
        result[rows] = function(readings.of(snapshots, chosen[rows])).argmax(axis=1)
    return result


def _lengths(snapshots: Snapshots, chosen: IntArray) -> IntArray:
    """Number of sites of each shot."""
    return np.asarray(sites_of_points(snapshots.head)[snapshots.shots.point_index[chosen]])


def _score(name: str, split: str, right: Array) -> Score:
    if len(right) == 0:
        return Score(classifier=name, split=split, accuracy=np.nan, error=np.nan, shots=0)
    accuracy = float(right.mean())
    error = binomial_error(accuracy, len(right))
    return Score(classifier=name, split=split, accuracy=accuracy, error=error, shots=len(right))
