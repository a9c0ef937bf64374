"""Gauge operations leave the function alone and change what they say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError
from phasenet.trains.canonical import diagonal_form
from phasenet.trains.gauge import general_gauge, orthogonal_gauge, unique_gauge, unitary_gauge
from phasenet.trains.train import TensorTrain
from tests.trains.strategies import DTYPES, dense, random_train, small_trains, tolerance

seeds = st.integers(0, 10**6)


def sum_of_terms(train):
    """Largest sum of magnitudes of terms; the rounding errors of a gauge go with it."""
    sizes = tuple(np.abs(core) for core in train.cores)
    return np.abs(dense(TensorTrain(cores=sizes, output_site=train.output_site))).max() * np.exp(
        train.log_scale
    )


def gap(train):
    """Smallest distance of Schmidt values of one bond, and of the smallest from zero."""
    return min(np.min(-np.diff([*values, 0.0])) for values in diagonal_form(train)[1][1:])


@settings(max_examples=50)
@given(small_trains(dtypes=DTYPES), seeds, st.sampled_from([1.0, 10.0, 1e3]))
def test_random_gauges_keep_the_function(train, seed, condition):
    rng, full = np.random.default_rng(seed), dense(train)
    atol = tolerance(train) * sum_of_terms(train)
    for found in (orthogonal_gauge(train, rng), general_gauge(train, rng, condition=condition)):
        assert {core.dtype for core in found.cores} == {train.cores[0].dtype}
        np.testing.assert_allclose(dense(found), full, atol=atol * condition)
    complex_ = unitary_gauge(train, rng)
    assert train.length == 1 or all(np.iscomplexobj(core) for core in complex_.cores)
    np.testing.assert_allclose(dense(complex_), full, atol=atol)


@settings(max_examples=50)
@given(seeds, st.sampled_from([None, 2]), st.sampled_from(DTYPES))
def test_two_trains_of_one_function_have_equal_cores(seed, outputs, dtype):
    rng = np.random.default_rng(seed)
    train = random_train(rng, [3] * 5, bond=3, outputs=outputs, dtype=dtype)
    other = general_gauge(orthogonal_gauge(train, rng), rng, condition=5.0)
    one, two = unique_gauge(train), unique_gauge(other)
    full = dense(train)
    np.testing.assert_allclose(dense(one), full, atol=tolerance(train) * np.abs(full).max())
    if gap(train) < 0.02 or one.bond_dims != two.bond_dims:
        return
    assert one.log_scale == pytest.approx(two.log_scale, abs=tolerance(train))
    for a, b in zip(one.cores, two.cores, strict=True):
        np.testing.assert_allclose(a, b, atol=20 * tolerance(train))


@settings(max_examples=50)
@given(seeds, st.sampled_from(DTYPES))
def test_bonds_of_one_leave_a_phase_per_core_and_it_is_fixed(seed, dtype):
    rng = np.random.default_rng(seed)
    train = random_train(rng, [3] * 6, bond=1, dtype=dtype)
    phases = rng.choice([-1.0, 1.0] if not np.iscomplexobj(train.cores[0]) else [1j, -1.0], size=5)
    cores = list(train.cores)
    for site, phase in enumerate(phases):
        cores[site] = (cores[site] * phase).astype(dtype)
        cores[site + 1] = (cores[site + 1] / phase).astype(dtype)
    one, two = unique_gauge(train), unique_gauge(TensorTrain(cores=tuple(cores)))
    for a, b in zip(one.cores, two.cores, strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(a, b, atol=20 * tolerance(train))


def test_a_symmetric_state_has_a_fixed_sign_too():
    # Entries of equal magnitude: the largest entry would not tell which sign to take.
    cat = TensorTrain(cores=(np.eye(2)[None], np.eye(2)[:, :, None] * [[[0.9]], [[0.2]]]))
    other = general_gauge(cat, np.random.default_rng(0), condition=30.0)
    for a, b in zip(unique_gauge(cat).cores, unique_gauge(other).cores, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_a_condition_number_is_at_least_one():
    train = random_train(np.random.default_rng(0), [2] * 3)
    with pytest.raises(SettingsError, match=r"condition is 0\.5"):
        general_gauge(train, np.random.default_rng(0), condition=0.5)


def test_the_general_gauge_has_the_stated_condition():
    train = TensorTrain(cores=(np.eye(8)[None], np.eye(8)[:, :, None]))
    for condition in (1.0, 50.0):
        turned = general_gauge(train, np.random.default_rng(0), condition=condition)
        assert np.linalg.cond(turned.cores[0][0]) == pytest.approx(condition)
    assert np.linalg.cond(unitary_gauge(train, np.random.default_rng(0)).cores[0][0]) == (
        pytest.approx(1.0)
    )
