"""Stacked networks and trains against single ones."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from phasenet.errors import ShapeError
from phasenet.privacy.batched_networks import (
    fresh_networks,
    margins,
    raw_parameters,
    trained_networks,
    unit_free_parameters,
)
from phasenet.privacy.problems import Cases
from phasenet.privacy.stacked_gauges import (
    canonical_trains,
    data_gauge,
    slice_invariants,
    turned_trains,
)
from phasenet.privacy.stacked_trains import (
    StackedTrains,
    _gradients,
    retrained_trains,
    sketched_networks,
)
from phasenet.trains.gauge import unique_gauge


def cases_of(count, sites, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    inputs = rng.random((count, sites, 1)).astype(np.float32)
    if channels > 1:
        inputs = np.eye(channels, dtype=np.float32)[rng.integers(channels, size=(count, sites))]
    return Cases(inputs=inputs, labels=rng.integers(2, size=count), groups=np.arange(count) % 2)


def random_trains(count=3, bonds=(2, 3, 2), dim=2, seed=0):
    rng = np.random.default_rng(seed)
    outer = (1, *bonds, 1)
    return StackedTrains(
        cores=tuple(rng.normal(size=(count, left, dim, right)) for left, right in pairwise(outer))
    )


def single(networks, number):
    """The same network by torch's own modules."""
    first, bias, last, last_bias = (tensor[number] for tensor in networks.tensors)
    one, two = nn.Linear(*first.shape), nn.Linear(*last.shape)
    with torch.no_grad():
        one.weight.copy_(first.T), one.bias.copy_(bias[0])
        two.weight.copy_(last.T), two.bias.copy_(last_bias[0])
    return nn.Sequential(one, nn.ReLU(), two)


def test_a_stack_computes_what_its_networks_do():
    networks = fresh_networks(3, inputs=6, hidden=5, start="independent", seed=0)
    cases = cases_of(7, 6)
    found = margins(networks, cases.inputs)
    for number in range(3):
        logits = single(networks, number)(torch.from_numpy(cases.inputs[..., 0]))
        np.testing.assert_allclose(
            found[number], (logits[:, 1] - logits[:, 0]).detach().numpy(), rtol=1e-5, atol=1e-6
        )


def test_training_of_a_stack_is_training_of_each_network():
    sets = (cases_of(50, 4, seed=1), cases_of(50, 4, seed=2))
    start = fresh_networks(2, inputs=4, hidden=3, start="independent", seed=0)
    found = trained_networks(start, sets, np.array([1, 0]), rate=0.01, epochs=5, seed=0)
    for number, cases in enumerate((sets[1], sets[0])):
        network = single(start, number)
        optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
        # All fifty cases are one batch, so that their order does not matter.
        for _ in range(5):
            optimiser.zero_grad()
            logits = network(torch.from_numpy(cases.inputs[..., 0]))
            nn.functional.cross_entropy(logits, torch.from_numpy(cases.labels)).backward()
            optimiser.step()
        np.testing.assert_allclose(
            found.first[number], network[0].weight.detach().T, rtol=1e-4, atol=1e-5
        )


