"""Canonical form of any repeating cell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.errors import ShapeError
from phasenet.trains.blocks import BlockCore
from phasenet.trains.branches import distinct_branches
from phasenet.trains.chains import by_charge, column_charges, singular
from phasenet.trains.charges import bond_charges, graded_cores, kept_indices
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.krylov import right_fixed_point
from phasenet.trains.train import Array, FloatArray, IntArray, check_cores

# Passes of orthogonal factors after the Krylov space: they find the small Schmidt values.
_LEAST_PASSES = 3
_PASSES = 300
_SETTLED_TOL = 1e-13
_SMALLEST_TOL = 1e-4
_DEFECT_ATOL = 1e-6
_NO_FIXED_POINT = (
    "no fixed point of the cell stands out: it takes everything to zero, or blocks of equal norm "
    "lead into one another; give the cores of one block"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Roots:
    """Square roots X = U S of the right environments of a cell, and the cores that they leave.

    ``bases`` and ``values`` are U and S on the bond left of each core, ``rows`` right-canonical
    cores with ``A_i X_{i+1} = X_i B_i``.
    """

    bases: tuple[Array, ...]
    values: tuple[FloatArray, ...]
    rows: tuple[Array, ...]
    charges: tuple[IntArray, ...]

    @property
    def bond_dims(self) -> tuple[int, ...]:
        return tuple(len(core) for core in self.rows)


def canonical_cell(cores: Sequence[Array]) -> InfiniteTrain:
    r"""Canonical form of an infinite state, given by a repeating cell in any gauge and of any norm.

    With the leading fixed points :math:`R = X X^\dagger` and :math:`L = Y^\dagger Y` of the
    transfer map of the cell, :math:`B = X^{-1} A X`, and the Schmidt values are the singular values
    of :math:`Y X` (Orus, Vidal, PRB 78, 155117 (2008)). X and Y come from orthogonal factors, so
    that Schmidt values are good to the last digits, not to half of them.

    Where the leading eigenvalue is degenerate, R and L are the projections of the identity on its
    eigenspace: a cat state keeps all its branches, once and with the weight of its bond
    dimension, whatever the gauge. Other eigenvalues of the same modulus (a cell shorter than the
    period of the state) are averaged over. Dead bonds, and blocks that decay faster than the state,
    are dropped; charges that the cores have are kept.

    Parameters
    ----------
    cores
        Axes (left, site, right); the last bond is the first one again.

    Raises
    ------
    ShapeError
        The bonds do not close, an entry is not finite, the state has norm zero, or no fixed point
        stands out, as in a cell of blocks of equal norm that lead into one another.

    >>> cell = canonical_cell([np.array([[[3.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 2.0]]])])
    >>> print(cell.bond_dims, f"{cell.schmidt_values[0][0]:.3f}")
    (1,) 1.000
    """
    found = _canonical(cores)
    kept = distinct_branches(found.cores)
    return found if kept is None else _canonical(kept)


def _canonical(cores: Sequence[Array]) -> InfiniteTrain:
    """Canonical form with all branches, also those that are there several times."""
    trimmed, charges, modulus = _trimmed(cores)
    right = _roots(trimmed, charges, modulus)
    shift = charges[-1][0] - charges[0][0]
    bonds = (*right.charges, right.charges[0] + shift)
    found, bonds = _in_schmidt_basis(right.rows, bonds, modulus)
    shape: tuple[int, ...] = right.bond_dims
    # The weights of branches come from the dimensions of their bonds, so nothing may be left on
    # these that only leads into a branch.
    while found.bond_dims != shape:
        shape = found.bond_dims
        found, bonds = _in_schmidt_basis(found.cores, bonds, modulus)
    if not canonical_defect(found) < _DEFECT_ATOL:
        raise ShapeError(_NO_FIXED_POINT)
    return found


def canonical_defect(train: InfiniteTrain) -> float:
    """How far an infinite state is from its canonical form: the largest entry that is off.

    >>> cell = InfiniteTrain(cores=(np.ones((1, 2, 1)),), schmidt_values=(np.ones(1),))
    >>> print(canonical_defect(cell))
    1.0
    """
    worst = 0.0
    values = [np.asarray(v) / np.linalg.norm(v) for v in train.schmidt_values]
    for site, core in enumerate(train.cores):
        largest = float(np.abs(core).max())
        if largest > 2.0:
            return largest
        rows = core.reshape(len(core), -1)
        after = values[(site + 1) % train.cell]
        weighted = (values[site][:, None, None] * core).reshape(-1, core.shape[2])
        worst = max(
            worst,
            float(np.abs(rows @ rows.conj().T - np.eye(len(rows))).max()),
            float(np.abs(weighted.T @ weighted.conj() - np.diag(after**2)).max()),
        )
    return worst


def _in_schmidt_basis(
    cores: Sequence[Array], charges: Sequence[IntArray], modulus: int
) -> tuple[InfiniteTrain, tuple[IntArray, ...]]:
    """Cell of right-canonical cores in the basis where its left fixed point is diagonal."""
    flipped = [core.swapaxes(0, 2) for core in reversed(cores)]
    left = _roots(flipped, [-bond for bond in reversed(charges)], modulus)
    bases = (left.bases[0], *reversed(left.bases[1:]))
    turned = tuple(
        np.tensordot(np.tensordot(before.T, core, axes=(1, 0)), after.conj(), axes=(2, 0))
        for before, core, after in zip(bases, cores, (*bases[1:], bases[0]), strict=True)
    )
    values = (left.values[0], *reversed(left.values[1:]))
    inner = [-bond for bond in (left.charges[0], *reversed(left.charges[1:]))]
    shift = charges[-1][0] - charges[0][0]
    turned_charges = (inner[0] - shift, *inner[1:], inner[0])
    return InfiniteTrain(cores=turned, schmidt_values=values), turned_charges


def _trimmed(
    cores: Sequence[Array],
) -> tuple[tuple[Array, ...], tuple[IntArray, ...], int]:
    """Cores of largest entry 1 without dead bonds, and their charges."""
    check_cores(cores)
    first, last = cores[0].shape[0], cores[-1].shape[2]
    if first != last:
        raise ShapeError(f"the cell starts with bond {first} and ends in {last}; they must agree")
    for site, core in enumerate(cores):
        if not np.isfinite(core).all():
            raise ShapeError(f"core {site} has entries that are not finite numbers")
    kept = kept_indices(cores, infinite=True)
    if not all(map(len, kept)):
        raise ShapeError("the cell has norm zero; it has no expectation values")
    dtype = np.result_type(np.float64, *cores)
    short = [
        core[np.ix_(before, np.arange(core.shape[1]), after)]
        for core, before, after in zip(cores, kept, kept[1:], strict=False)
    ]
    short = [(core / np.abs(core).max()).astype(dtype) for core in short]
    charges, modulus = bond_charges(short, infinite=True)
    blocks = graded_cores(short, charges, modulus, infinite=True)
    # Entries that a charge forbids are rounding noise; from here on they are zero.
    return tuple(np.asarray(block.dense, dtype) for block in blocks), charges, modulus


def _roots(cores: Sequence[Array], charges: Sequence[IntArray], modulus: int) -> _Roots:
    """Square roots of the right fixed point of a cell."""
    shift = charges[-1][0] - charges[0][0]
    charges = [_reduced(bond, modulus) for bond in charges]
    root, bond = _first_root(graded_cores(cores, charges, modulus, infinite=True), charges[0])
    for count in range(_PASSES):
        before, start, closing = root, bond, _reduced(bond + shift, modulus)
        found: list[tuple[Array, FloatArray, Array, IntArray]] = []
        for core, names in zip(reversed(cores), reversed(charges[:-1]), strict=True):
            product = np.tensordot(core, root, axes=(2, 0))
            columns = column_charges(product.shape[1], closing, modulus)
            flat = product.reshape(len(product), -1)
            basis, weights, rows, closing = by_charge(flat, names, columns, singular)
            weights = weights / np.linalg.norm(weights)
            root = basis * weights
            found.append((basis, weights, rows.reshape(-1, *product.shape[1:]), closing))
        bond = closing
        if count >= _LEAST_PASSES and _settled(before, start, root, bond):
            break
    if _names_differ(start, bond):
        raise ShapeError(_NO_FIXED_POINT)
    found.reverse()
    first = np.tensordot(_turn(before, root), found[0][2], axes=(1, 0))
    return _Roots(
        bases=tuple(part[0] for part in found),
        values=tuple(part[1] for part in found),
        rows=(first, *(part[2] for part in found[1:])),
        charges=tuple(part[3] for part in found),
    )


def _first_root(blocks: Sequence[BlockCore], charges: IntArray) -> tuple[Array, IntArray]:
    """Root of the right fixed point, from the projection of the identity, and its charges."""
    fixed = right_fixed_point(blocks, np.eye(len(charges)))
    if fixed is None:
        raise ShapeError(_NO_FIXED_POINT)
    basis, values, _, names = by_charge(fixed, charges, charges, singular)
    return basis * np.sqrt(values / values.sum()), names


def _settled(before: Array, start: IntArray, after: Array, end: IntArray) -> bool:
    """Whether a pass has changed nothing but the basis, in the smallest direction as well.

    Directions that decay would otherwise count as the smallest ones of the state.
    """
    if _names_differ(start, end):
        return False
    change = before @ before.conj().T - after @ after.conj().T
    if not np.linalg.norm(change) < _SETTLED_TOL:
        return False
    turn = before.conj().T @ after / np.linalg.norm(before, axis=0)[:, None] ** 2
    return bool(np.abs(turn @ turn.conj().T - np.eye(len(turn))).max() < _SMALLEST_TOL)


def _names_differ(start: IntArray, end: IntArray) -> bool:
    return len(start) != len(end) or bool(np.any(start != end))


def _turn(before: Array, after: Array) -> Array:
    """Unitary between the bases of two equal roots."""
    ends = [root / np.linalg.norm(root, axis=0) for root in (before, after)]
    u, _, v = np.linalg.svd(ends[0].conj().T @ ends[1])
    return np.asarray(u @ v)


def _reduced(charges: IntArray, modulus: int) -> IntArray:
    return np.asarray(charges % modulus if modulus else charges)
