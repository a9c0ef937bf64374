"""What the bonds of a train and of the layers of a network hold of two classes, value by value."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from phasenet.insight.bond_shots import LabelledShots
from phasenet.insight.layer_bonds import ablated_layers
from phasenet.insight.separation import discriminability, linear_scores
from phasenet.insight.train_bonds import (
    BondView,
    bond_views,
    kept_values,
    uniform_spectra,
)
from phasenet.networks.functions import logits_function
from phasenet.networks.layers.spectra import BondSpectrum
from phasenet.statistics import area_under_curve
from phasenet.trains.train import FloatArray, TensorTrain

# Values of a bond that are shown and ablated one by one.
_LEADING = 6
AGREEMENT = 0.99
"""Share of decisions that a bond with fewer values has to keep."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainBond:
    """What one bond of the train holds, and what its values are worth.

    Parameters
    ----------
    uniform, data
        Spectra over all configurations, and in the measure of the shots.
    scale
        Norm of the data's Schmidt values, in units of the logits.
    kept
        Fewest values that keep the decision for 99 % of the shots.
    running, readout
        Area under the ROC curve of what the function is expected to be once the left part is
        known, and of the best linear readout of the left features.
    guess, guess_spread
        Mean and standard deviation of that expectation for each class, shape (2,).
    features
        Areas of the leading left features, shape (leading,).
    distances
        Distances of their class means, d'.
    means
        Their class means, shape (leading, 2).
    accuracy, gap
        Without each of the leading values: accuracy, and distance of the class means of the
        function.
    """

    uniform: BondSpectrum
    data: BondSpectrum
    scale: float
    kept: int
    running: float
    readout: float
    guess: FloatArray
    guess_spread: FloatArray
    features: FloatArray
    distances: FloatArray
    means: FloatArray
    accuracy: FloatArray
    gap: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerAblation:
    """What a network is without one index of one bond of one layer.

    Parameters
    ----------
    layer, bond, index
        The index, in the gauge that orders them by size, largest first.
    accuracy, gap
        Of the network, and distance of its class means.
    """

    layer: str
    bond: str
    index: int
    accuracy: float
    gap: float


def train_bonds(train: TensorTrain, shots: LabelledShots, seed: int) -> tuple[TrainBond, ...]:
    """What each inner bond of a scalar train holds, first to last.

    Parameters
    ----------
    train
        Logit of the first class less that of the second.
    shots
        Their measure is that of the data.
    seed
        Of the halves that readouts are fitted and tested on.
    """
    uniform = uniform_spectra(train)
    views = bond_views(train, shots.spins, shots.weights)
    return tuple(
        _train_bond(view, values, shots, seed) for view, values in zip(views, uniform, strict=True)
    )


def _train_bond(view: BondView, uniform: FloatArray, shots: LabelledShots, seed: int) -> TrainBond:
    weights, second = shots.weights, shots.second
    parts = view.parts
    whole = view.mean + parts.sum(axis=1)
    running = view.mean + view.left @ (view.values * (weights @ view.right))
    guesses = [running[second == k] for k in (0, 1)]
    leading = min(_LEADING, len(view.values))
    means = np.stack([view.left[second == k].mean(axis=0) for k in (0, 1)], axis=1)
    # A feature and its partner may change sign together: the first class has the larger mean.
    signs = np.where(means[:, 0] >= means[:, 1], 1.0, -1.0)
    features = (view.left * signs)[:, :leading]
    without = [accuracy_and_gap(whole - parts[:, k], shots) for k in range(leading)]
    return TrainBond(
        uniform=BondSpectrum.of(torch.from_numpy(uniform)),
        data=BondSpectrum.of(torch.from_numpy(view.values)),
        scale=float(np.linalg.norm(view.values)),
        kept=kept_values(view, AGREEMENT, weights),
        running=float(area_under_curve(running, second == 0)),
        readout=float(area_under_curve(linear_scores(view.left, second, seed), second == 0)),
        guess=np.asarray([each.mean() for each in guesses]),
        guess_spread=np.asarray([each.std() for each in guesses]),
        features=area_under_curve(features, second == 0),
        distances=discriminability(features, second),
        means=(means * signs[:, None])[:leading],
        accuracy=np.asarray([accuracy for accuracy, _ in without]),
        gap=np.asarray([gap for _, gap in without]),
    )


def accuracy_and_gap(values: FloatArray, shots: LabelledShots) -> tuple[float, float]:
    """Accuracy, and distance of the class means, of values that are positive for the first class.

    >>> shots = LabelledShots(
    ...     spins=np.zeros((2, 1), dtype=int),
    ...     second=np.array([0, 1]),
    ...     pair=(0, 1),
    ...     names=("a", "b"),
    ...     split="test",
    ... )
    >>> accuracy_and_gap(np.array([1.0, 0.5]), shots)
    (0.5, 0.5)
    """
    one = shots.second == 0
    accuracy = float(shots.weights @ ((values > 0) == one))
    return accuracy, float(values[one].mean() - values[~one].mean())


def layer_ablations(network: nn.Module, shots: LabelledShots) -> tuple[LayerAblation, ...]:
    """Accuracy and gap without each of the leading indices of each bond of each layer."""
    found = []
    for layer, bond, index, changed in ablated_layers(network, _LEADING):
        gaps = shots.gaps(logits_function(changed)(shots.spins))
        accuracy, gap = accuracy_and_gap(gaps, shots)
        found.append(LayerAblation(layer=layer, bond=bond, index=index, accuracy=accuracy, gap=gap))
    return tuple(found)
