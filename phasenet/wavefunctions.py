"""Neural wavefunctions as plain arrays, and how close they are to the state they were fitted to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phasenet.points import ParameterPoint
from phasenet.trains.train import Array, FloatArray


@dataclass(frozen=True, kw_only=True)
class Overlap:
    r"""Fidelity :math:`|\langle\psi|\psi_\theta\rangle|^2` of a network with a state, estimated.

    Parameters
    ----------
    fidelity, error
        The estimate, and its standard error over shots. What no shot came near can lower the
        fidelity by about 4 / ``shots`` more, if all of it has the wrong sign.
    sign_agreement
        Mean of :math:`\cos(\varphi_\theta-\varphi)` over shots of the state, the common phase taken
        out: of real amplitudes, the fraction of right signs minus that of wrong ones.
    shots
        Shots of the state.

    >>> print(Overlap(fidelity=0.99987, error=2e-5, sign_agreement=1.0, shots=10000))
    fidelity 0.999870 +- 0.000020, signs agree to 1.0000 (10000 shots)
    """

    fidelity: float
    error: float
    sign_agreement: float
    shots: int

    def __str__(self) -> str:
        return (
            f"fidelity {self.fidelity:.6f} +- {self.error:.6f}, signs agree to "
            f"{self.sign_agreement:.4f} ({self.shots} shots)"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedWavefunction:
    """An autoregressive network that gives the amplitudes of an open chain.

    Parameters
    ----------
    architecture
        Plain values that rebuild the network: ``kind``, ``length`` and ``site_dim`` among them.
    weights
        Arrays by name.
    point
        Couplings of the state; none if they are unknown.
    state
        Name of what it was fitted to.
    overlap
        With that state, on shots that it was not fitted to.
    history
        Curves by name, each of shape (epochs,).
    outcome
        Why the fit stopped, a sentence.
    """

    architecture: Mapping[str, Any]
    weights: Mapping[str, Array]
    point: ParameterPoint
    state: str
    overlap: Overlap
    history: Mapping[str, FloatArray]
    outcome: str

    @property
    def length(self) -> int:
        """Number of sites."""
        return int(self.architecture["length"])

    @property
    def site_dim(self) -> int:
        """Number of local states."""
        return int(self.architecture["site_dim"])
