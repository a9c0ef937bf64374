"""A multi-layer perceptron over the one-hot local states of a whole chain.

It is a plain Sequential that starts with
:class:`~phasenet.networks.linear_first.OneHotLinear`, so that
:func:`~phasenet.networks.functions.logits_function` cuts it in two anywhere.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from phasenet.networks.architectures.architecture import Architecture, count
from phasenet.networks.linear_first import OneHotLinear
from phasenet.settings import TrainSettings


def mlp(*, length: int, site_dim: int, width: int, depth: int, classes: int) -> nn.Sequential:
    """Network of hidden layers with SiLU between them, from local states to logits.

    Parameters
    ----------
    length
        Number of sites.
    site_dim
        Number of local states.
    width
        Outputs of each hidden layer.
    depth
        Number of hidden layers, the one over the local states among them.
    classes
        Number of outputs.

    >>> import torch
    >>> network = mlp(length=6, site_dim=3, width=8, depth=2, classes=2)
    >>> tuple(network(torch.zeros(5, 6, dtype=torch.long)).shape)
    (5, 2)
    """
    layers: list[nn.Module] = [OneHotLinear(length=length, site_dim=site_dim, width=width)]
    for _ in range(depth - 1):
        layers += [nn.SiLU(), nn.Linear(width, width)]
    return nn.Sequential(*layers, nn.SiLU(), nn.Linear(width, classes))


def _values(settings: TrainSettings, site_dim: int, lengths: Sequence[int]) -> dict[str, Any]:
    return {"length": lengths[0], "width": settings.width, "depth": settings.depth}


def _make(architecture: Mapping[str, Any]) -> nn.Sequential:
    return mlp(
        length=count(architecture, "length"),
        site_dim=count(architecture, "site_dim"),
        width=count(architecture, "width"),
        depth=count(architecture, "depth"),
        classes=count(architecture, "classes"),
    )


MLP = Architecture(uses=("width", "depth"), one_length=True, values=_values, make=_make)
