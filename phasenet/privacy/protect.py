"""A network turned into one train that hides its parameters, and the evidence that it does."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from phasenet.card import StudyCard
from phasenet.compression import Candidate, CompressSettings
from phasenet.errors import SettingsError
from phasenet.networks.architectures.tensor_train import (
    TrainClassifier,
    as_train,
    train_architecture,
)
from phasenet.networks.compression.curve import Bench
from phasenet.networks.compression.measures import outputs_of
from phasenet.networks.compression.own import nulls_of_record, subject_of_record, task_of_snapshots
from phasenet.networks.compression.whole import flops_of_train, takes_local_states
from phasenet.networks.convolutional import load_weights
from phasenet.privacy.audit import Leftovers, Likeness, leftovers
from phasenet.privacy.gauges import (
    ProtectSettings,
    canonical_values,
    core_values,
    regauged,
    value_changes,
)
from phasenet.seeds import stream
from phasenet.settings import RunSettings
from phasenet.shots import Snapshots
from phasenet.statistics import binomial_error
from phasenet.trained import Score, TrainedNetwork
from phasenet.trains.gauge import general_gauge, orthogonal_gauge
from phasenet.trains.train import FloatArray, IntArray, TensorTrain

# Other gauges that chance is judged by: one of twenty is as good as the published one.
_DRAWS = 19
# Of the gauge that makes a second train of the same function, as another optimiser might find it.
_TWIN_CONDITION = 1000.0
_OUTCOME = "one tensor train in its canonical form, then in a random gauge"


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What was measured on a published network.

    Parameters
    ----------
    settings
        How it was made.
    seeded
        Whether the gauge was drawn from a seed that was given.
    likeness
        To the original, on held-out shots, as the file gives it.
    gauge_change
        Largest change of a logit of a held-out shot by the gauge, relative to the largest logit, in
        double precision.
    rounding_change
        The same for the file, whose numbers are float32.
    leftovers
        Numbers of the original among the published ones.
    raw_leftovers
        Numbers of the train as it was found among the published ones.
    orthogonal_changes
        Relative change of the singular values of the slices of each core by an orthogonal gauge
        alone, shape (length,).
    published_changes
        The same between the train as it was found and as it is published.
    twin_changes
        The same between the canonical forms of two published trains, one made from the train as it
        was found and one from another train of the same function.
    parameters
        Numbers in the original and in the published network.
    rank
        Largest bond of the published train.
    """

    settings: ProtectSettings
    seeded: bool
    likeness: Likeness
    gauge_change: float
    rounding_change: float
    leftovers: Leftovers
    raw_leftovers: Leftovers
    orthogonal_changes: FloatArray
    published_changes: FloatArray
    twin_changes: FloatArray
    parameters: tuple[int, int]
    rank: int


def bench_of(
    record: TrainedNetwork, snapshots: Snapshots, settings: ProtectSettings, *, seed: int
) -> Bench:
    """Network and its shots, as what a train is made from.

    Raises
    ------
    SettingsError
        The network and the shots do not fit, or it reads something else than chains.
    """
    task = task_of_snapshots(snapshots, record)
    if not takes_local_states(task):
        raise SettingsError(
            "the network reads no chains of local states, which alone a train is a function of"
        )
    known = CompressSettings(
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        samples=settings.samples,
        max_evaluations=settings.max_evaluations,
        least_steps=1,
    )
    return Bench(subject_of_record(record), task, known, seed=seed)


def retrained(bench: Bench, train: TensorTrain, settings: ProtectSettings) -> TensorTrain:
    """Train after some passes on labels and on what the network makes of the training shots.

    The epoch of the least loss on the validation shots is kept, none of them among these.
    """
    if settings.epochs == 0:
        return train
    network = TrainClassifier.of(train).float()
    bench.tune(network, Candidate.of_train(settings.method, settings.rank), 0, settings.epochs)
    return as_train(network)


def published_weights(train: TensorTrain) -> dict[str, FloatArray]:
    """Cores of a train in float32, by the names that a train classifier has for them."""
    return {f"cores.{k}": core.astype(np.float32) for k, core in enumerate(train.cores)}


