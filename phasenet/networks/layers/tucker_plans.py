"""Ways to apply a Tucker layer to a batch, and what each costs."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations

from phasenet.networks.layers.plan import Plan, Step, cheapest
from phasenet.networks.layers.tucker_contraction import Place, placed

# More inputs than these are contracted in their own order only: there are too many others.
_MOST_PERMUTED = 4
# Inputs and outputs that are taken through all steps at once, with the gradient and without: what
# lies between stays in the cache for the steps that need it, and for the gradient.
_CHUNK_ELEMENTS = {True: 2**20, False: 2**22}
_LEAST_CHUNK = 32
# Without gradients the factors must be faster than the dense weight, which is never slower than a
# dense layer, by more than the prediction may be wrong.
_MARGIN = 1.25
# Batches to which a dense weight that is held is applied, at least, before it is put together anew.
_USES = 128


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Numbers that the cost of a Tucker layer depends on.

    Parameters
    ----------
    in_modes, out_modes
        As of the layer.
    in_ranks, out_ranks
        Ranks of the factors of the inputs and of the outputs.
    """

    in_modes: tuple[int, ...]
    out_modes: tuple[int, ...]
    in_ranks: tuple[int, ...]
    out_ranks: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to apply a Tucker layer.

    Parameters
    ----------
    place
        Where the core is contracted.
    order
        Axes of the inputs as they lie in memory, the last of which is contracted first; another
        than their own costs a copy of the inputs.
    """

    place: Place
    order: tuple[int, ...]

    @property
    def own_order(self) -> bool:
        """Whether the inputs are taken as they lie."""
        return self.order == tuple(range(len(self.order)))

    @property
    def name(self) -> str:
        """Way in words.

        >>> Way(place="own", order=(0, 1)).name
        'factor by factor, input modes 1, 0'
        """
        inputs = ", ".join(str(mode) for mode in reversed(self.order))
        return {
            "own": f"factor by factor, input modes {inputs}",
            "inputs": "core with the factors of the inputs",
            "outputs": f"core with the factors of the outputs, input modes {inputs}",
            "dense": "dense weight",
        }[self.place]


def ways(sizes: Sizes) -> Iterator[Way]:
    """All ways that are tried; the orders of the inputs matter where they meet the batch.

    >>> sizes = Sizes(in_modes=(4, 3), out_modes=(5,), in_ranks=(2, 2), out_ranks=(3,))
    >>> [way.place for way in ways(sizes)]
    ['own', 'outputs', 'own', 'outputs', 'inputs', 'dense']
    """
    own = tuple(range(len(sizes.in_modes)))
    orders = permutations(own) if len(own) <= _MOST_PERMUTED else [own]
    for order in orders:
        yield Way(place="own", order=order)
        yield Way(place="outputs", order=order)
    yield Way(place="inputs", order=own)
    yield Way(place="dense", order=own)


@lru_cache(maxsize=4096)
def planned(sizes: Sizes, batch: int, training: bool) -> tuple[Way, Plan]:
    """Way of the least predicted time and its plan; without gradients the dense weight if in doubt.

    >>> sizes = Sizes(in_modes=(28, 28), out_modes=(300,), in_ranks=(5, 5), out_ranks=(10,))
    >>> planned(sizes, 128, True)[0].place
    'own'
    """
    plans = {way: plan_of(way, sizes, batch, training) for way in ways(sizes)}
    best = cheapest(list(plans.values()))
    way = next(way for way, plan in plans.items() if plan is best)
    dense = Way(place="dense", order=tuple(range(len(sizes.in_modes))))
    if not training and plans[dense].seconds < _MARGIN * best.seconds:
        way = dense
    return way, plans[way]


def plan_of(way: Way, sizes: Sizes, batch: int, training: bool) -> Plan:
    """Plan of one way.

    Without a gradient a dense weight is put together once and held: it counts one part in 128.

    >>> sizes = Sizes(in_modes=(2,), out_modes=(3,), in_ranks=(1,), out_ranks=(1,))
    >>> print(plan_of(Way(place="own", order=(0,)), sizes, 10, False).flops)
    120
    """
    ins = [(sizes.in_modes[n], sizes.in_ranks[n], f"input mode {n}") for n in way.order]
    outs = [
        (size, rank, f"output mode {n}")
        for n, (size, rank) in enumerate(zip(sizes.out_modes, sizes.out_ranks, strict=True))
    ]
    inside, before, after = placed(tuple(ins), tuple(outs), way.place)
    left, right = math.prod(sizes.in_ranks), math.prod(sizes.out_ranks)
    steps = []
    if not way.own_order:
        numbers = batch * math.prod(sizes.in_modes)
        steps.append(Step(name="inputs in another order", flops=0, elements=2 * numbers))
    build = list(_expansions("core", inside, left * right))
    held = way.place == "dense" and not training
    if not held:
        steps += build
    rows, columns = left, right
    if way.place in ("inputs", "dense"):
        rows = math.prod(sizes.in_modes)
    if way.place in ("outputs", "dense"):
        columns = math.prod(sizes.out_modes)
    steps += _projections(before, batch)
    middle = {"own": "core", "dense": "dense weight"}.get(way.place, "core with its factors")
    product = _product(middle, rows, columns, batch)
    steps.append(_with_a_share(product, build) if held else product)
    steps += _expansions("batch", after, batch * right)
    return Plan(
        name=way.name,
        batch=batch,
        steps=tuple(steps),
        chunk=_chunk(way, sizes, batch, training),
        training=training,
    )


def _chunk(way: Way, sizes: Sizes, batch: int, training: bool) -> int:
    """Rows that are taken at once, nearly as many each time; all of them if weights are built."""
    if way.place != "own":
        return batch
    row = math.prod(sizes.in_modes) + math.prod(sizes.out_modes)
    # Each chunk reads the core, and adds to its gradient.
    core = math.prod(sizes.in_ranks) * math.prod(sizes.out_ranks)
    count = max(1, batch * row // max(_CHUNK_ELEMENTS[training], 4 * core))
    return max(-(-batch // count), _LEAST_CHUNK)


def _with_a_share(product: Step, build: Sequence[Step]) -> Step:
    return Step(
        name=f"{product.name}, and one part in {_USES} of putting it together",
        flops=product.flops + sum(step.flops for step in build) // _USES,
        elements=product.elements + sum(step.elements for step in build) // _USES,
        short_side=product.short_side,
    )


def _projections(modes: Sequence[tuple[int, int, str]], batch: int) -> list[Step]:
    rest, steps = batch * math.prod(size for size, _, _ in modes), []
    for size, rank, name in reversed(modes):
        rest //= size
        steps.append(_product(f"batch with the factor of {name}", size, rank, rest))
        rest *= rank
    return steps


def _expansions(what: str, modes: Sequence[tuple[int, int, str]], numbers: int) -> Iterator[Step]:
    for size, rank, name in modes:
        numbers //= rank
        product = _product(f"{what} with the factor of {name}", rank, size, numbers)
        # The mode is the short side of the result as its columns, which is the slow way round.
        yield replace(product, short_side=max(1, min(rank, size // 4)))
        numbers *= size


def _product(name: str, rows: int, columns: int, rest: int) -> Step:
    """Matrix (rows, columns) and one with `rest` vectors."""
    return Step(
        name=name,
        flops=2 * rows * columns * rest,
        elements=rows * columns + (rows + columns) * rest,
        short_side=min(rows, columns),
    )
