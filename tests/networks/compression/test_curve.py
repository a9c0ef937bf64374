"""Candidates of a toy classifier from end to end."""

import dataclasses

import numpy as np
import pytest
import torch

from phasenet.compression import Candidate
from phasenet.networks.architectures.registry import build
from phasenet.networks.compression.curve import Bench, compressed
from phasenet.networks.compression.measures import accuracy_of, parameters_of
from phasenet.networks.convolutional import load_weights


@pytest.mark.parametrize(
    "family",
    ["tucker", "mpo", pytest.param("cp", marks=pytest.mark.slow), "low rank", "narrow dense"],
)
def test_a_candidate_is_as_small_as_asked_for_and_can_be_built_again(bench, family):
    row = compressed(bench, Candidate(family=family, size=4.0), tell=print)
    assert row.parameters <= bench.parameters / 4
    assert len(row.test) == bench.settings.seeds
    assert row.test.min() > 0.85
    assert np.isnan(row.test_at_once).all() == (family == "narrow dense")
    network = build(row.architecture)
    load_weights(network, row.weights)
    assert parameters_of(network) == row.parameters
    assert accuracy_of(network.eval(), bench.task.validation) == row.validation[row.best]


def test_the_same_seed_gives_the_same_network(bench):
    candidate = Candidate(family="low rank", size=4.0)
    again = Bench(bench.subject, bench.task, bench.settings, seed=0)
    other = Bench(bench.subject, bench.task, bench.settings, seed=1)
    rows = [compressed(b, candidate, tell=print) for b in (bench, again, other)]
    same, different = (
        all(np.array_equal(rows[0].weights[n], row.weights[n]) for n in row.weights)
        for row in rows[1:]
    )
    assert same
    assert not different


def test_what_does_not_fit_is_a_row_with_a_reason(bench):
    row = compressed(bench, Candidate(family="tucker", size=1000.0), tell=print)
    assert not row.found
    assert row.note == f"no tucker network has {int(bench.parameters / 1000)} parameters or fewer"
    subject = dataclasses.replace(bench.subject, narrowed=None)
    fixed = Bench(subject, bench.task, bench.settings, seed=0)
    row = compressed(fixed, Candidate(family="narrow dense", size=2.0), tell=print)
    assert "nobody knows how" in row.note


def test_the_original_is_scored_without_a_change(bench):
    before = {n: v.clone() for n, v in bench.subject.network.state_dict().items()}
    original = bench.original()
    assert original.parameters == parameters_of(build(bench.subject.architecture))
    assert original.test[0] > 0.95
    compressed(bench, Candidate(family="mpo", size=4.0), tell=print)
    after = bench.subject.network.state_dict()
    assert all(torch.equal(before[n], after[n]) for n in before)
