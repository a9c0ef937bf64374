"""Functions in turn, so that whatever else the machine does slows all of them alike."""

import statistics
import time

import torch


def passes(layer, x, delta, training):
    """One pass as a function: forward, and backward to the inputs and all parameters."""
    if training:
        wanted = [x, *layer.parameters()]
        return lambda: torch.autograd.grad(layer(x), wanted, delta)

    def forward():
        with torch.no_grad():
            return layer(x)

    return forward


def in_turn(functions, seconds=0.6, rounds=9):
    """Median ratio of the time of each function to that of the first, and its least time."""
    times = []
    for function in functions:
        function()
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    count = max(1, int(seconds / rounds / max(sum(times), 1e-6)))
    took = [[] for _ in functions]
    for _ in range(rounds):
        for function, mine in zip(functions, took, strict=True):
            start = time.process_time()
            for _ in range(count):
                function()
            mine.append((time.process_time() - start) / count)
    ratios = [statistics.median(a / b for a, b in zip(mine, took[0], strict=True)) for mine in took]
    return ratios, [min(mine) for mine in took]