def published_record(bench: Bench, record: TrainedNetwork, train: TensorTrain) -> TrainedNetwork:
    """Classifier of a train in the gauge that it has, as a file may tell it to anyone.

    Kept are the classes, how a site is read, and accuracies on held-out shots. Left out are
    the history, the settings and the candidates of the training, further networks, calibrations,
    and the scores of all other shots.
    """
    weights = published_weights(train)
    network = classifier_of(train, weights)
    right = (outputs_of(network, bench.task.test.x).argmax(dim=1) == bench.task.test.y).numpy()
    accuracy = float(right.mean())
    score = Score(
        classifier="network",
        split="test",
        accuracy=accuracy,
        error=binomial_error(accuracy, len(right)),
        shots=len(right),
    )
    readings = {"site_dim": network.site_dim, **record.architecture}
    return TrainedNetwork(
        architecture=train_architecture(network, readings),
        weights=weights,
        classes=record.classes,
        history={},
        scores=(score, *nulls_of_record(record)),
        outcome=_OUTCOME,
        flops=flops_of_train(train),
    )


def classifier_of(train: TensorTrain, weights: Mapping[str, FloatArray]) -> TrainClassifier:
    """Classifier with these cores, in the gauge that they have."""
    assert train.output_site is not None and train.outputs is not None
    with torch.random.fork_rng(devices=[]):
        network = TrainClassifier(
            site_dim=train.site_dims[0],
            bonds=train.bond_dims,
            output_site=train.output_site,
            classes=train.outputs,
        )
    load_weights(network, weights)
    return network.eval()


def public_card(card: StudyCard | None) -> StudyCard | None:
    """Card of a study without the settings of its run, its seed and its sizes among them."""
    return None if card is None else replace(card, settings=RunSettings().as_dict())


def examined(
    bench: Bench,
    train: TensorTrain,
    record: TrainedNetwork,
    settings: ProtectSettings,
    *,
    seeded: bool,
) -> Evidence:
    """Measure what a published network has kept of the original.

    Parameters
    ----------
    bench
        The original and its shots.
    train
        As it was found and retrained, before its gauge was changed.
    record
        The published network, as its file gives it.
    settings
        How it was made.
    seeded
        Whether the seed of the gauge was given.
    """
    task, subject = bench.task, bench.subject
    shots = np.asarray(task.test.x.numpy(), dtype=np.int64)
    published = train_of_record(record)
    rng = stream(bench.seed, "protect", "audit")
    twin = general_gauge(train, rng, condition=_TWIN_CONDITION)
    others = [
        regauged(form, settings.gauge, rng, condition=settings.condition)
        for form in [twin, *[train] * _DRAWS]
    ]
    originals = {name: np.asarray(p.detach()) for name, p in subject.network.named_parameters()}
    numbers, by_chance = _numbers(published), np.stack([_numbers(other) for other in others[1:]])
    values = core_values(train)
    return Evidence(
        settings=settings,
        seeded=seeded,
        likeness=Likeness(
            original=outputs_of(subject.network, task.test.x).double().numpy(),
            published=published(shots),
            labels=task.test.y.numpy(),
        ),
        gauge_change=_change(train, others[1], shots),
        rounding_change=_change(train, published, shots),
        leftovers=leftovers(numbers, by_chance, originals),
        raw_leftovers=leftovers(numbers, by_chance, published_weights(train)),
        orthogonal_changes=value_changes(values, core_values(orthogonal_gauge(train, rng))),
        published_changes=value_changes(values, core_values(published)),
        twin_changes=value_changes(canonical_values(others[0]), canonical_values(others[1])),
        parameters=(sum(w.size for w in originals.values()), record.parameters),
        rank=max(published.bond_dims),
    )


def train_of_record(record: TrainedNetwork) -> TensorTrain:
    """Train of a stored train classifier, in the gauge of its file."""
    cores = tuple(
        record.weights[f"cores.{k}"].astype(np.float64) for k in range(len(record.weights))
    )
    return TensorTrain(cores=cores, output_site=int(record.architecture["output_site"]))


def _numbers(train: TensorTrain) -> FloatArray:
    return np.concatenate([core.ravel() for core in train.cores])


def _change(one: TensorTrain, two: TensorTrain, shots: IntArray) -> float:
    before = one(shots)
    return float(np.abs(two(shots) - before).max() / np.abs(before).max())
