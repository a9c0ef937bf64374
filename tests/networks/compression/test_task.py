"""Splits of plain arrays."""

import numpy as np
import pytest
import torch

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.compression.task import task_of_arrays

X, Y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2


def test_shots_without_splits_are_divided_without_overlap_and_by_the_seed():
    task, again, other = (task_of_arrays(X, Y, None, seed=seed) for seed in (0, 0, 1))
    parts = [part.x[:, 0].tolist() for part in (task.train, task.validation, task.test)]
    assert sorted(x for part in parts for x in part) == X[:, 0].tolist()
    assert task.shots == (14, 3, 3)
    assert torch.equal(task.train.x, again.train.x)
    assert not torch.equal(task.train.x, other.train.x)


@pytest.mark.parametrize("numbers", [False, True])
def test_splits_may_be_names_or_numbers(numbers):
    names = np.array(["train"] * 10 + ["validation"] * 4 + ["test"] * 6)
    split = np.repeat([0, 1, 2], [10, 4, 6]) if numbers else names
    task = task_of_arrays(X, Y, split, seed=0)
    assert task.shots == (10, 4, 6)
    assert task.test.x[0, 0] == X[14, 0]
    assert task.train.x.dtype == torch.float32


def test_integers_stay_integers():
    assert task_of_arrays(X.astype(np.uint8), Y, None, seed=0).train.x.dtype == torch.uint8


@pytest.mark.parametrize(
    ("x", "y", "split", "error", "message"),
    [
        (X, Y[:5], None, ShapeError, r"x has shape \(20, 3\) and y \(5,\)"),
        (X[:, 0], Y, None, ShapeError, r"wanted \(shots, ...\)"),
        (X, Y.astype(float), None, SettingsError, "y is of float64; wanted the index"),
        (X, Y - 1, None, SettingsError, "from 0, of each shot"),
        (X.astype(complex), Y, None, SettingsError, "x is of complex128"),
        (X, 0 * Y, None, SettingsError, "1 of 1 classes; wanted all, and at least two"),
        (X, Y, np.zeros(20, int), SettingsError, "no shot has the split validation or test"),
        (X, Y, np.zeros(3, int), ShapeError, r"split has shape \(3,\)"),
    ],
)
def test_what_does_not_fit_is_one_sentence(x, y, split, error, message):
    with pytest.raises(error, match=message):
        task_of_arrays(x, y, split, seed=0)
