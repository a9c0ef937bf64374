"""A whole classifier as one train, and trains from several starts."""

import numpy as np
import pytest

from phasenet.compression import Candidate
from phasenet.networks.architectures.registry import build
from phasenet.networks.compression.curve import Bench
from phasenet.networks.compression.measures import accuracy_of
from phasenet.networks.compression.starts import FROM_NETWORK, STARTED, learning_curves
from phasenet.networks.compression.task import task_of_arrays
from phasenet.networks.compression.whole import (
    flops_of_train,
    logits_of,
    samples_of,
    scored_train,
    takes_local_states,
)
from phasenet.networks.convolutional import load_weights
from phasenet.tensorizer import tensorize


@pytest.fixture(scope="module")
def train(bench):
    samples, site_dim = samples_of(bench, seed=0)
    found = tensorize(
        logits_of(bench.subject), samples=samples, site_dims=[site_dim] * 9, max_rank=6, tol=1e-3
    )
    return found.train


def test_the_train_of_a_network_decides_as_the_network_does(bench, train):
    row = scored_train(bench, Candidate.of_train("cross", 6), [train] * 2, tell=print)
    original = bench.original()
    assert row.test_at_once[0] > float(original.test[0]) - 0.02
    assert row.parameters == sum(core.size for core in train.cores)
    assert row.architecture["kind"] == "train"
    network = build(row.architecture)
    load_weights(network, row.weights)
    assert accuracy_of(network.eval(), bench.task.validation) == pytest.approx(
        row.validation[row.best], abs=2e-3
    )


def test_flops_of_a_train_are_those_of_a_sweep_from_both_ends(train):
    assert flops_of_train(train) == sum(2 * core.size / 2 for core in train.cores)


def test_the_train_of_the_network_starts_where_others_have_to_get(bench, train):
    settings = bench.settings.model_copy(update={"start_epochs": 1})
    quick = Bench(bench.subject, bench.task, settings, seed=0)
    found = learning_curves(quick, train, tell=print)
    assert set(found.test) == set(STARTED) == {FROM_NETWORK, "identity", "random", "unitary"}
    assert found.epochs.tolist() == [0.0, 0.125, 0.25, 0.5, 1.0]
    assert all(curve.shape == (2, 5) for curve in found.test.values())
    assert found.rank == max(train.bond_dims)
    others = [found.test[name][:, 0].max() for name in STARTED if name != FROM_NETWORK]
    assert found.test[FROM_NETWORK][:, 0].min() > max(others)


def test_only_chains_of_integers_become_trains(bench):
    assert takes_local_states(bench.task)
    floats = task_of_arrays(np.zeros((20, 9)), np.arange(20) % 2, None, seed=0)
    assert not takes_local_states(floats)
