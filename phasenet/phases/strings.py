r"""String order, finite and infinite, and conditioned on a function of the configuration.

.. math:: O^a(i,j) = \Big\langle S^a_i \exp\Big(i\pi\sum_{i<k<j} S^a_k\Big) S^a_j \Big\rangle

(den Nijs, Rommelse, PRB 40, 4709 (1989)). **String orders are returned as -O**: +4/9 for AKLT.
For half-integer spins the operator is Hermitian only with an even number of sites inside.
"""

import numpy as np

from phasenet.errors import SettingsError
from phasenet.phases.spins import Axis, is_integer_spin, magnetic_numbers, pi_rotation, spin_matrix
from phasenet.trains.diagonal import diagonal_expectation, diagonal_strings
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
    first, last = _checked_pair(train.length, pair)
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
    _check_integer(train)
    starts, ends = bulk_blocks(train.length)
    sums = _sums(finite_chain(train), axis, starts)
    return -float(sums[list(ends)].mean()) / len(starts) + 0.0


def bulk_string_of_snapshots(spins: Array, site_dim: int) -> FloatArray:
    """-O^z of each snapshot, averaged over the same pairs of sites as :func:`bulk_string_order`.

    Parameters
    ----------
    spins
        Local states of integer spins in the z basis, shape (shots, sites).
    site_dim
        Number of local states.

    Returns
    -------
    Shape (shots,); its mean over snapshots of a state estimates the string order of the state.

    >>> neel = np.array([[0, 2, 0, 2, 0, 2, 0, 2]])
    >>> print(f"{bulk_string_of_snapshots(neel, 3)[0]:.3f}")
    1.000
    """
    if not is_integer_spin(site_dim):
        raise SettingsError(f"sites have {site_dim} states; a bulk string needs integer spins")
    weights = np.rint(magnetic_numbers(site_dim))[spins]
    parity = np.cumprod(1.0 - 2.0 * (np.abs(weights) % 2), axis=1)
    starts, ends = bulk_blocks(spins.shape[1])
    first = (weights * parity)[:, starts.start : starts.stop].mean(axis=1)
    last = (weights[:, 1:] * parity[:, :-1])[:, ends.start - 1 : ends.stop - 1].mean(axis=1)
    return np.asarray(-first * last)


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
    first, last = _checked_pair(train.length, pair)
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


def conditional_string_order(
    state: TensorTrain, function: TensorTrain, pair: tuple[int, int] | None = None
) -> FloatArray:
    r"""Conditional string order, :math:`-\langle f O^z_{ij}\rangle/\langle f\rangle`.

    With f the probability of a class, this is the string order of the shots that the network
    assigns to that class.

    Parameters
    ----------
    state
        State of integer spins in the z basis.
    function
        Real train on the same sites, not negative.
    pair
        Sites i < j; without it, :func:`bulk_pair`.

    Returns
    -------
    Array of shape (outputs,), or () for a scalar function; nan where <f> is zero.

    >>> neel = TensorTrain(cores=tuple(np.eye(3)[k].reshape(1, 3, 1) for k in (0, 2, 0)))
    >>> print(f"{conditional_string_order(neel, neel, (0, 2)):.3f}")
    1.000
    """
    _check_integer(state)
    first, last = _checked_pair(state.length, pair)
    ends, inside = _diagonals(state)
    operators = [np.ones_like(m) for m in ends]
    operators[first + 1 : last] = inside[first + 1 : last]
    operators[first], operators[last] = ends[first], ends[last]
    weighted = diagonal_expectation(state, function, operators)
    return _ratio(-weighted, diagonal_expectation(state, function))


def conditional_string_orders(state: TensorTrain, function: TensorTrain, first: int) -> FloatArray:
    """Conditional string orders from one site i to every j > i, at the cost of a few pairs.

    Parameters
    ----------
    state
        State of integer spins in the z basis.
    function
        Real train on the same sites, not negative.
    first
        Site i.

    Returns
    -------
    Array of shape (length - 1 - first, outputs), or (length - 1 - first,) for a scalar function.

    >>> neel = TensorTrain(cores=tuple(np.eye(3)[k].reshape(1, 3, 1) for k in (0, 2, 0)))
    >>> print(conditional_string_orders(neel, neel, 0).tolist())
    [1.0, 1.0]
    """
    _check_integer(state)
    if not 0 <= first < state.length - 1:
        raise SettingsError(f"first is {first}; it must be within 0 .. {state.length - 2}")
    ends, inside = _diagonals(state)
    sums = diagonal_strings(state, function, ends, inside, (first,))[first + 1 :]
    return _ratio(-sums, diagonal_expectation(state, function))


def conditional_bulk_string_order(state: TensorTrain, function: TensorTrain) -> FloatArray:
    """Conditional string order, averaged over all pairs between the two :func:`bulk_blocks`.

    Parameters
    ----------
    state
        State of integer spins in the z basis.
    function
        Real train on the same sites, not negative.

    Returns
    -------
    Array of shape (outputs,), or () for a scalar function.

    >>> neel = TensorTrain(cores=tuple(np.eye(3)[k].reshape(1, 3, 1) for k in (0, 2) * 4))
    >>> print(f"{conditional_bulk_string_order(neel, neel):.3f}")
    1.000
    """
    _check_integer(state)
    starts, ends = bulk_blocks(state.length)
    sums = diagonal_strings(state, function, *_diagonals(state), starts)[list(ends)]
    mean = sums.mean(axis=0) / len(starts)
    return _ratio(-mean, diagonal_expectation(state, function))


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


def _diagonals(state: TensorTrain) -> tuple[list[FloatArray], list[FloatArray]]:
    """S^z and R^z of each site as vectors."""
    return (
        [magnetic_numbers(dim) for dim in state.site_dims],
        [np.diagonal(pi_rotation("z", dim)).real.copy() for dim in state.site_dims],
    )


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    zero = denominator == 0.0
    return np.asarray(np.where(zero, np.nan, numerator / np.where(zero, 1.0, denominator)) + 0.0)


def _checked_pair(length: int, pair: tuple[int, int] | None) -> tuple[int, int]:
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


def _check_integer(state: TensorTrain) -> None:
    if not all(is_integer_spin(dim) for dim in state.site_dims):
        raise SettingsError(
            "averages and conditional string orders need integer spins; "
            "use string_order on single pairs"
        )
