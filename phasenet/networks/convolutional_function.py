r"""The convolutional classifier, cut in two anywhere.

With inputs :math:`x_p` of a layer, a window :math:`\sum_j W_j x_{p+j}` that lies across a cut is
the sum of its parts from both sides and from the few inputs that lie across the cut themselves.
What is left to do for a pair of a prefix and a suffix does not depend on the length of the chain,
and one more site changes the few open windows of each layer only.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from phasenet.errors import ShapeError
from phasenet.networks.architectures.tensorized import dense_weight
from phasenet.networks.convolutional import ConvolutionalClassifier
from phasenet.networks.evaluation import Finish, NetworkFunction
from phasenet.trains.train import Array, FloatArray, IntArray, check_configurations


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    """How the windows of one layer that lie across a cut come about.

    Parameters
    ----------
    weights
        From the inputs that lie across the cut to these windows, shape (inputs * channels,
        windows * channels); zero where a window does not see an input.
    bias
        Shape (windows * channels,).
    left, right
        Columns of the features of each side that hold its parts of the first or last windows.
    """

    weights: torch.Tensor
    bias: torch.Tensor
    left: slice
    right: slice


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cut:
    """All windows across a cut, layer by layer, and the readout of those of the last layer."""

    layers: tuple[_Layer, ...]
    readout: torch.Tensor


class ConvolutionalFunction(NetworkFunction):
    """Outputs of a convolutional classifier, from both sides of any cut.

    Features of one side are its number of sites, the sum of what its positions give to the logits,
    and for each layer its parts of the windows that reach beyond the cut, in the order of the
    chain. The parameters are those of :class:`~phasenet.networks.evaluation.NetworkFunction`; the
    network has at least one convolution.

    >>> from phasenet.networks.evaluation import unchanged
    >>> network = ConvolutionalClassifier(site_dim=2, channels=(4,), kernel=2, classes=3)
    >>> split = ConvolutionalFunction(network, torch.device("cpu"), finish=unchanged)
    >>> left, right = split.prefixes(np.array([[0]])), split.suffixes(np.array([[1, 0, 1]]))
    >>> np.allclose(split.pairs(left, right), split(np.array([[0, 1, 0, 1]])), rtol=1e-5, atol=1e-6)
    True
    """

    def __init__(
        self, network: ConvolutionalClassifier, device: torch.device, *, finish: Finish
    ) -> None:
        super().__init__(network, device, finish=finish)
        assert isinstance(self._network, ConvolutionalClassifier)
        self._site_dim = network.site_dim
        layers = list(self._network.convolutions)
        # Shape (kernel, before, after).
        self._weights = [dense_weight(c).permute(2, 1, 0) for c in layers]
        self._biases = [c.get_parameter("bias") for c in layers]
        self._channels = [len(bias) for bias in self._biases]
        self._kernel = len(self._weights[0])
        self._reach = len(layers) * (self._kernel - 1)
        # What one input gives to all windows that see it, from the first of them on.
        self._spread = [w.flip(0).transpose(0, 1).flatten(1) for w in self._weights]
        self._readout = dense_weight(self._network.readout).T.contiguous()
        self._bias = self._network.readout.bias
        # Beyond its reach, a side has the same open windows whatever its number of sites.
        self._sites = {self._blocks(sites)[-1].stop: sites for sites in range(self._reach + 1)}
        self._cuts: dict[tuple[int, int], _Cut] = {}

    def prefixes(self, states: IntArray, /) -> Array:
        """Features of the first sites, from integers of shape (rows, sites)."""
        states = self._local(states)
        features = self._nothing(len(states))
        for site in range(states.shape[1]):
            features = self.extend_prefixes(features, site, states[:, site])
        return features

    def suffixes(self, states: IntArray, /) -> Array:
        """Features of the last sites, from integers of shape (rows, sites)."""
        states = self._local(states)
        features = self._nothing(len(states))
        for site in range(states.shape[1] - 1, -1, -1):
            features = self.extend_suffixes(features, site, states[:, site])
        return features

    def extend_prefixes(self, features: Array, site: int, states: IntArray, /) -> Array:
        """Features after one more site on the right."""
        return self._extended(features, states, on_left=True)

    def extend_suffixes(self, features: Array, site: int, states: IntArray, /) -> Array:
        """Features after one more site on the left."""
        return self._extended(features, states, on_left=False)

    @torch.inference_mode()
    def pairs(self, left: Array, right: Array, /) -> FloatArray:
        """Values at configurations joined from aligned rows of features of the sides of a cut."""
        if len(left):
            self._check_length(int(left[0, 0] + right[0, 0]))
        sites = self._sites[left.shape[1]], self._sites[right.shape[1]]
        if sites not in self._cuts:
            self._cuts[sites] = self._across(*sites)
        cut = self._cuts[sites]

        def joined(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
            return self._joined(left, right, cut)

        widest = max((len(layer.bias) for layer in cut.layers), default=len(self._bias))
        row_bytes = widest * self._dtype.itemsize
        return self._in_batches(joined, row_bytes, left, right)

    def _joined(self, left: torch.Tensor, right: torch.Tensor, cut: _Cut) -> torch.Tensor:
        values = left[:, :0]
        for layer in cut.layers:
            values = torch.addmm(layer.bias, values, layer.weights)
            first, last = left[:, layer.left], right[:, layer.right]
            values[:, : first.shape[1]] += first
            values[:, values.shape[1] - last.shape[1] :] += last
            values = nn.functional.silu(values, inplace=True)
        sums = slice(1, 1 + len(self._bias))
        total = torch.addmm(left[:, sums] + right[:, sums], values, cut.readout)
        positions = left[:1, :1] + right[:1, :1] - self._reach
        return total.div_(positions).add_(self._bias)

    @torch.inference_mode()
    def _extended(self, features: Array, states: IntArray, *, on_left: bool) -> Array:
        old = self._moved(features)
        inputs = self._moved(states)
        blocks = self._blocks(self._sites[old.shape[1]])
        head = old[:, blocks[0]].clone()
        head[:, 0] += 1
        parts = [head]
        for layer, (block, width) in enumerate(zip(blocks[1:], self._channels, strict=True)):
            known, spread = old[:, block], self._spread[layer]
            # Next to the end of the chain, fewer windows see the input.
            count = known.shape[1] + width
            spread = spread[:, -count:] if on_left else spread[:, :count]
            windows = spread[inputs] if layer == 0 else inputs @ spread
            (windows[:, :-width] if on_left else windows[:, width:]).add_(known)
            if count < self._kernel * width:
                # No window is complete, so that the layers behind this one hear of nothing yet.
                parts.append(windows)
                break
            complete = windows[:, :width] if on_left else windows[:, -width:]
            parts.append(windows[:, width:] if on_left else windows[:, :-width])
            inputs = nn.functional.silu(complete + self._biases[layer])
        else:
            head[:, 1:] += inputs @ self._readout
        return np.asarray(torch.cat(parts, dim=1).cpu().numpy())

    def _blocks(self, sites: int) -> list[slice]:
        """Columns of the features of so many sites: count and sums, then each layer."""
        blocks = [slice(0, 1 + len(self._bias))]
        for layer, width in enumerate(self._channels):
            known = min(max(sites - layer * (self._kernel - 1), 0), self._kernel - 1)
            blocks.append(slice(blocks[-1].stop, blocks[-1].stop + known * width))
        return blocks

    def _across(self, left_sites: int, right_sites: int) -> _Cut:
        """Windows across a cut between sides of so many sites, none of them beyond its reach."""
        layers: list[_Layer] = []
        inputs = 0
        sides = zip(self._blocks(left_sites)[1:], self._blocks(right_sites)[1:], strict=True)
        for layer, (left, right) in enumerate(sides):
            width, bias = self._channels[layer], self._biases[layer]
            before, after = ((side.stop - side.start) // width for side in (left, right))
            windows = before + inputs + after - self._kernel + 1
            if windows < 1:
                break
            layers.append(
                _Layer(
                    weights=_banded(self._weights[layer], inputs, windows, before),
                    bias=bias.repeat(windows),
                    left=slice(left.start, left.start + min(before, windows) * width),
                    right=slice(right.stop - min(after, windows) * width, right.stop),
                )
            )
            inputs = windows
        return _Cut(layers=tuple(layers), readout=self._readout.repeat(inputs if layers else 0, 1))

    def _nothing(self, rows: int) -> Array:
        features: Array = np.zeros((rows, 1 + len(self._bias)), dtype=self._dtype)
        return features

    def _checked(self, configurations: Array) -> Array:
        configurations = self._local(configurations)
        self._check_length(configurations.shape[1])
        return configurations

    def _local(self, states: Array) -> Array:
        states = super()._checked(states)
        return check_configurations(states, (self._site_dim,) * states.shape[1])

    def _check_length(self, sites: int) -> None:
        if sites <= self._reach:
            raise ShapeError(
                f"configurations have {sites} sites; wanted at least {self._reach + 1}, which the "
                "network sees at once"
            )


def _banded(weight: torch.Tensor, inputs: int, windows: int, before: int) -> torch.Tensor:
    """Matrix from inputs to all windows; the first window starts ``before`` inputs before them."""
    taps, channels, width = weight.shape
    matrix = weight.new_zeros(inputs, channels, windows, width)
    for window in range(windows):
        for tap in range(taps):
            if 0 <= window + tap - before < inputs:
                matrix[window + tap - before, :, window] = weight[tap]
    return matrix.reshape(inputs * channels, windows * width)
