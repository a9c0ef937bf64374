"""Linear layer whose weight is a matrix product operator."""

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from phasenet.networks.layers.decompositions import input_metric, tt_svd
from phasenet.networks.layers.dropout import masked
from phasenet.networks.layers.gauges import left_canonical, schmidt_values
from phasenet.networks.layers.held import Held, graph_is_recorded, tensors_of
from phasenet.networks.layers.initial import dense_std, initial_bias, initial_tensors
from phasenet.networks.layers.modes import check_dense, check_modes, parameter_of, wrong_inputs
from phasenet.networks.layers.mpo_contraction import contracted, fused
from phasenet.networks.layers.mpo_plans import Shape, Stage, Way, planned
from phasenet.networks.layers.multilinear import along, clipped_bonds
from phasenet.networks.layers.plan import Plan
from phasenet.networks.layers.spectra import BondSpectrum

# Rows for which a graph is planned that is recorded once and used for any batch.
_RECORDED_BATCH = 32


class MPOLinear(nn.Module):
    r"""Linear layer that holds a chain of cores in place of its weight.

    :math:`W_{(o_0 o_1 \ldots),(i_0 i_1 \ldots)} = A^0_{o_0 i_0} A^1_{o_1 i_1} \cdots`, a product of
    matrices between the bonds (a matrix product operator, or TT-matrix: A. Novikov et al.,
    arXiv:1509.06569), outputs and inputs row-major over their modes. The cores have the axes (left
    bond, output mode, input mode, right bond); of fewer modes on one side, those that lack have
    length one and come last. The dense weight starts as large as that of nn.Linear. How the layer
    is applied follows :meth:`plan`.

    Parameters
    ----------
    in_modes, out_modes
        Factors of the numbers of inputs and of outputs.
    ranks
        Inner bonds, one fewer than cores; a number means the same for all. Those above their
        useful maximum are clipped, and the log says so.
    bias
        Whether a vector is added.
    dropout
        Probability with which each index of each bond is left out in training.

    Notes
    -----
    Without gradients the dense weight, where it is the cheapest way, is put together once and held
    until a parameter changes. Changes in place through `parameter.data` are not seen.

    >>> layer = MPOLinear((28, 28), (15, 20), 4, bias=False)
    >>> sum(p.numel() for p in layer.parameters()), tuple(layer(torch.ones(2, 784)).shape)
    (3920, (2, 300))
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
        check_modes("MPO", in_modes, out_modes, dropout)
        self.in_modes, self.out_modes = tuple(in_modes), tuple(out_modes)
        self.in_features, self.out_features = math.prod(in_modes), math.prod(out_modes)
        self.dropout = dropout
        outs, ins = _sites(self.in_modes, self.out_modes)
        sizes = [out * in_ for out, in_ in zip(outs, ins, strict=True)]
        self.ranks = clipped_bonds(sizes, _listed(ranks, len(sizes) - 1))
        bonds = (1, *self.ranks, 1)
        self._shapes: tuple[Shape, ...] = tuple(zip(bonds, outs, ins, bonds[1:], strict=False))
        cores = _initial(self._shapes, self.in_features, device, dtype)
        self.cores = nn.ParameterList(nn.Parameter(core) for core in cores)
        self.bias: nn.Parameter | None = None
        if bias:
            self.bias = initial_bias(
                self.out_features, self.in_features, device=device, dtype=dtype
            )
        self._recorded = planned(self._shapes, _RECORDED_BATCH, True)[:2]
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
        """Layer near to a dense one, by singular value decompositions.

        Parameters
        ----------
        dense
            Layer with a weight of shape (out, in); nothing of it is shared.
        in_modes, out_modes
            As of the layer.
        ranks
            As of the layer; None: the least ones that keep `tol`.
        tol
            Relative error of the weight; with samples, of the outputs on them.
        samples
            Inputs of shape (..., in), whose second moments then weigh the error.

        >>> dense = nn.Linear(12, 6)
        >>> layer = MPOLinear.from_dense(dense, (4, 3), (2, 3), tol=1e-6)
        >>> bool(torch.allclose(layer.dense_weight(), dense.weight, atol=1e-6))
        True
        """
        check_dense("MPO", dense, in_modes, out_modes, chosen=ranks is not None or tol is not None)
        outs, ins = _sites(tuple(in_modes), tuple(out_modes))
        sites = len(outs)
        weight = dense.weight.detach().double().reshape(*outs, *ins)
        roots = () if samples is None else input_metric(samples.double(), ins)
        for site, root in enumerate(roots):
            weight = along(weight, root, sites + site)
        paired = weight.permute([axis for k in range(sites) for axis in (k, sites + k)])
        flat = paired.reshape([out * in_ for out, in_ in zip(outs, ins, strict=True)])
        wanted = None if ranks is None else _listed(ranks, sites - 1)
        cores = [
            core.reshape(core.shape[0], out, in_, core.shape[2])
            for core, out, in_ in zip(tt_svd(flat, wanted, tol=tol), outs, ins, strict=True)
        ]
        for site, root in enumerate(roots):
            cores[site] = along(cores[site], torch.linalg.inv(root), 2)
        bonds = [core.shape[3] for core in cores[:-1]]
        layer = cls(in_modes, out_modes, bonds, dense.bias is not None, device="meta")
        return layer._filled(cores, dense.weight, dense.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs of shape (..., out) for inputs of shape (..., in)."""
        if graph_is_recorded(x):
            return self._applied(x, *self._recorded, None)
        if x.shape[-1] != self.in_features:
            raise wrong_inputs("MPO", x, self.in_modes)
        training, dropping = torch.is_grad_enabled(), self.training and self.dropout > 0
        way, order, plan = planned(self._shapes, x.numel() // self.in_features, training)
        if training or dropping or not way.is_dense:
            return self._applied(x, way, order, plan.chunk)
        weight = self._held.get(self, self.dense_weight)
        return nn.functional.linear(x, weight, self.bias)

    def _applied(self, x: Tensor, way: Way, order: tuple[Stage, ...], chunk: int | None) -> Tensor:
        cores = tensors_of(self.cores)
        if self.training and self.dropout > 0:
            *inner, last = cores
            cores = (*(masked(core, [3], self.dropout) for core in inner), last)
        rows = x if x.ndim == 2 else x.reshape(-1, self.in_features)
        y = contracted(rows, cores, self.bias, way, order, chunk)
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], self.out_features)

    def plan(self, batch: int, *, training: bool = True) -> Plan:
        """Plan that is followed for a number of rows, with the gradient or without.

        >>> print(MPOLinear((2, 2), (2, 2), 4).plan(10_000).name)
        dense weight
        """
        return planned(self._shapes, batch, training)[-1]

    @property
    def flops(self) -> int:
        """Multiplications and additions for one row, without the gradient."""
        return self.plan(1, training=False).flops

    def dense_weight(self) -> Tensor:
        """Weight as a matrix of shape (out, in)."""
        return fused(tensors_of(self.cores)).reshape(self.out_features, self.in_features)

    def orthonormal(self) -> Self:
        """Layer of the same weight, left-canonical in the basis of the Schmidt states.

        All cores but the last have orthonormal columns as matrices (left and modes, right).

        >>> core = MPOLinear((4, 3), (2, 3), 2).orthonormal().cores[0].reshape(8, 2)
        >>> bool(torch.allclose(core.T @ core, torch.eye(2), atol=1e-6))
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
        cores = left_canonical(tensors_of(self.cores))
        return layer._filled(cores, self.cores[0], self.bias).train(self.training)

    def bond_activations(self, x: Tensor) -> dict[str, Tensor]:
        """Values on every bond, for inputs of shape (..., in), contracted from right to left.

        "bond k" lies between the cores k and k + 1 and has the axes (..., input mode 0, ..., input
        mode k, bond, output mode k + 1, ..., last output mode).

        >>> values = MPOLinear((4, 3), (2, 5), 2).bond_activations(torch.ones(7, 12))
        >>> {name: tuple(value.shape) for name, value in values.items()}
        {'bond 0': (7, 4, 2, 5)}
        """
        if x.shape[-1] != self.in_features:
            raise wrong_inputs("MPO", x, self.in_modes)
        ins = [shape[2] for shape in self._shapes]
        t = x.reshape(*x.shape[:-1], *ins, 1)
        found = {}
        for k in range(len(ins) - 1, 0, -1):
            axis = x.ndim - 1 + k
            t = torch.tensordot(t, self.cores[k], dims=([axis, axis + 1], [2, 3]))
            # What is new stands last; it belongs before the output modes of later sites.
            t = t.movedim((-2, -1), (axis, axis + 1))
            found[f"bond {k - 1}"] = t
        return found

    def spectra(self) -> dict[str, BondSpectrum]:
        """Schmidt values of the weight at every bond, "bond k" between the cores k and k + 1.

        >>> spectrum = MPOLinear((4, 3), (2, 5), 2).spectra()["bond 0"]
        >>> len(spectrum.values)
        2
        """
        values = schmidt_values(tensors_of(self.cores))
        return {f"bond {k}": BondSpectrum.of(value) for k, value in enumerate(values)}

    def extra_repr(self) -> str:
        """Sizes of the layer, as printing a network shows them."""
        return (
            f"in_modes={self.in_modes}, out_modes={self.out_modes}, ranks={self.ranks}, "
            f"bias={self.bias is not None}, dropout={self.dropout}"
        )

    def _filled(self, cores: Sequence[Tensor], like: Tensor, bias: Tensor | None) -> Self:
        """Put copies of these values, with the device and dtype of `like`, into the parameters."""
        self.cores = nn.ParameterList(parameter_of(core, like) for core in cores)
        self.bias = None if bias is None else parameter_of(bias, like)
        return self


def _sites(
    in_modes: tuple[int, ...], out_modes: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Output and input modes of every site."""
    count = max(len(in_modes), len(out_modes))
    outs, ins = (modes + (1,) * (count - len(modes)) for modes in (out_modes, in_modes))
    return outs, ins


def _listed(ranks: int | Sequence[int], count: int) -> tuple[int, ...]:
    return (ranks,) * count if isinstance(ranks, int) else tuple(ranks)


def _initial(
    shapes: Sequence[Shape],
    in_features: int,
    device: torch.device | str | None,
    dtype: torch.dtype | None,
) -> list[Tensor]:
    """Normal cores whose weight has the norm that is expected of nn.Linear's."""
    bonds = math.prod(shape[3] for shape in shapes)
    cores = initial_tensors(shapes, bonds, in_features, device=device)
    gram = torch.ones(1, 1, device=device)
    for core in cores:
        gram = torch.einsum("ab,aoic,boid->cd", gram, core, core)
    numbers = math.prod(shape[1] * shape[2] for shape in shapes)
    wanted = dense_std(in_features) * math.sqrt(numbers)
    scale = (wanted / gram.trace().sqrt()) ** (1 / len(cores))
    return [(core * scale).to(dtype) for core in cores]
