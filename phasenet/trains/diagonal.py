r"""Real trains as diagonal operators, :math:`F = \sum_s f(s)\,|s\rangle\langle s|`.

A classifier's output in the measured basis is such an operator: its expectation value in a state is
exact, without sampling noise. The state may be complex and need not be normalised or canonical.
"""

from collections.abc import Collection, Sequence

import numpy as np

from phasenet.trains.train import Array, FloatArray, TensorTrain
from phasenet.trains.transfer import expectation, finite_chain, site_expectations, string_sums


def diagonal_expectation(
    state: TensorTrain, function: TensorTrain, weights: Sequence[Array] | None = None
) -> FloatArray:
    r"""Expectation value :math:`\langle f \prod_k w_k\rangle` in a state.

    The cost is :math:`O(L d \chi_f \chi^2 (\chi + \chi_f))` (Schollwock, Ann. Phys. 326, 96 (2011),
    section 5.3, for a diagonal matrix product operator).

    Parameters
    ----------
    state
        The state.
    function
        Real train on the same sites.
    weights
        Diagonal on-site operators, one vector per site, as an array of shape (length, site);
        without them, the expectation value of the function alone.

    Returns
    -------
    Array of shape (outputs,), or of shape () for a scalar function.

    >>> state = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    >>> first_up = TensorTrain(cores=(np.array([[[1.0], [0.0]]]), *state.cores[1:]))
    >>> print(f"{diagonal_expectation(state, first_up):.3f}")
    0.500
    """
    operators = [None] * state.length if weights is None else list(weights)
    return _shaped(expectation(finite_chain(state), operators, (function,)), function)


def diagonal_second_moment(state: TensorTrain, function: TensorTrain) -> FloatArray:
    r"""Second moment :math:`\langle f_c^2\rangle` of each output in a state.

    The cost is :math:`O(L d \chi_f^2 \chi^2 (\chi + \chi_f))`, a factor of the function's bond more
    than the expectation value: round the function first.

    Parameters
    ----------
    state
        The state.
    function
        Real train on the same sites.

    Returns
    -------
    Array of shape (outputs,), or of shape () for a scalar function.

    >>> state = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    >>> parity = TensorTrain(cores=(np.array([[[1.0], [-1.0]]]),) * 3)
    >>> print(f"{diagonal_second_moment(state, parity):.3f}")
    1.000
    """
    nothing = [None] * state.length
    return _shaped(expectation(finite_chain(state), nothing, (function, function)), function)


def diagonal_variance(state: TensorTrain, function: TensorTrain) -> FloatArray:
    r"""Variance :math:`\langle f_c^2\rangle - \langle f_c\rangle^2` of each output in a state.

    >>> state = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    >>> first_up = TensorTrain(cores=(np.array([[[1.0], [0.0]]]), *state.cores[1:]))
    >>> print(f"{diagonal_variance(state, first_up):.3f}")
    0.250
    """
    mean = diagonal_expectation(state, function)
    return np.asarray(np.maximum(diagonal_second_moment(state, function) - mean**2, 0.0))


def diagonal_profile(
    state: TensorTrain, function: TensorTrain, weights: Sequence[Array]
) -> FloatArray:
    r"""Expectation values :math:`\langle f w_j\rangle` with one diagonal operator at each site j.

    Parameters
    ----------
    state
        The state.
    function
        Real train on the same sites.
    weights
        The diagonal of the operator of each site, shape (length, site).

    Returns
    -------
    Array of shape (length, outputs), or (length,) for a scalar function.

    >>> state = TensorTrain(cores=(np.ones((1, 2, 1)),) * 2)
    >>> first_up = TensorTrain(cores=(np.array([[[1.0], [0.0]]]), *state.cores[1:]))
    >>> print(diagonal_profile(state, first_up, np.array([[0.5, -0.5]] * 2)).round(3).tolist())
    [0.25, 0.0]
    """
    return _shaped(site_expectations(finite_chain(state), weights, (function,)), function)


def diagonal_strings(
    state: TensorTrain,
    function: TensorTrain,
    ends: Sequence[Array],
    middle: Sequence[Array],
    starts: Collection[int],
) -> FloatArray:
    r"""Strings weighted by a function, summed over their starts, for each site j where they end.

    .. math:: \sum_{i \in \mathrm{starts},\, i<j}
              \Big\langle f\, e_i \prod_{i<k<j} m_k \, e_j\Big\rangle

    Parameters
    ----------
    state
        The state.
    function
        Real train on the same sites.
    ends, middle
        The diagonals of e and m, shape (length, site).
    starts
        Sites i; one of them gives all strings from there, many give what an average needs.

    Returns
    -------
    Array of shape (length, outputs), or (length,) for a scalar function.

    >>> state = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    >>> up = np.array([[1.0, 0.0]] * 3)
    >>> print(diagonal_strings(state, state, up, up, (0,)).round(3).tolist())
    [0.0, 0.25, 0.125]
    """
    return _shaped(string_sums(finite_chain(state), ends, middle, starts, (function,)), function)


def _shaped(values: Array, function: TensorTrain) -> FloatArray:
    real = np.ascontiguousarray(values.real)
    return real if function.output_site is not None else np.asarray(real[..., 0])
