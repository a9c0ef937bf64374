"""A trained network keeps its accuracy when its layers are replaced and trained on for an epoch."""

import pytest
import torch
from torch import nn

from phasenet.networks.layers.convolutions import TensorizedConvolution
from phasenet.networks.layers.forms import dense_layers, from_dense, replaced
from tests.benchmarks.ttl.vgg import small_vgg, small_vgg_forms

SIDE, TRAIN = 8, 1200


def digits():
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(images, dtype=torch.float32).reshape(-1, 1, SIDE, SIDE)[order] / 16
    y = torch.tensor(labels)[order]
    return x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:]


def train(network, x, y, epochs, rate):
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(25):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimizer.step()


def accuracy(network, x, y):
    with torch.no_grad():
        return float((network(x).argmax(1) == y).float().mean())


def inputs_of(network, x):
    """Inputs of every layer that has a tensorized form."""
    seen = {}
    hooks = [
        layer.register_forward_pre_hook(lambda _, given, name=name: seen.update({name: given[0]}))
        for name, layer in dense_layers(network).items()
    ]
    with torch.no_grad():
        network(x)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    x, y, test_x, test_y = digits()
    network = small_vgg(10, side=SIDE)
    train(network, x, y, epochs=8, rate=1e-3)
    assert accuracy(network, test_x, test_y) > 0.93
    return network


@pytest.mark.slow
@pytest.mark.parametrize("form", ["tucker", "mpo", "cp"])
def test_all_layers_replaced(trained, form):
    torch.manual_seed(1)
    x, y, test_x, test_y = digits()
    samples = inputs_of(trained, x[:300])
    forms = small_vgg_forms(form, 0.25, side=SIDE)
    layers = dense_layers(trained)
    small = replaced(
        trained,
        {name: from_dense(layers[name], f, samples=samples[name]) for name, f in forms.items()},
    )
    assert sum(isinstance(m, TensorizedConvolution) for m in small.modules()) == 4
    before, after = (sum(p.numel() for p in n.parameters()) for n in (trained, small))
    at_once = accuracy(small, test_x, test_y)
    train(small, x, y, epochs=1, rate=2e-4)
    tuned = accuracy(small, test_x, test_y)
    print(f"{form}: {before / after:.1f}-fold, {at_once:.3f} at once, {tuned:.3f} after an epoch")
    assert before > 4 * after
    assert tuned > accuracy(trained, test_x, test_y) - 0.03
