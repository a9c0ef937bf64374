"""The order in which a layer is contracted, chosen by predicted cost.

The same layer can be applied in several ways: factor after factor in more than one order, or as a
dense matrix that is put together first. Which is cheapest depends on the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# Of one core of the machines that the benchmark ran on: only their ratios matter.
_FLOPS_PER_SECOND = 4e10
_BYTES_PER_SECOND = 8e9
_SECONDS_PER_STEP = 4e-6


@dataclass(frozen=True, kw_only=True)
class Step:
    """One contraction.

    Parameters
    ----------
    name
        What is contracted, in words.
    flops
        Multiplications and additions, two for each product.
    elements
        Numbers that are read and written.
    """

    name: str
    flops: int
    elements: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One way to apply a layer to a batch.

    Parameters
    ----------
    name
        The way: "factors, last mode first", "dense weight", ...
    batch
        Rows of the input.
    steps
        Contractions of the forward pass, in their order.
    chunk
        Rows that are taken through all steps at once.
    training
        Whether the gradient is wanted as well, which costs twice as much again.
    """

    name: str
    batch: int
    steps: tuple[Step, ...]
    chunk: int
    training: bool

    @property
    def flops(self) -> int:
        """Multiplications and additions of the forward pass."""
        return sum(step.flops for step in self.steps)

    @property
    def seconds(self) -> float:
        """Predicted time on one core, to be compared with that of other plans only."""
        passes = 3 if self.training else 1
        chunks = -(-self.batch // self.chunk)
        busy = sum(
            step.flops / _FLOPS_PER_SECOND + 4 * step.elements / _BYTES_PER_SECOND
            for step in self.steps
        )
        return passes * (busy + chunks * len(self.steps) * _SECONDS_PER_STEP)

    def __str__(self) -> str:
        rows = [
            f"  {step.name}: {step.flops:,} flops, {step.elements:,} numbers moved"
            for step in self.steps
        ]
        head = (
            f"{self.name}, batch {self.batch} in chunks of {self.chunk}: {self.flops:,} flops, "
            f"about {1e6 * self.seconds:.0f} us"
        )
        return "\n".join([head, *rows])


def cheapest(plans: Sequence[Plan]) -> Plan:
    """Plan of the least predicted time; the first of equals.

    >>> step = Step(name="all", flops=10, elements=10)
    >>> plan = Plan(name="dense weight", batch=1, steps=(step,), chunk=1, training=False)
    >>> cheapest([plan]).name
    'dense weight'
    """
    return min(plans, key=lambda plan: plan.seconds)
