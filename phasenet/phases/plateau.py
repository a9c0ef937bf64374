r"""String orders of open chains at large distance, with the error that is left.

The strings lie symmetrically about the middle. From the outermost pair inwards they lose what the
ends of the chain add, and gain what short distances add: about
:math:`O + A e^{-r/\xi} + B e^{-i/\zeta}` at the distance r from site i. The second-order Shanks
transformation (J. Math. Phys. 34, 1 (1955)) of five equally spaced values removes both.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phasenet.criteria import StringOrder
from phasenet.phases.estimates import Estimate
from phasenet.phases.string_walk import closings, real
from phasenet.trains.form import StateForm
from phasenet.trains.train import FloatArray, IntArray

_FEWEST = 5
# Values that differ by less are rounding errors.
_FLAT_ATOL = 1e-13
# Slower, it cannot be told from a slope.
_SLOWEST_DECAY = 0.8
# What alternates from site to site differs more between neighbours than between next neighbours.
_ALTERNATION = 4.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SymmetricStrings:
    """Values of strings about the middle of a chain, from the ends inwards.

    Parameters
    ----------
    firsts, distances
        Sites where they start, and from there to where the right ends begin.
    values
        With the factor of the string.
    """

    firsts: IntArray
    distances: IntArray
    values: FloatArray


def symmetric_strings(form: StateForm, string: StringOrder) -> SymmetricStrings:
    """Strings that start as far from the left end as they end from the right end, or nearly so.

    >>> from phasenet.phases.exact import aklt_chain
    >>> from phasenet.trains.form import state_form
    >>> string = StringOrder.parse("Sz [Rz] Sz", factor=-1.0)
    >>> found = symmetric_strings(state_form(aklt_chain(6)), string)
    >>> print(found.distances.tolist(), found.values.round(3).tolist())
    [5, 3, 1] [0.449, 0.449, 0.449]
    """
    ends = {}
    for first in range(string.start, form.length // 2, string.period):
        most = form.length - first - len(string.right) - first - len(string.left)
        if most >= 0:
            ends[first] = first + len(string.left) + most - most % len(string.inside)
    values = dict.fromkeys(ends, math.nan)
    for closing in closings(form, string, {k: range(end, end + 1) for k, end in ends.items()}):
        values.update(zip(closing.starts, string.factor * real(closing.values), strict=True))
    return SymmetricStrings(
        firsts=np.asarray(list(ends), dtype=np.int64),
        distances=np.asarray([end - first for first, end in ends.items()], dtype=np.int64),
        values=np.asarray(list(values.values()), dtype=np.float64),
    )


def plateau(form: StateForm, string: StringOrder) -> Estimate:
    """String order of an open chain at large distance.

    The value is the median of Shanks transforms near the flattest place. The error is the largest
    of: how far that is from the flattest string itself, how much strings vary about it, how much it
    changes if it is shifted along the chain, the spread of the transforms, and how far a decay seen
    at shorter distances would still go. Close to a transition all of them are large.

    Parameters
    ----------
    form
        Open chain.
    string
        What is measured.

    >>> from phasenet.phases.exact import aklt_chain
    >>> from phasenet.trains.form import state_form
    >>> print(plateau(state_form(aklt_chain(32)), StringOrder.parse("Sz [Rz] Sz", factor=-1.0)))
    0.44444444, plateau of 19 .. 27 sites
    """
    found = symmetric_strings(form, string)
    if len(found.values) < _FEWEST:
        return Estimate(
            value=math.nan,
            error=math.nan,
            method=f"the chain of {form.length} sites has {len(found.values)} strings about its "
            f"middle, and a plateau needs {_FEWEST}",
        )
    found, note = _of_one_sublattice(found)
    values, width = found.values, max(2, len(found.values) // 8)
    place = _flattest(values, width)
    window = slice(max(0, place - width), place + width + 1)
    beside = _shifted(form, string, found, place, width)
    transforms = np.asarray([values[place], *_transforms(values, place, width)])
    value = float(np.median(transforms))
    low, high = np.quantile(transforms, (0.16, 0.84))
    errors = (
        abs(value - values[place]),
        np.abs(np.concatenate([values[window], beside]) - values[place]).max(),
        (high - low) / 2,
        _decay_ahead(values, place, width),
    )
    error = float(max(errors))
    distances = found.distances[window]
    return Estimate(
        value=value + 0.0,
        error=error if error > _FLAT_ATOL else 0.0,
        method=f"plateau of {distances.min()} .. {distances.max()} sites{note}",
    )


def _of_one_sublattice(found: SymmetricStrings) -> tuple[SymmetricStrings, str]:
    """Strings from every second place only, if they alternate, and words that say so."""
    values = found.values
    near, far = (float(np.median(np.abs(values[k:] - values[:-k]))) for k in (1, 2))
    if len(values) < 2 * _FEWEST or near <= max(_ALTERNATION * far, _FLAT_ATOL):
        return found, ""
    chosen = SymmetricStrings(
        firsts=found.firsts[::2], distances=found.distances[::2], values=values[::2]
    )
    others = float(np.median(values[1::2]))
    start, step = int(chosen.firsts[0]), int(chosen.firsts[1] - chosen.firsts[0])
    return chosen, f" from sites {start} modulo {step}; others have {others + 0.0:.4g}"


def _flattest(values: FloatArray, width: int) -> int:
    """Place where the values change least over twice a width."""
    change = np.abs(values[2 * width :] - values[: -2 * width])
    return width + int(np.argmin(change)) if len(change) else len(values) // 2


def _shifted(
    form: StateForm, string: StringOrder, found: SymmetricStrings, place: int, width: int
) -> FloatArray:
    """Values of one of the strings, shifted to both sides by as many places as a width."""
    first, distance = int(found.firsts[place]), int(found.distances[place])
    shift = first - int(found.firsts[max(0, place - width)])
    shift -= shift % string.period
    spans = {
        start: range(start + distance, start + distance + 1)
        for start in (first - shift, first + shift)
        if start + distance + len(string.right) <= form.length
    }
    values = [string.factor * real(closing.values) for closing in closings(form, string, spans)]
    return np.concatenate(values) if values else np.zeros(0)


def _decay_ahead(values: FloatArray, place: int, width: int) -> float:
    """How far values would still fall if they decayed on as they did at shorter distances."""
    width = min(width, (len(values) - 1 - place) // 2)
    if width < 1:
        return 0.0
    before, last = np.abs(np.diff(values[place : place + 2 * width + 1 : width]))[::-1]
    rate = min(last / before, _SLOWEST_DECAY) if before > 0.0 else 0.0
    return float(last * rate / (1.0 - rate))


def _transforms(values: FloatArray, place: int, width: int) -> Iterator[float]:
    """Second-order Shanks transforms about a place, with several spacings."""
    for spacing in range(1, max(2, width + 1)):
        for middle in range(place - 2, place + 3):
            first, last = middle - 2 * spacing, middle + 2 * spacing
            if first < 0 or last >= len(values):
                continue
            found = shanks(values[first : last + 1 : spacing])
            if math.isfinite(found):
                yield found


def shanks(values: FloatArray) -> float:
    r"""Constant c of a sequence :math:`c + A u^k + B v^k`, k = 0 .. 4; NaN if it has none.

    >>> k = np.arange(5)
    >>> print(f"{shanks(0.5 + 0.3**k - 0.01 * 2.0**k):.6f}")
    0.500000
    """
    d = np.diff(values)
    determinant = d[1] * d[1] - d[0] * d[2]
    p, q = d[2] * d[1] - d[0] * d[3], d[1] * d[3] - d[2] * d[2]
    rest = determinant - p - q
    if abs(rest) <= 1e-12 * np.abs(d).max() ** 2:
        return math.nan
    return float((determinant * values[2] - p * values[1] - q * values[0]) / rest)
