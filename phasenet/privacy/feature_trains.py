r"""Networks of real features as tensor trains over embedded features, and trains as networks.

.. math:: f_c(x) = G_1[\phi(x_1)] \cdots G_m[\phi(x_m)]^c \cdots G_n[\phi(x_n)],
    \quad G[\phi] = \sum_s \phi_s G^s

(Stoudenmire and Schwab, arXiv:1605.05775; as what a published network is replaced by:
arXiv:2501.06300). Neighbouring matrices are multiplied in pairs, pairs of pairs and so on, so that
500 features take nine steps, not 500; each product is divided by its largest element and the
logarithms are added.
"""

import copy
import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from torch import nn

from phasenet.errors import SettingsError, ShapeError
from phasenet.seeds import stream
from phasenet.tensorizer.embeddings import (
    Decoded,
    Embedding,
    check_points,
    checked_domains,
    fitted_site,
)
from phasenet.tensorizer.sketch_blocks import blocks_of
from phasenet.tensorizer.sketch_pool import Pool, pooled, site_keys
from phasenet.tensorizer.sketch_sweep import Sweep
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain

_ROWS = 2048
# Logits beyond are cut: exp of it is far from the largest float32.
_LARGEST_LOG = 60.0


class FeatureTrain(nn.Module):
    """Train over embedded features whose outputs are the logits of a classifier.

    The cores but that of the class leg are one parameter, ``cores``, of shape (features - 1, bond,
    dim, bond), filled with zeros up to the largest bond: gradients leave those zeros as they are.

    Parameters
    ----------
    bonds
        Dimension of each inner bond, one less than there are features.
    output_site
        Feature whose core has the class leg.
    classes
        Number of outputs.
    embedding
        Functions of one feature.

    >>> from phasenet.tensorizer.embeddings import Polynomial
    >>> line = Polynomial(dim=2)
    >>> network = FeatureTrain(bonds=(2, 4, 2), output_site=2, classes=3, embedding=line)
    >>> tuple(network(torch.zeros(5, 4)).shape)
    (5, 3)
    """

    def __init__(
        self, *, bonds: Sequence[int], output_site: int, classes: int, embedding: Embedding
    ) -> None:
        super().__init__()
        self.bonds, self.output_site, self.classes = tuple(bonds), output_site, classes
        self.embedding = embedding
        widest, dim = max(self.bonds, default=1), embedding.dim
        outer = (1, *self.bonds, 1)
        self.cores = nn.Parameter(torch.zeros(len(self.bonds), widest, dim, widest))
        self.output_core = nn.Parameter(
            torch.zeros(outer[output_site], dim, outer[output_site + 1], classes)
        )

    @classmethod
    def of(cls, train: TensorTrain, embedding: Embedding) -> Self:
        """Network with the outputs of a real train as its logits, in float64.

        Entries of the cores are those of the train, times equal shares of its scale.

        >>> from phasenet.tensorizer.embeddings import Polynomial
        >>> core = np.ones((1, 2, 1))
        >>> train = TensorTrain(cores=(core, core[..., None], core), output_site=1)
        >>> network = FeatureTrain.of(train, Polynomial(dim=2))
        >>> print(f"{network(torch.ones(1, 3)).item():.6f}")
        8.000000
        """
        site, dims = train.output_site, set(train.site_dims)
        if site is None or dims != {embedding.dim} or any(map(np.iscomplexobj, train.cores)):
            raise ShapeError(
                f"the train has output site {site} and site dimensions {sorted(dims)}; wanted a "
                f"class leg and {embedding.dim} at each site, the dimension of the embedding, and "
                "real cores"
            )
        outputs = train.cores[site].shape[3]
        network = cls(
            bonds=train.bond_dims, output_site=site, classes=outputs, embedding=embedding
        ).double()
        share = math.exp(train.log_scale / train.length)
        with torch.no_grad():
            network.output_core.copy_(torch.from_numpy(train.cores[site] * share))
            others = train.cores[:site] + train.cores[site + 1 :]
            for place, core in zip(network.cores, others, strict=True):
                place[: core.shape[0], :, : core.shape[2]] = torch.from_numpy(core * share)
        return network

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Logits, shape (shots, classes), of real features of shape (shots, features)."""
        return self.contracted(self.embedded(features))

    def embedded(self, features: torch.Tensor) -> torch.Tensor:
        """Vectors of the features, shape (shots, features, dim); they may be kept for training."""
        values = self.embedding(features.detach().cpu().double().reshape(-1).numpy())
        like = self.output_core
        vectors = torch.as_tensor(values, dtype=like.dtype, device=like.device)
        return vectors.reshape(*features.shape, -1)

    def contracted(self, vectors: torch.Tensor) -> torch.Tensor:
        """Logits, shape (shots, classes), of vectors of shape (shots, features, dim)."""
        site = self.output_site
        own = torch.einsum("ns,asbc->nabc", vectors[:, site], self.output_core)
        left, logs = self._row(vectors[:, :site], self.cores[:site])
        right, more = self._row(
            vectors[:, site + 1 :].flip(1), self.cores[site:].flip(0).transpose(1, 3)
        )
        left, right = left[:, : own.shape[1]], right[:, : own.shape[2]]
        logits = torch.einsum("na,nabc,nb->nc", left, own, right)
        scaled: torch.Tensor = logits * (logs + more).clamp(max=_LARGEST_LOG).exp()[:, None]
        return scaled

    def _row(self, vectors: torch.Tensor, cores: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """First row of the product of some cores, and the logarithm of its scale."""
        count, bond, dim, _ = cores.shape
        if count == 0:
            start = torch.zeros(len(vectors), bond, dtype=vectors.dtype, device=vectors.device)
            start[:, :1] = 1.0
            return start, start.new_zeros(len(vectors))
        flat = cores.transpose(1, 2).reshape(count, dim, bond * bond)
        matrices = torch.bmm(vectors.transpose(0, 1), flat).view(count, -1, bond, bond)
        product, logs = chain_product(matrices)
        return product[:, 0], logs


def chain_product(matrices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Product of a chain of square matrices, as matrices of largest element 1 and logarithms.

    Parameters
    ----------
    matrices
        Shape (length, ..., bond, bond).

    Returns
    -------
    Shapes (..., bond, bond) and (...).

    >>> product, logs = chain_product(torch.full((500, 1, 2, 2), 10.0))
    >>> print(f"{product.max():.3f} {logs.item() / 500:.3f}")
    1.000 2.994
    """
    logs = torch.zeros_like(matrices[0, ..., 0, 0])
    while len(matrices) > 1:
        pairs = len(matrices) // 2
        product = matrices[: 2 * pairs : 2] @ matrices[1 : 2 * pairs : 2]
        # A factor that is taken out and put back has no gradient of its own.
        scale = product.detach().abs().amax(dim=(-2, -1), keepdim=True)
        scale = scale.clamp(min=torch.finfo(scale.dtype).tiny)
        logs = logs + scale[..., 0, 0].log().sum(dim=0)
        product = product / scale
        matrices = torch.cat((product, matrices[2 * pairs :])) if len(matrices) % 2 else product
    return matrices[0], logs


