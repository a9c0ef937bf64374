"""What a classifier sees of a site: its local state, whether it was lost, and its basis."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from phasenet.shots import Snapshots
from phasenet.trains.train import Array, IntArray


@dataclass(frozen=True, kw_only=True)
class Readings:
    """All that can be read of one site, numbered.

    The local states come first, then a lost site where sites are lost; where the basis is drawn or
    changes along the chain, each basis has numbers of its own, one set after the other.

    Parameters
    ----------
    site_dim
        Number of local states.
    lost
        Whether sites may be lost.
    bases
        Names of the bases that occur; empty if there is one only.

    >>> Readings(site_dim=2, lost=True, bases=("Sx", "Sy", "Sz")).count
    9
    """

    site_dim: int
    lost: bool
    bases: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return (self.site_dim + self.lost) * max(1, len(self.bases))

    def as_dict(self) -> dict[str, Any]:
        """Return what an architecture holds of them; what does not occur is left out."""
        found: dict[str, Any] = {"site_dim": self.count}
        found |= {"lost": True} if self.lost else {}
        return found | ({"bases": list(self.bases)} if self.bases else {})

    def of(self, snapshots: Snapshots, chosen: IntArray) -> Array:
        """Readings of some shots, which must be of chains of one length, shape (shots, sites)."""
        spins = snapshots.configurations(chosen)
        if not self.bases:
            return spins
        drawn, sites = snapshots.shots.basis_index, spins.shape[1]
        index = self._pattern(snapshots.head.basis, sites) if drawn is None else drawn[chosen]
        states = self.site_dim + self.lost
        return np.asarray(index[..., :sites].astype(np.int16) * states + spins)

    def _pattern(self, basis: str, sites: int) -> Array:
        """Basis of each site, from the names that repeat along the chain."""
        return np.resize([self.bases.index(name) for name in basis.split(",")], sites)


def readings_of(snapshots: Snapshots) -> Readings:
    """What can be read of the sites of a dataset."""
    head = snapshots.head
    pattern = tuple(dict.fromkeys(head.basis.split(",")))
    return Readings(
        site_dim=head.site_dim,
        lost=bool((snapshots.shots.spins == head.site_dim).any()),
        bases=head.basis_names or (pattern if len(pattern) > 1 else ()),
    )


def without_lost_sites(snapshots: Snapshots, chosen: IntArray) -> IntArray:
    """Those of some shots that were read on all sites."""
    lost = (snapshots.shots.spins[chosen] == snapshots.head.site_dim).any(axis=1)
    return np.asarray(chosen[~lost])
