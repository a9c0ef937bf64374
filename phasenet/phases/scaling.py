"""Estimates of one boundary from several bond dimensions or chain lengths."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from phasenet.phases.crossings import crossing
from phasenet.phases.estimates import Estimate
from phasenet.phases.extrapolation import infinite_bond, infinite_size
from phasenet.phases.lines import Section
from phasenet.phases.located import (
    ENTROPY_METHOD,
    PEAK_METHOD,
    SUSCEPTIBILITY_METHOD,
    Located,
    crossing_method,
    logarithm,
    order_names,
    partner_crossing,
    susceptibilities,
    title,
    with_numbers,
)
from phasenet.phases.peaks import smooth_peak
from phasenet.phases.sized import (
    SizedCurve,
    bond_curves,
    chains_of,
    difference,
    falling_power,
    sized,
)

AT_INFINITE_BOND = ", max_bond to infinity"
AT_INFINITE_LENGTH = ", length to infinity"
ENTROPY_GROWTH_METHOD = f"peak of the growth of the entropy{AT_INFINITE_LENGTH}"


def scaled(sections: Sequence[Section]) -> list[Located]:
    """Every extrapolation that some tables of one line support.

    Parameters
    ----------
    sections
        The same boundary at several lengths or bond dimensions; of the first one also the way of
        each state through the bond dimensions is used.
    """
    near = sections[0].near
    found: dict[str, Estimate | None] = {}
    for method, name in ((PEAK_METHOD, "correlation_length"), (ENTROPY_METHOD, "entropy")):
        lengths, values = (bond_curves(sections, each) for each in ("correlation_length", name))
        found[method + AT_INFINITE_BOND] = _limit_of_bonds(lengths, values, near)
    chains = chains_of(sections)
    found[SUSCEPTIBILITY_METHOD + AT_INFINITE_LENGTH] = size_limit(
        [sized(chain, *susceptibilities(chain, "finite")) for chain in chains], near
    )
    entropies = [sized(chain, chain.x, chain.values("entropy_finite")) for chain in chains]
    growths = [difference(*pair) for pair in pairwise(entropies)]
    found[ENTROPY_GROWTH_METHOD] = size_limit(growths, near)
    for name in sorted({name for chain in chains for name in order_names(chain, "finite")}):
        curves = [sized(chain, chain.x, chain.values(f"{name}_finite")) for chain in chains]
        method = f"scaling of the {title(name)}{AT_INFINITE_LENGTH}"
        found[method] = scale_free_crossing(curves, near)
        crossings = [partner_crossing(chain, name) for chain in chains]
        found[crossing_method(name) + AT_INFINITE_LENGTH] = _limit(curves, crossings)
    return with_numbers(found)


def size_limit(curves: Sequence[SizedCurve], near: float) -> Estimate | None:
    """Peak of a curve at infinite length, from its peak at each length.

    Parameters
    ----------
    curves
        One for each length, or pair of lengths.
    near
        Of several maxima the one closest to it is taken.

    Returns
    -------
    None with fewer than three peaks.

    >>> x = np.linspace(0.5, 1.5, 21)
    >>> curves = [
    ...     SizedCurve(size=n, x=x, values=-((x - 1 - 4 / n**2) ** 2)) for n in (8.0, 16.0, 32.0)
    ... ]
    >>> print(f"{size_limit(curves, near=1.0).value:.4f}")
    1.0000
    """
    return _limit(curves, [smooth_peak(curve.x, curve.values, near) for curve in curves])


def _limit(curves: Sequence[SizedCurve], estimates: Sequence[Estimate | None]) -> Estimate | None:
    """Limit of the estimates that there are, one for each curve."""
    pairs = zip(curves, estimates, strict=True)
    known = [(curve.size, found) for curve, found in pairs if found is not None]
    return infinite_size(
        [size for size, _ in known],
        [found.value for _, found in known],
        [found.error for _, found in known],
    )


def scale_free_crossing(curves: Sequence[SizedCurve], near: float) -> Estimate | None:
    r"""Point where an order falls as one power of the length, :math:`O \sim L^{-\eta}`, any power.

    Two lengths give :math:`\eta = -\ln(O_1 / O_2) / \ln(L_1 / L_2)`: 0 in the phase with the order,
    large in the other one, so that the powers of successive pairs cross at the transition
    (phenomenological renormalisation, Nightingale, Physica A 83, 561 (1976)). No exponent is put
    in.

    Parameters
    ----------
    curves
        Order parameter at each length, rising.
    near
        Of several crossings the one closest to it is taken.

    Returns
    -------
    None with fewer than four lengths. From four, the last crossing, its error how far it has moved
    from the one before; from five, the limit of the crossings.

    >>> x = np.linspace(-1.0, 1.0, 21)
    >>> curves = [
    ...     SizedCurve(size=n, x=x, values=n**-0.25 * (1 - np.tanh(x * n / 8)))
    ...     for n in (8.0, 12.0, 16.0, 24.0)
    ... ]
    >>> print(abs(scale_free_crossing(curves, near=0.0).value) < 1e-9)
    True
    """
    powers = [falling_power(*pair) for pair in pairwise(curves)]
    found = []
    for one, other in pairwise(powers):
        gap = difference(one, other)
        zero = crossing(gap.x, gap.values, near)
        if zero is not None:
            found.append((gap.size, zero))
    if len(found) < 2:
        return None
    limit = infinite_size(
        [size for size, _ in found],
        [zero.value for _, zero in found],
        [zero.error for _, zero in found],
    )
    if limit is not None:
        return limit
    (_, before), (size, last) = found[-2:]
    error = float(np.hypot(last.error, last.value - before.value))
    method = f"crossing at length {size:.3g}, error its shift from the one before"
    return Estimate(value=last.value, error=error, method=method)


def _limit_of_bonds(
    lengths: Sequence[SizedCurve], values: Sequence[SizedCurve], near: float
) -> Estimate | None:
    """Peak at infinite bond dimension; the scale is the longest correlation length of each."""
    known = []
    for length, curve in zip(lengths, values, strict=True):
        finite = length.values[np.isfinite(length.values)]
        peak = smooth_peak(curve.x, logarithm(curve.values), near)
        if peak is not None and len(finite):
            known.append((float(finite.max()), peak))
    return infinite_bond(
        [scale for scale, _ in known],
        [peak.value for _, peak in known],
        [peak.error for _, peak in known],
    )
