r"""Numbers on a grid, written in bits, so that a train resolves :math:`2^b` points with b sites.

Khoromskij, Constr. Approx. 34, 257 (2011). The most significant bit of a variable comes first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.train import Array, FloatArray, IntArray

_MOST_BITS = 62
_ORDERS = ("interleaved", "sequential")
_POINTS = ("lower", "upper", "centre", "both")


@dataclass(frozen=True, kw_only=True)
class BitLayout:
    """Which bit of which variable each site of a train holds.

    Parameters
    ----------
    bits
        Bits of each variable.
    order
        "interleaved": the first bit of each variable, then the second of each, and so on (a
        variable that has run out is skipped); "sequential": one variable after the other.

    >>> layout = BitLayout(bits=(2, 2), order="interleaved")
    >>> layout.to_bits(np.array([[2, 1]])).tolist()
    [[1, 0, 0, 1]]
    >>> layout.to_numbers(np.array([[1, 0, 0, 1]])).tolist()
    [[2, 1]]
    """

    bits: tuple[int, ...]
    order: Literal["interleaved", "sequential"] = "interleaved"

    def __post_init__(self) -> None:
        if not self.bits or min(self.bits) < 1 or max(self.bits) > _MOST_BITS:
            raise SettingsError(
                f"bits are {self.bits}; wanted 1 to {_MOST_BITS} for each of at least one variable"
            )
        if self.order not in _ORDERS:
            raise SettingsError(f"order is {self.order!r}; wanted one of {', '.join(_ORDERS)}")

    @property
    def length(self) -> int:
        """Number of sites."""
        return sum(self.bits)

    @property
    def site_dims(self) -> tuple[int, ...]:
        """Local dimension of each site: 2."""
        return (2,) * self.length

    @property
    def sites(self) -> tuple[tuple[int, int], ...]:
        """For each site its variable, and the power of two that its bit stands for."""
        pairs = [
            (variable, power)
            for variable, count in enumerate(self.bits)
            for power in range(count - 1, -1, -1)
        ]
        if self.order == "interleaved":
            pairs.sort(key=lambda pair: (self.bits[pair[0]] - pair[1], pair[0]))
        return tuple(pairs)

    def to_bits(self, numbers: Array) -> IntArray:
        """Bits of integers of shape (shots, variables), shape (shots, length)."""
        numbers = _integers(numbers, len(self.bits), "numbers")
        limits = 2 ** np.array(self.bits, dtype=np.int64)
        if np.any(numbers < 0) or np.any(numbers >= limits):
            raise SettingsError(f"a number is outside 0 .. {(limits - 1).tolist()}")
        variables, powers = np.array(self.sites).T
        return np.asarray((numbers[:, variables] >> powers) & 1, dtype=np.int64)

    def to_numbers(self, bits: Array) -> IntArray:
        """Integers of shape (shots, variables) that bits of shape (shots, length) stand for."""
        bits = _integers(bits, self.length, "bits")
        if np.any((bits != 0) & (bits != 1)):
            raise SettingsError("a bit is neither 0 nor 1")
        variables, powers = np.array(self.sites).T
        weights = np.zeros((self.length, len(self.bits)), dtype=np.int64)
        weights[np.arange(self.length), variables] = np.int64(1) << powers
        return np.asarray(bits @ weights)


@dataclass(frozen=True, kw_only=True)
class QuanticsGrid:
    r"""Grid of :math:`2^b` equidistant points per variable, addressed by bits.

    Parameters
    ----------
    layout
        Bits of each variable and their order.
    lower, upper
        Ends of the interval of each variable.
    points
        Where the points lie in the :math:`2^b` cells of an interval: at the "lower" end of each,
        the "upper" end or the "centre"; or "both" for points from one end of the interval to the
        other, both included.

    >>> grid = QuanticsGrid(layout=BitLayout(bits=(2,)), lower=(0.0,), upper=(1.0,))
    >>> grid.coordinates(np.array([[0, 0], [1, 1]])).tolist()
    [[0.0], [0.75]]
    """

    layout: BitLayout
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    points: Literal["lower", "upper", "centre", "both"] = "lower"

    def __post_init__(self) -> None:
        count = len(self.layout.bits)
        if len(self.lower) != count or len(self.upper) != count:
            raise ShapeError(
                f"{len(self.lower)} lower and {len(self.upper)} upper ends for {count} variables"
            )
        wide = np.isfinite(self.lower) & np.isfinite(self.upper) & np.less(self.lower, self.upper)
        if not np.all(wide):
            raise SettingsError(
                f"the intervals go from {self.lower} to {self.upper}; each must be finite and rise"
            )
        if self.points not in _POINTS:
            raise SettingsError(f"points is {self.points!r}; wanted one of {', '.join(_POINTS)}")

    @property
    def spacing(self) -> FloatArray:
        """Distance of neighbouring points, for each variable."""
        cells = 2.0 ** np.array(self.layout.bits) - (self.points == "both")
        return np.asarray(np.subtract(self.upper, self.lower) / cells)

    def coordinates(self, bits: Array) -> FloatArray:
        """Points of shape (shots, variables) at bits of shape (shots, length)."""
        numbers = self.layout.to_numbers(bits)
        return np.asarray(self._first + numbers * self.spacing)

    def nearest_bits(self, coordinates: Array) -> IntArray:
        """Bits (shots, length) of the grid points nearest to points of shape (shots, variables)."""
        coordinates = np.asarray(coordinates, dtype=np.float64)
        if coordinates.ndim != 2 or coordinates.shape[1] != len(self.lower):
            raise ShapeError(
                f"coordinates have shape {coordinates.shape}; wanted (shots, {len(self.lower)})"
            )
        steps = np.rint((coordinates - self._first) / self.spacing)
        largest = 2 ** np.array(self.layout.bits, dtype=np.int64) - 1
        # Compared as integers: the largest number itself has no exact float from 54 bits on.
        numbers = np.clip(steps, 0.0, 2.0**_MOST_BITS).astype(np.int64)
        return self.layout.to_bits(np.minimum(numbers, largest))

    def function(self, of_points: Callable[[FloatArray], Array]) -> Callable[[Array], Array]:
        """Function of bits, made from one of points: what a tensorizer takes.

        >>> grid = QuanticsGrid(layout=BitLayout(bits=(2,)), lower=(0.0,), upper=(1.0,))
        >>> grid.function(lambda x: x[:, 0] ** 2)(np.array([[1, 0]])).tolist()
        [0.25]
        """
        return lambda bits: of_points(self.coordinates(bits))

    @property
    def _first(self) -> FloatArray:
        """Coordinates of the first point."""
        shift = {"upper": 1.0, "centre": 0.5}.get(self.points, 0.0)
        return np.asarray(self.lower + shift * self.spacing)


def _integers(values: Array, columns: int, name: str) -> IntArray:
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != columns:
        raise ShapeError(f"{name} have shape {values.shape}; wanted (shots, {columns})")
    if not np.issubdtype(values.dtype, np.integer):
        raise ShapeError(f"{name} are {values.dtype}; wanted integers")
    return values.astype(np.int64, copy=False)
