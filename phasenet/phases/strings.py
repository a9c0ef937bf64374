r"""String orders of finite and infinite states.

.. math:: O^a(i,j) = \Big\langle S^a_i \exp\Big(i\pi\sum_{i<k<j} S^a_k\Big) S^a_j \Big\rangle

(den Nijs, Rommelse, PRB 40, 4709 (1989)) and its relatives with other ends and other unitaries
between them, see :class:`phasenet.criteria.StringOrder`. An axis x, y or z stands for the string of
spins along it, **with the sign that makes it positive**: +4/9 for AKLT. Values are real parts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.criteria import StringOrder, spin_string
from phasenet.errors import SettingsError
from phasenet.phases.estimates import Estimate
from phasenet.phases.plateau import plateau
from phasenet.phases.spins import Axis, is_integer_spin
from phasenet.phases.string_limits import string_limit
from phasenet.phases.string_walk import closings, real
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.train import FloatArray, IntArray, TensorTrain

_LONGEST = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class StringProfile:
    """String orders from one site over all distances.

    Parameters
    ----------
    first
        Site where the strings start.
    distances
        From there to where their right ends begin, in sites, rising.
    values
        String orders, with the factor of the string.
    """

    first: int
    distances: IntArray
    values: FloatArray


def string_order(
    state: State, string: StringOrder | Axis, pair: tuple[int, int] | None = None
) -> Estimate:
    """String order of one pair of sites, or at large distance.

    Without a pair: of an infinite state the exact limit of infinite distance, of an open chain what
    it tends to in the middle, with an error; NaN if the chain is too short.

    Parameters
    ----------
    state
        In the basis of the highest weight first.
    string
        What is measured, or an axis of spins.
    pair
        Sites where the left and the right end begin; those of an infinite state are counted on from
        its first cell.

    >>> from phasenet.phases.exact import aklt_cell, aklt_chain
    >>> print(string_order(aklt_chain(32), "z", (8, 23)), "|", string_order(aklt_cell(), "x"))
    0.44444444, exact | 0.44444444, exact, r -> infinity
    """
    form = state_form(state)
    string = _of_spins(string, form)
    if pair is None:
        return string_limit(form, string) if form.infinite else plateau(form, string)
    first, last = _checked_place(form, string, *pair)
    (closing,) = closings(form, string, {first: range(last, last + 1)})
    value = float(string.factor * real(closing.values)[0])
    return Estimate(value=value + 0.0, error=0.0, method="exact")


def string_profile(
    state: State, string: StringOrder | Axis, first: int | None = None, longest: int | None = None
) -> StringProfile:
    """String orders from one site over all distances, at about the cost of the longest.

    Parameters
    ----------
    state, string
        As in :func:`string_order`.
    first
        Site where the strings start; by default the first possible one from a quarter of a chain
        on, or of the cell.
    longest
        Largest distance; by default as far as a chain goes, and 100 sites of an infinite state.

    >>> from phasenet.phases.exact import product_chain
    >>> found = string_profile(product_chain([0, 2] * 3, 3), "z", 0)
    >>> print(found.distances.tolist(), found.values.tolist())
    [1, 2, 3, 4, 5] [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    form = state_form(state)
    string = _of_spins(string, form)
    if first is None:
        first = 0 if form.infinite else form.length // 4
        first += (string.start - first) % string.period
    last = first + (_LONGEST if longest is None else longest)
    if not form.infinite:
        beyond = form.length - len(string.right)
        last = beyond if longest is None else min(last, beyond)
    _checked_place(form, string, first, first + len(string.left))
    span = range(first + len(string.left), last + 1)
    found = [(c.place - first, c.values[0]) for c in closings(form, string, {first: span})]
    return StringProfile(
        first=first,
        distances=np.asarray([distance for distance, _ in found], dtype=np.int64),
        values=string.factor * real(np.asarray([value for _, value in found])) + 0.0,
    )


def string_pairs(state: State, string: StringOrder | Axis) -> FloatArray:
    """String orders of all pairs of a chain.

    Parameters
    ----------
    state
        Open chain in the basis of the highest weight first.
    string
        As in :func:`string_order`.

    Returns
    -------
    Array of shape (length, length) over the sites where the left and the right ends begin, NaN
    where the string cannot lie, as below the diagonal.

    >>> from phasenet.phases.exact import product_chain
    >>> print(string_pairs(product_chain([0, 2, 0], 3), "z").tolist())
    [[nan, 1.0, 1.0], [nan, nan, 1.0], [nan, nan, nan]]
    """
    form = state_form(state)
    if form.infinite:
        raise SettingsError(
            f"all pairs are asked of an infinite state of {form.length} sites per cell; wanted an "
            "open chain: use string_profile"
        )
    string = _of_spins(string, form)
    starts = range(string.start, form.length, string.period)
    places = range(form.length - len(string.right) + 1)
    result = np.full((form.length, form.length), np.nan)
    result[string.start :: string.period] = _pairs(form, string, starts, places)
    return result


def bulk_string_order(state: State, string: StringOrder | Axis) -> float:
    """Mean string order over all pairs between the two :func:`bulk_blocks` of a chain.

    Parameters
    ----------
    state, string
        As in :func:`string_pairs`; NaN if no string fits a pair.

    >>> from phasenet.phases.exact import product_chain
    >>> print(f"{bulk_string_order(product_chain([0, 2] * 4, 3), 'z'):.3f}")
    1.000
    """
    form = state_form(state)
    string = _of_spins(string, form)
    starts, ends = bulk_blocks(form.length)
    chosen = [start for start in starts if (start - string.start) % string.period == 0]
    places = range(ends.start, min(ends.stop, form.length - len(string.right) + 1))
    block = _pairs(form, string, chosen, places)
    known = block[np.isfinite(block)]
    return float(known.mean()) + 0.0 if len(known) else math.nan


def bulk_pair(length: int) -> tuple[int, int]:
    """Pair (i, j) = (L//4, L - 1 - L//4): symmetric, far from the ends, with j - i odd for even L.

    >>> bulk_pair(32)
    (8, 23)
    """
    if length < 3:
        raise SettingsError(
            f"a chain of {length} sites has no bulk pair; it needs at least 3 sites"
        )
    return length // 4, length - 1 - length // 4


def bulk_blocks(length: int) -> tuple[range, range]:
    """Sites where strings of the bulk average start, [L/4, 3L/8), and end, their mirror images.

    >>> bulk_blocks(32)
    (range(8, 12), range(20, 24))
    """
    first, beyond = length // 4, max(length // 4 + 1, 3 * length // 8)
    if beyond > length - beyond:
        raise SettingsError(
            f"a chain of {length} sites has no two bulk blocks; use 3 or more sites"
        )
    return range(first, beyond), range(length - beyond, length - first)


def checked_pair(length: int, pair: tuple[int, int] | None) -> tuple[int, int]:
    """Pair of sites i < j within a chain, or SettingsError; without one, :func:`bulk_pair`."""
    first, last = bulk_pair(length) if pair is None else pair
    if not 0 <= first < last < length:
        raise SettingsError(
            f"the pair ({first}, {last}) does not fit a chain of {length} sites; "
            f"wanted 0 <= i < j < {length}"
        )
    return first, last


def check_integer_spins(state: TensorTrain) -> None:
    """Raise SettingsError unless every site has an odd number of states."""
    if not all(is_integer_spin(dim) for dim in state.site_dims):
        raise SettingsError(
            "averages and conditional string orders need integer spins; "
            "use string_order on single pairs"
        )


def as_string(string: StringOrder | Axis, site_dims: Sequence[int]) -> StringOrder:
    """String order itself, or that of spins along an axis, for sites of some dimensions.

    >>> print(as_string("z", (3, 3)))
    -<Sz [Rz] Sz>
    """
    if isinstance(string, StringOrder):
        return string
    if string not in ("x", "y", "z"):
        raise SettingsError(f"string is {string!r}; wanted x, y, z or a StringOrder")
    if len(set(site_dims)) != 1:
        raise SettingsError(
            f"sites have {sorted(set(site_dims))} states, so the string of spins along {string} "
            "has no one sign; give a StringOrder"
        )
    return spin_string(string, site_dims[0])


def _of_spins(string: StringOrder | Axis, form: StateForm) -> StringOrder:
    return as_string(string, form.site_dims)


def _checked_place(form: StateForm, string: StringOrder, first: int, last: int) -> tuple[int, int]:
    """Sites where the two ends of a string begin, or SettingsError if it cannot lie there."""
    if not form.infinite and not 0 <= first < last <= form.length - len(string.right):
        raise SettingsError(
            f"the pair ({first}, {last}) does not fit a chain of {form.length} sites; wanted "
            f"0 <= i < j <= {form.length - len(string.right)} for {string}"
        )
    inside = last - first - len(string.left)
    if inside < 0 or inside % len(string.inside):
        raise SettingsError(
            f"the pair ({first}, {last}) leaves {inside} sites inside {string}; wanted a multiple "
            f"of {len(string.inside)}, 0 or more: move one end"
        )
    if (first - string.start) % string.period:
        raise SettingsError(
            f"string {string.name!r} cannot start at site {first}; wanted {string.start} modulo "
            f"{string.period}"
        )
    return first, last


def _pairs(
    form: StateForm, string: StringOrder, starts: Sequence[int], places: range
) -> FloatArray:
    """Values of strings from some sites to some places, shape (starts, length); NaN elsewhere."""
    result = np.full((len(starts), form.length), np.nan)
    rows = {start: row for row, start in enumerate(starts)}
    spans = {k: range(max(k + len(string.left), places.start), places.stop) for k in starts}
    for closing in closings(form, string, spans):
        chosen = [rows[start] for start in closing.starts]
        result[chosen, closing.place] = string.factor * real(closing.values) + 0.0
    return result
