"""What a network is trained and judged on, and a network with ways to make its relatives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.nulls import class_balance
from phasenet.seeds import stream
from phasenet.trains.train import Array

Network = tuple[nn.Module, dict[str, Any]]
SPLITS = ("train", "validation", "test")
_SHARES = (0.7, 0.15, 0.15)


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """Inputs and the index of the class of each.

    Parameters
    ----------
    x
        As the network takes them, the first axis over shots.
    y
        int64, shape (shots,).
    """

    x: torch.Tensor
    y: torch.Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Task:
    """Three splits of labelled inputs.

    Parameters
    ----------
    train
        What networks are tuned on.
    validation
        What candidates are chosen by.
    test
        What is reported, of points or inputs that nothing was chosen by.
    classes
        Number of classes.
    """

    train: Labelled
    validation: Labelled
    test: Labelled
    classes: int

    @property
    def balance(self) -> torch.Tensor:
        """Weight of each class that makes all count the same in training, shape (classes,)."""
        return class_balance(self.train.y, self.classes)

    @property
    def shots(self) -> tuple[int, int, int]:
        """Shots of each split."""
        return len(self.train.y), len(self.validation.y), len(self.test.y)


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A trained network that is to be compressed.

    Parameters
    ----------
    network
        In evaluation mode; it is never changed.
    dense
        The same function with dense layers only, which is what is decomposed.
    architecture
        Plain values that rebuild it; tensorized layers are added to them.
    narrowed
        Untrained network of the same kind with a share of the widths, and its architecture; None
        if nobody knows how to make one.
    """

    network: nn.Module
    dense: nn.Module
    architecture: Mapping[str, Any]
    narrowed: Callable[[float], Network] | None


def task_of_arrays(x: Array, y: Array, split: Array | None, *, seed: int) -> Task:
    """Task of plain arrays.

    Parameters
    ----------
    x
        Inputs, the first axis over shots: integers, or floats that become float32.
    y
        Index of the class of each, whole numbers from 0.
    split
        Name of the split of each, or 0, 1, 2 for train, validation, test. Without it, seven of ten
        shots are for training and the rest is halved, all at random.
    seed
        Of that choice.

    Raises
    ------
    ShapeError, SettingsError
        The arrays do not fit together, or a split is empty or lacks a class.

    >>> x, y = np.zeros((20, 3)), np.arange(20) % 2
    >>> task_of_arrays(x, y, None, seed=0).shots
    (14, 3, 3)
    """
    if x.ndim < 2 or y.shape != x.shape[:1]:
        raise ShapeError(f"x has shape {x.shape} and y {y.shape}; wanted (shots, ...) and (shots,)")
    if y.dtype.kind not in "iu" or y.size == 0 or y.min() < 0:
        raise SettingsError(f"y is of {y.dtype}; wanted the index of a class, from 0, of each shot")
    if x.dtype.kind not in "fiu":
        raise SettingsError(f"x is of {x.dtype}; wanted floats or integers")
    parts = _members(len(y), split, seed)
    classes = int(y.max()) + 1
    lacking = set(range(classes)) - set(y[parts[0]].tolist())
    if classes < 2 or lacking:
        raise SettingsError(
            f"the training shots have {classes - len(lacking)} of {classes} classes; wanted all, "
            "and at least two"
        )
    inputs = torch.from_numpy(np.ascontiguousarray(x, np.float32 if x.dtype.kind == "f" else None))
    labels = torch.from_numpy(y.astype(np.int64))
    made = [Labelled(x=inputs[part], y=labels[part]) for part in parts]
    return Task(train=made[0], validation=made[1], test=made[2], classes=classes)


def _members(shots: int, split: Array | None, seed: int) -> list[Array]:
    if split is None:
        order = stream(seed, "compress", "split").permutation(shots)
        ends = np.cumsum(np.round(np.asarray(_SHARES[:2]) * shots).astype(int))
        return list(np.split(order, ends))
    if split.shape != (shots,):
        raise ShapeError(f"split has shape {split.shape}; wanted ({shots},), one entry a shot")
    names: list[Any] = list(SPLITS) if split.dtype.kind in "US" else [0, 1, 2]
    parts = [np.flatnonzero(split.astype(str) == str(name)) for name in names]
    missing = [name for name, part in zip(SPLITS, parts, strict=True) if len(part) == 0]
    if missing:
        raise SettingsError(
            f"no shot has the split {' or '.join(missing)}; wanted {', '.join(SPLITS)}, or 0, 1, 2"
        )
    return parts
