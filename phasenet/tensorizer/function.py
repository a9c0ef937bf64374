"""What the tensorizer evaluates: protocols, and a wrapper that checks, batches and remembers."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.tensorizer.cache import ValueCache
from phasenet.tensorizer.pivots import (
    BoolArray,
    Extender,
    IntArray,
    KeyArray,
    Pivots,
    PivotSpace,
    first_occurrences,
    joined,
)
from phasenet.trains.train import Array


class BatchFunction(Protocol):
    """Function of many configurations at once: a network, a train, a wavefunction.

    Integers of shape (shots, length) become numbers of shape (shots,) or (shots, outputs).
    """

    def __call__(self, configurations: IntArray, /) -> Any:
        """Values at a batch of configurations."""


@runtime_checkable
class StructuredFunction(BatchFunction, Protocol):
    """Batch function whose values come from what is known of each side of a cut.

    Features of partial configurations are computed once, however many partners they meet: the
    row of a train up to the cut, or the part of a linear first layer. They are arrays with one row
    for each partial configuration.
    """

    def prefixes(self, states: IntArray, /) -> Any:
        """Features of the first sites, one row each."""

    def suffixes(self, states: IntArray, /) -> Any:
        """Features of the last sites, one row each."""

    def pairs(self, left: Any, right: Any, /) -> Any:
        """Values of aligned rows of features of first and of last sites that fit together."""


@runtime_checkable
class SplitFunction(StructuredFunction, Extender, Protocol):
    """Structured function whose features can be carried on, one site at a time."""


class BudgetSpentError(Exception):
    """The next batch would go over the number of evaluations allowed; never leaves this package."""


class ChargeBrokenError(Exception):
    """The function is not zero outside the sector assumed; never leaves this package."""


class CountedFunction:
    """Function that is evaluated at most once at each configuration.

    Values have shape (points, outputs) here, with one output for a scalar function.

    Parameters
    ----------
    function
        What to evaluate; if it is a :class:`SplitFunction`, ``space`` carries its features.
    space
        Sites, keys and charges.
    max_evaluations
        Largest number of distinct configurations.
    batch_size
        Largest number of configurations in one call.

    >>> from phasenet.tensorizer.charges import Charges
    >>> space = PivotSpace((2, 2), Charges.none((2, 2)), None, np.random.default_rng(0))
    >>> counted = CountedFunction(lambda x: x.sum(axis=1), space, max_evaluations=9, batch_size=4)
    >>> values = counted(np.array([[0, 1], [1, 1], [0, 1]]))
    >>> print(values[:, 0].tolist(), counted.evaluations)
    [1.0, 2.0, 1.0] 2
    """

    def __init__(
        self,
        function: BatchFunction,
        space: PivotSpace,
        *,
        max_evaluations: int,
        batch_size: int,
    ) -> None:
        self.space = space
        self.evaluations = 0
        self.vector_valued = False
        self.precision = float(np.finfo(np.float64).eps)
        self._function = function
        self._split = function if isinstance(function, SplitFunction) else None
        self.max_evaluations = max_evaluations
        self._batch_size = batch_size
        self._cache: ValueCache | None = None

    @property
    def left(self) -> int:
        """Number of evaluations that are still allowed."""
        return self.max_evaluations - self.evaluations

    @property
    def outputs(self) -> int:
        """Number of outputs, known after the first evaluation."""
        assert self._cache is not None
        return self._cache.outputs

    def __call__(self, configurations: IntArray) -> Array:
        """Return the values at configurations, which may repeat and may lie in any sector.

        Raises
        ------
        ChargeBrokenError
            If a value outside the sector is not zero.
        """
        keys = self.space.keys(configurations)
        entries = self._find(keys)
        missing = np.flatnonzero(entries < 0)
        if len(missing):
            new = missing[first_occurrences(keys[missing])]
            found = [
                self._checked(self._function(part), part)
                for part in self._batches(configurations[new])
            ]
            self._remember(keys[new], np.concatenate(found))
            entries = self._find(keys)
        assert self._cache is not None
        values = self._cache.values(entries)
        charges = self.space.charges
        if charges.count and np.any(values[~charges.allowed(charges.of(configurations))]):
            raise ChargeBrokenError
        return values

    def block(
        self,
        near: Pivots,
        far: Pivots,
        rows: IntArray | slice = slice(None),
        columns: IntArray | slice = slice(None),
    ) -> Array:
        """Return the values at all pairs of chosen pivots, shape (near, far, outputs).

        Pairs outside the sector are zero without being evaluated.
        """
        keys = near.keys[rows, None] + far.keys[columns]
        shape, keys = keys.shape, keys.reshape(-1)
        charges = self.space.charges
        inside: IntArray | None = None
        if charges.count:
            sums = near.charges[rows, None] + far.charges[columns]
            inside = charges.allowed(sums).reshape(-1).nonzero()[0]
            keys = keys[inside]
        entries = self._find(keys)
        # Pairs of distinct pivots are distinct, so that only the missing ones are ever written out.
        missing = (entries < 0).nonzero()[0]
        if len(missing):
            i, j = np.divmod(missing if inside is None else inside[missing], shape[1])
            i = i if isinstance(rows, slice) else rows[i]
            j = j if isinstance(columns, slice) else columns[j]
            entries[missing] = self._remember(keys[missing], self._new(near, far, i, j))
        assert self._cache is not None
        values = self._cache.values(entries)
        if inside is not None:
            every = np.zeros((shape[0] * shape[1], self.outputs), dtype=self._dtype)
            every[inside] = values
            values = every
        return values.reshape(*shape, -1)

    def known(self, configurations: IntArray) -> BoolArray:
        """Return at which configurations the function has been evaluated."""
        return np.asarray(self._find(self.space.keys(configurations)) >= 0)

    def known_pairs(self, near: Pivots, far: Pivots) -> IntArray:
        """Return the configurations joined from two sets of pivots that have been evaluated."""
        keys = (near.keys[:, None] + far.keys).reshape(-1)
        i, j = np.divmod(np.flatnonzero(self._find(keys) >= 0), len(far))
        return joined(near, far, i, j)

    def repeated(self, configurations: IntArray) -> Array:
        """Return what the function says when it is asked again, without entering it anywhere."""
        return self._checked(self._function(configurations), configurations)

    @property
    def _dtype(self) -> "np.dtype[Any]":
        assert self._cache is not None
        return self._cache.dtype

    def _new(self, near: Pivots, far: Pivots, i: IntArray, j: IntArray) -> Array:
        if len(i) > self.left:
            raise BudgetSpentError
        if self._split is None:
            found = [
                self._checked(self._function(part), part)
                for part in self._batches(joined(near, far, i, j))
            ]
            return found[0] if len(found) == 1 else np.concatenate(found)
        left, right, rows, columns = (near, far, i, j) if near.on_left else (far, near, j, i)
        found = []
        for start in range(0, len(i), self._batch_size):
            a, b = rows[start : start + self._batch_size], columns[start : start + self._batch_size]
            part = self._split.pairs(left.features[a], right.features[b])
            found.append(self._checked(part, (left.states, right.states, a, b)))
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _batches(self, configurations: IntArray) -> list[IntArray]:
        if len(configurations) > self.left:
            raise BudgetSpentError
        size = self._batch_size
        if len(configurations) <= size:
            return [configurations]
        return [configurations[k : k + size] for k in range(0, len(configurations), size)]

    def _find(self, keys: KeyArray) -> IntArray:
        return np.full(len(keys), -1) if self._cache is None else self._cache.find(keys)

    def _remember(self, keys: KeyArray, values: Array) -> IntArray:
        assert self._cache is not None
        self.evaluations += len(values)
        return self._cache.insert(keys, values)

    def _checked(self, result: Any, where: IntArray | tuple[IntArray, ...]) -> Array:
        """Finite values of shape (shots, outputs), or an error that says what came instead."""
        values, shots = (
            np.asarray(result),
            len(where if isinstance(where, np.ndarray) else where[2]),
        )
        if values.ndim not in (1, 2) or len(values) != shots or values.size == 0:
            raise ShapeError(
                f"the function returned shape {values.shape} for {shots} configurations; "
                f"wanted ({shots},) or ({shots}, outputs)"
            )
        if values.dtype.kind not in "fciub":
            raise ShapeError(f"the function returned {values.dtype} values; wanted numbers")
        if self._cache is None:
            self._learn_kind(values)
        matrix = values if values.ndim == 2 else values[:, None]
        if (values.ndim == 2) != self.vector_valued or matrix.shape[1] != self.outputs:
            raise ShapeError(
                f"the function returned shape {values.shape} for {shots} configurations, "
                f"but {self.outputs} outputs before; the number of outputs must stay the same"
            )
        if values.dtype.kind == "c" and self._dtype.kind != "c":
            raise ShapeError("the function returned complex values after real ones")
        if not np.isfinite(matrix).all():
            bad = int(np.flatnonzero(~np.isfinite(matrix).all(axis=1))[0])
            raise SettingsError(
                f"the function returned {matrix[bad].tolist()} at configuration "
                f"{_configuration(where, bad).tolist()}; every value must be finite"
            )
        return matrix

    def _learn_kind(self, values: Array) -> None:
        """Fix outputs and precision by the first values that come back."""
        self.vector_valued = values.ndim == 2
        if values.dtype.kind in "fc":
            self.precision = max(self.precision, float(np.finfo(values.dtype).eps))
        dtype = np.dtype(np.complex128 if np.iscomplexobj(values) else np.float64)
        self._cache = ValueCache(outputs=values.shape[1] if values.ndim == 2 else 1, dtype=dtype)


def _configuration(where: IntArray | tuple[IntArray, ...], shot: int) -> IntArray:
    if isinstance(where, np.ndarray):
        return np.asarray(where[shot])
    left, right, rows, columns = where
    return np.concatenate((left[rows[shot]], right[columns[shot]]))
