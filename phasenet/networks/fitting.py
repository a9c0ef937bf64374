"""One network, trained on the split ``train`` and stopped by the split ``validation``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.identity import digest
from phasenet.networks.architectures.registry import architecture_of, build
from phasenet.networks.convolutional import load_weights, weights_of
from phasenet.networks.held_out import sites_of_points
from phasenet.networks.nulls import class_balance
from phasenet.networks.readings import Readings, readings_of
from phasenet.seeds import derived_seed
from phasenet.settings import TrainSettings
from phasenet.shots import Snapshots
from phasenet.trained import Member

Progress = Callable[[int, str], None]
"""Receives the number of the epoch and one line about it."""
_Labelled = tuple[torch.Tensor, torch.Tensor]

# Held-out shots whose loss is computed at once.
_BLOCK = 2**17


@dataclass(frozen=True, kw_only=True)
class FitJob:
    """What decides one trained network, beside the snapshots.

    Parameters
    ----------
    settings
        Architecture and optimiser; the number of seeds decides nothing.
    seed
        Of the initial weights and of the order of the shots.

    >>> job = FitJob(settings=TrainSettings(seeds=5), seed=0)
    >>> job.key == FitJob(settings=TrainSettings(), seed=0).key
    True
    """

    settings: TrainSettings
    seed: int

    @property
    def key(self) -> str:
        """Digest of the job."""
        return digest([self.settings.model_copy(update={"seeds": 1}).as_dict(), str(self.seed)])


Fitter = Callable[[Snapshots, FitJob, Progress], Member]
"""How a job is done: by :func:`fit`, or from a memory of jobs that are done."""


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


def architecture_for(snapshots: Snapshots, settings: TrainSettings) -> dict[str, Any]:
    """Architecture that settings lead to on a dataset.

    Raises
    ------
    SettingsError
        A setting does not fit the chains, such as a window that is longer than one.
    """
    return architecture_of(
        settings,
        readings_of(snapshots),
        sites_of_points(snapshots.head).tolist(),
        len(snapshots.head.classes),
    )


def network_of(architecture: dict[str, Any], member: Member) -> nn.Module:
    """Network of a member, in evaluation mode."""
    network = build(architecture)
    load_weights(network, member.weights)
    return network.eval()


def fit(snapshots: Snapshots, job: FitJob, progress: Progress) -> Member:
    """Train one network, with the weights of the epoch of the least validation loss.

    Parameters
    ----------
    snapshots
        At least two classes in the splits ``train`` and ``validation``.
    job
        What to train.
    progress
        Hears of each epoch.

    Raises
    ------
    SettingsError
        A split lacks a class, or a setting does not fit the chains.
    """
    readings, architecture = readings_of(snapshots), architecture_for(snapshots, job.settings)
    with one_thread():
        torch.manual_seed(derived_seed(job.seed, "network", "initial weights"))
        network = build(architecture)
        shots, held_out = (_tensors(snapshots, readings, s) for s in ("train", "validation"))
        return _fitted(network, shots, held_out, job, progress)


def _fitted(
    network: nn.Module, shots: _Labelled, held_out: _Labelled, job: FitJob, progress: Progress
) -> Member:
    settings, (x, y) = job.settings, shots
    loss = nn.CrossEntropyLoss(weight=class_balance(y, int(y.max()) + 1))
    optimiser = torch.optim.Adam(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, settings.max_epochs)
    generator = torch.Generator().manual_seed(derived_seed(job.seed, "network", "batches"))
    curves: dict[str, list[float]] = {f"{s}_loss": [] for s in ("train", "validation")}
    curves |= {f"{s}_accuracy": [] for s in ("train", "validation")}
    best, best_epoch, kept = np.inf, 0, weights_of(network)
    epoch = 0
    while epoch < settings.max_epochs and epoch - best_epoch < settings.patience:
        epoch += 1
        batches = torch.split(torch.randperm(len(x), generator=generator), settings.batch)
        found = [*_epoch(network, x, y, loss, optimiser, batches)]
        decay.step()
        found += _held_out(network, *held_out, loss)
        for split, value in zip(("train", "validation"), (found[:2], found[2:]), strict=True):
            curves[f"{split}_loss"].append(value[0])
            curves[f"{split}_accuracy"].append(value[1])
        if found[2] < best:
            best, best_epoch, kept = found[2], epoch, weights_of(network)
        progress(epoch, f"validation loss {found[2]:.4f}")
    stopped = (
        "no better for patience epochs" if epoch < settings.max_epochs else "max_epochs reached"
    )
    return Member(
        weights=kept,
        history={name: np.asarray(curve) for name, curve in curves.items()},
        outcome=f"{stopped}; best validation loss {best:.4f} at epoch {best_epoch} of {epoch}",
    )


def _epoch(
    network: nn.Module,
    x: torch.Tensor,
    y: torch.Tensor,
    loss: nn.CrossEntropyLoss,
    optimiser: torch.optim.Optimizer,
    batches: tuple[torch.Tensor, ...],
) -> tuple[float, float]:
    """Mean loss and accuracy on the way."""
    network.train()
    total, right = 0.0, 0
    for batch in batches:
        optimiser.zero_grad()
        logits, labels = network(x[batch]), y[batch]
        value = loss(logits, labels)
        value.backward()
        optimiser.step()
        total += float(value.detach())
        right += int((logits.detach().argmax(dim=1) == labels).sum())
    return total / len(batches), right / len(x)


@torch.no_grad()
def _held_out(
    network: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: nn.CrossEntropyLoss
) -> tuple[float, float]:
    """Mean loss over all shots, each with the weight of its class, and accuracy."""
    assert loss.weight is not None
    network.eval()
    total, weights, right = 0.0, 0.0, 0
    for shots, labels in zip(torch.split(x, _BLOCK), torch.split(y, _BLOCK), strict=True):
        logits = network(shots)
        weight = float(loss.weight[labels].sum())
        total += weight * float(loss(logits, labels))
        weights += weight
        right += int((logits.argmax(dim=1) == labels).sum())
    return total / weights, right / len(x)


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
