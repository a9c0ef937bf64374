"""phasenet itself."""

from counting import Counted
from problem import Target

from peers.built import Built
from phasenet import tensorizer

_BUDGET = 1_000_000


def tensorize(target: Target, counted: Counted, seed: int) -> Built:
    """Return what the public call makes of a target."""
    found = tensorizer.tensorize(
        counted,
        samples=target.data(seed),
        site_dims=target.site_dims,
        tol=target.tol,
        max_rank=target.max_rank,
        seed=seed,
        max_evaluations=_BUDGET,
    )
    return Built(train=found.train, claim=found.outcome.name)


def sketch(target: Target, counted: Counted, seed: int) -> Built:
    """Return what sketching from samples makes of a target."""
    found = tensorizer.tensorize(
        counted,
        samples=target.data(seed),
        site_dims=target.site_dims,
        tol=target.tol,
        max_rank=target.max_rank,
        seed=seed,
        max_evaluations=_BUDGET,
        method="sketch",
    )
    return Built(train=found.train, claim=found.outcome.name)
