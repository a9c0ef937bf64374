"""Product bases that shots are taken in: spin components, patterns of them, and random ones."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError
from phasenet.settings import BASES
from phasenet.trains.train import Array, FloatArray

_COMPONENTS = ("Sx", "Sy", "Sz")
_ZERO_ATOL = 1e-14


@dataclass(frozen=True, kw_only=True, eq=False)
class Basis:
    """Product basis of a measurement, or the bases that one is drawn from for each site.

    Parameters
    ----------
    name
        As in :class:`phasenet.settings.SampleSettings`.
    names
        Of the bases of a single site that occur.
    vectors
        For each of them a unitary of shape (outcome, local state), whose row k is the bra of
        outcome k: outcome 0 is the highest eigenvalue.
    pattern
        Index of the basis of site 0, 1, ..., repeated along the chain; empty if a basis is drawn
        for each site of each shot, all with equal probability.
    """

    name: str
    names: tuple[str, ...]
    vectors: tuple[Array, ...]
    pattern: tuple[int, ...]

    @property
    def drawn(self) -> bool:
        """Whether the basis of a site is drawn."""
        return not self.pattern

    @property
    def site_dim(self) -> int:
        """Number of local states."""
        return len(self.vectors[0])

    def indices(self, sites: int) -> NDArray[np.uint8]:
        """Return the index of the basis of each of the first sites of a fixed pattern."""
        if self.drawn:
            raise SettingsError(f"basis {self.name!r} is drawn for each shot; it has no pattern")
        return np.resize(np.asarray(self.pattern, dtype=np.uint8), sites)

    def draw(self, uniform: FloatArray) -> NDArray[np.uint8]:
        """Return indices of bases, one for each number in [0, 1)."""
        # Never out of range: rounding takes n (1 - 2^-53) down for every n.
        return np.asarray(uniform * len(self.names)).astype(np.uint8)


@lru_cache(maxsize=32)
def basis_of(name: str, site_dim: int) -> Basis:
    """Basis by its name in the settings.

    Eigenvectors of spin components have a positive component on the highest weight.

    Parameters
    ----------
    name
        One of :data:`phasenet.settings.BASES`, or spin components such as ``Sx,Sz``, repeated along
        the chain.
    site_dim
        Number of local states, 2S + 1.

    Raises
    ------
    SettingsError
        There is no such basis, or not for so many local states.

    >>> print(basis_of("Sx", 2).vectors[0].round(4).tolist())
    [[0.7071, 0.7071], [0.7071, -0.7071]]
    >>> basis_of("Sx,Sz", 3).indices(5).tolist()
    [0, 1, 0, 1, 0]
    """
    if site_dim < 2:
        raise SettingsError(f"a site has {site_dim} local states; a measurement needs at least 2")
    if name == "random":
        return _basis(name, _COMPONENTS, _spin_component, site_dim, ())
    if name == "unbiased":
        _check_prime(site_dim)
        names = tuple(f"unbiased {k}" for k in range(site_dim + 1))
        return _basis(name, names, _unbiased, site_dim, ())
    components = tuple(part.strip() for part in name.split(","))
    for component in components:
        if component not in _COMPONENTS:
            raise SettingsError(
                f"basis is {name!r}; wanted one of {', '.join(BASES)}, or a pattern of spin "
                "components such as Sx,Sz"
            )
    names = tuple(dict.fromkeys(components))
    pattern = tuple(names.index(component) for component in components)
    return _basis(",".join(components), names, _spin_component, site_dim, pattern)


def _basis(
    name: str,
    names: tuple[str, ...],
    vectors: Callable[[str, int], Array],
    site_dim: int,
    pattern: tuple[int, ...],
) -> Basis:
    found = tuple(vectors(part, site_dim) for part in names)
    for matrix in found:
        matrix.setflags(write=False)
    return Basis(name=name, names=names, vectors=found, pattern=pattern)


def _spin_component(name: str, site_dim: int) -> Array:
    """Bras of the eigenstates of a spin component, highest eigenvalue first."""
    if name == "Sz":
        return np.eye(site_dim)
    m = (site_dim - 1) / 2 - np.arange(site_dim)
    half = np.sqrt(m[0] * (m[0] + 1) - m[1:] * (m[1:] + 1)) / 2
    columns = np.linalg.eigh(np.diag(half, 1) + np.diag(half, -1))[1][:, ::-1]
    rows: Array = (columns * np.sign(columns[0])).T
    rows[np.abs(rows) < _ZERO_ATOL] = 0.0
    # S^y is S^x, turned by a quarter about z.
    turns: Array = np.array([1.0, -1j, -1.0, 1j])
    return rows * turns[np.arange(site_dim) % 4] if name == "Sy" else rows


def _unbiased(name: str, site_dim: int) -> Array:
    r"""Bras of one of d + 1 mutually unbiased bases.

    For two states these are the eigenbases of Z, X and Y, for an odd prime that of S^z and
    :math:`|r, k\rangle = d^{-1/2} \sum_s \omega^{r s^2 + k s} |s\rangle` with
    :math:`\omega = e^{2 \pi i / d}`, for r = 0 .. d - 1 (Ivanovic, J. Phys. A 14, 3241 (1981)).
    """
    number = int(name.split()[1])
    if number == 0:
        return np.eye(site_dim)
    if site_dim == 2:
        return _spin_component("SxSy"[2 * number - 2 : 2 * number], 2)
    s = np.arange(site_dim)
    turns = ((number - 1) * s**2 + s[:, None] * s) % site_dim
    return np.asarray(np.exp(-2j * np.pi * turns / site_dim) / np.sqrt(site_dim))


def _check_prime(site_dim: int) -> None:
    if any(site_dim % factor == 0 for factor in range(2, site_dim)):
        raise SettingsError(
            f"a full set of unbiased bases is known here for a prime number of local states; the "
            f"site has {site_dim}: use the basis random"
        )
