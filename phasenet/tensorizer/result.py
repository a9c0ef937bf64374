"""What the tensorizer returns."""

import enum
from dataclasses import dataclass

from phasenet.trains.train import TensorTrain


class Outcome(enum.Enum):
    """Why the tensorizer stopped; the value is the sentence for the user."""

    CONVERGED = "error below tol on every probe, on fresh samples and on held-out samples"
    NOISE_FLOOR = (
        "error down to the rounding noise of the function, which is above tol; "
        "evaluate it in float64 to go further"
    )
    RANK_CAP = "max_rank reached before tol; raise max_rank if the stated errors are too large"
    STAGNATED = (
        "errors stopped falling before they were below tol; give more samples or a larger tol"
    )
    BUDGET_SPENT = "max_evaluations reached before tol; raise it or lower max_rank"
    INTERRUPTED = "interrupted; this is the best train so far"


@dataclass(frozen=True, kw_only=True)
class HalfSweep:
    """Record of one half sweep.

    Parameters
    ----------
    ranks
        Dimension of each bond after the half sweep.
    probe_error
        Relative L2 error on the probes of this half sweep, the larger of that on samples and that
        on other configurations.
    data_error, uniform_error
        Relative L2 errors on the held-out samples and on the held-out uniform configurations.
    evaluations
        Distinct evaluations of the function so far.
    """

    ranks: tuple[int, ...]
    probe_error: float
    data_error: float
    uniform_error: float
    evaluations: int

    def __str__(self) -> str:
        rank = max(self.ranks, default=1)
        return f"rank {rank}, error {self.data_error:.1e}, {self.evaluations} evaluations"


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensorization:
    """Train of a function and how far it can be trusted.

    Parameters
    ----------
    train
        The function as a train; vector-valued if the function is.
    outcome
        Why the construction stopped.
    data_error
        Relative L2 error on samples that the construction did not use.
    uniform_error
        Relative L2 error on fresh uniform configurations; relative to the samples if the function
        is zero on all of them.
    tol
        Tolerance in force: the one asked for, or the noise floor of the function if that is larger.
    evaluations
        Distinct configurations at which the function was evaluated, those of the error estimates
        included.
    seconds
        Wall time of the construction.
    steps
        What was done, one phrase each.
    history
        One record for each half sweep.
    """

    train: TensorTrain
    outcome: Outcome
    data_error: float
    uniform_error: float
    tol: float
    evaluations: int
    seconds: float
    steps: tuple[str, ...]
    history: tuple[HalfSweep, ...]

    def __str__(self) -> str:
        rank = max(self.train.bond_dims, default=1)
        return (
            f"rank {rank}, error {self.data_error:.1e} on held-out samples and "
            f"{self.uniform_error:.1e} on uniform configurations, "
            f"{self.evaluations} evaluations, {self.seconds:.2g} s "
            f"({', '.join(self.steps)}): {self.outcome.value}"
        )
