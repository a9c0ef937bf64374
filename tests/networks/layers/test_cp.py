import copy
import io
import logging

import numpy as np
import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.layers.cp import CPLinear
from phasenet.networks.layers.cp_contraction import cp_linear, cp_ways, plan_of, planned
from phasenet.networks.layers.dropout import bond_mask

SIZES = [
    ((6,), (5,), 4),
    ((4, 3), (2, 5), (3,)),
    ((28, 28), (300,), 7),
    ((3, 2, 2), (2, 3, 2, 2, 2), 5),
    ((4, 3, 2), (5, 2), 6),
]


def doubled(*sizes, **options):
    torch.manual_seed(3)
    return CPLinear(*sizes, dtype=torch.float64, **options)


def dense_layer(inputs, outputs, bias=True):
    torch.manual_seed(2)
    return nn.Linear(inputs, outputs, bias=bias, dtype=torch.float64)


def by_outer_products(layer):
    """Dense weight as the sum of the outer products of columns, term by term."""
    total = 0
    for term in range(layer.ranks[0]):
        product = torch.ones((), dtype=torch.float64)
        for factor in (*layer.out_factors, *layer.in_factors):
            product = torch.tensordot(product, factor[:, term].detach(), dims=0)
        total = total + product
    return total.reshape(layer.out_features, layer.in_features)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("batch", [(1,), (7,), (2, 3), ()])
def test_outputs_are_those_of_the_dense_weight(sizes, batch):
    layer = doubled(*sizes)
    x = torch.randn(*batch, layer.in_features, dtype=torch.float64)
    weight = by_outer_products(layer)
    torch.testing.assert_close(layer.dense_weight(), weight, rtol=1e-12, atol=1e-13)
    wanted = nn.functional.linear(x, weight, layer.bias)
    torch.testing.assert_close(layer(x), wanted, rtol=1e-12, atol=1e-13)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("sizes", SIZES)
def test_every_way_gives_the_same_outputs_and_gradients(sizes):
    layer = doubled(*sizes)
    ins, outs = tuple(layer.in_factors), tuple(layer.out_factors)
    x = torch.randn(9, layer.in_features, dtype=torch.float64, requires_grad=True)
    delta = torch.randn(9, layer.out_features, dtype=torch.float64)
    wanted = [x, layer.bias, *ins, *outs]
    dense = nn.functional.linear(x, layer.dense_weight(), layer.bias)
    by_autograd = torch.autograd.grad(dense, wanted, delta)
    for way in cp_ways(len(ins), len(outs)):
        y = cp_linear(x, ins, outs, layer.bias, way)
        torch.testing.assert_close(y, dense, rtol=1e-12, atol=1e-12)
        for ours, theirs in zip(torch.autograd.grad(y, wanted, delta), by_autograd, strict=True):
            assert (ours - theirs).norm() <= 1e-12 * theirs.norm()


def test_gradients_by_differences():
    layer = doubled((2, 3), (3, 2), 2)
    x = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    for way in cp_ways(2, 2):

        def applied(x, bias, *factors, way=way):
            return cp_linear(x, factors[:2], factors[2:], bias, way)

        inputs = (x, layer.bias, *layer.in_factors, *layer.out_factors)
        assert torch.autograd.gradcheck(applied, inputs)


@pytest.mark.parametrize("training", [True, False])
def test_no_samples_give_no_outputs(training):
    layer = CPLinear((4, 3), (6,), 2)
    with torch.set_grad_enabled(training):
        assert layer(torch.ones(0, 12)).shape == (0, 6)


def test_the_plan_is_printed_and_counts_what_is_done():
    layer = CPLinear((28, 28), (300,), 10)
    plan = layer.plan(128)
    assert str(plan).startswith("inputs, outputs, batch 128 in chunks of 128: 2,782,880 flops")
    assert plan.flops == 784 * 10 + 2 * 128 * 10 * (784 + 300)
    assert layer.flops == layer.plan(1, training=False).flops


@pytest.mark.parametrize("batch", [1, 32, 512])
@pytest.mark.parametrize("rank", [1, 30, 400])
def test_the_plan_is_the_cheapest_of_all(batch, rank):
    modes = (8, 8, 8), (8, 8)
    plans = [plan_of(way, *modes, rank, batch, True).seconds for way in cp_ways(3, 2)]
    assert planned(*modes, rank, batch, True)[1].seconds == min(plans)


