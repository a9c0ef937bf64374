"""What a network costs, and how often it is right."""

import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from phasenet.networks.compression.task import Labelled

_BLOCK = 4096
# Of one timing: enough shots to feel the network more than the call.
_TIMED_SHOTS = 256
_ROUNDS = 15


def parameters_of(network: nn.Module) -> int:
    """Numbers that a network holds.

    >>> parameters_of(nn.Linear(3, 2))
    8
    """
    return sum(parameter.numel() for parameter in network.parameters())


@torch.no_grad()
def flops_of(network: nn.Module, x: torch.Tensor) -> float:
    """Multiplications and additions of a shot in matrix products and convolutions.

    Counted on one batch, because a layer may be contracted in another order for a single shot.

    Parameters
    ----------
    network
        Of any kind; element by element work is not counted.
    x
        Some inputs, of which a few hundred are used.

    >>> flops_of(nn.Linear(3, 2), torch.zeros(5, 3))
    12.0
    """
    batch = x[:_TIMED_SHOTS]
    with FlopCounterMode(display=False) as counter:
        network(batch)
    return float(counter.get_total_flops()) / len(batch)


@torch.no_grad()
def outputs_of(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Logits in evaluation mode, in blocks, shape (shots, classes)."""
    training = network.training
    network.eval()
    found = torch.cat([network(block) for block in torch.split(x, _BLOCK)])
    network.train(training)
    return found


def accuracy_of(network: nn.Module, shots: Labelled) -> float:
    """Share of shots whose class has the largest logit."""
    right = outputs_of(network, shots.x).argmax(dim=1) == shots.y
    return float(right.float().mean())


def relative_time(
    function: Callable[[torch.Tensor], object],
    original: Callable[[torch.Tensor], object],
    x: torch.Tensor,
) -> float:
    """Time of a shot in times of a shot of the original: median of alternating calls.

    Both are called in turn on the same few hundred shots, so that whatever else the machine does
    slows both; the number is noisy all the same.
    """
    batch = x[:_TIMED_SHOTS]
    ratios = []
    with torch.no_grad():
        for lap in range(_ROUNDS + 2):
            seconds = [_seconds(f, batch) for f in (function, original)]
            if lap > 1:
                ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios)


def _seconds(function: Callable[[torch.Tensor], object], x: torch.Tensor) -> float:
    start = time.perf_counter()
    function(x)
    return time.perf_counter() - start
