"""The convolutional classifier from settings and from files."""

from collections.abc import Mapping, Sequence
from typing import Any

from phasenet.errors import SettingsError
from phasenet.networks.architectures.architecture import Architecture, count, counts
from phasenet.networks.convolutional import ConvolutionalClassifier
from phasenet.settings import TrainSettings


def _values(settings: TrainSettings, site_dim: int, lengths: Sequence[int]) -> dict[str, Any]:
    window = 1 + len(settings.channels) * (settings.kernel - 1)
    if lengths[0] < window:
        raise SettingsError(
            f"the chain has {lengths[0]} sites, the network sees {window} at once; "
            "lower train.kernel or the number of train.channels"
        )
    return {"channels": list(settings.channels), "kernel": settings.kernel}


def _make(architecture: Mapping[str, Any]) -> ConvolutionalClassifier:
    return ConvolutionalClassifier(
        site_dim=count(architecture, "site_dim"),
        channels=counts(architecture, "channels"),
        kernel=count(architecture, "kernel"),
        classes=count(architecture, "classes"),
    )


CONVOLUTIONAL = Architecture(
    uses=("channels", "kernel"), one_length=False, values=_values, make=_make
)
