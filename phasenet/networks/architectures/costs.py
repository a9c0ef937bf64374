"""What a classifier costs: its weights, and the arithmetic of one configuration."""

import copy
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Size of a network and its work for one shot.

    Parameters
    ----------
    parameters
        Number of weights.
    flops
        Multiplications and additions of one forward pass, two for each product, in products of
        matrices and convolutions; functions of single numbers are not counted.

    >>> print(Cost(parameters=12345, flops=1_230_000))
    12 345 parameters, 1.2 MFLOP a shot
    """

    parameters: int
    flops: int

    def __str__(self) -> str:
        number, unit = float(self.flops), "FLOP"
        for larger in ("kFLOP", "MFLOP", "GFLOP", "TFLOP"):
            if number < 1000:
                break
            number, unit = number / 1000, larger
        # Three digits say it all, and 999.96 would print as 1000.
        shown = f"{number:.1f}" if number < 99.95 and unit != "FLOP" else f"{number:.0f}"
        return f"{self.parameters:,}".replace(",", " ") + f" parameters, {shown} {unit} a shot"


def cost_of(network: nn.Module, length: int) -> Cost:
    """Cost of a network of local states, counted while it runs on one configuration.

    Parameters
    ----------
    network
        Takes integers of shape (shots, sites). Tensorized layers count as they are applied to one
        shot after others, with the dense weight or without, whichever they plan.
    length
        Number of sites.

    >>> from phasenet.networks.architectures.mlp import mlp
    >>> print(cost_of(mlp(length=32, site_dim=3, width=64, depth=2, classes=2), 32))
    10 498 parameters, 20.7 kFLOP a shot
    """
    ran = copy.deepcopy(network).eval()
    where = next(ran.parameters()).device
    shot = torch.zeros(1, length, dtype=torch.long, device=where)
    # The fused attention of a CPU is not counted; its products one by one are.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        # Layers put together what they hold for all further shots.
        ran(shot)
        with FlopCounterMode(display=False) as counter:
            ran(shot)
    weights = sum(weight.numel() for weight in ran.parameters())
    return Cost(parameters=weights, flops=counter.get_total_flops())
