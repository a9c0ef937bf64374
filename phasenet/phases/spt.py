r"""Invariants of symmetry-protected phases: how a symmetry acts on the bond of a state.

Infinite states: Pollmann, Turner, PRB 86, 125441 (2012), arXiv:1204.0704. Finite states: the same
matrices :math:`X_g` from the leading singular pair of the symmetry's transfer map over a window of
the bulk. An invariant belongs to a cut: the bond left of a site of the cell, or the one of that
kind nearest to the middle of a chain.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from phasenet.criteria import SPIN_SYMMETRIES, Symmetry
from phasenet.errors import SettingsError
from phasenet.operators import Operator
from phasenet.phases.cuts import Action, Window, action_of, shortest, windows_of
from phasenet.phases.spins import on_site, pi_rotation
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.train import Array

DETERMINED = 0.999
"""Smallest modulus of eta, per cell (two sites of a finite chain), of a symmetric state."""

XI_PER_LENGTH = 4.0
r"""Correlation lengths that a chain must be long, for its cut to belong to a phase.

In the middle of a gapless chain of L sites, the length that correlations fall off with is
:math:`L / 2 \pi x` for an operator of scaling dimension x, and looks like that of a gap; the
lowest x is at most 1/2 at central charge 1 and in the classes of Ising and SU(2), unless polarised
ends forbid it, which lowers eta.
"""

# Of eta, times the length of the chain.
_LARGEST_LACK = 0.3
# A smaller eta is no matter of the ends or of the size.
_BROKEN = 0.9
_RAW_ATOL = 0.05
_PHASE_ATOL = 1e-14


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """One invariant of a state at one cut.

    Parameters
    ----------
    name
        Which symmetry: ``Z2xZ2``, ``time reversal``, ``bond inversion``.
    cut
        The bond it belongs to, in words.
    value
        +1 or -1, or 0 if undetermined.
    eta
        Smallest modulus of a leading eigenvalue among the symmetries involved, per cell of an
        infinite state and per two sites at the cut of a finite one; 1 if the state is symmetric.
    raw
        The trace that is rounded to the value.
    reason
        Why the value is, or is not, determined.
    correlation_length
        Longest one of the state, in sites: of the cell, or of the middle of a chain.

    >>> print(Invariant(name="Z2xZ2", cut="bond", value=-1, eta=1.0, raw=-1.0, reason="determined"))
    Z2xZ2 -1 (eta=1.000000, raw=-1.0000, bond): determined
    """

    name: str
    cut: str
    value: int
    eta: float
    raw: float
    reason: str
    correlation_length: float = math.nan

    def __str__(self) -> str:
        return (
            f"{self.name} {self.value:+d} (eta={self.eta:.6f}, raw={self.raw:.4f}, {self.cut}): "
            f"{self.reason}"
        )


def invariants(
    state: State, symmetries: Symmetry | Sequence[Symmetry] = SPIN_SYMMETRIES, *, cell: int = 1
) -> tuple[Invariant, ...]:
    """Invariants of a state under given symmetries, each at its own cut.

    Parameters
    ----------
    state
        State of spins in the z basis. A chain has 8 sites or more, better four correlation lengths.
    symmetries
        One or several; by default pi rotations about x and z, time reversal and inversion about a
        bond.
    cell
        Sites after which an open chain repeats; the cut is the bond of the right kind that is
        nearest to the middle. An infinite state has a cell of its own.

    >>> from phasenet.phases.exact import large_d_cell
    >>> [invariant.value for invariant in invariants(large_d_cell())]
    [1, 1, 1]
    """
    form = state_form(state)
    windows: dict[tuple[int, int], tuple[Window, ...]] = {}
    found = []
    for symmetry in (symmetries,) if isinstance(symmetries, Symmetry) else symmetries:
        period = form.length if form.infinite else _period(symmetry, cell)
        patterns = [_pattern(symmetry, names, form, period) for names in symmetry.operators]
        place = symmetry.cut % period, period
        if place not in windows:
            windows[place] = windows_of(form, *place)
        results = [_invariant(symmetry, window, patterns) for window in windows[place]]
        found.append(_agreed(symmetry.name, results, form.length, period))
    return tuple(found)


def commutation_invariant(
    state: State, first: Sequence[Array], second: Sequence[Array], name: str = "commutation"
) -> Invariant:
    r"""Whether two commuting on-site symmetries still commute on the bond.

    .. math:: \mathrm{tr}\,(S^2 X_g X_h X_g^\dagger X_h^\dagger) = \pm 1

    The cut is the bond left of the first site of the cell, or the middle of a chain.

    Parameters
    ----------
    state
        Infinite or finite state.
    first, second
        On-site unitaries of g and h, one matrix per site of the cell or of the chain.
    name
        Name of the result.

    >>> from phasenet.phases.exact import large_d_cell
    >>> rotations = [[pi_rotation(axis, 3)] for axis in ("x", "z")]
    >>> print(commutation_invariant(large_d_cell(), *rotations).value)
    1
    """
    form = state_form(state)
    found = [_commutation(window, first, second, name) for window in windows_of(form)]
    return _agreed(name, found, form.length)


def time_reversal_invariant(
    state: State, unitaries: Sequence[Array] | None = None, name: str = "time reversal"
) -> Invariant:
    r"""Sign of time reversal on the bond, :math:`\mathrm{tr}(S^2 X X^*)`, with kets u B^*.

    The cut is the bond left of the first site of the cell, or the middle of a chain.

    Parameters
    ----------
    state
        Infinite or finite state of spins in the z basis.
    unitaries
        The matrix u of each site of the cell or of the chain; by default R^y, which turns spins.
    name
        Name of the result.

    >>> from phasenet.phases.exact import large_d_cell
    >>> print(time_reversal_invariant(large_d_cell()).value)
    1
    """
    form = state_form(state)
    if unitaries is None:
        unitaries = [pi_rotation("y", dim) for dim in form.site_dims]
    found = [_time_reversal(window, unitaries, name) for window in windows_of(form)]
    return _agreed(name, found, form.length)


def inversion_invariant(
    state: State, unitaries: Sequence[Array] | None = None, name: str = "bond inversion"
) -> Invariant:
    r"""Sign of the inversion about a bond, :math:`\mathrm{tr}(S^2 X X^*)`.

    The kets are the mirrored cores, in the gauge S^(1/2) B S^(-1/2): its transpose is that of the
    mirror image. The cut is the bond left of the first site of the cell, or the middle of a chain.

    Parameters
    ----------
    state
        Infinite or finite state.
    unitaries
        What acts on each site of the cell, or of the chain, after the inversion; by default
        nothing.
    name
        Name of the result.

    >>> from phasenet.phases.exact import large_d_cell
    >>> print(inversion_invariant(large_d_cell()).value)
    1
    """
    form = state_form(state)
    found = [_inversion(window, unitaries or (), name) for window in windows_of(form)]
    return _agreed(name, found, form.length)


def _period(symmetry: Symmetry, cell: int) -> int:
    """Sites after which both an open chain and the pattern of a symmetry repeat."""
    return math.lcm(cell, *(len(names) for names in symmetry.operators))


def _pattern(
    symmetry: Symmetry, names: Sequence[Operator], form: StateForm, cell: int
) -> list[Array]:
    """On-site unitaries of all sites, from names that repeat along the cell."""
    if cell % len(names):
        raise SettingsError(
            f"symmetry {symmetry.name!r} repeats every {len(names)} sites and the cell has {cell}; "
            f"give infinite.cell a multiple of {len(names)}"
        )
    return [on_site(names[site % len(names)], dim) for site, dim in enumerate(form.site_dims)]


def _invariant(
    symmetry: Symmetry, window: Window, patterns: Sequence[Sequence[Array]]
) -> Invariant:
    if symmetry.kind == "commutation":
        return _commutation(window, patterns[0], patterns[1], symmetry.name)
    if symmetry.kind == "time reversal":
        return _time_reversal(window, patterns[0], symmetry.name)
    return _inversion(window, patterns[0] if patterns else (), symmetry.name)


def _commutation(
    window: Window, first: Sequence[Array], second: Sequence[Array], name: str
) -> Invariant:
    actions = [
        action_of(window, window.cores, _on_window(window, operators))
        for operators in (first, second)
    ]
    X, Z = (action.matrix for action in actions)
    raw = np.einsum("a,aa->", window.weights, X @ Z @ X.conj().T @ Z.conj().T)
    return _judged(name, window, actions, float(raw.real))


def _time_reversal(window: Window, unitaries: Sequence[Array], name: str) -> Invariant:
    kets = [core.conjugate for core in window.cores]
    action = action_of(window, kets, _on_window(window, unitaries))
    return _judged(name, window, [action], _square(window, action))


def _inversion(window: Window, unitaries: Sequence[Array], name: str) -> Invariant:
    kets = [core.mirrored for core in reversed(window.cores)]
    if [ket.site_dim for ket in kets] != [core.site_dim for core in window.cores]:
        cause = "the local dimensions on both sides of the cut are no mirror images"
        return _undetermined(name, f"undetermined: {cause}", window.cut)
    operators = _on_window(window, unitaries) if unitaries else [None] * len(kets)
    action = action_of(window, kets, operators, mirrored=True)
    found = _judged(name, window, [action], _square(window, action))
    if found.value or window.infinite or window.length % 2 == 0:
        return found
    return replace(found, reason=f"{found.reason}; an odd number of sites has no middle bond")


def _square(window: Window, action: Action) -> float:
    X = action.matrix
    return float(np.einsum("a,ab,ba->", window.weights, X, X.conj()).real)


def _on_window(window: Window, operators: Sequence[Array]) -> list[Array | None]:
    """On-site matrices of a window, real where a phase makes them so; None for the identity."""
    found: list[Array | None] = []
    for site in window.sites:
        matrix = np.asarray(operators[site])
        largest = matrix.flat[np.argmax(np.abs(matrix))]
        turned = matrix * (abs(largest) / largest)
        if np.abs(turned.imag).max() < _PHASE_ATOL:
            turned = np.ascontiguousarray(turned.real)
        found.append(None if np.array_equal(turned, np.eye(len(turned))) else turned)
    return found


def _judged(name: str, window: Window, actions: Sequence[Action], raw: float) -> Invariant:
    worst = min(actions, key=lambda action: action.eta)
    cause = _defect(window, worst, raw)
    return Invariant(
        name=name,
        cut=window.cut,
        value=0 if cause else int(np.sign(raw)),
        eta=worst.eta,
        raw=raw,
        reason=f"undetermined: {cause}" if cause else "determined",
        correlation_length=window.correlation_length,
    )


def _defect(window: Window, worst: Action, raw: float) -> str:
    """Why an invariant says nothing; empty if it does."""
    length, xi = window.length, window.correlation_length
    if not window.sole:
        cause = "a cat state" if window.infinite else "a cat state, entangled ends or a short chain"
        return f"both sides of the cut stay correlated, {cause}"
    if length < XI_PER_LENGTH * xi and worst.eta > _BROKEN:
        return (
            f"{XI_PER_LENGTH:g} xi > L, for a correlation length of {xi:.3g} and {length:g} sites"
        )
    limit = _least_eta(window, worst)
    if worst.eta < limit:
        cause = "symmetry broken" if window.infinite else "symmetry broken, perhaps by the ends"
        return f"|eta| = {worst.eta:.6f} < {limit:.6g}, {cause}"
    if abs(abs(raw) - 1.0) > _RAW_ATOL:
        return f"the trace {raw:.4f} is not close to +1 or -1"
    return ""


def _least_eta(window: Window, worst: Action) -> float:
    r"""Least eta of a symmetric bulk.

    The order that each polarised end induces reaches the middle as :math:`e^{-L / 2 \xi}`, and
    lowers eta by its square; unlike the order of a broken state, it falls off towards the cut. Of
    a critical chain between polarised ends, eta lacks :math:`4 \pi x / L` with the dimension x of
    a twist, 1/8 for Ising; no more than a fifth of that is allowed for.
    """
    length, xi = window.length, window.correlation_length
    if window.infinite or not 0.0 < XI_PER_LENGTH * xi <= length or worst.eta <= worst.eta_around:
        return DETERMINED
    return DETERMINED - min(2.0 * math.exp(-length / xi), _LARGEST_LACK / length)


def _agreed(name: str, found: Sequence[Invariant], length: int, cell: int = 1) -> Invariant:
    """The invariant of a state from those of its branches: the one that they share, or none."""
    if not found:
        cause = f"{length} sites are too few; wanted {shortest(cell)} or more"
        return _undetermined(name, f"undetermined: {cause}", "none")
    worst = min(found, key=lambda invariant: (abs(invariant.value), invariant.eta))
    if len(found) == 1:
        return worst
    values = {invariant.value for invariant in found}
    if values == {1, -1}:
        reason = "undetermined: a superposition of branches with different invariants"
        return replace(worst, value=0, reason=reason)
    share = "each" if len(values) == 1 else "one"
    return replace(worst, reason=f"{worst.reason}, in {share} of {len(found)} entangled branches")


def _undetermined(name: str, reason: str, cut: str) -> Invariant:
    return Invariant(name=name, cut=cut, value=0, eta=0.0, raw=0.0, reason=reason)
