"""How a chain of convolutions is applied: which links are put together before they meet the input.

Convolutions that are called one after the other cost their calls as well, which for a few channels
are all of the time.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import pairwise

from phasenet.networks.layers.conv_geometry import Call, Geometry, call_along
from phasenet.networks.layers.conv_links import Shape, together_shape
from phasenet.networks.layers.plan import Plan, Step

# Of one core of the machines that the benchmark ran on: only their ratios matter.
_CONVOLVED_PER_SECOND = 1e11
_MULTIPLIED_PER_SECOND = 4e10
_CONVOLVED_BYTES_PER_SECOND = 2e10
_MULTIPLIED_BYTES_PER_SECOND = 8e9
# Values that do not stay in the cache are written to fresh pages.
_CACHED_BYTES, _FRESH_BYTES_PER_SECOND = 4e6, 1e9
_SECONDS_PER_CONVOLUTION = (60e-6, 330e-6)
_SECONDS_PER_PRODUCT = (8e-6, 35e-6)
# Batches to which a dense weight that is held is applied, at least, before it is put together anew.
_USES = 16


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Neighbouring links that are put together to one convolution.

    Parameters
    ----------
    links
        Their places in the chain.
    from_first
        Whether the first two are put together first, else the last two.
    pairs
        Shapes of what is put together at each step.
    call
        Arguments of the convolution.
    padded
        Whether its input is padded before, by nn.functional.pad.
    """

    links: tuple[int, ...]
    from_first: bool
    pairs: tuple[tuple[Shape, Shape], ...]
    call: Call
    padded: bool


@dataclass(frozen=True, kw_only=True)
class ConvolutionPlan(Plan):
    """One way to apply a chain of convolutions; its predicted time knows what a call costs.

    Parameters
    ----------
    segments
        Convolutions in their order. The steps are the products that put links together, and then
        as many convolutions.
    """

    segments: tuple[Segment, ...]

    @property
    def seconds(self) -> float:
        """Predicted time on one core, to be compared with that of other plans only."""
        passes = 3 if self.training else 1
        products = self.steps[: -len(self.segments)]
        total = len(products) * _SECONDS_PER_PRODUCT[self.training]
        total += len(self.segments) * _SECONDS_PER_CONVOLUTION[self.training]
        for step in products:
            total += passes * step.flops / _MULTIPLIED_PER_SECOND
            total += passes * 4 * step.elements / _MULTIPLIED_BYTES_PER_SECOND
        for step in self.steps[-len(self.segments) :]:
            total += passes * step.flops / _CONVOLVED_PER_SECOND
            total += passes * 4 * step.elements / _CONVOLVED_BYTES_PER_SECOND
            fresh = max(0.0, 4 * step.elements - _CACHED_BYTES)
            total += passes * fresh / _FRESH_BYTES_PER_SECOND
        return total


# Compared by identity: plans are looked up at every call of a layer.
@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """Links of one layer and where they read their input.

    Parameters
    ----------
    links
        Input first.
    names
        Of the links, as plans print them.
    where
        Of the whole convolution.
    groups
        Of its channels.
    """

    links: tuple[Shape, ...]
    names: tuple[str, ...]
    where: Geometry
    groups: int


def plans(
    chain: Chain, batch: int, sizes: tuple[int, ...], training: bool
) -> list[ConvolutionPlan]:
    """All ways to put neighbours together, for a batch of inputs with some sizes in space."""
    ways = [_segments(chain, parts) for parts in _partitions(len(chain.links))]
    return [_plan(chain, segments, batch, sizes, training) for segments in ways]


@lru_cache(maxsize=1024)
def planned(chain: Chain, batch: int, sizes: tuple[int, ...], training: bool) -> ConvolutionPlan:
    """Plan of the least predicted time."""
    return min(plans(chain, batch, sizes, training), key=lambda plan: plan.seconds)


def whole_segment(chain: Chain) -> Segment:
    """All links put together to the dense weight."""
    return _segments(chain, [range(len(chain.links))])[0]


