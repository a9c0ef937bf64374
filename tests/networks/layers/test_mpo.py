import copy
import io
import logging

import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.layers.dropout import bond_mask
from phasenet.networks.layers.mpo import MPOLinear
from phasenet.networks.layers.mpo_contraction import contracted, matrices, swept
from phasenet.networks.layers.mpo_plans import plan_of, planned, stages, ways

SIZES = [
    ((6,), (5,), ()),
    ((4, 3), (2, 5), 3),
    ((28, 28), (300,), 5),
    ((3, 2, 2), (2, 3, 2, 2, 2), (2, 3, 4, 2)),
    ((4, 3, 2), (5, 2), (3, 2)),
    ((2, 2, 3, 2), (2, 1, 2, 2), 3),
]


def doubled(*sizes, **options):
    torch.manual_seed(3)
    return MPOLinear(*sizes, dtype=torch.float64, **options)


def shapes_of(cores):
    return tuple(tuple(core.shape) for core in cores)


def in_way(x, cores, bias, way, chunk):
    return contracted(x, cores, bias, way, stages(shapes_of(cores), way), chunk)


def by_einsum(layer):
    """Dense weight by one contraction of all cores, site by site."""
    w = torch.ones(1, 1, 1, dtype=torch.float64)
    for core in layer.cores:
        w = torch.einsum("xyb,boic->xoyic", w, core.detach().double())
        w = w.reshape(w.shape[0] * w.shape[1], w.shape[2] * w.shape[3], w.shape[4])
    return w[..., 0]


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("batch", [(1,), (7,), (2, 3), ()])
def test_outputs_are_those_of_the_dense_weight(sizes, batch):
    layer = doubled(*sizes)
    x = torch.randn(*batch, layer.in_features, dtype=torch.float64)
    torch.testing.assert_close(layer.dense_weight(), by_einsum(layer), rtol=1e-12, atol=1e-13)
    wanted = nn.functional.linear(x, by_einsum(layer), layer.bias)
    torch.testing.assert_close(layer(x), wanted, rtol=1e-12, atol=1e-13)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("chunk", [None, 2, 5, 9])
def test_every_way_gives_the_same_outputs_and_gradients(sizes, chunk):
    layer = doubled(*sizes)
    cores = tuple(layer.cores)
    x = torch.randn(9, layer.in_features, dtype=torch.float64, requires_grad=True)
    delta = torch.randn(9, layer.out_features, dtype=torch.float64)
    wanted = [x, layer.bias, *cores]
    dense = nn.functional.linear(x, layer.dense_weight(), layer.bias)
    by_autograd = torch.autograd.grad(dense, wanted, delta)
    for way in ways(len(cores)):
        y = in_way(x, cores, layer.bias, way, chunk)
        torch.testing.assert_close(y, dense, rtol=1e-12, atol=1e-12)
        for ours, theirs in zip(torch.autograd.grad(y, wanted, delta), by_autograd, strict=True):
            assert (ours - theirs).norm() <= 1e-12 * theirs.norm()


