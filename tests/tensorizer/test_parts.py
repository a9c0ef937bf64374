"""Pivots, cache, skeletons and probes by themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.tensorizer.cache import ValueCache
from phasenet.tensorizer.function import BudgetSpentError, CountedFunction
from phasenet.tensorizer.pivots import Pivots, joined
from phasenet.tensorizer.probes import Probes, sample_squared, uniform
from phasenet.tensorizer.skeleton import independent_columns, skeleton
from phasenet.trains.train import TensorTrain


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 12), st.integers(1, 6))
def test_skeleton_rebuilds_a_matrix_from_its_rows(seed, rows, columns, rank):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, columns))
    sticky = rng.random(rows) < 0.3
    found = skeleton(matrix, tol=1e-11, max_rank=12, sticky=sticky)
    np.testing.assert_allclose(
        found.interpolation @ matrix[found.rows], matrix, atol=1e-7 * np.abs(matrix).max()
    )
    np.testing.assert_array_equal(found.interpolation[found.rows], np.eye(len(found.rows)))
    assert len(found.rows) <= min(rows, columns, rank)


def test_skeleton_prefers_old_pivots_and_respects_the_cap():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(20, 3)) @ rng.normal(size=(3, 8))
    old = rng.permutation(20)[:3]
    sticky = np.isin(np.arange(20), old)
    assert set(skeleton(matrix, tol=1e-10, max_rank=9, sticky=sticky).rows) == set(old)
    assert len(skeleton(matrix, tol=1e-10, max_rank=2).rows) == 2


def test_independent_columns_ignore_noise():
    matrix = np.random.default_rng(0).normal(size=(9, 2)) @ np.array([[1.0, 2, 0, 1], [0, 0, 3, 1]])
    noisy = matrix + 1e-9 * np.random.default_rng(1).normal(size=matrix.shape)
    assert len(independent_columns(noisy, atol=1e-6, max_rank=4)) == 2


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 900), min_size=1, max_size=6))
def test_cache_returns_what_was_stored(seed, sizes):
    rng = np.random.default_rng(seed)
    # Few distinct low bits: collisions are the rule here.
    keys = np.unique(rng.integers(2**20, size=sum(sizes), dtype=np.uint64) << np.uint64(3))
    cache = ValueCache(outputs=2, dtype=np.dtype(float))
    values = rng.normal(size=(len(keys), 2))
    for part in np.array_split(np.arange(len(keys)), len(sizes)):
        cache.insert(keys[part], values[part])
    entries = cache.find(keys)
    np.testing.assert_array_equal(cache.values(entries), values)
    assert np.all(cache.find(keys + np.uint64(1)) == -1)
    assert len(cache) == len(keys)


def test_pivots_extend_join_and_hash_consistently():
    rng = np.random.default_rng(0)
    site_keys = rng.integers(2**64, size=(5, 3), dtype=np.uint64)
    points = rng.integers(3, size=(6, 5))
    left = Pivots.of(points, 1, site_keys, on_left=True).extended(site_keys[2])
    right = Pivots.of(points, 2, site_keys, on_left=False)
    i, j = np.divmod(np.arange(len(left) * len(right)), len(right))
    whole = joined(left, right, i, j)
    assert np.array_equal(whole, joined(right, left, j, i))
    keys = site_keys[np.arange(5), whole].sum(axis=1, dtype=np.uint64)
    assert np.array_equal(keys, left.keys[i] + right.keys[j])
    assert len(left.union(left)) == len(left)
    assert np.all(left.take(np.array([1, 2])).within(left))


def counted(function, *, budget=1000):
    return CountedFunction(
        function, site_dims=(2,) * 6, max_evaluations=budget, batch_size=7, seed=0
    )


def test_block_agrees_with_single_calls_and_costs_nothing_twice():
    function = counted(lambda x: (x @ 2 ** np.arange(6)).astype(float))
    points = uniform((2,) * 6, 5, np.random.default_rng(0))
    left = Pivots.of(points, 2, function.site_keys, on_left=True)
    right = Pivots.of(points, 2, function.site_keys, on_left=False)
    block = function.block(right, left)
    spent = function.evaluations
    assert spent == len(left) * len(right)
    i, j = np.divmod(np.arange(len(right) * len(left)), len(left))
    assert np.array_equal(function(joined(right, left, i, j)).ravel(), block.ravel())
    assert function.evaluations == spent


def test_budget_is_never_overspent():
    function = counted(lambda x: x.sum(axis=1), budget=10)
    function(uniform((2,) * 6, 8, np.random.default_rng(0)))
    with pytest.raises(BudgetSpentError):
        function(uniform((2,) * 6, 60, np.random.default_rng(1)))
    assert function.evaluations <= 10


def test_samples_of_a_train_follow_its_square():
    rng = np.random.default_rng(0)
    cores = tuple(rng.normal(size=shape) for shape in ((1, 2, 3), (3, 2, 3, 2), (3, 2, 1)))
    train = TensorTrain(cores=cores, output_site=1)
    shots = 20_000
    drawn = sample_squared(train, shots, rng) @ [4, 2, 1]
    grid = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    weights = np.sum(train(grid) ** 2, axis=1)
    weights /= weights.sum()
    sigma = np.sqrt(weights * (1 - weights) / shots)
    assert np.all(np.abs(np.bincount(drawn, minlength=8) / shots - weights) < 5 * sigma)


def test_probes_find_the_worst_configurations_once():
    function = counted(lambda x: 1.0 + 5.0 * np.all(x == 1, axis=1))
    samples = uniform((2,) * 6, 50, np.random.default_rng(0))
    probes = Probes(function, samples=samples, rng=np.random.default_rng(1))
    constant = TensorTrain(cores=(np.ones((1, 2, 1)),) * 6)
    peak = np.ones((2, 6), dtype=int)
    found = probes.compare(constant, samples[:5] * 0, peak, tol=1e-6)
    assert found.worst.tolist() == [[1] * 6]
    assert found.error == pytest.approx(5 / 6)
    assert len(probes.seen(20)) == 20 and len(probes.seen(100)) == 50
    assert probes.fresh(10).shape == (12, 6)
