"""Costs of networks against counting by hand."""

import torch
from torch import nn

from phasenet.networks.compression.measures import (
    accuracy_of,
    flops_of,
    outputs_of,
    parameters_of,
    relative_time,
)
from phasenet.networks.compression.task import Labelled


def test_costs_of_a_convolution_are_those_counted_by_hand():
    network = nn.Sequential(nn.Conv1d(3, 5, 4, bias=False), nn.Flatten(), nn.Linear(35, 2))
    assert parameters_of(network) == 5 * 3 * 4 + 35 * 2 + 2
    # Seven places; two for each product.
    assert flops_of(network, torch.zeros(9, 3, 10)) == 2 * (7 * 5 * 3 * 4 + 35 * 2)


def test_accuracy_is_a_share_and_networks_stay_in_their_mode():
    network = nn.Sequential(nn.Identity(), nn.Dropout(0.9)).train()
    x = torch.eye(3)[[0, 1, 2, 2]]
    assert accuracy_of(network, Labelled(x=x, y=torch.tensor([0, 1, 2, 0]))) == 0.75
    assert torch.equal(outputs_of(network, x), x)
    assert network.training


def test_a_function_takes_as_long_as_itself_and_longer_than_nothing():
    x = torch.ones(256, 300)
    slow = nn.Linear(300, 3000)
    assert 0.3 < relative_time(slow, slow, x) < 3.0
    assert relative_time(slow, lambda x: x, x) > 3.0
