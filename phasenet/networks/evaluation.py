"""Any network as a batch function: copied, on one device, in batches of bounded size."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.train import Array

Finish = Callable[[torch.Tensor], torch.Tensor]

_PRECISIONS: dict[torch.dtype, np.dtype[Any]] = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
}
# Largest layer of one batch: within reach of the caches of a core, or enough to fill a GPU.
_CPU_BATCH_BYTES = 2**20
_GPU_BATCH_BYTES = 2**28


class NetworkFunction:
    """Outputs of a network at batches of configurations, evaluated by torch on one device.

    Parameters
    ----------
    network
        Takes integers of shape (shots, sites); it is copied, so that later training changes
        nothing, and evaluated in its own precision, float32 or float64.
    device
        Where it is evaluated.
    finish
        Applied to its outputs, shape (shots, outputs).

    >>> network = nn.Sequential(nn.Embedding(3, 2), nn.Flatten()).double()
    >>> function = NetworkFunction(network, torch.device("cpu"), finish=unchanged)
    >>> print(function(np.array([[0, 1], [2, 2], [1, 0]])).shape)
    (3, 4)
    """

    def __init__(self, network: nn.Module, device: torch.device, *, finish: Finish) -> None:
        self.device = device
        self._network = copy.deepcopy(network).to(device).eval().requires_grad_(False)
        weights = (p.dtype for p in self._network.parameters() if p.is_floating_point())
        dtype = next(weights, torch.float64)
        if dtype not in _PRECISIONS:
            raise SettingsError(
                f"the network has {dtype} weights; wanted float32 or float64, as network.float() "
                "makes them"
            )
        self._dtype = _PRECISIONS[dtype]
        self._finish = finish
        self._most_rows = 2**62
        self._layer_bytes: dict[int, int] = {}

    @torch.inference_mode()
    def __call__(self, configurations: Array, /) -> Array:
        """Values at integers of shape (shots, sites), in the precision of the network."""
        states = self._checked(configurations)
        length = states.shape[1]
        if length not in self._layer_bytes and len(states):
            self._layer_bytes[length] = largest_layer(self._network, self._moved(states[:1]))
        return self._in_batches(self._network, self._layer_bytes.get(length, 1), states)

    def _checked(self, configurations: Array) -> Array:
        configurations = np.asarray(configurations)
        if configurations.ndim != 2 or configurations.dtype.kind not in "iu":
            raise ShapeError(
                f"configurations are {configurations.dtype} of shape {configurations.shape}; "
                "wanted integers of shape (shots, sites)"
            )
        return configurations

    def _moved(self, array: Array) -> torch.Tensor:
        """Array on the device: int64, or floats of the precision of the network."""
        dtype = np.dtype(np.int64) if array.dtype.kind in "iu" else self._dtype
        return torch.from_numpy(np.require(array, dtype, ["C", "W"])).to(self.device)

    def _in_batches(
        self, step: Callable[..., torch.Tensor], row_bytes: int, *arrays: Array
    ) -> Array:
        """Finished values of a step from rows of arrays, in batches that fit into memory."""
        most = _CPU_BATCH_BYTES if self.device.type == "cpu" else _GPU_BATCH_BYTES
        rows = min(self._most_rows, max(1, most // row_bytes))
        parts: list[Array] = []
        start = 0
        with _exact(self.device):
            while start < max(1, len(arrays[0])):
                batch = [array[start : start + rows] for array in arrays]
                try:
                    values = step(*[self._moved(part) for part in batch])
                    parts.append(self._finish(values).cpu().numpy())
                    start += rows
                except torch.cuda.OutOfMemoryError:
                    self._most_rows = rows = self._halved(len(batch[0]))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _halved(self, rows: int) -> int:
        if rows < 2:
            raise SettingsError(
                f"the memory of device {self.device} does not hold the network at a single "
                "configuration; choose another device"
            ) from None
        torch.cuda.empty_cache()
        return rows // 2


def largest_layer(network: nn.Module, inputs: torch.Tensor) -> int:
    """Bytes of the largest output of any layer, the inputs counted as one.

    >>> largest_layer(nn.Sequential(nn.Linear(2, 50), nn.Linear(50, 1)), torch.zeros(1, 2))
    200
    """
    sizes = [inputs.nbytes]

    def note(module: nn.Module, received: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            sizes.append(output.nbytes)

    hooks = [module.register_forward_hook(note) for module in network.modules()]
    try:
        network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return max(sizes)


def unchanged(values: torch.Tensor) -> torch.Tensor:
    """Outputs as they are.

    >>> unchanged(torch.ones(2)).tolist()
    [1.0, 1.0]
    """
    return values


def _exact(device: torch.device) -> AbstractContextManager[None]:
    """Convolutions that are the same each time and keep all bits of float32."""
    if device.type != "cuda":
        return nullcontext()
    # By default cuDNN rounds float32 to 10 bits, which pieces of the network are not rounded to.
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
