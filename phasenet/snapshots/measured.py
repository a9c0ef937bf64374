"""A state prepared for a product basis: shots, exact probabilities and amplitudes, in batches.

Arrays live where a :class:`Place` puts them, in the memory of a processor or of a GPU; the code is
the same, by the array API. Complex rows are kept as two real ones, which a real core takes one by
one, so that only bases like Sy pay for complex numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError, ShapeError
from phasenet.snapshots.bases import Basis
from phasenet.snapshots.places import IN_MEMORY, Place
from phasenet.snapshots.prepared import prepared_sites
from phasenet.snapshots.walks import Walk
from phasenet.trains.form import StateForm
from phasenet.trains.train import Array, FloatArray

Spins = NDArray[np.uint8]

_LEAST_BATCH, _LARGEST_BATCH = 64, 1 << 18


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Shots.

    Parameters
    ----------
    spins
        Outcomes, uint8 of shape (shots, sites).
    log_probability
        Natural logarithm of the probability of each, given its basis, of shape (shots,); NaN for a
        window with a bond on its left: ask :meth:`MeasuredState.log_probability`.
    """

    spins: Spins
    log_probability: FloatArray


class MeasuredState:
    """A state prepared for one basis, on all sites of an open chain or in a window.

    Parameters
    ----------
    form
        The state.
    basis
        Basis of the measurement, whose pattern starts at the first site of the window.
    start, sites
        First site and number of sites; by default all of an open chain from ``start`` on.
    place
        Where arrays live.

    Raises
    ------
    SettingsError
        The window is empty, leaves the chain, or has no size in an infinite state.
    ShapeError
        A site has another number of local states than the basis.
    """

    def __init__(
        self,
        form: StateForm,
        basis: Basis,
        *,
        start: int = 0,
        sites: int | None = None,
        place: Place = IN_MEMORY,
    ) -> None:
        prepared = prepared_sites(form, basis, start, sites)
        self.basis, self.sites = basis, len(prepared.sites)
        self._is_whole = not form.infinite and self.sites == form.length
        self._has_left_bond = form.infinite or start > 0
        self._weights, self._groups = form.left_weights(start), prepared.groups
        self._parts, self._width = prepared.parts, prepared.width
        self._walk = Walk(prepared, basis.site_dim, place)

    @property
    def columns(self) -> int:
        """Random numbers of a shot: one for each site, and before them one for a bond on the left.

        It chooses a Schmidt state of that bond.
        """
        return self.sites + self._has_left_bond

    @property
    def batch(self) -> int:
        """Number of shots that are drawn at once."""
        return self._batch(self.basis.site_dim)

    def draw(self, uniform: FloatArray, basis_index: Spins | None = None) -> Drawn:
        r"""Independent shots, one for each row of random numbers.

        Site by site, the conditional probability of an outcome is the squared norm of its branch,
        because everything to the right of a right-canonical core contracts to the identity
        (Ferris and Vidal, Phys. Rev. B 85, 165146 (2012)).

        Parameters
        ----------
        uniform
            Numbers in [0, 1), of shape (shots, ``columns``).
        basis_index
            Where the basis is drawn: its index for each site of each shot.
        """
        if uniform.ndim != 2 or uniform.shape[1] != self.columns:
            raise ShapeError(
                f"random numbers have shape {uniform.shape}; wanted (shots, {self.columns})"
            )
        index = self._checked_index(basis_index, len(uniform))
        spins = np.empty((len(uniform), self.sites), dtype=np.uint8)
        logs = np.empty(len(uniform))
        for part in _parts(len(uniform), self.batch):
            bases = None if index is None else index[part]
            rows, groups = self._first_rows(uniform[part])
            numbers = uniform[part, -self.sites :]
            spins[part], logs[part] = self._walk.draw(rows, groups, numbers, bases)
        if self._has_left_bond:
            logs[:] = np.nan
        return Drawn(spins=spins, log_probability=logs)

    def log_probability(self, spins: Array, basis_index: Spins | None = None) -> FloatArray:
        """Natural logarithm of the probability of given outcomes, -inf where it is zero.

        A window costs as much as a chain for each index of the bond on its left.

        Parameters
        ----------
        spins
            Outcomes, integers of shape (shots, sites).
        basis_index
            As in :meth:`draw`.
        """
        spins, index = self._checked(spins, basis_index)
        result = np.full(len(spins), -np.inf)
        for group, members in enumerate(self._groups):
            roots = np.zeros((len(members), self._parts, self._width))
            own = np.arange(len(members))
            roots[own, 0, own] = np.sqrt(self._weights[members])
            for part in _parts(len(spins), self._batch(len(members))):
                bases = None if index is None else index[part]
                rows, logs = self._walk.carry(roots, group, spins[part], bases)
                result[part] = np.logaddexp(result[part], _log_norm(rows) + 2 * logs)
        return result

    def log_amplitudes(
        self, spins: Array, basis_index: Spins | None = None
    ) -> tuple[Array, FloatArray]:
        """Phases and magnitudes of the amplitudes of given outcomes of a whole open chain.

        Parameters
        ----------
        spins, basis_index
            As in :meth:`log_probability`.

        Returns
        -------
        Numbers of modulus 1, complex where the amplitudes are, and 0 where they vanish; and the
        natural logarithm of the magnitudes. Both have shape (shots,).

        Raises
        ------
        SettingsError
            Only a part of the state is measured, which has no amplitudes.
        """
        if not self._is_whole:
            raise SettingsError(
                "a window of a state has no amplitudes; measure the whole of an open chain"
            )
        spins, index = self._checked(spins, basis_index)
        values = np.empty((len(spins), self._parts))
        logs = np.empty(len(spins))
        first = np.eye(1, self._parts)[:, :, None]
        for part in _parts(len(spins), self._batch(1)):
            bases = None if index is None else index[part]
            rows, logs[part] = self._walk.carry(first, 0, spins[part], bases)
            values[part] = rows.reshape(-1, self._parts)
        logs = logs + _log_norm(values) / 2
        sizes = np.linalg.norm(values, axis=1, keepdims=True)
        phases = values / np.where(sizes > 0.0, sizes, 1.0)
        return phases @ np.array([1.0, 1j]) if self._parts == 2 else phases[:, 0], logs

    def _batch(self, rows: int) -> int:
        return int(np.clip(self._walk.batch(rows), _LEAST_BATCH, _LARGEST_BATCH))

    def _first_rows(self, uniform: FloatArray) -> tuple[FloatArray, NDArray[np.int16]]:
        """Rows on the bond left of the first site, and their groups: a Schmidt state for each."""
        rows = np.zeros((len(uniform), self._parts, self._width))
        group = np.zeros(len(self._weights), dtype=np.int16)
        place = np.zeros(len(self._weights), dtype=np.int64)
        for number, members in enumerate(self._groups):
            group[members], place[members] = number, np.arange(len(members))
        state = np.zeros(len(uniform), dtype=np.int64)
        if self._has_left_bond:
            edges = np.cumsum(self._weights)
            state = np.searchsorted(edges[:-1], uniform[:, 0] * edges[-1], side="right")
        rows[np.arange(len(uniform)), 0, place[state]] = 1.0
        return rows, group[state]

    def _checked(self, spins: Array, basis_index: Spins | None) -> tuple[Array, Spins | None]:
        """Outcomes that there are, and bases that fit them."""
        spins = np.asarray(spins)
        if spins.ndim != 2 or spins.shape[1] != self.sites or spins.dtype.kind not in "iu":
            raise ShapeError(
                f"spins are {spins.dtype} of shape {spins.shape}; wanted integers of shape "
                f"(shots, {self.sites})"
            )
        if spins.size and (spins.min() < 0 or spins.max() >= self.basis.site_dim):
            raise ShapeError(f"spins name outcomes outside 0 .. {self.basis.site_dim - 1}")
        return spins, self._checked_index(basis_index, len(spins))

    def _checked_index(self, index: Spins | None, shots: int) -> Spins | None:
        if (index is None) == self.basis.drawn:
            wanted = "the basis of each site of each shot" if self.basis.drawn else "none"
            raise SettingsError(f"basis {self.basis.name} wants {wanted} as basis_index")
        if index is None:
            return None
        if index.shape != (shots, self.sites):
            raise ShapeError(f"basis_index has shape {index.shape}; wanted {(shots, self.sites)}")
        if index.size and (index.min() < 0 or index.max() >= len(self.basis.names)):
            raise ShapeError(f"basis_index names bases outside 0 .. {len(self.basis.names) - 1}")
        return index


def _parts(count: int, size: int) -> Iterator[slice]:
    """Stretches of at most so many."""
    return (slice(first, min(first + size, count)) for first in range(0, count, size))


def _log_norm(rows: FloatArray) -> FloatArray:
    """Natural logarithm of the squared norm of each row, -inf where it is zero."""
    squares = (rows.reshape(len(rows), -1) ** 2).sum(axis=1)
    found = squares > 0.0
    return np.where(found, np.log(np.where(found, squares, 1.0)), -np.inf)
