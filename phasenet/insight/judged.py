"""Decisions of several classifiers on the same shots, compared shot by shot."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from phasenet.errors import ShapeError
from phasenet.statistics import binomial_error
from phasenet.trains.train import Array, FloatArray, IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """What classifiers decided on some shots.

    Parameters
    ----------
    name
        Of the shots.
    truth
        Class of each shot.
    decisions
        Of each classifier by its name, -1 where it has none, shape (shots,).
    """

    name: str
    truth: IntArray
    decisions: Mapping[str, IntArray]

    def __post_init__(self) -> None:
        for name, found in self.decisions.items():
            if found.shape != self.truth.shape:
                raise ShapeError(
                    f"decisions of {name} have shape {found.shape}; wanted {self.truth.shape}, one "
                    f"for each shot of {self.name}"
                )

    def accuracy(self, judge: str) -> tuple[float, float]:
        """Share of right decisions and its standard error, NaN where it decided nothing."""
        known = self._known(judge)
        if not known.any():
            return float("nan"), float("nan")
        share = float((self.decisions[judge] == self.truth)[known].mean())
        return share, binomial_error(share, int(known.sum()))

    def recall(self, judge: str, number: int) -> tuple[float, float]:
        """Share of right decisions on the shots of one class and its standard error."""
        own = self.truth == number
        part = Judged(
            name=self.name,
            truth=self.truth[own],
            decisions={judge: self.decisions[judge][own]} if judge in self.decisions else {},
        )
        return part.accuracy(judge)

    def lead(self, judge: str, other: str) -> tuple[float, float]:
        """Accuracy of one classifier less that of another on the same shots.

        The error is that of a mean of differences: what both get right or wrong does not count.
        """
        known = self._known(judge) & self._known(other)
        if known.sum() < 2:
            return float("nan"), float("nan")
        return _mean((self._right(judge) - self._right(other))[known])

    def share_closed(self, judge: str, low: str, high: str) -> tuple[float, float]:
        """Share of the way from the accuracy of one classifier to that of another.

        The error is that of a ratio of means over shots to first order; NaN where the two others
        do not differ.
        """
        known = self._known(judge) & self._known(low) & self._known(high)
        if known.sum() < 2:
            return float("nan"), float("nan")
        gained, open_ = (self._right(n)[known] - self._right(low)[known] for n in (judge, high))
        whole = float(open_.mean())
        if whole == 0.0:
            return float("nan"), float("nan")
        share = float(gained.mean()) / whole
        _, error = _mean(gained - share * open_)
        return share, error / abs(whole)

    def sides(self, judge: str, one: str, other: str) -> tuple[float, float, int]:
        """Where two classifiers disagree: how often a third one decides as the first, and how many.

        Decisions for neither do not count.
        """
        known = self._known(judge) & self._known(one) & self._known(other)
        mine, first, second = (self.decisions.get(n, self.truth) for n in (judge, one, other))
        known &= (first != second) & ((mine == first) | (mine == second))
        count = int(known.sum())
        if count == 0:
            return float("nan"), float("nan"), 0
        share = float((mine == first)[known].mean())
        return share, binomial_error(share, count), count

    def _known(self, judge: str) -> Array:
        found = self.decisions.get(judge)
        return np.zeros(len(self.truth), dtype=bool) if found is None else found >= 0

    def _right(self, judge: str) -> FloatArray:
        return np.asarray(self.decisions[judge] == self.truth, dtype=np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking:
    """How well a number tells shots of a first class from those of a second, at any threshold.

    Parameters
    ----------
    area
        Probability that it is larger for a shot of the first class than for one of the second, ties
        halved: the area under the receiver operating characteristic.
    first, second
        For each shot of either class, the share of the other class that it is ranked rightly to.
    """

    area: float
    first: FloatArray
    second: FloatArray

    @property
    def error(self) -> float:
        """Standard error of the area (DeLong et al., Biometrics 44, 837 (1988))."""
        return _placement_error(self.first, self.second)

    def lead(self, other: "Ranking") -> tuple[float, float]:
        """Area less that of another number on the same shots, and its standard error."""
        error = _placement_error(self.first - other.first, self.second - other.second)
        return self.area - other.area, error


def ranking(values: FloatArray, is_first: Array) -> Ranking:
    """Ranking of shots by a number.

    Parameters
    ----------
    values
        Of each shot, without NaN.
    is_first
        Whether a shot is of the first class; both classes have two shots or more.

    >>> found = ranking(np.array([3.0, 2.0, 2.0, 1.0]), np.array([True, True, False, False]))
    >>> print(f"{found.area:.3f}")
    0.875
    """
    is_first = np.asarray(is_first, dtype=bool)
    one, two = values[is_first], values[~is_first]
    ranks = rankdata(values)
    first = (ranks[is_first] - rankdata(one)) / len(two)
    second = 1 - (ranks[~is_first] - rankdata(two)) / len(one)
    return Ranking(area=float(first.mean()), first=first, second=second)


def _mean(values: FloatArray) -> tuple[float, float]:
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def _placement_error(first: FloatArray, second: FloatArray) -> float:
    return float(np.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second)))
