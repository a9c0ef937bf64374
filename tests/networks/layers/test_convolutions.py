"""A tensorized convolution is the dense convolution of its weight, whatever the settings."""

import copy
import logging
from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.layers import convolutions
from phasenet.networks.layers.conv_plan import plans
from phasenet.networks.layers.convolutions import TensorizedConvolution

FORMS = ("tucker", "mpo", "cp")
MODES = ("zeros", "reflect", "replicate", "circular")
ABOVE_ALL = 100_000


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def dense(into=4, out=6, kernel=(3, 2), *, dtype=torch.float64, seed=0, **conv_settings):
    torch.manual_seed(seed)
    kind = nn.Conv1d if len(kernel) == 1 else nn.Conv2d
    return kind(into, out, kernel, dtype=dtype, **conv_settings)


def with_weight_of(layer, conv):
    """Dense convolution with the weight of a layer."""
    other = copy.deepcopy(conv)
    with torch.no_grad():
        other.weight.copy_(layer.dense_weight())
        if other.bias is not None:
            other.bias.copy_(layer.bias)
    return other


def error(value, wanted):
    return float((value - wanted).detach().norm() / wanted.detach().norm())


@st.composite
def dense_convolutions(draw):
    axes = draw(st.integers(1, 2))
    groups = draw(st.sampled_from((1, 1, 2, 3)))
    kernel = tuple(draw(st.integers(1, 4)) for _ in range(axes))
    each = st.tuples(*[st.integers(1, 3)] * axes)
    places = st.tuples(*[st.integers(0, 3)] * axes)
    padding = draw(st.one_of(st.sampled_from(("same", "valid")), st.integers(0, 3), places))
    dilation = draw(each)
    reaches = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    assume(max(reaches) < 8)
    return dense(
        groups * draw(st.integers(1, 4)),
        groups * draw(st.integers(1, 4)),
        kernel,
        stride=1 if padding == "same" else draw(each),
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=draw(st.sampled_from(MODES)),
        bias=draw(st.booleans()),
        seed=draw(st.integers(0, 99)),
    )


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=30, deadline=None)
@given(conv=dense_convolutions(), batch=st.sampled_from((0, 1, 40)), grad=st.booleans())
def test_full_rank_is_the_dense_convolution(form, conv, batch, grad):
    logging.disable(logging.WARNING)
    layer = TensorizedConvolution.from_dense(conv, form, ABOVE_ALL)
    logging.disable(logging.NOTSET)
    sizes = (11, 10)[: len(conv.kernel_size)]
    x = random(*((batch,) if batch else ()), conv.in_channels, *sizes)
    with torch.set_grad_enabled(grad):
        value, wanted = layer(x), conv(x)
    assert value.shape == wanted.shape
    assert torch.allclose(value, wanted, rtol=0, atol=1e-12 * float(wanted.detach().abs().max()))
    assert (layer.bias is None) == (conv.bias is None)
    assert torch.allclose(layer.dense_weight(), conv.weight, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kernel", [(3,), (3, 2)])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("groups", [1, 2])
def test_every_order_of_the_work_gives_the_same(form, kernel, mode, groups, monkeypatch):
    conv = dense(8, 6, kernel, padding=1, stride=2, dilation=2, padding_mode=mode, groups=groups)
    layer = TensorizedConvolution.like(conv, form, 2)
    x = random(5, 8, *(9, 7)[: len(kernel)])
    wanted = with_weight_of(layer, conv)(x)
    orders = plans(layer._chain, 5, tuple(x.shape[2:]), True)
    links = len(layer._chain.links)
    assert len({order.name for order in orders}) == 2 ** (links - 1)
    assert {len(order.segments) for order in orders} == set(range(1, links + 1))
    for order in orders:
        monkeypatch.setattr(convolutions, "planned", lambda *_, order=order: order)
        assert error(layer(x), wanted) < 1e-14


@pytest.mark.parametrize("form", FORMS)
def test_gradients(form, monkeypatch):
    conv = dense(4, 4, (2, 3), stride=(2, 1), padding=1, groups=2, padding_mode="circular")
    layer = TensorizedConvolution.like(conv, form, 2)
    x = random(2, 4, 3, 4).requires_grad_()
    names = list(dict(layer.named_parameters()))
    values = [p.detach().clone().requires_grad_() for p in layer.parameters()]

    def outputs(x, *values):
        return torch.func.functional_call(layer, dict(zip(names, values, strict=True)), (x,))

    for order in plans(layer._chain, 2, (3, 4), True)[:: 3 if form == "tucker" else 7]:
        monkeypatch.setattr(convolutions, "planned", lambda *_, order=order: order)
        assert torch.autograd.gradcheck(outputs, (x, *values), fast_mode=True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kernel", [(3,), (3, 2)])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_kernel_of_low_rank_is_found_exactly(form, kernel, groups):
    conv = dense(8, 6, kernel, groups=groups)
    low = TensorizedConvolution.like(conv, form, 2)
    layer = TensorizedConvolution.from_dense(with_weight_of(low, conv), form, 2)
    # The terms of a CP form are found by iteration.
    assert error(layer.dense_weight(), low.dense_weight()) < (1e-5 if form == "cp" else 1e-13)


@pytest.mark.parametrize("form", FORMS)
def test_the_error_falls_with_the_rank(form):
    conv = dense(8, 10, (3, 3))
    weights = [
        TensorizedConvolution.from_dense(conv, form, rank).dense_weight() for rank in (1, 2, 4, 8)
    ]
    errors = [error(weight, conv.weight) for weight in weights]
    assert all(after < before for before, after in pairwise(errors))


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("tol", [0.2, 0.05])
def test_the_least_ranks_for_an_error(form, groups, tol):
    conv = dense(6, 4, (2,), groups=groups)
    with torch.no_grad():
        conv.weight *= 0.4 ** torch.arange(conv.weight.shape[1])[:, None]
        conv.weight *= 0.4 ** torch.arange(4)[:, None, None]
    layer = TensorizedConvolution.from_dense(conv, form, tol=tol)
    assert error(layer.dense_weight(), conv.weight) <= tol
    lower = [max(1, rank - 1) for rank in layer.ranks]
    below = TensorizedConvolution.from_dense(conv, form, lower)
    # Every group keeps the error, the whole may be better than that.
    assert groups > 1 or error(below.dense_weight(), conv.weight) > tol


@pytest.mark.parametrize("form", FORMS)
def test_a_weight_that_matches_the_samples_is_better_on_them(form):
    conv = dense(12, 8, (3,), padding=1)
    # A few directions of the channels hold nearly all of the variance.
    x = torch.einsum("bkl,kc->bcl", random(200, 2, 9), random(2, 12, seed=1))
    x = x + 0.05 * random(200, 12, 9, seed=2)
    plain = TensorizedConvolution.from_dense(conv, form, 2)
    aware = TensorizedConvolution.from_dense(conv, form, 2, samples=x)
    wanted = conv(x)
    assert error(aware(x), wanted) < 0.7 * error(plain(x), wanted)
    assert error(aware.dense_weight(), conv.weight) > error(plain.dense_weight(), conv.weight)


@pytest.mark.parametrize(
    "form, ranks, wanted", [("tucker", 30, (4, 5)), ("mpo", 30, (4, 12, 5)), ("cp", 500, (36,))]
)
def test_a_rank_above_the_useful_maximum_is_clipped(form, ranks, wanted, caplog):
    conv = dense(4, 5, (3, 3))
    with caplog.at_level(logging.WARNING):
        layer = TensorizedConvolution.from_dense(conv, form, ranks)
    assert layer.ranks == wanted
    (message,) = caplog.messages
    assert str(ranks) in message and str(wanted) in message
    assert error(layer.dense_weight(), conv.weight) < 1e-12


def test_nothing_is_shared_with_the_dense_layer():
    conv = dense()
    layer = TensorizedConvolution.from_dense(conv, "tucker", 2)
    before = layer.bias.detach().clone()
    with torch.no_grad():
        conv.bias.zero_()
    assert torch.equal(layer.bias, before)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: TensorizedConvolution(4, 4, (3,), "ring", 2), "form 'ring'; wanted tucker"),
        (lambda: TensorizedConvolution(4, 5, (3,), "cp", 2, groups=2), "multiples of the groups"),
        (lambda: TensorizedConvolution(4, 4, (3, 3, 3), "cp", 2), "one axis or two"),
        (lambda: TensorizedConvolution(4, 4, (3,), "cp", (2, 3)), "wanted 1 whole numbers"),
        (lambda: TensorizedConvolution(4, 4, (3,), "tucker", (2, 0)), "wanted 2 whole numbers"),
        (lambda: TensorizedConvolution(4, 4, (3,), "cp", 2, padding="full"), "'same', 'valid'"),
        (
            lambda: TensorizedConvolution(4, 4, (3,), "cp", 2, padding="same", stride=2),
            "wanted stride 1",
        ),
        (lambda: TensorizedConvolution(4, 4, (3,), "cp", 2, stride=0), "the stride 0; wanted 1"),
        (lambda: TensorizedConvolution(4, 4, (3,), "cp", 2, padding_mode="odd"), "mode 'odd'"),
        (lambda: TensorizedConvolution(4, 4, (3,), "cp", 2, dropout=1.0), "dropout 1.0"),
        (lambda: TensorizedConvolution.from_dense(dense(), "cp"), "no ranks and no tol"),
    ],
)
def test_settings_that_cannot_be_used(make, message):
    with pytest.raises(SettingsError, match=message):
        make()


def test_samples_of_another_layer():
    with pytest.raises(ShapeError, match=r"wanted \(batch, 4 channels, places\)"):
        TensorizedConvolution.from_dense(dense(), "cp", 2, samples=random(5, 3, 8, 8))
