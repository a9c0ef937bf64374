r"""String order of finite and infinite states.

.. math:: O^a(i,j) = \Big\langle S^a_i \exp\Big(i\pi\sum_{i<k<j} S^a_k\Big) S^a_j \Big\rangle

(den Nijs, Rommelse, PRB 40, 4709 (1989)). **String orders are returned as -O**: +4/9 for AKLT.
For half-integer spins the operator is Hermitian only with an even number of sites inside.
"""

import numpy as np

from phasenet.errors import SettingsError
from phasenet.phases.spins import Axis, is_integer_spin, pi_rotation, spin_matrix
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, FloatArray, TensorTrain
from phasenet.trains.transfer import (
    Chain,
    apply_operator,
    contract_site,
    expectation,
    finite_chain,
    infinite_stretch,
    leading_eigenpairs,
    left_eigenpairs,
    string_sums,
)

UNBROKEN = 0.999
"""Modulus per cell from which a transfer eigenvalue counts as one: the symmetry is unbroken."""

_LEADING = 4


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


def string_order(train: TensorTrain, axis: Axis, pair: tuple[int, int] | None = None) -> float:
    r"""String order :math:`-O^a(i,j)` of one pair of a finite chain.

    Parameters
    ----------
    train
        State in the z basis.
    axis
        Component a.
    pair
        Sites i < j; without it, :func:`bulk_pair`.

    >>> up_down = TensorTrain(cores=(np.eye(3)[0].reshape(1, 3, 1), np.eye(3)[2].reshape(1, 3, 1)))
    >>> print(f"{string_order(up_down, 'z', (0, 1)):.3f}")
    1.000
    """
    first, last = checked_pair(train.length, pair)
    chain = finite_chain(train)
    _check_hermitian(chain, last - first - 1)
    inside = _operators(chain, axis, end=False)
    operators: list[Array | None] = [None] * train.length
    operators[first + 1 : last] = inside[first + 1 : last]
    for site in (first, last):
        operators[site] = spin_matrix(axis, train.site_dims[site])
    return -float(expectation(chain, operators)[0].real) + 0.0


def string_orders(train: TensorTrain, axis: Axis, first: int) -> FloatArray:
    r"""String orders :math:`-O^a(i,j)` from one site i to every j > i of a finite chain.

    Parameters
    ----------
    train
        State in the z basis.
    axis
        Component a.
    first
        Site i.

    Returns
    -------
    Array of shape (length - 1 - first,), starting at j = i + 1. For half-integer spins the entries
    with an odd number of sites inside are zero, the real part of an anti-Hermitian operator.

    >>> neel = TensorTrain(cores=tuple(np.eye(3)[k].reshape(1, 3, 1) for k in (0, 2, 0)))
    >>> print(string_orders(neel, "z", 0).tolist())
    [1.0, 1.0]
    """
    if not 0 <= first < train.length - 1:
        raise SettingsError(f"first is {first}; it must be within 0 .. {train.length - 2}")
    sums = _sums(finite_chain(train), axis, (first,))
    return -sums[first + 1 :] + 0.0


def bulk_string_order(train: TensorTrain, axis: Axis) -> float:
    r"""Mean of :math:`-O^a(i,j)` over all pairs between the two :func:`bulk_blocks` of a chain.

    Parameters
    ----------
    train
        State of integer spins in the z basis.
    axis
        Component a.

    >>> neel = TensorTrain(cores=tuple(np.eye(3)[k].reshape(1, 3, 1) for k in (0, 2) * 4))
    >>> print(f"{bulk_string_order(neel, 'z'):.3f}")
    1.000
    """
    check_integer_spins(train)
    starts, ends = bulk_blocks(train.length)
    sums = _sums(finite_chain(train), axis, starts)
    return -float(sums[list(ends)].mean()) / len(starts) + 0.0


def identity_string(train: TensorTrain, axis: Axis, pair: tuple[int, int] | None = None) -> float:
    r"""String without spins at its ends, :math:`\langle\prod_{i\le k\le j} R^a_k\rangle`.

    The selection rule of Pollmann, Turner, PRB 86, 125441 (2012) makes it vanish in the Haldane
    phase, where the string order survives, and the other way round in the trivial phase. Returned
    as it is, not negated.

    Parameters
    ----------
    train
        State in the z basis.
    axis
        Component a.
    pair
        Sites i <= j; without it, :func:`bulk_pair`.

    >>> zeros = TensorTrain(cores=(np.eye(3)[1].reshape(1, 3, 1),) * 4)
    >>> print(f"{identity_string(zeros, 'x'):.3f}")
    1.000
    """
    first, last = checked_pair(train.length, pair)
    chain = finite_chain(train)
    _check_hermitian(chain, last - first + 1)
    operators: list[Array | None] = [None] * train.length
    operators[first : last + 1] = _operators(chain, axis, end=False)[first : last + 1]
    return float(expectation(chain, operators)[0].real)


