"""Gauge forms and rounding, against dense tensors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.canonical import (
    canonical,
    diagonal_form,
    left_canonical,
    move_output,
    right_canonical,
    round_train,
    schmidt_form,
)
from phasenet.trains.inner import relative_distance
from phasenet.trains.train import TensorTrain
from tests.trains.strategies import DTYPES, dense, random_train, small_trains, tolerance


@settings(max_examples=50)
@given(small_trains(), st.data())
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


@settings(max_examples=50)
@given(small_trains(), st.integers(1, 3), st.floats(0.0, 0.5))
def test_rounding_commits_exactly_the_error_it_states(train, max_rank, tol):
    rounded, error = round_train(train, tol=tol, max_rank=max_rank)
    full = dense(train)
    measured = np.linalg.norm(dense(rounded) - full) / np.linalg.norm(full)
    assert measured == pytest.approx(error, abs=1e-12)
    assert max(rounded.bond_dims, default=1) <= max_rank
    assert round_train(train, tol=tol)[1] <= tol + 1e-14
    assert rounded.output_site == train.output_site


@settings(max_examples=50)
@given(small_trains(), st.data())
def test_moving_the_output_leg_keeps_the_function(train, data):
    site = data.draw(st.integers(0, train.length - 1))
    if train.output_site is None:
        with pytest.raises(SettingsError, match="the train is scalar"):
            move_output(train, site)
        return
    moved = move_output(train, site)
    assert moved.output_site == site
    np.testing.assert_allclose(dense(moved), dense(train), atol=1e-11 * np.abs(dense(train)).max())


@settings(max_examples=50)
@given(small_trains(dtypes=DTYPES, min_dim=2))
def test_schmidt_values_of_every_bond_are_those_of_the_dense_matrix(train):
    full = dense(train)
    values = diagonal_form(train)[1][1:]
    assert len(values) == train.length - 1
    for bond, found in enumerate(values):
        rows = int(np.prod(train.site_dims[: bond + 1]))
        cut = full.reshape(rows, -1)
        if train.output_site is not None and train.output_site <= bond:
            cut = np.moveaxis(full.reshape(rows, -1, train.outputs), 1, 2)
            cut = cut.reshape(rows * train.outputs, -1)
        wanted = np.linalg.svd(cut, compute_uv=False)[: len(found)] / np.linalg.norm(cut)
        np.testing.assert_allclose(found, wanted, atol=tolerance(train))


@settings(max_examples=50)
@given(small_trains(dtypes=DTYPES))
def test_diagonal_form_keeps_function_kind_and_precision(train):
    form, values = diagonal_form(train)
    full = dense(train)
    np.testing.assert_allclose(dense(form), full, atol=tolerance(train) * np.abs(full).max())
    assert [core.dtype for core in form.cores] == [core.dtype for core in train.cores]
    assert form.output_site == train.output_site
    for core, weights in zip(form.cores, values, strict=True):
        assert len(weights) == core.shape[0]
        flat = core.reshape(len(core), -1)
        np.testing.assert_allclose(flat @ flat.conj().T, np.eye(len(core)), atol=tolerance(train))


def test_states_alone_have_a_schmidt_form():
    with pytest.raises(ShapeError, match="output leg at site 0"):
        schmidt_form(TensorTrain(cores=(np.ones((1, 2, 1, 2)),), output_site=0))
    with pytest.raises(ShapeError, match="norm zero"):
        diagonal_form(TensorTrain(cores=(np.zeros((1, 2, 1)),) * 2))


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
    narrow = right_canonical(random_train(rng, [3] * 6, bond=2))
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
