"""Tensorized convolutions as modules: names of weights, spread, gauge, bonds, dropout, export."""

import copy
import io
import math

import numpy as np
import pytest
import torch
from torch import nn

from phasenet.networks.layers.convolutions import TensorizedConvolution

FORMS = ("tucker", "mpo", "cp")
RANKS = {"tucker": (3, 2), "mpo": (3, 4, 2), "cp": (5,)}
KEYS = {
    "tucker": {"core": (4, 3, 3, 2), "in_factors.0": (6, 4), "out_factors.0": (6, 2)},
    "mpo": {"cores.0": (6, 4), "cores.1": (8, 3, 3), "cores.2": (4, 4, 2), "cores.3": (6, 2)},
    "cp": {
        "in_factors.0": (10, 4),
        "kernel_factors.0": (10, 3),
        "kernel_factors.1": (10, 2),
        "out_factors.0": (6, 5),
    },
}


def layer_of(form, **settings):
    torch.manual_seed(0)
    given = {"padding": 1, "groups": 2, "padding_mode": "circular", **settings}
    return TensorizedConvolution(8, 6, (3, 2), form, RANKS[form], **given)


def inputs(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


@pytest.mark.parametrize("form", FORMS)
def test_names_and_shapes_of_the_weights(form):
    layer = layer_of(form)
    shapes = {name: tuple(value.shape) for name, value in layer.state_dict().items()}
    assert shapes == {**KEYS[form], "bias": (6,)}
    other = layer_of(form)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = inputs(2, 8, 5, 5)
    assert torch.equal(layer(x), other(x))
    assert "bias" not in layer_of(form, bias=False).state_dict()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kernel, groups", [((3,), 1), ((3, 3), 1), ((3, 3), 4)])
def test_untrained_weights_are_as_large_as_those_of_the_dense_layer(form, kernel, groups):
    torch.manual_seed(0)
    kind = nn.Conv1d if len(kernel) == 1 else nn.Conv2d
    conv = kind(64, 64, kernel, groups=groups)
    spreads = [
        float(TensorizedConvolution.like(conv, form, 12).dense_weight().detach().std())
        for _ in range(12)
    ]
    wanted = 1 / math.sqrt(3 * 64 // groups * math.prod(kernel))
    assert float(conv.weight.detach().std()) == pytest.approx(wanted, rel=0.05)
    assert math.sqrt(np.mean(np.square(spreads))) == pytest.approx(wanted, rel=0.1)
    layer = TensorizedConvolution.like(conv, form, 12)
    assert float(layer.bias.detach().abs().max()) <= math.sqrt(3) * wanted


@pytest.mark.parametrize("form", FORMS)
def test_orthonormal_form_is_the_same_function(form):
    layer = layer_of(form, dtype=torch.float64)
    canonical = layer.orthonormal()
    assert torch.allclose(canonical.dense_weight(), layer.dense_weight(), rtol=0, atol=1e-14)
    assert torch.equal(canonical.bias, layer.bias)
    name = "cores.0" if form == "mpo" else "in_factors.0"
    for rows in canonical.state_dict()[name].chunk(2):
        gram = rows @ rows.T
        wanted = torch.eye(len(rows), dtype=torch.float64)
        if form == "cp":
            gram, wanted = gram.diagonal(), wanted.diagonal()
        assert torch.allclose(gram, wanted, rtol=0, atol=1e-13)
    if form == "tucker":
        for columns in canonical.out_factors[0].chunk(2):
            assert torch.allclose(columns.T @ columns, torch.eye(2).double(), rtol=0, atol=1e-13)
    if form == "cp":
        for columns in canonical.out_factors[0].chunk(2):
            assert bool((columns.norm(dim=0).diff() <= 0).all())


@pytest.mark.parametrize("groups", [1, 2])
def test_spectra_are_the_singular_values_of_the_dense_weight(groups):
    for form, cuts in (("tucker", {"in 0": 1, "out 0": 3}), ("mpo", {"bond 1": 1, "bond 2": 2})):
        layer = layer_of(form, groups=groups, dtype=torch.float64)
        found = layer.spectra()
        for name, cut in cuts.items():
            parts = layer.dense_weight().detach().movedim(0, -1).chunk(groups, dim=-1)
            values = [torch.linalg.svdvals(p.flatten(0, cut - 1).flatten(1)) for p in parts]
            wanted = np.sort(torch.cat(values).numpy())[::-1][: len(found[name].values)]
            wanted = wanted / np.linalg.norm(wanted)
            np.testing.assert_allclose(found[name].values, wanted, rtol=0, atol=1e-14)
            assert len(found[name].values) == groups * layer.ranks[list(found).index(name)]
    terms = layer_of("cp", groups=groups).spectra()["rank"]
    assert len(terms.values) == groups * 5 and 1 < terms.effective_rank <= groups * 5


@pytest.mark.parametrize("form", FORMS)
def test_bonds_carry_the_function(form):
    layer = layer_of(form, dtype=torch.float64)
    x = inputs(4, 8, 7, 6, dtype=torch.float64)
    bonds = layer.bond_activations(x)
    names = {
        "tucker": ["in 0", "out 0"],
        "mpo": ["bond 1", "bond 2", "bond 3"],
        "cp": ["in 0", "kernel 0", "kernel 1"],
    }
    assert list(bonds) == names[form]
    assert [b.shape[1] for b in bonds.values()] == [
        2 * r for r in (*RANKS[form], 5, 5)[: len(bonds)]
    ]
    last = list(layer._weights())[-1]
    out = nn.functional.conv2d(bonds[names[form][-1]], last[..., None, None], layer.bias, groups=2)
    assert torch.allclose(out, layer(x), rtol=0, atol=1e-13)


@pytest.mark.parametrize("form", FORMS)
def test_dropout_keeps_the_mean_and_ends_with_training(form):
    torch.manual_seed(0)
    layer = layer_of(form, dropout=0.3, dtype=torch.float64)
    x = inputs(1, 8, 5, 5, dtype=torch.float64)
    wanted = layer.eval()(x)
    layer.train()
    with torch.no_grad():
        drawn = torch.stack([layer(x) for _ in range(600)])
    assert float(drawn.std(0).max()) > 0.01
    off = (drawn.mean(0) - wanted.detach()) / (drawn.std(0) / math.sqrt(600) + 1e-12)
    assert float(off.abs().max()) < 5
    assert torch.equal(layer.eval()(x), wanted)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.trace:DeprecationWarning")
@pytest.mark.parametrize(
    "form, mode", [("tucker", "zeros"), ("mpo", "circular"), ("cp", "reflect")]
)
def test_compiled_exported_and_traced(form, mode):
    layer = layer_of(form, padding_mode=mode)
    x = inputs(3, 8, 9, 8)
    with torch.no_grad():
        wanted = layer(x)
        torch._dynamo.reset()
        compiled = torch.compile(layer, fullgraph=True, backend="eager")
        assert torch.allclose(compiled(x), wanted, rtol=0, atol=1e-5)
        batch = torch.export.Dim("batch", min=2, max=512)
        exported = torch.export.export(layer, (x,), dynamic_shapes=({0: batch},)).module()
        larger = inputs(50, 8, 9, 8)
        assert torch.allclose(exported(larger), layer(larger), rtol=0, atol=1e-5)
        traced = torch.jit.trace(layer, x)
        assert torch.allclose(traced(larger), layer(larger), rtol=0, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_copies_and_precisions(form):
    layer = layer_of(form)
    x = inputs(2, 8, 5, 5)
    wanted = layer(x).detach()
    assert torch.equal(copy.deepcopy(layer)(x), wanted)
    assert torch.allclose(layer.double()(x.double()).float(), wanted, rtol=0, atol=1e-5)
    half = layer.bfloat16()
    value = half(x.bfloat16()).detach()
    assert value.dtype == torch.bfloat16
    assert float((value - wanted).norm() / wanted.norm()) < 0.03
    assert half.orthonormal().bias.dtype == torch.bfloat16
    conv = nn.Conv1d(4, 4, 3, dtype=torch.bfloat16)
    again = TensorizedConvolution.from_dense(conv, form, 4)
    assert {p.dtype for p in again.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_the_dense_weight_that_is_held_follows_the_parameters(form, mode):
    layer = layer_of(form, padding_mode=mode).eval()
    x = inputs(1, 8, 4, 4)
    assert layer.plan(1, (4, 4), training=False).name == "dense weight"
    with torch.no_grad():
        before = layer(x)
        layer.bias.zero_()
        next(iter(layer.parameters())).mul_(2)
        assert torch.equal(layer(x), layer(x))
        changed = layer(x)
    assert not torch.allclose(changed, before)
    assert torch.allclose(changed, layer(x), rtol=0, atol=1e-5)


def test_plan_is_printed_and_follows_the_cost():
    layer = TensorizedConvolution(64, 128, (3, 3), "tucker", (8, 8), padding=1)
    plan = layer.plan(32, (14, 14), training=False)
    assert str(plan).splitlines()[0].startswith("in 0, then core, then out 0, batch 32")
    places = 32 * 14 * 14
    assert plan.flops == 2 * places * (64 * 8 + 8 * 8 * 9 + 8 * 128)
    # Where the links cost more than the dense weight, they are put together.
    wide = TensorizedConvolution(16, 16, (3, 3), "cp", 144, padding=1)
    plan = wide.plan(32, (14, 14))
    assert plan.name == "dense weight"
    assert [step.name for step in plan.steps][
        -1
    ] == "convolution in 0 with kernel 0 with kernel 1 with out 0"
