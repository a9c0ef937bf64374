"""What the tensorizer evaluates: the protocol, and a wrapper that checks, batches and remembers."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.seeds import stream
from phasenet.tensorizer.cache import ValueCache
from phasenet.tensorizer.pivots import IntArray, KeyArray, Pivots, first_occurrences, joined
from phasenet.trains.train import Array


class BatchFunction(Protocol):
    """Function of many configurations at once: a network, a train, a wavefunction.

    Integers of shape (shots, length) become numbers of shape (shots,) or (shots, outputs).
    """

    def __call__(self, configurations: IntArray, /) -> Any:
        """Values at a batch of configurations."""


class BudgetSpentError(Exception):
    """The next batch would go over the number of evaluations allowed; never leaves this package."""


class CountedFunction:
    """Function that is evaluated at most once at each configuration.

    Values have shape (points, outputs) here, with one output for a scalar function.

    Parameters
    ----------
    function
        What to evaluate.
    site_dims
        Local dimension of each site.
    max_evaluations
        Largest number of distinct configurations.
    batch_size
        Largest number of configurations in one call.
    seed
        Seed of the hash keys.

    >>> counted = CountedFunction(
    ...     lambda x: x.sum(axis=1), site_dims=(2, 2), max_evaluations=9, batch_size=4, seed=0
    ... )
    >>> values = counted(np.array([[0, 1], [1, 1], [0, 1]]))
    >>> print(values[:, 0].tolist(), counted.evaluations)
    [1.0, 2.0, 1.0] 2
    """

    def __init__(
        self,
        function: BatchFunction,
        *,
        site_dims: Sequence[int],
        max_evaluations: int,
        batch_size: int,
        seed: int,
    ) -> None:
        self.site_dims = tuple(site_dims)
        self.evaluations = 0
        self.vector_valued = False
        self.precision = float(np.finfo(np.float64).eps)
        self._function = function
        self._max_evaluations = max_evaluations
        self._batch_size = batch_size
        self._cache: ValueCache | None = None
        shape = (len(self.site_dims), max(self.site_dims))
        rng = stream(seed, "tensorizer", "keys")
        self._site_keys: KeyArray = rng.integers(2**64, size=shape, dtype=np.uint64)

    @property
    def left(self) -> int:
        """Number of evaluations that are still allowed."""
        return self._max_evaluations - self.evaluations

    @property
    def site_keys(self) -> KeyArray:
        """Key of each state of each site, shape (length, largest local dimension)."""
        return self._site_keys

    def keys(self, configurations: IntArray) -> KeyArray:
        """Return the key of each configuration."""
        sites = np.arange(len(self.site_dims))
        return np.asarray(self._site_keys[sites, configurations].sum(axis=1, dtype=np.uint64))

    def __call__(self, configurations: IntArray) -> Array:
        """Return the values at configurations, which may repeat."""
        keys = self.keys(configurations)
        missing = np.flatnonzero(self._find(keys) < 0)
        new = missing[first_occurrences(keys[missing])]
        self._evaluate(keys[new], configurations[new])
        return self._stored(keys)

    def block(self, near: Pivots, far: Pivots) -> Array:
        """Return the values at all pairs of pivots, shape (near, far, outputs)."""
        keys = (near.keys[:, None] + far.keys[None, :]).reshape(-1)
        # Pairs of distinct pivots are distinct, so that only the missing ones are ever written out.
        missing = np.flatnonzero(self._find(keys) < 0)
        if len(missing):
            i, j = np.divmod(missing, len(far))
            self._evaluate(keys[missing], joined(near, far, i, j))
        return self._stored(keys).reshape(len(near), len(far), -1)

    def _find(self, keys: KeyArray) -> IntArray:
        return np.full(len(keys), -1) if self._cache is None else self._cache.find(keys)

    def _stored(self, keys: KeyArray) -> Array:
        assert self._cache is not None
        return self._cache.values(self._cache.find(keys))

    def _evaluate(self, keys: KeyArray, configurations: IntArray) -> None:
        if len(keys) > self.left:
            raise BudgetSpentError
        for start in range(0, len(keys), self._batch_size):
            chosen = slice(start, start + self._batch_size)
            values = self._checked(self._function(configurations[chosen]), configurations[chosen])
            assert self._cache is not None
            self._cache.insert(keys[chosen], values)
            self.evaluations += len(values)

    def _checked(self, result: Any, configurations: IntArray) -> Array:
        """Finite values of shape (shots, outputs), or an error that says what came instead."""
        values, shots = np.asarray(result), len(configurations)
        if values.ndim not in (1, 2) or len(values) != shots or values.size == 0:
            raise ShapeError(
                f"the function returned shape {values.shape} for {shots} configurations; "
                f"wanted ({shots},) or ({shots}, outputs)"
            )
        if values.dtype.kind not in "fciub":
            raise ShapeError(f"the function returned {values.dtype} values; wanted numbers")
        if self._cache is None:
            self._learn_kind(values)
        assert self._cache is not None
        stored = self._cache.values(np.zeros(0, dtype=np.int64))
        matrix = values if values.ndim == 2 else values[:, None]
        if (values.ndim == 2) != self.vector_valued or matrix.shape[1] != stored.shape[1]:
            raise ShapeError(
                f"the function returned shape {values.shape} for {shots} configurations, "
                f"but {stored.shape[1]} outputs before; the number of outputs must stay the same"
            )
        if np.iscomplexobj(values) and not np.iscomplexobj(stored):
            raise ShapeError("the function returned complex values after real ones")
        bad = np.flatnonzero(~np.isfinite(matrix).all(axis=1))
        if len(bad):
            raise SettingsError(
                f"the function returned {matrix[bad[0]].tolist()} at configuration "
                f"{configurations[bad[0]].tolist()}; every value must be finite"
            )
        return matrix

    def _learn_kind(self, values: Array) -> None:
        """Fix outputs and precision by the first values that come back."""
        self.vector_valued = values.ndim == 2
        if values.dtype.kind in "fc":
            self.precision = max(self.precision, float(np.finfo(values.dtype).eps))
        dtype = np.dtype(np.complex128 if np.iscomplexobj(values) else np.float64)
        self._cache = ValueCache(outputs=values.shape[1] if values.ndim == 2 else 1, dtype=dtype)
