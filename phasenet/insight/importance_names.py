"""What the indices of the modes of a first layer stand for: sites and local states."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from phasenet.insight.importance_modes import Mode
from phasenet.networks.convolutional import ConvolutionalClassifier
from phasenet.networks.linear_first import OneHotLinear
from phasenet.networks.readings import Readings
from phasenet.trains.train import IntArray


def state_names(readings: Readings, basis: str) -> tuple[str, ...]:
    """Names of what is read of a site, the highest weight first.

    Parameters
    ----------
    readings
        What is read.
    basis
        Of the dataset, where there is one only.

    >>> state_names(Readings(site_dim=3, lost=True, bases=()), "Sz")
    ('Sz = +1', 'Sz = 0', 'Sz = -1', 'lost')
    >>> state_names(Readings(site_dim=2, lost=False, bases=("Sx", "Sz")), "")[2]
    'Sz up'
    """
    named = {2: ("up", "down"), 3: ("= +1", "= 0", "= -1")}
    numbered = tuple(f"state {k}" for k in range(readings.site_dim))
    states = named.get(readings.site_dim, numbered)
    lost = ("lost",) * readings.lost
    return tuple(
        name
        for each in readings.bases or (basis,)
        for name in (*(f"{each} {state}" for state in states), *lost)
    )


def index_names(network: nn.Module, mode: Mode, states: Sequence[str]) -> tuple[str, ...]:
    """Name of each index of a mode; "index 3" where it is of no first layer.

    The inputs of a first layer are numbered site by site, and in a site state by state; sites are
    counted from 0.

    Parameters
    ----------
    network
        The classifier.
    mode
        One of its modes.
    states
        Names of what is read of a site.

    >>> network = nn.Sequential(OneHotLinear(length=4, site_dim=3, width=5))
    >>> def mode(number):
    ...     return Mode(layer="0.linear", side="in", number=number, sizes=(2, 6))
    >>> index_names(network, mode(0), ("+1", "0", "-1"))
    ('sites 0-1', 'sites 2-3')
    >>> index_names(network, mode(1), ("+1", "0", "-1"))[4]
    '0 at sites 1, 3'
    """
    if mode.side == "in" and isinstance(network, ConvolutionalClassifier):
        if mode.layer == "convolutions.0":
            return tuple(states)
    elif mode.side == "in" and _takes_sites(network, mode.layer):
        features = np.arange(np.prod(mode.sizes)).reshape(mode.sizes)
        parts = [features.take(k, axis=mode.number).ravel() for k in range(mode.size)]
        return tuple(_name(part, states) for part in parts)
    return tuple(f"index {k}" for k in range(mode.size))


def _takes_sites(network: nn.Module, layer: str) -> bool:
    parent, _, last = layer.rpartition(".")
    return last == "linear" and isinstance(network.get_submodule(parent), OneHotLinear)


def _name(features: IntArray, states: Sequence[str]) -> str:
    """Say which sites and local states some ascending numbers of inputs are."""
    sites, state = np.divmod(features, len(states))
    first, last = sites[0], sites[-1]
    if features[-1] - features[0] + 1 == len(features):
        whole = state[0] == 0 and state[-1] == len(states) - 1
        if first == last:
            return f"site {first}" if whole else f"part of site {first}"
        return f"sites {first}-{last}" + ("" if whole else ", the ends in part")
    if len(set(state)) == 1:
        return f"{states[state[0]]} at sites {_list(sites)}"
    if len(sites) == len(set(sites)) * len(states):
        return f"sites {_list(np.unique(sites))}"
    steps = set(np.diff(features))
    some = f"one input in {steps.pop()}" if len(steps) == 1 else f"{len(features)} inputs"
    return f"{some} from {states[state[0]]} at site {first}"


def _list(sites: IntArray) -> str:
    steps = set(np.diff(sites))
    if len(sites) > 4 and len(steps) == 1:
        return f"{sites[0]}, {sites[1]}, ..., {sites[-1]}"
    return ", ".join(str(site) for site in sites)
