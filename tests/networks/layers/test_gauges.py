"""A gauge changes the factors, never the weight."""

import pytest
import torch

from phasenet.networks.layers.gauges import (
    left_canonical,
    orthonormal_tucker,
    schmidt_values,
    unit_columns,
)
from phasenet.networks.layers.multilinear import along, unfolded


def _tucker(core, factors):
    for mode, factor in enumerate(factors):
        core = core if factor is None else along(core, factor, mode)
    return core


def _train(cores):
    result = cores[0]
    for core in cores[1:]:
        result = torch.tensordot(result, core, dims=1)
    return result.squeeze(0).squeeze(-1)


def _random(*shape):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


@pytest.fixture
def tucker():
    return _random(3, 2, 2, 4), [_random(5, 3), _random(4, 2), None, _random(6, 4)]


@pytest.fixture
def cores():
    return [_random(1, 3, 2, 4), _random(4, 2, 2, 3), _random(3, 4, 1, 1)]


def test_orthonormal_tucker_is_the_same_weight(tucker):
    torch.testing.assert_close(_tucker(*orthonormal_tucker(*tucker)), _tucker(*tucker))


def test_orthonormal_tucker_has_orthonormal_factors_and_an_all_orthogonal_core(tucker):
    core, factors = orthonormal_tucker(*tucker)
    for mode, factor in enumerate(factors):
        if factor is None:
            continue
        torch.testing.assert_close(factor.T @ factor, torch.eye(factor.shape[1]).double())
        rows = unfolded(core, mode)
        gram = rows @ rows.T
        torch.testing.assert_close(gram, torch.diag(gram.diagonal()), rtol=0, atol=1e-10)
        singular = torch.linalg.svdvals(unfolded(_tucker(*tucker), mode))
        torch.testing.assert_close(gram.diagonal().sqrt(), singular[: len(rows)])


def test_orthonormal_tucker_of_itself_is_itself(tucker):
    once = orthonormal_tucker(*tucker)
    twice = orthonormal_tucker(*once)
    torch.testing.assert_close(twice[0], once[0])
    for again, factor in zip(twice[1], once[1], strict=True):
        assert factor is again is None or torch.testing.assert_close(again, factor) is None


def test_left_canonical_is_the_same_weight_and_leaves_its_input(cores):
    before = [core.clone() for core in cores]
    torch.testing.assert_close(_train(left_canonical(cores)), _train(cores))
    assert all(torch.equal(core, old) for core, old in zip(cores, before, strict=True))


def test_left_canonical_cores_are_orthonormal_and_in_the_schmidt_basis(cores):
    result = left_canonical(cores)
    for core in result[:-1]:
        rows = core.reshape(-1, core.shape[-1])
        torch.testing.assert_close(rows.T @ rows, torch.eye(core.shape[-1]).double())
    last = result[-1].reshape(len(result[-1]), -1)
    gram = last @ last.T
    torch.testing.assert_close(gram, torch.diag(gram.diagonal()), rtol=0, atol=1e-10)
    torch.testing.assert_close(gram.diagonal().sqrt(), schmidt_values(cores)[-1])


def test_left_canonical_of_itself_is_itself(cores):
    once = left_canonical(cores)
    for again, core in zip(left_canonical(once), once, strict=True):
        torch.testing.assert_close(again, core)


def test_schmidt_values_are_those_of_the_dense_weight(cores):
    weight = _train(cores)
    for bond, values in enumerate(schmidt_values(cores)):
        dense = torch.linalg.svdvals(weight.reshape((6, 24)[bond], -1))
        torch.testing.assert_close(values, dense[: len(values)])


def test_unit_columns_are_the_same_sum_with_descending_weights():
    factors = [_random(3, 4), _random(2, 4), _random(5, 4)]
    result = unit_columns(factors)
    both = [torch.einsum("ar,br,cr->abc", *f) for f in (factors, result)]
    torch.testing.assert_close(*both)
    for factor in result[:-1]:
        torch.testing.assert_close(factor.norm(dim=0), torch.ones(4).double())
    weights = result[-1].norm(dim=0)
    assert (weights.diff() <= 0).all()
    for again, factor in zip(unit_columns(result), result, strict=True):
        torch.testing.assert_close(again, factor)


def test_a_column_of_zeros_stays_zero():
    first, last = unit_columns([torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, 1.0]])])
    assert first.tolist() == [[1.0, 0.0]]
    assert last.tolist() == [[2.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gauges_keep_the_precision_of_the_layer(tucker, cores, dtype):
    core, factors = tucker
    core, factors = core.to(dtype), [f if f is None else f.to(dtype) for f in factors]
    assert orthonormal_tucker(core, factors)[0].dtype is dtype
    assert {c.dtype for c in left_canonical([c.to(dtype) for c in cores])} == {dtype}
    assert {f.dtype for f in unit_columns([_random(3, 2).to(dtype)] * 2)} == {dtype}
