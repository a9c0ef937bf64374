"""Leading fixed point of a positive map, with respect to where it starts."""

from collections.abc import Callable, Sequence

import numpy as np

from phasenet.trains.blocks import BlockCore, through
from phasenet.trains.train import Array

_STEPS = 40
_RESTARTS = 150
_CONVERGED_TOL = 1e-13
# Worse than this, a fixed point cannot be told from its rivals.
_ACCEPTED_TOL = 1e-6
# Eigenvalues this close, relative to the leading one, are one: branches of a cat state whose norms
# differ by what DMRG leaves.
_EQUAL_TOL = 1e-7
_NOISE_TOL = 1e-16
# A residual that two restarts leave larger than this times what it was shrinks no more.
_STALLED = 0.95
# A defective eigenvalue splits by the root of the rounding noise, into parts that cancel.
_SPLIT_TOL = 1e-4
_CANCELLED_TOL = 1e-6
# A map that takes everything to zero has this left of its size by rounding.
_VANISHING_TOL = 1e-7


def leading_projection(image: Callable[[Array], Array], start: Array) -> Array | None:
    r"""Projection of a start vector on the eigenspace of the leading eigenvalue.

    The map is positive, so that its spectral radius is an eigenvalue. A Krylov space holds one
    vector of each eigenspace, the projection of its start: of degenerate eigenvalues no basis has
    to be chosen, and others of equal modulus are told apart. Coefficients are real, as positive
    maps keep what is Hermitian so.

    Parameters
    ----------
    image
        The map, on vectors of shape (size,).
    start
        Positive start vector.

    Returns
    -------
    Vector of norm 1; None where nothing has converged, the map is zero, or its leading eigenvalue
    is defective.

    >>> found = leading_projection(lambda v: np.array([2.0, 2.0, 1.0]) * v, np.ones(3))
    >>> print(np.abs(found / found[0]).round(6).tolist())
    [1.0, 1.0, 0.0]
    """
    vector, before, last = start / np.linalg.norm(start), np.inf, np.inf
    for _ in range(_RESTARTS):
        basis, matrix, rest = _krylov(image, vector)
        values, columns = np.linalg.eig(matrix)
        leading = values[np.argmax(values.real)].real
        if not leading > _VANISHING_TOL * np.linalg.norm(matrix):
            return None
        shares = np.linalg.lstsq(columns, np.eye(len(matrix))[0])[0]
        chosen = np.abs(values - leading) < _EQUAL_TOL * leading
        mixed = (columns[:, chosen] @ shares[chosen]).real
        size = float(np.linalg.norm(mixed))
        cluster = np.abs(values - leading) < _SPLIT_TOL * leading
        whole = np.linalg.norm(columns[:, cluster] @ shares[cluster])
        if not size > 0.0 or whole < _CANCELLED_TOL * np.abs(shares[cluster]).max():
            return None
        residual = np.linalg.norm(matrix @ mixed - leading * mixed) + abs(rest * mixed[-1])
        residual = float(residual) / (leading * size)
        vector = np.tensordot(mixed / size, basis, axes=(0, 0))
        # Among nearly equal branches the residual stays where it is.
        if residual < _CONVERGED_TOL or _STALLED * before < residual < _EQUAL_TOL:
            return vector
        before, last = last, residual
    return vector if last < _ACCEPTED_TOL else None


def right_fixed_point(blocks: Sequence[BlockCore], start: Array) -> Array | None:
    """Projection of a matrix on the leading eigenspace of the transfer map of a cell.

    Parameters
    ----------
    blocks
        Cores of the cell; its last bond has the groups of the first one.
    start
        Hermitian matrix on the bond left of the cell, zero between different groups.

    Returns
    -------
    Hermitian matrix of norm 1, or None where there is no such eigenspace.

    >>> whole = (np.arange(2),)
    >>> cat = BlockCore(
    ...     blocks={(0, 0): (0, np.diag([1.0, 0.0])), (0, 1): (0, np.diag([0.0, 1.0]))},
    ...     left=whole, right=whole, site_dim=2,
    ... )
    >>> print((right_fixed_point([cat], np.diag([2.0, 1.0])) * 5**0.5).round(6).tolist())
    [[2.0, 0.0], [0.0, 1.0]]
    """
    groups = blocks[0].left
    mirrored = [block.mirrored for block in reversed(blocks)]
    dtype = np.result_type(start, *(m for b in blocks for _, m in b.blocks.values()))
    ends = np.cumsum([0, *(len(group) ** 2 for group in groups)])

    def image(vector: Array) -> Array:
        environment = {
            (k, k): vector[first:last].reshape(len(group), 1, len(group))
            for k, (group, first, last) in enumerate(zip(groups, ends, ends[1:], strict=False))
        }
        for block in mirrored:
            environment = through(environment, block, block)
        result = np.zeros(len(vector), dtype=dtype)
        for (k, _), values in environment.items():
            result[ends[k] : ends[k + 1]] = values.ravel()
        return result

    parts = [start[np.ix_(group, group)].ravel() for group in groups]
    found = leading_projection(image, np.concatenate(parts).astype(dtype))
    if found is None:
        return None
    fixed = np.zeros(start.shape, dtype=dtype)
    for group, first, last in zip(groups, ends, ends[1:], strict=False):
        square = found[first:last].reshape(len(group), len(group))
        fixed[np.ix_(group, group)] = (square + square.conj().T) / 2
    return fixed


def _krylov(image: Callable[[Array], Array], vector: Array) -> tuple[Array, Array, float]:
    """Orthonormal basis of the Krylov space, the map in it, and what leads out of it."""
    basis, matrix = [vector / np.linalg.norm(vector)], np.zeros((_STEPS + 1, _STEPS))
    scale = 0.0
    for step in range(_STEPS):
        new = image(basis[step])
        scale = max(scale, float(np.linalg.norm(new)))
        # The second round takes out what rounding leaves of the first one.
        for _ in range(2):
            shares = np.array([np.vdot(old, new).real for old in basis])
            matrix[: step + 1, step] += shares
            new = new - np.tensordot(shares, np.array(basis), axes=(0, 0))
        rest = float(np.linalg.norm(new))
        if rest <= _CONVERGED_TOL * scale or step == _STEPS - 1 or step + 1 == new.size:
            square = matrix[: step + 1, : step + 1]
            # Entries of rounding noise mislead LAPACK, which balances a matrix first.
            square[np.abs(square) < _NOISE_TOL * np.abs(square).max()] = 0.0
            return np.array(basis), square, rest
        matrix[step + 1, step] = rest
        basis.append(new / rest)
    raise AssertionError("a Krylov space has at least one step")
