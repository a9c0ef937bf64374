"""phasenet itself."""

from counting import Counted
from problem import Target

from peers.built import Built
from phasenet import tensorizer
from phasenet.settings import Method

_BUDGET = 1_000_000


def tensorize(target: Target, counted: Counted, seed: int) -> Built:
    """Return what the public call makes of a target."""
    return _built(target, counted, seed, "auto")


def sketch(target: Target, counted: Counted, seed: int) -> Built:
    """Return what sketching from samples makes of a target."""
    return _built(target, counted, seed, "sketch")


def _built(target: Target, counted: Counted, seed: int, method: Method) -> Built:
    found = tensorizer.tensorize(
        counted,
        samples=target.data(seed),
        site_dims=target.site_dims,
        tol=target.tol,
        max_rank=target.max_rank,
        seed=seed,
        max_evaluations=_BUDGET,
        method=method,
    )
    return Built(train=found.train, claim=found.outcome.name)
