"""Cost of a dense weight that is put together once and held."""

from collections.abc import Sequence

from phasenet.networks.layers.plan import Step

# Batches to which the weight is applied, at least, before it is put together anew.
_USES = 16


def held_product(product: Step, making: Sequence[Step]) -> Step:
    """Product with a held weight, and one part in 16 of what it takes to put it together.

    >>> product, making = (Step(name=n, flops=160, elements=16) for n in ("dense weight", "sites"))
    >>> held_product(product, [making]).flops
    170
    """
    return Step(
        name=f"{product.name}, and one part in {_USES} of putting it together",
        flops=product.flops + sum(step.flops for step in making) // _USES,
        elements=product.elements + sum(step.elements for step in making) // _USES,
        short_side=product.short_side,
    )
