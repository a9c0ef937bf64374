r"""Correlations of a cell with all later ones, by Krylov spaces of the transfer map.

For a cell of c sites with the transfer map T, the pairs n cells apart are
:math:`\ell_i T^{n-1} r_j`, and their sum over n with phases :math:`z^n` is the resolvent
:math:`z\, \ell_i (1 - zT)^{-1} r_j`. One Krylov space of T for each j serves all z. Eigenvalues of
T on the unit circle do not decay: they are the long-range order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from phasenet.phases.correlations import Probe
from phasenet.trains.blocks import BlockCore, Environment, Key, diagonal_environment, through
from phasenet.trains.charges import groups_of
from phasenet.trains.correlation import UNIQUE_TOL
from phasenet.trains.form import StateForm
from phasenet.trains.train import Array, FloatArray

_KRYLOV, _CHECKED_EVERY = 120, 20
_CLOSED_TOL, _CONVERGED_TOL = 1e-12, 1e-10
_SMALLEST_SCHMIDT = 1e-8


@dataclass(frozen=True, kw_only=True, eq=False)
class Resolvent:
    """Transfer map in its Krylov space from one right vector, less what does not decay.

    Parameters
    ----------
    projection
        Of the map, of shape (n, n).
    start
        The right vector in the space, of shape (n,).
    overlaps
        Of the left vector of each site with the basis, of shape (cell, n).
    """

    projection: Array
    start: Array
    overlaps: Array

    def far_sum(self, z: complex) -> Array:
        r"""Sum :math:`\sum_{n \geq 1} z^n \ell_i T^{n-1} r` for each i, of shape (cell,)."""
        if not self.start.any():
            return np.zeros(len(self.overlaps))
        matrix = np.eye(len(self.projection)) - z * self.projection
        return np.asarray(z * (self.overlaps @ np.linalg.solve(matrix, self.start)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Peak:
    r"""Correlations :math:`w_{ij} \theta^n` of sites n cells apart that do not decay.

    Parameters
    ----------
    root
        :math:`\theta`, on the unit circle.
    weights
        :math:`w_{ij}`, zero but for one j.
    """

    root: complex
    weights: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class CellSums:
    """Correlations of an operator in one cell with itself in all later ones.

    Parameters
    ----------
    resolvents
        Of what decays, one for each site j.
    peaks
        What does not decay.
    """

    resolvents: tuple[Resolvent, ...]
    peaks: tuple[Peak, ...]

    @property
    def ordered(self) -> Array:
        """What does not decay within one cell, of shape (cell, cell)."""
        size = len(self.resolvents)
        return sum((peak.weights for peak in self.peaks), np.zeros((size, size)))


def cell_sums(form: StateForm, probe: Probe) -> CellSums:
    """Correlations of an operator in one cell with itself in all later ones.

    Parameters
    ----------
    form
        Infinite state.
    probe
        The operator.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> form = state_form(aklt_cell())
    >>> found = cell_sums(form, Probe.of(form, "Sz"))
    >>> print(f"{found.resolvents[0].far_sum(1.0)[0].real:.4f}")
    -0.3333
    """
    cell = _symmetric_gauge(form)
    lefts, rights = _ends(form, cell, probe)
    space = _Space.of(form, cell, [*lefts, *rights])
    factor = (probe.factor**2).real
    rows = np.stack([factor * space.flat(left) for left in lefts])
    resolvents: list[Resolvent] = []
    peaks: list[Peak] = []
    for j, right in enumerate(rights):
        whole = _krylov(space, space.flat(right), rows)
        rest, ordered = _split(whole)
        resolvents.append(rest)
        for root, column in ordered:
            weights = np.zeros((form.length, form.length), dtype=np.complex128)
            weights[:, j] = column / root
            peaks.append(Peak(root=root, weights=weights))
    return CellSums(resolvents=tuple(resolvents), peaks=tuple(peaks))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Space:
    """Sectors of charge of environments left of the cell, as one vector space.

    Parameters
    ----------
    cell
        Mirrored cores of the cell, last one first.
    blocks
        Key, rows and columns of each block.
    """

    cell: tuple[BlockCore, ...]
    blocks: tuple[tuple[Key, int, int], ...]

    @classmethod
    def of(
        cls, form: StateForm, cell: Sequence[BlockCore], environments: Sequence[Environment]
    ) -> "_Space":
        groups, charges = groups_of(form.charges[0])

        def change(key: Key) -> int:
            difference = charges[key[0]] - charges[key[1]]
            return difference % form.modulus if form.modulus else difference

        met = {change(key) for environment in environments for key in environment}
        every = ((ket, bra) for ket in range(len(groups)) for bra in range(len(groups)))
        return cls(
            cell=tuple(core.mirrored for core in reversed(cell)),
            blocks=tuple(
                (key, len(groups[key[0]]), len(groups[key[1]]))
                for key in every
                if change(key) in met
            ),
        )

    def flat(self, environment: Environment) -> Array:
        """Environment as a vector."""
        parts = [
            environment[key].ravel() if key in environment else np.zeros(rows * columns)
            for key, rows, columns in self.blocks
        ]
        return np.concatenate([np.zeros(0), *parts])

    def image(self, vector: Array) -> Array:
        """Vector taken through the cell, from its right end to its left."""
        environment: dict[Key, Array] = {}
        start = 0
        for key, rows, columns in self.blocks:
            part = vector[start : start + rows * columns]
            environment[key] = part.reshape(rows, 1, columns)
            start += rows * columns
        for core in self.cell:
            environment = through(environment, core, core)
        return self.flat(environment)


def _symmetric_gauge(form: StateForm) -> tuple[BlockCore, ...]:
    r"""Cores :math:`\Lambda^{1/2} B \Lambda^{-1/2}`, whose transfer map is a contraction."""
    roots = [_root(values) for values in form.schmidt_values]
    return tuple(
        core.scaled(roots[site], 1.0 / roots[(site + 1) % form.length])
        for site, core in enumerate(form.blocks)
    )


def _root(values: FloatArray) -> FloatArray:
    # A gauge may be any positive diagonal; the floor keeps rounding errors small.
    return np.asarray(np.sqrt(np.maximum(values, _SMALLEST_SCHMIDT)))


def _ends(
    form: StateForm, cell: Sequence[BlockCore], probe: Probe
) -> tuple[list[Environment], list[Environment]]:
    """Left environments after a cell, right ones before it, with the operator on each site."""
    root = _root(form.schmidt_values[0])
    left = diagonal_environment(cell[0].left, form.schmidt_values[0] ** 2 / root**2)
    right = diagonal_environment(cell[0].left, root**2)
    mirrored = [core.mirrored for core in reversed(cell)]
    last = form.length - 1
    lefts = [_inserted(left, cell, site, probe.matrix(site)) for site in range(last + 1)]
    rights = [_inserted(right, mirrored, last - s, probe.matrix(s)) for s in range(last + 1)]
    return lefts, rights


def _inserted(
    environment: Environment, cores: Sequence[BlockCore], place: int, matrix: Array
) -> Environment:
    for index, core in enumerate(cores):
        environment = through(environment, core, core, matrix if index == place else None)
    return environment


def _krylov(space: _Space, right: Array, lefts: Array) -> Resolvent:
    """Arnoldi's projection on the powers of the transfer map on a right vector."""
    size = float(np.linalg.norm(right))
    if size == 0.0:
        return Resolvent(
            projection=np.zeros((1, 1)), start=np.zeros(1), overlaps=np.zeros((len(lefts), 1))
        )
    first = right / size
    basis, matrix = [first], np.zeros((_KRYLOV + 1, _KRYLOV), dtype=np.complex128)
    for count in range(1, _KRYLOV + 1):
        vector = space.image(basis[-1])
        known = np.array(basis)
        # The second round takes out what rounding leaves of the first one.
        for _ in range(2):
            shares = known.conj() @ vector
            matrix[:count, count - 1] += shares
            vector = vector - shares @ known
        rest = float(np.linalg.norm(vector))
        if rest < _CLOSED_TOL or count == _KRYLOV or _converged(matrix[:count, :count], rest):
            break
        matrix[count, count - 1] = rest
        basis.append(vector / rest)
    start = np.zeros(count)
    start[0] = size
    overlaps = lefts @ np.array(basis).T
    return Resolvent(projection=matrix[:count, :count], start=start, overlaps=overlaps)


