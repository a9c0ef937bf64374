"""More rank never means more error, on every target."""

from itertools import pairwise

import numpy as np
import pytest
from targets import TARGETS

from phasenet import tensorizer

RANKS = (2, 4, 8, 16, 32)
# The same functions at more sites, and one that takes minutes.
SKIPPED = ("aklt200", "aklt500", "local_n100", "local_n200", "local_n400", "slater")
# Trains of neighbouring ranks come from other pivots.
NOISE = 1.15


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TARGETS if name not in SKIPPED])
def test_the_error_falls_with_the_rank(name):
    target = TARGETS[name]()
    wanted = target.function(target.held_out)
    errors = []
    for rank in RANKS:
        found = tensorizer.tensorize(
            target.function,
            samples=target.data(0),
            site_dims=target.site_dims,
            tol=target.tol,
            max_rank=rank,
        )
        off = np.linalg.norm(found.train(target.held_out) - wanted) / np.linalg.norm(wanted)
        errors.append(max(float(off), target.tol))
    for before, after in pairwise(errors):
        assert after < NOISE * before, errors
    assert errors[0] < NOISE
