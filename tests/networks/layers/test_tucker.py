"""The Tucker layer against its dense weight, in all shapes and ways."""

import logging
import math

import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.layers.tucker import TuckerLinear
from phasenet.networks.layers.tucker_plans import planned, ways

SHAPES = {
    "1 -> 1": ((12,), (10,), (4, 4)),
    "2 -> 1, the paper's": ((28, 28), (300,), (5, 5, 10)),
    "1 -> 2": ((12,), (5, 4), (6, 3, 3)),
    "2 -> 2": ((6, 4), (5, 3), (3, 2, 4, 2)),
    "3 -> 5": ((4, 3, 2), (2, 3, 2, 1, 2), (2, 3, 2, 2, 2, 2, 1, 2)),
    "4 -> 4": ((3, 2, 2, 3), (2, 2, 3, 2), 2),
    "full rank": ((4, 3), (3, 2), (4, 3, 3, 2)),
}


def _layer(name, **options):
    torch.manual_seed(0)
    return TuckerLinear(*SHAPES[name], **options)


def _einsum(layer):
    """Dense weight by its definition, one letter for each mode and each rank."""
    count = len(layer.ranks)
    ranks, modes = "abcdefghij"[:count], "klmnopqrst"[:count]
    ins = len(layer.in_modes)
    pairs = ",".join(m + r for m, r in zip(modes, ranks, strict=True))
    tensor = torch.einsum(
        f"{ranks},{pairs}->{modes[ins:]}{modes[:ins]}",
        layer.core,
        *layer.in_factors,
        *layer.out_factors,
    )
    return tensor.reshape(layer.out_features, layer.in_features)


