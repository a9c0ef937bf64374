"""What a target of the benchmark is, and what every target is made of."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.trains.train import Array, FloatArray, TensorTrain

IntArray = NDArray[np.int64]

TRAINING = 2000
HELD_OUT = 4000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Largest true errors of a right answer; None is measured, but not judged.

    Parameters
    ----------
    data, uniform, peak
        Relative L2 errors on held-out samples, uniform configurations and samples of the peak.
    norm
        Relative L2 distance from the exact train.
    """

    data: float | None = None
    uniform: float | None = None
    peak: float | None = None
    norm: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """Function to be turned into a train, and how the train is judged.

    Parameters
    ----------
    name
        Name in the tables.
    function
        Integers of shape (shots, length) to numbers of shape (shots,) or (shots, outputs).
    site_dims
        Local dimension of each site.
    data
        Seed to 2000 training samples; a known point of a peak or of a support comes first.
    held_out
        4000 other samples of the same distribution.
    tol, max_rank
        What every tensorizer is asked for.
    limits
        Errors of a right answer; nothing is judged where the rank is capped.
    peak
        Samples of a feature that neither data nor uniform configurations find.
    exact
        The function as a train, where it is known.
    amplitudes
        Whether uniform configurations mostly miss the support: their errors then count relative
        to the largest value on the data.
    """

    name: str
    function: Callable[[Array], FloatArray]
    site_dims: tuple[int, ...]
    data: Callable[[int], IntArray]
    held_out: IntArray
    tol: float
    max_rank: int
    limits: Limits = Limits()
    peak: IntArray | None = None
    exact: TensorTrain | None = None
    amplitudes: bool = False

    @property
    def length(self) -> int:
        """Number of sites."""
        return len(self.site_dims)

    @property
    def outputs(self) -> int | None:
        """Number of outputs, or None for a scalar function."""
        values = self.function(self.held_out[:1])
        return None if values.ndim == 1 else int(values.shape[1])

    def uniform(self) -> IntArray:
        """Return 4000 uniform configurations, always the same."""
        return uniform_samples(self.site_dims, HELD_OUT, generator(self.name, "uniform"))


def generator(*names: str | int) -> np.random.Generator:
    """Random stream fixed by names."""
    return np.random.default_rng([zlib.crc32(str(name).encode()) for name in names])


def uniform_samples(site_dims: Sequence[int], shots: int, rng: np.random.Generator) -> IntArray:
    """Independent uniform configurations, shape (shots, length)."""
    return rng.integers(np.asarray(site_dims), size=(shots, len(site_dims)))


def uniform_data(
    name: str, site_dims: Sequence[int], known: Sequence[int] | None = None
) -> tuple[Callable[[int], IntArray], IntArray]:
    """Training samples by seed and held-out samples for the uniform distribution."""

    def data(seed: int) -> IntArray:
        samples = uniform_samples(site_dims, TRAINING, generator(name, "data", seed))
        if known is not None:
            samples[0] = known
        return samples

    return data, uniform_samples(site_dims, HELD_OUT, generator(name, "held out"))


def pool_data(name: str, pool: IntArray) -> tuple[Callable[[int], IntArray], IntArray]:
    """Training samples by seed from a pool, of which the last 4000 are held out."""
    pool = pool.astype(np.int64)
    build = pool[:-HELD_OUT]

    def data(seed: int) -> IntArray:
        return build[generator(name, "data", seed).choice(len(build), TRAINING, replace=False)]

    return data, pool[-HELD_OUT:]
