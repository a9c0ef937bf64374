"""Intervals of shares and of areas under curves, where trials come in clusters."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.train import Array, IntArray

LEVEL = 0.95
"""Share of intervals that cover the truth."""


@dataclass(frozen=True)
class Estimate:
    """A number and its interval.

    Parameters
    ----------
    value, low, high
        All of one unit; NaN where there is none.

    >>> print(Estimate(0.75, 0.6, 0.85))
    0.750 (0.600 to 0.850)
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


def wilson_interval(share: float, count: float, *, deviate: float | None = None) -> Estimate:
    r"""Share of independent successes with its score interval.

    .. math:: \frac{p + z^2/2n \pm z \sqrt{p(1-p)/n + z^2/4n^2}}{1 + z^2/n}

    (Wilson, J. Am. Stat. Assoc. 22, 209 (1927)).

    Parameters
    ----------
    share
        Fraction of successes.
    count
        Number of trials, or an effective one.
    deviate
        Quantile z; None is the one of 95 %.

    >>> print(wilson_interval(0.5, 100))
    0.500 (0.404 to 0.596)
    """
    if not count > 0:
        raise SettingsError(f"an interval of a share has {count} trials; wanted at least one")
    z = float(norm.ppf(0.5 + LEVEL / 2)) if deviate is None else deviate
    width = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    middle, scale = share + z * z / (2 * count), 1 + z * z / count
    low, high = max(0.0, (middle - width) / scale), min(1.0, (middle + width) / scale)
    return Estimate(share, min(low, share), max(high, share))


def clustered_share(right: Array, clusters: IntArray, *, level: float = LEVEL) -> Estimate:
    r"""Share of successes with an interval for trials that come in clusters.

    The interval of Wilson with as many trials as independent ones would be needed for the same
    variance, :math:`n / \max(1, v / (p(1-p)/n))`, where v is the variance of the share between
    clusters, and with the quantile of Student's t for one degree of freedom less than there are
    clusters (Korn and Graubard, Survey Methodology 24, 193 (1998); Dean and Pagano, Stat. Med. 34,
    2856 (2015)). Where all trials agree, nothing is known of v, and each trial counts.

    Parameters
    ----------
    right
        Whether each trial succeeded, shape (trials,).
    clusters
        Number of the cluster of each trial.
    level
        Share of intervals that cover the truth.

    >>> right = np.repeat([1, 1, 0, 1], 5)
    >>> print(clustered_share(right, np.arange(20)))
    0.750 (0.510 to 0.896)
    >>> print(clustered_share(right, np.repeat(np.arange(4), 5)))
    0.750 (0.131 to 0.984)
    """
    found, members = np.asarray(right, dtype=np.float64), _numbered(clusters, len(right))
    count, share = len(found), float(found.mean())
    groups = int(members.max()) + 1
    if groups < 2:
        raise SettingsError("all trials are of one cluster, which gives no interval; wanted two")
    sums = np.bincount(members, weights=found - share)
    variance = groups / (groups - 1) * float(sums @ sums) / count**2
    single = share * (1 - share) / count
    design = max(1.0, variance / single) if single > 0 else 1.0
    deviate = float(student.ppf(0.5 + level / 2, groups - 1))
    return wilson_interval(share, count / design, deviate=deviate)


def bootstrapped(
    statistic: Callable[[IntArray], float],
    clusters: IntArray,
    rng: np.random.Generator,
    *,
    draws: int = 400,
    level: float = LEVEL,
) -> Estimate:
    """A statistic of all trials, with the percentile interval of whole clusters drawn again.

    Parameters
    ----------
    statistic
        Of the trials with these indices, some of them more than once; NaN where it has no value.
    clusters
        Number of the cluster of each trial.
    rng
        Draws the clusters.
    draws
        How many times.
    level
        Share of intervals that cover the truth.

    >>> values = np.arange(100.0)
    >>> mean = lambda rows: float(values[rows].mean())
    >>> print(f"{bootstrapped(mean, np.arange(100), np.random.default_rng(0)).value:.1f}")
    49.5
    """
    members = _numbered(clusters, len(clusters))
    order, sizes = np.argsort(members, kind="stable"), np.bincount(members)
    rows = np.split(order, np.cumsum(sizes)[:-1])
    values = []
    for _ in range(draws):
        drawn = rng.integers(len(rows), size=len(rows))
        values.append(statistic(np.concatenate([rows[k] for k in drawn])))
    finite = np.asarray(values)[np.isfinite(values)]
    whole = statistic(np.arange(len(members)))
    if len(finite) < draws // 2:
        return Estimate(whole, math.nan, math.nan)
    low, high = np.quantile(finite, [0.5 - level / 2, 0.5 + level / 2])
    return Estimate(whole, min(float(low), whole), max(float(high), whole))


def _numbered(clusters: IntArray, count: int) -> IntArray:
    """Clusters as numbers from 0 without gaps."""
    if len(clusters) != count or count == 0:
        raise ShapeError(f"{count} trials have {len(clusters)} clusters; wanted one for each")
    return np.asarray(np.unique(clusters, return_inverse=True)[1])
