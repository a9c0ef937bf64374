"""What the registry knows of a kind of network, and plain values of strangers, read with care."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from phasenet.errors import FileKindError
from phasenet.settings import TrainSettings

# No network for spin chains comes near; what is larger was not written by phasenet.
_MOST = 2**16


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A kind of network.

    Parameters
    ----------
    uses
        Names of the settings that say how it looks; the others must keep their defaults.
    one_length
        Whether it takes chains of one length only.
    values
        From the settings, the number of local states and the lengths of the chains, in ascending
        order, to what the architecture of a file holds beside what all kinds hold; raises
        SettingsError.
    make
        Untrained dense network of the architecture of a file; raises FileKindError.
    """

    uses: tuple[str, ...]
    one_length: bool
    values: Callable[[TrainSettings, int, Sequence[int]], dict[str, Any]]
    make: Callable[[Mapping[str, Any]], nn.Module]


def count(architecture: Mapping[str, Any], name: str) -> int:
    """One positive integer of an architecture.

    >>> count({"kind": "gru", "width": 8}, "width")
    8
    >>> count({"kind": "gru"}, "width")
    Traceback (most recent call last):
    phasenet.errors.FileKindError: architecture 'gru' has no 'width'
    """
    return _count(architecture, name, _found(architecture, name))


def counts(architecture: Mapping[str, Any], name: str) -> tuple[int, ...]:
    """Positive integers of an architecture.

    >>> counts({"kind": "convolutional", "channels": [8, 4]}, "channels")
    (8, 4)
    """
    found = _found(architecture, name)
    if not isinstance(found, list | tuple) or len(found) > _MOST:
        raise FileKindError(
            f"architecture {architecture.get('kind')!r} has {name} {found!r:.60}; wanted a list "
            "of integers"
        )
    return tuple(_count(architecture, name, value) for value in found)


def one_hot(spins: torch.Tensor, site_dim: int, like: nn.Module) -> torch.Tensor:
    """One-hot local states, shape (shots, sites, site_dim), in the precision of a network.

    >>> one_hot(torch.tensor([[1, 0]]), 2, nn.Linear(2, 1)).tolist()
    [[[0.0, 1.0], [1.0, 0.0]]]
    """
    ones = nn.functional.one_hot(spins.long(), site_dim)
    return ones.to(next(like.parameters()).dtype)


def _found(architecture: Mapping[str, Any], name: str) -> Any:
    if name not in architecture:
        raise FileKindError(f"architecture {architecture.get('kind')!r} has no {name!r}")
    return architecture[name]


def _count(architecture: Mapping[str, Any], name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST:
        raise FileKindError(
            f"architecture {architecture.get('kind')!r} has {name} {value!r:.60}; wanted integers "
            f"from 1 to {_MOST}"
        )
    return value