def test_starts_and_what_has_no_order():
    common = fresh_networks(2, inputs=4, hidden=3, start="common", seed=0)
    np.testing.assert_array_equal(*raw_parameters(common))
    own = fresh_networks(2, inputs=4, hidden=3, start="independent", seed=0)
    assert not np.allclose(*raw_parameters(own))
    order = torch.tensor([2, 0, 1])
    shuffled = type(own)(
        first=own.first[:, :, order],
        first_bias=own.first_bias[:, :, order],
        last=own.last[:, order],
        last_bias=own.last_bias,
    )
    assert not np.allclose(raw_parameters(own), raw_parameters(shuffled))
    np.testing.assert_allclose(
        unit_free_parameters(own), unit_free_parameters(shuffled), rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_sketch_of_networks_is_exact_where_the_rank_suffices(channels):
    networks = fresh_networks(5, inputs=4 * channels, hidden=3, start="independent", seed=3)
    # Far from the kinks of its units a network is linear: a train of rank 2.
    networks.first_bias.add_(4.0)
    pivots = cases_of(40, 4, channels)
    trains = sketched_networks(networks, pivots, rank=2, columns=20, seed=0)
    fresh = cases_of(30, 4, channels, seed=9)
    wanted = margins(networks, fresh.inputs)
    # Directions below a thousandth of the leading one count as noise.
    np.testing.assert_allclose(trains.margins(fresh.inputs), wanted, atol=5e-3 * wanted.max())


def test_stacked_trains_are_trains():
    trains, cases = random_trains(), cases_of(6, 4)
    for number in range(3):
        cores = trains.train(number).cores
        for found, features in zip(
            trains.margins(cases.inputs)[number], cases.vectors, strict=True
        ):
            row = np.ones(1)
            for core, vector in zip(cores, features, strict=True):
                row = np.einsum("l,lsr,s->r", row, core, vector)
            assert found == pytest.approx(row[0], rel=1e-6)
    assert trains.parameters.shape == (3, sum(c.size for c in trains.train(0).cores))
    with pytest.raises(ShapeError, match="do not fit together"):
        StackedTrains(cores=(np.ones((1, 1, 2, 2)), np.ones((1, 3, 2, 1))))


def test_gradients_against_automatic_ones():
    cases = cases_of(5, 4)
    cores = [torch.from_numpy(c).float().requires_grad_() for c in random_trains().cores]
    vectors = torch.from_numpy(cases.vectors.astype(np.float32))
    signs = torch.from_numpy(2.0 * cases.labels - 1.0).float()
    rows = torch.ones(3, 5, 1)
    for site, core in enumerate(cores):
        rows = torch.einsum("knl,klds,nd->kns", rows, core, vectors[:, site])
    nn.functional.softplus(-signs * rows[..., 0]).mean(dim=1).sum().backward()
    found = _gradients([core.detach() for core in cores], vectors.permute(1, 2, 0), signs)
    for core, gradient in zip(cores, found, strict=True):
        torch.testing.assert_close(gradient, core.grad, rtol=1e-4, atol=1e-5)


def test_retraining_raises_the_accuracy():
    cases = cases_of(200, 4, seed=4)
    labels = (cases.inputs[:, 0, 0] > cases.inputs[:, 3, 0]).astype(np.int64)
    cases = Cases(inputs=cases.inputs, labels=labels, groups=cases.groups)
    start, heard = random_trains(seed=5), []
    end = retrained_trains(start, cases, rate=0.02, epochs=60, batch=50, seed=0, heard=heard.append)
    before, after = (((t.margins(cases.inputs) > 0) == labels).mean(1) for t in (start, end))
    assert (after > before + 0.2).all()
    assert heard == list(range(1, 61))


@pytest.mark.parametrize("condition", [1.0, 10.0])
def test_gauges_keep_the_function_and_the_canonical_form_forgets_them(condition):
    trains, cases = random_trains(), cases_of(20, 4)
    turned = turned_trains(trains, condition=condition, rng=np.random.default_rng(0))
    np.testing.assert_allclose(
        turned.margins(cases.inputs), trains.margins(cases.inputs), rtol=1e-10, atol=1e-12
    )
    assert not np.allclose(turned.parameters, trains.parameters)
    np.testing.assert_allclose(
        canonical_trains(turned).parameters, canonical_trains(trains).parameters, atol=1e-10
    )


def test_rotations_leave_the_slices_and_general_gauges_do_not():
    trains, rng = random_trains(), np.random.default_rng(1)
    rotated = turned_trains(trains, condition=1.0, rng=rng)
    np.testing.assert_allclose(slice_invariants(rotated), slice_invariants(trains), rtol=1e-10)
    general = turned_trains(trains, condition=10.0, rng=rng)
    assert not np.allclose(slice_invariants(general), slice_invariants(trains), rtol=0.1)


def test_the_canonical_form_is_the_unique_gauge_of_each_train():
    trains = random_trains()
    found = canonical_trains(trains)
    for number in range(3):
        wanted = unique_gauge(trains.train(number))
        for site, core in enumerate(wanted.cores):
            scale = np.exp(wanted.log_scale) if site == 0 else 1.0
            np.testing.assert_allclose(found.cores[site][number], scale * core, atol=1e-10)


def test_the_gauge_of_data_is_white_and_keeps_the_function():
    trains = random_trains()
    sets = tuple(cases_of(60, 4, seed=seed) for seed in range(3))
    found = data_gauge(trains, sets)
    np.testing.assert_allclose(
        found.margins(sets[0].inputs), trains.margins(sets[0].inputs), rtol=1e-8, atol=1e-10
    )
    for number, cases in enumerate(sets):
        first = np.einsum("nd,ds->ns", cases.vectors[:, 0], found.cores[0][number, 0])
        np.testing.assert_allclose(first.T @ first / 60, np.eye(2), atol=1e-8)
