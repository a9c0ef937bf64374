"""Infinite, translation-invariant trains."""

from dataclasses import dataclass

from phasenet.errors import ShapeError
from phasenet.trains.train import Array, FloatArray, check_cores


@dataclass(frozen=True, kw_only=True, eq=False)
class InfiniteTrain:
    """Infinite matrix product state with a repeating cell, in right-canonical form.

    Parameters
    ----------
    cores
        Right-canonical cores of one cell, axes (left, site, right):
        ``sum_{s,r} B[l,s,r] conj(B[k,s,r]) = delta_{lk}``.
    schmidt_values
        For each core, the Schmidt values on the bond to its left, descending or not, with
        squares that sum to 1.
    """

    cores: tuple[Array, ...]
    schmidt_values: tuple[FloatArray, ...]

    def __post_init__(self) -> None:
        check_cores(self.cores)
        first, last = self.cores[0].shape[0], self.cores[-1].shape[2]
        if first != last:
            raise ShapeError(
                f"the cell starts with bond {first} and ends in {last}; they must agree"
            )
        if len(self.schmidt_values) != len(self.cores):
            raise ShapeError(
                f"{len(self.schmidt_values)} sets of Schmidt values for {len(self.cores)} cores"
            )
        for site, (core, values) in enumerate(zip(self.cores, self.schmidt_values, strict=True)):
            if len(values) != core.shape[0]:
                raise ShapeError(
                    f"core {site} starts with bond {core.shape[0]}, "
                    f"but has {len(values)} Schmidt values"
                )

    @property
    def cell(self) -> int:
        """Number of sites that repeat."""
        return len(self.cores)

    @property
    def site_dims(self) -> tuple[int, ...]:
        """Local dimension of each site of the cell."""
        return tuple(core.shape[1] for core in self.cores)

    @property
    def bond_dims(self) -> tuple[int, ...]:
        """Dimension of the bond to the left of each site of the cell."""
        return tuple(core.shape[0] for core in self.cores)
