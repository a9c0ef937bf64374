r"""The map that a symmetry makes of a stretch of sites, and its leading vectors.

.. math:: M(X) = \sum_{s s'} U_{s's}\, K^s X B^{s'\dagger}

takes operators on the bond right of the stretch to the one left of it. Conserved charges leave
sectors that the map never mixes, whatever the symmetry does to the charges: they are found from the
blocks that exist, so that a symmetry which breaks the charges needs nothing of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg
from scipy.sparse.csgraph import connected_components

from phasenet.errors import SettingsError
from phasenet.seeds import stream
from phasenet.trains.blocks import BlockCore, Environment, Groups, Key, through
from phasenet.trains.train import Array, FloatArray, IntArray

_DENSE_SIZE = 120
_MAX_STEPS = 200
_RESIDUAL_TOL = 1e-11
_VANISHING = 1e-14


@dataclass(frozen=True, kw_only=True, eq=False)
class SymmetryMap:
    """Stretch of sites between a ket that a symmetry acts on, and the state as the bra.

    Parameters
    ----------
    kets, bras
        Cores K and B; ``bras`` is conjugated here.
    operators
        On-site matrix U of each site, None for the identity.
    """

    kets: tuple[BlockCore, ...]
    bras: tuple[BlockCore, ...]
    operators: tuple[Array | None, ...]

    def pulled(self, values: Environment, first: int = 0, end: int | None = None) -> Environment:
        """Operators on the bond left of site ``end``, taken to the bond left of ``first``."""
        for site in reversed(range(first, len(self.bras) if end is None else end)):
            ket, bra = self.kets[site].mirrored, self.bras[site].mirrored
            values = through(values, ket, bra, self.operators[site])
        return values

    def pushed(self, values: Environment, first: int = 0, end: int | None = None) -> Environment:
        """The adjoint: operators on the bond left of ``first``, taken to that left of ``end``."""
        for site in range(first, len(self.bras) if end is None else end):
            operator = self.operators[site]
            ket, bra = self.kets[site].conjugate, self.bras[site].conjugate
            values = through(values, ket, bra, None if operator is None else operator.conj())
        return values

    @cached_property
    def dtype(self) -> type[np.generic]:
        """Of its vectors."""
        cores = any(core.conjugate is not core for core in (*self.kets, *self.bras))
        matrices = any(o is not None and np.iscomplexobj(o) for o in self.operators)
        return np.complex128 if cores or matrices else np.float64


@dataclass(frozen=True, kw_only=True, eq=False)
class Sector:
    """Blocks of the operators on a bond that a map takes only to one another.

    Parameters
    ----------
    keys
        Group of the ket and group of the bra of each block.
    shapes
        Shape of each block.
    """

    keys: tuple[Key, ...]
    shapes: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Number of elements."""
        return sum(rows * columns for rows, columns in self.shapes)

    def packed(self, values: Environment) -> Array:
        """Columns, one for each of a batch of operators."""
        batch = next((block.shape[1] for block in values.values()), 1)
        parts = [
            np.moveaxis(values[key], 1, 2).reshape(-1, batch)
            if key in values
            else np.zeros((rows * columns, batch))
            for key, (rows, columns) in zip(self.keys, self.shapes, strict=True)
        ]
        return np.concatenate(parts)

    def unpacked(self, columns: Array) -> dict[Key, Array]:
        """Operators from columns."""
        ends = np.cumsum([rows * width for rows, width in self.shapes])[:-1]
        return {
            key: np.moveaxis(part.reshape(*shape, -1), 2, 1)
            for key, shape, part in zip(
                self.keys, self.shapes, np.split(columns, ends), strict=True
            )
        }

    def weight(self, above: FloatArray, below: FloatArray) -> float:
        r"""Overlap :math:`\sum \sqrt{p_k p_b}` of the weights that ket and bra have in its groups.

        Over a long stretch, no singular value of the sector is larger.
        """
        return float(sum(np.sqrt(above[ket] * below[bra]) for ket, bra in self.keys))


