"""Where the arrays of sampling live."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from phasenet.errors import SettingsError
from phasenet.trains.train import Array


class Place(Protocol):
    """Where arrays live, and in what precision.

    ``bytes`` is what the numbers of one batch at one site should fit in: the cache of a processor,
    or a part of the memory of a GPU.
    """

    @property
    def bytes(self) -> int:
        """Size that a batch is chosen for."""

    def put(self, array: Array) -> Any:
        """Return the array there; floating numbers in the precision of the place."""

    def get(self, array: Any) -> Array:
        """Return an array from there."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Numpy arrays.

    Parameters
    ----------
    precision
        ``float64`` or ``float32``.
    bytes
        As in :class:`Place`.

    >>> Memory(precision="float32").put(np.ones(2)).dtype
    dtype('float32')
    """

    precision: str = "float64"
    bytes: int = 1 << 21

    def __post_init__(self) -> None:
        if self.precision not in ("float32", "float64"):
            raise SettingsError(f"precision is {self.precision!r}; wanted float32 or float64")

    def put(self, array: Array) -> Array:
        """Return the array, floating numbers in the precision of the place."""
        return array.astype(self.precision, copy=False) if array.dtype.kind == "f" else array

    def get(self, array: Any) -> Array:
        """Return the array."""
        return np.asarray(array)


IN_MEMORY = Memory()
