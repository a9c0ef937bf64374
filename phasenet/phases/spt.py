r"""Invariants of symmetry-protected phases: how a symmetry acts on the bond of a state.

Infinite states: Pollmann, Turner, PRB 86, 125441 (2012), arXiv:1204.0704. Finite states: the same
matrices :math:`X_g` from the leading singular pair of the symmetry's transfer map over a window of
the bulk. An invariant belongs to a cut: the bond left of a site of the cell, or the one of that
kind nearest to the middle of a chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.criteria import SPIN_SYMMETRIES, Symmetry
from phasenet.errors import SettingsError
from phasenet.operators import Operator
from phasenet.phases.cuts import SHORTEST, Action, Window, action_of, infinite_window, window_of
from phasenet.phases.spins import on_site, pi_rotation
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, TensorTrain
from phasenet.trains.transfer import apply_operator, leading_eigenpairs

DETERMINED = 0.999
"""Smallest modulus of eta, per cell (two sites of a finite chain), of a symmetric state."""

_RAW_ATOL = 0.05


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
        infinite state and per two sites of a finite one; 1 if the state is symmetric.
    raw
        The trace that is rounded to the value.
    reason
        Why the value is, or is not, determined.

    >>> print(Invariant(name="Z2xZ2", cut="bond", value=-1, eta=1.0, raw=-1.0, reason="determined"))
    Z2xZ2 -1 (eta=1.000000, raw=-1.0000, bond): determined
    """

    name: str
    cut: str
    value: int
    eta: float
    raw: float
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.name} {self.value:+d} (eta={self.eta:.6f}, raw={self.raw:.4f}, {self.cut}): "
            f"{self.reason}"
        )


def invariants(
    train: TensorTrain | InfiniteTrain,
    symmetries: Sequence[Symmetry] = SPIN_SYMMETRIES,
    *,
    cell: int = 1,
) -> tuple[Invariant, ...]:
    """Invariants of a state under given symmetries, each at its own cut.

    An inversion is left out for an open chain.

    Parameters
    ----------
    train
        State of spins in the z basis. A finite chain has 8 sites or more, better several
        correlation lengths.
    symmetries
        Symmetries; by default pi rotations about x and z, time reversal and inversion about a bond.
    cell
        Sites after which an open chain repeats; the cut is the bond of the right kind that is
        nearest to the middle. An infinite state has a cell of its own.

    >>> zeros = InfiniteTrain(cores=(np.eye(3)[1].reshape(1, 3, 1),), schmidt_values=(np.ones(1),))
    >>> [invariant.value for invariant in invariants(zeros)]
    [1, 1, 1]
    """
    infinite = isinstance(train, InfiniteTrain)
    windows: dict[int, Window | None] = {}
    found = []
    for symmetry in symmetries:
        if symmetry.kind == "inversion" and not infinite:
            continue
        period = train.cell if isinstance(train, InfiniteTrain) else cell
        patterns = [_pattern(symmetry, pattern, train, period) for pattern in symmetry.operators]
        cut = symmetry.cut % period
        if cut not in windows:
            windows[cut] = window_of(train, cut, period)
        found.append(_invariant(symmetry, windows[cut], patterns, len(train.cores)))
    return tuple(found)


def commutation_invariant(
    train: TensorTrain | InfiniteTrain,
    first: Sequence[Array],
    second: Sequence[Array],
    name: str = "commutation",
) -> Invariant:
    r"""Whether two commuting on-site symmetries still commute on the bond.

    .. math:: \mathrm{tr}\,(S^2 X_g X_h X_g^\dagger X_h^\dagger) = \pm 1

    The cut is the bond left of the first site of the cell, or the middle of a chain.

    Parameters
    ----------
    train
        Infinite or finite state.
    first, second
        On-site unitaries of g and h, one matrix per site of the cell or of the chain.
    name
        Name of the result.

    >>> zeros = InfiniteTrain(cores=(np.eye(3)[1].reshape(1, 3, 1),), schmidt_values=(np.ones(1),))
    >>> rotations = [[pi_rotation(axis, 3)] for axis in ("x", "z")]
    >>> print(commutation_invariant(zeros, *rotations).value)
    1
    """
    window = window_of(train)
    return _too_short(train, name) if window is None else _commutation(window, first, second, name)


def time_reversal_invariant(
    train: TensorTrain | InfiniteTrain,
    unitaries: Sequence[Array] | None = None,
    name: str = "time reversal",
) -> Invariant:
    r"""Sign of time reversal on the bond, :math:`\mathrm{tr}(S^2 X X^*)`, with kets u B^*.

    The cut is the bond left of the first site of the cell, or the middle of a chain.

    Parameters
    ----------
    train
        Infinite or finite state of spins in the z basis.
    unitaries
        The matrix u of each site of the cell or of the chain; by default R^y, which turns spins.
    name
        Name of the result.

    >>> zeros = InfiniteTrain(cores=(np.eye(3)[1].reshape(1, 3, 1),), schmidt_values=(np.ones(1),))
    >>> print(time_reversal_invariant(zeros).value)
    1
    """
    window = window_of(train)
    if unitaries is None:
        unitaries = [pi_rotation("y", dim) for dim in train.site_dims]
    return _too_short(train, name) if window is None else _time_reversal(window, unitaries, name)


