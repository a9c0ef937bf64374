"""Branches of a cat state: which are there, and which are one state several times."""

from collections.abc import Sequence

import numpy as np
import scipy.linalg

from phasenet.seeds import stream
from phasenet.trains.blocks import Groups
from phasenet.trains.charges import bond_charges, graded_cores
from phasenet.trains.krylov import right_fixed_point
from phasenet.trains.train import Array
from phasenet.trains.transfer import leading_eigenpairs

# Eigenvalues of a random fixed point further apart belong to different branches.
_APART_ATOL = 1e-5
# Branches with a larger overlap per cell are one state.
_SAME_TOL = 1e-6


def distinct_branches(cores: Sequence[Array]) -> tuple[Array, ...] | None:
    r"""Cell with each branch once, or None if that is what it is.

    The fixed points of the transfer map of a right-canonical cell commute with its cores, so the
    eigenspaces of a random one reduce them (Cirac et al., Rev. Mod. Phys. 93, 045003 (2021), sec.
    IV). Two blocks are one state if their mixed transfer map has an eigenvalue of modulus 1.

    Parameters
    ----------
    cores
        Right-canonical, axes (left, site, right).

    >>> core = np.zeros((2, 2, 2))
    >>> core[0, 0, 0] = core[1, 0, 1] = 1.0
    >>> print([kept.shape for kept in distinct_branches([core])])
    [(1, 2, 1)]
    """
    blocks = _blocks(cores)
    kept: list[tuple[Array, ...]] = []
    for block in blocks:
        if not any(_is_same(block, other) for other in kept):
            kept.append(block)
    if len(kept) == len(blocks):
        return None
    return tuple(
        np.stack([scipy.linalg.block_diag(*(part[:, s] for part in parts)) for s in range(dim)], 1)
        for dim, parts in zip(
            (core.shape[1] for core in cores), zip(*kept, strict=True), strict=True
        )
    )


def _blocks(cores: Sequence[Array]) -> list[tuple[Array, ...]]:
    """Cells of the branches, in each of which there is one fixed point."""
    charges, modulus = bond_charges(cores, infinite=True)
    graded = graded_cores(cores, charges, modulus, infinite=True)
    fixed = right_fixed_point(graded, _random_start(cores))
    if fixed is None:
        return [tuple(cores)]
    fixed = fixed / np.linalg.norm(fixed, ord=2)
    spectra: list[tuple[Array, Array]] = []
    for core, block in zip(reversed(cores), reversed(graded), strict=True):
        fixed = np.einsum("asb,bc,dsc->ad", core, fixed, core.conj(), optimize=True)
        spectra.insert(0, _spectrum(fixed, block.left))
    levels = np.sort(spectra[0][0])
    edges = levels[1:][np.diff(levels) > _APART_ATOL] - _APART_ATOL / 2
    bases = [
        [basis[:, np.digitize(values, edges) == k] for values, basis in (*spectra, spectra[0])]
        for k in range(len(edges) + 1)
    ]
    return [
        tuple(
            np.einsum("ab,asc,cd->bsd", left.conj(), core, right, optimize=True)
            for left, core, right in zip(branch, cores, branch[1:], strict=False)
        )
        for branch in bases
    ]


def _random_start(cores: Sequence[Array]) -> Array:
    rng, size = stream(0, "trains", "branches"), len(cores[0])
    start: Array = rng.normal(size=(size, size))
    if any(np.iscomplexobj(core) for core in cores):
        start = start + 1j * rng.normal(size=(size, size))
    return start + start.conj().T


def _spectrum(fixed: Array, groups: Groups) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of a matrix that is zero between different groups."""
    values, basis = np.zeros(len(fixed)), np.zeros_like(fixed)
    for group in groups:
        square = np.ix_(group, group)
        values[group], basis[square] = np.linalg.eigh(fixed[square])
    return values, basis


def _is_same(first: Sequence[Array], second: Sequence[Array]) -> bool:
    """Whether two branches of norm 1 are one state."""
    overlap = leading_eigenpairs(first, second, 1)[0][0]
    return bool(abs(overlap) > 1.0 - _SAME_TOL)