def sectors_of(smap: SymmetryMap, *, closed: bool) -> tuple[Sector, ...]:
    """Sectors of a map on the bond right of its stretch.

    Parameters
    ----------
    smap
        The map.
    closed
        Whether that bond is the one left of the stretch again.

    >>> whole = (np.arange(2),)
    >>> core = BlockCore(blocks={(0, 0): (0, np.eye(2))}, left=whole, right=whole, site_dim=1)
    >>> smap = SymmetryMap(kets=(core,), bras=(core,), operators=(None,))
    >>> [sector.keys for sector in sectors_of(smap, closed=True)]
    [((0, 0),)]
    """
    bonds = [(len(k.left), len(b.left)) for k, b in zip(smap.kets, smap.bras, strict=True)]
    bonds.append((len(smap.kets[-1].right), len(smap.bras[-1].right)))
    starts = np.cumsum([0] + [above * below for above, below in bonds])
    if closed:
        starts[-2] = 0
    links = [
        _steps(smap, site, bonds[site][1], bonds[site + 1][1]).reshape(-1, 2)
        + starts[site : site + 2]
        for site in range(len(smap.kets))
    ]
    before, behind = np.concatenate(links).T
    shape = (starts[-1], starts[-1])
    graph = scipy.sparse.coo_array((np.ones(len(before)), (before, behind)), shape=shape)
    labels = connected_components(graph, directed=False)[1]
    last = np.unique(links[-1][:, 1])
    groups = smap.kets[-1].right, smap.bras[-1].right
    return _gathered(last - starts[-2], labels[last], groups)


def _steps(smap: SymmetryMap, site: int, before: int, after: int) -> IntArray:
    """Pairs of blocks left and right of a site, numbered, that hang together."""
    ket, bra, operator = smap.kets[site], smap.bras[site], smap.operators[site]
    found = []
    for below, above in np.argwhere(np.eye(ket.site_dim) if operator is None else operator):
        kets = [(k, i) for (k, state), (i, _) in ket.blocks.items() if state == above]
        bras = [(b, j) for (b, state), (j, _) in bra.blocks.items() if state == below]
        found += [(k * before + b, i * after + j) for k, i in kets for b, j in bras]
    return np.array(found, dtype=np.int64)


def _gathered(
    places: IntArray, labels: IntArray, groups: tuple[Groups, Groups]
) -> tuple[Sector, ...]:
    kets, bras = groups
    found: dict[int, list[Key]] = {}
    for place, label in zip(places.tolist(), labels.tolist(), strict=True):
        found.setdefault(label, []).append(divmod(place, len(bras)))
    return tuple(
        Sector(keys=tuple(keys), shapes=tuple((len(kets[k]), len(bras[b])) for k, b in keys))
        for keys in found.values()
    )


def leading_singular(
    smap: SymmetryMap, sector: Sector, without: Array | None = None
) -> tuple[float, Array]:
    """Largest singular value of a map in a sector, and its right vector.

    Lanczos steps with the map and its adjoint.

    Parameters
    ----------
    smap, sector
        The map, and where in it.
    without
        Right vector of norm 1, shape (size,), that is left out.

    Returns
    -------
    The value, and a vector of norm 1 and shape (size,); zeros where nothing is left.

    >>> whole = (np.arange(2),)
    >>> core = BlockCore(blocks={(0, 0): (0, np.eye(2) / 2)}, left=whole, right=whole, site_dim=1)
    >>> smap = SymmetryMap(kets=(core,), bras=(core,), operators=(None,))
    >>> value, vector = leading_singular(smap, sectors_of(smap, closed=False)[0])
    >>> print(f"{value:.3f} {np.linalg.norm(vector):.3f}")
    0.250 1.000
    """
    basis = [] if without is None else [without.astype(smap.dtype)]
    fixed, size, weights = len(basis), 0.0, np.zeros(0)
    diagonal: list[float] = []
    beside: list[float] = []
    vector = stream(0, "segment", "start vector").normal(size=sector.size).astype(smap.dtype)
    for step in range(min(_MAX_STEPS, sector.size - fixed)):
        vector = _orthogonal(vector, basis)
        norm = float(np.linalg.norm(vector))
        if norm <= _VANISHING or (step and norm * abs(weights[-1]) <= _RESIDUAL_TOL * size):
            break
        if step:
            beside.append(norm)
        basis.append(vector / norm)
        vector = sector.packed(smap.pushed(smap.pulled(sector.unpacked(basis[-1][:, None]))))[:, 0]
        diagonal.append(float(np.vdot(basis[-1], vector).real))
        values, columns = scipy.linalg.eigh_tridiagonal(diagonal, beside)
        size, weights = float(values[-1]), columns[:, -1]
    if not size > 0.0:
        return 0.0, np.zeros(sector.size)
    return float(np.sqrt(size)), weights @ np.array(basis[fixed:])


