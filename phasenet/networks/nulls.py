"""What a classifier must be measured against: what local features alone can tell."""

from collections.abc import Callable

import numpy as np
import torch

from phasenet.networks.readings import Readings
from phasenet.shots import Snapshots
from phasenet.trains.train import Array, FloatArray

_RIDGE = 1e-4
_MAX_STEPS = 200
# Shots that are counted at once, so that millions of them need no copy in a wider type.
_BLOCK = 65536


def local_features(spins: Array, site_dim: int) -> FloatArray:
    """Densities of each local state and of each pair of neighbouring local states.

    Parameters
    ----------
    spins
        Local states, shape (shots, sites).
    site_dim
        Number of local states d.

    Returns
    -------
    Shape (shots, d + d^2): every one-site and nearest-neighbour observable of the measured basis,
    averaged over the chain, is a linear function of them.

    >>> local_features(np.array([[0, 1, 0, 1]]), 2).round(2).tolist()
    [[0.5, 0.5, 0.0, 0.67, 0.33, 0.0]]
    """
    if len(spins) > _BLOCK:
        blocks = range(0, len(spins), _BLOCK)
        return np.concatenate([local_features(spins[k : k + _BLOCK], site_dim) for k in blocks])
    sites = spins.shape[1]
    pairs = spins[:, :-1].astype(np.int64) * site_dim + spins[:, 1:]
    single = np.stack([(spins == s).sum(axis=1) / sites for s in range(site_dim)], axis=1)
    double = np.stack([(pairs == p).sum(axis=1) for p in range(site_dim**2)], axis=1) / (sites - 1)
    return np.concatenate([single, double], axis=1)


def fit_local_classifier(snapshots: Snapshots, readings: Readings) -> Callable[[Array], FloatArray]:
    """Logistic regression on local features of the split ``train``; returns its logits.

    Classes are balanced by weight; the ridge term only fixes the directions that the data leaves
    open. A lost site counts as one more local state, and so does each state in another basis: the
    logits are those of such readings.
    """
    chosen = snapshots.in_split("train")
    features = local_features(readings.of(snapshots, chosen), readings.count)
    centre, width = features.mean(axis=0), features.std(axis=0) + 1e-12
    x = torch.from_numpy((features - centre) / width)
    y = torch.from_numpy(snapshots.label_index[chosen])
    classes = len(snapshots.head.classes)
    loss = torch.nn.CrossEntropyLoss(weight=class_balance(y, classes).double())
    weights = torch.zeros(x.shape[1] + 1, classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights], max_iter=_MAX_STEPS, tolerance_grad=1e-7, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value: torch.Tensor = loss(x @ weights[1:] + weights[0], y)
        value = value + _RIDGE * (weights[1:] ** 2).sum()
        torch.autograd.backward(value)
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    fitted = weights.detach().numpy()

    def logits(spins: Array) -> FloatArray:
        scaled = (local_features(spins, readings.count) - centre) / width
        return np.asarray(scaled @ fitted[1:] + fitted[0])

    return logits


def class_balance(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Weight of each class that makes all classes count the same, shape (classes,)."""
    counts = torch.bincount(labels, minlength=classes).float()
    return counts.sum() / (classes * counts)
