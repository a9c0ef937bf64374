"""Low-rank convolutions against their dense kernels."""

import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.networks.layers.low_rank import LowRankConvolution

DENSE = [
    nn.Conv1d(4, 6, 3, padding=1, padding_mode="circular", dtype=torch.float64),
    nn.Conv2d(4, 6, (3, 2), stride=(2, 1), dilation=(1, 2), bias=False, dtype=torch.float64),
]


def inputs(dense, seed=0):
    generator = torch.Generator().manual_seed(seed)
    places = (9,) if isinstance(dense, nn.Conv1d) else (9, 8)
    return torch.randn(7, 4, *places, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("dense", DENSE)
def test_full_rank_is_the_dense_convolution(dense):
    layer = LowRankConvolution.from_dense(dense, 6)
    torch.testing.assert_close(layer(inputs(dense)), dense(inputs(dense)), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer.dense_weight(), dense.weight, rtol=1e-12, atol=1e-12)
    assert layer.up.weight.data_ptr() != dense.weight.data_ptr()


@pytest.mark.parametrize("dense", DENSE)
def test_the_error_of_the_weight_is_that_of_the_singular_values_left_out(dense):
    values = torch.linalg.svdvals(dense.weight.detach().flatten(1))
    layer = LowRankConvolution.from_dense(dense, 2)
    error = (layer.dense_weight() - dense.weight).norm()
    assert float(error.detach()) == pytest.approx(float(values[2:].norm()), rel=1e-10)


@pytest.mark.parametrize("dense", DENSE)
def test_samples_make_the_error_of_the_outputs_least(dense):
    x = inputs(dense) * torch.tensor([10.0, 1.0, 0.1, 0.01], dtype=torch.float64).reshape(
        1, 4, *(1,) * (inputs(dense).ndim - 2)
    )
    plain, aware = (LowRankConvolution.from_dense(dense, 1, samples=s) for s in (None, x))
    errors = [float((layer(x) - dense(x)).norm().detach()) for layer in (plain, aware)]
    assert errors[1] < errors[0]


def test_names_of_the_weights_stay():
    layer = LowRankConvolution.like(DENSE[0], 2)
    assert list(layer.state_dict()) == ["down.weight", "up.weight", "up.bias"]


def test_groups_are_refused_in_one_sentence():
    with pytest.raises(SettingsError, match="2 groups has no low-rank form"):
        LowRankConvolution.like(nn.Conv1d(4, 4, 3, groups=2), 1)
