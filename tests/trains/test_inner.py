"""Inner products, sums and distances, against dense tensors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.arithmetic import add, multiple, subtract
from phasenet.trains.inner import inner, log_norm, relative_distance
from phasenet.trains.train import TensorTrain


def pair(seed, length, outputs, complex_):
    rng = np.random.default_rng(seed)
    dims = rng.integers(1, 4, size=length)
    return tuple(_train(rng, dims, outputs, complex_) for _ in range(2))


def _train(rng, dims, outputs, complex_):
    length = len(dims)
    bonds = [1, *rng.integers(1, 4, size=length - 1), 1]
    output_site = None if outputs is None else int(rng.integers(length))
    cores = []
    for site in range(length):
        shape = (bonds[site], dims[site], bonds[site + 1])
        shape += (outputs,) if site == output_site else ()
        core = rng.normal(size=shape)
        cores.append(core + 1j * rng.normal(size=shape) if complex_ else core)
    return TensorTrain(cores=tuple(cores), output_site=output_site, log_scale=float(rng.normal()))


def dense(train):
    grids = np.meshgrid(*(np.arange(dim) for dim in train.site_dims), indexing="ij")
    return train(np.stack([grid.ravel() for grid in grids], axis=1))


pairs = st.builds(
    pair,
    st.integers(0, 10**6),
    st.integers(1, 6),
    st.sampled_from([None, 1, 2, 3]),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_inner_product_is_that_of_the_vectors(both):
    left, right = both
    value, log = inner(left, right)
    wanted = np.vdot(dense(left), dense(right))
    scale = np.linalg.norm(dense(left)) * np.linalg.norm(dense(right))
    assert abs(value * math.exp(log) - wanted) <= 1e-11 * scale
    assert isinstance(value, complex if np.iscomplexobj(wanted) else float)


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_sums_norms_and_distances_are_those_of_the_vectors(both):
    left, right = both
    a, b = dense(left), dense(right)
    tiny = 1e-11 * (np.abs(a).max() + np.abs(b).max())
    np.testing.assert_allclose(dense(add(left, right)), a + b, atol=tiny)
    np.testing.assert_allclose(dense(subtract(left, right)), a - b, atol=tiny)
    assert log_norm(left) == pytest.approx(np.log(np.linalg.norm(a)))
    distance = np.linalg.norm(a - b) / np.linalg.norm(b)
    assert relative_distance(left, right) == pytest.approx(distance)
    assert relative_distance(left, left) < 1e-13


def test_multiple_takes_sign_phase_and_zero():
    train = TensorTrain(cores=(np.ones((1, 2, 1)),) * 2)
    np.testing.assert_allclose(dense(multiple(train, -3.0)), -3.0)
    np.testing.assert_allclose(dense(multiple(train, 2j)), 2j)
    np.testing.assert_allclose(dense(multiple(train, 0.0)), 0.0)
    with pytest.raises(SettingsError, match="must be finite"):
        multiple(train, math.inf)


def test_long_chains_keep_their_logarithms():
    train = TensorTrain(cores=(np.full((1, 3, 1), 1e3),) * 600)
    value, log = inner(train, train)
    assert value == pytest.approx(1.0)
    assert log == pytest.approx(600 * np.log(3e6))
    assert log_norm(train) == pytest.approx(300 * np.log(3e6))
    other = multiple(train, 1.5)
    assert relative_distance(other, train) == pytest.approx(0.5)


def test_zero_has_no_norm_and_no_distance_to_itself():
    zero = TensorTrain(cores=(np.zeros((1, 2, 1)),) * 3)
    one = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    assert log_norm(zero) == -math.inf
    assert relative_distance(zero, zero) == 0.0
    assert relative_distance(one, zero) == math.inf
    assert relative_distance(zero, one) == pytest.approx(1.0)
    assert inner(zero, one)[0] == 0.0


def test_trains_over_different_spaces_are_an_error():
    three, two = (TensorTrain(cores=(np.ones((1, dim, 1)),)) for dim in (3, 2))
    with pytest.raises(ShapeError, match="both must be the same"):
        inner(three, two)
    vector = TensorTrain(cores=(np.ones((1, 3, 1, 2)),), output_site=0)
    with pytest.raises(ShapeError, match="None and 2 outputs"):
        add(three, vector)
