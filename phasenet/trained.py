"""A trained classifier as plain values: its networks, their scores, how far to trust them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from phasenet.trains.train import Array, FloatArray, IntArray


@dataclass(frozen=True, kw_only=True)
class Score:
    """Accuracy of one classifier on one split, with its binomial standard error.

    Parameters
    ----------
    classifier
        ``network``: the network, or the mean over those of several seeds, which are ``network 1``,
        ``network 2`` and so on; ``ensemble``: their mean probability; or the name of a null.
    split
        Of the dataset, or a part of one.
    accuracy, error, shots
        Share of right decisions, its standard error for that many shots, and how many.
    spread
        Standard deviation over seeds; NaN where there is one network only.
    """

    classifier: str
    split: str
    accuracy: float
    error: float
    shots: int
    spread: float = math.nan


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """One trained network.

    Parameters
    ----------
    weights
        Arrays by name.
    history
        Curves by name, each of shape (epochs,).
    outcome
        Why training stopped, a sentence.
    """

    weights: Mapping[str, Array]
    history: Mapping[str, FloatArray]
    outcome: str

    @property
    def best_epoch(self) -> int:
        """Epoch that the weights are of, counted from 1: that of the least validation loss."""
        losses = self.history.get("validation_loss", np.zeros(0))
        return 1 + int(np.nanargmin(losses)) if np.isfinite(losses).any() else 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Reliability:
    """How often a classifier is right where it says how sure it is, in bins of confidence.

    Parameters
    ----------
    confidence, accuracy
        Mean probability of the class decided for, and share of right decisions, shape (bins,).
    shots
        Shots of each bin, shape (bins,).
    """

    confidence: FloatArray
    accuracy: FloatArray
    shots: IntArray

    @property
    def error(self) -> float:
        r"""Expected calibration error :math:`\sum_b n_b |a_b - c_b| / n` (arXiv:1706.04599).

        >>> bins = {"confidence": np.array([0.8, 0.9]), "accuracy": np.array([0.8, 0.7])}
        >>> print(f"{Reliability(**bins, shots=np.array([5, 15])).error:.3f}")
        0.150
        """
        return self._mean(np.abs(self.accuracy - self.confidence))

    @property
    def floor(self) -> float:
        r"""What chance alone leaves of the error of a perfectly calibrated classifier.

        The mean modulus of a binomial deviation, :math:`\sqrt{2 c_b (1 - c_b) / \pi n_b}`.
        """
        variance = self.confidence * (1 - self.confidence) / np.maximum(self.shots, 1)
        return self._mean(np.sqrt(2 * np.clip(variance, 0, None) / np.pi))

    def _mean(self, values: FloatArray) -> float:
        total = self.shots.sum()
        return float((self.shots * values).sum() / total) if total else math.nan


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """Temperature that logits are divided by, and what that does to the confidence.

    Parameters
    ----------
    temperature
        Above 1: the network is too sure of itself. Fitted on the split ``validation``.
    before, after
        On the split ``test``.
    """

    temperature: float
    before: Reliability
    after: Reliability


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Settings that a search tried, and how the network did on the split ``validation``.

    Parameters
    ----------
    values
        The settings that were varied.
    validation_loss, validation_accuracy
        At the best epoch.
    epochs
        Until training stopped.
    parameters
        Number of weights.
    """

    values: Mapping[str, Any]
    validation_loss: float
    validation_accuracy: float
    epochs: int
    parameters: int


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedNetwork:
    """A classifier as plain arrays.

    Parameters
    ----------
    architecture
        Plain values that rebuild the network, ``kind`` among them.
    weights
        Arrays by name; of several networks those of the first, which later steps use.
    classes
        Labels in the order of the outputs.
    history
        Curves by name, each of shape (epochs,).
    scores
        Accuracies of the network and of the nulls.
    outcome
        Why training stopped, a sentence.
    members
        Networks of further seeds.
    calibrations
        Of the ``network`` and, of several, of the ``ensemble``.
    cross_validation
        Accuracies on each region of the couplings by networks that were trained without it; the
        split of a score is the name of the region.
    candidates
        What a search tried; empty without one.
    settings
        Settings of the training that gave the weights; empty in older files.
    flops
        Multiplications and additions for one shot; NaN where it was not counted.
    """

    architecture: Mapping[str, Any]
    weights: Mapping[str, Array]
    classes: tuple[str, ...]
    history: Mapping[str, FloatArray]
    scores: tuple[Score, ...]
    outcome: str
    members: tuple[Member, ...] = ()
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    cross_validation: tuple[Score, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    flops: float = math.nan

    @property
    def all_members(self) -> tuple[Member, ...]:
        """Networks of all seeds, the first one among them."""
        first = Member(weights=self.weights, history=self.history, outcome=self.outcome)
        return (first, *self.members)

    @property
    def parameters(self) -> int:
        """Number of weights of one network."""
        return sum(array.size for array in self.weights.values())

    @property
    def temperature(self) -> float:
        """What the logits are to be divided by; 1 where the network was not calibrated."""
        found = self.calibrations.get("network")
        return 1.0 if found is None else found.temperature
