"""Where a curve along a coupling has its maximum, with an error."""

import math

import numpy as np
from scipy.stats import t as student

from phasenet.phases.estimates import Estimate
from phasenet.trains.train import FloatArray

_ONE_SIGMA = 0.8413447460685429  # of the normal distribution
# Fewer points do not tell a peak from a kink or an outlier.
_LEAST_POINTS = 5


def peak_index(x: FloatArray, y: FloatArray, near: float) -> int | None:
    """Point at which a curve has the local maximum closest to a value, higher than both its ends.

    Parameters
    ----------
    x, y
        The curve, x rising.
    near
        Of several maxima the one closest to it is taken.

    >>> print(peak_index(np.arange(5.0), np.array([0.0, 2.0, 1.0, 3.0, 0.0]), near=3.5))
    3
    """
    if len(x) < 3:
        return None
    ends = max(y[0], y[-1])
    tops = [k for k in range(1, len(x) - 1) if y[k] >= max(y[k - 1], y[k + 1]) and y[k] > ends]
    return min(tops, key=lambda k: abs(x[k] - near)) if tops else None


def few_points_factor(freedom: int) -> float:
    """Ratio of a standard error to the one from few residuals, which tell the noise only roughly.

    Half the width of the interval of Student's distribution that holds 68.3 percent.

    Parameters
    ----------
    freedom
        Degrees of freedom behind the residuals.

    >>> print(f"{few_points_factor(2):.3f} {few_points_factor(100):.3f}")
    1.321 1.005
    """
    return float(student.ppf(_ONE_SIGMA, freedom))


def smooth_peak(x: FloatArray, y: FloatArray, near: float) -> Estimate | None:
    """Maximum of a curve: the vertex of the parabola through its highest point and its neighbours.

    Its error joins in quadrature how far the parabola fitted to five points moves, and the standard
    error of that fit: both the shape of the peak and noise are in it. It is at most half of the
    distance of the two neighbours, between which the maximum must lie.

    Parameters
    ----------
    x, y
        The curve, x rising. Of what is positive and varies by factors, give the logarithm.
    near
        Of several maxima the one closest to it is taken.

    Returns
    -------
    None with fewer than five points, or if the largest values are at an end.

    >>> x = np.linspace(-1.0, 1.0, 9)
    >>> print(f"{smooth_peak(x, -((x - 0.1) ** 2), near=0.0).value:.3f}")
    0.100
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    top = peak_index(x, y, near) if len(x) >= _LEAST_POINTS else None
    if top is None:
        return None
    three = slice(top - 1, top + 2)
    around = slice(max(top - 2, 0), top + 3)
    value, _ = _vertex(x[three], y[three])
    moved, error = _vertex(x[around], y[around])
    if not math.isfinite(value):
        return None
    found = math.hypot(moved - value, error)
    widest = float(x[top + 1] - x[top - 1]) / 2
    found = min(found, widest) if math.isfinite(found) else widest
    return Estimate(value=value, error=found, method=f"parabola through 3 of {len(x)} points")


def _vertex(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Vertex of the fitted parabola and its standard error; NaN if it opens upwards."""
    centre, scale = float(x.mean()), float(np.ptp(x)) / 2
    powers = np.vander((x - centre) / scale, 3)
    fit = np.linalg.lstsq(powers, y, rcond=None)[0]
    curvature, slope = float(fit[0]), float(fit[1])
    if not curvature < 0.0:
        return math.nan, math.nan
    freedom = len(x) - 3
    residual = y - powers @ fit
    variance = float(residual @ residual) / freedom if freedom else 0.0
    gradient = np.array([slope / (2 * curvature**2), -1 / (2 * curvature), 0.0])
    spread = float(gradient @ np.linalg.inv(powers.T @ powers) @ gradient) * variance
    error = scale * math.sqrt(spread) * (few_points_factor(freedom) if freedom else 0.0)
    return centre - scale * slope / (2 * curvature), error
