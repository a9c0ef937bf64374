"""Linear layer whose weight is a sum of products."""

from collections.abc import Sequence
from math import prod, sqrt
from typing import Self

import torch
from torch import Tensor, nn

from phasenet.errors import SettingsError
from phasenet.networks.layers.cp_contraction import CPWay, cp_linear, cp_weight, planned
from phasenet.networks.layers.decompositions import cp_als, input_metric
from phasenet.networks.layers.dropout import masked
from phasenet.networks.layers.gauges import unit_columns
from phasenet.networks.layers.held import Held, graph_is_recorded, tensors_of
from phasenet.networks.layers.initial import dense_std, initial_bias, initial_tensors
from phasenet.networks.layers.modes import check_dense, check_modes, parameter_of, wrong_inputs
from phasenet.networks.layers.multilinear import along, clipped_cp_rank
from phasenet.networks.layers.plan import Plan
from phasenet.networks.layers.spectra import BondSpectrum

# Rows for which a graph is planned that is recorded once and used for any batch.
_RECORDED_BATCH = 32


class CPLinear(nn.Module):
    r"""Linear layer that holds one factor (mode, rank) for each mode in place of its weight.

    :math:`W = \sum_r U_{1,r} \circ \cdots \circ U_{N,r} \circ V_{1,r} \circ \cdots \circ V_{M,r}`
    as a matrix (out, in), inputs and outputs row-major over their modes (V. Lebedev et al.,
    arXiv:1412.6553, for convolutions). With one mode each it is a matrix of low rank. The dense
    weight starts as large as that of nn.Linear. How the layer is applied follows :meth:`plan`.

    Parameters
    ----------
    in_modes, out_modes
        Factors of the numbers of inputs and of outputs, as many of each as wanted.
    ranks
        Number of terms, alone or as the only entry. Above its useful maximum it is clipped, and
        the log says so.
    bias
        Whether a vector is added.
    dropout
        Probability with which each term is left out in training.

    Notes
    -----
    Without gradients the dense weight, where it is the cheapest way, is put together once and held
    until a parameter changes. Changes in place through `parameter.data` are not seen.

    >>> layer = CPLinear((28, 28), (300,), 10, bias=False)
    >>> sum(p.numel() for p in layer.parameters()), tuple(layer(torch.ones(2, 784)).shape)
    (3560, (2, 300))
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
        check_modes("CP", in_modes, out_modes, dropout)
        self.in_modes, self.out_modes = tuple(in_modes), tuple(out_modes)
        self.in_features, self.out_features = prod(in_modes), prod(out_modes)
        self.dropout = dropout
        modes, count = self.in_modes + self.out_modes, len(self.in_modes)
        rank = clipped_cp_rank(modes, _single(ranks))
        self.ranks = (rank,)
        factors = _initial(modes, rank, self.in_features, device, dtype)
        self.in_factors = nn.ParameterList(nn.Parameter(f) for f in factors[:count])
        self.out_factors = nn.ParameterList(nn.Parameter(f) for f in factors[count:])
        self.bias: nn.Parameter | None = None
        if bias:
            self.bias = initial_bias(
                self.out_features, self.in_features, device=device, dtype=dtype
            )
        self._recorded_way = self._planned(_RECORDED_BATCH, training=True)[0]
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
        """Layer near to a dense one, by alternating least squares.

        Parameters
        ----------
        dense
            Layer with a weight of shape (out, in); nothing of it is shared.
        in_modes, out_modes
            As of the layer.
        ranks
            As of the layer; None: the least one found that keeps `tol`.
        tol
            Relative error of the weight; with samples, of the outputs on them.
        samples
            Inputs of shape (..., in), whose second moments then weigh the error.

        >>> dense = nn.Linear(12, 6)
        >>> layer = CPLinear.from_dense(dense, (12,), (6,), tol=1e-6)
        >>> bool(torch.allclose(layer.dense_weight(), dense.weight, atol=1e-6))
        True
        """
        check_dense("CP", dense, in_modes, out_modes, chosen=ranks is not None or tol is not None)
        weight = dense.weight.detach().double().t().reshape(*in_modes, *out_modes)
        roots = () if samples is None else input_metric(samples.double(), in_modes)
        for mode, root in enumerate(roots):
            weight = along(weight, root, mode)
        factors = list(cp_als(weight, None if ranks is None else _single(ranks), tol=tol))
        for mode, root in enumerate(roots):
            factors[mode] = torch.linalg.solve(root, factors[mode])
        rank = factors[0].shape[1]
        layer = cls(in_modes, out_modes, rank, dense.bias is not None, device="meta")
        return layer._filled(factors, dense.weight, dense.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (..., out) for inputs of shape (..., in)."""
        if graph_is_recorded(x):
            return self._applied(x, self._recorded_way)
        if x.shape[-1] != self.in_features:
            raise wrong_inputs("CP", x, self.in_modes)
        training, dropping = torch.is_grad_enabled(), self.training and self.dropout > 0
        way, _ = self._planned(x.numel() // self.in_features, training=training)
        if training or dropping or not way.dense:
            return self._applied(x, way)
        weight = self._held.get(self, self.dense_weight)
        return nn.functional.linear(x, weight, self.bias)

    def _applied(self, x: Tensor, way: CPWay) -> Tensor:
        ins = tensors_of(self.in_factors)
        if self.training and self.dropout > 0:
            ins = (masked(ins[0], [1], self.dropout), *ins[1:])
        rows = x if x.ndim == 2 else x.reshape(-1, self.in_features)
        y = cp_linear(rows, ins, tensors_of(self.out_factors), self.bias, way)
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], self.out_features)

    def plan(self, batch: int, *, training: bool = True) -> Plan:
        """Plan that is followed for a number of rows, with the gradient or without.

        >>> print(CPLinear((28, 28), (300,), 10).plan(128).name)
        inputs, outputs
        """
        return self._planned(batch, training=training)[1]

    def _planned(self, batch: int, *, training: bool) -> tuple[CPWay, Plan]:
        return planned(self.in_modes, self.out_modes, self.ranks[0], batch, training)

    @property
    def flops(self) -> int:
        """Multiplications and additions for one row, without the gradient."""
        return self.plan(1, training=False).flops

    def dense_weight(self) -> Tensor:
        """Weight as a matrix of shape (out, in)."""
        return cp_weight(tensors_of(self.in_factors), tensors_of(self.out_factors))

    def orthonormal(self) -> Self:
        """Layer of the same weight with unit columns, the term of the largest weight first.

        The columns of the last factor carry the weights of the terms.

        >>> factor = CPLinear((4, 3), (2,), 2).orthonormal().in_factors[0]
        >>> bool(torch.allclose(factor.norm(dim=0), torch.ones(2)))
        True
        """
        layer = type(self)(
            self.in_modes,
            self.out_modes,
            self.ranks,
            self.bias is not None,
            dropout=self.dropout,
            device="meta",
        )
        factors = unit_columns((*self.in_factors, *self.out_factors))
        return layer._filled(factors, factors[0], self.bias).train(self.training)

    def bond_activations(self, x: Tensor) -> dict[str, Tensor]:
        """Values of every term, for inputs of shape (..., in), factor by factor.

        "in n" is the input once the factors of its modes from n on are contracted, (..., mode 0,
        ..., mode n - 1, rank); "out m" what the factor of output mode m from 1 on meets, (..., mode
        0, ..., mode m - 1, rank). That of output mode 0 meets "in 0".

        >>> values = CPLinear((4, 3), (2, 5), 2).bond_activations(torch.ones(7, 12))
        >>> {name: tuple(value.shape) for name, value in values.items()}
        {'in 1': (7, 4, 2), 'in 0': (7, 2), 'out 1': (7, 2, 2)}
        """
        if x.shape[-1] != self.in_features:
            raise wrong_inputs("CP", x, self.in_modes)
        ins, outs = tensors_of(self.in_factors), tensors_of(self.out_factors)
        t = x.reshape(*x.shape[:-1], *self.in_modes) @ ins[-1]
        found = {f"in {len(ins) - 1}": t}
        for n in range(len(ins) - 2, -1, -1):
            t = (t * ins[n]).sum(-2)
            found[f"in {n}"] = t
        for m in range(1, len(outs)):
            t = t.unsqueeze(-2) * outs[m - 1]
            found[f"out {m}"] = t
        return found

    def spectra(self) -> dict[str, BondSpectrum]:
        """Weights of the terms under "rank", the norms of the products of unit columns.

        Terms are not orthogonal to one another: these are no singular values of the weight.

        >>> spectrum = CPLinear((4, 3), (2, 5), 2).spectra()["rank"]
        >>> len(spectrum.values)
        2
        """
        last = unit_columns((*self.in_factors, *self.out_factors))[-1]
        return {"rank": BondSpectrum.of(last.double().norm(dim=0))}

    def extra_repr(self) -> str:
        """Sizes of the layer, as printing a network shows them."""
        return (
            f"in_modes={self.in_modes}, out_modes={self.out_modes}, ranks={self.ranks}, "
            f"bias={self.bias is not None}, dropout={self.dropout}"
        )

    def _filled(self, factors: Sequence[Tensor], like: Tensor, bias: Tensor | None) -> Self:
        """Put copies of these values, with the device and dtype of `like`, into the parameters."""
        count = len(self.in_modes)
        self.in_factors = nn.ParameterList(parameter_of(f, like) for f in factors[:count])
        self.out_factors = nn.ParameterList(parameter_of(f, like) for f in factors[count:])
        self.bias = None if bias is None else parameter_of(bias, like)
        return self


def _single(ranks: int | Sequence[int]) -> int:
    if isinstance(ranks, int):
        return ranks
    if len(ranks) != 1:
        raise SettingsError(f"a CP layer has the ranks {tuple(ranks)}; wanted a single number")
    return ranks[0]


def _initial(
    modes: Sequence[int],
    rank: int,
    in_features: int,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> list[Tensor]:
    """Normal factors whose weight has the norm that is expected of nn.Linear's."""
    shapes = [(mode, rank) for mode in modes]
    factors = initial_tensors(shapes, rank, in_features, device=device)
    squared = torch.stack([factor.t() @ factor for factor in factors]).prod(0).sum()
    wanted = dense_std(in_features) * sqrt(prod(modes))
    scale = (wanted / squared.sqrt()) ** (1 / len(modes))
    return [(factor * scale).to(dtype) for factor in factors]
