"""A classifier of real digits, ten times smaller: by budget, healed and distilled."""

import pytest
import torch
from torch import nn

from phasenet.networks.healing import distill, fine_tune, heal, inputs_of
from phasenet.networks.layers.forms import dense_layers, forms_for, from_dense, replaced
from phasenet.networks.layers.ranks import allocate


def _digits():
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    x, y = torch.tensor(images, dtype=torch.float32)[order] / 16, torch.tensor(labels)[order]
    return [(x[a:b], y[a:b]) for a, b in ((0, 1000), (1000, 1300), (1300, None))]


def _accuracy(network, shots):
    with torch.no_grad():
        return float((network(shots[0]).argmax(1) == shots[1]).double().mean())


def _size(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.slow
def test_ten_times_fewer_parameters_keep_the_accuracy_better_by_budget_than_alike():
    train, validation, test = _digits()
    torch.manual_seed(0)
    layers = [nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)]
    dense = fine_tune(nn.Sequential(*layers), *train, epochs=30, batch=64, learning_rate=3e-3)
    assert _accuracy(dense, test) > 0.94
    seen, budget = inputs_of(dense, [train[0]]), _size(dense) // 10

    def smaller(forms):
        made = {
            name: from_dense(layer, forms[name], samples=seen[name])
            for name, layer in dense_layers(dense).items()
            if name in forms
        }
        return replaced(dense, made)

    def loss(network):
        return float(nn.functional.cross_entropy(network(validation[0]), validation[1]))

    def taught(network):
        healed = heal(network, dense, train[0].split(100), steps=200, learning_rate=1e-2)
        return distill(healed, dense, *train, epochs=30, batch=64, learning_rate=3e-3)

    chosen = smaller(allocate(dense, loss, "tucker", budget, samples=seen))
    alike = smaller(forms_for(dense, "tucker", ratio=12, samples=seen))
    assert _size(chosen) <= budget < 1.1 * _size(alike)
    accuracies = [_accuracy(taught(network), test) for network in (chosen, alike)]
    assert accuracies[0] > _accuracy(dense, test) - 0.05
    assert accuracies[0] > accuracies[1] + 0.05
