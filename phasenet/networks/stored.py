"""Classifiers of files as torch modules."""

from pathlib import Path

from torch import nn

from phasenet.networks.architectures.registry import build
from phasenet.networks.convolutional import load_weights
from phasenet.storage.networks import read_network


def load_network(path: Path | str, member: int = 0) -> nn.Module:
    """Classifier of a ``*.network.h5``, in evaluation mode.

    It takes local states, integers of shape (shots, sites), and gives logits of shape (shots,
    classes). It is rebuilt from plain values; nothing that the file names is imported.

    Parameters
    ----------
    path
        The file.
    member
        Which network, where several seeds were trained.

    Raises
    ------
    MissingInputError, FileKindError, SettingsError
    """
    _, record = read_network(path)
    network = build(record.architecture)
    load_weights(network, record.all_members[member].weights)
    return network.eval()
