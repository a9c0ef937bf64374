"""What a method of construction hands on to be judged."""

from collections.abc import Callable
from dataclasses import dataclass

from phasenet.tensorizer.pivots import IntArray
from phasenet.tensorizer.result import HalfSweep, Outcome
from phasenet.trains.train import TensorTrain


@dataclass(frozen=True, kw_only=True, eq=False)
class Construction:
    """Train from one method, before its errors are measured.

    Parameters
    ----------
    train
        The function as a train.
    outcome
        Why the method stopped.
    lost
        Relative L2 norm that rounding to the rank wanted took away.
    size
        Root mean square of the function on the samples used.
    evaluated
        Gives the configurations at which the method knows the function, shape (points, length).
    steps
        What was done, one phrase each.
    history
        One record for each half sweep.
    """

    train: TensorTrain
    outcome: Outcome
    lost: float
    size: float
    evaluated: Callable[[], IntArray]
    steps: tuple[str, ...]
    history: tuple[HalfSweep, ...]
