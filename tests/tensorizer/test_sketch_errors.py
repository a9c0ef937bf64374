"""What sketching refuses."""

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.tensorizer.embeddings import Polynomial
from phasenet.tensorizer.sketch import sketch, sketch_continuous, sketch_plain
from phasenet.trains.train import TensorTrain

SAMPLES = np.random.default_rng(0).integers(2, size=(5, 4))
FIVE_SITES = TensorTrain(cores=(np.ones((1, 2, 1)),) * 5)


def parity(x):
    return 1.0 - 2.0 * (x.sum(axis=1) % 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tol": 0.0}, "tol is 0.0"),
        ({"max_rank": 0}, "max_rank is 0"),
        ({"oversampling": 0.5}, "oversampling is 0.5"),
        ({"samples": np.zeros((0, 4), dtype=int)}, "no samples"),
        ({"site_dims": []}, "every site needs at least one state"),
    ],
)
def test_settings_that_cannot_be_used(change, words):
    given = {"samples": SAMPLES, "site_dims": [2] * 4} | change
    with pytest.raises(SettingsError, match=words):
        sketch(parity, **given)


def test_shares_that_cannot_be_used():
    for share in (0.0, 1.5):
        with pytest.raises(SettingsError, match="cumulative is"):
            sketch_plain(
                parity,
                samples=SAMPLES,
                site_dims=[2] * 4,
                max_rank=2,
                cumulative=share,
            )


@pytest.mark.parametrize(
    ("function", "kind", "words"),
    [
        (lambda x: np.zeros(3), ShapeError, r"returned shape \(3,\)"),
        (lambda x: np.array(["a"] * len(x)), ShapeError, "wanted numbers"),
        (lambda x: np.full(len(x), np.nan), SettingsError, "not finite"),
        (FIVE_SITES, ShapeError, "train to sketch"),
    ],
)
def test_functions_that_cannot_be_used(function, kind, words):
    with pytest.raises(kind, match=words):
        sketch(function, samples=SAMPLES, site_dims=[2] * 4)


def test_domains_that_cannot_be_used():
    samples = np.random.default_rng(0).random(size=(9, 2))
    function = lambda x: x.sum(axis=1)  # noqa: E731
    with pytest.raises(SettingsError, match="domain of variable 1 has 1 values"):
        sketch_continuous(
            function,
            samples=samples,
            embeddings=[Polynomial(dim=2)] * 2,
            domains=[np.array([0.0, 1.0]), np.array([0.0])],
        )
    with pytest.raises(SettingsError, match="1 domains for 2 variables"):
        sketch_continuous(
            function,
            samples=samples,
            embeddings=[Polynomial(dim=2)] * 2,
            domains=[np.array([0.0, 1.0])],
        )
    with pytest.raises(SettingsError, match="there are no samples"):
        sketch_continuous(function, samples=samples[:0], embeddings=[Polynomial(dim=2)] * 2)
