"""Functions that are known by their logarithm, such as neural wavefunctions of long chains."""

from collections.abc import Callable
from typing import Any

import numpy as np

from phasenet.errors import SettingsError
from phasenet.tensorizer.function import BatchFunction
from phasenet.tensorizer.pivots import IntArray
from phasenet.trains.train import Array


def exponential(
    logarithm: Callable[[IntArray], Any], *, samples: Array
) -> tuple[BatchFunction, float]:
    r"""Exponential of a function in units of its largest value on samples, and that unit.

    Amplitudes of some thousand sites leave the range of floating-point numbers; relative to the
    largest one they do not. Tensorize the function that is returned, then add the unit to
    ``log_scale`` of the train.

    Parameters
    ----------
    logarithm
        Function of integers of shape (shots, length), with real or complex values
        :math:`\ln f` of shape (shots,); ``-inf`` where f is zero.
    samples
        Integers of shape (shots, length).

    Returns
    -------
    The function :math:`f(x) / e^u` and the natural logarithm u of the unit.

    Raises
    ------
    SettingsError
        If f is zero on all samples.

    >>> samples = np.zeros((2, 3000), dtype=int)
    >>> function, unit = exponential(lambda x: -2.0 - x.sum(axis=1), samples=samples)
    >>> print(unit, function(samples).tolist())
    -2.0 [1.0, 1.0]
    """
    largest = float(np.max(np.real(np.asarray(logarithm(samples)))))
    if not np.isfinite(largest):
        raise SettingsError(
            f"the largest logarithm on {len(samples)} samples is {largest}; "
            "wanted samples where the function is finite and not zero"
        )

    def function(configurations: IntArray) -> Array:
        return np.asarray(np.exp(np.asarray(logarithm(configurations)) - largest))

    return function, largest
