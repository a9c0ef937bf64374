"""Convolutions whose kernel is a Tucker tensor, a tensor train or a CP tensor.

All are a chain of smaller convolutions: the channels are mixed down, a small kernel acts on what is
left, and the channels are mixed up again.
"""

import copy
import math
from collections.abc import Sequence
from typing import Self, get_args

import torch
from torch import Tensor, nn

from phasenet.errors import SettingsError
from phasenet.networks.layers.conv_decompositions import (
    canonical,
    decomposed,
    ranks_of,
    spectra_of,
)
from phasenet.networks.layers.conv_geometry import convolved, geometry, padded
from phasenet.networks.layers.conv_links import Form, joined, labels, shapes, useful_ranks
from phasenet.networks.layers.conv_plan import (
    Chain,
    ConvolutionPlan,
    Segment,
    planned,
    single_segments,
    whole_segment,
)
from phasenet.networks.layers.dropout import masked
from phasenet.networks.layers.held import Held, graph_is_recorded, tensors_of
from phasenet.networks.layers.initial import initial_bias, initial_tensors
from phasenet.networks.layers.spectra import BondSpectrum

# A graph that is recorded once serves all batches and sizes, so these stand for them.
_RECORDED_BATCH, _RECORDED_SIZE = 32, 16


class TensorizedConvolution(nn.Module):
    """Convolution along one axis or two with a chain of small kernels in place of the weight.

    W[o, i, h, w], of each group,

    - "tucker": sum over q, r of out_factors.0[o, q] core[q, r, h, w] in_factors.0[r, i]
      (Tucker-2, Y. Kim et al., arXiv:1511.06530),
    - "mpo": a tensor train over i, h, w, o: cores.3[o, c] cores.2[c, b, w] cores.1[b, a, h]
      cores.0[a, i], summed over a, b, c,
    - "cp": sum over r of out_factors.0[o, r] kernel_factors.0[r, h] kernel_factors.1[r, w]
      in_factors.0[r, i] (V. Lebedev et al., arXiv:1412.6553).

    Along one axis there is no w. The first axis of every parameter runs over the groups first, as
    in nn.Conv2d.

    Parameters
    ----------
    in_channels, out_channels
        Multiples of `groups`.
    kernel_size
        One number for each axis of space.
    form
        "tucker", "mpo" or "cp".
    ranks
        (in, out) for "tucker", the bonds from the input to the output for "mpo", (rank,) for "cp";
        one number for all alike. Those of one group.
    stride, padding, dilation, groups, bias, padding_mode
        As nn.Conv2d has them.
    dropout
        Probability with which an index of a bond is left out while training.

    Notes
    -----
    Without gradients the dense weight, where it is the cheapest way, is put together once and held
    until a parameter changes. Changes in place through `parameter.data` are not seen.

    >>> layer = TensorizedConvolution(8, 8, (3,), "tucker", (2, 3), padding=1)
    >>> tuple(layer(torch.ones(5, 8, 16)).shape), tuple(layer.dense_weight().shape)
    ((5, 8, 16), (8, 8, 3))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sequence[int],
        form: Form,
        ranks: int | Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: int | str | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        _check(in_channels, out_channels, groups, form, dropout)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.form, self.dropout = form, dropout
        self.geometry = geometry(
            kernel=kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            padding_mode=padding_mode,
        )
        channels, kernel = (in_channels // groups, out_channels // groups), self.geometry.kernel
        self.ranks = useful_ranks(form, channels, kernel, ranks)
        self._chain = Chain(
            links=shapes(form, channels, kernel, self.ranks),
            names=labels(form, len(kernel)),
            where=self.geometry,
            groups=groups,
        )
        self._whole = whole_segment(self._chain)
        sizes = (_RECORDED_SIZE,) * len(kernel)
        self._recorded = {
            training: self.plan(_RECORDED_BATCH, sizes, training=training).segments
            for training in (False, True)
        }
        self._held = Held()
        fan_in = channels[0] * math.prod(kernel)
        weights = initial_tensors(
            [shape.parameter(groups) for shape in self._chain.links],
            math.prod(self.ranks),
            fan_in,
            device=device,
            dtype=dtype,
        )
        self._register([nn.Parameter(weight) for weight in weights])
        self.bias = initial_bias(out_channels, fan_in, device=device, dtype=dtype) if bias else None

    @classmethod
    def like(cls, dense: nn.Conv1d | nn.Conv2d, form: Form, ranks: int | Sequence[int]) -> Self:
        """Layer with random weights and all the settings of a dense one."""
        return cls(
            dense.in_channels,
            dense.out_channels,
            dense.kernel_size,
            form,
            ranks,
            stride=dense.stride,
            padding=dense.padding,
            dilation=dense.dilation,
            groups=dense.groups,
            bias=dense.bias is not None,
            padding_mode=dense.padding_mode,
            device=dense.weight.device,
            dtype=dense.weight.dtype,
        )

    @classmethod
    def from_dense(
        cls,
        dense: nn.Conv1d | nn.Conv2d,
        form: Form,
        ranks: int | Sequence[int] | None = None,
        *,
        tol: float | None = None,
        samples: Tensor | None = None,
    ) -> Self:
        """Layer nearest to a dense one, which it shares no numbers with.

        Parameters
        ----------
        dense
            Layer whose settings are kept.
        form, ranks
            As for the layer itself; without ranks the least ones for `tol`.
        tol
            Relative error of the weight.
        samples
            Inputs of the layer, (batch, channels, places): the error is weighed with the second
            moments of their channels.
        """
        if ranks is None and tol is None:
            raise SettingsError("a convolution is given no ranks and no tol; pass one of them")
        _check(dense.in_channels, dense.out_channels, dense.groups, form, 0.0)
        channels = dense.in_channels // dense.groups, dense.out_channels // dense.groups
        kept = None if ranks is None else useful_ranks(form, channels, dense.kernel_size, ranks)
        weights = decomposed(form, dense.weight, dense.groups, kept, tol=tol, samples=samples)
        found = ranks_of(form, [weight.chunk(dense.groups)[0] for weight in weights])
        layer = cls.like(dense, form, found)
        layer._set(weights)
        with torch.no_grad():
            if layer.bias is not None and dense.bias is not None:
                layer.bias.copy_(dense.bias)
        return layer.train(dense.training)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of the convolution for inputs (batch, channels, places), or without a batch."""
        recorded, grad = graph_is_recorded(x), torch.is_grad_enabled()
        segments = self._recorded[grad] if recorded else self._segments(x, grad)
        dropping = self.training and self.dropout > 0
        if len(segments) == 1 and not (recorded or grad or dropping):
            kernel = self._held.get(self, self.dense_weight)
            x = padded(x, self.geometry) if segments[0].padded else x
            return convolved(x, kernel, self.bias, segments[0].call)
        weights = self._weights()
        if dropping:
            # The rank of a CP form is one index that all of its links share.
            last = 1 if self.form == "cp" else len(weights) - 1
            weights[:last] = [masked(weight, [0], self.dropout) for weight in weights[:last]]
        return _applied(self, x, weights, segments)[-1]

    def dense_weight(self) -> Tensor:
        """Weight of the same convolution as nn.Conv holds it, (out, in of a group, kernel)."""
        whole = self._whole
        return joined(self._weights(), whole.pairs, whole.from_first, self.groups)

    def plan(self, batch: int, sizes: Sequence[int], *, training: bool = True) -> ConvolutionPlan:
        """Cheapest order of the work for a batch of inputs with some sizes in space.

        >>> layer = TensorizedConvolution(64, 64, (3, 3), "tucker", 8, padding=1)
        >>> layer.plan(32, (14, 14)).name, layer.plan(1, (3, 3)).name
        ('in 0, then core, then out 0', 'dense weight')
        """
        return planned(self._chain, batch, tuple(sizes), training)

    def orthonormal(self) -> Self:
        """Layer of the same function in its canonical gauge.

        Higher-order singular vectors for "tucker", a left-canonical train for "mpo", for "cp" unit
        vectors and the largest terms first, their size in out_factors.0.
        """
        layer = copy.deepcopy(self)
        layer._set(canonical(self.form, self._weights(), self.groups))
        return layer

    def bond_activations(self, x: Tensor) -> dict[str, Tensor]:
        """Values on each bond, (batch, channels, places), link after link.

        "in 0" and "out 0" of "tucker" are on either side of the core, "bond 1", "bond 2", ... of
        "mpo" follow the train; of "cp" each is named after the link before it.
        """
        each = single_segments(self._chain)
        names = list(self._chain.names[:-1])
        if self.form == "tucker":
            names = ["in 0", "out 0"]
        elif self.form == "mpo":
            names = [f"bond {bond + 1}" for bond in range(len(names))]
        return dict(zip(names, _applied(self, x, self._weights(), each), strict=False))

    def spectra(self) -> dict[str, BondSpectrum]:
        """Spectrum of each bond of the weight; of "cp" the norms of its terms, as "rank"."""
        return spectra_of(self.form, self._weights(), self.groups)

    def extra_repr(self) -> str:
        """Settings as nn.Module prints them."""
        where = self.geometry
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={where.kernel}, "
            f"form={self.form}, ranks={self.ranks}, stride={where.stride}, pads={where.pads}, "
            f"dilation={where.dilation}, groups={self.groups}, bias={self.bias is not None}, "
            f"padding_mode={where.padding_mode}"
        )

    def _register(self, weights: Sequence[nn.Parameter]) -> None:
        if self.form == "mpo":
            self.cores = nn.ParameterList(weights)
            return
        self.in_factors = nn.ParameterList(weights[:1])
        if self.form == "tucker":
            self.core = weights[1]
        else:
            self.kernel_factors = nn.ParameterList(weights[1:-1])
        self.out_factors = nn.ParameterList(weights[-1:])

    def _weights(self) -> list[Tensor]:
        if self.form == "mpo":
            return [*tensors_of(self.cores)]
        middle = (self.core,) if self.form == "tucker" else tensors_of(self.kernel_factors)
        return [*tensors_of(self.in_factors), *middle, *tensors_of(self.out_factors)]

    def _set(self, weights: Sequence[Tensor]) -> None:
        with torch.no_grad():
            for mine, other in zip(self._weights(), weights, strict=True):
                mine.copy_(other)

    def _segments(self, x: Tensor, grad: bool) -> tuple[Segment, ...]:
        axes = len(self.geometry.kernel)
        batch = x.shape[0] if x.ndim == axes + 2 else 1
        return planned(self._chain, batch, tuple(x.shape[-axes:]), grad).segments


def _applied(
    layer: TensorizedConvolution, x: Tensor, weights: Sequence[Tensor], segments: Sequence[Segment]
) -> list[Tensor]:
    """Values after each segment."""
    values: list[Tensor] = []
    for segment in segments:
        if segment.pairs:
            chosen = [weights[link] for link in segment.links]
            weight = joined(chosen, segment.pairs, segment.from_first, layer.groups)
        else:
            weight = weights[segment.links[0]]
        if segment.padded:
            x = padded(x, layer.geometry)
        bias = layer.bias if len(values) == len(segments) - 1 else None
        x = convolved(x, weight, bias, segment.call)
        values.append(x)
    return values


def _check(into: int, out: int, groups: int, form: str, dropout: float) -> None:
    if form not in get_args(Form):
        raise SettingsError(
            f"a convolution has the form {form!r}; wanted {', '.join(get_args(Form))}"
        )
    if min(into, out, groups) < 1 or into % groups or out % groups:
        raise SettingsError(
            f"a convolution has {into} channels in, {out} out and {groups} groups; "
            "wanted multiples of the groups"
        )
    if not 0 <= dropout < 1:
        raise SettingsError(f"a convolution has the dropout {dropout}; wanted 0 up to below 1")
