"""Hundreds of small networks of one shape, trained at once by batched products of matrices."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from phasenet.privacy.problems import CLASSES, Cases
from phasenet.seeds import derived_seed
from phasenet.trains.train import Array, FloatArray, IntArray

Start = Literal["common", "independent"]
"""Whether all networks start from the same weights, or each from its own."""

_BATCH = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class StackedNetworks:
    """Networks of one hidden layer of rectified units, axis 0 of each tensor.

    Parameters
    ----------
    first, first_bias
        Shapes (networks, inputs, hidden) and (networks, 1, hidden).
    last, last_bias
        Shapes (networks, hidden, classes) and (networks, 1, classes).
    """

    first: torch.Tensor
    first_bias: torch.Tensor
    last: torch.Tensor
    last_bias: torch.Tensor

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All weights."""
        return self.first, self.first_bias, self.last, self.last_bias

    def __len__(self) -> int:
        return len(self.first)

    def part(self, chosen: slice) -> "StackedNetworks":
        """Some of the networks."""
        first, first_bias, last, last_bias = (tensor[chosen] for tensor in self.tensors)
        return StackedNetworks(first=first, first_bias=first_bias, last=last, last_bias=last_bias)

    def logits(self, inputs: torch.Tensor) -> torch.Tensor:
        """Outputs, shape (networks, cases, classes), of inputs (networks, cases, inputs)."""
        hidden = torch.relu(torch.baddbmm(self.first_bias, inputs, self.first))
        logits: torch.Tensor = torch.baddbmm(self.last_bias, hidden, self.last)
        return logits

    @property
    def difference(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights (networks, hidden) and bias (networks,) of logit 1 minus logit 0."""
        return self.last[..., 1] - self.last[..., 0], (
            self.last_bias[..., 1] - self.last_bias[..., 0]
        )[:, 0]


def fresh_networks(
    count: int, *, inputs: int, hidden: int, start: Start, seed: int
) -> StackedNetworks:
    """Networks with uniform weights, as wide as PyTorch draws them for a linear layer.

    >>> networks = fresh_networks(3, inputs=4, hidden=2, start="common", seed=0)
    >>> bool((networks.first[0] == networks.first[2]).all()), len(networks)
    (True, 3)
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, "privacy", "start", start))
    drawn = count if start == "independent" else 1

    def uniform(fan_in: int, *shape: int) -> torch.Tensor:
        drawn_weights = torch.rand(drawn, *shape, generator=generator)
        weights: torch.Tensor = (2.0 * drawn_weights - 1.0) / fan_in**0.5
        return weights.expand(count, *shape).clone()

    return StackedNetworks(
        first=uniform(inputs, inputs, hidden),
        first_bias=uniform(inputs, 1, hidden),
        last=uniform(hidden, hidden, CLASSES),
        last_bias=uniform(hidden, 1, CLASSES),
    )


def trained_networks(
    networks: StackedNetworks,
    sets: tuple[Cases, ...],
    owners: IntArray,
    *,
    rate: float,
    epochs: int,
    seed: int,
) -> StackedNetworks:
    """Networks after training by Adam on the cross entropy, each on its own set and batches.

    Parameters
    ----------
    networks
        Where they start.
    sets
        Training sets of equal size.
    owners
        Which of the sets each network is trained on, shape (networks,).
    rate, epochs
        Learning rate, passes over the set.
    seed
        Of the order of the cases.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(60) % 2
    >>> inputs = (labels[:, None, None] + 0.1 * rng.normal(size=(60, 3, 1))).astype(np.float32)
    >>> cases = Cases(inputs=inputs, labels=labels, groups=labels)
    >>> start = fresh_networks(2, inputs=3, hidden=8, start="independent", seed=0)
    >>> owners = np.zeros(2, dtype=np.int64)
    >>> found = trained_networks(start, (cases,), owners, rate=0.01, epochs=20, seed=0)
    >>> bool(((margins(found, inputs) > 0) == labels).all())
    True
    """
    inputs = torch.from_numpy(
        np.stack([cases.inputs.reshape(len(cases.labels), -1) for cases in sets])
    )
    labels = torch.from_numpy(np.stack([cases.labels for cases in sets]))
    place = torch.from_numpy(np.asarray(owners))[:, None]
    weights = [tensor.clone().requires_grad_() for tensor in networks.tensors]
    moving = StackedNetworks(
        first=weights[0], first_bias=weights[1], last=weights[2], last_bias=weights[3]
    )
    optimiser = torch.optim.Adam(weights, lr=rate, fused=True)
    generator = torch.Generator().manual_seed(derived_seed(seed, "privacy", "batches"))
    for _ in range(epochs):
        order = torch.rand(len(networks), labels.shape[1], generator=generator).argsort(dim=1)
        for rows in torch.split(order, _BATCH, dim=1):
            logits = moving.logits(inputs[place, rows])
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), labels[place, rows].flatten(), reduction="sum"
            )
            optimiser.zero_grad()
            # Each network has its own share of the sum, so that none feels the others.
            torch.autograd.backward(loss / rows.shape[1])
            optimiser.step()
    first, first_bias, last, last_bias = (tensor.detach() for tensor in weights)
    return StackedNetworks(first=first, first_bias=first_bias, last=last, last_bias=last_bias)


def margins(networks: StackedNetworks, inputs: Array) -> FloatArray:
    """Logit of class 1 minus logit of class 0, shape (networks, cases), for all the same inputs.

    >>> networks = fresh_networks(3, inputs=4, hidden=2, start="common", seed=0)
    >>> margins(networks, np.zeros((5, 4, 1), dtype=np.float32)).shape
    (3, 5)
    """
    flat = torch.from_numpy(inputs.reshape(len(inputs), -1))
    weights, bias = networks.difference
    found = [
        torch.relu(flat @ first + first_bias) @ weight + shift
        for first, first_bias, weight, shift in zip(
            networks.first, networks.first_bias, weights, bias, strict=True
        )
    ]
    return np.asarray(torch.stack(found).double())


def raw_parameters(networks: StackedNetworks) -> Array:
    """All weights of each network as one row, in the order in which they are stored.

    >>> networks = fresh_networks(3, inputs=4, hidden=2, start="common", seed=0)
    >>> raw_parameters(networks).shape
    (3, 16)
    """
    return torch.cat([tensor.flatten(1) for tensor in networks.tensors], dim=1).numpy()


def unit_free_parameters(networks: StackedNetworks) -> Array:
    r"""What does not depend on the order of the hidden units, one row of numbers for each network.

    With W the first layer and v the difference of the rows of the last: :math:`\sum_h W_{jh} v_h`
    (the linear response) and :math:`\sum_h W_{jh}^2` (how much input j is listened to).

    >>> networks = fresh_networks(3, inputs=4, hidden=2, start="common", seed=0)
    >>> unit_free_parameters(networks).shape
    (3, 8)
    """
    weights, _ = networks.difference
    response = torch.einsum("kjh,kh->kj", networks.first, weights)
    return torch.cat((response, (networks.first**2).mean(dim=2)), dim=1).numpy()
