"""Estimates from counts and ranks, and their errors."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def binomial_error(share: float, count: int) -> float:
    """Standard error of a share of independent trials, not zero where all trials agree.

    One success and one failure are added before the usual formula (Agresti and Coull, The American
    Statistician 52, 119 (1998)).

    Parameters
    ----------
    share
        Fraction of successes.
    count
        Number of trials.

    >>> print(f"{binomial_error(0.9, 100):.3f} {binomial_error(1.0, 100):.3f}")
    0.031 0.010
    """
    smoothed = (share * count + 1) / (count + 2)
    return math.sqrt(smoothed * (1 - smoothed) / count)


def area_under_curve(
    scores: NDArray[np.floating], positive: NDArray[np.bool_]
) -> NDArray[np.float64]:
    r"""Area under the ROC curve, :math:`P(x_+ > x_-) + P(x_+ = x_-)/2`.

    Parameters
    ----------
    scores
        Shape (shots, ...); each column by itself.
    positive
        Shape (shots,).

    Returns
    -------
    Shape (...); NaN where one of the two kinds is missing.

    >>> print(area_under_curve(np.array([3.0, 2.0, 2.0, 0.0]), np.array([1, 1, 0, 0], dtype=bool)))
    0.875
    """
    above, below = int(positive.sum()), int((~positive).sum())
    if not above or not below:
        return np.full(scores.shape[1:], math.nan)
    ranks = rankdata(scores, axis=0)
    return np.asarray((ranks[positive].sum(axis=0) - above * (above + 1) / 2) / (above * below))
