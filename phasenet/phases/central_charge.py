r"""Central charge of a critical state, from its entropy over the cuts or over bond dimensions.

.. math:: S(l) = \frac{c}{6} \ln d(l) + s, \quad d(l) = \frac{2L}{\pi} \sin\frac{\pi l}{L}

at a cut after l of the L sites of an open chain (Calabrese, Cardy, J. Stat. Mech. P06002 (2004)),
and :math:`S = \frac{c}{6} \ln \xi + s` of an infinite one, whose correlation length the bond
dimension cuts off. Both say something only where the state is critical.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.entanglement import entropies
from phasenet.phases.estimates import Estimate
from phasenet.trains.form import State, state_form
from phasenet.trains.train import Array, FloatArray

_LEAST_LENGTH = 16
# Cuts nearer to an end than these shares of the chain are left out, the second one for the value.
_MARGINS = (16, 8, 4)
# Powers of the chord length that the difference of even and odd cuts falls with: 1 for free
# fermions, 1/2 for the Heisenberg chain, and their corrections.
_ALTERNATING = (0.5, 1.0)


def central_charge_of_chain(state: State) -> Estimate:
    """Central charge of an open chain, from its entropies.

    Parameters
    ----------
    state
        Open chain; its ends should be free, as pinning fields bend the entropies near them.

    Returns
    -------
    As of :func:`central_charge_of_cuts`. A gap longer than the chain cannot be told from none; one
    that is shorter shows as a value near zero, or as an error as large as the value.

    >>> from phasenet.phases.exact import aklt_chain
    >>> print(f"{abs(central_charge_of_chain(aklt_chain(64)).value):.4f}")
    0.0000
    """
    form = state_form(state)
    if form.infinite:
        raise SettingsError(
            "the chord length needs an open chain, got an infinite state; use "
            "central_charge_of_growth"
        )
    return central_charge_of_cuts(entropies(form))


def central_charge_of_cuts(values: ArrayLike) -> Estimate:
    r"""Central charge from the entropies of all cuts of an open chain.

    .. math:: S(l) = \frac{c}{6} \left[ \ln d(l) + \delta\, g(l) \right] + s
              + (-1)^l \left( \frac{a}{d^{1/2}} + \frac{b}{d} \right)

    with g the change of :math:`\ln d` when the chain is longer by one site, half at each end: where
    a chain ends in the continuum is not known. The alternating part is that of Laflorencie,
    Sorensen, Chang, Affleck, PRL 96, 100603 (2006).

    Parameters
    ----------
    values
        Entropy in nats after 1, 2, ..., L - 1 sites.

    Returns
    -------
    Value of the cuts from an eighth of the chain on, the mean of two windows that differ by one
    cut at each end. Error: of the fit, and the spread of the values from a sixteenth and from a
    quarter of the chain on. NaN for less than 16 sites.

    >>> cuts = np.arange(1, 64)
    >>> exact = np.log(np.sin(np.pi * cuts / 64)) / 12 + 0.3
    >>> print(f"{central_charge_of_cuts(exact).value:.6f}")
    0.500000
    """
    S = np.asarray(values, dtype=np.float64)
    length = len(S) + 1
    if length < _LEAST_LENGTH:
        return Estimate(
            value=math.nan,
            error=math.nan,
            method=f"a chain of {length} sites is too short; at least {_LEAST_LENGTH} are needed",
        )
    margins = [max(length // share, 2) for share in _MARGINS]
    # What is left of the difference of even and odd cuts changes sign with the first cut.
    fits = [(_chord_fit(S, margin), _chord_fit(S, margin + 1)) for margin in margins]
    charges = [(first[0] + second[0]) / 2 for first, second in fits]
    error = math.hypot(fits[1][0][1], max(charges) - min(charges))
    return Estimate(
        value=charges[1],
        error=error,
        method=f"entropies after {margins[1]} .. {length - margins[1]} of {length} sites",
    )


def central_charge_of_growth(correlation_lengths: ArrayLike, values: ArrayLike) -> Estimate:
    """Central charge from an infinite state at growing bond dimensions.

    Parameters
    ----------
    correlation_lengths
        In sites, of each bond dimension; those that are not positive and finite are left out.
    values
        Entropies in nats at the same bond dimensions.

    Returns
    -------
    Slope through all of them. Error: of the fit, and the change when the smallest bond dimension is
    left out; NaN of two. No value from less than two.

    >>> lengths = np.array([20.0, 50.0, 120.0])
    >>> print(f"{central_charge_of_growth(lengths, np.log(lengths) / 6 + 0.4).value:.6f}")
    1.000000
    """
    xi, S = np.asarray(correlation_lengths, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if xi.shape != S.shape or xi.ndim != 1:
        raise ShapeError(f"{xi.shape} correlation lengths with {S.shape} entropies; wanted pairs")
    known = np.isfinite(xi) & (xi > 0.0) & np.isfinite(S)
    x, y = np.log(xi[known]) / 6.0, S[known]
    if len(x) < 2 or np.ptp(x) == 0.0:
        return Estimate(
            value=math.nan,
            error=math.nan,
            method=f"{len(x)} correlation lengths; at least two different ones are needed",
        )
    charge, error = _slope(x, y)
    if len(x) > 2 and np.ptp(x[1:]) > 0.0:
        error = math.hypot(error, _slope(x[1:], y[1:])[0] - charge)
    return Estimate(
        value=charge,
        error=error,
        method=f"growth of the entropy over {len(x)} bond dimensions, "
        f"correlation lengths {min(xi[known]):.3g} .. {max(xi[known]):.3g}",
    )


def _chord_fit(values: FloatArray, margin: int) -> tuple[float, float]:
    """Central charge and its standard error, of the cuts ``margin`` sites from both ends."""
    length = len(values) + 1
    cut = np.arange(1, length)
    chord = 2 * length / np.pi * np.sin(np.pi * cut / length)
    columns = [
        np.log(chord) / 6.0,
        np.ones(length - 1),
        np.pi / length * (0.5 - cut / length) / np.tan(np.pi * cut / length),
        *((-1.0) ** cut / chord**power for power in _ALTERNATING),
    ]
    bulk = (cut >= margin) & (cut <= length - margin)
    return _fitted(np.stack(columns, axis=1)[bulk], values[bulk])


def _slope(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    return _fitted(np.stack([x, np.ones(len(x))], axis=1), y)


def _fitted(columns: Array, values: FloatArray) -> tuple[float, float]:
    """First coefficient of a least-squares fit and its standard error; NaN of an exact one."""
    solution = np.linalg.lstsq(columns, values)[0]
    spare = len(values) - columns.shape[1]
    if spare < 1:
        return float(solution[0]), math.nan
    rest = values - columns @ solution
    covariance = np.linalg.inv(columns.T @ columns) * (rest @ rest) / spare
    return float(solution[0]), math.sqrt(max(float(covariance[0, 0]), 0.0))
