"""The order in which a layer is contracted, chosen by predicted cost.

The same layer can be applied in several ways: factor after factor in more than one order, or as a
dense matrix that is put together first. Which is cheapest depends on the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

# Measured on one core with products of 64 x 64 to 512 x 4096 x 4096; only their ratios matter, and
# a step costs what torch and Python take for the product, its views and its share of the backward.
_FLOPS_PER_SECOND = 1e11
_BYTES_PER_SECOND = 4e10
_SECONDS_PER_STEP = 1e-5
# Steps with more numbers than these find them outside the caches.
_CACHED_ELEMENTS = 4_000_000
_UNCACHED_BYTES_PER_SECOND = 1e10
# A product of two matrices whose shortest side is this long runs at half the rate of a wide one.
_HALF_RATE_SIDE = 9


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
    short_side
        Shortest side of the matrices, on which the rate depends; None: long.
    """

    name: str
    flops: int
    elements: int
    short_side: int | None = None

    @property
    def seconds(self) -> float:
        """Predicted time of the arithmetic and of the memory, on one core."""
        slower = 1 if self.short_side is None else 1 + _HALF_RATE_SIDE / self.short_side
        outside = max(0, self.elements - _CACHED_ELEMENTS)
        inside = self.elements - outside
        return (
            slower * self.flops / _FLOPS_PER_SECOND
            + 4 * inside / _BYTES_PER_SECOND
            + 4 * outside / _UNCACHED_BYTES_PER_SECOND
        )


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
        chunks = -(-self.batch // max(self.chunk, 1))
        busy = sum(step.seconds for step in self.steps)
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
