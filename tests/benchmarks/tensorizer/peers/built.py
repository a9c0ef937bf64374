"""What an adapter returns, and the way from a scalar train back to one with outputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.trains.train import Array, TensorTrain


@dataclass(frozen=True, kw_only=True, eq=False)
class Built:
    """Train of a tensorizer and what it says about it.

    Parameters
    ----------
    train
        The function as a train.
    claim
        Its own verdict, empty if it has none.
    """

    train: TensorTrain
    claim: str = ""


def from_cores(cores: Sequence[Array], output_site: int | None, scale: float = 1.0) -> TensorTrain:
    """Train of the cores of a scalar function, of which one site may be the outputs."""
    arrays = [np.asarray(core, dtype=np.float64) for core in cores]
    arrays[-1] = arrays[-1] * scale
    if output_site is None:
        return TensorTrain(cores=tuple(arrays))
    outputs, after = arrays[output_site], arrays.pop(output_site + 1)
    arrays[output_site] = np.einsum("lcm,msr->lsrc", outputs, after)
    return TensorTrain(cores=tuple(arrays), output_site=output_site)
