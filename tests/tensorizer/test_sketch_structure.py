"""How often, and in which parts, sketching evaluates a function."""

import numpy as np
import pytest

from phasenet.tensorizer.sketch import sketch, sketch_plain
from phasenet.tensorizer.sketch_blocks import StructuredFunction


def uniform(length, shots, *, seed=0):
    return np.random.default_rng(seed).integers(2, size=(shots, length))


class Recorder:
    """Function that remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, x):
        self.asked.append(x.copy())
        return np.cos((x * np.arange(1, 11) ** 2).sum(axis=1) / 7)


@pytest.mark.parametrize("method", [sketch, sketch_plain])
def test_evaluations_are_distinct_configurations(method):
    recorder = Recorder()
    found = method(recorder, samples=uniform(10, 9), site_dims=[2] * 10, max_rank=4)
    # The last batch is that of the error.
    asked = np.concatenate(recorder.asked[:-1])
    assert found.evaluations == len(np.unique(asked, axis=0))
    if method is sketch_plain:
        # The blocks of neighbouring sites overlap; nothing is asked for twice.
        assert found.evaluations == len(asked)


class Ising:
    """exp(-energy) of a chain, by its halves: features are their weight and their inner end."""

    def __init__(self):
        self.whole = 0

    def __call__(self, x):
        self.whole += len(x)
        return self.pairs(self.prefixes(x), self.suffixes(x[:, :0]))

    def prefixes(self, x):
        spins = 1 - 2 * x
        weights = np.exp(0.3 * (spins[:, 1:] * spins[:, :-1]).sum(axis=1))
        return np.stack([weights, spins[:, -1] if x.shape[1] else np.zeros(len(x))], axis=1)

    def suffixes(self, x):
        spins = 1 - 2 * x
        weights = np.exp(0.3 * (spins[:, 1:] * spins[:, :-1]).sum(axis=1))
        return np.stack([weights, spins[:, 0] if x.shape[1] else np.zeros(len(x))], axis=1)

    def pairs(self, left, right):
        return left[:, 0] * right[:, 0] * np.exp(0.3 * left[:, 1] * right[:, 1])


@pytest.mark.parametrize("method", [sketch, sketch_plain])
def test_functions_with_structure_are_evaluated_by_their_parts(method):
    function = Ising()
    assert isinstance(function, StructuredFunction)
    found = method(function, samples=uniform(14, 12), site_dims=[2] * 14, max_rank=8)
    assert function.whole <= 256 + 1
    fresh = uniform(14, 200, seed=5)
    assert np.abs(found.train(fresh) / function(fresh) - 1.0).max() < 1e-10
    assert sum(found.train.bond_dims) >= 2 * 13
