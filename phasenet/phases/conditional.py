r"""String order of the configurations that a function picks out, and of single snapshots.

With f the probability of a class, :math:`-\langle f O^z\rangle/\langle f\rangle` is the string
order of the shots that a classifier assigns to that class.
"""

import numpy as np

from phasenet.errors import SettingsError
from phasenet.phases.spins import is_integer_spin, magnetic_numbers, pi_rotation
from phasenet.phases.strings import bulk_blocks, check_integer_spins, checked_pair
from phasenet.trains.diagonal import diagonal_expectation, diagonal_strings
from phasenet.trains.train import Array, FloatArray, TensorTrain


def conditional_string_order(
    state: TensorTrain, function: TensorTrain, pair: tuple[int, int] | None = None
) -> FloatArray:
    r"""Conditional string order, :math:`-\langle f O^z_{ij}\rangle/\langle f\rangle`.

    Parameters
    ----------
    state
        State of integer spins in the z basis.
    function
        Real train on the same sites, not negative.
    pair
        Sites i < j; without it, :func:`phasenet.phases.strings.bulk_pair`.

    Returns
    -------
    Array of shape (outputs,), or () for a scalar function; nan where <f> is zero.

    >>> neel = TensorTrain(cores=tuple(np.eye(3)[k].reshape(1, 3, 1) for k in (0, 2, 0)))
    >>> print(f"{conditional_string_order(neel, neel, (0, 2)):.3f}")
    1.000
    """
    check_integer_spins(state)
    first, last = checked_pair(state.length, pair)
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
    check_integer_spins(state)
    if not 0 <= first < state.length - 1:
        raise SettingsError(f"first is {first}; it must be within 0 .. {state.length - 2}")
    ends, inside = _diagonals(state)
    sums = diagonal_strings(state, function, ends, inside, (first,))[first + 1 :]
    return _ratio(-sums, diagonal_expectation(state, function))


def conditional_bulk_string_order(state: TensorTrain, function: TensorTrain) -> FloatArray:
    """Conditional string order, averaged over all pairs between the bulk blocks.

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
    check_integer_spins(state)
    starts, ends = bulk_blocks(state.length)
    sums = diagonal_strings(state, function, *_diagonals(state), starts)[list(ends)]
    mean = sums.mean(axis=0) / len(starts)
    return _ratio(-mean, diagonal_expectation(state, function))


def bulk_string_of_snapshots(spins: Array, site_dim: int) -> FloatArray:
    """-O^z of each snapshot, averaged over the same pairs of sites as the bulk string order.

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


def _diagonals(state: TensorTrain) -> tuple[list[FloatArray], list[FloatArray]]:
    """S^z and R^z of each site as vectors."""
    return (
        [magnetic_numbers(dim) for dim in state.site_dims],
        [np.diagonal(pi_rotation("z", dim)).real.copy() for dim in state.site_dims],
    )


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    zero = denominator == 0.0
    return np.asarray(np.where(zero, np.nan, numerator / np.where(zero, 1.0, denominator)) + 0.0)
