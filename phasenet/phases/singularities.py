r"""Critical points from power laws: where a correlation length diverges, where an order sets in.

.. math:: \ln y = \ln A_\pm + p \ln |g - g_c| + b (g - g_c)

with one amplitude for each side, one exponent, and the first analytic correction to scaling, which
removes most of the bias of points that are not close. All but :math:`g_c` is linear; so that the
fit is a search along one line.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from phasenet.phases.estimates import Estimate, shown
from phasenet.phases.peaks import few_points_factor
from phasenet.trains.train import FloatArray

_SCAN = 200
_MOST_POINTS = 7  # on each side: what is farther says less of the critical point
_LEAST_POINTS = 7
# Longer ones are cut by the bond dimension of the state.
_TRUSTED_SHARE = 0.5
_EXPONENTS = (0.2, 6.0)
_ONSET_EXPONENTS = (0.02, 6.0)
SMALLEST_ORDER = 1e-6
"""Smaller orders are rounding noise of ground states."""

# An order that is smaller than this part of its largest value is no longer there.
_GONE = 1e-3
# An order that has fallen less may as well jump.
_LEAST_FALL = 0.8
_WITHOUT_ONE_END = (slice(1, None), slice(None, -1))
# An estimate whose error is a larger part of its line says nothing.
_LARGEST_ERROR = 0.25


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """Fitted power law with an unknown critical point, each number with its standard error."""

    location: float
    error: float
    exponent: float
    exponent_error: float
    points: int


def divergence(x: FloatArray, lengths: FloatArray) -> Estimate | None:
    r"""Point where a correlation length diverges as :math:`|g - g_c|^{-\nu}`, from both its sides.

    Lengths above half of the longest are left out: there the bond dimension has cut them. The error
    is the standard error of the fit or how far it moves without the outer third of its points and
    without the longest length, whichever is larger.

    Parameters
    ----------
    x
        Couplings, rising.
    lengths
        Correlation lengths, in sites.

    Returns
    -------
    None with fewer than three points on a side or seven in all, or where no power law fits.

    >>> h = np.array([0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1.03, 1.1, 1.2, 1.3, 1.4, 1.5])
    >>> print(f"{divergence(h, 1 / np.abs(np.log(h))).value:.2f}")
    1.00
    """
    known = np.isfinite(lengths) & (lengths > 0.0)
    x, lengths = x[known], lengths[known]
    if len(x) < 3:
        return None
    top = int(np.argmax(lengths))
    trusted = np.flatnonzero(lengths <= _TRUSTED_SHARE * lengths[top])
    left, right = trusted[trusted < top][-_MOST_POINTS:], trusted[trusted > top][:_MOST_POINTS]
    if min(len(left), len(right)) < 3 or len(left) + len(right) < _LEAST_POINTS:
        return None
    ends = float(x[left[-1]]), float(x[right[0]])
    inverse = -np.log(lengths)
    rows = np.concatenate([left, right])
    law = _fit(x[rows], inverse[rows], ends, two_sided=True)
    if law is None or not _EXPONENTS[0] < law.exponent < _EXPONENTS[1]:
        return None
    parts = [
        np.concatenate([left[len(left) // 3 :], right[: len(right) - len(right) // 3]]),
        np.setdiff1d(rows, max(left[-1], right[0], key=lambda row: lengths[row])),
    ]
    moved = [_fit(x[part], inverse[part], ends, two_sided=True) for part in parts]
    return _estimate(law, moved, "nu", float(np.ptp(x)))


def onset(x: FloatArray, values: FloatArray) -> Estimate | None:
    r"""Point where an order sets in as :math:`|g - g_c|^p`; beyond it, it is gone.

    The critical point is sought between the last point with the order and twice as far as the first
    without it. The error is the standard error of the fit or how far it moves without its outermost
    and without its innermost point, which the bond dimension has rounded most, whichever is larger.

    Parameters
    ----------
    x
        Couplings, rising.
    values
        Order parameter, positive on one side.

    Returns
    -------
    None if the order is not gone on exactly one side, has fewer than seven points on the other,
    has fallen by less than a fifth there, or follows no power law.

    >>> h = np.array([0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1.03, 1.1])
    >>> print(f"{onset(h, np.maximum(1 - h**2, 0.0) ** 0.125).value:.2f}")
    1.00
    """
    known = np.isfinite(values)
    x, values = x[known], values[known]
    if len(x) < _LEAST_POINTS + 1 or values.max() < SMALLEST_ORDER:
        return None
    gone = values < _GONE * values.max()
    if gone[0] and not gone[-1]:
        mirrored = onset(-x[::-1], values[::-1])
        if mirrored is None:
            return None
        return Estimate(value=-mirrored.value, error=mirrored.error, method=mirrored.method)
    count = int(np.argmax(gone))
    if gone[0] or not gone[count:].all():
        return None
    rows = np.arange(count)[-_MOST_POINTS:]
    if len(rows) < _LEAST_POINTS:
        return None
    if values[count - 1] > _LEAST_FALL * values[rows].max():
        return None
    ends = float(x[count - 1]), float(2 * x[count] - x[count - 1])
    logs = np.log(values[rows])
    law = _fit(x[rows], logs, ends, two_sided=False)
    if law is None or not _ONSET_EXPONENTS[0] < law.exponent < _ONSET_EXPONENTS[1]:
        return None
    moved = [_fit(x[rows][part], logs[part], ends, two_sided=False) for part in _WITHOUT_ONE_END]
    return _estimate(law, moved, "exponent", float(np.ptp(x)))


def _estimate(
    law: PowerLaw, moved: list[PowerLaw | None], name: str, width: float
) -> Estimate | None:
    shifts = [other.location - law.location for other in moved if other is not None]
    # A fit that breaks down without one point stands on that point alone.
    alone = law.error if len(shifts) < len(moved) else 0.0
    # Noise moves the fit as well: so the shifts are no further contribution, but another estimate.
    shift = max(map(abs, shifts), default=0.0)
    error = math.hypot(max(law.error, shift), alone)
    if not error < _LARGEST_ERROR * width:
        return None
    exponent = shown(law.exponent, law.exponent_error)
    return Estimate(
        value=law.location, error=error, method=f"{name} = {exponent}, {law.points} points"
    )


def _fit(
    x: FloatArray, logs: FloatArray, ends: tuple[float, float], *, two_sided: bool
) -> PowerLaw | None:
    """Least squares over all critical points between the ends; None if an end is the best."""
    freedom = len(x) - (5 if two_sided else 4)
    if freedom < 1:
        return None

    def misfit(critical: float) -> float:
        columns = _columns(x, critical, two_sided)
        residual = logs - columns @ np.linalg.lstsq(columns, logs, rcond=None)[0]
        return float(residual @ residual)

    grid = np.linspace(*ends, _SCAN + 2)[1:-1]
    best = int(np.argmin([misfit(g) for g in grid]))
    if best in (0, _SCAN - 1):
        return None
    # Of a difference of two ends only, scipy's tolerance would be absolute.
    step = float(grid[1] - grid[0])
    share = minimize_scalar(
        lambda s: misfit(float(grid[best]) + s * step), bounds=(-1.0, 1.0), method="bounded"
    ).x
    critical = float(grid[best]) + float(share) * step
    columns = _columns(x, critical, two_sided)
    fit = np.linalg.lstsq(columns, logs, rcond=None)[0]
    slope = -fit[-2] / (x - critical) - fit[-1]
    jacobian = np.column_stack([columns, slope])
    variance = misfit(critical) / freedom
    errors = np.sqrt(np.diag(np.linalg.pinv(jacobian.T @ jacobian)) * variance)
    factor = few_points_factor(freedom)
    return PowerLaw(
        location=critical,
        error=factor * float(errors[-1]),
        exponent=float(fit[-2]),
        exponent_error=factor * float(errors[-3]),
        points=len(x),
    )


def _columns(x: FloatArray, critical: float, two_sided: bool) -> FloatArray:
    """Amplitude of each side, exponent, correction."""
    distance = x - critical
    sides = [distance < 0.0, distance > 0.0] if two_sided else [np.ones_like(x)]
    return np.column_stack([*sides, np.log(np.abs(distance)), distance]).astype(float)
