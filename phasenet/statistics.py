"""Errors of estimates from counts."""

import math


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
