"""Cores of a state, turned into a product basis and cut into the matrices that shots meet."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.snapshots.bases import Basis
from phasenet.trains.blocks import BlockCore, Groups
from phasenet.trains.form import StateForm
from phasenet.trains.train import Array

_MOST_SITES = 8

Steps = Mapping[int, tuple[int, Array]]
"""For each outcome of a site the group that follows and the matrix between the groups."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Matrix:
    """Map of rows, which have one part if they are real, and a real and an imaginary one if not.

    Parameters
    ----------
    array
        Of a real map, the matrix that each part is multiplied by; of a complex one A + iB, the
        blocks A and -B, one below the other.
    is_complex
        Whether it is complex.
    """

    array: Any
    is_complex: bool

    def columns(self, first: int, last: int) -> "Matrix":
        """Return the map to some columns."""
        return replace(self, array=self.array[:, first:last])

    def multiply(self, xp: Any, rows: Any, out: Any) -> None:
        """Write the images of rows of shape (rows, parts, bond) to an array of such a shape.

        What lies beyond the columns of the map stays as it is.
        """
        count, parts, width = rows.shape
        if self.is_complex:
            # With x + iy, the real part takes (x, y) and the imaginary one (y, -x).
            x, y = rows[:, 0], rows[:, 1]
            rows, width = xp.concat((x, y, y, -x), axis=1), 2 * width
        size, columns = self.array.shape
        given = xp.reshape(rows, (count * parts, width))[:, :size]
        target = xp.reshape(out, (count * parts, -1))[:, :columns]
        # Not part of the array API, but numpy and torch both have it, and it saves a copy.
        xp.matmul(given, self.array, out=target)


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedSite:
    """A site in the matrices that are met there, in one slot for each group or basis.

    Parameters
    ----------
    branches
        For each slot the matrices of all outcomes side by side, each filled up to ``width`` columns
        with zeros.
    sizes
        Columns of each of them without the filling, by ``slot * outcomes + outcome``; 0 where there
        is no matrix.
    after
        Group that follows, in the same order. A slot after the last one, where shots of probability
        zero are, leads to the group after the last one.
    width
        Size of the largest group on the right.
    """

    branches: tuple[Matrix, ...]
    sizes: tuple[int, ...]
    after: Any
    width: int

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.branches)

    def block(self, slot: int, outcome: int) -> Matrix | None:
        """Return the matrix of a slot and an outcome, if it is not zero."""
        size = self.sizes[slot * (len(self.sizes) // self.slots) + outcome]
        first = outcome * self.width
        return self.branches[slot].columns(first, first + size) if size else None

    def at(self, put: Callable[[Array], Any]) -> "PreparedSite":
        """Return the site with its arrays somewhere else."""
        moved = tuple(replace(m, array=put(m.array)) for m in self.branches)
        return replace(self, branches=moved, after=put(self.after))


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A stretch of a state in a product basis.

    Parameters
    ----------
    sites
        Its sites.
    groups
        Indices of the bond on its left in each group.
    parts
        Parts of a row: 1 if all matrices are real, 2 if not.
    """

    sites: tuple[PreparedSite, ...]
    groups: Groups
    parts: int

    @property
    def width(self) -> int:
        """Size of the largest of these groups."""
        return max(map(len, self.groups))

    def rescaled_every(self, precision: Any) -> int:
        """Return how many sites a row goes through before it may leave a floating-point range."""
        sizes = [np.abs(m.array[m.array != 0.0]) for s in self.sites for m in s.branches]
        smallest = min(float(size.min()) for size in sizes if size.size)
        if smallest >= 1.0:
            return _MOST_SITES
        room = np.log(float(precision.tiny)) - np.log(float(precision.eps))
        return int(np.clip(room // np.log(smallest), 1, _MOST_SITES))


def prepared_sites(form: StateForm, basis: Basis, start: int, sites: int | None) -> Prepared:
    """Stretch of a state, ready to be measured.

    Parameters
    ----------
    form
        The state.
    basis
        Its pattern starts at the first site.
    start, sites
        First site, and how many; by default all of an open chain from there on.

    >>> from phasenet.snapshots.bases import basis_of
    >>> from phasenet.trains.form import state_form
    >>> from phasenet.trains.train import TensorTrain
    >>> form = state_form(TensorTrain(cores=(np.ones((1, 2, 1)),) * 3))
    >>> len(prepared_sites(form, basis_of("Sy", 2), 1, None).sites)
    2
    """
    numbers = range(start, start + _checked_sites(form, start, sites))
    for site in numbers:
        dim = form.cores[site % form.length].shape[1]
        if dim != basis.site_dim:
            raise ShapeError(
                f"site {site} has {dim} local states; basis {basis.name} is for {basis.site_dim}: "
                "all sites of a measurement must be alike"
            )
    if basis.names == ("Sz",):
        blocks = [form.site(site) for site in numbers]
        slots = [_by_charge(block) for block in blocks]
        bonds = [blocks[0].left, *(block.right for block in blocks)]
    else:
        cores = [form.cores[site % form.length] for site in numbers]
        slots = _turned(cores, basis)
        bonds = [_whole(len(core)) for core in cores] + [_whole(cores[-1].shape[2])]
    is_complex = any(m.imag.any() for site in slots for slot in site for _, m in slot.values())
    parts = 2 if is_complex else 1
    found = (
        _site(steps, left, right, basis.site_dim)
        for steps, left, right in zip(slots, bonds, bonds[1:], strict=False)
    )
    return Prepared(sites=tuple(found), groups=bonds[0], parts=parts)


def _checked_sites(form: StateForm, start: int, sites: int | None) -> int:
    """Number of sites of a window that lies in the state."""
    if form.infinite:
        if sites is None or sites < 1:
            raise SettingsError(
                f"a window of an infinite state has {sites} sites; say how many, at least 1"
            )
        return sites
    count = form.length - start if sites is None else sites
    if start < 0 or count < 1 or start + count > form.length:
        raise SettingsError(
            f"a window of {count} sites from site {start} on does not lie in a chain of "
            f"{form.length} sites"
        )
    return count


def _whole(size: int) -> Groups:
    return (np.arange(size),)


def _by_charge(block: BlockCore) -> list[dict[int, tuple[int, Array]]]:
    slots: list[dict[int, tuple[int, Array]]] = [{} for _ in block.left]
    for (group, state), step in block.blocks.items():
        slots[group][state] = step
    return slots


def _turned(cores: Sequence[Array], basis: Basis) -> list[list[dict[int, tuple[int, Array]]]]:
    """Steps of each site and slot: of one basis, or of all that may be drawn."""
    count = len(cores)
    chosen: list[Sequence[int]] = (
        [range(len(basis.names))] * count
        if basis.drawn
        else [(int(index),) for index in basis.indices(count)]
    )
    return [
        [
            {
                outcome: (0, matrix)
                for outcome, matrix in enumerate(
                    np.tensordot(basis.vectors[index], core, axes=(1, 1))
                )
            }
            for index in indices
        ]
        for core, indices in zip(cores, chosen, strict=True)
    ]


def _site(slots: Sequence[Steps], left: Groups, right: Groups, dim: int) -> PreparedSite:
    rows, width = max(map(len, left)), max(map(len, right))
    after = np.full((len(slots) + 1, dim), len(right), dtype=np.int16)
    sizes = np.zeros((len(slots), dim), dtype=np.int64)
    branches = []
    for slot, steps in enumerate(slots):
        dtype = np.result_type(np.float64, *(matrix for _, matrix in steps.values()))
        wide = np.zeros((rows, dim, width), dtype=dtype)
        for outcome, (group, matrix) in steps.items():
            wide[: len(matrix), outcome, : matrix.shape[1]] = matrix
            after[slot, outcome], sizes[slot, outcome] = group, matrix.shape[1]
        size = len(left[slot]) if len(left) > 1 else rows
        branches.append(_matrix(wide.reshape(rows, dim * width), size))
    return PreparedSite(
        branches=tuple(branches),
        sizes=tuple(sizes.ravel().tolist()),
        after=after.ravel(),
        width=width,
    )


def _matrix(matrix: Array, size: int) -> Matrix:
    """Map of rows; those beyond ``size`` are zero."""
    if matrix.imag.any():
        return Matrix(array=np.concatenate((matrix.real, -matrix.imag)), is_complex=True)
    return Matrix(array=np.ascontiguousarray(matrix.real[:size]), is_complex=False)
