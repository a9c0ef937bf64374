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
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import ShapeError
from phasenet.trains.evaluation import (
    carried,
    extended,
    features,
    log_ranges,
    output_features,
    rescale,
    through_output,
)

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
        return self._valued(values, log_magnitude if values.ndim == 1 else log_magnitude[:, None])

    def log_values(self, configurations: Array) -> tuple[Array, FloatArray]:
        """Values as ``(v, l)`` with ``f = v * exp(l)``, safe for chains of any length.

        ``v`` has shape (shots,) or (shots, outputs) and magnitude of order one (or zero);
        ``l`` has shape (shots,).
        """
        states = check_configurations(configurations, self.site_dims)
        left, logs = self._carried_right(states, stop=self.output_site)
        if self.output_site is None:
            return left[:, 0], logs + self.log_scale
        site = self.output_site
        right, more = self._carried_left(states[:, site + 1 :])
        middle = through_output(left, self.cores[site], states[:, site])
        middle, logs = rescale(middle.reshape(len(left), -1), logs + more + self.log_scale)
        middle = middle.reshape(len(left), right.shape[1], -1)
        return rescale(np.matmul(right[:, None], middle)[:, 0], logs)

    def prefixes(self, states: Array) -> Array:
        """Features of the first sites, for :meth:`pairs`.

        Parameters
        ----------
        states
            Integers of shape (rows, sites) for the first sites, none to all of them.

        Returns
        -------
        Array of shape (rows, bond + 1), or (rows, outputs, bond + 1) where the output leg is among
        the sites; the last column is a log magnitude. At least double precision.
        """
        count = _site_count(states, self.length)
        states = check_configurations(states, self.site_dims[:count])
        site = self.output_site
        if site is None or site >= count:
            return features(*self._carried_right(states, stop=count))
        left, logs = self._carried_right(states, stop=site)
        wide = through_output(left, self.cores[site], states[:, site])
        return output_features(wide, logs, self.cores[site + 1 : count], states[:, site + 1 :])

    def suffixes(self, states: Array) -> Array:
        """Features of the last sites; as :meth:`prefixes`, from the other end."""
        count = _site_count(states, self.length)
        first = self.length - count
        states = check_configurations(states, self.site_dims[first:])
        site = self.output_site
        if site is None or site < first:
            return features(*self._carried_left(states))
        right, logs = self._carried_left(states[:, site - first + 1 :])
        core = self.cores[site].swapaxes(0, 2)
        wide = through_output(right, core, states[:, site - first])
        cores = [core.swapaxes(0, 2) for core in reversed(self.cores[first:site])]
        return output_features(wide, logs, cores, states[:, : site - first][:, ::-1])

    def extend_prefixes(self, features: Array, site: int, states: Array) -> Array:
        """Features of prefixes after one more site, whose states are given row by row.

        Parameters
        ----------
        features
            From :meth:`prefixes` of all sites before ``site``.
        site
            Site to go through.
        states
            Integers of shape (rows,).
        """
        return extended(features, self.cores[site], states)

    def extend_suffixes(self, features: Array, site: int, states: Array) -> Array:
        """Features of suffixes after one more site on their left; as :meth:`extend_prefixes`."""
        return extended(features, self.cores[site].swapaxes(0, 2), states)

    def pairs(self, left: Array, right: Array) -> Array:
        """Values at configurations joined from prefixes and suffixes, row by row.

        Parameters
        ----------
        left, right
            Rows of :meth:`prefixes` of the first k sites and of :meth:`suffixes` of the others.

        Returns
        -------
        Array of shape (rows,), or (rows, outputs), as calling the train gives.

        >>> parity = TensorTrain(cores=(np.array([[[1.0], [-1.0]]]),) * 3)
        >>> left = parity.prefixes(np.array([[0, 1], [1, 1]]))
        >>> parity.pairs(left, parity.suffixes(np.array([[1], [1]]))).tolist()
        [1.0, -1.0]
        """
        outputs = sum(side.ndim == 3 for side in (left, right))
        if (
            len(left) != len(right)
            or left.shape[-1] != right.shape[-1]
            or outputs != (self.output_site is not None)
        ):
            raise ShapeError(
                f"features have shapes {left.shape} and {right.shape}; wanted equal rows of one "
                "bond, the output leg in one of them if the train has one"
            )
        if outputs:
            left, right = (side if side.ndim == 3 else side[:, None] for side in (left, right))
        values = (left[..., :-1] * right[..., :-1]).sum(axis=-1)
        logs = (left[..., -1] + right[..., -1]).real + self.log_scale
        return self._valued(values, logs)

    @cached_property
    def _log_ranges(self) -> FloatArray:
        return log_ranges(self.cores)

    def _valued(self, values: Array, logs: FloatArray) -> Array:
        """Values times exp(logs) in the precision of the cores."""
        dtype = np.result_type(np.float32, *self.cores)
        # A zero has no magnitude, and the one left over from its other factors may overflow.
        return (values * np.exp(np.where(values == 0.0, 0.0, logs))).astype(dtype, copy=False)

    def _carried_right(self, states: Array, *, stop: int | None) -> tuple[Array, FloatArray]:
        """Product of the first cores, up to ``stop``, for the states of each row."""
        return carried(self.cores[:stop], states[:, :stop], self._log_ranges[:stop])

    def _carried_left(self, states: Array) -> tuple[Array, FloatArray]:
        """Product of the last cores, as many as there are states in a row, from the last one on."""
        first = self.length - states.shape[1]
        cores = [core.swapaxes(0, 2) for core in reversed(self.cores[first:])]
        return carried(cores, states[:, ::-1], self._log_ranges[first:][::-1])


def _site_count(states: Array, length: int) -> int:
    """Number of sites that partial configurations speak of."""
    states = np.asarray(states)
    if states.ndim != 2 or states.shape[1] > length:
        raise ShapeError(
            f"partial configurations have shape {states.shape}; "
            f"wanted (rows, sites) with at most {length} sites"
        )
    return int(states.shape[1])


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
    return configurations.astype(np.int64, copy=False)
