"""How sure a classifier may be of itself: one temperature, and the error of its confidence."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from phasenet.trained import Calibration, Reliability
from phasenet.trains.train import FloatArray, IntArray

BINS = 15
"""Bins of confidence that hold equally many shots, save for shots of equal confidence."""
_LARGEST_LOG = 7.0


def fitted_temperature(logits: FloatArray, truth: IntArray) -> float:
    r"""Temperature T at which softmax(logits / T) fits the labels best.

    It minimises the negative log-likelihood, convex in 1/T (Guo et al., arXiv:1706.04599), of
    smoothed labels: a share :math:`(C - 1) / (n + C)` of each of n labels goes to the other of C
    classes (Platt, Advances in Large Margin Classifiers (1999)). So there is an optimum even where
    all decisions are right, and many shots leave nothing of it.

    Parameters
    ----------
    logits
        Shape (shots, classes).
    truth
        Class of each shot.

    >>> rng = np.random.default_rng(0)
    >>> logits = np.stack([rng.normal(0, 2, 20000), np.zeros(20000)], axis=1)
    >>> truth = (rng.random(20000) > 1 / (1 + np.exp(-logits[:, 0]))).astype(int)
    >>> print(f"{fitted_temperature(3 * logits, truth):.1f}")
    3.0
    """
    shots, classes = logits.shape
    moved = (classes - 1) / (shots + classes)
    shares = np.full(logits.shape, moved / (classes - 1))
    shares[np.arange(shots), truth] = 1 - moved

    def loss(log_temperature: float) -> float:
        return float(-(shares * log_softmax(logits * np.exp(-log_temperature), axis=1)).sum())

    found = minimize_scalar(
        loss, bounds=(-_LARGEST_LOG, _LARGEST_LOG), method="bounded", options={"xatol": 1e-6}
    )
    return float(np.exp(found.x))


def reliability(probabilities: FloatArray, truth: IntArray, bins: int = BINS) -> Reliability:
    """How often the most probable class is right, in bins of its probability.

    Parameters
    ----------
    probabilities
        Shape (shots, classes).
    truth
        Class of each shot.
    bins
        As many at most; their edges are quantiles, so that each holds as many shots.

    >>> sure = np.array([[0.9, 0.1], [0.9, 0.1]])
    >>> reliability(sure, np.array([0, 1])).accuracy.tolist()
    [0.5]
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    # Equal values stay together: their order is that of the points, and so of the classes.
    edges = np.zeros(0)
    if len(truth):
        edges = np.unique(np.quantile(confidence, np.arange(1, bins) / bins))
    member = np.searchsorted(edges, confidence, side="right")
    counts = np.bincount(member, minlength=len(edges) + 1)
    filled = counts > 0
    sums = [np.bincount(member, v, len(edges) + 1)[filled] for v in (confidence, right)]
    means = [values / counts[filled] for values in sums]
    return Reliability(confidence=means[0], accuracy=means[1], shots=counts[filled])


def calibrated(
    validation: tuple[FloatArray, IntArray], test: tuple[FloatArray, IntArray]
) -> Calibration:
    """Temperature from logits and classes of one split, and what it does to those of another."""
    temperature = fitted_temperature(*validation)
    logits, truth = test
    return Calibration(
        temperature=temperature,
        before=reliability(softmax(logits, axis=1), truth),
        after=reliability(softmax(logits / temperature, axis=1), truth),
    )
