"""A whole network as one tensor train: what it costs and how often it is right."""

import copy
from collections.abc import Callable, Sequence

import numpy as np
import torch

from phasenet.compression import Candidate, Compressed
from phasenet.networks.architectures.tensor_train import (
    TrainClassifier,
    as_train,
    train_architecture,
)
from phasenet.networks.compression.curve import Bench, Tell
from phasenet.networks.compression.measures import parameters_of, relative_time
from phasenet.networks.compression.task import Labelled, Subject, Task
from phasenet.networks.convolutional import weights_of
from phasenet.networks.functions import logits_function
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain


def takes_local_states(task: Task) -> bool:
    """Whether the inputs are chains of integers, which alone a train is a function of."""
    x = task.train.x
    return x.ndim == 2 and not x.is_floating_point() and x.shape[1] > 1


def logits_of(subject: Subject) -> Callable[[Array], FloatArray]:
    """Batch function of local states: logits in float64."""
    return logits_function(copy.deepcopy(subject.network).double())


def samples_of(bench: Bench, seed: int) -> tuple[IntArray, int]:
    """Some training shots, and the number of local states of a site."""
    task, count = bench.task, bench.settings.samples
    chance = torch.Generator().manual_seed(seed)
    some = task.train.x[torch.randperm(len(task.train.y), generator=chance)[:count]]
    seen = 1 + max(int(part.x.max()) for part in (task.train, task.validation, task.test))
    site_dim = int(bench.subject.architecture.get("site_dim", seen))
    return np.asarray(some.numpy(), dtype=np.int64), site_dim


def flops_of_train(train: TensorTrain) -> float:
    """Multiplications and additions of one shot, swept from both ends to the output leg.

    >>> flops_of_train(TensorTrain(cores=(np.ones((1, 2, 3)), np.ones((3, 2, 1)))))
    12.0
    """
    # Of each core, the slice of one local state; a first vector costs nothing, but is counted.
    return float(sum(2 * core.size // core.shape[1] for core in train.cores))


def scored_train(
    bench: Bench, candidate: Candidate, trains: Sequence[TensorTrain], *, tell: Tell
) -> Compressed:
    """Trains of one candidate, one a seed, at once and after tuning as tensor-train classifiers.

    Parameters
    ----------
    bench
        The network, its shots and the settings.
    candidate
        How they were found.
    trains
        Of the logits.
    tell
        Hears how many are done.
    """
    task, settings = bench.task, bench.settings
    networks, at_once = [], []
    for repeat, train in enumerate(trains):
        tell(repeat, f"tuning, seed {repeat + 1} of {len(trains)}")
        at_once.append([_accuracy(train, shots) for shots in (task.validation, task.test)])
        network = TrainClassifier.of(train).float()
        bench.tune(network, candidate, repeat, settings.epochs)
        networks.append(network)
    before = np.asarray(at_once).T
    after = np.asarray([bench.accuracies(network) for network in networks]).T
    best = networks[int(np.argmax(after[0]))]
    runs = as_train(best)
    readings = {"site_dim": best.site_dim, **bench.subject.architecture}
    return Compressed(
        candidate=candidate,
        parameters=parameters_of(best),
        flops=flops_of_train(trains[0]),
        time=relative_time(lambda x: runs(x.numpy()), bench.subject.network, task.test.x),
        at_once=before[0],
        test_at_once=before[1],
        validation=after[0],
        test=after[1],
        architecture=train_architecture(best, readings),
        weights=weights_of(best),
    )


def _accuracy(train: TensorTrain, shots: Labelled) -> float:
    right = train(shots.x.numpy()).argmax(axis=1) == shots.y.numpy()
    return float(right.mean())
