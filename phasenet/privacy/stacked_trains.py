"""Trains of equal shape, stacked: hundreds are sketched, evaluated and retrained at once.

A stacked train is a tuple of one array a site, of shape (trains, left, dim, right): a scalar
function of embedded inputs, the logit of class 1 minus that of class 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from phasenet.errors import ShapeError
from phasenet.privacy.batched_networks import StackedNetworks
from phasenet.privacy.problems import Cases, domains, embedded
from phasenet.seeds import derived_seed, stream
from phasenet.trains.train import Array, FloatArray, TensorTrain

Cores = tuple[Array, ...]

# Singular values of the pivots' rows below this share are noise of the fit (part of the error
# that grows with the rank in the published algorithm).
_SOLVE_TOL = 1e-3
# Networks at once: their blocks of values stay in the cache.
_CHUNK = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class StackedTrains:
    """Scalar trains of one shape.

    Parameters
    ----------
    cores
        One array a site, shape (trains, left, dim, right).

    >>> trains = StackedTrains(cores=(np.ones((3, 1, 2, 1)),) * 4)
    >>> len(trains), trains.train(0).length
    (3, 4)
    """

    cores: Cores

    def __post_init__(self) -> None:
        ends = [(core.shape[1], core.shape[3]) for core in self.cores]
        inner = [(one[1], two[0]) for one, two in pairwise(ends)]
        if ends[0][0] != 1 or ends[-1][1] != 1 or any(one != two for one, two in inner):
            raise ShapeError(f"bonds {ends} of stacked cores do not fit together")

    def __len__(self) -> int:
        return len(self.cores[0])

    def train(self, number: int) -> TensorTrain:
        """One of the trains."""
        return TensorTrain(cores=tuple(core[number].astype(np.float64) for core in self.cores))

    def part(self, chosen: slice) -> "StackedTrains":
        """Some of the trains."""
        return StackedTrains(cores=tuple(core[chosen] for core in self.cores))

    @property
    def parameters(self) -> Array:
        """All entries of each train as one row, in the order in which they are stored."""
        return np.concatenate([core.reshape(len(core), -1) for core in self.cores], axis=1)

    def margins(self, inputs: Array) -> FloatArray:
        """Values of all trains, shape (trains, cases), for the same inputs."""
        vectors = torch.from_numpy(embedded(inputs).astype(np.float64)).permute(1, 2, 0)
        rows = torch.ones(len(self), 1, len(inputs), dtype=torch.float64)
        for core, vector in zip(self.cores, vectors, strict=True):
            rows = _stepped(rows, torch.from_numpy(core.astype(np.float64)), vector)
        return rows[:, 0].numpy()


def joined(parts: list[StackedTrains]) -> StackedTrains:
    """All trains of several stacks of one shape.

    >>> trains = StackedTrains(cores=(np.ones((3, 1, 2, 1)),) * 4)
    >>> len(joined([trains, trains]))
    6
    """
    columns = zip(*(part.cores for part in parts), strict=True)
    return StackedTrains(cores=tuple(np.concatenate(column) for column in columns))


def sketched_networks(
    networks: StackedNetworks, pivots: Cases, *, rank: int, columns: int, seed: int
) -> StackedTrains:
    r"""Trains of networks by TT-RSS, from the same pivots for all (arXiv:2501.06300).

    At site k the block :math:`\Phi_k(s, y, t)` of all pivots' prefixes s, values y and a random
    choice of their suffixes t is evaluated, its leading left singular vectors :math:`B_k` solve
    :math:`A_{k-1} G_k = B_k` with :math:`A_{k-1}` the rows of :math:`B_{k-1}` at the pivots.
    Prefixes and suffixes enter through sums of the first layer only.

    Parameters
    ----------
    networks
        Of the same shape.
    pivots
        Cases whose parts are combined.
    rank
        Bond dimension.
    columns
        Suffixes of each block; the published algorithm takes all.
    seed
        Of the choice of suffixes.

    >>> from phasenet.privacy.batched_networks import fresh_networks
    >>> rng = np.random.default_rng(0)
    >>> inputs = rng.integers(2, size=(40, 6, 1)).astype(np.float32)
    >>> pivots = Cases(inputs=inputs, labels=np.zeros(40), groups=np.zeros(40))
    >>> networks = fresh_networks(1, inputs=6, hidden=1, start="common", seed=1)
    >>> len(sketched_networks(networks, pivots, rank=4, columns=20, seed=0))
    1
    """
    parts = []
    for start in range(0, len(networks), _CHUNK):
        part = networks.part(slice(start, start + _CHUNK))
        parts.append(_sketched(_NetworkParts(part, pivots), pivots, rank, columns, seed))
    return joined(parts)


class _NetworkParts:
    """Networks split at every site: what prefixes, one site and suffixes add to the first layer."""

    def __init__(self, networks: StackedNetworks, pivots: Cases) -> None:
        _, self._sites, channels = pivots.inputs.shape
        self._first = networks.first.reshape(len(networks), self._sites, channels, -1)
        self._weights, self._shift = networks.difference
        self._inputs = torch.from_numpy(pivots.inputs)
        total = torch.from_numpy(pivots.inputs.reshape(len(pivots.inputs), -1)) @ networks.first
        self._suffix = total + networks.first_bias
        self._prefix = torch.zeros_like(total)
        self._memory = torch.empty(0)

    def block(self, site: int, values: Array, columns: Array) -> Array:
        """Values (networks, prefixes, values, suffixes), then the next site is a prefix, too."""
        weights = self._first[:, site]
        own = self._inputs[:, site] @ weights
        self._suffix = self._suffix - own
        here = torch.from_numpy(values.astype(np.float32)) @ weights
        prefix = self._prefix[:, :1] if site == 0 else self._prefix
        right = self._suffix[:, :1] if site == self._sites - 1 else self._suffix[:, columns]
        rows = (prefix[:, :, None] + here[:, None]).flatten(1, 2).unsqueeze(2)
        shape = (*rows.shape[:2], right.shape[1], rows.shape[3])
        # Always the same memory, because fresh one costs more than the arithmetic.
        if math.prod(shape) > len(self._memory):
            self._memory = torch.empty(math.prod(shape))
        hidden = self._memory[: math.prod(shape)].view(shape)
        torch.add(rows, right[:, None], out=hidden).relu_()
        found = torch.bmm(hidden.flatten(1, 2), self._weights[:, :, None])
        found = found.view(len(prefix), prefix.shape[1], len(values), right.shape[1])
        self._prefix = self._prefix + own
        return np.asarray((found + self._shift[:, None, None, None]).double())


def _sketched(
    parts: _NetworkParts, pivots: Cases, rank: int, columns: int, seed: int
) -> StackedTrains:
    vectors, values = pivots.vectors.astype(np.float64), domains(pivots)
    count, length, dim = vectors.shape
    rng = stream(seed, "privacy", "sketch")
    frame: Array | None = None
    cores: list[Array] = []
    bond = 1
    for site in range(length):
        chosen = rng.choice(count, min(columns, count), replace=False)
        block = parts.block(site, values[site], chosen)
        inverse = np.linalg.pinv(embedded(values[site]))
        block = np.einsum("dm,ksmt->ksdt", inverse, block, optimize=True)
        models, prefixes = block.shape[:2]
        flat = block.reshape(models, prefixes * dim, -1)
        if site < length - 1:
            # The remaining sites bound the rank too; beyond 2^30 it does not matter.
            bond = min(rank, bond * dim, dim ** min(length - 1 - site, 30), flat.shape[2])
            flat = _leading(flat, bond)
        basis = flat.reshape(models, prefixes, -1)
        core = basis if frame is None else _solved(frame, basis)
        cores.append(core.reshape(models, -1, dim, flat.shape[2]))
        turned = flat.reshape(models, prefixes, dim, -1)
        turned = np.broadcast_to(turned, (models, count, *turned.shape[2:]))
        frame = np.einsum("knds,nd->kns", turned, vectors[:, site], optimize=True)
    return StackedTrains(cores=tuple(cores))


def _leading(matrices: FloatArray, rank: int) -> FloatArray:
    """Columns of the leading left singular vectors times their values, of elements of order 1."""
    weights, vectors = np.linalg.eigh(matrices.swapaxes(1, 2) @ matrices)
    scale = np.sqrt(np.maximum(weights[:, -1], np.finfo(np.float64).tiny) / matrices.shape[1])
    kept = vectors[:, :, ::-1][:, :, :rank] / scale[:, None, None]
    return np.asarray(matrices @ kept)


def _solved(matrices: FloatArray, right: FloatArray) -> FloatArray:
    """Least-squares solutions, without directions of small singular values."""
    turned = matrices.swapaxes(1, 2)
    inverse = np.linalg.pinv(turned @ matrices, rcond=_SOLVE_TOL**2, hermitian=True)
    return np.asarray(inverse @ (turned @ right))


def retrained_trains(
    trains: StackedTrains,
    cases: Cases,
    *,
    rate: float,
    epochs: int,
    batch: int,
    seed: int,
    heard: Callable[[int], None],
) -> StackedTrains:
    """Trains after training by Adam on the cross entropy of labels, each alone, all at once.

    Parameters
    ----------
    trains
        Where they start.
    cases
        Labelled cases, the same for all.
    rate, epochs, batch
        Learning rate, passes over the cases, cases of one step.
    seed
        Of the order of the cases.
    heard
        Hears of the passes that are done.

    >>> rng = np.random.default_rng(0)
    >>> cases = Cases(inputs=rng.random((40, 3, 1)), labels=np.ones(40), groups=np.ones(40))
    >>> start = StackedTrains(cores=(rng.normal(size=(2, 1, 2, 1)),) * 3)
    >>> end = retrained_trains(
    ...     start, cases, rate=0.05, epochs=20, batch=20, seed=0, heard=lambda _: None
    ... )
    >>> bool((end.margins(cases.inputs) > 0).mean() > 0.9)
    True
    """
    vectors = torch.from_numpy(cases.vectors.astype(np.float32)).permute(1, 2, 0)
    signs = torch.from_numpy(2.0 * cases.labels.astype(np.float32) - 1.0)
    cores = [torch.from_numpy(core.astype(np.float32)) for core in trains.cores]
    optimiser = torch.optim.Adam(cores, lr=rate, fused=True)
    generator = torch.Generator().manual_seed(derived_seed(seed, "privacy", "retraining"))
    for epoch in range(epochs):
        order = torch.randperm(len(signs), generator=generator)
        for rows in torch.split(order, batch):
            for core, gradient in zip(
                cores, _gradients(cores, vectors[:, :, rows], signs[rows]), strict=True
            ):
                core.grad = gradient
            optimiser.step()
        heard(epoch + 1)
    return StackedTrains(cores=tuple(core.numpy() for core in cores))


def _gradients(
    cores: list[torch.Tensor], vectors: torch.Tensor, signs: torch.Tensor
) -> list[torch.Tensor]:
    """Gradients of the mean cross entropy: rows from the left, columns from the right."""
    ones = torch.ones(len(cores[0]), 1, len(signs))
    lefts, right = [ones], ones
    for core, vector in zip(cores, vectors, strict=True):
        lefts.append(_stepped(lefts[-1], core, vector))
    values = lefts.pop()
    slopes = -signs * torch.sigmoid(-signs * values) / len(signs)
    gradients = []
    for core, vector in zip(reversed(cores), vectors.flip(0), strict=True):
        fanned = (vector[:, None] * right[:, None]).flatten(1, 2)
        left = lefts.pop() * slopes
        gradients.append(torch.bmm(left, fanned.transpose(1, 2)).view(core.shape))
        right = torch.bmm(core.flatten(2), fanned)
    return gradients[::-1]


def _stepped(rows: torch.Tensor, core: torch.Tensor, vector: torch.Tensor) -> torch.Tensor:
    """Rows (trains, bond, cases) times one site; cases last, where memory is contiguous."""
    grown = torch.bmm(core.flatten(2).transpose(1, 2), rows)
    grown = grown.view(len(core), *core.shape[2:], -1)
    return (grown * vector[:, None]).sum(dim=1)