@pytest.mark.parametrize("name", SHAPES)
def test_dense_weight_is_the_definition(name):
    layer = _layer(name, dtype=torch.float64)
    assert torch.allclose(layer.dense_weight(), _einsum(layer), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", SHAPES)
def test_every_way_gives_the_same_outputs(name, training):
    layer = _layer(name, dtype=torch.float64)
    x = torch.randn(2, 3, layer.in_features, dtype=torch.float64)
    wanted = nn.functional.linear(x, layer.dense_weight(), layer.bias)
    assert torch.allclose(layer(x), wanted, rtol=1e-12, atol=1e-13)
    for way in ways(layer._sizes):
        found = layer._applied(x, way, None, recorded=not training)
        assert found.shape == wanted.shape
        assert torch.allclose(found, wanted, rtol=1e-12, atol=1e-13), way


def test_gradients_of_every_order_of_the_inputs():
    layer = _layer("3 -> 5", dtype=torch.float64)
    x = torch.randn(4, layer.in_features, dtype=torch.float64, requires_grad=True)
    parameters = [x, *layer.parameters()]
    dense = nn.functional.linear(x, _einsum(layer), layer.bias)
    wanted = torch.autograd.grad(dense.square().sum(), parameters)
    for way in ways(layer._sizes):
        found = torch.autograd.grad(
            layer._applied(x, way, None, recorded=False).square().sum(), parameters
        )
        for a, b in zip(found, wanted, strict=True):
            assert float((a - b).norm() / b.norm()) < 1e-12


def test_chunks_give_the_same_outputs_and_gradients():
    layer = _layer("2 -> 2", dtype=torch.float64)
    x = torch.randn(50, 24, dtype=torch.float64, requires_grad=True)
    wanted = [x, *layer.parameters()]
    way, _ = planned(layer._sizes, 50, True)
    results = []
    for chunk in (None, 50, 17, 1):
        y = layer._applied(x, way, chunk, recorded=False)
        results.append((y, *torch.autograd.grad(y.square().sum(), wanted)))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert torch.allclose(a, b, rtol=1e-12, atol=1e-13)


def test_shapes_of_inputs():
    layer = _layer("2 -> 2", bias=False)
    assert layer.bias is None
    assert layer(torch.ones(24)).shape == (15,)
    assert layer(torch.ones(0, 24)).shape == (0, 15)
    assert layer(torch.ones(2, 3, 24)).shape == (2, 3, 15)
    strided = torch.randn(24, 5).T
    assert torch.allclose(layer(strided), layer(strided.contiguous()))
    with pytest.raises(ShapeError, match=r"inputs have 25 features, the Tucker layer wants 24"):
        layer(torch.ones(2, 25))


@pytest.mark.parametrize("name", SHAPES)
def test_the_weight_starts_as_large_as_that_of_a_dense_layer(name):
    """The norm is exact; so the spread differs by the square of the mean, which is small."""
    torch.manual_seed(1)
    layer = TuckerLinear(*SHAPES[name])
    wanted = 1 / math.sqrt(3 * layer.in_features)
    drawn = [TuckerLinear(*SHAPES[name]).dense_weight().detach() for _ in range(20)]
    for weight in drawn:
        assert float(weight.square().mean().sqrt()) == pytest.approx(wanted, rel=1e-5)
    # The mean of a weight whose entries are of mean zero: 5 sigma of 20 draws, ranks correlate.
    means = torch.stack([weight.mean() for weight in drawn])
    assert abs(float(means.mean())) < 5 * float(means.std()) / math.sqrt(20)
    biases = torch.cat([TuckerLinear(*SHAPES[name]).bias.detach() for _ in range(20)])
    assert float(biases.abs().max()) <= 1 / math.sqrt(layer.in_features)
    spread = wanted / math.sqrt(2 * len(biases))
    assert abs(float(biases.square().mean().sqrt()) - wanted) < 5 * spread


def test_parameters_of_the_paper():
    layer = _layer("2 -> 1, the paper's", bias=False)
    assert sum(p.numel() for p in layer.parameters()) == 3530
    assert f"{784 * 300 / 3530:.2f}" == "66.63"
    assert layer.flops == layer.plan(1, training=False).flops


def test_ranks_above_their_maximum_are_clipped(caplog):
    with caplog.at_level(logging.WARNING):
        layer = TuckerLinear((28, 28), (300,), (40, 3, 300))
    assert layer.ranks == (28, 3, 84)
    assert "(40, 3, 300)" in caplog.text
    assert "(28, 3, 84)" in caplog.text
    assert layer.core.shape == layer.ranks


def test_settings_that_cannot_be():
    with pytest.raises(SettingsError, match=r"got the modes \(\) -> \(3,\)"):
        TuckerLinear((), (3,), 1)
    with pytest.raises(SettingsError, match=r"dropout of a Tucker layer is 1.0"):
        TuckerLinear((3,), (3,), 1, dropout=1.0)
    with pytest.raises(SettingsError, match=r"wanted 3 whole numbers from 1"):
        TuckerLinear((3, 2), (3,), (1, 1))


def test_dropout_keeps_the_mean_and_is_off_in_evaluation():
    torch.manual_seed(0)
    layer = TuckerLinear((6, 4), (5,), (3, 2, 3), dropout=0.3, dtype=torch.float64)
    x = torch.randn(3, 24, dtype=torch.float64)
    wanted = layer.eval()(x).detach()
    assert torch.allclose(wanted, nn.functional.linear(x, layer.dense_weight(), layer.bias))
    layer.train()
    with torch.no_grad():
        drawn = torch.stack([layer(x) for _ in range(2000)])
    spread = drawn.std(0) / math.sqrt(len(drawn))
    assert float(((drawn.mean(0) - wanted).abs() / spread).max()) < 5
    assert float(spread.min()) > 0
    # 8 indices in all: all kept with the probability 0.7 ** 8, all zero on some bond more often.
    only_bias = (drawn == layer.bias).all(-1).all(-1).double().mean()
    dead = 1 - (1 - 0.3**3) ** 2 * (1 - 0.3**2)
    assert abs(float(only_bias) - dead) < 5 * math.sqrt(dead * (1 - dead) / len(drawn))
    layer(x).sum().backward()


def test_from_dense_at_full_rank_is_the_layer():
    dense = nn.Linear(24, 15)
    layer = TuckerLinear.from_dense(dense, (6, 4), (5, 3), (6, 4, 5, 3))
    x = torch.randn(7, 24)
    assert torch.allclose(layer(x), dense(x), atol=1e-5)
    assert layer.bias.data_ptr() != dense.bias.data_ptr()
    assert all(p.is_leaf and p.requires_grad and p.is_contiguous() for p in layer.parameters())
    source = nn.Linear(24, 15, bias=False)
    state = torch.get_rng_state()
    bare = TuckerLinear.from_dense(source, (6, 4), (5, 3), 2)
    assert bare.bias is None
    assert bare.ranks == (2, 2, 2, 2)
    layer.orthonormal()
    assert torch.equal(torch.get_rng_state(), state)


@torch.no_grad()
def test_from_dense_of_one_mode_each_is_the_best_matrix():
    dense = nn.Linear(20, 12, dtype=torch.float64)
    layer = TuckerLinear.from_dense(dense, (20,), (12,), 3)
    values = torch.linalg.svdvals(dense.weight)
    error = (layer.dense_weight() - dense.weight).norm()
    assert float(error) == pytest.approx(float(values[3:].norm()), rel=1e-10)


@torch.no_grad()
def test_from_dense_to_an_error():
    dense = nn.Linear(24, 15)
    for tol in (0.5, 0.1):
        layer = TuckerLinear.from_dense(dense, (6, 4), (5, 3), tol=tol)
        error = (layer.dense_weight() - dense.weight).norm() / dense.weight.norm()
        assert float(error) <= tol * (1 + 1e-5)
    with pytest.raises(SettingsError, match="neither ranks nor tol"):
        TuckerLinear.from_dense(dense, (6, 4), (5, 3))
    with pytest.raises(ShapeError, match=r"want \(10, 24\)"):
        TuckerLinear.from_dense(dense, (6, 4), (5, 2), 2)


@torch.no_grad()
def test_samples_make_the_outputs_better():
    """Inputs whose rows are of very unequal size: the weight that meets the large ones counts."""
    torch.manual_seed(0)
    dense = nn.Linear(48, 20, dtype=torch.float64)
    scale = torch.logspace(-2, 1, 8, dtype=torch.float64).repeat_interleave(6)
    samples = torch.randn(500, 48, dtype=torch.float64) * scale
    errors = []
    for given in (None, samples):
        layer = TuckerLinear.from_dense(dense, (8, 6), (20,), (3, 4, 8), samples=given)
        errors.append(float((layer(samples) - dense(samples)).norm() / dense(samples).norm()))
    assert errors[1] < 0.7 * errors[0]
    wide = TuckerLinear.from_dense(dense, (8, 6), (20,), tol=0.2, samples=samples)
    assert float((wide(samples) - dense(samples)).norm()) < 0.21 * float(
        (dense(samples) - dense.bias).norm()
    )


@pytest.mark.parametrize("name", SHAPES)
def test_orthonormal_gauge(name):
    layer = _layer(name, dtype=torch.float64, dropout=0.1).eval()
    found = layer.orthonormal()
    assert torch.allclose(found.dense_weight(), layer.dense_weight(), atol=1e-12)
    assert not found.training
    assert found.dropout == 0.1
    for factor in (*found.in_factors, *found.out_factors):
        eye = torch.eye(factor.shape[1], dtype=torch.float64)
        assert torch.allclose(factor.T @ factor, eye, atol=1e-12)
    for mode, spectrum in enumerate(layer.spectra().values()):
        slices = found.core.detach().movedim(mode, 0).reshape(found.ranks[mode], -1)
        gram = slices @ slices.T
        assert torch.allclose(gram, torch.diag(gram.diagonal()), atol=1e-10)
        norms = slices.norm(dim=1) / slices.norm()
        assert torch.allclose(norms, torch.from_numpy(spectrum.values), atol=1e-10)


def test_spectra_are_those_of_the_dense_weight():
    layer = _layer("2 -> 2", dtype=torch.float64)
    spectra = layer.spectra()
    assert list(spectra) == ["in 0", "in 1", "out 0", "out 1"]
    weight = layer.dense_weight().detach().reshape(5, 3, 6, 4)
    for name, mode in (("in 0", 2), ("in 1", 3), ("out 0", 0), ("out 1", 1)):
        values = torch.linalg.svdvals(weight.movedim(mode, 0).reshape(weight.shape[mode], -1))
        known = (values / values.norm())[: len(spectra[name].values)]
        assert torch.allclose(torch.from_numpy(spectra[name].values), known, atol=1e-10)
        assert 1 <= spectra[name].effective_rank <= len(known) + 1e-9


def test_bond_activations():
    layer = _layer("2 -> 2", dtype=torch.float64)
    x = torch.randn(7, 24, dtype=torch.float64)
    found = layer.bond_activations(x)
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        "in 1": (7, 6, 2),
        "in 0": (7, 3, 2),
        "out 0": (7, 4, 2),
        "out 1": (7, 5, 2),
    }
    known = torch.einsum("bij,ir,js->brs", x.reshape(7, 6, 4), *layer.in_factors)
    assert torch.allclose(found["in 0"], known)
    last = torch.einsum("bkt,lt->bkl", found["out 1"], layer.out_factors[1]).reshape(7, 15)
    assert torch.allclose(last + layer.bias, layer(x))
