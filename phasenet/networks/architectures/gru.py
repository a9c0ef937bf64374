r"""A gated recurrent network along the chain, made of linear layers only.

With input :math:`x`, state :math:`h` and two linear maps :math:`a = A x`, :math:`b = B h`, each in
three parts (Cho et al., arXiv:1406.1078, as torch.nn.GRU has it):
:math:`r = \sigma(a_r + b_r)`, :math:`z = \sigma(a_z + b_z)`, :math:`n = \tanh(a_n + r b_n)` and
:math:`h' = (1 - z) n + z h`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from phasenet.networks.architectures.architecture import Architecture, count, one_hot
from phasenet.settings import TrainSettings


class GatedLayer(nn.Module):
    """One recurrent layer: all inputs go through one linear layer at once, the state through one.

    Parameters
    ----------
    inputs
        Numbers at each site.
    width
        Numbers of the state.
    """

    def __init__(self, *, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.inputs = nn.Linear(inputs, 3 * width)
        self.state = nn.Linear(width, 3 * width)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """States after each site, shape (sites, shots, width), of (sites, shots, inputs)."""
        given = self.inputs(values)
        state = given.new_zeros(given.shape[1], self.width)
        states = []
        for here in given.unbind(0):
            carried = self.state(state)
            two = 2 * self.width
            gates = torch.sigmoid(here[:, :two] + carried[:, :two])
            reset, keep = gates.chunk(2, dim=1)
            new = torch.tanh(here[:, two:] + reset * carried[:, two:])
            state = torch.lerp(new, state, keep)
            states.append(state)
        return torch.stack(states)


class GRUClassifier(nn.Module):
    """Recurrent layers from the first site to the last, mean over the chain, one linear layer.

    The states are averaged: a state only has to carry what it knows of the sites before (the last
    sign of a hidden order, say), what it finds at its site is counted by the mean, and the
    gradient reaches all sites alike.

    Parameters
    ----------
    site_dim
        Number of local states.
    width
        Numbers of each state.
    depth
        Number of recurrent layers.
    classes
        Number of outputs.

    >>> network = GRUClassifier(site_dim=3, width=8, depth=2, classes=2)
    >>> tuple(network(torch.zeros(5, 6, dtype=torch.long)).shape)
    (5, 2)
    """

    def __init__(self, *, site_dim: int, width: int, depth: int, classes: int) -> None:
        super().__init__()
        self.site_dim = site_dim
        self.recurrent = nn.ModuleList(
            GatedLayer(inputs=width if layer else site_dim, width=width) for layer in range(depth)
        )
        self.readout = nn.Linear(width, classes)

    def forward(self, spins: torch.Tensor) -> torch.Tensor:
        """Logits, shape (shots, classes), of local states of shape (shots, sites)."""
        values = one_hot(spins, self.site_dim, self).transpose(0, 1)
        for layer in self.recurrent:
            values = layer(values)
        logits: torch.Tensor = self.readout(values.mean(dim=0))
        return logits


def _values(settings: TrainSettings, site_dim: int, lengths: Sequence[int]) -> dict[str, Any]:
    return {"width": settings.width, "depth": settings.depth}


def _make(architecture: Mapping[str, Any]) -> GRUClassifier:
    return GRUClassifier(
        site_dim=count(architecture, "site_dim"),
        width=count(architecture, "width"),
        depth=count(architecture, "depth"),
        classes=count(architecture, "classes"),
    )


GRU = Architecture(uses=("width", "depth"), one_length=False, values=_values, make=_make)
