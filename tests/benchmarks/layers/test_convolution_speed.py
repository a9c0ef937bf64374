"""Tensorized convolutions beside nn.Conv, in turns on the same inputs.

`pytest -n 0 -s -m benchmark tests/benchmarks/layers/test_convolution_speed.py` prints the ratios;
one thread, medians of processor time (others may use the machine).
"""

import statistics
import time

import pytest
import torch
from torch import nn

from phasenet.networks.layers.convolutions import TensorizedConvolution

SHAPES = {
    "Conv2d 64 -> 128, 3 x 3 on 14 x 14, batch 32": ((64, 128, (3, 3)), (32, 64, 14, 14)),
    "Conv2d 128 -> 256, 3 x 3 on 14 x 14, batch 32": ((128, 256, (3, 3)), (32, 128, 14, 14)),
    "Conv1d 8 -> 8, 3 on 32 sites, batch 256": ((8, 8, (3,)), (256, 8, 32)),
    "Conv1d 128 -> 128, 3 on 32 sites, batch 256": ((128, 128, (3,)), (256, 128, 32)),
}
SHARES = (1 / 8, 1 / 4, 1 / 2, 1)
SECONDS = 0.5

pytestmark = pytest.mark.benchmark


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def call(layer, x, gradient):
    if gradient is None:
        with torch.no_grad():
            layer(x)
    else:
        torch.autograd.grad(layer(x), [x, *layer.parameters()], gradient)


def in_turns(layers, x, gradient):
    """Median seconds of the first layer, and the median ratio of the second one to it."""
    for layer in layers:
        call(layer, x, gradient)
    times = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 5:
        start = time.process_time()
        call(layers[0], x, gradient)
        middle = time.process_time()
        call(layers[1], x, gradient)
        times.append((middle - start, time.process_time() - middle))
    return statistics.median(t[0] for t in times), statistics.median(t[1] / t[0] for t in times)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("form", ["tucker", "mpo", "cp"])
def test_time_beside_the_dense_convolution(name, form):
    (into, out, kernel), shape = SHAPES[name]
    torch.manual_seed(0)
    dense = (nn.Conv1d if len(kernel) == 1 else nn.Conv2d)(into, out, kernel, padding=1)
    x = torch.randn(shape, requires_grad=True)
    gradient = torch.randn_like(dense(x))
    print(f"\n{name}, {form}")
    for share in SHARES:
        layer = TensorizedConvolution.like(dense, form, max(1, round(share * into)))
        numbers = sum(p.numel() for p in layer.parameters())
        line = f"  ranks {layer.ranks!s:18} numbers {numbers / layer.dense_weight().numel():5.2f}"
        for what, given in (("forward", None), ("and backward", gradient)):
            seconds, ratio = in_turns([dense, layer], x, given)
            plan = layer.plan(shape[0], shape[2:], training=given is not None)
            line += f"  {what} {ratio:5.2f} of {1e3 * seconds:7.2f} ms ({plan.name})"
        print(line)
