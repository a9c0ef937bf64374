"""Where the arrays of sampling live on a device of torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from phasenet.errors import SettingsError
from phasenet.networks.functions import torch_device
from phasenet.trains.train import Array

_PRECISIONS = {"float32": torch.float32, "float64": torch.float64}
_CACHE_BYTES = 1 << 21
# Of a GPU's memory, what the numbers of one batch at one site may take; a batch needs a few times
# as much.
_SHARE = 16
_LARGEST_BYTES = 1 << 31


@dataclass(frozen=True, kw_only=True)
class TorchPlace:
    """Tensors of torch on one device, as :class:`phasenet.snapshots.measured.Place` wants them.

    Parameters
    ----------
    device
        The device.
    dtype
        Of floating numbers.
    bytes
        What the numbers of one batch at one site should fit in.
    """

    device: torch.device
    dtype: torch.dtype
    bytes: int

    def put(self, array: Array) -> Any:
        """Return the array as a tensor there; floating numbers in the precision of the place."""
        if array.dtype.kind not in "fiu":
            raise SettingsError(f"an array of {array.dtype} has no place here; wanted real numbers")
        tensor = torch.tensor(array, device=self.device)
        return tensor.to(self.dtype) if tensor.is_floating_point() else tensor

    def get(self, array: Any) -> Array:
        """Return a tensor as an array."""
        return np.asarray(array.cpu().numpy())


def torch_place(device: str, precision: str = "float64") -> TorchPlace:
    """Place on a device of torch.

    Parameters
    ----------
    device
        "cpu", "cuda", "cuda:1", ...
    precision
        "float64" or "float32".

    Raises
    ------
    SettingsError
        This machine has no such device, or there is no such precision.

    >>> torch_place("cpu", "float32").put(np.ones(2)).dtype
    torch.float32
    """
    if precision not in _PRECISIONS:
        raise SettingsError(f"precision is {precision!r}; wanted {' or '.join(_PRECISIONS)}")
    where = torch_device(device)
    size = _CACHE_BYTES
    if where.type == "cuda":
        memory = torch.cuda.get_device_properties(where).total_memory
        size = min(memory // _SHARE, _LARGEST_BYTES)
    return TorchPlace(device=where, dtype=_PRECISIONS[precision], bytes=size)
