"""Ground states known in closed form."""

from collections.abc import Sequence

import numpy as np

from phasenet.errors import SettingsError
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import FloatArray, TensorTrain

_DOUBLET = np.full(2, np.sqrt(0.5))


def aklt_core() -> FloatArray:
    r"""Right-canonical core of the AKLT state.

    .. math:: A^+ = \sqrt{2/3}\,\sigma^+,\quad A^0 = -\sqrt{1/3}\,\sigma^z,\quad
              A^- = -\sqrt{2/3}\,\sigma^-

    Affleck, Kennedy, Lieb, Tasaki, Commun. Math. Phys. 115, 477 (1988); Schollwock, Ann. Phys. 326,
    96 (2011), equation 85.

    >>> print(f"{np.einsum('lsr,lsr', aklt_core(), aklt_core()):.3f}")
    2.000
    """
    core = np.zeros((2, 3, 2))
    core[0, 0, 1] = np.sqrt(2 / 3)
    core[0, 1, 0], core[1, 1, 1] = -np.sqrt(1 / 3), np.sqrt(1 / 3)
    core[1, 2, 0] = -np.sqrt(2 / 3)
    return core


def aklt_cell() -> InfiniteTrain:
    """Infinite AKLT state, one site per cell.

    >>> print(aklt_cell().bond_dims)
    (2,)
    """
    return InfiniteTrain(cores=(aklt_core(),), schmidt_values=(_DOUBLET,))


def aklt_chain(length: int, left: int = 0, right: int = 0) -> TensorTrain:
    """One of the four AKLT ground states of an open chain, not normalised.

    Parameters
    ----------
    length
        Number of sites.
    left, right
        Values (0 or 1) of the virtual spins at the two ends.

    >>> print(aklt_chain(4).bond_dims)
    (2, 2, 2)
    """
    return _opened((aklt_core(),) * _checked(length), left, right)


def product_chain(states: Sequence[int], site_dim: int) -> TensorTrain:
    """Product of local basis states; (0, 2, 0, 2, ...) with site_dim 3 is a Néel state.

    Parameters
    ----------
    states
        Index of the local state at each site.
    site_dim
        Number of local states.

    >>> print(product_chain([0, 2], 3)(np.array([[0, 2], [0, 1]])).tolist())
    [1.0, 0.0]
    """
    return TensorTrain(cores=_basis_cores(states, site_dim))


def product_cell(states: Sequence[int], site_dim: int) -> InfiniteTrain:
    """Infinite product state that repeats a cell of local basis states.

    >>> print(product_cell([0, 2], 3).cell)
    2
    """
    return InfiniteTrain(
        cores=_basis_cores(states, site_dim), schmidt_values=(np.ones(1),) * len(states)
    )


def large_d_chain(length: int) -> TensorTrain:
    """Spin-1 product state of zeros, the ground state for a large single-ion anisotropy D.

    >>> print(large_d_chain(3)(np.array([[1, 1, 1]])).tolist())
    [1.0]
    """
    return product_chain([1] * _checked(length), 3)


def large_d_cell() -> InfiniteTrain:
    """Infinite spin-1 product state of zeros.

    >>> print(large_d_cell().bond_dims)
    (1,)
    """
    return product_cell([1], 3)


def cluster_core() -> FloatArray:
    r"""Right-canonical core of the spin-1/2 cluster state, :math:`\prod CZ\,|{+}\dots{+}\rangle`.

    Briegel, Raussendorf, PRL 86, 910 (2001). Protected by the products of X over the even and over
    the odd sites.

    >>> print(f"{np.einsum('lsr,lsr', cluster_core(), cluster_core()):.3f}")
    2.000
    """
    core = np.zeros((2, 2, 2))
    for left in range(2):
        for state in range(2):
            core[left, state, state] = np.sqrt(0.5) * (-1) ** (left * state)
    return core


def cluster_cell() -> InfiniteTrain:
    """Infinite cluster state with the two sites of its symmetry in the cell.

    >>> print(cluster_cell().cell)
    2
    """
    return InfiniteTrain(cores=(cluster_core(),) * 2, schmidt_values=(_DOUBLET,) * 2)


def cluster_chain(length: int) -> TensorTrain:
    """Cluster state of an open chain.

    >>> print(np.abs(cluster_chain(3)(np.array([[0, 1, 1]]))).round(4).tolist())
    [0.3536]
    """
    cores = (cluster_core(),) * _checked(length)
    first, last = cores[0][:1], cores[-1].sum(axis=2, keepdims=True)
    return TensorTrain(cores=(first, *cores[1:-1], last))


def _basis_cores(states: Sequence[int], site_dim: int) -> tuple[FloatArray, ...]:
    return tuple(np.eye(site_dim)[state].reshape(1, site_dim, 1) for state in states)


def _opened(cores: tuple[FloatArray, ...], left: int, right: int) -> TensorTrain:
    first, last = cores[0][left : left + 1], cores[-1][:, :, right : right + 1]
    return TensorTrain(cores=(first, *cores[1:-1], last))


def _checked(length: int) -> int:
    if length < 2:
        raise SettingsError(f"length is {length}; an open chain here needs at least 2 sites")
    return length
