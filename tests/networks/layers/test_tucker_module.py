"""The Tucker layer as a module: files, copies, dtypes, compilers, and the weight that it holds."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from phasenet.networks.layers.tucker import TuckerLinear

X = torch.linspace(-1, 1, 48).reshape(2, 24)


def _layer(**options):
    torch.manual_seed(0)
    return TuckerLinear((6, 4), (5, 3), (3, 2, 3, 2), **options)


def _held_layer():
    """A layer whose cheapest way without gradients is the dense weight."""
    layer = _layer().eval()
    assert layer.plan(2, training=False).name == "dense weight"
    return layer


def _fresh(layer, x=X):
    """Outputs with nothing held, since gradients are wanted."""
    with torch.enable_grad():
        return layer(x).detach()


def test_keys_of_the_state():
    assert list(_layer().state_dict()) == [
        "core",
        "bias",
        "in_factors.0",
        "in_factors.1",
        "out_factors.0",
        "out_factors.1",
    ]
    assert not list(_layer().buffers())


def test_saved_and_loaded_as_plain_weights():
    layer, file = _layer(), io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other = TuckerLinear((6, 4), (5, 3), (3, 2, 3, 2))
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(X), layer(X))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_are_apart(copied):
    layer = _held_layer()
    with torch.no_grad():
        before = layer(X)
        other = copied(layer)
        other.core.mul_(2)
        assert torch.equal(layer(X), before)
        assert torch.allclose(other(X), _fresh(other), atol=1e-6)
        assert not torch.allclose(other(X), before)


def _loaded(layer):
    layer.load_state_dict({name: 2 * value for name, value in layer.state_dict().items()})


def _stepped(layer):
    with torch.enable_grad():
        layer(X).square().sum().backward()
    torch.optim.SGD(layer.parameters(), lr=0.5).step()


def _replaced(layer):
    layer.in_factors[0] = nn.Parameter(torch.ones(6, 3))


def _swapped(layer):
    layer.core.data = torch.ones(layer.core.shape)


def _swapped_and_back(layer):
    """The memory of the first core must not be given to the last."""
    for value in (1.0, 2.0, 3.0, 4.0):
        layer.core.data = torch.full(layer.core.shape, value)


def _double(layer):
    layer.double().float()
    layer.core.data.mul_(2)


CHANGES = (_loaded, _stepped, _replaced, _swapped, _swapped_and_back, _double)


@pytest.mark.parametrize("change", CHANGES)
def test_the_held_weight_never_goes_stale(change):
    layer = _held_layer()
    with torch.no_grad():
        before = layer(X)
        assert torch.allclose(before, _fresh(layer), atol=1e-6)
        change(layer)
        assert torch.allclose(layer(X), _fresh(layer), atol=1e-5)
        assert not torch.allclose(layer(X), before, atol=1e-3)


def test_the_held_weight_is_put_together_once(monkeypatch):
    layer, calls = _held_layer(), []
    dense_weight = TuckerLinear.dense_weight
    monkeypatch.setattr(
        TuckerLinear, "dense_weight", lambda self: calls.append(1) or dense_weight(self)
    )
    with torch.inference_mode():
        layer(X)
    with torch.no_grad():
        layer(X)
        layer(X)
        assert len(calls) == 1
        layer.core.add_(1)
        layer(X)
    assert len(calls) == 2
    layer(X).sum().backward()
    assert layer.core.grad is not None


def test_parameters_made_in_inference_mode():
    with torch.inference_mode():
        layer = _layer()
        before = layer(X)
        layer.core.mul_(2)
        assert not torch.allclose(layer(X), before)


def test_double_and_half_precision():
    for dtype, atol in ((torch.float64, 1e-6), (torch.bfloat16, 0.05)):
        layer = _layer().to(dtype)
        assert layer(X.to(dtype)).dtype == dtype
        assert torch.allclose(layer(X.to(dtype)).float(), _layer()(X), atol=atol)
        layer(X.to(dtype)).sum().backward()
        assert all(p.grad.dtype == dtype for p in layer.parameters())
        assert TuckerLinear((6, 4), (5, 3), 2, dtype=dtype).core.dtype == dtype
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = _layer()(X)
        y.sum().backward()
    assert y.dtype == torch.bfloat16


def test_parametrised_factors():
    layer = _layer(dtype=torch.float64)
    nn.utils.parametrizations.orthogonal(layer.in_factors, "0")
    x = X.double()
    wanted = nn.functional.linear(x, layer.dense_weight(), layer.bias)
    assert torch.allclose(layer(x), wanted)
    with torch.no_grad():
        assert torch.allclose(layer(x), wanted)
    factor = layer.in_factors[0]
    assert torch.allclose(factor.T @ factor, torch.eye(3, dtype=torch.float64), atol=1e-12)


def test_gradients_of_each_sample():
    """Transformations of torch.func go through plain operations."""
    layer = _layer()
    values = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(values, x):
        return torch.func.functional_call(layer, values, (x,)).square().sum()

    found = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(values, X)
    for n, x in enumerate(X):
        layer.zero_grad()
        layer(x).square().sum().backward()
        assert torch.allclose(found["core"][n], layer.core.grad, atol=1e-6)


@pytest.mark.parametrize("backend", ["eager", pytest.param("aot_eager", marks=pytest.mark.slow)])
def test_compiled_without_breaks(backend):
    layer = _layer()
    compiled = torch.compile(layer, fullgraph=True, backend=backend)
    assert torch.allclose(compiled(X), layer(X), atol=1e-6)
    compiled(X).sum().backward()
    known = copy.deepcopy(layer)
    known.zero_grad()
    known(X).sum().backward()
    assert torch.allclose(layer.core.grad, known.core.grad, atol=1e-6)


@pytest.mark.slow
def test_exported_for_any_batch():
    layer = _layer().eval()
    rows = torch.export.Dim("rows", min=2)
    exported = torch.export.export(layer, (X,), dynamic_shapes={"x": {0: rows}})
    more = torch.randn(7, 24)
    assert torch.allclose(exported.module()(more), layer(more), atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_traced():
    layer = _layer().eval()
    traced = torch.jit.trace(layer, (X,))
    more = torch.randn(7, 24)
    assert torch.allclose(traced(more), layer(more), atol=1e-6)


def test_it_learns_in_a_network():
    """A layer that is the target's kind finds it."""
    torch.manual_seed(0)
    target, layer = _layer(), TuckerLinear((6, 4), (5, 3), (3, 2, 3, 2))
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.02)
    x = torch.randn(256, 24)
    with torch.no_grad():
        wanted = target(x)
    for _ in range(300):
        optimiser.zero_grad()
        loss = nn.functional.mse_loss(layer(x), wanted)
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < 0.02 * float(wanted.var())


def test_printed():
    text = str(_layer())
    assert text.startswith("TuckerLinear(")
    assert "in_modes=(6, 4), out_modes=(5, 3), ranks=(3, 2, 3, 2), bias=True, dropout=0.0" in text


def test_a_list_of_factors_put_in_place_is_seen():
    layer, x = TuckerLinear((2, 2), (3,), (2, 2, 3)), torch.randn(64, 4)
    with torch.no_grad():
        layer(x)
        layer.in_factors = nn.ParameterList([2 * factor for factor in layer.in_factors])
        torch.testing.assert_close(layer(x), x @ layer.dense_weight().T + layer.bias)


def test_a_layer_without_memory_knows_the_shape_of_its_output():
    layer = TuckerLinear((2, 2), (3,), (2, 2, 3), device="meta")
    assert layer(torch.empty(5, 4, device="meta")).shape == (5, 3)
