r"""Correlation length of an open chain, from the decay of its spin correlations."""

import math

import numpy as np

from phasenet.errors import SettingsError
from phasenet.phases.correlations import connected_correlations
from phasenet.phases.estimates import Estimate
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.train import FloatArray

_LEAST_LENGTH = 16
_OPERATORS = (("Sz", "Sz"), ("Sp", "Sm"))
# Below, relative to the value at the first distance, truncation is seen and not the state.
_NOISE_TOL = 1e-8
_LEAST_DISTANCES = 6
_LARGEST_ERROR = 0.5


def chain_correlation_length(state: State) -> Estimate:
    r"""Correlation length of the bulk of an open chain of spins, in sites.

    .. math:: |\langle A_i A^\dagger_{i+r} \rangle - \langle A_i \rangle
              \langle A^\dagger_{i+r} \rangle| \sim r^{-\eta} e^{-r / \xi}

    with :math:`\eta` free: 1/2 of a single massive particle, 0 of a state of few bond states. The
    longer one of the operators :math:`S^z` and :math:`S^+`, within the middle half of the chain.
    Others may decay more slowly, and an infinite state tells more:
    :func:`phasenet.trains.correlation.correlation_length`.

    Parameters
    ----------
    state
        Open chain in the z basis.

    Returns
    -------
    Error: of the fit, and the change when the shortest distances are left out. NaN where the chain
    is too short, or nothing decays exponentially within it.

    >>> from phasenet.phases.exact import aklt_chain
    >>> print(f"{chain_correlation_length(aklt_chain(64)).value:.4f}")
    0.9102
    """
    form = state_form(state)
    if form.infinite:
        raise SettingsError(
            "the state is infinite; its correlation length is that of its transfer map, "
            "correlation_length"
        )
    if form.length < _LEAST_LENGTH:
        return _none(f"a chain of {form.length} sites is too short; at least {_LEAST_LENGTH}")
    fits = [_length_of(_sizes(form, first, second)) for first, second in _OPERATORS]
    found = [fit for fit in fits if fit[1] < _LARGEST_ERROR * fit[0]]
    if not found:
        return _none("no correlation decays exponentially for certain within the chain")
    value, error, last = max(found)
    return Estimate(
        value=value, error=error, method=f"decay of correlations over up to {last} sites"
    )


def _sizes(form: StateForm, first: str, second: str) -> FloatArray:
    """Size of connected correlations over r = 1, 2, ..., the mean of two neighbouring starts."""
    start, longest = form.length // 4, form.length // 2
    found = [
        np.abs(connected_correlations(form, first, second, start + k, longest)) for k in (0, 1)
    ]
    return np.asarray((found[0] + found[1]) / 2)


def _length_of(sizes: FloatArray) -> tuple[float, float, int]:
    """Length, its error and the longest distance used; NaN where there is none."""
    known = sizes > _NOISE_TOL * sizes[0]
    last = len(sizes) if known.all() else int(np.argmin(known))
    if last < _LEAST_DISTANCES:
        return math.nan, math.nan, last
    logs = np.log(sizes[:last])
    rates = [_rate(logs, first) for first in (1, 1 + last // 4)]
    rate, error = rates[0]
    error = math.hypot(error, rates[1][0] - rate)
    if not rate > 0.0:
        return math.nan, math.nan, last
    return 1.0 / rate, error / rate**2, last


def _rate(logs: FloatArray, first: int) -> tuple[float, float]:
    r"""Rate :math:`1/\xi` and its standard error, of the distances from ``first`` on."""
    r = np.arange(1, len(logs) + 1)[first - 1 :].astype(np.float64)
    columns = np.stack([-r, np.ones(len(r)), -np.log(r)], axis=1)
    solution = np.linalg.lstsq(columns, logs[first - 1 :])[0]
    rest = logs[first - 1 :] - columns @ solution
    covariance = np.linalg.inv(columns.T @ columns) * (rest @ rest) / max(len(r) - 3, 1)
    return float(solution[0]), math.sqrt(max(float(covariance[0, 0]), 0.0))


def _none(reason: str) -> Estimate:
    return Estimate(value=math.nan, error=math.nan, method=reason)
