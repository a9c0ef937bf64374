"""Networks as batch functions of configurations, on any device, cut in two where they can be.

The tensorizer asks for values at pairs of prefixes and suffixes. Networks of a kind that is known
here say what they know of each side, so that a pair does not cost the whole network.
"""

import os

import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.networks.architectures.registry import build
from phasenet.networks.architectures.tensor_train import TrainClassifier
from phasenet.networks.convolutional import ConvolutionalClassifier, load_weights
from phasenet.networks.convolutional_function import ConvolutionalFunction
from phasenet.networks.evaluation import Finish, NetworkFunction, unchanged
from phasenet.networks.linear_first import LinearFirstFunction, OneHotLinear
from phasenet.networks.train_function import TrainFunction
from phasenet.records import TrainedNetwork


def logits_function(network: nn.Module, device: str = "cpu") -> NetworkFunction:
    """Batch function: local states (shots, sites) to logits (shots, classes).

    Parameters
    ----------
    network
        Takes integers of shape (shots, sites). It is copied and evaluated in its own precision. A
        :class:`~phasenet.networks.convolutional.ConvolutionalClassifier`, a Sequential that
        starts with :class:`~phasenet.networks.linear_first.OneHotLinear` and a
        :class:`~phasenet.networks.architectures.tensor_train.TrainClassifier` are cut in two where
        the tensorizer asks for it, whatever their layers are.
    device
        "cpu", "cuda", "cuda:1", ...

    Raises
    ------
    SettingsError
        This machine has no such device, or the weights are neither float32 nor float64.

    >>> import numpy as np
    >>> network = nn.Sequential(OneHotLinear(length=4, site_dim=2, width=3), nn.Tanh())
    >>> logits_function(network)(np.zeros((5, 4), dtype=int)).shape
    (5, 3)
    """
    return _function(network, device, unchanged)


def probabilities_function(network: nn.Module, device: str = "cpu") -> NetworkFunction:
    """Batch function: local states (shots, sites) to class probabilities (shots, classes).

    Parameters and errors are those of :func:`logits_function`.

    >>> import numpy as np
    >>> network = nn.Sequential(OneHotLinear(length=4, site_dim=2, width=3), nn.Tanh())
    >>> probabilities = probabilities_function(network)(np.zeros((1, 4), dtype=int))
    >>> print(f"{probabilities.sum():.6f}")
    1.000000
    """
    return _function(network, device, _softmax)


def stored_functions(
    record: TrainedNetwork, device: str = "cpu"
) -> tuple[NetworkFunction, NetworkFunction]:
    """Batch functions of a stored classifier: logits and class probabilities, in float64."""
    network = build(record.architecture)
    load_weights(network, record.weights)
    network.double()
    return logits_function(network, device), probabilities_function(network, device)


def torch_device(name: str) -> torch.device:
    """Device of that name, if this machine has it.

    Raises
    ------
    SettingsError
        It has not; the message names those that there are.

    >>> torch_device("cpu")
    device(type='cpu')
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = ["cpu", *(f"cuda:{index}" for index in range(count))]
    if name not in there and not (name == "cuda" and count):
        raise SettingsError(f"there is no device {name!r}; this machine has {', '.join(there)}")
    if name != "cpu":
        # Without it, torch refuses matrix products where deterministic algorithms are asked for.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return torch.device(name)


def _function(network: nn.Module, device: str, finish: Finish) -> NetworkFunction:
    where = torch_device(device)
    # Exact types, because a subclass may have another forward.
    if type(network) is ConvolutionalClassifier and len(network.convolutions):
        return ConvolutionalFunction(network, where, finish=finish)
    if type(network) is nn.Sequential and len(network) and type(network[0]) is OneHotLinear:
        return LinearFirstFunction(network, where, finish=finish)
    if type(network) is TrainClassifier:
        return TrainFunction(network, where, finish=finish)
    return NetworkFunction(network, where, finish=finish)


def _softmax(values: torch.Tensor) -> torch.Tensor:
    return torch.softmax(values, dim=1)
