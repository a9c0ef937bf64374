"""A small convolutional classifier of snapshots.

Its logits are means of a function of a few neighbouring sites, so that each logit is a sum of
local terms: such a network is nearly exactly a tensor train of moderate rank.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from phasenet.errors import FileKindError
from phasenet.trains.train import Array


class ConvolutionalClassifier(nn.Module):
    """Convolutions over one-hot local states, mean over the chain, one linear layer.

    Parameters
    ----------
    site_dim
        Number of local states.
    channels
        Channels of each convolution.
    kernel
        Sites that each convolution sees.
    classes
        Number of outputs.
    """

    def __init__(self, *, site_dim: int, channels: tuple[int, ...], kernel: int, classes: int):
        super().__init__()
        self.site_dim = site_dim
        widths = (site_dim, *channels)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel) for before, after in pairwise(widths)
        )
        self.readout = nn.Linear(widths[-1], classes)

    def forward(self, spins: torch.Tensor) -> torch.Tensor:
        """Logits, shape (shots, classes), of local states of shape (shots, sites)."""
        values = nn.functional.one_hot(spins.long(), self.site_dim).transpose(1, 2)
        # A tensorized layer has no weight, but parameters of the same precision.
        values = values.to(next(self.parameters()).dtype)
        for convolution in self.convolutions:
            values = nn.functional.silu(convolution(values))
        logits: torch.Tensor = self.readout(values.mean(dim=2))
        return logits


def load_weights(network: nn.Module, weights: Mapping[str, Array]) -> None:
    """Set all weights from plain arrays, which must fit by name and shape."""
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    got = {name: tuple(array.shape) for name, array in weights.items()}
    if wanted != got:
        odd = sorted(
            name for name in wanted.keys() | got.keys() if wanted.get(name) != got.get(name)
        )
        raise FileKindError(
            f"weights {', '.join(odd)} do not fit the architecture: "
            f"got {[got.get(name) for name in odd]}, wanted {[wanted.get(name) for name in odd]}"
        )
    network.load_state_dict({name: torch.from_numpy(a.copy()) for name, a in weights.items()})


def weights_of(network: nn.Module) -> dict[str, Array]:
    """All weights as plain arrays."""
    return {name: np.array(v.detach().numpy()) for name, v in network.state_dict().items()}
