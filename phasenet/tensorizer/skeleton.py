"""Rows of a matrix that interpolate all the others."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from phasenet.tensorizer.pivots import IntArray
from phasenet.trains.train import Array, FloatArray

_STICKY_WEIGHT = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Skeleton:
    """Pivot rows of a matrix and the matrix that rebuilds all rows from them.

    Parameters
    ----------
    rows
        Indices of the pivot rows, in the order of their weight.
    interpolation
        Shape (rows of the matrix, pivots); its pivot rows form the unit matrix.
    """

    rows: IntArray
    interpolation: Array


def skeleton(
    matrix: Array, *, tol: float, max_rank: int, sticky: NDArray[np.bool_] | None = None
) -> Skeleton:
    """Fewest rows that rebuild a matrix up to a tolerance, by QR with column pivoting.

    The fit is least squares over the columns: with more columns than pivots, noise is averaged.

    Parameters
    ----------
    matrix
        Shape (rows, columns), with at least one nonzero entry.
    tol
        Largest root mean square of a row of the remainder, relative to the largest entry.
    max_rank
        Largest number of pivots.
    sticky
        Rows to prefer, up to a factor of 10 in weight: pivots that stay keep the cached values
        of their neighbours useful.

    >>> matrix = np.array([[1.0, 0.0], [2.0, 4.0], [1.0, 2.0]])
    >>> found = skeleton(matrix, tol=1e-12, max_rank=2)
    >>> rebuilt = found.interpolation @ matrix[found.rows]
    >>> print(sorted(found.rows.tolist()), f"{np.abs(rebuilt - matrix).max():.6f}")
    [0, 1] 0.000000
    """
    scale = float(np.abs(matrix).max())
    assert scale > 0.0
    weights = np.ones(len(matrix))
    if sticky is not None:
        weights[sticky] = _STICKY_WEIGHT
    triangle, order = _pivoted_triangle((matrix / scale).T * weights)
    sizes = np.abs(np.diagonal(triangle)) / weights[order[: min(triangle.shape)]]
    # Sticky rows come early whatever their size, so the last large pivot decides, not the first
    # small one.
    large = np.flatnonzero(sizes > tol * np.sqrt(matrix.shape[1]))
    rank = int(large[-1]) + 1 if len(large) else 1
    rank = min(rank, max_rank, _invertible(np.abs(np.diagonal(triangle))))
    interpolation = np.zeros((len(matrix), rank), dtype=matrix.dtype)
    interpolation[order[:rank]] = np.eye(rank)
    if rank < len(matrix):
        rest = scipy.linalg.solve_triangular(triangle[:rank, :rank], triangle[:rank, rank:])
        others = order[rank:]
        interpolation[others] = rest.T * weights[order[:rank]] / weights[others, None]
    return Skeleton(rows=order[:rank], interpolation=interpolation)


def independent_columns(matrix: Array, *, atol: float, max_rank: int) -> IntArray:
    """Columns that are independent up to an absolute tolerance, the largest first.

    >>> matrix = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    >>> print(independent_columns(matrix, atol=1e-9, max_rank=3))
    [2 1]
    """
    triangle, order = _pivoted_triangle(matrix)
    sizes = np.abs(np.diagonal(triangle))
    return order[: min(int(np.sum(sizes > atol)), max_rank)]


def _pivoted_triangle(matrix: Array) -> tuple[Array, IntArray]:
    result: tuple[Any, Any] = scipy.linalg.qr(
        matrix, mode="r", pivoting=True, check_finite=False, overwrite_a=True
    )
    return result[0], np.asarray(result[1], dtype=np.int64)


def _invertible(diagonal: FloatArray) -> int:
    """Number of leading pivots that are not rounding noise of the first."""
    return max(1, int(np.sum(diagonal > 1e-15 * diagonal[0])))