def single_segments(chain: Chain) -> tuple[Segment, ...]:
    """Every link on its own."""
    return _segments(chain, [range(link, link + 1) for link in range(len(chain.links))])


def _partitions(count: int) -> Iterator[list[range]]:
    """All ways to cut a chain."""
    for cuts in range(2 ** (count - 1)):
        ends = [link + 1 for link in range(count) if link == count - 1 or cuts >> link & 1]
        yield [range(start, end) for start, end in pairwise([0, *ends])]


def _segments(chain: Chain, parts: Sequence[range]) -> tuple[Segment, ...]:
    """Segments, each put together from the end at which it takes fewer products."""
    result: list[Segment] = []
    ready = chain.where.padded_by_convolutions
    for part in parts:
        links = chain.links[part.start : part.stop]
        ways = [(_pairs(links, from_first), from_first) for from_first in (True, False)]
        pairs, from_first = min(ways, key=lambda way: sum(_flops(*pair) for pair in way[0]))
        whole = reduce(together_shape, links)
        rows, groups = chain.groups * whole.out, chain.groups
        channels, groups = ((rows, 1), rows) if whole.diagonal else ((rows, whole.into), groups)
        pads = bool(whole.axes) and not ready
        ready = ready or pads
        result.append(
            Segment(
                links=tuple(part),
                from_first=from_first,
                pairs=pairs,
                call=call_along(chain.where, whole.axes, channels, groups),
                padded=pads,
            )
        )
    return tuple(result)


def _pairs(links: Sequence[Shape], from_first: bool) -> tuple[tuple[Shape, Shape], ...]:
    whole, *others = links if from_first else reversed(links)
    result = []
    for link in others:
        pair = (whole, link) if from_first else (link, whole)
        result.append(pair)
        whole = together_shape(*pair)
    return tuple(result)


def _flops(first: Shape, second: Shape) -> int:
    """Multiplications and additions that put two neighbours of one group together."""
    inner = 1 if first.diagonal or second.diagonal else second.into
    return 2 * inner * math.prod(together_shape(first, second).parameter(1))


def _product(first: Shape, second: Shape, groups: int) -> Step:
    shapes = (first, second, together_shape(first, second))
    return Step(
        name="links put together",
        flops=groups * _flops(first, second),
        elements=sum(math.prod(shape.parameter(groups)) for shape in shapes),
    )


def _plan(
    chain: Chain,
    segments: tuple[Segment, ...],
    batch: int,
    sizes: tuple[int, ...],
    training: bool,
) -> ConvolutionPlan:
    names = [" with ".join(chain.names[link] for link in segment.links) for segment in segments]
    products = [_product(*pair, chain.groups) for segment in segments for pair in segment.pairs]
    convolutions = []
    for segment, name in zip(segments, names, strict=True):
        whole = reduce(together_shape, [chain.links[link] for link in segment.links])
        after = chain.where.sizes_after(sizes, whole.axes)
        places = batch * chain.groups * math.prod(after)
        read = batch * chain.groups * whole.into * math.prod(sizes)
        numbers = read + places * whole.out + math.prod(whole.parameter(chain.groups))
        flops = 2 * places * whole.products
        convolutions.append(Step(name=f"convolution {name}", flops=flops, elements=numbers))
        sizes = after
    if len(segments) == 1 and not training:
        products = [_share(products)]
    return ConvolutionPlan(
        name="dense weight" if len(segments) == 1 else ", then ".join(names),
        batch=batch,
        steps=(*products, *convolutions),
        chunk=batch,
        training=training,
        segments=segments,
    )


def _share(products: Sequence[Step]) -> Step:
    """Without a gradient the dense weight is put together once and held."""
    return Step(
        name=f"one part in {_USES} of putting links together",
        flops=sum(step.flops for step in products) // _USES,
        elements=sum(step.elements for step in products) // _USES,
    )
