"""Speed of the MPO and CP layers beside nn.Linear and two peers, as ratios of one run.

`pytest -n 0 -s -m benchmark tests/benchmarks/layers/test_mpo_speed.py` prints the tables; one
thread, everything in turn, medians of ratios of processor time (others may use the machine). A
pass is forward and backward to the parameters and the inputs, or forward alone without gradients.
"""

import statistics
import time
import warnings
from importlib.metadata import version

import pytest
import torch
from torch import nn

from phasenet.networks.layers.cp import CPLinear
from phasenet.networks.layers.mpo import MPOLinear

# The peers warn, of themselves.
from tests.benchmarks.layers.turns import in_turn, passes

pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("ignore")]

BATCHES = (1, 32, 128, 512)
SHAPES = {
    "784 -> 300": ((28, 28), (15, 20), 4),
    "1024 -> 1024": ((32, 32), (32, 32), 8),
    "4096 -> 4096": ((16, 16, 16), (16, 16, 16), 8),
    "512 -> 64": ((32, 16), (8, 8), 4),
    "64 -> 64": ((8, 8), (8, 8), 4),
}
CP_SHAPES = {
    "784 -> 300": ((28, 28), (300,), 10),
    "1024 -> 1024": ((32, 32), (32, 32), 64),
    "4096 -> 4096": ((16, 16, 16), (16, 16, 16), 64),
    "512 -> 64": ((8, 8, 8), (8, 8), 16),
    "64 -> 64": ((8, 8), (8, 8), 16),
}


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def peers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensorly = pytest.importorskip("tensorly")
        pytest.importorskip("opt_einsum")
        tensorly.set_backend("pytorch")
        tltorch = pytest.importorskip("tltorch")
        torchtt_nn = pytest.importorskip("torchtt.nn")
    names = ("torch", "tensorly-torch", "tensorly", "opt_einsum", "torchTT")
    print("\n" + ", ".join(f"{name} {version(name)}" for name in names))
    return tltorch, torchtt_nn


class TorchTT(nn.Module):
    """Layer of torchTT, whose inputs and outputs have an axis for each mode."""

    def __init__(self, kind, ours):
        super().__init__()
        self.modes, self.out_features = ours.in_modes, ours.out_features
        self.layer = kind(list(ours.in_modes), list(ours.out_modes), [1, *ours.ranks, 1])

    def forward(self, x):
        return self.layer(x.reshape(-1, *self.modes)).reshape(-1, self.out_features)


def same_layers(peers, ours):
    """Layers of tensorly-torch and torchTT with the weight of ours."""
    tltorch, torchtt_nn = peers
    block = tltorch.FactorizedLinear(
        ours.in_modes,
        ours.out_modes,
        factorization="blocktt",
        rank=[1, *ours.ranks, 1],
        implementation="factorized",
    )
    other = TorchTT(torchtt_nn.LinearLayerTT, ours)
    with torch.no_grad():
        for mine, theirs in zip(ours.cores, block.weight.factors, strict=True):
            theirs.copy_(mine)
        for mine, theirs in zip(ours.cores, other.layer.cores, strict=True):
            theirs.copy_(mine)
        block.bias.copy_(ours.bias)
        other.layer.bias.copy_(ours.bias.reshape(other.layer.bias.shape))
    return {"BlockTT": block, "torchTT": other}


def table(layers, ours, training):
    """Lines of a table; the first layer is nn.Linear."""
    dense = layers["nn.Linear"]
    for batch in BATCHES:
        x = torch.randn(batch, dense.in_features, requires_grad=training)
        delta = torch.randn(batch, dense.out_features)
        ratios, least = in_turn([passes(layer, x, delta, training) for layer in layers.values()])
        shown = ", ".join(
            f"{name} {ratio:5.2f}" for name, ratio in list(zip(layers, ratios, strict=True))[1:]
        )
        print(
            f"  {'training' if training else 'inference'} batch {batch:4}: nn.Linear "
            f"{1e6 * least[0]:8.0f} us; {shown}; {ours.plan(batch, training=training).name}"
        )


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("name", SHAPES)
def test_mpo(peers, name, training):
    torch.manual_seed(0)
    ours = MPOLinear(*SHAPES[name])
    layers = same_layers(peers, ours)
    x = torch.randn(3, ours.in_features)
    for other in layers.values():
        torch.testing.assert_close(other(x), ours(x), rtol=1e-3, atol=1e-4)
    dense = nn.Linear(ours.in_features, ours.out_features)
    print(f"\nMPO {name}, bonds {ours.ranks}, ratios to nn.Linear")
    table({"nn.Linear": dense, "MPOLinear": ours, **layers}, ours, training)


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("name", CP_SHAPES)
def test_cp(name, training):
    torch.manual_seed(0)
    ours = CPLinear(*CP_SHAPES[name])
    x = torch.randn(3, ours.in_features)
    torch.testing.assert_close(
        ours(x), nn.functional.linear(x, ours.dense_weight(), ours.bias), rtol=1e-3, atol=1e-4
    )
    dense = nn.Linear(ours.in_features, ours.out_features)
    print(f"\nCP {name}, rank {ours.ranks[0]}, ratios to nn.Linear")
    table({"nn.Linear": dense, "CPLinear": ours}, ours, training)


def one_epoch(network, optimiser, x, labels):
    start = time.process_time()
    for rows, wanted in zip(x.split(128), labels.split(128), strict=True):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(rows), wanted).backward()
        optimiser.step()
    return time.process_time() - start


def test_epoch_of_784_300_10(peers):
    torch.manual_seed(0)
    x, labels = torch.rand(8064, 784), torch.randint(10, (8064,))
    ours = MPOLinear((28, 28), (15, 20), 4)
    firsts = {
        "nn.Linear": nn.Linear(784, 300),
        "MPOLinear": ours,
        "CPLinear": CPLinear((28, 28), (300,), 10),
        **same_layers(peers, ours),
    }
    networks = [nn.Sequential(f, nn.ReLU(), nn.Linear(300, 10)) for f in firsts.values()]
    optimisers = [torch.optim.Adam(n.parameters(), lr=1e-3) for n in networks]
    seconds = [[] for _ in networks]
    for _ in range(9):
        for network, optimiser, took in zip(networks, optimisers, seconds, strict=True):
            took.append(one_epoch(network, optimiser, x, labels))
    print("\nepoch of 784-300-10, 8064 rows, batch 128, Adam")
    for name, took in zip(firsts, seconds, strict=True):
        ratio = statistics.median(a / b for a, b in zip(took[1:], seconds[0][1:], strict=True))
        print(f"  {name:10} {min(took):6.3f} s, {ratio:5.2f} of nn.Linear")