def _converged(matrix: Array, rest: float) -> bool:
    """Whether the resolvent has converged where its largest decaying eigenvalue makes it large."""
    count = len(matrix)
    if count % _CHECKED_EVERY:
        return False
    values = np.linalg.eigvals(matrix)
    decaying = values[np.abs(values) < 1.0 - UNIQUE_TOL]
    if not len(decaying):
        return False
    largest = decaying[np.argmax(np.abs(decaying))]
    z = np.conj(largest) / abs(largest) if largest else 1.0
    solved = np.linalg.solve(np.eye(count) - z * matrix, np.eye(count)[0])
    return bool(rest * abs(solved[-1]) < _CONVERGED_TOL * np.linalg.norm(solved))


def _split(whole: Resolvent) -> tuple[Resolvent, list[tuple[complex, Array]]]:
    """Split off eigenvalues on the unit circle, with the correlations that they are left with."""
    values, left, right = scipy.linalg.eig(whole.projection, left=True, right=True)
    start, projection = whole.start.astype(np.complex128), whole.projection
    ordered = []
    for value, bra, ket in zip(values, left.T, right.T, strict=True):
        if abs(value) < 1.0 - UNIQUE_TOL:
            continue
        onto = np.outer(ket, bra.conj()) / (bra.conj() @ ket)
        share = onto @ whole.start
        start, projection = start - share, projection - value * onto
        ordered.append((complex(value / abs(value)), whole.overlaps @ share))
    return Resolvent(projection=projection, start=start, overlaps=whole.overlaps), ordered
