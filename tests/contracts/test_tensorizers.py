"""What every method of the tensorizer owes its user."""

from itertools import pairwise

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.exact import aklt_chain
from phasenet.tensorizer import Outcome, tensorize
from phasenet.trains.born import sample_born
from phasenet.trains.inner import relative_distance
from tests.trains.strategies import random_train

METHODS = ("auto", "cross", "sketch")
every_method = pytest.mark.parametrize("method", METHODS)


def uniform(dims, shots=400, seed=0):
    return np.random.default_rng(seed).integers(dims, size=(shots, len(dims)))


def dense_net(length, seed=0):
    rng = np.random.default_rng(seed)
    first = 1.5 * rng.normal(size=(2 * length, 24)) / np.sqrt(length)
    second = rng.normal(size=(24, 3))
    return lambda x: np.tanh(np.eye(2)[x].reshape(len(x), -1) @ first) @ second


@every_method
@pytest.mark.parametrize("outputs", [None, 1, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_small_trains_come_back(method, outputs, dtype):
    rng = np.random.default_rng(3)
    exact = random_train(rng, (2, 3, 2, 4, 3, 2), outputs=outputs, dtype=dtype)
    dims = exact.site_dims
    found = tensorize(
        lambda x: exact(x), samples=uniform(dims), site_dims=dims, method=method, tol=1e-9
    )
    assert found.outcome is Outcome.CONVERGED
    assert found.train.outputs == outputs
    fresh = uniform(dims, seed=1)
    size = np.abs(exact(fresh)).max()
    np.testing.assert_allclose(found.train(fresh), exact(fresh), atol=1e-8 * size)


@every_method
def test_aklt_is_exact_whether_it_is_a_black_box_or_a_train(method):
    exact = aklt_chain(30)
    samples, _ = sample_born(exact, 300, np.random.default_rng(0))
    for function in (exact, lambda x: exact(x)):
        found = tensorize(function, samples=samples, site_dims=exact.site_dims, method=method)
        assert found.outcome is Outcome.CONVERGED
        assert relative_distance(found.train, exact) < 1e-9
        assert max(found.train.bond_dims) == 2


@every_method
def test_a_tiny_scale_changes_nothing(method):
    exact = aklt_chain(20)
    samples, _ = sample_born(exact, 300, np.random.default_rng(0))
    found = [
        tensorize(
            lambda x, s=scale: s * exact(x),
            samples=samples,
            site_dims=exact.site_dims,
            method=method,
        )
        for scale in (1.0, 1e-120)
    ]
    assert found[0].train.bond_dims == found[1].train.bond_dims
    assert found[1].data_error < 1e-10


@every_method
def test_the_error_falls_with_the_rank(method):
    net, samples = dense_net(12), uniform((2,) * 12, 600)
    errors = [
        tensorize(net, samples=samples, site_dims=[2] * 12, max_rank=rank, method=method).data_error
        for rank in (2, 4, 8, 16, 32)
    ]
    # Trains of neighbouring ranks come from other pivots: a tenth is noise.
    assert all(after < 1.1 * before for before, after in pairwise(errors))
    assert errors[-1] < 0.1 * errors[0]


@every_method
def test_stated_errors_are_true_and_steps_are_named(method):
    net, samples = dense_net(12), uniform((2,) * 12, 600)
    found = tensorize(net, samples=samples, site_dims=[2] * 12, max_rank=6, method=method)
    assert found.outcome is Outcome.RANK_CAP
    fresh = uniform((2,) * 12, 3000, seed=5)
    error = np.linalg.norm(found.train(fresh) - net(fresh)) / np.linalg.norm(net(fresh))
    assert found.data_error == pytest.approx(error, rel=0.25)
    assert found.uniform_error == pytest.approx(error, rel=0.35)
    word = {"auto": "least squares", "cross": "cross interpolation", "sketch": "sketch"}[method]
    assert word in str(found)
    assert found.evaluations >= found.history[-1].evaluations > 0
    assert found.seconds > 0.0


@every_method
def test_same_seed_same_bits(method):
    net, samples = dense_net(10), uniform((2,) * 10)
    first, second = (
        tensorize(net, samples=samples, site_dims=[2] * 10, max_rank=8, method=method, seed=4)
        for _ in range(2)
    )
    for one, other in zip(first.train.cores, second.train.cores, strict=True):
        assert np.array_equal(one, other)


@every_method
@pytest.mark.parametrize("length", [1, 2])
def test_chains_of_one_and_two_sites(method, length):
    found = tensorize(
        lambda x: 1.0 + x.sum(axis=1),
        samples=uniform((3,) * length, 50),
        site_dims=[3] * length,
        method=method,
    )
    every = np.stack(np.meshgrid(*[np.arange(3)] * length, indexing="ij"), -1).reshape(-1, length)
    np.testing.assert_allclose(found.train(every), 1.0 + every.sum(axis=1), atol=1e-12)


@every_method
def test_bad_functions_are_one_sentence_each(method):
    dims = [2] * 8
    samples = uniform(dims)

    def run(function):
        tensorize(function, samples=samples, site_dims=dims, method=method)

    with pytest.raises(SettingsError, match="every value must be finite"):
        run(lambda x: np.full(len(x), np.nan))
    with pytest.raises(ShapeError, match="wanted"):
        run(lambda x: np.zeros((3, 2)))
    with pytest.raises(SettingsError, match="give samples where it is not"):
        run(lambda x: np.zeros(len(x)))
    rng = np.random.default_rng(0)
    with pytest.raises(SettingsError, match="deterministic"):
        run(lambda x: rng.normal(size=len(x)))
    with pytest.raises(ShapeError, match="outside"):
        tensorize(lambda x: x.sum(axis=1), samples=samples + 1, site_dims=dims, method=method)


def test_an_unknown_method_is_named():
    with pytest.raises(SettingsError, match="method is 'magic'; known: auto, cross, sketch"):
        tensorize(
            lambda x: x.sum(axis=1), samples=uniform([2] * 4), site_dims=[2] * 4, method="magic"
        )
