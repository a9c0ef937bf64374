"""How well numbers tell two classes apart."""

import numpy as np

from phasenet.seeds import stream
from phasenet.trains.train import FloatArray, IntArray

# Of the mean variance of the features; fixes the directions that the shots leave open.
_RIDGE = 1e-3
# More features are mixed into so many first, so that a few thousand shots fix a linear readout.
_MOST_FEATURES = 256


def area_error(areas: FloatArray | float, second: IntArray) -> FloatArray:
    """Standard error of an area (Hanley and McNeil, Radiology 143, 29 (1982)), never zero.

    >>> print(f"{area_error(0.8, np.repeat([0, 1], 100)):.3f}")
    0.031
    """
    a = np.asarray(areas, dtype=np.float64)
    first, other = (second == 0).sum(), (second == 1).sum()
    spread = (first - 1) * (a / (2 - a) - a**2) + (other - 1) * (2 * a**2 / (1 + a) - a**2)
    variance = (a * (1 - a) + spread) / (first * other)
    # One pair in the wrong order, where there was none.
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)) + 1 / (first * other))


def discriminability(scores: FloatArray, second: IntArray) -> FloatArray:
    r"""Distance of the class means, :math:`d' = (m_1 - m_2) / \sqrt{(v_1 + v_2)/2}`, shape (...).

    Zero where both classes have no spread.

    >>> print(discriminability(np.array([3.0, 1.0, -1.0, -3.0]), np.array([0, 0, 1, 1])))
    4.0
    """
    one, other = scores[second == 0], scores[second == 1]
    spread = np.sqrt((one.var(axis=0) + other.var(axis=0)) / 2)
    apart = one.mean(axis=0) - other.mean(axis=0)
    return np.asarray(np.where(spread > 0, apart / np.where(spread > 0, spread, 1.0), 0.0))


def distance_error(distance: float, second: IntArray) -> float:
    r"""Standard error of a distance d' of Gaussian scores, :math:`\sqrt{n/n_1 n_2 + d'^2/2n}`.

    (Hedges and Olkin, Statistical Methods for Meta-Analysis (1985), section 5.)

    >>> print(f"{distance_error(1.0, np.repeat([0, 1], 100)):.3f}")
    0.150
    """
    first, other = int((second == 0).sum()), int((second == 1).sum())
    total = first + other
    return float(np.sqrt(total / (first * other) + distance**2 / (2 * total)))


def linear_scores(features: FloatArray, second: IntArray, seed: int) -> FloatArray:
    """Scores of a linear discriminant, each shot by one that was fitted on the other half of them.

    Parameters
    ----------
    features
        Shape (shots, features).
    second
        Whether a shot is of the second class.
    seed
        Of the halves.

    >>> rng = np.random.default_rng(0)
    >>> second = np.repeat([0, 1], 200)
    >>> features = rng.normal(size=(400, 3)) - 2.0 * second[:, None] * [1.0, 0.0, 0.0]
    >>> bool(discriminability(linear_scores(features, second, 0), second) > 1.4)
    True
    """
    rng = stream(seed, "insight", "readout")
    if features.shape[1] > _MOST_FEATURES:
        features = features @ rng.normal(size=(features.shape[1], _MOST_FEATURES))
    halves = np.empty(len(second), dtype=np.int64)
    for label in (0, 1):
        rows = np.flatnonzero(second == label)
        halves[rng.permutation(rows)] = np.arange(len(rows)) % 2
    scores = np.empty(len(second))
    for half in (0, 1):
        direction, middle = _discriminant(features[halves != half], second[halves != half])
        found = (features[halves == half] - middle) @ direction
        # Both halves on one scale, so that they may be ranked together.
        scores[halves == half] = found / (np.std(found) or 1.0)
    return scores


def _discriminant(features: FloatArray, second: IntArray) -> tuple[FloatArray, FloatArray]:
    """Fisher's direction and the point half way between the class means."""
    means = [features[second == label].mean(axis=0) for label in (0, 1)]
    inside = features - np.stack(means)[second]
    spread = inside.T @ inside / len(features)
    ridge = _RIDGE * np.trace(spread) / len(spread) + np.finfo(np.float64).tiny
    apart = means[0] - means[1]
    direction = np.linalg.solve(spread + ridge * np.eye(len(spread)), apart)
    return direction, (means[0] + means[1]) / 2
