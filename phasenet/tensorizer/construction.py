"""What a method of construction hands on to be judged."""

from dataclasses import dataclass

from phasenet.tensorizer.result import HalfSweep, Outcome
from phasenet.tensorizer.search import Search
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
    search
        The cross interpolation with its pivots, if that was the method.
    steps
        What was done, one phrase each.
    history
        One record for each half sweep.
    """

    train: TensorTrain
    outcome: Outcome
    lost: float
    size: float
    search: Search | None
    steps: tuple[str, ...]
    history: tuple[HalfSweep, ...]
