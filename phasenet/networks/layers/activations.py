"""What passes through the bonds of all tensorized layers of a network."""

import torch
from torch import Tensor, nn

from phasenet.networks.layers.forms import Tensorized


def bond_activations(network: nn.Module, x: Tensor) -> dict[str, dict[str, Tensor]]:
    """Values on every bond of every tensorized layer, for inputs of the network.

    Parameters
    ----------
    network
        Any module; it is called once, in the mode that it is in.
    x
        Its input.

    Returns
    -------
    For each layer by its name what its own ``bond_activations`` gives. Of a layer that is called
    several times, such as that of a recurrent cell, the calls follow one another along the first
    axis.

    >>> from phasenet.networks.layers.tucker import TuckerLinear
    >>> network = nn.Sequential(TuckerLinear((2, 2), (3,), (1, 2, 2)), nn.ReLU(), nn.Linear(3, 2))
    >>> {name: sorted(found) for name, found in bond_activations(network, torch.ones(5, 4)).items()}
    {'0': ['in 0', 'in 1', 'out 0']}
    """
    layers = {name: m for name, m in network.named_modules() if isinstance(m, Tensorized)}
    seen: dict[str, list[dict[str, Tensor]]] = {name: [] for name in layers}

    def hook(name: str, layer: Tensorized) -> torch.utils.hooks.RemovableHandle:
        def note(_: nn.Module, received: tuple[Tensor, ...]) -> None:
            seen[name].append(layer.bond_activations(received[0]))

        return layer.register_forward_pre_hook(note)

    hooks = [hook(name, layer) for name, layer in layers.items()]
    try:
        network(x)
    finally:
        for handle in hooks:
            handle.remove()
    return {
        name: {bond: torch.cat([call[bond] for call in calls]) for bond in calls[0]}
        for name, calls in seen.items()
        if calls
    }
