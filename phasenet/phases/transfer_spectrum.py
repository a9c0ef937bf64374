r"""Leading spectrum of the transfer map of an infinite state, sector by sector of its charge.

An eigenvalue :math:`\lambda` of the map of one cell in the sector :math:`\Delta S^z = m` is a decay
of the correlations of operators that raise :math:`S^z` by m: with the length
:math:`-c/\ln|\lambda|` for c sites, at the wavenumber of its phase.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse.linalg

from phasenet.errors import SettingsError
from phasenet.seeds import stream
from phasenet.trains.blocks import BlockCore, Key, through
from phasenet.trains.charges import groups_of
from phasenet.trains.correlation import UNIQUE_TOL
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.train import Array, FloatArray

_DENSE_SIZE = 120
_LARGEST_CHANGE = 2
_VANISHING = 1e-14


@dataclass(frozen=True, kw_only=True, eq=False)
class TransferSpectrum:
    r"""Leading eigenvalues :math:`|\lambda| e^{2 \pi i \phi}` of the transfer map of one cell.

    Parameters
    ----------
    moduli
        Relative to the largest one, falling, the sectors mixed.
    phases
        Of each eigenvalue, in turns per cell, from -1/2 to 1/2.
    sectors
        Change of S^z that each belongs to, at least 0: the sector of the opposite change has the
        complex conjugates. Modulo 2 if only the parity of S^z is conserved, 0 if nothing is.
    cell
        Number of sites of the cell.
    """

    moduli: FloatArray
    phases: FloatArray
    sectors: FloatArray
    cell: int

    @property
    def lengths(self) -> FloatArray:
        """Length in sites over which each decays; infinite for long-range order."""
        return np.array([self._length(float(modulus)) for modulus in self.moduli])

    def correlation_length(self, sector: float) -> float:
        """Longest finite correlation length of one sector, in sites; NaN where none was found."""
        lengths = self.lengths[self.sectors == sector]
        return float(max(lengths[np.isfinite(lengths)], default=math.nan))

    def _length(self, modulus: float) -> float:
        if modulus >= 1.0 - UNIQUE_TOL:
            return math.inf
        return -self.cell / math.log(modulus) if modulus > _VANISHING else 0.0

    def __str__(self) -> str:
        return ", ".join(
            f"{modulus:.6f} at {phase:g} turns (dSz={sector:g})"
            for modulus, phase, sector in zip(self.moduli, self.phases, self.sectors, strict=True)
        )


def transfer_spectrum(state: State, count: int = 4) -> TransferSpectrum:
    """Leading eigenvalues of the transfer map of an infinite state.

    Parameters
    ----------
    state
        Infinite state. At a finite bond dimension the lengths are lower estimates. Of a cat state,
        the eigenvalues between its branches are here as well, though no local operator meets them:
        see :func:`phasenet.trains.correlation.correlation_length`.
    count
        How many of each sector, for changes of S^z by 0, 1 and 2; a small sector has fewer.

    Raises
    ------
    SettingsError
        The state is an open chain, or ``count`` is less than 1.

    >>> from phasenet.phases.exact import aklt_cell
    >>> print(transfer_spectrum(aklt_cell()))
    1.000000 at 0 turns (dSz=0), 0.333333 at 0.5 turns (dSz=0), 0.333333 at 0.5 turns (dSz=1)
    """
    form = state_form(state)
    if not form.infinite or count < 1:
        raise SettingsError(
            f"{count} eigenvalues of {'an infinite state' if form.infinite else 'an open chain'} "
            "are asked for; wanted at least 1, of an infinite state"
        )
    found = [
        (change / 2, value) for change in _changes(form) for value in _leading(form, change, count)
    ]
    found.sort(key=lambda pair: (-round(abs(pair[1]), 12), pair[0], -pair[1].imag))
    values = np.array([value for _, value in found])
    phases = np.angle(values / values[0]) / (2 * np.pi)
    return TransferSpectrum(
        moduli=np.abs(values) / abs(values[0]),
        phases=np.where(np.abs(phases) < _VANISHING, 0.0, phases),
        sectors=np.array([sector for sector, _ in found]),
        cell=form.length,
    )


def _changes(form: StateForm) -> list[int]:
    """Differences of charge between ket and bra, in units of S^z = 1/2."""
    charges = set(form.charges[0].tolist())
    differences = {
        (a - b) % form.modulus if form.modulus else a - b for a in charges for b in charges
    }
    return sorted(d for d in differences if 0 <= d <= 2 * _LARGEST_CHANGE)


def _leading(form: StateForm, change: int, count: int) -> list[complex]:
    """Leading eigenvalues in one sector."""
    groups, charges = groups_of(form.charges[0])
    wanted = change % form.modulus if form.modulus else change
    keys = [
        (ket, bra)
        for ket, above in enumerate(charges)
        for bra, below in enumerate(charges)
        if ((above - below) % form.modulus if form.modulus else above - below) == wanted
    ]
    shapes = [(len(groups[ket]), len(groups[bra])) for ket, bra in keys]
    size = sum(rows * columns for rows, columns in shapes)

    def image(vectors: Array) -> Array:
        return _carried(vectors, form.blocks, keys, shapes)

    if size <= max(_DENSE_SIZE, count + 2):
        values = np.linalg.eigvals(image(np.eye(size)))
    else:
        dtype = np.result_type(np.float64, *form.cores)
        matvec = scipy.sparse.linalg.LinearOperator(
            (size, size), lambda v: image(v.reshape(1, size))[0], dtype=dtype
        )
        values = _krylov(matvec, size, count)
    return [complex(v) for v in values[np.argsort(-np.abs(values), kind="stable")[:count]]]


def _carried(
    vectors: Array,
    cell: Sequence[BlockCore],
    keys: Sequence[Key],
    shapes: Sequence[tuple[int, int]],
) -> Array:
    """Vectors of a sector, as rows, taken through the cell."""
    batch = len(vectors)
    ends = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
    environment = {
        key: np.ascontiguousarray(part.reshape(batch, *shape).swapaxes(0, 1))
        for key, shape, part in zip(keys, shapes, np.split(vectors, ends, axis=1), strict=True)
    }
    for core in cell:
        environment = through(environment, core, core)
    parts = [
        environment[key].swapaxes(0, 1).reshape(batch, -1)
        if key in environment
        else np.zeros((batch, shape[0] * shape[1]))
        for key, shape in zip(keys, shapes, strict=True)
    ]
    return np.concatenate(parts, axis=1)


def _krylov(operator: scipy.sparse.linalg.LinearOperator, size: int, count: int) -> Array:
    start = stream(0, "transfer spectrum", "start vector").normal(size=size)
    width = min(max(20, 3 * count + 1), size - 1)
    try:
        values = scipy.sparse.linalg.eigs(
            operator, k=count, v0=start, ncv=width, return_eigenvectors=False
        )
    except scipy.sparse.linalg.ArpackNoConvergence as stalled:
        if len(stalled.eigenvalues) == 0:
            raise SettingsError(f"no eigenvalue of a map of size {size} converged") from None
        values = stalled.eigenvalues
    return np.asarray(values)
