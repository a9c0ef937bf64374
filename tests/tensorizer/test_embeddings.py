"""Embeddings, and trains over them, against sums written out."""

import itertools

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.tensorizer.embeddings import (
    Basis,
    EmbeddedTrain,
    Fourier,
    Polynomial,
    spread_domain,
)
from phasenet.trains.train import TensorTrain


def test_functions_of_each_kind():
    x = np.array([0.0, 0.25, 2.0])
    assert np.allclose(Polynomial(dim=4)(x), np.stack([x**k for k in range(4)], axis=1))
    turned = 2 * np.pi * x / 3
    modes = [np.ones(3), np.cos(turned), np.sin(turned), np.cos(2 * turned), np.sin(2 * turned)]
    assert np.allclose(Fourier(dim=5, period=3.0)(x), np.stack(modes, axis=1))
    assert Basis(dim=3)(np.array([2, 0])).tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("output_site", [None, 0, 1, 2])
def test_value_is_the_sum_over_all_indices(output_site):
    rng = np.random.default_rng(0)
    shapes = [(1, 2, 3), (3, 3, 2), (2, 4, 1)]
    cores = tuple(
        rng.normal(size=(*shape, 5) if site == output_site else shape)
        for site, shape in enumerate(shapes)
    )
    train = TensorTrain(cores=cores, output_site=output_site, log_scale=0.7)
    embeddings = (Basis(dim=2), Fourier(dim=3), Polynomial(dim=4))
    points = np.stack([rng.integers(2, size=6), rng.random(6), rng.normal(size=6)], axis=1)
    vectors = [e(points[:, k]) for k, e in enumerate(embeddings)]
    wanted = 0.0
    for index in itertools.product(range(2), range(3), range(4)):
        weight = np.prod([v[:, i] for v, i in zip(vectors, index, strict=True)], axis=0)
        wanted = wanted + np.multiply.outer(weight, train(np.array([index]))[0])
    assert np.allclose(EmbeddedTrain(train=train, embeddings=embeddings)(points), wanted)


def test_long_trains_do_not_underflow():
    core = np.full((1, 2, 1), 1e-3)
    train = TensorTrain(cores=(core,) * 200, log_scale=200 * np.log(1e3))
    embedded = EmbeddedTrain(train=train, embeddings=(Basis(dim=2),) * 200)
    assert embedded(np.zeros((3, 200))) == pytest.approx(np.ones(3))


def test_domains_are_values_that_were_found():
    found = np.random.default_rng(0).normal(size=200)
    domain = spread_domain(found, Polynomial(dim=5))
    assert len(domain) == 10
    assert np.isin(domain, found).all()
    assert domain[0] == found.min()
    assert domain[-1] == found.max()
    assert spread_domain([3.0, 1.0, 3.0], Polynomial(dim=4)).tolist() == [1.0, 3.0]
    assert spread_domain([1.0], Basis(dim=3)).tolist() == [0.0, 1.0, 2.0]


def test_domains_of_clustered_values_stay_large_enough():
    found = np.concatenate((np.linspace(0.0, 1e-6, 50), [1.0]))
    assert len(spread_domain(found, Polynomial(dim=4))) == 8


def test_embeddings_that_cannot_be_used():
    with pytest.raises(SettingsError, match="dimension of an embedding is 0"):
        Polynomial(dim=0)
    with pytest.raises(SettingsError, match="period of an embedding is 0"):
        Fourier(dim=3, period=0.0)
    with pytest.raises(SettingsError, match=r"outside 0 \.\. 1"):
        Basis(dim=2)([0.5])
    train = TensorTrain(cores=(np.ones((1, 2, 1)),) * 2)
    with pytest.raises(ShapeError, match="embeddings have dimensions"):
        EmbeddedTrain(train=train, embeddings=(Basis(dim=2),))
    embedded = EmbeddedTrain(train=train, embeddings=(Basis(dim=2),) * 2)
    with pytest.raises(ShapeError, match=r"wanted \(shots, 2\)"):
        embedded(np.zeros((3, 4)))
    with pytest.raises(ShapeError, match="finite"):
        embedded(np.full((3, 2), np.inf))
