"""Order parameters without strings: magnetisation, quadrupole, neighbour correlations."""

from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError
from phasenet.phases.spins import Axis, magnetic_numbers, spin_matrix
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import FloatArray, TensorTrain
from phasenet.trains.transfer import (
    Chain,
    finite_chain,
    infinite_stretch,
    site_expectations,
    string_sums,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalOrders:
    """Local observables of a state; sites of the chain, or of one cell.

    Parameters
    ----------
    magnetisation
        <S^z> of each site.
    quadrupole
        <(S^z)^2> of each site.
    neighbours
        <S^z S^z> of each site with the next one; an infinite state has as many as its cell.
    staggered
        Mean of (-1)^i <S^z_i>; an odd cell is taken twice, so that the sign alternates.
    """

    magnetisation: FloatArray
    quadrupole: FloatArray
    neighbours: FloatArray
    staggered: float

    def __str__(self) -> str:
        return (
            f"m={self.magnetisation.mean():.6f}, m_staggered={self.staggered:.6f}, "
            f"(S^z)^2={self.quadrupole.mean():.6f}, S^z S^z={self.neighbours.mean():.6f}"
        )


def local_orders(train: TensorTrain | InfiniteTrain) -> LocalOrders:
    """Local observables of a finite or infinite state of spins.

    Parameters
    ----------
    train
        State in the z basis.

    >>> up = np.array([1.0, 0.0]).reshape(1, 2, 1)
    >>> print(local_orders(TensorTrain(cores=(up,) * 4)))
    m=0.500000, m_staggered=0.000000, (S^z)^2=0.250000, S^z S^z=0.250000
    """
    if isinstance(train, InfiniteTrain):
        # One site more, for the pair across the end of the cell.
        chain, sites = infinite_stretch(train, 0, train.cell + 1), train.cell
    else:
        chain, sites = finite_chain(train), train.length
    z = [magnetic_numbers(core.shape[1]) for core in chain.cores]
    magnetisation = site_expectations(chain, z)[:sites, 0].real
    quadrupole = site_expectations(chain, [m**2 for m in z])[:sites, 0].real
    nothing = [np.zeros_like(m) for m in z]
    pairs = (
        string_sums(chain, z, nothing, range(len(z) - 1))[1:, 0].real if len(z) > 1 else z[0][:0]
    )
    repeats = 2 if isinstance(train, InfiniteTrain) and sites % 2 else 1
    signs = (-1.0) ** np.arange(sites * repeats)
    return LocalOrders(
        magnetisation=magnetisation,
        quadrupole=quadrupole,
        neighbours=pairs,
        staggered=float(np.mean(signs * np.tile(magnetisation, repeats))),
    )


def spin_correlations(
    train: TensorTrain | InfiniteTrain, axis: Axis, first: int, sites: int
) -> FloatArray:
    r"""Correlations :math:`\langle S^a_i S^a_{i+r}\rangle` for r = 1 .. sites, not connected.

    Parameters
    ----------
    train
        State in the z basis.
    axis
        Component a.
    first
        Site i.
    sites
        Largest distance r.

    Returns
    -------
    Array of shape (sites,).

    >>> up = np.array([1.0, 0.0]).reshape(1, 2, 1)
    >>> print(spin_correlations(TensorTrain(cores=(up,) * 4), "z", 0, 2).tolist())
    [0.25, 0.25]
    """
    if isinstance(train, InfiniteTrain):
        chain, start = infinite_stretch(train, first, sites + 1), 0
    else:
        chain, start = finite_chain(train), first
        if sites < 1 or first < 0 or first + sites >= train.length:
            raise SettingsError(
                f"sites {first} .. {first + sites} do not fit a chain of {train.length} sites"
            )
    ends = [spin_matrix(axis, core.shape[1]) for core in chain.cores]
    values = string_sums(chain, ends, _identities(chain), (start,))
    return np.ascontiguousarray(values[start + 1 : start + 1 + sites, 0].real)


def _identities(chain: Chain) -> list[FloatArray]:
    return [np.ones(core.shape[1]) for core in chain.cores]
