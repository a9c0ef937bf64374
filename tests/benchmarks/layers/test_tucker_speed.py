"""Speed of the Tucker layer beside nn.Linear and tensorly-torch, as ratios of one run.

`pytest -n 0 -s -m benchmark tests/benchmarks/layers/test_tucker_speed.py` prints the tables; one
thread, everything in turn, medians of the ratios of processor time (others may use the machine).
"""

import statistics
import time

import pytest
import torch
from torch import nn

from phasenet.networks.layers.tucker import TuckerLinear
from phasenet.networks.layers.tucker_contraction import tucker_linear
from tests.benchmarks.layers.turns import in_turn, passes

pytestmark = pytest.mark.benchmark

ROWS, BATCH, EPOCHS = 8064, 128, 9
SHAPES = {
    "784 -> 300, ranks 5 5 10": ((28, 28), (300,), (5, 5, 10)),
    "784 -> 300, ranks 26 26 280": ((28, 28), (300,), (26, 26, 280)),
    "4096 -> 4096, rank 6": ((16, 16, 16), (16, 16, 16), 6),
    "4096 -> 4096, rank 15": ((16, 16, 16), (16, 16, 16), 15),
    "1024 -> 1024, rank 8": ((32, 32), (32, 32), 8),
    "1024 -> 1024, rank 30": ((32, 32), (32, 32), 30),
    "512 -> 64, rank 3": ((8, 8, 8), (8, 8), 3),
    "512 -> 64, rank 7": ((8, 8, 8), (8, 8), 7),
    "64 -> 64, rank 2": ((8, 8), (8, 8), 2),
    "64 -> 64, rank 7": ((8, 8), (8, 8), 7),
}
BATCHES = (1, 32, 128, 512)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class PlainTucker(nn.Module):
    """The same layer, its gradients by autograd, the input modes one after the other."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        one = self.layer
        ins, outs = tuple(one.in_factors), tuple(one.out_factors)
        return tucker_linear(x, one.core, ins, outs, one.bias, "own")


def tensorly_layer():
    tensorly = pytest.importorskip("tensorly")
    tensorly.set_backend("pytorch")
    pytest.importorskip("opt_einsum")
    tltorch = pytest.importorskip("tltorch")
    return tltorch.FactorizedLinear(
        (28, 28),
        (1, 300),
        bias=True,
        factorization="tucker",
        rank=(1, 10, 5, 5),
        implementation="factorized",
    )


def classifier(first):
    return nn.Sequential(first, nn.ReLU(), nn.Linear(300, 10))


def one_epoch(network, optimiser, x, labels):
    start = time.process_time()
    for rows, wanted in zip(x.split(BATCH), labels.split(BATCH), strict=True):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(rows), wanted).backward()
        optimiser.step()
    return time.process_time() - start


def test_epoch_of_784_300_10():
    torch.manual_seed(0)
    x, labels = torch.rand(ROWS, 784), torch.randint(10, (ROWS,))
    layer = TuckerLinear((28, 28), (300,), (5, 5, 10))
    firsts = {
        "nn.Linear": nn.Linear(784, 300),
        "TuckerLinear": layer,
        "the same by autograd": PlainTucker(TuckerLinear((28, 28), (300,), (5, 5, 10))),
        "low rank 10, two nn.Linear": nn.Sequential(
            nn.Linear(784, 10, bias=False), nn.Linear(10, 300)
        ),
        "tensorly-torch, opt_einsum": tensorly_layer(),
    }
    networks = {name: classifier(first) for name, first in firsts.items()}
    optimisers = {name: torch.optim.Adam(n.parameters(), lr=1e-3) for name, n in networks.items()}
    seconds = {name: [] for name in networks}
    for _ in range(EPOCHS):
        for name, network in networks.items():
            seconds[name].append(one_epoch(network, optimisers[name], x, labels))
    print(f"\nepoch of 784-300-10, {ROWS} rows, batch {BATCH}")
    for name, times in seconds.items():
        ratios = [
            statistics.median(a / b for a, b in zip(times[1:], other[1:], strict=True))
            for other in (seconds["nn.Linear"], seconds["tensorly-torch, opt_einsum"])
        ]
        print(
            f"  {name:28} {min(times):7.3f} s, {ratios[0]:5.2f} of nn.Linear, "
            f"{ratios[1]:5.2f} of tensorly-torch"
        )
    print(layer.plan(BATCH))


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("name", SHAPES)
def test_layer(name, training):
    torch.manual_seed(0)
    in_modes, out_modes, ranks = SHAPES[name]
    layer = TuckerLinear(in_modes, out_modes, ranks)
    dense = nn.Linear(layer.in_features, layer.out_features)
    for batch in BATCHES:
        x = torch.randn(batch, layer.in_features, requires_grad=training)
        delta = torch.randn(batch, layer.out_features)
        ours, theirs = (passes(one, x, delta, training) for one in (layer, dense))
        (_, ratio), least = in_turn([theirs, ours])
        print(
            f"\n{name:28} {'forward+backward' if training else 'forward':17} batch {batch:4} "
            f"{1e6 * least[1]:9.0f} us, {ratio:6.3f} of nn.Linear; "
            f"{layer.plan(batch, training=training).name}",
            end="",
        )
