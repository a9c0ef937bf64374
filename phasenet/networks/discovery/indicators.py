"""Curves over a line of points that tell where its distribution changes, and where they peak.

Everything is a mean over the shots of each point, so that drawing the shots again tells the error.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from phasenet.trains.train import FloatArray

_DRAWS = 200
# Of the steps that are tried: centres along the line, and widths in units of it.
_CENTRES, _WIDTHS, _LEAST_WIDTH = 1001, 25, 1e-3
_FLAT, _SAME_FIT_TOL = 1e-9, 1e-9
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
    means = [curve([array.mean(axis=0) for array in network]) for network in shots]
    drawn = np.asarray(
        [curve(_drawn(shots[k % len(shots)], rng)) for k in range(_DRAWS)]  # networks in turn
    )
    values = np.mean(means, axis=0)
    curves = np.concatenate([drawn, values[None]])
    located = np.asarray([peak(x, one) for one in curves]) if peaked else _steepest(x, curves)
    found, location = located[:-1], float(located[-1])
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

    The best of a thousand centres along the line, to which it is exact.

    >>> x = np.linspace(0, 2, 11)
    >>> print(f"{steepest(x, 3 + np.tanh((x - 0.9) / 0.2)):.3f}")
    0.900
    """
    return float(_steepest(x, y[None])[0])


def _steepest(x: FloatArray, curves: FloatArray) -> FloatArray:
    """Where each curve, of shape (curves, places), is steepest.

    At given centre and width the fit of height and base is linear, so that the best fit is the step
    with the largest correlation to the curve: no start, and no local minimum.
    """
    low, high = float(x[0]), float(x[-1])
    centres = np.linspace(low, high, _CENTRES)
    best = np.full((len(centres), len(curves)), -np.inf)
    centred = (curves - curves.mean(axis=1, keepdims=True)).T
    for width in np.geomspace(_LEAST_WIDTH, 1.0, _WIDTHS) * (high - low):
        steps = np.tanh((x - centres[:, None]) / width)
        steps -= steps.mean(axis=1, keepdims=True)
        norms = np.linalg.norm(steps, axis=1, keepdims=True)
        # A narrow step beyond the last points is flat.
        units = np.divide(steps, norms, out=np.zeros_like(steps), where=norms > _FLAT)
        best = np.maximum(best, (units @ centred) ** 2)
    top = best.max(axis=0)
    # A step between two points fits equally well wherever it lies between them.
    alike = best >= (1 - _SAME_FIT_TOL) * top
    found = (centres[:, None] * alike).sum(axis=0) / alike.sum(axis=0)
    return np.where(alike[0] | alike[-1] | ~(top > 0), np.nan, found)


def _drawn(network: list[FloatArray], rng: np.random.Generator) -> list[FloatArray]:
    """Means of as many shots of each point, drawn with replacement."""
    means = []
    for array in network:
        size = len(array)
        counts = np.bincount(rng.integers(size, size=size), minlength=size)
        means.append(counts @ array / size)
    return means
