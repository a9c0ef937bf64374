"""Trains from and to plain lists of arrays."""

import numpy as np
import pytest
from hypothesis import given, settings

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.exchange import from_arrays, from_krowch, to_arrays, to_krowch
from phasenet.trains.train import TensorTrain
from tests.trains.strategies import DTYPES, dense, small_trains, tolerance


def close(found, wanted, train):
    np.testing.assert_allclose(found, wanted, atol=tolerance(train) * np.abs(wanted).max())


@settings(max_examples=50)
@given(small_trains(dtypes=DTYPES))
def test_arrays_hold_the_function_in_the_same_precision(train):
    arrays = to_arrays(train)
    assert [array.dtype for array in arrays] == [core.dtype for core in train.cores]
    close(dense(from_arrays(arrays, output_site=train.output_site)), dense(train), train)


@settings(max_examples=50)
@given(small_trains(dtypes=DTYPES))
def test_outer_bonds_may_be_left_out(train):
    arrays = to_arrays(train)
    arrays[0] = arrays[0][0]
    arrays[-1] = arrays[-1].squeeze(axis=1 if train.length == 1 else 2)
    close(dense(from_arrays(arrays, output_site=train.output_site)), dense(train), train)


@settings(max_examples=50)
@given(small_trains(dtypes=DTYPES))
def test_krowch_tensors_go_there_and_back(train):
    tensors = to_krowch(train)
    position = None if train.output_site is None else train.output_site + 1
    found = from_krowch(tensors, out_position=position)
    assert found.output_site == train.output_site
    assert all(tensor.dtype == train.cores[0].dtype for tensor in tensors)
    if len(tensors) > 1:
        assert [tensor.ndim for tensor in tensors] == [2, *[3] * (len(tensors) - 2), 2]
    close(dense(found), dense(train), train)


def test_an_output_node_at_the_start_joins_the_core_after_it():
    rng = np.random.default_rng(0)
    node, first, last = rng.normal(size=(4, 3)), rng.normal(size=(3, 2, 5)), rng.normal(size=(5, 2))
    train = from_krowch([node, first, last], out_position=0)
    wanted = np.einsum("om,msr,rt->sto", node, first, last).reshape(4, 4)
    assert train.output_site == 0 and train.length == 2
    np.testing.assert_allclose(dense(train), wanted, atol=1e-12)


def test_arrays_are_copied_and_integers_become_doubles():
    array = np.ones((1, 2, 1))
    train = from_arrays([array, [[1, 2]]])
    array[:] = 5.0
    assert train.cores[0].max() == 1.0 and train.cores[1].dtype == np.float64
    assert train.cores[1].shape == (1, 2, 1)


def test_what_makes_no_train_is_an_error():
    with pytest.raises(ShapeError, match="not finite"):
        from_arrays([np.full((1, 2, 1), np.nan)])
    with pytest.raises(ShapeError, match="array 0 holds <U1"):
        from_arrays([np.array([["a"]])])
    with pytest.raises(ShapeError, match="at least one core"):
        from_arrays([])
    with pytest.raises(ShapeError, match="core 0 ends in bond 3, but core 1 starts with 2"):
        from_arrays([np.ones((2, 3)), np.ones((2, 2))])
    with pytest.raises(ShapeError, match="core 1 has 2 axes"):
        from_arrays([np.ones((2, 3)), np.ones((3, 2)), np.ones((2, 2))])
    with pytest.raises(SettingsError, match="out_position is 3"):
        from_krowch([np.ones((2, 3)), np.ones((3, 2))], out_position=3)
    huge = TensorTrain(cores=(np.ones((1, 2, 1)),) * 2, log_scale=5000.0)
    with pytest.raises(SettingsError, match="plain arrays cannot hold that"):
        to_arrays(huge)
