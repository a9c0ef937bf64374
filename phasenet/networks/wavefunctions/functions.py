"""Stored wavefunctions as networks, as batch functions, and as sources of shots."""

import numpy as np
import torch
from torch import nn

from phasenet.networks.convolutional import load_weights
from phasenet.networks.evaluation import NetworkFunction, unchanged
from phasenet.networks.functions import torch_device
from phasenet.networks.wavefunctions.recurrent import RecurrentWavefunction
from phasenet.seeds import stream
from phasenet.trains.train import IntArray
from phasenet.wavefunctions import FittedWavefunction


class Amplitudes(nn.Module):
    """Amplitudes of a wavefunction, shape (shots,), of local states of shape (shots, sites)."""

    def __init__(self, network: RecurrentWavefunction) -> None:
        super().__init__()
        self.network = network

    def forward(self, spins: torch.Tensor) -> torch.Tensor:
        """Real numbers, or complex ones."""
        phase, log = self.network.log_amplitudes(spins)
        return phase * log.exp()


def network_of(record: FittedWavefunction) -> RecurrentWavefunction:
    """Network of a stored wavefunction, in float64; raises FileKindError."""
    network = RecurrentWavefunction.of(record.architecture)
    load_weights(network, record.weights)
    return network.double().eval()


def amplitude_function(record: FittedWavefunction, device: str = "cpu") -> NetworkFunction:
    """Batch function: local states (shots, sites) to amplitudes (shots,) of norm 1, in float64.

    Parameters
    ----------
    record
        From :func:`phasenet.read_wavefunction`.
    device
        "cpu", "cuda", "cuda:1", ...

    Raises
    ------
    SettingsError, FileKindError
        This machine has no such device, or the record is of another architecture.
    """
    where = torch_device(device)
    return NetworkFunction(Amplitudes(network_of(record)), where, finish=unchanged)


def draw_of(record: FittedWavefunction, shots: int, *, seed: int = 0) -> IntArray:
    """Independent shots of a stored wavefunction in the basis it was fitted in.

    Parameters
    ----------
    record
        The wavefunction.
    shots
        How many.
    seed
        Of the random numbers.

    Returns
    -------
    Local states, int64 of shape (shots, sites).
    """
    numbers = stream(seed, "wavefunction", "shots").random((shots, record.length))
    return np.asarray(network_of(record).draw(torch.from_numpy(numbers)).numpy())