def _orthogonal(vector: Array, basis: Sequence[Array]) -> Array:
    """Part of a vector outside an orthonormal basis."""
    if not basis:
        return vector
    known = np.array(basis)
    # The second round takes out what rounding leaves of the first one.
    for _ in range(2):
        vector = vector - (known.conj() @ vector) @ known
    return vector


def leading_eigen(
    smap: SymmetryMap, sector: Sector, without: Array | None = None
) -> tuple[float, Array]:
    """Largest modulus of an eigenvalue of a map of a cell in a sector, and its right vector.

    Parameters
    ----------
    smap, sector
        The map, and where in it.
    without
        Vector of norm 1, shape (size,), that is both a left and a right eigenvector of eigenvalue
        1, and is left out.

    >>> whole = (np.arange(2),)
    >>> core = BlockCore(blocks={(0, 0): (0, np.eye(2) / 2)}, left=whole, right=whole, site_dim=1)
    >>> smap = SymmetryMap(kets=(core,), bras=(core,), operators=(None,))
    >>> print(f"{leading_eigen(smap, sectors_of(smap, closed=True)[0])[0]:.3f}")
    0.250
    """

    def image(vectors: Array) -> Array:
        found = sector.packed(smap.pulled(sector.unpacked(vectors)))
        return found if without is None else found - np.outer(without, without.conj() @ vectors)

    if sector.size <= _DENSE_SIZE:
        values, columns = np.linalg.eig(image(np.eye(sector.size)))
    else:
        matvec = scipy.sparse.linalg.LinearOperator(
            (sector.size,) * 2, lambda v: image(v.reshape(-1, 1))[:, 0], dtype=smap.dtype
        )
        values, columns = _krylov(matvec, sector.size)
    place = int(np.argmax(np.abs(values)))
    return float(np.abs(values[place])), columns[:, place]


def _krylov(operator: scipy.sparse.linalg.LinearOperator, size: int) -> tuple[Array, Array]:
    start = stream(0, "transfer", "start vector").normal(size=size)
    # Near a critical point the leading eigenvalues crowd, and a small Krylov space stalls.
    width = min(30, size - 1)
    try:
        values, columns = scipy.sparse.linalg.eigs(operator, k=1, v0=start, ncv=width)
    except scipy.sparse.linalg.ArpackNoConvergence as stalled:
        if len(stalled.eigenvalues) == 0:
            raise SettingsError(f"no eigenvalue of a map of size {size} converged") from None
        values, columns = stalled.eigenvalues, stalled.eigenvectors
    return values, columns


def by_weight(
    sectors: Sequence[Sector], above: FloatArray, below: FloatArray
) -> list[tuple[float, Sector]]:
    """Sectors with their weights, the largest first.

    Parameters
    ----------
    sectors
        Of one map.
    above, below
        Weights of the groups of ket and bra on the bond.

    >>> sectors = [Sector(keys=((0, group),), shapes=((1, 1),)) for group in (0, 1)]
    >>> [f"{weight:.3f}" for weight, _ in by_weight(sectors, np.ones(1), np.array([0.25, 0.75]))]
    ['0.866', '0.500']
    """
    found = [(sector.weight(above, below), sector) for sector in sectors]
    return sorted(found, key=lambda pair: -pair[0])
