"""Sector of a conserved charge, outside of which a wavefunction vanishes exactly."""

from dataclasses import dataclass

import numpy as np

from phasenet.trains.charges import site_charges
from phasenet.trains.form import StateForm
from phasenet.trains.train import IntArray


@dataclass(frozen=True, kw_only=True)
class Sector:
    """All configurations of one total charge, twice their S^z.

    Parameters
    ----------
    site_dim
        Number of local states of each site; state s carries the charge ``site_dim`` - 1 - 2s.
    modulus
        0 for a conserved S^z, 4 for its parity, 1 for nothing conserved.
    total
        The charge.

    >>> Sector(site_dim=2, modulus=0, total=0).contains(np.array([[0, 1], [0, 0]])).tolist()
    [True, False]
    """

    site_dim: int
    modulus: int
    total: int

    @classmethod
    def of(cls, form: StateForm) -> "Sector":
        """Sector of an open chain of equal sites."""
        total = int(form.charges[-1][0] - form.charges[0][0])
        modulus = form.modulus
        return cls(
            site_dim=form.site_dims[0],
            modulus=modulus,
            total=total % modulus if modulus else total,
        )

    @property
    def charges(self) -> IntArray:
        """Charge of each local state; all 0 where nothing is conserved."""
        return site_charges(self.site_dim, self.modulus)

    def contains(self, configurations: IntArray) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Return which configurations, integers of shape (shots, sites), lie in the sector."""
        sums = self.charges[configurations].sum(axis=1)
        return np.asarray(
            (sums - self.total) % self.modulus == 0 if self.modulus else sums == self.total
        )
