"""Charges that the bonds of a train turn out to carry, found from its zeros alone.

A local state s of d carries the charge d - 1 - 2s, twice its S^z; where that is not conserved, the
same modulo 4 (the parity of S^z) is tried, and then nothing. Whatever is found is exact: entries
that would break it are zero.
"""

from collections.abc import Sequence

import numpy as np

from phasenet.trains.blocks import BlockCore, Groups, Key, block_core
from phasenet.trains.train import Array, IntArray

# What rounding leaves of an entry that a conserved charge forbids.
_ZERO_TOL = 1e-14
# 0: integers; 1: no charge at all.
_MODULI = (0, 4, 1)


def bond_charges(cores: Sequence[Array], *, infinite: bool) -> tuple[tuple[IntArray, ...], int]:
    """Charge of each index of all bonds, and the modulus that charges are equal by.

    Parameters
    ----------
    cores
        Axes (left, site, right), of an open chain or of one cell.
    infinite
        Whether the last bond is the first one again, up to a charge that the cell carries.

    Returns
    -------
    Charges left of each core and, last, right of the last one, in units of S^z = 1/2, those of a
    chain from 0 on; modulus 0 for integers, 1 for no charge (all are 0).

    >>> neel = [np.eye(2)[k].reshape(1, 2, 1) for k in (0, 1)]
    >>> [bond.tolist() for bond in bond_charges(neel, infinite=False)[0]]
    [[0], [1], [0]]
    """
    masks = [np.abs(core) > _ZERO_TOL * np.abs(core).max() for core in cores]
    for modulus in _MODULI:
        found = _propagated(masks, modulus, infinite=infinite)
        if found is not None:
            return found, modulus
    raise AssertionError("bonds without a charge always fit")


def site_charges(site_dim: int, modulus: int) -> IntArray:
    """Charge of each local state.

    >>> site_charges(3, 0).tolist(), site_charges(2, 1).tolist()
    ([2, 0, -2], [0, 0])
    """
    return _reduced(site_dim - 1 - 2 * np.arange(site_dim), modulus)


def graded_cores(
    cores: Sequence[Array], charges: Sequence[IntArray], modulus: int, *, infinite: bool
) -> tuple[BlockCore, ...]:
    """Cores in the blocks of :func:`bond_charges`.

    The last bond of a cell has the groups of the first one, in the same order.

    >>> up = np.eye(2)[0].reshape(1, 2, 1)
    >>> found = graded_cores([up], *bond_charges([up], infinite=False), infinite=False)
    >>> print(list(found[0].blocks))
    [(0, 0)]
    """
    bonds = [groups_of(bond) for bond in charges]
    if infinite:
        shift = charges[-1][0] - charges[0][0]
        names = _reduced(np.asarray(bonds[0][1]) + shift, modulus).tolist()
        bonds[-1] = bonds[0][0], names
    result = []
    for core, (left, names), (right, others) in zip(cores, bonds, bonds[1:], strict=False):
        place = {charge: group for group, charge in enumerate(others)}
        steps: dict[Key, int] = {}
        for group, charge in enumerate(names):
            for state, change in enumerate(site_charges(core.shape[1], modulus)):
                target = int(_reduced(charge + change, modulus))
                if target in place:
                    steps[group, state] = place[target]
        result.append(block_core(core, left, right, steps))
    return tuple(result)


def groups_of(charges: IntArray) -> tuple[Groups, list[int]]:
    """Indices of a bond by charge, and the charges, rising.

    >>> groups, charges = groups_of(np.array([2, 0, 2]))
    >>> [group.tolist() for group in groups], charges
    ([[1], [0, 2]], [0, 2])
    """
    names, places = np.unique(charges, return_inverse=True)
    return tuple(np.flatnonzero(places == k) for k in range(len(names))), names.tolist()


def _reduced(charges: IntArray, modulus: int) -> IntArray:
    return np.asarray(charges % modulus if modulus else charges, dtype=np.int64)


def _propagated(
    masks: Sequence[Array], modulus: int, *, infinite: bool
) -> tuple[IntArray, ...] | None:
    """Charges that all non-zero entries agree with, or None."""
    bonds = [mask.shape[0] for mask in masks] + [masks[-1].shape[2]]
    charges = [np.zeros(bond, dtype=np.int64) for bond in bonds]
    known = [np.zeros(bond, dtype=bool) for bond in bonds]
    shift: int | None = None
    while not all(k.all() for k in (known[:-1] if infinite else known[:1])):
        # What hangs together with nothing so far starts at charge 0.
        known[0][np.argmin(known[0])] = True
        grown = -1
        while grown != (grown := sum(int(k.sum()) for k in known)):
            for site, mask in enumerate(masks):
                _spread(mask, charges, known, site, modulus)
            for site in reversed(range(len(masks))):
                _spread_back(masks[site], charges, known, site, modulus)
            if infinite:
                shift = _closed(charges, known, shift)
        if not infinite:
            break
        if known[0].all():
            for bond in range(1, len(bonds) - 1):
                known[bond][:] = True
    charges = [_reduced(bond, modulus) for bond in charges]
    if infinite and np.any(_reduced(charges[-1] - charges[0] - (shift or 0), modulus)):
        return None
    return tuple(charges) if _agree(masks, charges, modulus) else None


def _spread(
    mask: Array, charges: list[IntArray], known: list[Array], site: int, modulus: int
) -> None:
    """Charges right of a core from those left of it."""
    for state, change in enumerate(site_charges(mask.shape[1], modulus)):
        rows, columns = np.nonzero(mask[:, state] & known[site][:, None])
        new = ~known[site + 1][columns]
        charges[site + 1][columns[new]] = charges[site][rows[new]] + change
        known[site + 1][columns[new]] = True


def _spread_back(
    mask: Array, charges: list[IntArray], known: list[Array], site: int, modulus: int
) -> None:
    for state, change in enumerate(site_charges(mask.shape[1], modulus)):
        rows, columns = np.nonzero(mask[:, state] & known[site + 1][None, :])
        new = ~known[site][rows]
        charges[site][rows[new]] = charges[site + 1][columns[new]] - change
        known[site][rows[new]] = True


def _closed(charges: list[IntArray], known: list[Array], shift: int | None) -> int | None:
    """Carry charges over the end of the cell; return the charge of the cell, once it is known."""
    both = known[0] & known[-1]
    if shift is None:
        if not both.any():
            return None
        shift = int((charges[-1] - charges[0])[both][0])
    for here, there, sign in ((0, -1, 1), (-1, 0, -1)):
        new = known[here] & ~known[there]
        charges[there][new] = charges[here][new] + sign * shift
        known[there][new] = True
    return shift


def _agree(masks: Sequence[Array], charges: Sequence[IntArray], modulus: int) -> bool:
    for mask, before, after in zip(masks, charges, charges[1:], strict=False):
        for state, change in enumerate(site_charges(mask.shape[1], modulus)):
            rows, columns = np.nonzero(mask[:, state])
            if np.any(_reduced(after[columns] - before[rows] - change, modulus)):
                return False
    return True
