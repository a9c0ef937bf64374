"""Functions given by their logarithm, beyond the range of floating-point numbers."""

import dataclasses

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.phases.exact import aklt_chain
from phasenet.tensorizer import Outcome, exponential, tensorize
from phasenet.trains.born import sample_born
from phasenet.trains.inner import relative_distance


def aklt_logarithm(x):
    """Logarithm of the AKLT amplitude: signs alternate, and each site has its own weight."""
    heights = np.cumsum(1 - x, axis=1)
    nonzero = (heights.min(axis=1) >= 0) & (heights.max(axis=1) <= 1) & (heights[:, -1] == 0)
    neutral = (x == 1).sum(axis=1)
    minus = ((x == 1) & (heights == 0)).sum(axis=1) + (x == 2).sum(axis=1)
    size = 0.5 * ((x.shape[1] - neutral) * np.log(2 / 3) + neutral * np.log(1 / 3))
    return np.where(nonzero, size + 1j * np.pi * (minus % 2), -np.inf)


@pytest.mark.slow
def test_amplitudes_that_underflow_come_out_exact():
    exact = aklt_chain(2400)
    samples, _ = sample_born(exact, 600, np.random.default_rng(0))
    assert np.abs(exact(samples)).max() < 1e-290
    function, unit = exponential(aklt_logarithm, samples=samples)
    found = tensorize(function, samples=samples, site_dims=exact.site_dims, tol=1e-8)
    train = dataclasses.replace(found.train, log_scale=found.train.log_scale + unit)
    assert found.outcome is Outcome.CONVERGED
    assert relative_distance(train, exact) < 1e-9


def test_a_function_that_vanishes_on_all_samples_is_an_error():
    with pytest.raises(SettingsError, match="largest logarithm on 3 samples is -inf"):
        exponential(lambda x: np.full(len(x), -np.inf), samples=np.zeros((3, 4), dtype=int))
