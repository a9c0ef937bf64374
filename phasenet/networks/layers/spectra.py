"""Spectra of the bonds inside a layer: how much of each bond is used."""

from dataclasses import dataclass

import numpy as np
import torch

from phasenet.errors import ShapeError
from phasenet.trains.train import FloatArray


@dataclass(frozen=True, kw_only=True)
class BondSpectrum:
    """Schmidt values of one bond of a weight.

    Parameters
    ----------
    values
        Singular values across the bond, descending, of the weight divided by its norm; all zero
        for a weight that is zero.

    >>> spectrum = BondSpectrum.of(torch.tensor([1.0, 1.0, 0.0]))
    >>> print(f"{spectrum.effective_rank:.3f} of 3, {spectrum.entropy:.3f} nats")
    2.000 of 3, 0.693 nats
    """

    values: FloatArray

    @classmethod
    def of(cls, values: torch.Tensor) -> "BondSpectrum":
        """Spectrum from singular values of any scale and order."""
        if values.ndim != 1 or bool((values < 0).any()):
            raise ShapeError(
                f"singular values have the shape {tuple(values.shape)} or a minus sign; "
                "wanted one axis of numbers that are not negative"
            )
        sizes = np.sort(values.detach().to("cpu", torch.float64).numpy())[::-1]
        norm = float(np.linalg.norm(sizes))
        return cls(values=sizes / norm if norm > 0 else sizes.copy())

    @classmethod
    def of_matrix(cls, matrix: torch.Tensor) -> "BondSpectrum":
        """Spectrum of the bond between the rows and the columns of a weight."""
        return cls.of(torch.linalg.svdvals(matrix.detach().to(torch.float64)))

    @property
    def entropy(self) -> float:
        r"""Entanglement entropy in nats, :math:`-\sum_a p_a \ln p_a`, :math:`p_a = s_a^2`."""
        shares = self.values[self.values > 0] ** 2
        return float(-(shares * np.log(shares)).sum()) + 0.0

    @property
    def effective_rank(self) -> float:
        """Exponential of the entropy: how many equal values would have the same one."""
        return float(np.exp(self.entropy))