def test_the_way_depends_on_the_rank_and_the_batch():
    assert planned((64,), (64,), 64, 1000, True)[0].dense
    assert not planned((64, 64), (64, 64), 10, 1000, True)[0].dense
    assert planned((100, 100, 100), (10,), 50, 1, True)[0].ins_apart


def test_the_first_weight_is_as_large_as_that_of_nn_linear():
    torch.manual_seed(0)
    sizes = [CPLinear((8, 8, 4), (8, 8), 6).dense_weight().std() for _ in range(20)]
    wanted = 1 / (3 * 256) ** 0.5
    # The norm is exact, and the mean is a fluctuation.
    torch.testing.assert_close(torch.stack(sizes), torch.full((20,), wanted), rtol=5e-3, atol=0)


def test_a_rank_above_the_useful_maximum_is_clipped_with_a_word(caplog):
    with caplog.at_level(logging.WARNING):
        layer = CPLinear((6,), (4,), 100)
    assert layer.ranks == (4,)
    assert "CP rank above the useful maximum: (100,) taken as (4,)" in caplog.text


def test_names_of_the_weights():
    layer = CPLinear((4, 3), (6,), 2)
    assert list(layer.state_dict()) == ["bias", "in_factors.0", "in_factors.1", "out_factors.0"]
    assert "bias" not in CPLinear((4, 3), (6,), 2, bias=False).state_dict()


def test_weights_are_saved_and_loaded():
    layer, other = CPLinear((4, 3), (6,), 2), CPLinear((4, 3), (6,), 2)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    with torch.no_grad():
        other(torch.ones(1, 12))
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(5, 12)
    with torch.no_grad():
        assert torch.equal(layer(x), other(x))


def test_a_copy_is_independent():
    layer = CPLinear((8,), (8,), 8).eval()
    x = torch.randn(300, 8)
    with torch.no_grad():
        before = layer(x)
        other = copy.deepcopy(layer)
        other.in_factors[0].mul_(2)
        assert torch.equal(layer(x), before)
        torch.testing.assert_close(other(x) - other.bias, 2 * (before - layer.bias))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype):
    layer = CPLinear((4, 4, 4), (4, 4), 3)
    same = copy.deepcopy(layer).to(dtype)
    x = torch.randn(9, 64)
    y = same(x.to(dtype))
    assert y.dtype == dtype
    tol = 1e-5 if dtype == torch.float64 else 5e-2
    torch.testing.assert_close(y.float(), layer(x), rtol=tol, atol=tol)
    y.float().sum().backward()
    assert same.in_factors[0].grad.dtype == dtype
    assert CPLinear((4,), (4,), 1, dtype=dtype).in_factors[0].dtype == dtype


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_it_is_compiled_as_one_graph(backend):
    layer = CPLinear((4, 3, 2), (2, 5), 3)
    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    x = torch.randn(6, 24, requires_grad=True)
    torch.testing.assert_close(compiled(x), layer(x))
    compiled(x).sum().backward()
    ours = x.grad.clone()
    x.grad = None
    layer(x).sum().backward()
    torch.testing.assert_close(ours, x.grad)


