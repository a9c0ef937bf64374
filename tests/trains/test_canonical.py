"""Gauge forms and rounding, against dense tensors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError
from phasenet.trains.canonical import (
    canonical,
    left_canonical,
    move_output,
    right_canonical,
    round_train,
)
from phasenet.trains.inner import relative_distance
from phasenet.trains.train import TensorTrain


def random_train(seed, length, *, outputs=None, complex_=False, rank=3):
    rng = np.random.default_rng(seed)
    dims = rng.integers(1, 4, size=length)
    bonds = [1, *rng.integers(1, rank + 1, size=length - 1), 1]
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


trains = st.builds(
    random_train,
    st.integers(0, 10**6),
    st.integers(1, 6),
    outputs=st.sampled_from([None, 1, 2, 3]),
    complex_=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(trains, st.data())
def test_canonical_keeps_the_function_and_states_its_norm(train, data):
    centre = data.draw(st.integers(0, train.length - 1))
    turned = canonical(train, centre)
    np.testing.assert_allclose(dense(turned), dense(train), atol=1e-12 * np.abs(dense(train)).max())
    assert turned.log_scale == pytest.approx(np.log(np.linalg.norm(dense(train))))
    for site, core in enumerate(turned.cores):
        axes = [axis for axis in range(core.ndim) if axis != (2 if site < centre else 0)]
        gram = np.tensordot(core.conj(), core, axes=(axes, axes))
        wanted = np.eye(len(gram)) if site != centre else None
        if wanted is not None:
            np.testing.assert_allclose(gram, wanted, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(trains, st.integers(1, 3), st.floats(0.0, 0.5))
def test_rounding_commits_exactly_the_error_it_states(train, max_rank, tol):
    rounded, error = round_train(train, tol=tol, max_rank=max_rank)
    full = dense(train)
    measured = np.linalg.norm(dense(rounded) - full) / np.linalg.norm(full)
    assert measured == pytest.approx(error, abs=1e-12)
    assert max(rounded.bond_dims, default=1) <= max_rank
    assert round_train(train, tol=tol)[1] <= tol + 1e-14
    assert rounded.output_site == train.output_site


@settings(max_examples=60, deadline=None)
@given(trains, st.data())
def test_moving_the_output_leg_keeps_the_function(train, data):
    site = data.draw(st.integers(0, train.length - 1))
    if train.output_site is None:
        with pytest.raises(SettingsError, match="the train is scalar"):
            move_output(train, site)
        return
    moved = move_output(train, site)
    assert moved.output_site == site
    np.testing.assert_allclose(dense(moved), dense(train), atol=1e-11 * np.abs(dense(train)).max())


def test_five_hundred_sites_of_huge_cores_do_not_overflow():
    rng = np.random.default_rng(0)
    cores = [rng.normal(size=(1 if s == 0 else 4, 2, 1 if s == 499 else 4)) for s in range(500)]
    train = TensorTrain(cores=tuple(1e200 * core for core in cores))
    small = TensorTrain(cores=tuple(cores), log_scale=500 * np.log(1e200))
    rounded, error = round_train(train, tol=1e-13)
    assert np.isfinite(rounded.log_scale) and error <= 1e-13
    assert rounded.log_scale == pytest.approx(canonical(small, 250).log_scale, rel=1e-12)
    assert relative_distance(rounded, small) < 1e-9


def test_rounding_finds_the_smallest_bonds():
    rng = np.random.default_rng(1)
    narrow = right_canonical(random_train(1, 6, rank=2))
    wide = [narrow.cores[0]]
    for core in narrow.cores[1:]:
        gauge = rng.normal(size=(core.shape[0], 7))
        wide[-1] = np.tensordot(wide[-1], gauge, axes=(2, 0))
        wide.append(np.tensordot(np.linalg.pinv(gauge), core, axes=(1, 0)))
    rounded, _ = round_train(TensorTrain(cores=tuple(wide)), tol=1e-12)
    assert all(a <= b for a, b in zip(rounded.bond_dims, narrow.bond_dims, strict=True))


def test_zero_train_stays_zero():
    zero = TensorTrain(cores=(np.zeros((1, 2, 1)),) * 3)
    assert np.all(dense(left_canonical(zero)) == 0.0)
    rounded, error = round_train(zero, tol=1e-3)
    assert np.all(dense(rounded) == 0.0) and error == 0.0


@pytest.mark.parametrize("site", [-1, 3])
def test_centre_outside_the_train_is_an_error(site):
    with pytest.raises(SettingsError, match="the train has sites 0 to 2"):
        canonical(TensorTrain(cores=(np.ones((1, 2, 1)),) * 3), site)


def test_bad_limits_are_an_error():
    with pytest.raises(SettingsError, match="max_rank is 0"):
        round_train(TensorTrain(cores=(np.ones((1, 2, 1)),)), tol=0.1, max_rank=0)
