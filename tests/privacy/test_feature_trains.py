"""Trains over embedded features, against dense sums and against networks that they replace."""

import numpy as np
import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.privacy.feature_trains import (
    FeatureTrain,
    chain_product,
    tensorized_features,
    train_of,
)
from phasenet.tensorizer.embeddings import EmbeddedTrain, Embedding, Fourier, Polynomial
from phasenet.trains.gauge import general_gauge, unique_gauge
from phasenet.trains.train import TensorTrain


def random_train(
    rng: np.random.Generator, bonds: tuple[int, ...], dim: int, output_site: int, log_scale: float
) -> TensorTrain:
    outer = (1, *bonds, 1)
    cores = [rng.normal(size=(outer[k], dim, outer[k + 1])) for k in range(len(outer) - 1)]
    left, _, right = cores[output_site].shape
    cores[output_site] = rng.normal(size=(left, dim, right, 3))
    return TensorTrain(cores=tuple(cores), output_site=output_site, log_scale=log_scale)


@pytest.mark.parametrize("output_site", [0, 2, 5])
@pytest.mark.parametrize("embedding", [Polynomial(dim=2), Fourier(dim=3, period=2.0)])
def test_logits_are_those_of_the_dense_sum(output_site: int, embedding: Embedding) -> None:
    rng = np.random.default_rng(output_site)
    train = random_train(rng, (2, 4, 5, 3, 2), embedding.dim, output_site, log_scale=-1.5)
    network = FeatureTrain.of(train, embedding)
    points = rng.random((7, 6))
    vectors = embedding(points.reshape(-1)).reshape(7, 6, -1)
    states = np.indices(train.site_dims).reshape(6, -1).T
    weights = np.prod(vectors[:, np.arange(6), states], axis=2)
    dense = weights @ train(states)
    found = network(torch.from_numpy(points)).detach().numpy()
    assert np.allclose(found, dense, rtol=1e-11, atol=1e-11 * np.abs(dense).max())


def test_long_trains_keep_their_scale() -> None:
    rng = np.random.default_rng(0)
    train = random_train(rng, (5,) * 299, 2, 299, log_scale=-600.0)
    embedding = Polynomial(dim=2)
    points = rng.random((4, 300))
    wanted = EmbeddedTrain(train=train, embeddings=(embedding,) * 300)(points)
    found = FeatureTrain.of(train, embedding)(torch.from_numpy(points)).detach().numpy()
    assert np.allclose(found, wanted, rtol=1e-10)


def test_train_of_a_network_gives_its_cores_back() -> None:
    train = random_train(np.random.default_rng(1), (2, 4, 3, 2), 2, 1, log_scale=0.0)
    back = train_of(FeatureTrain.of(train, Polynomial(dim=2)))
    assert back.output_site == 1
    assert all(np.array_equal(a, b) for a, b in zip(back.cores, train.cores, strict=True))


def test_gauges_change_the_cores_and_not_the_logits() -> None:
    rng = np.random.default_rng(2)
    train = random_train(rng, (2, 4, 4, 2), 2, 4, log_scale=0.0)
    embedding, points = Polynomial(dim=2), torch.from_numpy(rng.random((9, 5)))
    turned = general_gauge(unique_gauge(train), rng, condition=100.0)
    before = FeatureTrain.of(train, embedding)(points)
    assert torch.allclose(FeatureTrain.of(turned, embedding)(points), before, rtol=1e-10)


def test_zeros_around_small_bonds_have_no_gradient() -> None:
    rng = np.random.default_rng(3)
    train = random_train(rng, (2, 4, 3, 2), 2, 4, log_scale=0.0)
    network = FeatureTrain.of(train, Polynomial(dim=2))
    points = torch.from_numpy(rng.random((8, 5)))
    torch.autograd.backward((network(points) ** 2).sum())
    assert network.cores.grad is not None
    assert torch.all((network.cores.grad == 0.0) == (network.cores == 0.0))


def test_chain_product_is_the_product() -> None:
    matrices = torch.from_numpy(np.random.default_rng(4).normal(size=(7, 3, 4, 4)))
    product, logs = chain_product(matrices)
    dense = torch.linalg.multi_dot([m[1] for m in matrices])
    assert torch.allclose(product[1] * logs[1].exp(), dense, rtol=1e-11)


@pytest.mark.parametrize("cut_in_two", [True, False])
def test_network_of_features_becomes_a_train(cut_in_two: bool) -> None:
    torch.manual_seed(0)
    layers = [nn.Linear(40, 12), nn.Softplus(), nn.Linear(12, 2)]
    network: nn.Module = nn.Sequential(*layers)
    if not cut_in_two:
        network = nn.Sequential(nn.Identity(), *layers)
    rng = np.random.default_rng(5)
    samples, fresh = rng.random((60, 40)), torch.from_numpy(rng.random((200, 40)))
    train = tensorized_features(network, samples, embedding=Polynomial(dim=3), max_rank=6)
    wanted = network.double()(fresh)
    error = (train(fresh) - wanted).norm() / wanted.norm()
    assert error < 0.03
    assert max(train.bonds) <= 6


def test_both_ways_to_ask_a_network_give_one_train() -> None:
    torch.manual_seed(1)
    layers = [nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 2)]
    samples = np.random.default_rng(6).random((30, 12))
    embedding = Polynomial(dim=2)
    one = tensorized_features(nn.Sequential(*layers), samples, embedding=embedding)
    two = tensorized_features(nn.Sequential(nn.Identity(), *layers), samples, embedding=embedding)
    x = torch.from_numpy(samples)
    assert torch.allclose(one(x), two(x), rtol=1e-6)


def test_train_without_a_class_leg_is_refused() -> None:
    train = TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)
    with pytest.raises(ShapeError, match="wanted a class leg and 2 at each site"):
        FeatureTrain.of(train, Polynomial(dim=2))


def test_no_samples_are_refused() -> None:
    with pytest.raises(SettingsError, match="got 0 samples"):
        tensorized_features(
            nn.Sequential(nn.Linear(3, 2)), np.zeros((0, 3)), embedding=Polynomial(dim=2)
        )
