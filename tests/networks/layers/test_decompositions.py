"""Decompositions against dense tensors, their error bounds and planted factors."""

import logging
import math

import pytest
import torch

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.layers.alternating import cp_als
from phasenet.networks.layers.decompositions import hosvd, input_metric, tt_svd
from phasenet.networks.layers.multilinear import along, unfolded

MODES = (6, 5, 4, 3)


def _random(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _smooth(*shape):
    """A weight whose singular values fall, with some noise."""
    axes = torch.meshgrid(*(torch.linspace(0, 1, n).double() for n in shape), indexing="ij")
    return 1 / (0.3 + sum(axes)) + 0.01 * _random(*shape)


def _tucker(core, factors):
    for mode, factor in enumerate(factors):
        core = core if factor is None else along(core, factor, mode)
    return core


def _train(cores):
    result = cores[0]
    for core in cores[1:]:
        result = torch.tensordot(result, core, dims=1)
    return result.squeeze(0).squeeze(-1)


def _cp(factors):
    letters = "abcdefg"[: len(factors)]
    return torch.einsum(",".join(f"{c}r" for c in letters) + "->" + letters, *factors)


def _error(found, weight):
    return float((found - weight).norm() / weight.norm())


def test_full_ranks_are_exact():
    weight = _random(*MODES)
    assert _error(_tucker(*hosvd(weight)), weight) < 1e-14
    assert _error(_train(tt_svd(weight)), weight) < 1e-14
    assert _error(_cp(cp_als(weight, math.prod(MODES) // 6)), weight) < 1e-14


def test_two_modes_are_the_best_matrix_in_every_form():
    weight = _random(7, 5)
    u, s, vh = torch.linalg.svd(weight)
    best = u[:, :2] * s[:2] @ vh[:2]
    torch.testing.assert_close(_tucker(*hosvd(weight, (2, 2))), best)
    torch.testing.assert_close(_train(tt_svd(weight, (2,))), best)
    torch.testing.assert_close(_cp(cp_als(weight, 2)), best)


@pytest.mark.parametrize("weight", [_random(*MODES), _smooth(*MODES)], ids=["noise", "smooth"])
def test_tucker_error_is_below_the_root_of_what_the_unfoldings_discard(weight):
    ranks = (3, 3, 2, 2)
    singular = [torch.linalg.svdvals(unfolded(weight, mode)) for mode in range(4)]
    discarded = [float(s[r:].square().sum()) for s, r in zip(singular, ranks, strict=True)]
    error = float((_tucker(*hosvd(weight, ranks)) - weight).norm())
    assert math.sqrt(max(discarded)) - 1e-12 <= error <= math.sqrt(sum(discarded))
    assert error <= float((_tucker(*hosvd(weight, ranks, sweeps=0)) - weight).norm())


def test_tucker_factors_are_orthonormal():
    for factor in hosvd(_random(*MODES), (3, 3, 2, 2))[1]:
        torch.testing.assert_close(factor.T @ factor, torch.eye(factor.shape[1]).double())


@pytest.mark.parametrize("weight", [_random(*MODES), _smooth(*MODES)], ids=["noise", "smooth"])
def test_train_error_is_below_the_root_of_what_the_cuts_discard(weight):
    bonds = (3, 4, 2)
    singular = [torch.linalg.svdvals(weight.reshape(n, -1)) for n in (6, 30, 120)]
    discarded = [float(s[r:].square().sum()) for s, r in zip(singular, bonds, strict=True)]
    error = float((_train(tt_svd(weight, bonds)) - weight).norm())
    assert math.sqrt(max(discarded)) - 1e-12 <= error <= math.sqrt(sum(discarded))


@pytest.mark.parametrize("tol", [0.9, 0.3, 0.02, 1e-5, 1e-9])
@pytest.mark.parametrize("weight", [_random(*MODES), _smooth(*MODES)], ids=["noise", "smooth"])
def test_an_error_is_kept(weight, tol):
    rounding = 1e-13
    assert _error(_tucker(*hosvd(weight, tol=tol)), weight) <= tol + rounding
    assert _error(_train(tt_svd(weight, tol=tol)), weight) <= tol + rounding


@pytest.mark.parametrize("tol", [0.9, 0.3, 0.1])
def test_an_error_is_kept_by_cp(tol):
    weight = _smooth(*MODES)
    factors = cp_als(weight, tol=tol)
    assert _error(_cp(factors), weight) <= tol
    assert factors[0].shape[1] < 60


def test_an_error_is_kept_with_few_ranks():
    weight = _tucker(_random(2, 3, 2), [_random(9, 2), _random(8, 3), _random(7, 2)])
    noisy = weight + 1e-6 * weight.norm() / 22 * _random(9, 8, 7)
    assert hosvd(noisy, tol=1e-5)[0].shape == (2, 3, 2)
    assert [core.shape[2] for core in tt_svd(noisy, tol=1e-5)] == [2, 2, 1]


def test_ranks_are_above_those_of_an_error():
    weight = _random(*MODES)
    assert hosvd(weight, (2, 2, None, None), tol=1e-3)[0].shape == (2, 2, 4, 3)
    assert tt_svd(weight, (2, 2, 2), tol=1e-3)[0].shape == (1, 6, 2)
    assert hosvd(_smooth(*MODES), (5, 5, None, None), tol=0.3)[0].shape[:2] < (5, 5)


def test_a_mode_without_a_rank_stays():
    weight = _random(*MODES)
    core, factors = hosvd(weight, (3, 2, None, None))
    assert core.shape == (3, 2, 4, 3)
    assert factors[2] is factors[3] is None
    singular = torch.linalg.svdvals(unfolded(weight, 0))
    assert _error(_tucker(core, factors), weight) >= singular[3:].norm() / weight.norm()


@pytest.mark.parametrize(
    ("decompose", "together", "clipped"),
    [
        (lambda w: hosvd(w, (30,) * 4), lambda d: _tucker(*d), "(12, 9, 3, 3)"),
        (lambda w: tt_svd(w, (300,) * 3), _train, "(12, 9, 3)"),
        (lambda w: cp_als(w, 500), _cp, "(81,)"),
    ],
    ids=["tucker", "train", "cp"],
)
def test_a_rank_above_the_useful_maximum_is_clipped_with_a_message(
    decompose, together, clipped, caplog
):
    weight = _random(12, 9, 3, 3)
    with caplog.at_level(logging.WARNING):
        result = decompose(weight)
    assert _error(together(result), weight) < 1e-13
    assert caplog.messages[0].endswith(f"taken as {clipped}")


def test_a_tucker_rank_above_the_product_of_the_others_is_clipped(caplog):
    core, factors = hosvd(_random(6, 3, 4), (5, 2, 2))
    assert core.shape == (4, 2, 2)
    assert factors[0].shape == (6, 4)
    assert "Tucker ranks above the useful maximum: (5, 2, 2) taken as (4, 2, 2)" in caplog.messages


@pytest.mark.parametrize(("shape", "rank"), [((8, 9, 10), 4), ((8, 9, 10), 8), ((6, 5, 4, 3), 5)])
def test_cp_finds_planted_factors(shape, rank):
    planted = [_random(size, rank, seed=seed) for seed, size in enumerate(shape)]
    found = cp_als(_cp(planted), rank)
    assert _error(_cp(found), _cp(planted)) < 1e-6
    for one, other in zip(found, planted, strict=True):
        overlap = (one / one.norm(dim=0)).T @ (other / other.norm(dim=0))
        torch.testing.assert_close(
            overlap.abs().max(0).values, torch.ones(rank).double(), rtol=0, atol=1e-5
        )


@pytest.mark.slow
def test_cp_ranks_above_the_modes_work_and_columns_stay_small():
    weight = _random(8, 6, 3, 3)
    found = [cp_als(weight, rank) for rank in (4, 12, 24)]
    errors = [_error(_cp(factors), weight) for factors in found]
    assert errors == sorted(errors, reverse=True)
    assert errors[2] < 0.25
    assert max(float(factor.abs().max()) for factor in found[2]) < 10


def test_cp_is_the_same_again_and_columns_have_even_norms():
    factors = cp_als(_smooth(6, 5, 4), 3)
    for factor, again in zip(factors, cp_als(_smooth(6, 5, 4), 3), strict=True):
        assert torch.equal(factor, again)
    norms = torch.stack([factor.norm(dim=0) for factor in factors])
    torch.testing.assert_close(norms, norms.mean(0).expand(3, -1))


def test_cp_needs_a_rank_or_an_error():
    with pytest.raises(SettingsError, match="no rank and no tol; pass one"):
        cp_als(torch.ones(2, 2, 2))


def test_weights_of_zero_and_of_one_mode():
    zero = torch.zeros(4, 3, 2)
    assert _tucker(*hosvd(zero, tol=0.1)).norm() == 0
    assert _train(tt_svd(zero, tol=0.1)).norm() == 0
    assert _cp(cp_als(zero, 2)).norm() == 0
    line = _random(5)
    torch.testing.assert_close(_cp(cp_als(line, 1)), line)
    torch.testing.assert_close(_train(tt_svd(line)), line)
    torch.testing.assert_close(_tucker(*hosvd(line)), line)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_precision_of_the_weight_is_kept(dtype):
    weight = _smooth(4, 3, 2).to(dtype).requires_grad_()
    core, factors = hosvd(weight)
    tensors = [core, *factors, *tt_svd(weight), *cp_als(weight, 3)]
    assert {t.dtype for t in tensors} == {dtype}
    assert not any(t.requires_grad for t in tensors)


def test_ranks_of_the_wrong_number_are_named():
    with pytest.raises(SettingsError, match=r"the ranks are \(2, 2\) for 3 modes; wanted 3"):
        hosvd(torch.ones(2, 2, 2), (2, 2))
    with pytest.raises(SettingsError, match=r"the ranks are \(0, 1\) for 2 bonds"):
        tt_svd(torch.ones(2, 2, 2), (0, 1))


def _anisotropic(shots=4000):
    scales = torch.logspace(0, -2, 6).double()[:, None] * torch.logspace(0, -1, 5).double()
    rotation = torch.linalg.qr(_random(6, 6)).Q
    return torch.einsum("ab,sbc->sac", rotation, _random(shots, 6, 5) * scales).reshape(-1, 30)


def test_the_metric_of_separable_inputs_is_their_second_moment():
    x = _anisotropic()
    first, second = input_metric(x, (6, 5), ridge_tol=1e-9)
    moments = torch.kron(first @ first, second @ second)
    exact = x.T @ x / len(x)
    assert float((moments - exact).norm() / exact.norm()) < 0.05
    torch.testing.assert_close(moments.trace(), exact.trace(), rtol=1e-2, atol=0)


def test_the_metric_of_one_mode_is_exact():
    x = _anisotropic() + 3.0
    (root,) = input_metric(x, (30,), ridge_tol=1e-12)
    torch.testing.assert_close(root @ root, x.T @ x / len(x), rtol=1e-6, atol=1e-9)


def test_a_decomposition_in_the_metric_has_less_error_on_the_outputs():
    x, weight = _anisotropic(), _random(6, 5, 8)
    roots = input_metric(x, (6, 5))
    scaled = along(along(weight, roots[0], 0), roots[1], 1)
    core, (first, second, out) = hosvd(scaled, (2, 2, 4))
    first, second = torch.linalg.solve(roots[0], first), torch.linalg.solve(roots[1], second)
    fitted, plain = _tucker(core, (first, second, out)), _tucker(*hosvd(weight, (2, 2, 4)))
    errors = [float((x @ (w - weight).reshape(30, 8)).norm()) for w in (fitted, plain)]
    assert errors[0] < 0.5 * errors[1]


def test_inputs_that_are_always_zero_keep_the_roots_invertible():
    x = torch.zeros(50, 12)
    x[:, :4] = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    for root in input_metric(x, (4, 3)):
        assert torch.linalg.cond(root.double()) < 1e3


def test_samples_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match=r"samples have 5 inputs, the modes \(2, 3\) 6"):
        input_metric(torch.ones(4, 5), (2, 3))
    with pytest.raises(ShapeError, match="all of them are zero"):
        input_metric(torch.zeros(4, 6), (2, 3))