def inversion_invariant(
    train: InfiniteTrain, unitaries: Sequence[Array] | None = None, name: str = "bond inversion"
) -> Invariant:
    r"""Sign of the inversion about the left bond of the cell, :math:`\mathrm{tr}(S^2 X X^*)`.

    With left-canonical kets :math:`A_L^T \dots A_1^T`; they are never formed, because
    :math:`Y = S X` is the eigenvector for kets :math:`B_L^T \dots B_1^T`, free of inverse Schmidt
    values.

    Parameters
    ----------
    train
        Infinite state.
    unitaries
        What acts on each site of the cell after the inversion; by default nothing.
    name
        Name of the result.

    >>> zeros = InfiniteTrain(cores=(np.eye(3)[1].reshape(1, 3, 1),), schmidt_values=(np.ones(1),))
    >>> print(inversion_invariant(zeros).value)
    1
    """
    return _inversion(infinite_window(train), unitaries or (), name)


def _invariant(
    symmetry: Symmetry, window: Window | None, patterns: Sequence[Sequence[Array]], length: int
) -> Invariant:
    if window is None:
        return _short(symmetry.name, length)
    if symmetry.kind == "commutation":
        return _commutation(window, patterns[0], patterns[1], symmetry.name)
    if symmetry.kind == "time reversal":
        return _time_reversal(window, patterns[0], symmetry.name)
    return _inversion(window, patterns[0] if patterns else (), symmetry.name)


def _pattern(
    symmetry: Symmetry, names: Sequence[Operator], train: TensorTrain | InfiniteTrain, cell: int
) -> list[Array]:
    """On-site unitaries of all sites, from names that repeat along the cell."""
    if cell % len(names):
        raise SettingsError(
            f"symmetry {symmetry.name!r} repeats every {len(names)} sites and the cell has {cell}; "
            f"give infinite.cell a multiple of {len(names)}"
        )
    return [on_site(names[site % len(names)], dim) for site, dim in enumerate(train.site_dims)]


def _commutation(
    window: Window, first: Sequence[Array], second: Sequence[Array], name: str
) -> Invariant:
    actions = [
        action_of(
            window,
            [
                apply_operator(core, operators[site])
                for core, site in zip(window.cores, window.sites, strict=True)
            ],
        )
        for operators in (first, second)
    ]
    X, Z = (action.matrix for action in actions)
    raw = np.einsum("a,aa->", window.weights, X @ Z @ X.conj().T @ Z.conj().T)
    return _judged(name, window, actions, float(raw.real))


def _time_reversal(window: Window, unitaries: Sequence[Array], name: str) -> Invariant:
    kets = [
        apply_operator(core.conj(), unitaries[site])
        for core, site in zip(window.cores, window.sites, strict=True)
    ]
    action = action_of(window, kets)
    raw = np.einsum("a,ab,ba->", window.weights, action.matrix, action.matrix.conj())
    return _judged(name, window, [action], float(raw.real))


def _inversion(window: Window, unitaries: Sequence[Array], name: str) -> Invariant:
    kets = [core.swapaxes(0, 2) for core in reversed(window.cores)]
    if unitaries:
        kets = [apply_operator(k, unitaries[i]) for k, i in zip(kets, window.sites, strict=True)]
    values, vectors = leading_eigenpairs(kets, window.cores, 1)
    Y = vectors[0]
    raw = np.einsum("ab,ba->", Y, Y.conj()) / np.sum(np.abs(Y) ** 2)
    action = Action(matrix=Y, eta=float(np.abs(values[0])))
    return _judged(name, window, [action], float(raw.real))


def _judged(name: str, window: Window, actions: Sequence[Action], raw: float) -> Invariant:
    eta = min(action.eta for action in actions)
    if eta < DETERMINED:
        cause = "symmetry broken" if window.infinite else "symmetry broken, perhaps by the ends"
        value, reason = 0, f"undetermined: |eta| = {eta:.6f} < {DETERMINED}, {cause}"
    elif not window.sole:
        cause = "a cat state" if window.infinite else "a cat state, entangled ends or a short chain"
        value, reason = 0, f"undetermined: both sides of the cut stay correlated, {cause}"
    elif abs(abs(raw) - 1.0) > _RAW_ATOL:
        value, reason = 0, f"undetermined: the trace {raw:.4f} is not close to +1 or -1"
    else:
        value, reason = int(np.sign(raw)), "determined"
    return Invariant(name=name, cut=window.cut, value=value, eta=eta, raw=raw, reason=reason)


def _too_short(train: TensorTrain | InfiniteTrain, name: str) -> Invariant:
    return _short(name, len(train.cores))


def _short(name: str, length: int) -> Invariant:
    reason = f"undetermined: {length} sites are too few; wanted {SHORTEST} or more"
    return Invariant(name=name, cut="none", value=0, eta=0.0, raw=0.0, reason=reason)
