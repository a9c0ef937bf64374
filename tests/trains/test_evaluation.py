"""Values of trains and of split configurations, against the plain product of the cores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import ShapeError
from phasenet.phases.exact import aklt_chain
from phasenet.trains.evaluation import carried, log_ranges, step
from phasenet.trains.train import TensorTrain
from tests.trains.strategies import DTYPES, dense, random_train, small_trains, tolerance, words


def close(found, wanted, train):
    assert found.dtype == np.result_type(*train.cores)
    np.testing.assert_allclose(found, wanted, atol=tolerance(train) * np.abs(wanted).max())


@settings(max_examples=50)
@given(small_trains(dtypes=DTYPES))
def test_features_extended_site_by_site_are_those_from_scratch(train):
    states = words(train.site_dims)[::5]
    left = train.prefixes(states[:, :0])
    for site in range(train.length):
        left = train.extend_prefixes(left, site, states[:, site])
        np.testing.assert_allclose(
            left, train.prefixes(states[:, : site + 1]), rtol=1e-5, atol=1e-5
        )
    right = train.suffixes(states[:, :0])
    for site in reversed(range(train.length)):
        right = train.extend_suffixes(right, site, states[:, site])
        np.testing.assert_allclose(right, train.suffixes(states[:, site:]), rtol=1e-5, atol=1e-5)


@given(small_trains(dtypes=DTYPES))
def test_values_are_those_of_the_dense_tensor_in_the_same_precision(train):
    close(train(words(train.site_dims)), dense(train), train)


@settings(max_examples=50)
@given(small_trains(dtypes=DTYPES))
def test_every_cut_splits_into_features_that_pair_to_the_values(train):
    points, wanted = words(train.site_dims), dense(train)
    for cut in range(train.length + 1):
        left, right = train.prefixes(points[:, :cut]), train.suffixes(points[:, cut:])
        assert left.ndim + right.ndim == (4 if train.output_site is None else 5)
        close(train.pairs(left, right), wanted, train)


@settings(max_examples=50)
@given(small_trains(outputs=(None, 2), min_dim=2), st.integers(0, 10**6))
def test_features_are_rows_to_pick_from(train, seed):
    rng = np.random.default_rng(seed)
    points = words(train.site_dims)
    cut = int(rng.integers(train.length + 1))
    i, j = rng.integers(len(points), size=(2, 20))
    left, right = train.prefixes(points[:, :cut]), train.suffixes(points[:, cut:])
    joined = np.concatenate((points[i, :cut], points[j, cut:]), axis=1)
    close(train.pairs(left[i], right[j]), train(joined), train)


@pytest.mark.parametrize("outputs", [None, 2])
@pytest.mark.parametrize("dim", [2, 3])
def test_shared_prefixes_give_what_single_rows_give(outputs, dim):
    rng = np.random.default_rng(1)
    train = random_train(rng, [dim] * 24, bond=40, outputs=outputs, output_site=outputs and 20)
    halves = rng.integers(dim, size=(2, 12, 12))
    i, j = rng.integers(12, size=(2, 300))
    block = np.concatenate((halves[0, i], halves[1, j]), axis=1)
    batch = rng.permutation(np.concatenate((block, rng.integers(dim, size=(100, 24)))))
    single = np.concatenate([train(row[None]) for row in batch])
    together = train(batch)
    np.testing.assert_allclose(together, single, rtol=1e-9, atol=1e-12 * np.abs(single).max())
    equal = np.repeat(batch[:1], 50, axis=0)
    np.testing.assert_allclose(train(equal), np.repeat(single[:1], 50, axis=0), rtol=1e-9)


def test_both_ways_to_take_a_step_agree():
    rng = np.random.default_rng(0)
    core, states = rng.normal(size=(60, 3, 60)), rng.integers(3, size=400)
    rows = rng.normal(size=(400, 60))
    wanted = np.einsum("nl,nlr->nr", rows, core.transpose(1, 0, 2)[states])
    np.testing.assert_allclose(step(rows, core, states), wanted, atol=1e-12)
    np.testing.assert_allclose(step(rows[:9], core, states[:9]), wanted[:9], atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("size", [1e-30, 1e-3, 1e30])
def test_five_hundred_sites_stay_in_range(dtype, size):
    aklt = aklt_chain(500)
    cores = tuple((core * size).astype(dtype) for core in aklt.cores)
    train = TensorTrain(cores=cores, log_scale=-500 * np.log(size * np.sqrt(1 / 3)))
    points = np.ones((3, 500), dtype=np.int64)
    points[1, 250] = 0
    points[2, [100, 400]] = [2, 0]
    # Each site of (0, ..., 0) contributes a sign and sqrt(1/3); a pair (-, +) sqrt(2) each.
    values = train(points)
    tol = 1e-9 if dtype is np.float64 else 1e-3
    np.testing.assert_allclose(np.abs(values), [1.0, 0.0, 0.0], atol=tol)
    points[2, [100, 400]] = [0, 2]
    np.testing.assert_allclose(np.abs(train(points)), [1.0, 0.0, 2.0], rtol=tol, atol=tol)
    left, right = train.prefixes(points[:, :200]), train.suffixes(points[:, 200:])
    assert left.dtype == np.float64
    np.testing.assert_allclose(train.pairs(left, right), train(points), rtol=tol, atol=tol)


def test_terms_that_would_underflow_between_two_rescalings_are_kept():
    tiny = np.array([[[1e-200]], [[1e-200]]]).reshape(1, 2, 1)
    train = TensorTrain(cores=(tiny,) * 9, log_scale=9 * 200 * np.log(10))
    np.testing.assert_allclose(train(np.zeros((1, 9), dtype=int)), 1.0, rtol=1e-11)
    mixed = TensorTrain(cores=(np.array([[[1.0], [1e-200]]]),) * 9)
    value, log = mixed.log_values(np.ones((1, 9), dtype=int))
    assert value[0] == 1.0
    np.testing.assert_allclose(log, -9 * 200 * np.log(10))


def test_no_rows_no_sites_and_integer_cores():
    train = TensorTrain(cores=(np.array([[[1], [2]]]),) * 3)
    assert train(np.zeros((0, 3), dtype=int)).shape == (0,)
    assert train(np.array([[1, 1, 0]])).tolist() == pytest.approx([4.0])
    rows, logs = carried([], np.zeros((2, 0), dtype=int), np.zeros((0, 2)))
    assert rows.tolist() == [[1.0], [1.0]] and logs.tolist() == [0.0, 0.0]
    assert log_ranges([np.zeros((1, 2, 1))]).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_any_integers_name_states(dtype):
    train = random_train(np.random.default_rng(0), [3] * 5, outputs=2)
    points = words([3] * 5)
    np.testing.assert_array_equal(train(points.astype(dtype)), train(points))
    left = train.prefixes(points[:, :2].astype(dtype))
    np.testing.assert_array_equal(left, train.prefixes(points[:, :2]))


def test_features_that_do_not_fit_are_an_error():
    train = random_train(np.random.default_rng(0), [2] * 4, outputs=2, output_site=1)
    with pytest.raises(ShapeError, match="at most 4 sites"):
        train.prefixes(np.zeros((1, 5), dtype=int))
    with pytest.raises(ShapeError, match="outside 0"):
        train.suffixes(np.full((1, 2), 2))
    left, right = train.prefixes(np.zeros((1, 1), dtype=int)), np.ones((1, 2))
    with pytest.raises(ShapeError, match="the output leg in one of them"):
        train.pairs(left, right)
    with pytest.raises(ShapeError, match="equal rows"):
        train.pairs(left, train.suffixes(np.zeros((2, 3), dtype=int)))
