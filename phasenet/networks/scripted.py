"""Networks in TorchScript files as batch functions of configurations."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from phasenet.errors import FileKindError, MissingInputError, SettingsError
from phasenet.networks.functions import torch_device
from phasenet.trains.train import Array, IntArray

_BATCH = 16384


def scripted_function(path: Path, device: str) -> Callable[[IntArray], Array]:
    """Batch function of a TorchScript file: local states (shots, sites) to its outputs.

    The network is put into evaluation mode and called with int64 tensors of shape (shots, sites);
    nothing that the file names is imported.

    Parameters
    ----------
    path
        As saved by ``torch.jit.script(network).save(path)`` or ``torch.jit.trace``.
    device
        "cpu", "cuda", "cuda:1", ...

    Raises
    ------
    MissingInputError, FileKindError, SettingsError
        There is no such file, it is no TorchScript, or this machine has no such device.
    """
    where = torch_device(device)
    network = _loaded(path, where)
    most = _BATCH

    def outputs(states: IntArray) -> Array:
        nonlocal most
        parts: list[Array] = []
        start = 0
        while start < max(1, len(states)):
            try:
                parts.append(_called(network, states[start : start + most], where, path))
                start += most
            except torch.cuda.OutOfMemoryError:
                most = _halved(most, where)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    return outputs


def _loaded(path: Path, where: torch.device) -> torch.nn.Module:
    if not path.is_file():
        raise MissingInputError(f"no file {path}")
    try:
        with warnings.catch_warnings():
            # torch would rather have all files exported again; the format stays readable.
            warnings.simplefilter("ignore", DeprecationWarning)
            network = torch.jit.load(path, map_location=where)  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        raise FileKindError(
            f"{path} is no TorchScript file (a saved state_dict or a pickled module is none); "
            "make one with torch.jit.script(network).save(path)"
        ) from error
    return network.eval()  # type: ignore[no-any-return]


@torch.inference_mode()
def _called(network: torch.nn.Module, states: IntArray, where: torch.device, path: Path) -> Array:
    shots, sites = states.shape
    inputs = torch.from_numpy(np.require(states, np.int64, ("C", "W"))).to(where)
    try:
        found = network(inputs)
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:
        # The first lines of such messages are the program of the network.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise SettingsError(
            f"{path} failed when called with an int64 tensor of shape ({shots}, {sites}) of local "
            f"states, neither one-hot nor floats: {reason}; wrap the network in one that takes "
            "such a tensor"
        ) from error
    if not isinstance(found, torch.Tensor):
        raise SettingsError(
            f"{path} returned a {type(found).__name__}; wanted one tensor of shape ({shots},) or "
            f"({shots}, outputs)"
        )
    values = found.detach().cpu()
    # numpy knows no bfloat16.
    values = values.float() if values.dtype == torch.bfloat16 else values
    return np.asarray(values.resolve_conj().numpy())


def _halved(rows: int, where: torch.device) -> int:
    if rows < 2:
        raise SettingsError(
            f"the memory of device {where} does not hold the network at a single configuration; "
            "choose another device"
        ) from None
    torch.cuda.empty_cache()
    return rows // 2
