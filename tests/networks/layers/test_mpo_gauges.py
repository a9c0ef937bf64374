import numpy as np
import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.layers.mpo import MPOLinear


def doubled(*sizes, **options):
    torch.manual_seed(4)
    return MPOLinear(*sizes, dtype=torch.float64, **options)


def dense_layer(inputs, outputs, bias=True):
    torch.manual_seed(2)
    return nn.Linear(inputs, outputs, bias=bias, dtype=torch.float64)


@pytest.mark.parametrize(
    ("ins", "outs"), [((4, 3), (2, 3)), ((3, 2, 2), (2, 3, 2, 2, 2)), ((4, 3), (7,)), ((5,), (6,))]
)
def test_full_bonds_give_the_dense_layer(ins, outs):
    dense = dense_layer(int(np.prod(ins)), int(np.prod(outs)))
    layer = MPOLinear.from_dense(dense, ins, outs, tol=1e-13)
    torch.testing.assert_close(layer.dense_weight(), dense.weight, rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(layer.bias, dense.bias, rtol=0, atol=0)
    assert layer.bias.data_ptr() != dense.bias.data_ptr()
    assert all(type(parameter) is nn.Parameter for parameter in layer.parameters())


def test_the_error_is_kept_with_the_least_bonds():
    dense = dense_layer(64, 64)
    layer = MPOLinear.from_dense(dense, (8, 8), (8, 8), tol=0.3)
    error = (layer.dense_weight() - dense.weight).norm() / dense.weight.norm()
    assert error <= 0.3
    (bond,) = layer.ranks
    smaller = MPOLinear.from_dense(dense, (8, 8), (8, 8), bond - 1)
    assert (smaller.dense_weight() - dense.weight).norm() / dense.weight.norm() > 0.3


def test_two_sites_are_as_near_as_singular_values_allow():
    dense = dense_layer(12, 20)
    layer = MPOLinear.from_dense(dense, (4, 3), (5, 4), 6)
    paired = dense.weight.detach().reshape(5, 4, 4, 3).permute(0, 2, 1, 3).reshape(20, 12)
    lost = torch.linalg.svdvals(paired)[6:].norm()
    found = (layer.dense_weight() - dense.weight).norm()
    torch.testing.assert_close(found, lost, rtol=1e-10, atol=0)


def test_no_bias_gives_no_bias():
    assert MPOLinear.from_dense(dense_layer(4, 4, bias=False), (2, 2), (2, 2), 2).bias is None


def test_samples_make_the_outputs_better():
    dense = dense_layer(64, 16)
    torch.manual_seed(0)
    x = torch.randn(500, 8, 8, dtype=torch.float64)
    scales = torch.logspace(0, -2, 8, dtype=torch.float64)
    x = (x * scales[:, None] * scales).reshape(500, 64)
    plain = MPOLinear.from_dense(dense, (8, 8), (4, 4), 4)
    aware = MPOLinear.from_dense(dense, (8, 8), (4, 4), 4, samples=x)
    errors = [(layer(x) - dense(x)).norm() for layer in (plain, aware)]
    assert errors[1] < 0.5 * errors[0]


def test_samples_and_fewer_modes_on_one_side():
    dense = dense_layer(12, 4)
    x = torch.randn(50, 12, dtype=torch.float64)
    layer = MPOLinear.from_dense(dense, (4, 3), (4,), tol=1e-12, samples=x)
    torch.testing.assert_close(layer(x), dense(x), rtol=1e-9, atol=1e-10)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ShapeError, match=r"\(6, 12\) \(out, in\); the modes .* want \(6, 8\)"):
        MPOLinear.from_dense(nn.Linear(12, 6), (4, 2), (2, 3), 2)
    with pytest.raises(SettingsError, match="neither ranks nor tol; give one"):
        MPOLinear.from_dense(nn.Linear(12, 6), (4, 3), (2, 3))


def test_the_orthonormal_layer_is_the_same_function():
    layer = doubled((4, 3, 2), (5, 2), (3, 2), dropout=0.25).eval()
    other = layer.orthonormal()
    torch.testing.assert_close(other.dense_weight(), layer.dense_weight(), rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(other.bias, layer.bias, rtol=0, atol=0)
    assert other.dropout == 0.25
    assert not other.training
    for core in list(other.cores)[:-1]:
        columns = core.reshape(-1, core.shape[3])
        eye = torch.eye(columns.shape[1], dtype=torch.float64)
        torch.testing.assert_close(columns.T @ columns, eye, rtol=0, atol=1e-12)
    again = other.orthonormal()
    for one, two in zip(other.cores, again.cores, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-10)


def test_spectra_are_the_singular_values_of_the_cut_weight():
    layer = doubled((4, 3, 2), (2, 3, 2), 3)
    weight = layer.dense_weight().detach().reshape(2, 3, 2, 4, 3, 2).permute(0, 3, 1, 4, 2, 5)
    for bond, rows in ((0, 8), (1, 72)):
        values = torch.linalg.svdvals(weight.reshape(rows, -1))[:3]
        spectrum = layer.spectra()[f"bond {bond}"]
        np.testing.assert_allclose(spectrum.values, (values / values.norm()).numpy(), rtol=1e-9)
    assert list(layer.spectra()) == ["bond 0", "bond 1"]


def test_bonds_carry_what_makes_the_outputs():
    layer = doubled((4, 3, 2), (2, 3, 5), (3, 2), bias=False)
    x = torch.randn(2, 7, 24, dtype=torch.float64)
    values = layer.bond_activations(x)
    assert list(values) == ["bond 1", "bond 0"]
    assert values["bond 1"].shape == (2, 7, 4, 3, 2, 5)
    first, second, third = layer.cores
    one = torch.einsum("...abc,kzc->...abkz", x.reshape(2, 7, 4, 3, 2), third[..., 0])
    torch.testing.assert_close(values["bond 1"], one, rtol=1e-12, atol=1e-13)
    two = torch.einsum("...abkz,lybk->...alyz", one, second)
    torch.testing.assert_close(values["bond 0"], two, rtol=1e-12, atol=1e-13)
    y = torch.einsum("...alyz,xal->...xyz", two, first[0]).reshape(2, 7, 30)
    torch.testing.assert_close(layer(x), y, rtol=1e-12, atol=1e-13)
