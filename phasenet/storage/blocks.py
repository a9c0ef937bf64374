"""Cores without the entries that their charges forbid.

A core conserves a charge if charge(left) + charge(local state) = charge(right) wherever it is not
zero; of a large state, that leaves a fifth of its entries.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from phasenet.errors import FileKindError
from phasenet.trains.train import Array, IntArray

_PARITY = "parity_Sz"
_MAGNETISATION = "2*Sz"


def local_charges(name: str, dim: int) -> IntArray:
    """Charge of each local state, highest weight first; empty for a charge of another name.

    Parameters
    ----------
    name
        ``2*Sz``, or ``parity_Sz``: how often the lowest weight was raised, modulo 2.
    dim
        Number of local states.

    >>> local_charges("2*Sz", 3).tolist(), local_charges("parity_Sz", 3).tolist()
    ([2, 0, -2], [0, 1, 0])
    """
    raised = np.arange(dim - 1, -1, -1, dtype=np.int64)
    if name == _MAGNETISATION:
        return 2 * raised - (dim - 1)
    return raised % 2 if name == _PARITY else np.zeros(0, dtype=np.int64)


def modulus(name: str) -> int:
    """Modulus of a charge, 0 for integers.

    >>> modulus("2*Sz"), modulus("parity_Sz")
    (0, 2)
    """
    return 2 if name == _PARITY else 0


def allowed_entries(
    cores: Sequence[Array], bonds: Sequence[IntArray], local: IntArray, mod: int
) -> Array | None:
    """Entries of all cores that the charges allow, core after core, each in C order.

    Parameters
    ----------
    cores
        Arrays (left, site, right) of one dtype.
    bonds
        Charges of the bond left of each core and, last, right of the last one.
    local
        Charge of each local state.
    mod
        Modulus of the charge, 0 for integers.

    Returns
    -------
    Flat array; None where the charges do not fit the cores, or a core is not zero elsewhere, not
    even the sign of a zero.

    >>> core = np.array([[[0.0, 0.5], [0.2, 0.0]]])
    >>> allowed_entries([core], [np.array([0]), np.array([-1, 1])], np.array([1, -1]), 0).tolist()
    [0.5, 0.2]
    """
    shapes = [core.shape for core in cores]
    if not _fit(shapes, [len(bond) for bond in bonds], len(local)):
        return None
    parts = []
    for core, (left, right) in zip(cores, pairwise(bonds), strict=True):
        part = core[_allowed(left, right, local, mod)]
        if np.count_nonzero(_words(core)) != np.count_nonzero(_words(part)):
            return None
        parts.append(part)
    return np.concatenate(parts)


def cores_of(
    entries: Array, bonds: Sequence[IntArray], local: IntArray, mod: int
) -> tuple[Array, ...]:
    """Cores from the entries that their charges allow; the way back from :func:`allowed_entries`.

    Raises
    ------
    FileKindError
        There are more or fewer entries than the charges allow.

    >>> charges = [np.array([0]), np.array([-1, 1])]
    >>> cores_of(np.array([0.5, 0.2]), charges, np.array([1, -1]), 0)[0].tolist()
    [[[0.0, 0.5], [0.2, 0.0]]]
    """
    masks = [_allowed(left, right, local, mod) for left, right in pairwise(bonds)]
    counts = [int(np.count_nonzero(mask)) for mask in masks]
    if entries.ndim != 1 or sum(counts) != entries.size:
        raise FileKindError(
            f"dataset entries has {entries.size} numbers; its charges allow {sum(counts)}"
        )
    # One array for all cores: large ones cost more to get from the system than to fill.
    room = np.zeros(sum(mask.size for mask in masks), dtype=entries.dtype)
    cores, start, done = [], 0, 0
    for mask, count in zip(masks, counts, strict=True):
        core = room[start : start + mask.size].reshape(mask.shape)
        core[mask] = entries[done : done + count]
        cores.append(core)
        start, done = start + mask.size, done + count
    return tuple(cores)


def _allowed(left: IntArray, right: IntArray, local: IntArray, mod: int) -> Array:
    """Where a core may differ from zero, booleans of its shape."""
    reached, target = left[:, None] + local, right
    if mod:
        reached, target = reached % mod, right % mod
    mask: Array = np.equal(reached[:, :, None], target)
    return mask


def _fit(shapes: Sequence[tuple[int, ...]], bonds: Sequence[int], dim: int) -> bool:
    """Whether there is a charge for every index of every core."""
    ends = [shape[0] for shape in shapes] + [shapes[-1][2]]
    return ends == list(bonds) and all(shape[1] == dim for shape in shapes)


def _words(array: Array) -> Array:
    # As bits, because -0.0 == 0.0.
    return np.ascontiguousarray(array).reshape(-1).view(np.uint32)
