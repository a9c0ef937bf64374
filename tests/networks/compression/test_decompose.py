"""Ranks within a budget, and layers nearest to dense ones."""

import pytest
import torch
from torch import nn

from phasenet.networks.compression.decompose import Decomposer, healed, nearest
from phasenet.networks.compression.measures import parameters_of
from phasenet.networks.layers.forms import LayerForm
from phasenet.networks.layers.low_rank import LowRankConvolution


def convolutional():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(4, 16, 3),
        nn.ReLU(),
        nn.Conv1d(16, 16, 3, groups=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 6, 30),
        nn.ReLU(),
        nn.Linear(30, 2, bias=False),
    )


@pytest.mark.parametrize(
    ("family", "ratio"),
    [
        ("tucker", 2),
        ("mpo", 3),
        pytest.param("cp", 8, marks=pytest.mark.slow),
        ("low rank", 2),
        ("low rank", 5),
    ],
)
def test_the_budget_is_kept_and_most_of_it_used(family, ratio):
    network = convolutional()
    decomposer = Decomposer(network, torch.randn(100, 4, 10))
    budget = parameters_of(network) // ratio
    forms = decomposer.forms(family, budget)
    made = decomposer.decomposed(forms)
    assert budget / 3 < parameters_of(made) <= budget
    assert made(torch.zeros(5, 4, 10)).shape == (5, 2)
    assert parameters_of(network) == parameters_of(convolutional())


class Two(nn.Module):
    """Two layers side by side, one of which hardly matters."""

    def __init__(self):
        super().__init__()
        self.loud, self.quiet = nn.Linear(32, 4), nn.Linear(32, 4)

    def forward(self, x):
        return 9 * self.loud(x) + 1e-3 * self.quiet(x)


def test_the_layer_without_influence_is_the_one_that_shrinks():
    torch.manual_seed(0)
    network = Two()
    decomposer = Decomposer(network, torch.randn(400, 32))
    forms = decomposer.forms("low rank", parameters_of(network) - 80)
    assert list(forms) == ["quiet"]


def test_nothing_fits_where_rank_one_is_too_large():
    network = convolutional()
    assert Decomposer(network, torch.randn(50, 4, 10)).forms("mpo", 100) == {}


def test_low_rank_convolutions_are_matrices_over_all_taps():
    network = nn.Sequential(nn.Conv1d(8, 32, 5), nn.Flatten(), nn.Linear(32 * 6, 2))
    decomposer = Decomposer(network, torch.randn(100, 8, 10))
    made = decomposer.decomposed(decomposer.forms("low rank", 800))
    assert isinstance(made[0], LowRankConvolution)


@pytest.mark.parametrize(
    ("dense", "inputs", "form"),
    [
        (
            nn.Linear(6, 4),
            torch.randn(300, 6) + 5,
            LayerForm(form="cp", in_modes=(6,), out_modes=(4,), ranks=(2,)),
        ),
        (
            nn.Conv1d(6, 4, 3, groups=2),
            torch.randn(300, 6, 9) + 5,
            LayerForm(form="tucker", in_modes=(3,), out_modes=(2,), ranks=(1, 1)),
        ),
        (
            nn.Conv2d(6, 4, 3),
            torch.randn(100, 6, 5, 5) + 5,
            LayerForm(form="cp", in_modes=(54,), out_modes=(4,), ranks=(2,)),
        ),
    ],
    ids=["linear", "groups", "low rank"],
)
def test_the_bias_takes_what_the_mean_of_the_inputs_misses(dense, inputs, form):
    layer = nearest(dense, form, inputs)
    axes = (0, *range(2, inputs.ndim))
    with torch.no_grad():
        missed = (layer(inputs) - dense(inputs)).mean(dim=axes)
        size = dense(inputs).std()
    assert float(missed.abs().max()) < 0.02 * float(size)


def test_inputs_that_never_change_are_no_reason_to_fail():
    form = LayerForm(form="cp", in_modes=(6,), out_modes=(4,), ranks=(1,))
    dense = nn.Linear(6, 4)
    layer = nearest(dense, form, torch.ones(9, 6))
    missed = layer(torch.ones(1, 6)) - dense(torch.ones(1, 6))
    assert float(missed.detach().abs().max()) < 1e-2


def test_healing_brings_outputs_nearer():
    network, x = convolutional(), torch.randn(256, 4, 10)
    decomposer = Decomposer(network, x)
    before = decomposer.decomposed(decomposer.forms("mpo", parameters_of(network) // 4))
    after = healed(before, network, torch.split(x, 64), 60)
    assert healed(before, network, [x], 0) is before
    with torch.no_grad():
        errors = [float((made(x) - network(x)).norm()) for made in (before, after)]
    assert errors[1] < errors[0]
