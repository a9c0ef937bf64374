"""Rows of a matrix that interpolate all the others."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from phasenet.tensorizer.pivots import BoolArray, IntArray
from phasenet.trains.train import Array, FloatArray

_STICKY_WEIGHT = 10.0
_BLOCK = 32


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
    matrix: Array, *, atol: float, max_rank: int, sticky: BoolArray | None = None
) -> Skeleton:
    """Fewest rows that rebuild a matrix up to a tolerance, by QR with column pivoting.

    The fit is least squares over the columns: with more columns than pivots, noise is averaged.

    Parameters
    ----------
    matrix
        Shape (rows, columns). Where it is zero, the first row is the only pivot.
    atol
        Largest root mean square of a row of the remainder.
    max_rank
        Largest number of pivots.
    sticky
        Rows to prefer, up to a factor of 10 in weight: pivots that stay keep the cached values
        of their neighbours useful.

    >>> matrix = np.array([[1.0, 0.0], [2.0, 4.0], [1.0, 2.0]])
    >>> found = skeleton(matrix, atol=1e-12, max_rank=2)
    >>> rebuilt = found.interpolation @ matrix[found.rows]
    >>> print(sorted(found.rows.tolist()), f"{np.abs(rebuilt - matrix).max():.6f}")
    [0, 1] 0.000000
    """
    scale = float(np.abs(matrix).max())
    if scale == 0.0:
        return Skeleton(rows=np.zeros(1, dtype=np.int64), interpolation=np.eye(len(matrix), 1))
    weights = np.full(len(matrix), 1.0 / scale)
    if sticky is not None:
        weights[sticky] *= _STICKY_WEIGHT
    triangle, order = pivoted_triangle(matrix.T * weights)
    diagonal = np.abs(triangle.diagonal())
    sizes = diagonal / weights[order[: len(diagonal)]]
    # Sticky rows come early whatever their size, so the last large pivot decides, not the first
    # small one.
    large = (sizes > atol * np.sqrt(matrix.shape[1])).nonzero()[0]
    rank = int(large[-1]) + 1 if len(large) else 1
    rank = min(rank, max_rank, _invertible(diagonal))
    interpolation = np.zeros((len(matrix), rank), dtype=triangle.dtype)
    chosen, others = order[:rank], order[rank:]
    interpolation[chosen, np.arange(rank)] = 1.0
    if len(others):
        rest = _solved(triangle[:rank, :rank], triangle[:rank, rank:])
        interpolation[others] = rest.T * weights[chosen] / weights[others, None]
    return Skeleton(rows=chosen, interpolation=interpolation)


def independent_columns(matrix: Array, *, atol: float, max_rank: int) -> IntArray:
    """Columns that are independent up to an absolute tolerance, the largest first.

    >>> matrix = np.array([[1.0, 2.0, 0.0], [0.0, 0.0, 3.0]])
    >>> print(independent_columns(matrix, atol=1e-9, max_rank=3))
    [2 1]
    """
    triangle, order = pivoted_triangle(matrix)
    sizes = np.abs(triangle.diagonal())
    return order[: min(int(np.count_nonzero(sizes > atol)), max_rank)]


def pivoted_triangle(matrix: Array) -> tuple[Array, IntArray]:
    """Triangle and column order of QR with column pivoting; the triangle's lower part is noise.

    LAPACK is called directly: scipy's wrapper takes longer than the work on a small block.
    """
    columns = matrix.shape[1]
    work = 2 * columns + (columns + 1) * _BLOCK
    geqp3: Any = lapack.zgeqp3 if np.iscomplexobj(matrix) else lapack.dgeqp3
    triangle, order, *_ = geqp3(matrix, lwork=work)
    return triangle, np.asarray(order, dtype=np.int64) - 1


def _solved(triangle: Array, right: Array) -> Array:
    trtrs: Any = lapack.ztrtrs if np.iscomplexobj(triangle) else lapack.dtrtrs
    solution, info = trtrs(triangle, right)
    assert info == 0
    return np.asarray(solution)


def _invertible(diagonal: FloatArray | NDArray[Any]) -> int:
    """Number of leading pivots that are not rounding noise of the first."""
    return max(1, int(np.count_nonzero(diagonal > 1e-15 * diagonal[0])))
