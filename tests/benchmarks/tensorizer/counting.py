"""The function as every tensorizer sees it: counted, timed, within a budget."""

import time
from collections.abc import Callable

import numpy as np
from problem import IntArray, Target, generator

from phasenet.trains.train import Array, FloatArray

_WEIGHTS = generator("weights of configurations").integers(2**62, size=1024) * 2 + 1


class BudgetSpentError(Exception):
    """More points were requested than a run may have."""


class Counted:
    """Function of a target that remembers what was asked.

    Parameters
    ----------
    target
        Whose function.
    budget
        Largest number of points that may be requested, repeated ones included.
    """

    def __init__(self, target: Target, budget: int) -> None:
        self.requested = 0
        self.calls = 0
        self.function_seconds = 0.0
        self.own_seconds = 0.0
        self._function: Callable[[Array], FloatArray] = target.function
        self._budget = budget
        self._keys: list[IntArray] = []

    def __call__(self, configurations: Array) -> FloatArray:
        start = time.process_time()
        self.requested += len(configurations)
        self.calls += 1
        if self.requested > self._budget:
            raise BudgetSpentError
        weights = _WEIGHTS[: configurations.shape[1]]
        self._keys.append(configurations.astype(np.int64) @ weights)
        between = time.process_time()
        values = self._function(configurations)
        end = time.process_time()
        self.own_seconds += between - start
        self.function_seconds += end - between
        return values

    def distinct(self) -> int:
        """Return the number of different configurations, told apart by 64-bit keys."""
        return len(np.unique(np.concatenate(self._keys))) if self._keys else 0


class ScalarView:
    """Function for tensorizers of scalar functions: outputs become one more site in the middle.

    Parameters
    ----------
    target
        Whose function.
    counted
        The function itself.
    """

    def __init__(self, target: Target, counted: Counted) -> None:
        self._counted = counted
        self.output_site = None if target.outputs is None else target.length // 2
        dims = list(target.site_dims)
        if self.output_site is not None and target.outputs is not None:
            dims.insert(self.output_site, target.outputs)
        self.site_dims = tuple(dims)

    def __call__(self, configurations: Array) -> FloatArray:
        if self.output_site is None:
            return self._counted(configurations)
        chosen = configurations[:, self.output_site]
        values = self._counted(np.delete(configurations, self.output_site, axis=1))
        return values[np.arange(len(values)), chosen]

    def extended(self, samples: IntArray, rng: np.random.Generator) -> IntArray:
        """Samples with a random output at the site of the outputs."""
        if self.output_site is None:
            return samples
        output = rng.integers(self.site_dims[self.output_site], size=len(samples))
        return np.insert(samples, self.output_site, output, axis=1)

    def start(self, samples: IntArray, rng: np.random.Generator) -> IntArray:
        """Return the point of the largest value among the first 64 samples."""
        points = self.extended(samples[:64], rng)
        return points[np.argmax(np.abs(self(points)))]
