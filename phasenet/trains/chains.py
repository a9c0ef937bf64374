"""Canonical form of an open chain of any gauge and norm, charge by charge."""

from collections.abc import Callable, Sequence

import numpy as np

from phasenet.errors import ShapeError
from phasenet.trains.charges import site_charges
from phasenet.trains.train import Array, FloatArray, IntArray

# Smaller Schmidt values are directions of rounding noise.
SCHMIDT_FLOOR = 1e-12
# What is left of a sum of this relative size has cancelled.
_CANCELLED_TOL = 1e-14
# Rounding noise of a product, in units of the precision and of the norms of its factors.
_PRODUCT_NOISE = 50.0

Factor = tuple[Array, FloatArray, Array]


def chain_form(
    cores: Sequence[Array], charges: Sequence[IntArray], modulus: int
) -> tuple[tuple[Array, ...], tuple[FloatArray, ...], tuple[IntArray, ...]]:
    """Right-canonical cores in the Schmidt basis, Schmidt values left of each, charges of bonds.

    Parameters
    ----------
    cores
        Axes (left, site, right), in any gauge and of any norm.
    charges, modulus
        As from :func:`phasenet.trains.charges.bond_charges`.

    Raises
    ------
    ShapeError
        The state has norm zero.

    >>> flat = [np.zeros(1, dtype=np.int64)] * 3
    >>> _, values, _ = chain_form([np.ones((1, 2, 1))] * 2, flat, 1)
    >>> print(values[1].round(6).tolist())
    [1.0]
    """
    swept, bonds, floor = _left_canonical(cores, charges, modulus)
    values = [np.ones(1)] * len(swept)
    for site in range(len(swept) - 1, 0, -1):
        core = swept[site]
        columns = column_charges(core.shape[1], bonds[site + 1], modulus)
        matrix = core.reshape(len(core), -1)
        basis, weights, rows, bonds[site] = by_charge(matrix, bonds[site], columns, singular, floor)
        values[site] = weights / np.linalg.norm(weights)
        swept[site] = rows.reshape(-1, *core.shape[1:])
        swept[site - 1] = swept[site - 1] @ (basis * values[site])
    swept[0] = swept[0] / np.linalg.norm(swept[0])
    return tuple(swept), tuple(values), tuple(bonds)


def column_charges(site_dim: int, right: IntArray, modulus: int) -> IntArray:
    """Charge on the left that each local state and each index on the right asks for.

    >>> column_charges(2, np.array([0]), 0).tolist()
    [-1, 1]
    """
    charges = (right - site_charges(site_dim, modulus)[:, None]).ravel()
    return np.asarray(charges % modulus if modulus else charges)


def by_charge(
    matrix: Array,
    rows: IntArray,
    columns: IntArray,
    factor: Callable[[Array], Factor],
    floor: float = SCHMIDT_FLOOR,
) -> tuple[Array, FloatArray, Array, IntArray]:
    """Factors of a matrix that is zero between different charges, each block on its own.

    Parameters
    ----------
    matrix
        Array of shape (rows, columns).
    rows, columns
        Charge of each.
    factor
        :func:`singular` or :func:`orthogonal`.
    floor
        Values that are smaller, relative to the largest one, are dropped.

    Returns
    -------
    Factors of shape (rows, new), (new,), (new, columns) and the charge of each new index, rising.

    >>> charges = np.array([0, 1])
    >>> _, values, _, new = by_charge(np.diag([3.0, 2.0]), charges, charges, singular)
    >>> print(values.tolist(), new.tolist())
    [3.0, 2.0] [0, 1]
    """
    parts = []
    for charge in np.unique(rows):
        here, there = np.flatnonzero(rows == charge), np.flatnonzero(columns == charge)
        if len(there):
            parts.append((charge, here, there, factor(matrix[np.ix_(here, there)])))
    top = max((float(part[3][1].max()) for part in parts), default=0.0)
    kept = [np.flatnonzero(part[3][1] > floor * top) for part in parts]
    size = sum(map(len, kept))
    left = np.zeros((len(rows), size), dtype=matrix.dtype)
    right = np.zeros((size, len(columns)), dtype=matrix.dtype)
    values, charges, start = np.zeros(size), np.zeros(size, dtype=np.int64), 0
    for (charge, here, there, (u, s, v)), which in zip(parts, kept, strict=True):
        new = np.arange(start, start + len(which))
        left[np.ix_(here, new)], right[np.ix_(new, there)] = u[:, which], v[which]
        values[new], charges[new] = s[which], charge
        start += len(which)
    return left, values, right, charges


def singular(block: Array) -> Factor:
    """Singular value decomposition.

    >>> print(singular(np.full((1, 1), 2.0))[1].tolist())
    [2.0]
    """
    u, s, v = np.linalg.svd(block, full_matrices=False)
    return u, s.astype(np.float64), v


def orthogonal(block: Array) -> Factor:
    """Lower triangle and orthonormal rows; the values between them are 1, a block of zeros has 0.

    >>> print(orthogonal(np.full((1, 1), -2.0))[1].tolist())
    [1.0]
    """
    basis, rest = np.linalg.qr(block.T)
    return rest.T, np.full(rest.shape[0], float(block.any())), basis.T


def _left_canonical(
    cores: Sequence[Array], charges: Sequence[IntArray], modulus: int
) -> tuple[list[Array], list[IntArray], float]:
    """Cores with orthonormal columns, all but the last, charges, and the noise of the state.

    The norm is dropped. Where much cancels, such as in bonds that lead nowhere, Schmidt values of
    the size of what the rounding of the large parts leaves are noise.
    """
    noise = _PRODUCT_NOISE * float(np.finfo(np.float64).eps)
    floor = SCHMIDT_FLOOR
    dtype = np.result_type(np.float64, *cores)
    swept: list[Array] = []
    bonds = list(charges)
    rest: Array = np.ones((1, 1), dtype=dtype)
    for site, core in enumerate(cores):
        largest = float(np.abs(core).max(initial=0.0))
        scaled = (core / (largest or 1.0)).astype(dtype)
        product = np.tensordot(rest, scaled, axes=(1, 0))
        size = float(np.linalg.norm(product))
        whole = float(np.linalg.norm(scaled))
        if not size > _CANCELLED_TOL * whole:
            raise ShapeError(
                f"the state has norm zero, from site {site} on; it has no expectation values"
            )
        product, floor = product / size, max(floor, noise * whole / size)
        if site == len(cores) - 1:
            return [*swept, product], bonds, floor
        columns = (bonds[site][:, None] + site_charges(core.shape[1], modulus)).ravel()
        columns = columns % modulus if modulus else columns
        matrix = product.reshape(-1, product.shape[2]).T
        lower, _, rows, bonds[site + 1] = by_charge(matrix, bonds[site + 1], columns, orthogonal)
        swept.append(rows.T.reshape(*product.shape[:2], -1))
        rest = lower.T / np.linalg.norm(lower)
    raise AssertionError("a chain has at least one site")
