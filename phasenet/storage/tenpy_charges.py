"""Charges on the bonds of a state that TeNPy has saved."""

from collections.abc import Sequence

import h5py
import numpy as np

from phasenet.storage import tenpy_layout as layout
from phasenet.storage.blocks import allowed_entries, local_charges, modulus
from phasenet.trains.train import Array, IntArray


def bond_charges(
    tensors: Sequence[h5py.Group], cores: Sequence[Array]
) -> tuple[str, tuple[IntArray, ...]]:
    """Name of the one charge of spins, and the charges of all bonds as they are in the cores.

    Parameters
    ----------
    tensors
        TeNPy's saved tensors.
    cores
        What was made of them.

    Returns
    -------
    An empty name where spins conserve nothing, or several charges. Charges of the bond left of each
    core and, last, right of the last one; none where the cores do not obey them.
    """
    name = _charge_name(tensors[0])
    local = local_charges(name, cores[0].shape[1])
    if not local.size:
        return "", ()
    ends = [_charges(tensor, "vL") for tensor in tensors]
    # Counted inwards, as all others are.
    ends.append(-_charges(tensors[-1], "vR"))
    # A cell of an infinite state keeps its own charge as the total charge of its tensors.
    totals = [layout.numbers(layout.child(tensor, "total_charge")).item() for tensor in tensors]
    mod = modulus(name)
    bonds = [end + carried for end, carried in zip(ends, np.cumsum([0, *totals]), strict=True)]
    bonds = [bond % mod for bond in bonds] if mod else bonds
    dtype = np.result_type(*cores)
    as_one = [np.asarray(core, dtype=dtype) for core in cores]
    return name, tuple(bonds) if allowed_entries(as_one, bonds, local, mod) is not None else ()


def _charge_name(tensor: h5py.Group) -> str:
    """Name of the only charge, else an empty text."""
    names = [layout.text(name) for name in layout.items(_names(tensor))]
    return names[0] if len(names) == 1 else ""


def _names(tensor: h5py.Group) -> h5py.Group:
    names: h5py.Group = layout.child(layout.child(tensor, "chinfo"), "names")
    return names


def _charges(tensor: h5py.Group, label: str) -> IntArray:
    """Charge of each index of one leg."""
    labels = [layout.text(item) for item in layout.items(layout.child(tensor, "labels"))]
    leg = layout.items(layout.child(tensor, "legs"))[labels.index(label)]
    return layout.leg_charges(leg)[:, 0]