def train_of(network: FeatureTrain) -> TensorTrain:
    """Train of the logits of a network of features, over the functions of its embedding.

    >>> from phasenet.tensorizer.embeddings import Polynomial
    >>> line = Polynomial(dim=2)
    >>> network = FeatureTrain(bonds=(2, 4, 2), output_site=2, classes=3, embedding=line)
    >>> train_of(network).bond_dims
    (2, 4, 2)
    """
    outer, site = (1, *network.bonds, 1), network.output_site
    padded = network.cores.detach().cpu().double().numpy()
    cores = []
    for k, (left, right) in enumerate(pairwise(outer)):
        if k == site:
            cores.append(network.output_core.detach().cpu().double().numpy().copy())
        else:
            cores.append(padded[k - (k > site), :left, :, :right].copy())
    return TensorTrain(cores=tuple(cores), output_site=site)


def tensorized_features(
    network: nn.Module,
    samples: Array,
    *,
    embedding: Embedding,
    max_rank: int = 5,
    domain: Array | None = None,
    tol: float = 1e-6,
    seed: int = 0,
) -> FeatureTrain:
    """Train of a network of real features, by recursive sketching from samples (TT-RSS).

    Parameters
    ----------
    network
        Real features (shots, features) to outputs (shots, classes). A Sequential that starts with
        a Linear layer is cut in two: a pair of a prefix and a suffix does not cost that layer.
    samples
        Features of shape (shots, features), from where the train has to be right.
    embedding
        Functions of one feature, the same for all.
    max_rank
        Largest bond dimension.
    domain
        Values of a feature at which the network is asked, at least as many as there are functions
        in the embedding; None spreads them over the values in the samples.
    tol
        Largest relative L2 error of all truncations together.
    seed
        Of all random choices.

    >>> from phasenet.tensorizer.embeddings import Polynomial
    >>> network = nn.Sequential(nn.Linear(8, 2))
    >>> points = np.random.default_rng(0).random((30, 8))
    >>> train = tensorized_features(network, points, embedding=Polynomial(dim=2))
    >>> x = torch.tensor(points, dtype=torch.float32)
    >>> bool(torch.allclose(train(x).float(), network(x), atol=1e-5))
    True
    """
    given = check_points(samples, np.shape(samples)[-1])
    if len(given) == 0 or max_rank < 1:
        raise SettingsError(f"got {len(given)} samples and max_rank {max_rank}; wanted 1 or more")
    length = given.shape[1]
    domains = checked_domains(
        given, (embedding,) * length, None if domain is None else [domain] * length
    )
    tables = [np.unique(np.concatenate((given[:, k], domains[k]))) for k in range(length)]
    numbers = np.stack([np.searchsorted(t, given[:, k]) for k, t in enumerate(tables)], axis=1)
    sites = [
        fitted_site(t, d, embedding, k)
        for k, (t, d) in enumerate(zip(tables, domains, strict=True))
    ]
    dims = tuple(len(table) for table in tables)
    keys = site_keys(dims, seed)
    pool = pooled(numbers, [site.states for site in sites], max_rank, seed)
    sweep = Sweep(
        blocks_of(_asked(network, tables), dims, keys),
        Pool(pool, dims, keys),
        samples=len(numbers),
        sites=sites,
        tol=tol,
        max_rank=max_rank,
        oversampling=4.0,
        rng=stream(seed, "sketch", "sweep"),
    )
    return FeatureTrain.of(sweep.run().train, embedding)


