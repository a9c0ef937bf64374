r"""On-site operators between two diagonal ones, :math:`\langle\psi|F^\dagger O F|\psi\rangle`.

A function f that multiplies the amplitudes of a state turns it into another (unnormalised) state,
and O is measured there: what a classifier's output selects, or a phase that it puts on, is then
visible to operators that are not diagonal.
"""

from collections.abc import Sequence

import numpy as np

from phasenet.errors import ShapeError
from phasenet.trains.inner import log_norm
from phasenet.trains.train import Array, TensorTrain
from phasenet.trains.transfer import apply_operator


def sandwich_expectation(
    state: TensorTrain, function: TensorTrain, operators: Sequence[Array | None]
) -> Array:
    r"""Expectation value :math:`\langle f^* O_1 O_2 \cdots O_L f\rangle` in a state.

    Divide by the value without operators, :math:`\langle|f|^2\rangle`, for the expectation value
    in the normalised state :math:`F|\psi\rangle`. The cost is
    :math:`O(L d \chi_f^2 \chi^2 (\chi + \chi_f))`, times the outputs at the output site alone.

    Parameters
    ----------
    state
        The state, in any gauge and of any norm; the result does not depend on the norm.
    function
        Real or complex train on the same sites.
    operators
        One matrix, vector (of a diagonal operator) or None (the identity) per site.

    Returns
    -------
    Array of shape (outputs,), each output f_c with itself on both sides, or of shape () for a
    scalar function; complex if the state, the function or an operator is.

    >>> flip = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> state = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    >>> sign = TensorTrain(cores=(np.array([[[1.0], [-1.0]]]), *state.cores[1:]))
    >>> print(f"{sandwich_expectation(state, sign, [flip, None, flip]):.3f}")
    -1.000
    """
    _check(state, function, operators)
    norm = log_norm(state)
    if norm == -np.inf:
        raise ShapeError("the state has norm zero; it has no expectation values")
    meeting = function.output_site or 0
    triples = list(zip(state.cores, function.cores, operators, strict=True))
    left, log_left = _edge(triples[:meeting])
    mirrored = [(a.swapaxes(0, 2), f.swapaxes(0, 2), o) for a, f, o in reversed(triples)]
    right, log_right = _edge(mirrored[: state.length - 1 - meeting])
    core, wide, operator = triples[meeting]
    wide = wide if wide.ndim == 4 else wide[..., None]
    values = np.array(
        [
            np.sum(_step(left, core, wide[..., output], operator) * right)
            for output in range(wide.shape[3])
        ]
    )
    log = log_left + log_right + 2 * (function.log_scale + state.log_scale - norm)
    values = values * np.exp(log)
    return values if function.output_site is not None else np.asarray(values[0])


def _edge(triples: Sequence[tuple[Array, Array, Array | None]]) -> tuple[Array, float]:
    """Environment from the outer end through some sites, largest entry 1, and its logarithm."""
    values: Array = np.ones((1, 1, 1, 1))
    log = 0.0
    for core, function, operator in triples:
        values = _step(values, core, function, operator)
        size = float(np.abs(values).max())
        if size > 0.0:
            values, log = values / size, log + float(np.log(size))
    return values, log


def _step(values: Array, core: Array, function: Array, operator: Array | None) -> Array:
    """Environment (state, function, conjugate function, conjugate state) through one site."""
    kets = []
    for state in range(core.shape[1]):
        part = np.tensordot(values, core[:, state], axes=(0, 0))
        kets.append(np.tensordot(part, function[:, state], axes=(0, 0)))
    stacked = np.stack(kets)
    turned = apply_operator(stacked.reshape(1, len(kets), -1), operator).reshape(stacked.shape)
    total: Array = np.zeros(())
    for state in range(core.shape[1]):
        part = np.tensordot(turned[state], function[:, state].conj(), axes=(0, 0))
        total = total + np.tensordot(part, core[:, state].conj(), axes=(0, 0))
    return total


def _check(state: TensorTrain, function: TensorTrain, operators: Sequence[Array | None]) -> None:
    if state.output_site is not None:
        raise ShapeError(f"the state has an output leg at site {state.output_site}; wanted none")
    if function.site_dims != state.site_dims:
        raise ShapeError(
            f"the function has {function.length} sites of dimensions {set(function.site_dims)}; "
            f"the state has {state.length} of {set(state.site_dims)}"
        )
    if len(operators) != state.length:
        raise ShapeError(f"{len(operators)} on-site operators for {state.length} sites")
