"""Real digits, those that come with scikit-learn: layers learn them from random weights."""

import pytest
import torch
from torch import nn

from phasenet.networks.layers import CPLinear, MPOLinear, TuckerLinear

LAYERS = {
    "tucker": lambda: TuckerLinear((8, 8), (48,), (4, 4, 10)),
    "mpo": lambda: MPOLinear((8, 8), (8, 6), (4,)),
    "cp": lambda: CPLinear((8, 8), (48,), (12,)),
}


@pytest.fixture(scope="module")
def digits():
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return torch.tensor(images, dtype=torch.float32)[order] / 16, torch.tensor(labels)[order]


@pytest.mark.parametrize("name", LAYERS)
def test_a_quarter_of_the_weights_learns_digits(digits, name):
    torch.manual_seed(0)
    x, y = digits
    layer = LAYERS[name]()
    assert sum(p.numel() for n, p in layer.named_parameters() if n != "bias") <= 64 * 48 / 4
    network = nn.Sequential(layer, nn.ReLU(), nn.Linear(48, 10))
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(12):
        for rows in torch.randperm(1200).split(50):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimiser.step()
    with torch.no_grad():
        right = (network(x[1200:]).argmax(dim=1) == y[1200:]).double().mean()
    assert right > 0.92
