r"""Copies of shots that an order was taken out of, and the Kennedy-Tasaki transformation.

All work on outcomes of one spin component: state k of d has the eigenvalue :math:`S - k`. Sites
without a reading, of values d and above, stay as they are and have no sign.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError
from phasenet.trains.train import FloatArray

_NAMES = "sign scramble, zero shuffle, or block flip L with a number of sites L such as 4"
_FLIP = re.compile(r"^block flip ([1-9]\d*)$")

Spins = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class _Control:
    """How many numbers a shot takes, and what they do."""

    columns: Callable[[int], int]
    change: Callable[[Spins, int, FloatArray], Spins]


def control_copy(name: str, spins: Spins, site_dim: int, rng: np.random.Generator) -> Spins:
    """Copy of shots that one order was taken out of at random.

    ``sign scramble`` gives each spin that is not 0 a random sign: no order of signs is left, hidden
    or not, and all densities are as they were. ``block flip L`` turns round all spins of each block
    of L sites with probability 1/2: strings within a block are as they were, those with ends in two
    blocks vanish. ``zero shuffle`` moves the zeros to random places and keeps the sequence of the
    other spins: the hidden order stays, all order of places goes.

    Parameters
    ----------
    name
        What is done.
    spins
        Outcomes of one spin component, uint8 of shape (shots, sites).
    site_dim
        Number of local states d.
    rng
        Stands at the first of these shots; each takes :func:`control_columns` numbers, so that
        copies do not depend on batches.

    Raises
    ------
    SettingsError
        There is no such control, or none for these spins.

    >>> spins = np.array([[0, 1, 1, 2, 0]], dtype=np.uint8)
    >>> control_copy("zero shuffle", spins, 3, np.random.default_rng(0)).tolist()
    [[0, 2, 1, 1, 0]]
    """
    control = _control(name, site_dim)
    shots, sites = spins.shape
    numbers = rng.random((shots, control.columns(sites)))
    return control.change(spins, site_dim, numbers)


def control_columns(name: str, sites: int) -> int:
    """How many uniform numbers the control of one shot takes.

    >>> control_columns("sign scramble", 10), control_columns("block flip 4", 10)
    (10, 3)
    """
    return _control(name, 3).columns(sites)


def check_control(name: str, site_dim: int) -> None:
    """Raise SettingsError unless there is a control of this name for such spins.

    >>> check_control("zero shuffle", 2)
    Traceback (most recent call last):
    phasenet.errors.SettingsError: control 'zero shuffle' needs spins with a state 0; a site has 2 \
states, of half-integer spin: use block flip L
    """
    _control(name, site_dim)


def kennedy_tasaki(spins: Spins, site_dim: int) -> Spins:
    r"""Shots with their hidden order made plain.

    .. math:: \tilde\sigma_k = \sigma_k \prod_{j<k} (-1)^{\sigma_j}

    so that for spin 1 :math:`\langle\tilde\sigma_i\tilde\sigma_j\rangle = -O^z_{ij}`, the string
    order (Kennedy, Tasaki, Commun. Math. Phys. 147, 431 (1992)). A site without a reading counts as
    a spin 0.

    Parameters
    ----------
    spins
        Outcomes of one component of integer spins, uint8 of shape (shots, sites).
    site_dim
        Number of local states d.

    >>> kennedy_tasaki(np.array([[0, 1, 2, 0, 1]], dtype=np.uint8), 3).tolist()
    [[0, 1, 0, 0, 1]]
    """
    if site_dim % 2 == 0:
        raise SettingsError(
            f"the Kennedy-Tasaki transformation needs integer spins; a site has {site_dim} states, "
            "of half-integer spin"
        )
    odd = (spins < site_dim) & ((site_dim // 2 - spins.astype(np.int64)) % 2 == 1)
    before = np.cumsum(odd, axis=1) - odd
    return _flipped(spins, site_dim, before % 2 == 1)


def inverse_kennedy_tasaki(spins: Spins, site_dim: int) -> Spins:
    """Shots as they were before :func:`kennedy_tasaki`, which keeps parities and so undoes itself.

    >>> inverse_kennedy_tasaki(np.array([[0, 1, 0, 0, 1]], dtype=np.uint8), 3).tolist()
    [[0, 1, 2, 0, 1]]
    """
    return kennedy_tasaki(spins, site_dim)


def _control(name: str, site_dim: int) -> _Control:
    flip = _FLIP.match(name)
    if flip is not None:
        size = int(flip.group(1))
        return _Control(
            columns=lambda sites: -(-sites // size),
            change=lambda spins, dim, numbers: _block_flipped(spins, dim, numbers, size),
        )
    change = {"sign scramble": _sign_scrambled, "zero shuffle": _zero_shuffled}.get(name)
    if change is None:
        raise SettingsError(f"control {name!r} is unknown; wanted {_NAMES}")
    if site_dim % 2 == 0:
        raise SettingsError(
            f"control {name!r} needs spins with a state 0; a site has {site_dim} states, of "
            "half-integer spin: use block flip L"
        )
    return _Control(columns=lambda sites: sites, change=change)


def _sign_scrambled(spins: Spins, site_dim: int, numbers: FloatArray) -> Spins:
    return _flipped(spins, site_dim, numbers < 0.5)


def _block_flipped(spins: Spins, site_dim: int, numbers: FloatArray, size: int) -> Spins:
    turned = np.repeat(numbers < 0.5, size, axis=1)[:, : spins.shape[1]]
    return _flipped(spins, site_dim, turned)


def _zero_shuffled(spins: Spins, site_dim: int, numbers: FloatArray) -> Spins:
    real = spins < site_dim
    zero = spins == site_dim // 2
    # Sites without a reading come last, where no zero goes.
    places = np.argsort(np.where(real, numbers, 2.0), axis=1, kind="stable")
    chosen = np.arange(spins.shape[1]) < zero.sum(axis=1, keepdims=True)
    moved = np.zeros_like(zero)
    np.put_along_axis(moved, places, chosen, axis=1)
    result = np.where(moved, np.uint8(site_dim // 2), spins)
    # Row by row both masks have the same number of sites, in their order.
    result[real & ~moved] = spins[real & ~zero]
    return result


def _flipped(spins: Spins, site_dim: int, turned: NDArray[np.bool_]) -> Spins:
    last = np.uint8(site_dim - 1)
    return np.where(turned & (spins < site_dim), last - spins, spins)
