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

Entries = tuple[IntArray, IntArray, IntArray, int]


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
    bonds = [core.shape[0] for core in cores] + [cores[-1].shape[2]]
    entries = [_entries(core, _ZERO_TOL) for core in cores]
    for modulus in _MODULI:
        found = _propagated(entries, bonds, modulus, infinite=infinite)
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
        changes = site_charges(core.shape[1], modulus).tolist()
        for group, charge in enumerate(names):
            for state, change in enumerate(changes):
                target = (charge + change) % modulus if modulus else charge + change
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


def kept_indices(cores: Sequence[Array], *, infinite: bool) -> tuple[IntArray, ...]:
    """Indices of all bonds that something leads to and from; those of a dead bond are left out.

    Parameters
    ----------
    cores
        Axes (left, site, right), of an open chain or of one cell.
    infinite
        Whether the last bond is the first one again.

    >>> dead = np.array([[[1.0, 0.0]], [[0.0, 0.0]]])
    >>> print([kept.tolist() for kept in kept_indices([dead], infinite=True)])
    [[0], [0]]
    """
    bonds = [core.shape[0] for core in cores] + [cores[-1].shape[2]]
    alive = [np.ones(bond, dtype=bool) for bond in bonds]
    joined = [np.any(core != 0.0, axis=1) for core in cores]
    left = -1
    while left != (left := sum(int(bond.sum()) for bond in alive)):
        for site, pairs in enumerate(joined):
            alive[site + 1] &= pairs[alive[site]].any(axis=0)
        for site in reversed(range(len(joined))):
            alive[site] &= joined[site][:, alive[site + 1]].any(axis=1)
        if infinite:
            alive[0] = alive[-1] = alive[0] & alive[-1]
    return tuple(np.flatnonzero(bond) for bond in alive)


def _entries(core: Array, tol: float) -> Entries:
    """Axes of the entries that are not zero, and the local dimension."""
    sizes = np.abs(core)
    rows, states, columns = np.nonzero(sizes > tol * sizes.max(initial=0.0))
    return rows, states, columns, core.shape[1]


def _reduced(charges: IntArray, modulus: int) -> IntArray:
    return np.asarray(charges % modulus if modulus else charges, dtype=np.int64)


def _propagated(
    entries: Sequence[Entries], bonds: Sequence[int], modulus: int, *, infinite: bool
) -> tuple[IntArray, ...] | None:
    """Charges that all non-zero entries agree with, or None.

    Each index has a charge and counts the ends of the cell that it is away from where the charge is
    known: the charge of the cell is not, before some index has been reached in two ways.
    """
    charges = [np.zeros((bond, 2), dtype=np.int64) for bond in bonds]
    known = [np.zeros(bond, dtype=bool) for bond in bonds]
    shift: int | None = None
    while not all(k.all() for k in (known[:-1] if infinite else known[:1])):
        # What hangs together with nothing so far starts at charge 0.
        known[0][np.argmin(known[0])] = True
        grown = -1
        while grown != (grown := sum(int(k.sum()) for k in known)):
            for site, found in enumerate(entries):
                _spread(found, charges, known, site, modulus)
            for site in reversed(range(len(entries))):
                _spread_back(entries[site], charges, known, site, modulus)
            if infinite:
                _carry(charges, known)
                shift = _cell_charge(entries, charges, known, modulus) if shift is None else shift
        if not infinite:
            break
        if known[0].all():
            for bond in range(1, len(bonds) - 1):
                known[bond][:] = True
    final = tuple(_reduced(bond[:, 0] + (shift or 0) * bond[:, 1], modulus) for bond in charges)
    if infinite and np.any(_reduced(final[-1] - final[0] - (shift or 0), modulus)):
        return None
    return final if _agree(entries, final, modulus) else None


def _spread(
    entries: Entries, charges: list[IntArray], known: list[Array], site: int, modulus: int
) -> None:
    """Charges right of a core from those left of it."""
    if known[site + 1].all():
        return
    rows, states, columns, dim = entries
    new = known[site][rows] & ~known[site + 1][columns]
    charges[site + 1][columns[new]] = charges[site][rows[new]]
    charges[site + 1][columns[new], 0] += site_charges(dim, modulus)[states[new]]
    known[site + 1][columns[new]] = True


def _spread_back(
    entries: Entries, charges: list[IntArray], known: list[Array], site: int, modulus: int
) -> None:
    if known[site].all():
        return
    rows, states, columns, dim = entries
    new = known[site + 1][columns] & ~known[site][rows]
    charges[site][rows[new]] = charges[site + 1][columns[new]]
    charges[site][rows[new], 0] -= site_charges(dim, modulus)[states[new]]
    known[site][rows[new]] = True


def _carry(charges: list[IntArray], known: list[Array]) -> None:
    """Carry charges over the end of the cell, which counts."""
    for here, there, count in ((0, -1, 1), (-1, 0, -1)):
        new = known[here] & ~known[there]
        charges[there][new] = charges[here][new] + np.array([0, count])
        known[there][new] = True


def _cell_charge(
    entries: Sequence[Entries], charges: list[IntArray], known: list[Array], modulus: int
) -> int | None:
    """Charge of the cell, from the first index that has been reached in two ways."""
    ends = known[-1] & known[0]
    pairs: list[IntArray] = [charges[-1][ends] - charges[0][ends] - np.array([0, 1])]
    for (rows, states, columns, dim), left, right, before, after in zip(
        entries, charges, charges[1:], known, known[1:], strict=False
    ):
        both = before[rows] & after[columns]
        step = right[columns[both]] - left[rows[both]]
        step[:, 0] -= site_charges(dim, modulus)[states[both]]
        pairs.append(step)
    for excess, count in np.concatenate(pairs):
        if count:
            return int(-excess // count)
    return None


def _agree(entries: Sequence[Entries], charges: Sequence[IntArray], modulus: int) -> bool:
    for (rows, states, columns, dim), before, after in zip(
        entries, charges, charges[1:], strict=False
    ):
        change = site_charges(dim, modulus)[states]
        if np.any(_reduced(after[columns] - before[rows] - change, modulus)):
            return False
    return True