def test_it_is_exported_for_any_batch():
    layer = CPLinear((4, 3, 2), (2, 5), 3)
    exported = torch.export.export(
        layer, (torch.randn(6, 24),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    x = torch.randn(11, 24)
    torch.testing.assert_close(exported.module()(x), layer(x))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_it_is_traced_for_any_batch():
    layer = CPLinear((4, 3, 2), (2, 5), 3)
    traced = torch.jit.trace(layer, (torch.randn(6, 24),))
    x = torch.randn(11, 24)
    torch.testing.assert_close(traced(x), layer(x))


def test_the_mean_over_dropout_is_the_layer_without():
    torch.manual_seed(1)
    layer = doubled((4, 3), (2, 3), 3, dropout=0.4)
    x = torch.randn(2, 12, dtype=torch.float64)
    drawn = torch.stack([layer(x) for _ in range(2000)]).detach()
    spread = drawn.std(0) / 2000**0.5
    layer.eval()
    assert bool(((drawn.mean(0) - layer(x)).abs() < 5 * spread).all())
    assert torch.equal(layer(x), layer(x))


def test_dropout_leaves_out_whole_terms():
    layer = doubled((4, 3), (2, 3), 5, dropout=0.5, bias=False)
    x = torch.randn(2, 12, dtype=torch.float64)
    torch.manual_seed(5)
    ours = layer(x)
    torch.manual_seed(5)
    layer.in_factors[0].data *= bond_mask(5, 0.5, layer.in_factors[0])
    torch.testing.assert_close(ours, layer.eval()(x), rtol=1e-12, atol=1e-13)


def test_a_planted_sum_is_found():
    planted = doubled((8, 6), (5, 4), 3)
    dense = dense_layer(48, 20)
    dense.weight.data = planted.dense_weight().detach()
    layer = CPLinear.from_dense(dense, (8, 6), (5, 4), 3)
    error = (layer.dense_weight() - dense.weight).norm() / dense.weight.norm()
    assert error < 1e-3
    torch.testing.assert_close(layer.bias, dense.bias, rtol=0, atol=0)
    assert layer.bias.data_ptr() != dense.bias.data_ptr()


def test_one_mode_each_is_the_best_low_rank_matrix():
    dense = dense_layer(12, 20)
    layer = CPLinear.from_dense(dense, (12,), (20,), 5)
    lost = torch.linalg.svdvals(dense.weight.detach())[5:].norm()
    found = (layer.dense_weight() - dense.weight).norm()
    torch.testing.assert_close(found, lost, rtol=1e-10, atol=0)
    tol = CPLinear.from_dense(dense, (12,), (20,), tol=0.2)
    assert (tol.dense_weight() - dense.weight).norm() <= 0.2 * dense.weight.norm()


def test_samples_make_the_outputs_better():
    dense = dense_layer(30, 20, bias=False)
    torch.manual_seed(0)
    x = torch.randn(500, 30, dtype=torch.float64) * torch.logspace(0, -2, 30)
    plain = CPLinear.from_dense(dense, (30,), (20,), 4)
    aware = CPLinear.from_dense(dense, (30,), (20,), 4, samples=x)
    errors = [(layer(x) - dense(x)).norm() for layer in (plain, aware)]
    assert errors[1] < 0.7 * errors[0]
    assert aware.bias is None


def test_the_orthonormal_layer_is_the_same_function():
    layer = doubled((4, 3), (5, 2), 4, dropout=0.25).eval()
    other = layer.orthonormal()
    torch.testing.assert_close(other.dense_weight(), layer.dense_weight(), rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(other.bias, layer.bias, rtol=0, atol=0)
    assert (other.dropout, other.training) == (0.25, False)
    for factor in (*other.in_factors, other.out_factors[0]):
        torch.testing.assert_close(factor.norm(dim=0), torch.ones(4, dtype=torch.float64))
    weights = other.out_factors[1].norm(dim=0)
    assert bool((weights[:-1] >= weights[1:]).all())
    spectrum = layer.spectra()["rank"]
    np.testing.assert_allclose(spectrum.values, (weights / weights.norm()).detach().numpy())


def test_terms_carry_what_makes_the_outputs():
    layer = doubled((4, 3), (2, 3, 5), 3, bias=False)
    x = torch.randn(2, 7, 12, dtype=torch.float64)
    values = layer.bond_activations(x)
    assert list(values) == ["in 1", "in 0", "out 1", "out 2"]
    inner = torch.einsum("...ab,ar,br->...r", x.reshape(2, 7, 4, 3), *layer.in_factors)
    torch.testing.assert_close(values["in 0"], inner, rtol=1e-12, atol=1e-13)
    y = torch.einsum("...xyr,zr->...xyz", values["out 2"], layer.out_factors[2])
    torch.testing.assert_close(y.reshape(2, 7, 30), layer(x), rtol=1e-12, atol=1e-13)


def test_what_cannot_be_is_refused():
    with pytest.raises(SettingsError, match=r"modes of the CP layer are \(2,\) -> \(0,\)"):
        CPLinear((2,), (0,), 1)
    with pytest.raises(SettingsError, match=r"dropout of the CP layer is -0.1; wanted"):
        CPLinear((2,), (3,), 1, dropout=-0.1)
    with pytest.raises(SettingsError, match=r"has the ranks \(2, 3\); wanted a single number"):
        CPLinear((2, 2), (3, 3), (2, 3))
    with pytest.raises(ShapeError, match=r"have 5 features; wanted 4"):
        CPLinear((2, 2), (3, 3), 2)(torch.ones(1, 5))
    with pytest.raises(ShapeError, match=r"the modes \(4, 2\) -> \(6,\) want \(6, 8\)"):
        CPLinear.from_dense(nn.Linear(12, 6), (4, 2), (6,), 2)
    with pytest.raises(SettingsError, match="neither ranks nor tol; give one"):
        CPLinear.from_dense(nn.Linear(12, 6), (4, 3), (6,))
