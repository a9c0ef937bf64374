"""A small transformer: learned positions, norms before each part, mean over the chain."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from phasenet.errors import FileKindError, SettingsError
from phasenet.networks.architectures.architecture import Architecture, count, one_hot
from phasenet.settings import TrainSettings

# Width of the hidden layer of each block, in units of the width.
_HIDDEN = 2


class Attention(nn.Module):
    """Each site looks at all sites, with several heads; four linear layers.

    Parameters
    ----------
    width
        Numbers at each site, a multiple of heads.
    heads
        Number of heads.
    """

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values of the same shape (shots, sites, width)."""
        query, key, value = (
            layer(values).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        seen = nn.functional.scaled_dot_product_attention(query, key, value)
        mixed: torch.Tensor = self.out(seen.transpose(1, 2).flatten(2))
        return mixed


class Block(nn.Module):
    """Attention and a hidden layer at each site, both added to what was there.

    The parameters are those of :class:`Attention`.
    """

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(width)
        self.attention = Attention(width=width, heads=heads)
        self.before_hidden = nn.LayerNorm(width)
        self.up = nn.Linear(width, _HIDDEN * width)
        self.down = nn.Linear(_HIDDEN * width, width)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values of the same shape (shots, sites, width)."""
        values = values + self.attention(self.before_attention(values))
        hidden = nn.functional.silu(self.up(self.before_hidden(values)))
        after: torch.Tensor = values + self.down(hidden)
        return after


class TransformerClassifier(nn.Module):
    """Blocks of attention over one-hot local states, mean over the chain, one linear layer.

    Parameters
    ----------
    length
        Number of sites.
    site_dim
        Number of local states.
    width
        Numbers at each site, a multiple of heads.
    depth
        Number of blocks.
    heads
        Heads of each block.
    classes
        Number of outputs.

    >>> network = TransformerClassifier(
    ...     length=6, site_dim=3, width=8, depth=1, heads=2, classes=2
    ... )
    >>> tuple(network(torch.zeros(5, 6, dtype=torch.long)).shape)
    (5, 2)
    """

    def __init__(
        self, *, length: int, site_dim: int, width: int, depth: int, heads: int, classes: int
    ) -> None:
        super().__init__()
        self.site_dim = site_dim
        self.states = nn.Linear(site_dim, width)
        self.positions = nn.Parameter(0.1 * torch.randn(length, width))
        self.blocks = nn.ModuleList(Block(width=width, heads=heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.readout = nn.Linear(width, classes)

    def forward(self, spins: torch.Tensor) -> torch.Tensor:
        """Logits, shape (shots, classes), of local states of shape (shots, sites)."""
        values = self.states(one_hot(spins, self.site_dim, self)) + self.positions
        for block in self.blocks:
            values = block(values)
        logits: torch.Tensor = self.readout(self.norm(values).mean(dim=1))
        return logits


def _values(settings: TrainSettings, site_dim: int, lengths: Sequence[int]) -> dict[str, Any]:
    width, heads = settings.width, settings.heads
    if width % heads:
        raise SettingsError(
            f"train.width {width} is no multiple of train.heads {heads}; "
            f"set train.width to {-(-width // heads) * heads}"
        )
    return {"length": lengths[0], "width": width, "depth": settings.depth, "heads": heads}


def _make(architecture: Mapping[str, Any]) -> TransformerClassifier:
    width, heads = count(architecture, "width"), count(architecture, "heads")
    if width % heads:
        raise FileKindError(
            f"architecture 'transformer' has width {width}; wanted a multiple of its {heads} heads"
        )
    return TransformerClassifier(
        length=count(architecture, "length"),
        site_dim=count(architecture, "site_dim"),
        width=width,
        depth=count(architecture, "depth"),
        heads=heads,
        classes=count(architecture, "classes"),
    )


TRANSFORMER = Architecture(
    uses=("width", "depth", "heads"), one_length=True, values=_values, make=_make
)
