"""Curves over a line of points that tell where its distribution changes, and where they peak.

Everything is a mean over the shots of each point, so that drawing the shots again tells the error.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from phasenet.trains.train import Array, FloatArray

_DRAWS = 200
Curve = Callable[[list[FloatArray]], FloatArray]
"""From the mean of each point, shape (numbers,), to a curve."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Indicator:
    """A curve along a coupling and where it says that the phase changes.

    Parameters
    ----------
    name
        Of the method.
    x, values, errors
        The curve with standard errors over shots and networks, shape (places,).
    location, error
        Of the transition; NaN where the curve shows none. The error also holds the step of the grid
        there, divided by the square root of 12.
    peaked
        Whether the transition is the peak of the curve, or else its steepest place.
    """

    name: str
    x: FloatArray
    values: FloatArray
    errors: FloatArray
    location: float
    error: float
    peaked: bool


def indicator(
    name: str,
    x: FloatArray,
    shots: list[list[FloatArray]],
    curve: Curve,
    *,
    peaked: bool,
    grid: FloatArray,
    rng: np.random.Generator,
) -> Indicator:
    """Indicator of what was computed for each shot, by one or more networks.

    Parameters
    ----------
    name
        Of the method.
    x
        Places of the curve.
    shots
        For each network, for each point of the line, an array of shape (shots, numbers).
    curve
        From means to the curve.
    peaked
        As in :class:`Indicator`.
    grid
        Couplings of all points.
    rng
        Draws the shots again.
    """
    locate = peak if peaked else steepest
    curves = [curve([array.mean(axis=0) for array in network]) for network in shots]
    drawn = np.asarray(
        [curve(_drawn(shots[k % len(shots)], rng)) for k in range(_DRAWS)]  # networks in turn
    )
    values = np.mean(curves, axis=0)
    found = np.asarray([locate(x, one) for one in drawn])
    location = locate(x, values)
    spread = float(np.nanstd(found)) if np.isfinite(found).mean() > 0.5 else np.nan
    place = int(np.clip(np.searchsorted(grid, location), 1, len(grid) - 1))
    step = float(grid[place] - grid[place - 1])
    return Indicator(
        name=name,
        x=x,
        values=values,
        errors=drawn.std(axis=0),
        location=location if np.isfinite(spread) else np.nan,
        error=float(np.hypot(spread, step / np.sqrt(12))),
        peaked=peaked,
    )


def peak(x: FloatArray, y: FloatArray) -> float:
    """Vertex of the parabola through the highest place and its neighbours; NaN at an end.

    >>> x = np.array([0.0, 1.0, 2.0, 3.0])
    >>> print(f"{peak(x, -((x - 1.2) ** 2)):.3f}")
    1.200
    """
    top = int(np.argmax(y))
    if top in (0, len(y) - 1):
        return np.nan
    a, b, _ = np.polyfit(x[top - 1 : top + 2] - x[top], y[top - 1 : top + 2], 2)
    return float(x[top] - b / (2 * a)) if a < 0 else float(x[top])


def steepest(x: FloatArray, y: FloatArray) -> float:
    """Where a step is steepest, from a fitted hyperbolic tangent; NaN where none fits inside.

    >>> x = np.linspace(0, 2, 11)
    >>> print(f"{steepest(x, 3 + np.tanh((x - 0.9) / 0.2)):.3f}")
    0.900
    """
    low, high = float(x[0]), float(x[-1])
    start = float(np.median(x[:-1][np.abs(np.diff(y)) >= np.abs(np.diff(y)).max()]))
    scale = float(np.ptp(y)) or 1.0
    guess = (start, (high - low) / 8, np.sign(y[-1] - y[0]) * 0.5, 0.5)
    result = least_squares(
        lambda p: _step(x, *p) - (y - y.min()) / scale, guess, bounds=_bounds(low, high)
    )
    found = result.x
    edge = 1e-6 * (high - low)
    return float(found[0]) if low + edge < found[0] < high - edge else np.nan


def _bounds(low: float, high: float) -> tuple[list[float], list[float]]:
    """Centre, width, height and base of a step."""
    return [low, 1e-3 * (high - low), -2.0, -1.0], [high, high - low, 2.0, 2.0]


def _step(x: Array, centre: float, width: float, height: float, base: float) -> FloatArray:
    return np.asarray(base + height * np.tanh((x - centre) / abs(width)))


def _drawn(network: list[FloatArray], rng: np.random.Generator) -> list[FloatArray]:
    """Means of as many shots of each point, drawn with replacement."""
    means = []
    for array in network:
        counts = rng.multinomial(len(array), np.full(len(array), 1 / len(array)))
        means.append(counts @ array / len(array))
    return means
