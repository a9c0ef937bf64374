import pytest
import torch
from torch import nn

from phasenet.networks.layers.activations import bond_activations
from phasenet.networks.layers.convolutions import TensorizedConvolution
from phasenet.networks.layers.low_rank import LowRankConvolution
from phasenet.networks.layers.mpo import MPOLinear
from phasenet.networks.layers.tucker import TuckerLinear


@pytest.fixture
def network():
    torch.manual_seed(0)
    conv = nn.Conv1d(4, 6, 3)
    return nn.Sequential(
        TensorizedConvolution.like(conv, "tucker", (2, 3)),
        nn.ReLU(),
        LowRankConvolution.like(nn.Conv1d(6, 5, 3), 2),
        nn.Flatten(),
        MPOLinear((5, 4), (2, 3), (3,)),
        nn.Linear(6, 2),
    )


def test_each_layer_is_asked_with_what_it_sees(network):
    x = torch.randn(7, 4, 8)
    found = bond_activations(network, x)
    assert list(found) == ["0", "2", "4"]
    inside = network[:4](x)
    for bond, values in network[4].bond_activations(inside).items():
        torch.testing.assert_close(found["4"][bond], values)
    torch.testing.assert_close(found["2"]["rank"], network[2].down(network[:2](x)))


def test_calls_of_one_layer_follow_one_another():
    layer = TuckerLinear((2, 2), (2, 2), 2)
    network = nn.Sequential(layer, nn.Tanh(), layer)
    x = torch.randn(3, 4)
    found = bond_activations(network, x)["0"]["in 0"]
    torch.testing.assert_close(found[:3], layer.bond_activations(x)["in 0"])
    torch.testing.assert_close(found[3:], layer.bond_activations(torch.tanh(layer(x)))["in 0"])


def test_nothing_is_left_on_the_network(network):
    with pytest.raises(RuntimeError):
        bond_activations(network, torch.randn(7, 5, 8))
    assert not any(module._forward_pre_hooks for module in network.modules())


def test_the_spectrum_of_a_low_rank_kernel_is_that_of_its_matrix(network):
    layer = network[2]
    values = torch.linalg.svdvals(layer.dense_weight().detach().double().flatten(1))[:2]
    found = torch.from_numpy(layer.spectra()["rank"].values)
    torch.testing.assert_close(found / found.norm(), values / values.norm())
