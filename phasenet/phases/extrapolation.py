r"""Estimates at several sizes, carried to infinite size.

.. math:: g^*(L) = g_c + a L^{-p}
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from phasenet.errors import SettingsError
from phasenet.phases.estimates import Estimate, shown
from phasenet.trains.train import FloatArray

_LEAST_SIZES = 3
_LEAST_FOR_POWER = 4
_POWERS = (1.0, 2.0)
_FREE_POWERS = (0.3, 4.0)
_SCAN = 75
# Positions known better than this, relative to their spread, only test the form of the correction.
_ERROR_FLOOR = 1e-6


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """Limit with its variance, the misfit, and the numbers of parameters and of free ones."""

    value: float
    variance: float
    misfit: float
    parameters: int
    freedom: int
    power: float


def infinite_size(
    sizes: Sequence[float],
    positions: Sequence[float],
    errors: Sequence[float],
    *,
    power: float | None = None,
) -> Estimate | None:
    """Limit of positions at infinite size.

    Without a power, corrections 1/L and 1/L^2 and, from four sizes on, one with a free power are
    fitted and averaged with the weights of Akaike's criterion (Jay, Neil, Phys. Rev. D 103, 114502
    (2021)), so that their spread is part of the error. Where none of them fits within the errors,
    all errors are scaled up; and without a given power the error is at least
    the shift without the smallest size.

    Parameters
    ----------
    sizes
        Such as lengths of chains, all different.
    positions, errors
        Estimates at each, and their standard errors.
    power
        p, if it is known.

    Returns
    -------
    None with fewer than three sizes.

    >>> sizes = np.array([16.0, 32.0, 64.0])
    >>> found = infinite_size(sizes, 1 + 3 / sizes, [1e-3] * 3, power=1.0)
    >>> print(f"{found.value:.6f}")
    1.000000
    """
    if len(set(sizes)) < len(sizes):
        raise SettingsError(f"sizes {sorted(sizes)} repeat; give one position for each size")
    if len(sizes) < _LEAST_SIZES:
        return None
    size, place = np.asarray(sizes, dtype=float), np.asarray(positions, dtype=float)
    floor = _ERROR_FLOOR * float(np.ptp(place)) + np.finfo(float).tiny
    sigma = np.hypot(np.asarray(errors, dtype=float), floor)
    if power is not None:
        fits = [_fixed(size, place, sigma, power)]
    else:
        fits = [_fixed(size, place, sigma, p) for p in _POWERS]
        free = _free(size, place, sigma) if len(size) >= _LEAST_FOR_POWER else None
        fits += [free] if free else []
    scale = max(1.0, min(fit.misfit / fit.freedom for fit in fits))
    criteria = np.array([fit.misfit / scale + 2 * fit.parameters for fit in fits])
    weights = np.exp(-(criteria - criteria.min()) / 2)
    weights /= weights.sum()
    values = np.array([fit.value for fit in fits])
    value = float(weights @ values)
    variances = scale * np.array([fit.variance for fit in fits])
    error = math.sqrt(float(weights @ (variances + (values - value) ** 2)))
    if power is None:
        larger = np.argsort(size)[1:]
        parts = size[larger], place[larger], sigma[larger]
        moved = np.array([_fixed(*parts, fit.power).value for fit in fits])
        error = max(error, abs(float(weights @ moved) - value))
    powers = ", ".join(
        f"{fit.power:.2g}" for fit, weight in zip(fits, weights, strict=True) if weight > 0.05
    )
    method = f"sizes {min(sizes):.3g} to {max(sizes):.3g}, corrections L^-p with p = {powers}"
    return Estimate(value=value, error=error, method=method)


def infinite_bond(
    lengths: Sequence[float], positions: Sequence[float], errors: Sequence[float]
) -> Estimate | None:
    r"""Limit of positions at infinite bond dimension, linear in the inverse correlation length.

    At a finite bond dimension :math:`\chi` the correlation length at the transition stays at
    :math:`\xi_\chi`, and the transition is displaced. The error joins that of the fit and the step
    from the last position to the limit, because the power of the correction is not known.

    Parameters
    ----------
    lengths
        Largest correlation length of each bond dimension, in sites, rising.
    positions, errors
        Estimates at each, and their standard errors.

    Returns
    -------
    None with fewer than two bond dimensions, or if the length does not grow with them.

    >>> print(infinite_bond([10.0, 20.0], [0.98, 0.99], [1e-4, 1e-4]))
    1.000(10), linear in 1/xi from xi = 10 to 20
    """
    if len(lengths) < 2 or np.any(np.diff(lengths) <= 0.0):
        return None
    size, place = np.asarray(lengths, dtype=float), np.asarray(positions, dtype=float)
    sigma = np.asarray(errors, dtype=float)
    floor = _ERROR_FLOOR * float(np.ptp(place)) + np.finfo(float).tiny
    fit = _fixed(size, place, np.hypot(sigma, floor), 1.0)
    scale = max(1.0, fit.misfit / fit.freedom) if fit.freedom else 1.0
    error = math.hypot(math.sqrt(scale * fit.variance), fit.value - float(place[-1]))
    method = f"linear in 1/xi from xi = {shown(size[0].round(1), 0.0)} to {size[-1]:.4g}"
    return Estimate(value=fit.value, error=error, method=method)


def _fixed(size: FloatArray, place: FloatArray, sigma: FloatArray, power: float) -> _Fit:
    columns = np.column_stack([np.ones_like(size), (size / size.max()) ** -power])
    fit, misfit = _least_squares(columns, place, sigma)
    inverse = np.linalg.inv((columns / sigma[:, None]).T @ (columns / sigma[:, None]))
    return _Fit(
        value=float(fit[0]),
        variance=float(inverse[0, 0]),
        misfit=misfit,
        parameters=2,
        freedom=len(size) - 2,
        power=power,
    )


def _free(size: FloatArray, place: FloatArray, sigma: FloatArray) -> _Fit | None:
    """Fit with a free power, or None where the best power is at an end of what is allowed."""
    grid = np.linspace(*_FREE_POWERS, _SCAN)

    def misfit(power: float) -> float:
        return _fixed(size, place, sigma, float(power)).misfit

    best = int(np.argmin([misfit(p) for p in grid]))
    if best in (0, _SCAN - 1):
        return None
    power = float(
        minimize_scalar(misfit, bounds=(grid[best - 1], grid[best + 1]), method="bounded").x
    )
    ratio = size / size.max()
    columns = np.column_stack([np.ones_like(size), ratio**-power])
    fit, least = _least_squares(columns, place, sigma)
    slope = -fit[1] * np.log(ratio) * ratio**-power
    jacobian = np.column_stack([columns, slope]) / sigma[:, None]
    return _Fit(
        value=float(fit[0]),
        variance=float(np.linalg.pinv(jacobian.T @ jacobian)[0, 0]),
        misfit=least,
        parameters=3,
        freedom=len(size) - 3,
        power=power,
    )


def _least_squares(
    columns: FloatArray, place: FloatArray, sigma: FloatArray
) -> tuple[FloatArray, float]:
    weighted = np.linalg.lstsq(columns / sigma[:, None], place / sigma, rcond=None)[0]
    fit = np.asarray(weighted, dtype=float)
    residual = (place - columns @ fit) / sigma
    return fit, float(residual @ residual)
