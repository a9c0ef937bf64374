"""Pivots, cache, skeletons and probes by themselves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError
from phasenet.tensorizer.cache import ValueCache
from phasenet.tensorizer.charges import Charges, discovered, magnetisation
from phasenet.tensorizer.function import BudgetSpentError, ChargeBrokenError, CountedFunction
from phasenet.tensorizer.pivots import PivotSpace, joined
from phasenet.tensorizer.probes import Probes, uniform
from phasenet.tensorizer.skeleton import independent_columns, skeleton


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 12), st.integers(1, 6))
def test_skeleton_rebuilds_a_matrix_from_its_rows(seed, rows, columns, rank):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, columns))
    sticky = rng.random(rows) < 0.3
    found = skeleton(matrix, atol=1e-11 * np.abs(matrix).max(), max_rank=12, sticky=sticky)
    np.testing.assert_allclose(
        found.interpolation @ matrix[found.rows], matrix, atol=1e-7 * np.abs(matrix).max()
    )
    np.testing.assert_array_equal(found.interpolation[found.rows], np.eye(len(found.rows)))
    assert len(found.rows) <= min(rows, columns, rank)


def test_skeleton_of_zeros_is_one_row():
    found = skeleton(np.zeros((3, 2)), atol=1e-9, max_rank=2)
    assert found.rows.tolist() == [0]
    assert found.interpolation.tolist() == [[1.0], [0.0], [0.0]]


def test_skeleton_prefers_old_pivots_and_respects_the_cap():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(20, 3)) @ rng.normal(size=(3, 8))
    old = rng.permutation(20)[:3]
    sticky = np.isin(np.arange(20), old)
    assert set(skeleton(matrix, atol=1e-10, max_rank=9, sticky=sticky).rows) == set(old)
    assert len(skeleton(matrix, atol=1e-10, max_rank=2).rows) == 2


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


def space(dims, charges=None):
    charges = Charges.none(dims) if charges is None else charges
    return PivotSpace(dims, charges, None, np.random.default_rng(0))


def test_pivots_extend_join_and_hash_consistently():
    sites = space((3,) * 5)
    points = np.random.default_rng(0).integers(3, size=(6, 5))
    left = sites.extended(sites.parts(points, on_left=True)[1], 2)
    right = sites.parts(points, on_left=False)[2]
    assert np.array_equal(
        right.states, points[np.sort(np.unique(points[:, 3:], axis=0, return_index=True)[1]), 3:]
    )
    i, j = np.divmod(np.arange(len(left) * len(right)), len(right))
    whole = joined(left, right, i, j)
    assert np.array_equal(whole, joined(right, left, j, i))
    assert np.array_equal(sites.keys(whole), left.keys[i] + right.keys[j])
    assert len(left.union(left)) == len(left)
    assert np.all(left.take(np.array([1, 2])).within(left))


def counted(function, *, budget=1000, charges=None):
    return CountedFunction(function, space((2,) * 6, charges), max_evaluations=budget, batch_size=7)


def test_block_agrees_with_single_calls_and_costs_nothing_twice():
    function = counted(lambda x: (x @ 2 ** np.arange(6)).astype(float))
    points = uniform((2,) * 6, 5, np.random.default_rng(0))
    function(points)
    left = function.space.parts(points, on_left=True)[2]
    right = function.space.parts(points, on_left=False)[2]
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


def test_pairs_outside_the_sector_are_never_evaluated():
    asked = []

    def half_filled(x):
        asked.append(x.copy())
        return (x.sum(axis=1) == 3) * 1.0

    function = counted(half_filled, charges=magnetisation((2,) * 6, 3))
    points = np.array([[0, 1, 0, 1, 0, 1], [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]])
    function(points)
    parts = [function.space.parts(points, on_left=side)[2] for side in (True, False)]
    block = function.block(*parts)[:, :, 0]
    charge = parts[0].states.sum(axis=1)[:, None] + parts[1].states.sum(axis=1)
    assert np.array_equal(block, charge == 3)
    assert np.all(np.concatenate(asked).sum(axis=1) == 3)


def test_a_value_outside_the_sector_breaks_the_charge():
    function = counted(lambda x: np.ones(len(x)), charges=magnetisation((2,) * 6, 3))
    with pytest.raises(ChargeBrokenError):
        function(np.array([[0, 0, 0, 0, 0, 1]]))


def test_charges_of_a_two_species_chain_are_discovered():
    rng = np.random.default_rng(0)
    up = np.argsort(rng.random((900, 8)), axis=1) < 3
    down = np.argsort(rng.random((900, 8)), axis=1) < 5
    samples = up + 2 * down
    found = discovered(samples, (4,) * 8)
    assert found.count == 2
    assert not found.moduli.any()
    assert found.allowed(found.of(samples)).all()
    everywhere = rng.integers(4, size=(4000, 8))
    inside = ((everywhere % 2).sum(axis=1) == 3) & ((everywhere // 2).sum(axis=1) == 5)
    assert np.array_equal(found.allowed(found.of(everywhere)), inside)


def test_a_parity_is_discovered_and_no_charge_where_there_is_none():
    rng = np.random.default_rng(0)
    samples = rng.integers(2, size=(900, 12))
    assert discovered(samples, (2,) * 12).count == 0
    even = samples[samples.sum(axis=1) % 2 == 0]
    found = discovered(even, (2,) * 12)
    assert found.moduli.tolist() == [2]
    assert np.array_equal(found.allowed(found.of(samples)), samples.sum(axis=1) % 2 == 0)
    assert "modulo 2" in str(found)
    assert discovered(even[:10], (2,) * 12).count == 0


def test_a_negative_modulus_is_an_error():
    with pytest.raises(SettingsError, match="modulus is -2"):
        magnetisation((2, 2), 0, modulus=-2)


def test_probes_find_the_worst_configurations_once():
    function = counted(lambda x: 1.0 + 5.0 * np.all(x == 1, axis=1))
    samples = uniform((2,) * 6, 50, np.random.default_rng(0))
    probes = Probes(function, samples=samples, rng=np.random.default_rng(1))
    peak = np.ones((2, 6), dtype=int)
    assert len(probes.seen(20)) == 20 and len(probes.seen(100)) == 50
    assert probes.exhausted
    assert probes.lit == 1.0
    found = probes.compare(np.ones(7), samples[:5] * 0, peak, tol=1e-6)
    assert found.worst.tolist() == [[1] * 6]
    assert found.error == pytest.approx(5 / 6)
    pivots = [function.space.parts(samples[:3], on_left=side) for side in (True, False)]
    assert probes.fresh(10).shape == (12, 6)
    assert probes.fresh(12, *pivots).shape == (12, 6)