def _asked(network: nn.Module, tables: Sequence[FloatArray]) -> "Decoded | LinearFirst":
    """Network as a function of the numbers of values, cut in two where it can be."""
    ours = copy.deepcopy(network).cpu().double().eval().requires_grad_(False)
    if type(ours) is nn.Sequential and len(ours) and type(ours[0]) is nn.Linear:
        return LinearFirst(ours, tables)

    @torch.inference_mode()
    def outputs(points: FloatArray) -> Array:
        parts = [ours(torch.from_numpy(part)) for part in _parts(points)]
        return torch.cat(parts).numpy()

    return Decoded(outputs, tables)


class LinearFirst:
    """Network of numbered real features that starts with a linear layer, cut in two anywhere.

    Features of one side are its part of the outputs of that layer.

    Parameters
    ----------
    network
        In float64; its first layer is linear.
    tables
        Values of each feature.
    """

    def __init__(self, network: nn.Sequential, tables: Sequence[FloatArray]) -> None:
        first = network[0]
        assert isinstance(first, nn.Linear)
        self._weight = np.ascontiguousarray(first.weight.numpy().T)
        self._bias = 0.0 if first.bias is None else first.bias.numpy()
        self._rest = network[1:]
        self._table = np.zeros((len(tables), max(len(table) for table in tables)))
        for site, table in enumerate(tables):
            self._table[site, : len(table)] = table

    def __call__(self, configurations: IntArray, /) -> Array:
        """Outputs at whole configurations."""
        features = self.prefixes(configurations)
        return self.pairs(features, np.zeros_like(features))

    def prefixes(self, states: IntArray, /) -> FloatArray:
        """Features of the first sites, from numbers of shape (rows, sites)."""
        return self._summed(states, 0)

    def suffixes(self, states: IntArray, /) -> FloatArray:
        """Features of the last sites, from numbers of shape (rows, sites)."""
        return self._summed(states, len(self._table) - states.shape[1])

    @torch.inference_mode()
    def pairs(self, left: FloatArray, right: FloatArray, /) -> Array:
        """Outputs at points joined from aligned rows of features of the sides of a cut."""
        sums = left + right + self._bias
        return torch.cat([self._rest(torch.from_numpy(part)) for part in _parts(sums)]).numpy()

    def _summed(self, states: IntArray, first: int) -> FloatArray:
        last = first + states.shape[1]
        points = self._table[np.arange(first, last), states]
        return np.asarray(points @ self._weight[first:last])


def _parts(rows: Array) -> list[Array]:
    return np.array_split(rows, max(1, -(-len(rows) // _ROWS)))
