r"""String orders of infinite states at infinite distance.

.. math:: \lim_{n \to \infty} (L|\, T^n\, |R)

with the two ends of the string as environments, and T the transfer map of its inside over as many
sites as the cell and the inside need to repeat. Of R only parts with eigenvalues of modulus one
survive.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.criteria import StringOrder
from phasenet.errors import SettingsError
from phasenet.phases.estimates import Estimate
from phasenet.phases.string_walk import left_end, passed, passed_back, real, right_end
from phasenet.phases.surviving import survivors
from phasenet.trains.blocks import Environment, joined, overlap
from phasenet.trains.form import StateForm
from phasenet.trains.train import FloatArray

UNBROKEN = 0.999
"""Modulus per cell from which a transfer eigenvalue counts as one: the symmetry is unbroken."""

_SAME_ATOL, _SAME_TOL = 1e-6, 1e-3
_EXACT_ATOL, _ZERO_ATOL = 1e-9, 1e-13


@dataclass(frozen=True, kw_only=True, eq=False)
class _Limits:
    """Limits of strings that begin at some sites of the cell and end at some others.

    Parameters
    ----------
    values
        Shape (starts, ends), without phases of eigenvalues.
    steady
        Whether there are no such phases.
    moduli
        Of the largest eigenvalue that each right end has a part along, |eta|, per cell.
    residual
        Error of the values; rounding aside, 0.
    """

    values: FloatArray
    steady: bool
    moduli: tuple[float, ...]
    residual: float


def string_limit(form: StateForm, string: StringOrder) -> Estimate:
    """String order of an infinite state at infinite distance.

    The value is that of strings from site ``start`` whose inside covers whole periods of the cell
    and of its own operators, where phases of eigenvalues do not count. The method says so if
    strings from other sites, or over other distances, have other values.

    Parameters
    ----------
    form
        Infinite state.
    string
        What is measured.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> print(string_limit(state_form(aklt_cell()), StringOrder.parse("Sz [Rz] Sz", factor=-1.0)))
    0.44444444, exact, r -> infinity
    """
    if not form.infinite:
        raise SettingsError(
            f"the state is a chain of {form.length} sites; a limit of infinite distance needs an "
            "infinite state"
        )
    waiting = list(
        dict.fromkeys((string.start + k * string.period) % form.length for k in range(form.length))
    )
    limits = []
    while waiting:
        shifts = {start: _shift(form, string, start, waiting[0]) for start in waiting}
        together = {start: shift for start, shift in shifts.items() if shift is not None}
        limits.append(_limits(form, string, together))
        waiting = [start for start in waiting if start not in together]
    error = max(found.residual for found in limits)
    return Estimate(
        value=float(limits[0].values[0, 0]),
        error=error if error > _EXACT_ATOL else 0.0,
        method=_method(form, string, limits),
    )


def _shift(form: StateForm, string: StringOrder, start: int, other: int) -> int | None:
    """Sites inside a string from one start to where the inside of one from another may begin."""
    inside = len(string.inside)
    shifts = range(0, math.lcm(form.length, inside), inside)
    return next((k for k in shifts if (start + k - other) % form.length == 0), None)


def _limits(form: StateForm, string: StringOrder, shifts: Mapping[int, int]) -> _Limits:
    """Limits of the strings from some sites, for each remainder of the distance.

    Their insides meet at one bond, where those of the first begin; each is shifted there.
    """
    first, inside = next(iter(shifts)) + len(string.left), len(string.inside)
    sites = math.lcm(form.length, inside)
    cells = sites // form.length
    lefts = []
    for start, shift in shifts.items():
        begun, left = start + len(string.left), left_end(form, string, start)
        for site in range(begun, begun + shift):
            left = passed(form, left, site, string.inside[(site - begun) % inside])
        lefts.append(left)
    rights = [
        _back(form, string, right_end(form, string, first + distance), first, distance)
        for distance in range(0, sites, inside)
    ]
    # Both sides of the bond belong to one state: its groups are the same.
    groups = form.site(first).left
    found = survivors(
        lambda environment: _back(form, string, environment, first, sites),
        joined(rights, [1] * len(rights)),
        (groups, groups),
        form.left_weights(first),
        UNBROKEN**cells,
    )
    values = np.zeros((len(lefts), len(rights)))
    for row, left in zip(values, lefts, strict=True):
        row[:] = string.factor * real(overlap(left, found.total)[0])
    return _Limits(
        values=np.where(np.abs(values) > _ZERO_ATOL, values, 0.0),
        steady=not any(found.turns),
        moduli=tuple(modulus ** (1 / cells) for modulus in found.moduli),
        residual=abs(string.factor) * found.residual,
    )


def _back(
    form: StateForm, string: StringOrder, right: Environment, first: int, sites: int
) -> Environment:
    """Right environment, taken back over the first sites of an inside that begins at one site."""
    inside = string.inside
    for site in range(first + sites - 1, first - 1, -1):
        right = passed_back(form, right, site, inside[(site - first) % len(inside)])
    return right


def _method(form: StateForm, string: StringOrder, limits: Sequence[_Limits]) -> str:
    """How the first limit was found, and how the others differ."""
    words = "exact, r -> infinity"
    values = np.concatenate([found.values.ravel() for found in limits])
    if not values.any():
        modulus = max(modulus for found in limits for modulus in found.moduli)
        return f"{words}: strings decay by a factor {modulus:.4g} per cell"
    sites = math.lcm(form.length, len(string.inside))
    if np.ptp(values) > max(_SAME_ATOL, _SAME_TOL * np.abs(values).max()):
        words += (
            f" from site {string.start} with a multiple of {sites} sites inside; others have "
            f"{values.min():.4g} to {values.max():.4g}"
        )
    modulus = limits[0].moduli[0]
    if limits[0].values[0, 0] and modulus < 1.0 - _SAME_ATOL:
        words += f"; |eta| = {modulus:.6f} per cell counts as 1"
    if not all(found.steady for found in limits):
        words += "; its phase turns with the distance and is left out"
    return words
