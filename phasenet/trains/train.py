"""Finite tensor trains and the conventions of the whole package.

- Core ``i`` has axes (left bond, site, right bond); bond ``i`` lies between sites ``i`` and
  ``i + 1``.
- The local basis starts at the highest weight: spin-1 is (+1, 0, -1), spin-1/2 is (up, down).
- A vector-valued train carries its outputs as a fourth axis of one core.
- ``log_scale`` is a separate factor ``exp(log_scale)``, so that no product of 200 norms is formed.
- String orders are quoted as -O (AKLT: +4/9), with O as in :mod:`phasenet.phases.strings`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import ShapeError

Array = NDArray[Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class TensorTrain:
    """Function of ``length`` local states, stored as one core per site.

    Parameters
    ----------
    cores
        Arrays of shape (left, site, right); the first left and the last right bond are 1.
    output_site
        Site whose core has the fourth axis (output); None for a scalar function.
    log_scale
        Natural logarithm of a positive factor in front of the product of the cores.

    >>> parity = TensorTrain(cores=(np.array([[[1.0], [-1.0]]]),) * 3)
    >>> parity(np.array([[0, 1, 1], [0, 0, 1]])).tolist()
    [1.0, -1.0]
    """

    cores: tuple[Array, ...]
    output_site: int | None = None
    log_scale: float = 0.0

    def __post_init__(self) -> None:
        check_cores(self.cores, self.output_site)
        first, last = self.cores[0].shape[0], self.cores[-1].shape[2]
        if first != 1 or last != 1:
            raise ShapeError(f"the outer bonds of a train are {first} and {last}; both must be 1")

    @property
    def length(self) -> int:
        """Number of sites."""
        return len(self.cores)

    @property
    def site_dims(self) -> tuple[int, ...]:
        """Local dimension of each site."""
        return tuple(core.shape[1] for core in self.cores)

    @property
    def bond_dims(self) -> tuple[int, ...]:
        """Dimension of each inner bond, ``length - 1`` numbers."""
        return tuple(core.shape[2] for core in self.cores[:-1])

    @property
    def outputs(self) -> int | None:
        """Number of outputs, or None for a scalar function."""
        return None if self.output_site is None else int(self.cores[self.output_site].shape[3])

    def __call__(self, configurations: Array) -> Array:
        """Values at a batch of configurations.

        Parameters
        ----------
        configurations
            Integers of shape (shots, length).

        Returns
        -------
        Array of shape (shots,), or (shots, outputs) for a vector-valued train.
        """
        values, log_magnitude = self.log_values(configurations)
        scale = np.exp(log_magnitude)
        return values * (scale if self.output_site is None else scale[:, None])

    def log_values(self, configurations: Array) -> tuple[Array, FloatArray]:
        """Values as ``(v, l)`` with ``f = v * exp(l)``, safe for chains of any length.

        ``v`` has shape (shots,) or (shots, outputs) and magnitude of order one (or zero);
        ``l`` has shape (shots,).
        """
        configurations = check_configurations(configurations, self.site_dims)
        shots = len(configurations)
        rows = np.ones((shots, 1, 1), dtype=self.cores[0].dtype)
        logs = np.full(shots, self.log_scale)
        for site, core in enumerate(self.cores):
            rows = _step(rows, core, configurations[:, site])
            size = np.abs(rows).max(axis=(1, 2), initial=0.0)
            size[size == 0.0] = 1.0
            rows /= size[:, None, None]
            logs += np.log(size)
        values = rows[:, :, 0]
        return (values[:, 0] if self.output_site is None else values), logs


def _step(rows: Array, core: Array, states: IntArray) -> Array:
    """Multiply (shots, output, left) by the slice of the core that belongs to each shot's state."""
    shots, outputs, _ = rows.shape
    if core.ndim == 4:
        outputs = core.shape[3]
    result = np.empty((shots, outputs, core.shape[2]), dtype=np.result_type(rows, core))
    for state in range(core.shape[1]):
        chosen = np.flatnonzero(states == state)
        matrix = core[:, state]
        if core.ndim == 4:
            product = np.tensordot(rows[chosen, 0], matrix, axes=(1, 0)).transpose(0, 2, 1)
        else:
            product = rows[chosen] @ matrix
        result[chosen] = product
    return result


def check_cores(cores: Sequence[Array], output_site: int | None = None) -> None:
    """Raise ShapeError unless the cores fit together."""
    if len(cores) == 0:
        raise ShapeError("a train needs at least one core, got none")
    for site, core in enumerate(cores):
        wanted = 4 if site == output_site else 3
        if core.ndim != wanted:
            raise ShapeError(f"core {site} has {core.ndim} axes; wanted {wanted}")
    for site, (core, after) in enumerate(pairwise(cores)):
        if core.shape[2] != after.shape[0]:
            raise ShapeError(
                f"core {site} ends in bond {core.shape[2]}, "
                f"but core {site + 1} starts with {after.shape[0]}"
            )
    if output_site is not None and not 0 <= output_site < len(cores):
        raise ShapeError(f"output_site is {output_site}; the train has {len(cores)} sites")


def check_configurations(configurations: Array, site_dims: Sequence[int]) -> Array:
    """Configurations as an integer array (shots, length), or ShapeError."""
    configurations = np.asarray(configurations)
    length = len(site_dims)
    if configurations.ndim != 2 or configurations.shape[1] != length:
        raise ShapeError(
            f"configurations have shape {configurations.shape}; wanted (shots, {length})"
        )
    if not np.issubdtype(configurations.dtype, np.integer):
        raise ShapeError(f"configurations are {configurations.dtype}; wanted integers")
    if configurations.size and (
        configurations.min() < 0 or np.any(configurations.max(axis=0) >= np.asarray(site_dims))
    ):
        raise ShapeError(f"configurations name local states outside 0 .. {max(site_dims) - 1}")
    return configurations
