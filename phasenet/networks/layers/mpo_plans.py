"""Ways to apply a matrix product operator to a batch, and what each costs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from phasenet.networks.layers.held_products import held_product
from phasenet.networks.layers.plan import Plan, Step, cheapest

Direction = Literal["left to right", "right to left"]
Shape = tuple[int, int, int, int]
"""Axes of a core: left bond, output mode, input mode, right bond."""

# What is between two contractions stays in the cache of one core: numbers in a chunk of the batch.
_NUMBERS_PER_CHUNK = 2**18
# A batch with no more numbers than this between two contractions is taken as a whole.
_NUMBERS_AT_ONCE = 2**20
# A product of two small matrices, one of many, costs as much more as it takes to move these.
_NUMBERS_PER_PRODUCT = 6000


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to apply a matrix product operator.

    Parameters
    ----------
    groups
        First and last site, this one not included, of the sites that are put together before they
        meet the batch. A single group of all of them is the dense weight.
    direction
        Order in which the groups meet the batch.

    >>> Way(groups=((0, 1), (1, 3)), direction="right to left").name
    'cores 1-2, 0'
    """

    groups: tuple[tuple[int, int], ...]
    direction: Direction

    @property
    def ordered(self) -> tuple[tuple[int, int], ...]:
        """Groups in the order in which they meet the batch."""
        return self.groups if self.direction == "left to right" else self.groups[::-1]

    @property
    def is_dense(self) -> bool:
        """Whether the batch meets the dense weight."""
        return len(self.groups) == 1

    @property
    def name(self) -> str:
        """Way in words."""
        if self.is_dense:
            return "dense weight"
        return f"cores {', '.join(_name(group) for group in self.ordered)}"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One matrix applied to a batch: the same to every row, and to every column of a row.

    Parameters
    ----------
    rows
        Rows for each sample: modes that come before what is contracted, row-major.
    before, after
        Length of the axis that is contracted, and of the one in its place.
    columns
        Modes that come after it.
    """

    rows: int
    before: int
    after: int
    columns: int

    @property
    def back(self) -> "Stage":
        """Stage of the transposed matrix, which takes gradients back."""
        return Stage(rows=self.rows, before=self.after, after=self.before, columns=self.columns)


def stages(shapes: Sequence[Shape], way: Way) -> tuple[Stage, ...]:
    """Matrices that the batch meets, in their order.

    From either end the modes stay where they are: none of the stages needs a transposition.

    >>> [s.before for s in stages([(1, 3, 4, 2), (2, 5, 6, 1)], next(ways(2)))]
    [6, 8]
    """
    fused = [_fused_shape(shapes[first:last]) for first, last in way.ordered]
    result = []
    for k, (left, out, in_, right) in enumerate(fused):
        done, rest = (math.prod(s[1] for s in fused[:k]), math.prod(s[2] for s in fused[k + 1 :]))
        if way.direction == "left to right":
            result.append(Stage(rows=done, before=left * in_, after=out * right, columns=rest))
        else:
            result.append(Stage(rows=rest, before=in_ * right, after=left * out, columns=done))
    return tuple(result)


def ways(sites: int) -> Iterator[Way]:
    """All ways that are tried: groups of equal size, from either end; the last is dense.

    >>> [way.name for way in ways(3)]
    ['cores 2, 1, 0', 'cores 0, 1, 2', 'cores 2, 0-1', 'cores 0-1, 2', 'dense weight']
    """
    for size in range(1, sites):
        groups = tuple((k, min(k + size, sites)) for k in range(0, sites, size))
        yield Way(groups=groups, direction="right to left")
        yield Way(groups=groups, direction="left to right")
    yield Way(groups=((0, sites),), direction="right to left")


@lru_cache(maxsize=4096)
def planned(
    shapes: tuple[Shape, ...], batch: int, training: bool
) -> tuple[Way, tuple[Stage, ...], Plan]:
    """Way of the least predicted time, its stages and its plan; the first of equals.

    >>> planned(((1, 2, 2, 4), (4, 2, 2, 1)), 10_000, True)[-1].name
    'dense weight'
    """
    plans = {way: plan_of(shapes, way, batch, training) for way in ways(len(shapes))}
    best = cheapest(list(plans.values()))
    way = next(way for way, plan in plans.items() if plan is best)
    return way, stages(shapes, way), best


def plan_of(shapes: Sequence[Shape], way: Way, batch: int, training: bool) -> Plan:
    """Plan of one way.

    Without a gradient a dense weight is put together once and held: it counts one part in 16.

    >>> plan_of([(1, 3, 4, 2), (2, 5, 6, 1)], next(ways(2)), 10, False).flops
    7200
    """
    found = stages(shapes, way)
    steps = [step for group in way.ordered for step in _fusion(shapes, group)]
    if way.direction == "left to right":
        numbers = sum(math.prod(_fused_shape(shapes[first:last])) for first, last in way.groups)
        steps.append(Step(name="modes of the cores exchanged", flops=0, elements=2 * numbers))
    for group, stage in zip(way.ordered, found, strict=True):
        name = "dense weight" if way.is_dense else f"batch with {_name(group)}"
        steps.append(_product(name, stage, batch))
    if way.is_dense and not training:
        steps = [held_product(steps[-1], steps[:-1])]
    return Plan(
        name=way.name,
        batch=batch,
        steps=tuple(steps),
        chunk=_chunk(found, batch, training),
        training=training,
    )


def _chunk(found: Sequence[Stage], batch: int, training: bool) -> int:
    """Rows taken through all stages at once; with fewer than all the gradient does them anew."""
    if len(found) == 1:
        return max(batch, 1)
    between = max(s.rows * s.after * s.columns for s in found[:-1])
    # The gradient of a shared matrix is summed over the rows, each of which has its own at first.
    summed = max((s.rows * s.before * s.after for s in found if s.columns > 1), default=0)
    if batch * max(between, summed if training else 0) <= _NUMBERS_AT_ONCE:
        return max(batch, 1)
    return min(batch, max(1, _NUMBERS_PER_CHUNK // between))


def _fused_shape(shapes: Sequence[Shape]) -> Shape:
    outs, ins = math.prod(s[1] for s in shapes), math.prod(s[2] for s in shapes)
    return shapes[0][0], outs, ins, shapes[-1][3]


def _fusion(shapes: Sequence[Shape], group: tuple[int, int]) -> Iterator[Step]:
    first, last = group
    for site in range(first + 1, last):
        left = math.prod(_fused_shape(shapes[first:site])[:3])
        bond, right = shapes[site][0], math.prod(shapes[site][1:])
        yield Step(
            name=f"{_name((first, site))} with {_name((site, site + 1))}",
            flops=2 * left * bond * right,
            # The modes are brought into their order afterwards.
            elements=3 * left * right,
            short_side=min(left, bond, right),
        )


def _product(name: str, stage: Stage, batch: int) -> Step:
    rows = batch * stage.rows
    moved = stage.before * stage.after + rows * (stage.before + stage.after) * stage.columns
    sides = [stage.before, stage.after]
    if stage.columns > 1:
        sides.append(stage.columns)
        moved += rows * _NUMBERS_PER_PRODUCT
    return Step(
        name=name,
        flops=2 * rows * stage.before * stage.after * stage.columns,
        elements=moved,
        short_side=min(sides),
    )


def _name(group: tuple[int, int]) -> str:
    first, last = group
    return str(first) if last == first + 1 else f"{first}-{last - 1}"
