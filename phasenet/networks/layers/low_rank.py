r"""Convolutions whose kernel is a matrix of low rank, (out) times (in, taps): two plain ones."""

from typing import Any, Self

import torch
from torch import Tensor, nn

from phasenet.errors import SettingsError
from phasenet.networks.layers.spectra import BondSpectrum

Convolution = nn.Conv1d | nn.Conv2d


class LowRankConvolution(nn.Module):
    """Convolution to a few channels, and a mixing of those into all.

    What one mode for all inputs and one for all outputs is to a linear layer: the kernel of shape
    (out, in, taps) is a matrix of ``rank`` over (in, taps).

    Parameters
    ----------
    down
        Convolution to ``rank`` channels, without a bias.
    up
        Convolution of those channels alone, with the bias if there is one.

    >>> layer = LowRankConvolution.like(nn.Conv1d(8, 16, 3, padding=1), 2)
    >>> tuple(layer(torch.ones(5, 8, 10)).shape), tuple(layer.dense_weight().shape)
    ((5, 16, 10), (16, 8, 3))
    """

    def __init__(self, down: Convolution, up: Convolution) -> None:
        super().__init__()
        self.down, self.up = down, up

    @classmethod
    def like(cls, dense: Convolution, rank: int) -> Self:
        """Layer with random weights and all the settings of a dense one."""
        if dense.groups != 1:
            raise SettingsError(
                f"a convolution of {dense.groups} groups has no low-rank form; wanted one"
            )
        # torch types the sizes of kernels in one and in two dimensions apart.
        kind: Any = type(dense)
        down = kind(
            dense.in_channels,
            rank,
            dense.kernel_size,
            stride=dense.stride,
            padding=dense.padding,
            dilation=dense.dilation,
            bias=False,
            padding_mode=dense.padding_mode,
        )
        up = kind(rank, dense.out_channels, 1, bias=dense.bias is not None)
        return cls(down, up).to(dense.weight)

    @classmethod
    @torch.no_grad()
    def from_dense(cls, dense: Convolution, rank: int, *, samples: Tensor | None = None) -> Self:
        """Layer nearest to a dense one, which it shares no numbers with.

        Parameters
        ----------
        dense
            Layer whose settings are kept.
        rank
            At most the number of outputs.
        samples
            Inputs (batch, channels, places): the error is then that of the outputs for them, of
            which the kept channels are the principal components, before the bias.
        """
        layer = cls.like(dense, rank)
        weight = dense.weight.detach().double()
        rows = weight.flatten(1)
        if samples is not None:
            outputs = dense(samples.to(dense.weight.dtype)).movedim(1, 0).flatten(1).double()
            rows = outputs if dense.bias is None else outputs - dense.bias.double()[:, None]
        basis = torch.linalg.eigh(rows @ rows.T)[1].flip(1)[:, :rank]
        kernel = (basis.T @ weight.flatten(1)).reshape(rank, *weight.shape[1:])
        layer.down.weight.copy_(kernel)
        layer.up.weight.copy_(basis.reshape_as(layer.up.weight))
        if dense.bias is not None and layer.up.bias is not None:
            layer.up.bias.copy_(dense.bias)
        return layer

    @property
    def bias(self) -> Tensor | None:
        """That of the convolution which mixes the channels."""
        return self.up.bias

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of the convolution for inputs (batch, channels, places)."""
        outputs: Tensor = self.up(self.down(x))
        return outputs

    def dense_weight(self) -> Tensor:
        """Weight of the same convolution as nn.Conv holds it, (out, in, kernel)."""
        matrix = self.up.weight.flatten(1) @ self.down.weight.flatten(1)
        return matrix.reshape(self.up.out_channels, *self.down.weight.shape[1:])

    def bond_activations(self, x: Tensor) -> dict[str, Tensor]:
        """Values of the few channels between both convolutions, under "rank".

        >>> layer = LowRankConvolution.like(nn.Conv1d(8, 16, 3, padding=1), 2)
        >>> tuple(layer.bond_activations(torch.ones(5, 8, 10))["rank"].shape)
        (5, 2, 10)
        """
        return {"rank": self.down(x)}

    def spectra(self) -> dict[str, BondSpectrum]:
        """Singular values of the matrix of the kernel, under "rank".

        >>> len(LowRankConvolution.like(nn.Conv1d(8, 16, 3), 2).spectra()["rank"].values)
        2
        """
        up, down = (layer.weight.detach().double().flatten(1) for layer in (self.up, self.down))
        (_, one), (_, other) = torch.linalg.qr(up), torch.linalg.qr(down.T)
        return {"rank": BondSpectrum.of_matrix(one @ other.T)}
