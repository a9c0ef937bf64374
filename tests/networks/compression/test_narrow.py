"""Narrow networks: shapes, budgets, and what nobody can narrow."""

import pytest
import torch
from torch import nn

from phasenet.networks.architectures.registry import build
from phasenet.networks.compression.measures import parameters_of
from phasenet.networks.compression.narrow import (
    narrow_architecture,
    narrow_sequential,
    within_budget,
)

ARCHITECTURES = [
    {"kind": "convolutional", "site_dim": 3, "channels": [16, 8], "kernel": 3, "classes": 2},
    {"kind": "mlp", "site_dim": 3, "length": 8, "width": 32, "depth": 2, "classes": 2},
    {"kind": "gru", "site_dim": 3, "width": 16, "depth": 1, "classes": 2},
]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda a: a["kind"])
@pytest.mark.parametrize("ratio", [2, 10])
def test_the_widest_network_within_a_budget_is_found(architecture, ratio):
    def narrowed(share):
        values = narrow_architecture(architecture, share)
        return build(values), values

    budget = parameters_of(build(architecture)) // ratio
    network, values, share = within_budget(narrowed, budget)
    assert parameters_of(network) <= budget
    # One more channel everywhere is too much.
    wider, _ = narrowed(share + 1 / min(architecture.get("channels", [architecture.get("width")])))
    assert parameters_of(wider) > budget
    assert parameters_of(build(values)) == parameters_of(network)


def test_tensorized_layers_of_a_wide_network_are_no_part_of_a_narrow_one():
    layers = {"readout": {"form": "cp", "in_modes": [8], "out_modes": [2], "ranks": [1]}}
    assert "layers" not in narrow_architecture({**ARCHITECTURES[0], "layers": layers}, 0.5)


def test_heads_divide_the_width():
    values = narrow_architecture({"kind": "transformer", "width": 64, "heads": 4}, 0.1)
    assert values == {"kind": "transformer", "width": 6, "heads": 2}


@pytest.mark.parametrize("share", [0.05, 0.3, 1.0])
def test_a_sequential_with_convolutions_norms_and_flattening_gets_narrower(share):
    wide = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, stride=2, bias=False),
        nn.Flatten(),
        nn.LayerNorm(12),
        nn.Linear(12, 16),
        nn.ReLU(),
        nn.Linear(16, 10),
    )
    narrow = narrow_sequential(wide, share)
    assert narrow(torch.zeros(5, 1, 8, 8)).shape == (5, 10)
    assert narrow[0][0].out_channels == max(1, round(8 * share))
    assert narrow[2].bias is None
    assert narrow[2].stride == (2, 2)
    assert (parameters_of(narrow) < parameters_of(wide)) == (share < 1)


@pytest.mark.parametrize(
    "network",
    [
        nn.Linear(3, 2),
        nn.Sequential(nn.Flatten()),
        nn.Sequential(nn.Linear(4, 4), nn.PReLU(), nn.Linear(4, 2)),
        nn.Sequential(nn.Conv1d(4, 4, 3, groups=2), nn.Flatten(), nn.Linear(4, 2)),
    ],
    ids=["no Sequential", "no weights", "unknown parameters", "groups"],
)
def test_what_cannot_be_narrowed_is_left_alone(network):
    assert narrow_sequential(network, 0.5) is None


def test_nothing_fits_a_budget_of_nothing():
    assert within_budget(lambda share: (nn.Linear(3, 2), {}), 7) is None
