"""A trained toy classifier: is there more up than down on a chain of eight sites?"""

import numpy as np
import pytest
import torch
from torch import nn

from phasenet.compression import CompressSettings
from phasenet.networks.architectures.registry import build
from phasenet.networks.compression.curve import Bench
from phasenet.networks.compression.narrow import narrow_architecture
from phasenet.networks.compression.task import Subject, task_of_arrays

ARCHITECTURE = {"kind": "mlp", "length": 9, "site_dim": 2, "width": 32, "depth": 2, "classes": 2}
QUICK = CompressSettings(
    ratios=(4.0,),
    seeds=2,
    heal_steps=20,
    epochs=1,
    scratch_epochs=3,
    batch=64,
    least_steps=1,
    samples=400,
)


@pytest.fixture(scope="session")
def bench():
    x = np.random.default_rng(0).integers(2, size=(2400, 9), dtype=np.uint8)
    task = task_of_arrays(x, (x.sum(axis=1) > 4).astype(int), None, seed=0)
    torch.manual_seed(0)
    network = build(ARCHITECTURE)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(task.train.x), task.train.y).backward()
        optimiser.step()
    network.eval().requires_grad_(True)

    def narrowed(share):
        values = narrow_architecture(ARCHITECTURE, share)
        return build(values), values

    subject = Subject(network=network, dense=network, architecture=ARCHITECTURE, narrowed=narrowed)
    return Bench(subject, task, QUICK, seed=0)