def string_order_at(train: InfiniteTrain, axis: Axis, distance: int, start: int = 0) -> float:
    r"""String order :math:`-O^a(i,i+r)` of an infinite state.

    Parameters
    ----------
    train
        State in the z basis.
    axis
        Component a.
    distance
        Number of sites r >= 1 from one end to the other.
    start
        Site i of the cell.

    >>> cell = InfiniteTrain(
    ...     cores=tuple(np.eye(3)[k].reshape(1, 3, 1) for k in (0, 2)),
    ...     schmidt_values=(np.ones(1),) * 2,
    ... )
    >>> print(f"{string_order_at(cell, 'z', 101):.3f}")
    1.000
    """
    if distance < 1:
        raise SettingsError(f"distance is {distance}; a string has distance 1 or more")
    chain = infinite_stretch(train, start, distance + 1)
    _check_hermitian(chain, distance - 1)
    operators = _operators(chain, axis, end=False)
    operators[0], operators[-1] = (spin_matrix(axis, chain.cores[k].shape[1]) for k in (0, -1))
    return -float(expectation(chain, operators)[0].real) + 0.0


def string_order_limit(
    train: InfiniteTrain, axis: Axis, start: int = 0, end: int | None = None
) -> float:
    r"""String order :math:`-O^a(i,j)` of an infinite state for :math:`|i-j| \to \infty`.

    With leading left and right eigenvectors of the transfer map E_R of one cell with R^a on each
    site, the sum over eigenvalues of modulus one of (l|X)(Y|r)/(Y|X); zero if there is none.
    A modulus of at least :data:`UNBROKEN` counts as one, and phases are dropped: if the string
    alternates from cell to cell, this is its value at an even number of cells.

    Parameters
    ----------
    train
        State in the z basis.
    axis
        Component a.
    start, end
        Sites of the cell where the string starts and ends; by default the first and the last, so
        that a string across an even cell has an even number of sites inside.

    >>> cell = InfiniteTrain(
    ...     cores=tuple(np.eye(3)[k].reshape(1, 3, 1) for k in (0, 2)),
    ...     schmidt_values=(np.ones(1),) * 2,
    ... )
    >>> print(f"{string_order_limit(cell, 'z'):.3f}")
    1.000
    """
    last = train.cell - 1 if end is None else end % train.cell
    return -_limit(train, axis, start % train.cell, last, spin_ends=True) + 0.0


def identity_string_limit(train: InfiniteTrain, axis: Axis) -> float:
    """String of whole cells without spins at its ends, for infinite length; not negated.

    Phases are treated as in :func:`string_order_limit`.

    >>> cell = InfiniteTrain(cores=(np.eye(3)[1].reshape(1, 3, 1),), schmidt_values=(np.ones(1),))
    >>> print(f"{identity_string_limit(cell, 'x'):.3f}")
    1.000
    """
    return _limit(train, axis, 0, train.cell - 1, spin_ends=False)


def _limit(train: InfiniteTrain, axis: Axis, start: int, end: int, *, spin_ends: bool) -> float:
    cell = infinite_stretch(train, 0, train.cell)
    inside = _operators(cell, axis, end=False)
    ends = _operators(cell, axis, end=True) if spin_ends else inside
    kets = [apply_operator(*pair) for pair in zip(cell.cores, inside, strict=True)]
    left = np.diag(np.asarray(train.schmidt_values[start]) ** 2)[None]
    for site in range(start, train.cell):
        operator = ends[site] if site == start else inside[site]
        left = contract_site(left, apply_operator(cell.cores[site], operator), cell.cores[site])
    right = np.eye(cell.cores[end].shape[2])[None]
    for site in range(end, -1, -1):
        operator = ends[site] if site == end else inside[site]
        ket, bra = apply_operator(cell.cores[site], operator), cell.cores[site]
        right = contract_site(right, ket.swapaxes(0, 2), bra.swapaxes(0, 2))
    values, columns = leading_eigenpairs(kets, cell.cores, _LEADING)
    others, rows = left_eigenpairs(kets, cell.cores, _LEADING)
    count = min(int(np.sum(np.abs(found) >= UNBROKEN)) for found in (values, others))
    if count == 0:
        return 0.0
    X, Y = columns[:count].reshape(count, -1), rows[:count].reshape(count, -1)
    overlaps = np.linalg.solve(Y @ X.T, Y @ right.ravel())
    return float((X @ left.ravel() @ overlaps).real)


def _sums(chain: Chain, axis: Axis, starts: tuple[int, ...] | range) -> FloatArray:
    ends, inside = (_operators(chain, axis, end=end) for end in (True, False))
    return np.ascontiguousarray(string_sums(chain, ends, inside, starts)[:, 0].real)


def _operators(chain: Chain, axis: Axis, *, end: bool) -> list[Array]:
    make = spin_matrix if end else pi_rotation
    return [make(axis, core.shape[1]) for core in chain.cores]


def checked_pair(length: int, pair: tuple[int, int] | None) -> tuple[int, int]:
    """Pair of sites i < j within a chain, or SettingsError; without one, :func:`bulk_pair`."""
    first, last = bulk_pair(length) if pair is None else pair
    if not 0 <= first < last < length:
        raise SettingsError(
            f"the pair ({first}, {last}) does not fit a chain of {length} sites; "
            f"wanted 0 <= i < j < {length}"
        )
    return first, last


def _check_hermitian(chain: Chain, inside: int) -> None:
    if inside % 2 and not is_integer_spin(chain.cores[0].shape[1]):
        raise SettingsError(
            f"a string of half-integer spins has {inside} rotations, an odd number, and is not "
            "Hermitian; move one end by a site"
        )


def check_integer_spins(state: TensorTrain) -> None:
    """Raise SettingsError unless every site has an odd number of states."""
    if not all(is_integer_spin(dim) for dim in state.site_dims):
        raise SettingsError(
            "averages and conditional string orders need integer spins; "
            "use string_order on single pairs"
        )
