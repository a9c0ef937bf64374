"""How TeNPy lays out its values in HDF5: lists, dictionaries, charge-blocked arrays.

TeNPy's own loader imports the modules and calls the functions that a file names. Here only numbers
and texts under fixed names are looked at, through links inside the file, so that nothing a file
says is ever executed. Whatever does not fit is a ValueError: only the caller knows the name of the
file. Written after ``tenpy.tools.hdf5_io`` and the ``save_hdf5`` of TeNPy's ``Array``
and ``LegCharge``.
"""

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from phasenet.trains.train import Array, IntArray


def kind(item: Any) -> str:
    """Type that TeNPy has noted beside a value, an empty text if none."""
    noted = item.attrs.get("type", "")
    return noted.decode() if isinstance(noted, bytes) else str(noted)


def child(group: h5py.Group, name: str) -> Any:
    """Entry of a group, which must lie in the same file."""
    if not is_inside(group, name):
        raise ValueError(f"{group.name} has no entry {name}")
    return group[name]


def is_inside(group: h5py.Group, name: str) -> bool:
    """Whether a group has this entry, by a hard link: all others could lead to other files."""
    return isinstance(group.get(name, getlink=True), h5py.HardLink)


def items(sequence: h5py.Group) -> list[Any]:
    """Entries of a saved list or tuple."""
    return [child(sequence, str(index)) for index in range(int(sequence.attrs["len"]))]


def entries(mapping: h5py.Group) -> Iterator[tuple[str, Any]]:
    """Names and values of a saved dictionary or of any other group.

    A dictionary with a key that is no text is saved as a list of keys and a list of values; such a
    key is replaced by its position.
    """
    if kind(mapping) == "dict":
        keys, values = items(child(mapping, "keys")), items(child(mapping, "values"))
        for index, (key, value) in enumerate(zip(keys, values, strict=True)):
            yield (text(key) if kind(key) == "str" else str(index)), value
    else:
        for name in mapping:
            if is_inside(mapping, name):
                yield name, child(mapping, name)


def text(item: Any) -> str:
    """Saved text."""
    if h5py.check_string_dtype(item.dtype) is None or item.shape != ():
        raise ValueError(f"{item.name} is no text")
    return str(item.asstr()[()])


def numbers(item: Any) -> Array:
    """Plain array; what h5py would have to interpret, or to find in another file, is refused."""
    if item.dtype.kind not in "biufc" or item.is_virtual or item.external:
        raise ValueError(f"{item.name} is no array of plain numbers")
    return np.asarray(item[()])


def dense(item: h5py.Group) -> Array:
    """Charge-blocked array as a plain one, of double precision, zero outside of the blocks."""
    starts = [_block_starts(leg) for leg in items(child(item, "legs"))]
    blocks = [numbers(block) for block in items(child(item, "blocks"))]
    corners = numbers(child(item, "block_inds")).reshape(len(blocks), len(starts))
    whole = np.zeros(
        [int(start[-1]) for start in starts], dtype=np.result_type(np.float64, *blocks)
    )
    for block, corner in zip(blocks, corners.tolist(), strict=True):
        pairs = list(zip(starts, corner, strict=True))
        if any(not 0 <= index < len(start) - 1 for start, index in pairs):
            raise ValueError(f"{item.name} places a block outside of its legs")
        place = tuple(slice(start[index], start[index + 1]) for start, index in pairs)
        if whole[place].shape != block.shape:
            raise ValueError(f"{item.name} has a block that does not fit its legs")
        whole[place] = block
    return whole


def leg_charges(leg: h5py.Group) -> IntArray:
    """Charges of each index of a leg, shape (index, charges), counted inwards."""
    if leg.attrs.get("format") == "flat":
        charges = numbers(child(leg, "charges"))
    else:
        stored = numbers(child(leg, "blockcharges" if "blockcharges" in leg else "charges"))
        charges = np.repeat(
            stored[:, 2:] if "blockcharges" in leg else stored, np.diff(_block_starts(leg)), axis=0
        )
    return charges.astype(np.int64) * int(leg.attrs["qconj"])


def _block_starts(leg: h5py.Group) -> IntArray:
    """First index of each charge block of a leg and, last, the dimension of the leg."""
    layout = leg.attrs.get("format")
    if layout == "blocks":
        starts = numbers(child(leg, "slices"))
    elif layout == "compact":
        bounds = numbers(child(leg, "blockcharges"))
        starts = np.append(bounds[:, 0], bounds[-1, 1])
    elif layout == "flat":
        # The blocks are not stored; in all that TeNPy computes they are the runs of equal charge.
        charges = numbers(child(leg, "charges"))
        steps = np.flatnonzero(np.any(np.diff(charges, axis=0) != 0, axis=1)) + 1
        starts = np.concatenate([[0], steps, [len(charges)]])
    else:
        raise ValueError(f"{leg.name} has the unknown layout {layout!r}")
    starts = starts.astype(np.int64)
    if starts.ndim != 1 or len(starts) < 2 or starts[0] != 0 or np.any(np.diff(starts) < 0):
        raise ValueError(f"{leg.name} has blocks out of order")
    return starts
