"""A tensor-train classifier from several starts: the train of a trained network against chance.

Pareja Monturiol, Pozas-Kerstjens, Perez-Garcia (arXiv:2501.06300) start from the train of a
network and from random cores; the labels alone are learned here, so that no start has a teacher.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from phasenet.compression import Candidate, CompressSettings, Starts
from phasenet.networks.architectures.starts import STARTS
from phasenet.networks.architectures.tensor_train import TrainClassifier, restart
from phasenet.networks.compression.curve import Bench, Tell
from phasenet.networks.compression.measures import accuracy_of
from phasenet.trains.train import TensorTrain

FROM_NETWORK = "train of the network"
STARTED = (FROM_NETWORK, *STARTS)
"""All starts, by the names of their curves."""
# Scored before, a few times within the first pass, and after each pass.
_EARLY = (0.125, 0.25, 0.5)
_RATE = 1e-3


def learning_curves(bench: Bench, train: TensorTrain, *, tell: Tell) -> Starts:
    """Accuracies while a tensor-train classifier is trained from each start, with each seed.

    Parameters
    ----------
    bench
        The network, its shots and the settings.
    train
        Of the network's logits: the first start, and the bonds of all.
    tell
        Hears how many curves are done.
    """
    settings = bench.settings
    kept: dict[str, list[list[tuple[float, float]]]] = {n: [] for n in STARTED}
    done = 0
    for name, curves in kept.items():
        for repeat in range(settings.seeds):
            tell(done, f"{name}, seed {repeat + 1} of {settings.seeds}")
            candidate = Candidate(family=name, size=float(settings.start_rank))
            network = TrainClassifier.of(train).float()
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(bench.seed_of(candidate, repeat, "initial weights"))
                if name in STARTS:
                    restart(network, name)
            curves.append(_curve(bench, network, bench.seed_of(candidate, repeat, "batches")))
            done += 1
    found = {name: np.asarray(curves).transpose(2, 0, 1) for name, curves in kept.items()}
    return Starts(
        rank=max(train.bond_dims),
        epochs=np.asarray(_checkpoints(settings)),
        validation={name: pair[0] for name, pair in found.items()},
        test={name: pair[1] for name, pair in found.items()},
    )


def _checkpoints(settings: CompressSettings) -> list[float]:
    return [0.0, *_EARLY, *(float(epoch + 1) for epoch in range(settings.start_epochs))]


def _curve(bench: Bench, network: nn.Module, seed: int) -> list[tuple[float, float]]:
    """Accuracies on validation and test shots at each checkpoint."""
    task, batch = bench.task, bench.settings.batch
    loss = nn.CrossEntropyLoss(weight=task.balance)
    optimiser = torch.optim.Adam(network.parameters(), lr=_RATE)
    batches = _endless(len(task.train.y), batch, torch.Generator().manual_seed(seed))
    found, seen = [], 0
    for mark in _checkpoints(bench.settings):
        while seen < mark * len(task.train.y):
            some = next(batches)
            seen += len(some)
            optimiser.zero_grad()
            value = loss(network(task.train.x[some]), task.train.y[some])
            value.backward()
            optimiser.step()
        found.append((accuracy_of(network, task.validation), accuracy_of(network, task.test)))
    return found


def _endless(shots: int, batch: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Batches of one pass after the other, each in its own order."""
    while True:
        yield from torch.split(torch.randperm(shots, generator=generator), batch)
