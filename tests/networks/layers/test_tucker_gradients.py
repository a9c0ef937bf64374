"""Gradients of the Tucker layer in closed form: finite differences, autograd, the formulas."""

import math

import pytest
import torch

from phasenet.networks.layers import tucker_gradients
from phasenet.networks.layers.tucker_contraction import expanded_core, tucker_linear
from phasenet.networks.layers.tucker_gradients import differentiable

PLACES = ("own", "inputs", "outputs", "dense")
# Order of the weight: input modes and output modes together.
SHAPES = {
    "order 2": ((4,), (3,), (2, 3)),
    "order 3": ((3, 4), (5,), (2, 3, 4)),
    "order 3, two outputs": ((6,), (2, 3), (3, 2, 2)),
    "order 4": ((3, 2), (2, 3), (2, 2, 2, 3)),
    "order 4, one output": ((2, 3, 2), (4,), (2, 2, 1, 3)),
}


def _arguments(ins, outs, ranks, rows=3):
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()

    factors = [drawn(*shape) for shape in zip(ins + outs, ranks, strict=True)]
    return drawn(rows, math.prod(ins)), drawn(*ranks), drawn(math.prod(outs)), factors


def _applied(function, count, place):
    def apply(x, core, bias, *factors):
        return function(x, core, factors[:count], factors[count:], bias, place)

    return apply


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("shape", SHAPES)
def test_finite_differences_and_autograd(shape, place):
    ins, outs, ranks = SHAPES[shape]
    x, core, bias, factors = _arguments(ins, outs, ranks)
    ours = _applied(differentiable, len(ins), place)
    assert torch.autograd.gradcheck(ours, (x, core, bias, *factors))
    plain = _applied(tucker_linear, len(ins), place)
    wanted = [x, core, bias, *factors]
    delta = torch.randn(len(x), math.prod(outs), dtype=torch.float64)
    found = torch.autograd.grad(ours(*wanted), wanted, delta)
    known = torch.autograd.grad(plain(*wanted), wanted, delta)
    for a, b in zip(found, known, strict=True):
        assert a.shape == b.shape
        assert float((a - b).norm() / b.norm()) < 1e-12


@pytest.mark.parametrize("place", PLACES)
def test_second_derivatives(place):
    x, core, bias, factors = _arguments((3, 2), (2,), (2, 2, 2), rows=2)
    ours = _applied(differentiable, 2, place)
    assert torch.autograd.gradgradcheck(ours, (x, core, bias, *factors))


def test_formulas_of_the_paper():
    """Sums over the batch of outer products, the input contracted with all factors but one."""
    x, core, bias, (u, w, v) = _arguments((3, 4), (5,), (2, 3, 4), rows=6)
    y = differentiable(x, core, [u, w], [v], bias, "own")
    delta = torch.randn_like(y)
    found = torch.autograd.grad(y, [core, bias, u, w, v, x], delta)
    tensor = x.reshape(-1, 3, 4)
    z = torch.einsum("bij,ir,js->brs", tensor, u, w)
    h = torch.einsum("brs,rsq->bq", z, core)
    d = delta @ v
    back = torch.einsum("rsq,bq->brs", core, d)
    known = [
        torch.einsum("brs,bq->rsq", z, d),
        delta.sum(0),
        torch.einsum("bij,js,brs->ir", tensor, w, back),
        torch.einsum("bij,ir,brs->js", tensor, u, back),
        torch.einsum("bj,bq->jq", delta, h),
        torch.einsum("brs,ir,js->bij", back, u, w).reshape(-1, 12),
    ]
    for a, b in zip(found, known, strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("place", PLACES)
def test_only_what_is_needed_is_computed(place):
    """A first layer has no gradient of its inputs, frozen factors none of theirs."""
    x, core, bias, factors = _arguments((3, 2), (2, 3), (2, 2, 2, 2))
    arguments = [x, core, bias, *factors]
    ours = _applied(differentiable, 2, place)
    known = torch.autograd.grad(ours(*arguments).sum(), arguments)
    for chosen in range(len(arguments)):
        alone = [a.detach().requires_grad_(n == chosen) for n, a in enumerate(arguments)]
        ours(*alone).sum().backward()
        for n, a in enumerate(alone):
            assert (a.grad is not None) == (n == chosen)
        assert torch.allclose(alone[chosen].grad, known[chosen], rtol=1e-12)


def test_a_first_layer_expands_no_gradient_to_its_inputs(monkeypatch):
    calls = []
    expand = tucker_gradients.expand
    monkeypatch.setattr(tucker_gradients, "expand", lambda *a: calls.append(1) or expand(*a))
    x, core, bias, factors = _arguments((3, 2), (2,), (2, 2, 2))
    for needed, wanted in ((True, 2), (False, 1)):
        y = differentiable(
            x.detach().requires_grad_(needed), core, factors[:2], factors[2:], bias, "own"
        )
        calls.clear()
        y.sum().backward()
        assert len(calls) == wanted


def test_no_bias_and_no_rows():
    x, core, _, factors = _arguments((3, 2), (2, 2), (2, 2, 2, 2), rows=4)
    dense = expanded_core(core, factors[:2], factors[2:])
    for place in PLACES:
        for rows in (x, x[:0]):
            y = differentiable(rows, core, factors[:2], factors[2:], None, place)
            assert torch.allclose(y, rows @ dense.T)
            y.sum().backward()
