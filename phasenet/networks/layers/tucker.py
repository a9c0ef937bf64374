"""Linear layer whose weight is a Tucker tensor."""

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.layers.decompositions import hosvd, input_metric
from phasenet.networks.layers.dropout import masked
from phasenet.networks.layers.gauges import orthonormal_tucker
from phasenet.networks.layers.held import Held, graph_is_recorded, tensors_of
from phasenet.networks.layers.initial import dense_std, initial_bias, initial_tensors
from phasenet.networks.layers.modes import check_dense
from phasenet.networks.layers.multilinear import along, clipped_tucker_ranks, unfolded
from phasenet.networks.layers.plan import Plan
from phasenet.networks.layers.spectra import BondSpectrum
from phasenet.networks.layers.tucker_contraction import expanded_core, tucker_linear
from phasenet.networks.layers.tucker_gradients import differentiable
from phasenet.networks.layers.tucker_plans import Sizes, Way, planned

# Rows for which a graph is planned that is recorded once and used for any batch.
_RECORDED_BATCH = 32


class TuckerLinear(nn.Module):
    r"""Linear layer that holds a core and a factor for each mode in place of its weight.

    The weight as a matrix (out, in), inputs and outputs row-major over their modes, is
    :math:`\mathcal{G} \times_1 U_1 \cdots \times_N U_N \times_{N+1} V_1 \cdots \times_{N+M} V_M`
    (Calvi et al., arXiv:1903.06133). It starts as large as that of nn.Linear, with orthogonal
    columns in every factor. How the layer is applied follows :meth:`plan`.

    Parameters
    ----------
    in_modes, out_modes
        Factors of the numbers of inputs and of outputs, as many of each as wanted.
    ranks
        One for each input mode and then for each output mode; a number means the same for all.
        Those above their useful maximum are clipped, and the log says so.
    bias
        Whether a vector is added.
    dropout
        Probability with which each index of each rank is left out in training.

    Notes
    -----
    Without gradients the dense weight, where it is the cheapest way, is put together once and held
    until a parameter changes. Changes in place through `parameter.data` are not seen. A call costs
    some 5 microseconds more than one of nn.Linear, and the gradient of a few rows of a small layer
    several times as much: there are more products, and none of them is large.

    >>> layer = TuckerLinear((28, 28), (300,), (5, 5, 10), bias=False)
    >>> sum(p.numel() for p in layer.parameters()), tuple(layer(torch.ones(2, 784)).shape)
    (3530, (2, 300))
    """

    def __init__(
        self,
        in_modes: Sequence[int],
        out_modes: Sequence[int],
        ranks: int | Sequence[int],
        bias: bool = True,
        *,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_modes, self.out_modes = tuple(in_modes), tuple(out_modes)
        _check(self.in_modes, self.out_modes, dropout)
        modes, count = self.in_modes + self.out_modes, len(self.in_modes)
        self.ranks = clipped_tucker_ranks(modes, _listed(ranks, len(modes)))
        self.in_features, self.out_features = math.prod(in_modes), math.prod(out_modes)
        self.dropout = dropout
        core, *factors = _initial(modes, self.ranks, self.in_features, device, dtype)
        self.core = nn.Parameter(core)
        self.in_factors = nn.ParameterList(factors[:count])
        self.out_factors = nn.ParameterList(factors[count:])
        self.bias: nn.Parameter | None = None
        if bias:
            self.bias = initial_bias(
                self.out_features, self.in_features, device=device, dtype=dtype
            )
        self._sizes = Sizes(
            in_modes=self.in_modes,
            out_modes=self.out_modes,
            in_ranks=self.ranks[:count],
            out_ranks=self.ranks[count:],
        )
        self._recorded_way = planned(self._sizes, _RECORDED_BATCH, True)[0]
        self._held = Held()

    @classmethod
    def from_dense(
        cls,
        dense: nn.Linear,
        in_modes: Sequence[int],
        out_modes: Sequence[int],
        ranks: int | Sequence[int] | None = None,
        *,
        tol: float | None = None,
        samples: Tensor | None = None,
    ) -> Self:
        """Tucker layer nearest to a dense one, by higher-order singular values, refined.

        Parameters
        ----------
        dense
            Layer with a weight of shape (out, in); nothing of it is shared.
        in_modes, out_modes
            As of the layer.
        ranks
            As of the layer; None: those of the fewest numbers that keep `tol`.
        tol
            Relative error of the weight; with samples, of the outputs on them.
        samples
            Inputs of shape (..., in), whose second moments then weigh the error.

        >>> dense = nn.Linear(12, 6)
        >>> layer = TuckerLinear.from_dense(dense, (4, 3), (6,), tol=1e-6)
        >>> bool(torch.allclose(layer.dense_weight(), dense.weight, atol=1e-6))
        True
        """
        modes = (*in_modes, *out_modes)
        chosen = ranks is not None or tol is not None
        check_dense("Tucker", dense, in_modes, out_modes, chosen=chosen)
        weight = dense.weight.detach().double().T.reshape(modes)
        roots = () if samples is None else input_metric(samples.double(), in_modes)
        for mode, root in enumerate(roots):
            weight = along(weight, root, mode)
        wanted = None if ranks is None else _listed(ranks, len(modes))
        core, found = hosvd(weight, wanted, tol=tol)
        factors = [f if f is not None else torch.eye(n) for f, n in zip(found, modes, strict=True)]
        for mode, root in enumerate(roots):
            factors[mode] = torch.linalg.solve(root, factors[mode])
        # What is drawn is thrown away, and the stream of random numbers stays where it was.
        with torch.random.fork_rng(devices=[]):
            layer = cls(in_modes, out_modes, core.shape, dense.bias is not None)
        return layer._filled(core, factors, dense.weight, dense.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (..., out) for inputs of shape (..., in)."""
        if x.shape[-1] != self.in_features:
            raise ShapeError(
                f"the inputs have {x.shape[-1]} features, the Tucker layer wants "
                f"{self.in_features}; its modes are {self.in_modes}"
            )
        if graph_is_recorded(x):
            return self._applied(x, self._recorded_way, None, recorded=True)
        training, dropping = torch.is_grad_enabled(), self.training and self.dropout > 0
        way, plan = planned(self._sizes, x.numel() // self.in_features, training)
        if training or dropping or way.place != "dense":
            return self._applied(x, way, plan.chunk, recorded=not training)
        return nn.functional.linear(x, self._held.get(self, self.dense_weight), self.bias)

    def _applied(self, x: Tensor, way: Way, chunk: int | None, *, recorded: bool) -> Tensor:
        core, ins, outs = self._masked_core(), *self._factors()
        rows = x.reshape(-1, self.in_features)
        if not way.own_order:
            axes = range(len(way.order), core.ndim)
            core = core.permute(*way.order, *axes)
            ins = tuple(ins[n] for n in way.order)
            tensor = rows.reshape(-1, *self.in_modes)
            rows = tensor.permute(0, *(n + 1 for n in way.order)).reshape(rows.shape)
        apply = tucker_linear if recorded else differentiable
        if chunk is None or len(rows) <= chunk:
            y = apply(rows, core, ins, outs, self.bias, way.place)
        else:
            parts = torch.split(rows, chunk)
            y = torch.cat([apply(part, core, ins, outs, self.bias, way.place) for part in parts])
        return y.reshape(*x.shape[:-1], self.out_features)

    def _factors(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        return tensors_of(self.in_factors), tensors_of(self.out_factors)

    def _masked_core(self) -> Tensor:
        if not (self.training and self.dropout > 0):
            return self.core
        return masked(self.core, range(self.core.ndim), self.dropout)

    def plan(self, batch: int, *, training: bool = True) -> Plan:
        """Plan that is followed for a number of rows, with the gradient or without.

        >>> print(TuckerLinear((28, 28), (300,), (5, 5, 10)).plan(128).name)
        factor by factor, input modes 1, 0
        """
        return planned(self._sizes, batch, training)[1]

    @property
    def flops(self) -> int:
        """Multiplications and additions for one row, without the gradient."""
        return self.plan(1, training=False).flops

    def dense_weight(self) -> Tensor:
        """Weight as a matrix of shape (out, in)."""
        return expanded_core(self.core, *self._factors())

    def orthonormal(self) -> Self:
        """Layer of the same weight whose factors have orthonormal columns.

        Slices of the core along each axis are orthogonal, the largest norm first: the higher-order
        singular value decomposition of the weight.

        >>> factor = TuckerLinear((4,), (3,), 2).orthonormal().in_factors[0]
        >>> bool(torch.allclose(factor.T @ factor, torch.eye(2), atol=1e-6))
        True
        """
        core, factors = orthonormal_tucker(self.core, (*self.in_factors, *self.out_factors))
        with torch.random.fork_rng(devices=[]):
            layer = type(self)(
                self.in_modes,
                self.out_modes,
                self.ranks,
                self.bias is not None,
                dropout=self.dropout,
            )
        found = [f for f in factors if f is not None]
        layer = layer._filled(core, found, self.core, self.bias)
        return layer.train(self.training)

    def bond_activations(self, x: Tensor) -> dict[str, Tensor]:
        """Values on every bond, for inputs of shape (..., in), factor by factor.

        "in n" is the input once the factors of its modes from n on are contracted, with the axes
        (..., mode 0, ..., mode n - 1, rank n, ..., last rank); "out m" what the factor of output
        mode m meets, (..., mode 0, ..., mode m - 1, rank m, ..., last rank).

        >>> values = TuckerLinear((4, 3), (5,), 2).bond_activations(torch.ones(7, 12))
        >>> {name: tuple(value.shape) for name, value in values.items()}
        {'in 1': (7, 4, 2), 'in 0': (7, 2, 2), 'out 0': (7, 2)}
        """
        ins, outs, first = len(self.in_modes), len(self.out_modes), x.ndim - 1
        t = x.reshape(*x.shape[:-1], *self.in_modes)
        found = {}
        for n in reversed(range(ins)):
            t = along(t, self.in_factors[n].T, first + n)
            found[f"in {n}"] = t
        t = torch.tensordot(t, self.core, dims=ins)
        for m in range(outs):
            found[f"out {m}"] = t
            t = along(t, self.out_factors[m], first + m)
        return found

    def spectra(self) -> dict[str, BondSpectrum]:
        """Schmidt values of the weight between each mode and all others, under "in n" and "out m".

        >>> spectrum = TuckerLinear((4, 3), (5,), 2).spectra()["in 1"]
        >>> len(spectrum.values)
        2
        """
        core, _ = orthonormal_tucker(self.core, (*self.in_factors, *self.out_factors))
        names = [f"in {n}" for n in range(len(self.in_modes))]
        names += [f"out {m}" for m in range(len(self.out_modes))]
        return {
            name: BondSpectrum.of_matrix(unfolded(core, mode)) for mode, name in enumerate(names)
        }

    def extra_repr(self) -> str:
        """Sizes of the layer, as printing a network shows them."""
        return (
            f"in_modes={self.in_modes}, out_modes={self.out_modes}, ranks={self.ranks}, "
            f"bias={self.bias is not None}, dropout={self.dropout}"
        )

    def _filled(
        self, core: Tensor, factors: Sequence[Tensor], like: Tensor, bias: Tensor | None
    ) -> Self:
        """Put copies of these values, with the device and dtype of `like`, into the parameters."""
        count = len(self.in_modes)
        self.core = _parameter(core, like)
        self.in_factors = nn.ParameterList(_parameter(f, like) for f in factors[:count])
        self.out_factors = nn.ParameterList(_parameter(f, like) for f in factors[count:])
        self.bias = None if bias is None else _parameter(bias, like)
        return self


def _parameter(value: Tensor, like: Tensor) -> nn.Parameter:
    copied = value.detach().to(device=like.device, dtype=like.dtype, copy=True)
    return nn.Parameter(copied.contiguous())


def _listed(ranks: int | Sequence[int], count: int) -> tuple[int, ...]:
    return (ranks,) * count if isinstance(ranks, int) else tuple(ranks)


def _check(in_modes: tuple[int, ...], out_modes: tuple[int, ...], dropout: float) -> None:
    if not in_modes or not out_modes or min(in_modes + out_modes) < 1:
        raise SettingsError(
            f"a Tucker layer got the modes {in_modes} -> {out_modes}; "
            "wanted at least one of each, all from 1"
        )
    if not 0 <= dropout < 1:
        raise SettingsError(f"the dropout of a Tucker layer is {dropout}; wanted 0 <= dropout < 1")


def _initial(
    modes: Sequence[int],
    ranks: Sequence[int],
    in_features: int,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> list[Tensor]:
    """Core and factors, these with orthogonal columns, whose weight has the norm of nn.Linear's."""
    shapes = [tuple(ranks), *zip(modes, ranks, strict=True)]
    core, *drawn = initial_tensors(shapes, math.prod(ranks), in_features, device=device)
    factors, norm = [], core.norm()
    for tensor in drawn:
        # Orthogonal columns of equal length, so that the norm of the weight is that of the core.
        size = tensor.norm() / math.sqrt(tensor.shape[1])
        columns = torch.linalg.qr(tensor).Q * size
        factors.append(columns.contiguous().to(dtype))
        norm = norm * size
    wanted = dense_std(in_features) * math.sqrt(math.prod(modes))
    return [(core * (wanted / norm)).to(dtype), *factors]
