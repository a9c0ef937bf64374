"""Each kind of classifier learns what it can learn: a density, a hidden order."""

import numpy as np
import pytest
import torch
from scipy.stats import binom

from phasenet.networks.architectures.registry import ARCHITECTURES, architecture_of, build
from phasenet.networks.readings import Readings
from phasenet.settings import TrainSettings

LENGTH = 12
ZEROS = (0.25, 0.5)
READINGS = Readings(site_dim=3, lost=False, bases=())
SMALL = {
    "convolutional": {},
    "mlp": {"width": 16},
    "gru": {"width": 16, "depth": 1},
    "transformer": {"width": 16, "depth": 1},
    "correlator": {},
    "train": {"bond": 6},
}


def density(shots, seed):
    """Independent sites; the second class has more zeros."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=shots)
    zero = rng.random((shots, LENGTH)) < np.asarray(ZEROS)[labels][:, None]
    return np.where(zero, 1, rng.choice([0, 2], size=(shots, LENGTH))), labels


def hidden(shots, seed):
    """Signs that alternate whatever the zeros between them; shuffled in the second class."""
    rng = np.random.default_rng(seed)
    zero = rng.random((shots, LENGTH)) < 0.4
    signs = (np.cumsum(~zero, axis=1) + rng.integers(2, size=(shots, 1))) % 2
    spins, labels = np.where(zero, 1, 2 * signs), rng.integers(2, size=shots)
    for shot in np.flatnonzero(labels):
        sites = np.flatnonzero(~zero[shot])
        spins[shot, sites] = spins[shot, rng.permutation(sites)]
    return spins, labels


def learned(kind, data, epochs, layers="dense", **changes):
    """Accuracy on other shots of the same kind."""
    values = {"architecture": kind, "layers": layers, **SMALL[kind], **changes}
    torch.manual_seed(0)
    net = build(architecture_of(TrainSettings.checked(values), READINGS, [LENGTH], 2))
    x, y = (torch.from_numpy(part) for part in data(2000, 0))
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(x)), 128):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimiser.step()
    spins, labels = (torch.from_numpy(part) for part in data(4000, 1))
    with torch.no_grad():
        return float((net(spins).argmax(dim=1) == labels).double().mean())


def best_density_accuracy():
    counts = np.arange(LENGTH + 1)
    few, many = (binom.pmf(counts, LENGTH, zero) for zero in ZEROS)
    return 0.5 * np.maximum(few, many).sum()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_all_kinds_learn_a_density(kind):
    best = best_density_accuracy()
    assert best - 0.04 < learned(kind, density, 6) < best + 0.03


@pytest.mark.slow
@pytest.mark.parametrize("layers", ["tucker", "mpo", "cp"])
@pytest.mark.parametrize("kind", ["mlp", "gru", "transformer", "convolutional"])
def test_tensorized_kinds_learn_a_density(kind, layers):
    changes = {"channels": (16, 16)} if kind == "convolutional" else {}
    accuracy = learned(kind, density, 6, layers, rank=3, **changes)
    assert accuracy > best_density_accuracy() - 0.05


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gru", "train"])
def test_kinds_with_a_memory_learn_a_hidden_order(kind):
    # Shuffled signs that happen to alternate cannot be told apart: about one shot in thirty.
    assert learned(kind, hidden, 14) > 0.94
