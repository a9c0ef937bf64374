r"""A correlator network: its features are sums of products of distinct sites, and nothing else.

A filter :math:`f` sees :math:`g_a = f(a, \sigma_{x+a})` at the sites of a window that starts at
:math:`x`. Its correlator of order n sums the products over all n distinct sites of the window,

.. math:: C^{(n)}(x) = \sum_{a_1 < \dots < a_n} g_{a_1} \cdots g_{a_n}
          = \frac{1}{n} \sum_{l=1}^{n} (-1)^{l-1} \Big(\sum_a g_a^l\Big) C^{(n-l)}(x),

of which the right side costs convolutions only (Miles et al., Nat. Commun. 12, 3905 (2021)). The
means over the chain go into one linear layer, so that each weight of it belongs to one correlator.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from phasenet.errors import FileKindError, SettingsError
from phasenet.networks.architectures.architecture import Architecture, count, one_hot
from phasenet.settings import TrainSettings


class CorrelatorClassifier(nn.Module):
    """Correlators of each filter up to an order, mean over the chain, one linear layer.

    The correlators of order n are divided by the root of their number of terms, so that all orders
    are equally large at the start; the batch norm of the paper is left out.

    Parameters
    ----------
    site_dim
        Number of local states.
    filters
        Number of filters.
    kernel
        Sites that each filter sees.
    order
        Largest number of sites in a product, at most kernel.
    classes
        Number of outputs.

    >>> network = CorrelatorClassifier(site_dim=3, filters=4, kernel=3, order=2, classes=2)
    >>> tuple(network(torch.zeros(5, 6, dtype=torch.long)).shape)
    (5, 2)
    """

    def __init__(
        self, *, site_dim: int, filters: int, kernel: int, order: int, classes: int
    ) -> None:
        super().__init__()
        self.site_dim, self.kernel, self.order = site_dim, kernel, order
        # Of unit variance: then the products of all orders are as well.
        drawn = torch.empty(filters, site_dim, kernel).uniform_(-math.sqrt(3), math.sqrt(3))
        self.filters = nn.Parameter(drawn)
        self.readout = nn.Linear(order * filters, classes)

    def correlators(self, spins: torch.Tensor) -> torch.Tensor:
        """Means over the chain, shape (shots, order, filters), of states (shots, sites)."""
        states = one_hot(spins, self.site_dim, self).transpose(1, 2)
        # A one-hot state is its own power.
        powers = [self.filters**power for power in range(1, self.order + 1)]
        sums = nn.functional.conv1d(states, torch.cat(powers)).chunk(self.order, dim=1)
        found = [torch.ones_like(sums[0])]
        for order in range(1, self.order + 1):
            terms = [(-1) ** k * sums[k] * found[order - 1 - k] for k in range(order)]
            found.append(torch.stack(terms).sum(dim=0) / order)
        return torch.stack(found[1:], dim=1).mean(dim=3)

    def forward(self, spins: torch.Tensor) -> torch.Tensor:
        """Logits, shape (shots, classes), of local states of shape (shots, sites)."""
        found = self.correlators(spins)
        terms = [math.comb(self.kernel, order) for order in range(1, self.order + 1)]
        logits: torch.Tensor = self.readout(
            (found / found.new_tensor(terms).sqrt()[:, None]).flatten(1)
        )
        return logits


def _values(settings: TrainSettings, site_dim: int, lengths: Sequence[int]) -> dict[str, Any]:
    default = TrainSettings()
    if len(settings.channels) != 1 and settings.channels != default.channels:
        raise SettingsError(
            f"train.channels are {list(settings.channels)}; a correlator has one layer of filters: "
            "wanted one number"
        )
    if settings.order > settings.kernel and settings.order != default.order:
        raise SettingsError(
            f"train.order {settings.order} is more than the {settings.kernel} sites that a filter "
            "sees; raise train.kernel or lower train.order"
        )
    if lengths[0] < settings.kernel:
        raise SettingsError(
            f"the chain has {lengths[0]} sites, a filter sees {settings.kernel}; lower train.kernel"
        )
    order = min(settings.order, settings.kernel)
    return {"filters": settings.channels[0], "kernel": settings.kernel, "order": order}


def _make(architecture: Mapping[str, Any]) -> CorrelatorClassifier:
    kernel, order = count(architecture, "kernel"), count(architecture, "order")
    if order > kernel:
        raise FileKindError(
            f"architecture 'correlator' has order {order}; wanted at most its kernel, {kernel}"
        )
    return CorrelatorClassifier(
        site_dim=count(architecture, "site_dim"),
        filters=count(architecture, "filters"),
        kernel=kernel,
        order=order,
        classes=count(architecture, "classes"),
    )


CORRELATOR = Architecture(
    uses=("channels", "kernel", "order"), one_length=False, values=_values, make=_make
)