def test_only_the_gradients_that_are_wanted_are_made():
    layer = doubled((4, 3, 2), (2, 2, 5), 3)
    x = torch.randn(9, 24, dtype=torch.float64)
    delta = torch.randn(9, 20, dtype=torch.float64)
    way = next(ways(3))
    wanted = torch.autograd.grad(
        nn.functional.linear(x, layer.dense_weight()), tuple(layer.cores), delta
    )
    layer.cores[0].requires_grad_(False)
    y = in_way(x, tuple(layer.cores), None, way, 4)
    found = torch.autograd.grad(y, [layer.cores[1], layer.cores[2]], delta)
    for ours, theirs in zip(found, wanted[1:], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("chunk", [None, 2])
def test_gradients_of_gradients(chunk):
    layer = doubled((2, 2, 3), (3, 2), 2)
    way = list(ways(3))[1]
    x = torch.randn(3, 12, dtype=torch.float64, requires_grad=True)

    def applied(x, bias, *cores):
        return in_way(x, cores, bias, way, chunk)

    inputs = (x, layer.bias, *layer.cores)
    assert torch.autograd.gradcheck(applied, inputs)
    assert torch.autograd.gradgradcheck(applied, inputs)


@pytest.mark.slow
def test_a_large_batch_is_taken_in_chunks_whose_gradient_is_that_of_the_whole():
    layer = doubled((16, 16, 16), (16, 16, 16), 8)
    x = torch.randn(12, 4096, dtype=torch.float64, requires_grad=True)
    assert 1 < layer.plan(12).chunk < 12
    wanted = [x, *layer.parameters()]
    ours = torch.autograd.grad(layer(x).square().sum(), wanted)
    dense = nn.functional.linear(x, layer.dense_weight(), layer.bias)
    for mine, theirs in zip(ours, torch.autograd.grad(dense.square().sum(), wanted), strict=True):
        assert (mine - theirs).norm() <= 1e-12 * theirs.norm()
    with torch.no_grad():
        torch.testing.assert_close(layer(x), dense, rtol=1e-12, atol=1e-12)


def test_a_large_batch_keeps_nothing_but_its_inputs_for_the_gradient():
    layer = MPOLinear((16, 16, 16), (16, 16, 16), 8)
    x = torch.randn(12, 4096)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel()) or t, lambda t: t
    ):
        layer(x)
    assert sum(kept) == x.numel() + sum(parameter.numel() for parameter in layer.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_no_samples_give_no_outputs(training):
    layer = MPOLinear((4, 3), (2, 3), 2)
    with torch.set_grad_enabled(training):
        assert layer(torch.ones(0, 12)).shape == (0, 6)


def test_autocast_is_respected():
    layer = MPOLinear((4, 3), (2, 3), 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(torch.ones(5, 12))
    torch.testing.assert_close(y.float(), layer(torch.ones(5, 12)), rtol=5e-2, atol=5e-2)


def test_the_plan_is_printed_and_counts_what_is_done():
    layer = MPOLinear((28, 28), (15, 20), 4)
    plan = layer.plan(128)
    assert str(plan).startswith("cores 0, 1, batch 128 in chunks of 128: 20,643,840 flops")
    # Core 0 meets 28 columns of each sample, then core 1 its 15 rows.
    assert plan.flops == 2 * 128 * (28 * 28 * 15 * 4 + 15 * 4 * 28 * 20)
    assert layer.flops == layer.plan(1, training=False).flops


@pytest.mark.parametrize("ranks", [1, 8, 40])
@pytest.mark.parametrize("batch", [1, 32, 512])
def test_the_plan_is_the_cheapest_of_all(ranks, batch):
    shapes = shapes_of(MPOLinear((8, 8, 8), (8, 8, 8), ranks).cores)
    plans = {way.name: plan_of(shapes, way, batch, True).seconds for way in ways(3)}
    assert planned(shapes, batch, True)[-1].seconds == min(plans.values())


def test_a_dense_weight_is_taken_where_the_bonds_are_full():
    full = MPOLinear((8, 8), (8, 8), 64)
    assert full.plan(1000).name == "dense weight"
    small = MPOLinear((16, 16, 16), (16, 16, 16), 8)
    assert small.plan(512).name != "dense weight"


def test_many_small_sites_are_put_together():
    layer = MPOLinear((4,) * 6, (4,) * 6, 8)
    assert "-" in layer.plan(512).name


def test_stages_take_every_mode():
    layer = MPOLinear((4, 3, 2), (5, 2), (3, 2))
    shapes = shapes_of(layer.cores)
    for way in ways(3):
        order, found = stages(shapes, way), matrices(tuple(layer.cores), way)
        assert [(s.after, s.before) for s in order] == [tuple(m.shape) for m in found]
        assert swept(torch.ones(2, 24), found, order, None).shape == (2, 10)


def test_the_first_weight_is_as_large_as_that_of_nn_linear():
    torch.manual_seed(0)
    sizes = [MPOLinear((8, 8, 4), (4, 4, 4), 6).dense_weight().std() for _ in range(20)]
    wanted = 1 / (3 * 256) ** 0.5
    # The norm is exact, and the mean is a fluctuation.
    torch.testing.assert_close(torch.stack(sizes), torch.full((20,), wanted), rtol=2e-3, atol=0)
    bias = MPOLinear((100,), (1000,), ()).bias
    assert bias.abs().max() <= 0.1
    assert abs(bias.std() - 0.1 / 3**0.5) < 5 * 0.1 / 3**0.5 / 1000**0.5


def test_bonds_above_the_useful_maximum_are_clipped_with_a_word(caplog):
    with caplog.at_level(logging.WARNING):
        layer = MPOLinear((4, 3), (2, 3), 100)
    assert layer.ranks == (8,)
    assert "bonds above the useful maximum: (100,) taken as (8,)" in caplog.text


def test_names_of_the_weights():
    layer = MPOLinear((4, 3), (2, 3), 2)
    assert list(layer.state_dict()) == ["bias", "cores.0", "cores.1"]
    assert list(MPOLinear((4, 3), (2, 3), 2, bias=False).state_dict()) == ["cores.0", "cores.1"]


def test_weights_are_saved_and_loaded():
    layer, other = MPOLinear((4, 3), (2, 3), 2), MPOLinear((4, 3), (2, 3), 2)
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
    layer = MPOLinear((8, 8), (8, 8), 4).eval()
    x = torch.randn(300, 64)
    with torch.no_grad():
        before = layer(x)
        other = copy.deepcopy(layer)
        other.cores[0].mul_(2)
        assert torch.equal(layer(x), before)
        torch.testing.assert_close(other(x) - other.bias, 2 * (before - layer.bias))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype):
    layer = MPOLinear((4, 4, 4), (4, 4, 4), 3)
    same = copy.deepcopy(layer).to(dtype)
    x = torch.randn(9, 64)
    y = same(x.to(dtype))
    assert y.dtype == dtype
    tol = 1e-5 if dtype == torch.float64 else 5e-2
    torch.testing.assert_close(y.float(), layer(x), rtol=tol, atol=tol)
    y.float().sum().backward()
    assert same.cores[0].grad.dtype == dtype
    assert MPOLinear((4,), (4,), (), dtype=dtype).cores[0].dtype == dtype


def test_other_devices():
    layer = MPOLinear((4, 3), (2, 3), 2, device="meta")
    assert {parameter.device.type for parameter in layer.parameters()} == {"meta"}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_it_is_compiled_as_one_graph(backend):
    layer = MPOLinear((4, 3, 2), (2, 5, 2), 3)
    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    x = torch.randn(6, 24, requires_grad=True)
    torch.testing.assert_close(compiled(x), layer(x))
    compiled(x).sum().backward()
    ours = x.grad.clone()
    x.grad = None
    layer(x).sum().backward()
    torch.testing.assert_close(ours, x.grad)


def test_it_is_exported_for_any_batch():
    layer = MPOLinear((4, 3, 2), (2, 5, 2), 3)
    exported = torch.export.export(
        layer, (torch.randn(6, 24),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    x = torch.randn(11, 24)
    torch.testing.assert_close(exported.module()(x), layer(x))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_it_is_traced_for_any_batch():
    layer = MPOLinear((4, 3, 2), (2, 5, 2), 3)
    traced = torch.jit.trace(layer, (torch.randn(6, 24),))
    x = torch.randn(11, 24)
    torch.testing.assert_close(traced(x), layer(x))


def test_it_is_mapped_over_samples():
    layer = MPOLinear((4, 3), (2, 3), 2)
    x = torch.randn(5, 12)
    torch.testing.assert_close(torch.vmap(layer)(x), layer(x))


def test_the_mean_over_dropout_is_the_layer_without():
    torch.manual_seed(1)
    layer = doubled((4, 3), (2, 3), 3, dropout=0.4)
    x = torch.randn(2, 12, dtype=torch.float64)
    drawn = torch.stack([layer(x) for _ in range(2000)]).detach()
    spread = drawn.std(0) / 2000**0.5
    assert bool((spread > 0).all())
    layer.eval()
    assert bool(((drawn.mean(0) - layer(x)).abs() < 5 * spread).all())
    assert torch.equal(layer(x), layer(x))


def test_dropout_leaves_out_whole_indices_of_every_bond():
    layer = doubled((4, 3, 2), (2, 3, 2), 3, dropout=0.5, bias=False)
    x = torch.randn(2, 24, dtype=torch.float64)
    torch.manual_seed(5)
    ours = layer(x)
    torch.manual_seed(5)
    for core in list(layer.cores)[:-1]:
        core.data *= bond_mask(3, 0.5, core)
    torch.testing.assert_close(ours, layer.eval()(x), rtol=1e-12, atol=1e-13)


def test_what_cannot_be_is_refused():
    with pytest.raises(SettingsError, match=r"modes of the MPO layer are \(\) -> \(3,\)"):
        MPOLinear((), (3,), 1)
    with pytest.raises(SettingsError, match=r"dropout of the MPO layer is 1.0; wanted"):
        MPOLinear((2,), (3,), (), dropout=1.0)
    with pytest.raises(SettingsError, match=r"ranks are \(2, 3\) for 1 bonds"):
        MPOLinear((2, 2), (3, 3), (2, 3))
    with pytest.raises(ShapeError, match=r"have 5 features; wanted 4"):
        MPOLinear((2, 2), (3, 3), 2)(torch.ones(1, 5))
