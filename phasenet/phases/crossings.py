"""Where a curve along a coupling crosses zero, or two curves each other, with an error."""

import math

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from phasenet.phases.estimates import Estimate
from phasenet.trains.train import FloatArray

_LEAST_POINTS = 4


def sign_changes(y: FloatArray) -> list[int]:
    """Points after which a curve changes its sign.

    >>> sign_changes(np.array([2.0, 1.0, -1.0, 1.0]))
    [1, 2]
    """
    return [k for k in range(len(y) - 1) if y[k] * y[k + 1] < 0 or (y[k] != 0 and y[k + 1] == 0)]


def crossing(
    x: FloatArray, y: FloatArray, near: float, errors: FloatArray | None = None
) -> Estimate | None:
    """Zero of a curve, by a monotone cubic through its points.

    Its error joins in quadrature how far linear interpolation differs, and the errors of the points
    on both sides, where they are known.

    Parameters
    ----------
    x, y
        The curve, x rising.
    near
        Of several zeros the one closest to it is taken.
    errors
        Standard errors of y; NaN where there are none.

    Returns
    -------
    None with fewer than four points, or without a change of sign.

    >>> x = np.linspace(0.0, 1.0, 5)
    >>> print(crossing(x, 0.3 - x, near=0.5))
    0.3, zero between 2 of 5 points
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    changes = sign_changes(y) if len(x) >= _LEAST_POINTS else []
    if not changes:
        return None
    k = min(changes, key=lambda k: abs(x[k] + x[k + 1] - 2 * near))
    gap = float(x[k + 1] - x[k])
    share = float(y[k] / (y[k] - y[k + 1]))
    linear = float(x[k]) + share * gap
    cubic = float(brentq(PchipInterpolator(x, y), x[k], x[k + 1]))
    noise = 0.0
    if errors is not None:
        sides = np.nan_to_num(errors[known][k : k + 2]) * np.array([1 - share, share])
        noise = float(np.linalg.norm(sides)) * gap / abs(float(y[k + 1] - y[k]))
    return Estimate(
        value=cubic,
        error=math.hypot(cubic - linear, noise),
        method=f"zero between 2 of {len(x)} points",
    )
