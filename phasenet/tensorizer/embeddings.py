"""Embeddings: vectors that stand for the values of one variable, and trains over them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain

# Values per dimension of an embedding at which a function is evaluated by default.
_SPREAD = 2


class Embedding(Protocol):
    """Functions of one variable, in which a train is expanded at one site."""

    @property
    def dim(self) -> int:
        """Number of functions."""

    def __call__(self, values: Any, /) -> FloatArray:
        """Values of all functions, shape (shots, dim), at values of shape (shots,)."""


@dataclass(frozen=True, kw_only=True)
class Basis:
    """One function for each of the integers 0 .. dim - 1: 1 there, 0 elsewhere.

    >>> Basis(dim=2)([1.0, 0.0]).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """

    dim: int

    def __post_init__(self) -> None:
        _check_dim(self.dim)

    def __call__(self, values: Any, /) -> FloatArray:
        """Values of all functions, shape (shots, dim)."""
        given = np.asarray(values, dtype=np.float64)
        if not np.isin(given, np.arange(self.dim)).all():
            raise SettingsError(
                f"a basis embedding of dimension {self.dim} got values outside "
                f"0 .. {self.dim - 1}; embed real variables in polynomials or Fourier modes"
            )
        return np.eye(self.dim)[given.astype(np.int64)]


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    r"""Powers :math:`1, x, \dots, x^{d-1}`.

    >>> Polynomial(dim=3)([2.0]).tolist()
    [[1.0, 2.0, 4.0]]
    """

    dim: int

    def __post_init__(self) -> None:
        _check_dim(self.dim)

    def __call__(self, values: Any, /) -> FloatArray:
        """Values of all functions, shape (shots, dim)."""
        return np.asarray(values, dtype=np.float64)[:, None] ** np.arange(self.dim)


@dataclass(frozen=True, kw_only=True)
class Fourier:
    r"""Modes :math:`1, \cos\omega x, \sin\omega x, \cos 2\omega x, \dots`, :math:`\omega=2\pi/P`.

    Parameters
    ----------
    dim
        Number of functions; odd numbers keep cosines and sines in pairs.
    period
        The period P.

    >>> np.round(Fourier(dim=3, period=4.0)([1.0]), 6).tolist()
    [[1.0, 0.0, 1.0]]
    """

    dim: int
    period: float = 1.0

    def __post_init__(self) -> None:
        _check_dim(self.dim)
        if not self.period > 0.0:
            raise SettingsError(f"the period of an embedding is {self.period}; it must be positive")

    def __call__(self, values: Any, /) -> FloatArray:
        """Values of all functions, shape (shots, dim)."""
        modes = np.arange(self.dim)
        angles = np.asarray(values, dtype=np.float64)[:, None] * ((modes + 1) // 2)
        turned = 2.0 * np.pi / self.period * angles
        return np.where(modes % 2 == 1, np.cos(turned), np.where(modes == 0, 1.0, np.sin(turned)))


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddedTrain:
    r"""Function of real variables: a train whose sites are contracted with embeddings.

    .. math:: f(x) = \sum_{s_1 \dots s_n} T_{s_1 \dots s_n} \prod_k \phi^{(k)}_{s_k}(x_k)

    Parameters
    ----------
    train
        Train over the indices of the embeddings.
    embeddings
        One for each site, of the dimension of its core.

    >>> line = TensorTrain(cores=(np.array([[[1.0], [2.0]]]),))
    >>> EmbeddedTrain(train=line, embeddings=(Polynomial(dim=2),))([[0.5]]).tolist()
    [2.0]
    """

    train: TensorTrain
    embeddings: tuple[Embedding, ...]

    def __post_init__(self) -> None:
        dims = tuple(embedding.dim for embedding in self.embeddings)
        if dims != self.train.site_dims:
            raise ShapeError(
                f"the embeddings have dimensions {dims}; "
                f"the sites of the train have {self.train.site_dims}"
            )

    def __call__(self, points: Any) -> Array:
        """Values at a batch of points.

        Parameters
        ----------
        points
            Real numbers of shape (shots, length).

        Returns
        -------
        Array of shape (shots,), or (shots, outputs) for a vector-valued train.
        """
        given = check_points(points, self.train.length)
        rows: Array = np.ones((len(given), 1, 1))
        logs = np.full(len(given), self.train.log_scale)
        for site, (core, embedding) in enumerate(
            zip(self.train.cores, self.embeddings, strict=True)
        ):
            wide = core if core.ndim == 4 else core[..., None]
            vectors = embedding(given[:, site])
            # Bond and embedding together are one matrix; one of the two axes of outputs is 1.
            grown = np.einsum("nlo,ns->nols", rows, vectors)
            product = np.tensordot(grown, wide, axes=([2, 3], [0, 1])).transpose(0, 2, 1, 3)
            rows = product.reshape(len(given), core.shape[2], -1)
            size = np.abs(rows).max(axis=(1, 2), initial=0.0)
            size[size == 0.0] = 1.0
            rows = rows / size[:, None, None]
            logs += np.log(size)
        values = rows[:, 0] * np.exp(logs)[:, None]
        return np.asarray(values[:, 0] if self.train.output_site is None else values)


def check_points(points: Any, length: int) -> FloatArray:
    """Points as finite real numbers (shots, length), or ShapeError."""
    given = np.asarray(points, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != length:
        raise ShapeError(f"points have shape {given.shape}; wanted (shots, {length})")
    if not np.isfinite(given).all():
        raise ShapeError("points must be finite numbers")
    return given


def spread_domain(values: Any, embedding: Embedding) -> FloatArray:
    """Values of one variable at which to evaluate a function, spread over those found in samples.

    All of them for a basis embedding; otherwise the values found next to the Chebyshev nodes of
    their range, where a fit stays small between them, twice as many as functions.

    Parameters
    ----------
    values
        Values found, shape (shots,).
    embedding
        Embedding of the variable.

    >>> spread_domain(np.linspace(0.0, 1.0, 101), Polynomial(dim=2)).tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    found = np.unique(np.asarray(values, dtype=np.float64))
    if isinstance(embedding, Basis):
        return np.arange(embedding.dim, dtype=np.float64)
    count = _SPREAD * embedding.dim
    if len(found) <= count:
        return found
    low, high = found[0], found[-1]
    nodes = low + (high - low) * 0.5 * (1.0 - np.cos(np.pi * np.arange(count) / (count - 1)))
    nearest = np.unique(np.abs(found[:, None] - nodes[None, :]).argmin(axis=0))
    # Values in few clusters share nodes; the others are spread over the ranks.
    ranks = np.linspace(0, len(found) - 1, count).astype(np.int64)
    missing = np.setdiff1d(ranks, nearest)[: count - len(nearest)]
    return np.asarray(found[np.sort(np.concatenate((nearest, missing)))])


@dataclass(frozen=True, kw_only=True, eq=False)
class Site:
    """Values of a variable at which the function is evaluated, and the basis between them.

    Parameters
    ----------
    states
        Numbers of the values, shape (values,).
    frame
        Orthonormal basis over the values, shape (values, dim); None for the unit matrix.
    coefficients
        Shape (dim, dim): the basis in terms of the embedding.
    vectors
        Basis at all states, also those of samples that are not values of the site.
    """

    states: IntArray
    frame: FloatArray | None = None
    coefficients: FloatArray | None = None
    vectors: FloatArray | None = None

    @property
    def dim(self) -> int:
        """Dimension of the core."""
        return len(self.states) if self.frame is None else self.frame.shape[1]

    def projected(self, values: Array, rows: int) -> Array:
        """Rows (prefix, value) turned into rows (prefix, basis function)."""
        if self.frame is None:
            return values
        cube = values.reshape(rows, len(self.states), -1)
        return np.asarray(np.matmul(self.frame.T, cube).reshape(rows * self.dim, -1))

    def at_values(self, basis: Array, rows: int) -> Array:
        """Rows (prefix, basis function) turned into rows (prefix, value)."""
        if self.frame is None:
            return basis
        cube = basis.reshape(rows, self.dim, -1)
        return np.asarray(np.matmul(self.frame, cube).reshape(rows * len(self.states), -1))

    def slices(self, core: Array, states: IntArray) -> Array:
        """Matrices (left, state, right) of a core at any states, not only at those of the site."""
        if self.vectors is None:
            return core[:, states]
        return np.asarray(np.matmul(self.vectors[states], core))

    def embedded(self, core: Array) -> Array:
        """Core over the basis turned into a core over the embedding."""
        if self.coefficients is None:
            return core
        return np.moveaxis(np.tensordot(self.coefficients, core, axes=(1, 1)), 0, 1)


def fitted_site(table: FloatArray, domain: FloatArray, embedding: Embedding, site: int) -> Site:
    """Site with an orthonormal basis over its domain, which spans what the embedding spans."""
    vectors = embedding(domain)
    frame, triangle = np.linalg.qr(vectors)
    diagonal = np.abs(np.diagonal(triangle))
    if len(domain) < embedding.dim or diagonal.min() <= 1e-14 * diagonal.max():
        raise SettingsError(
            f"the domain of variable {site} has {len(domain)} values, which do not determine the "
            f"{embedding.dim} functions of its embedding; give more values or a smaller embedding"
        )
    coefficients = np.linalg.inv(triangle)
    return Site(
        states=np.searchsorted(table, domain),
        frame=frame,
        coefficients=coefficients,
        vectors=embedding(table) @ coefficients,
    )


class Decoded:
    """Function of the numbers of values instead of the values."""

    def __init__(self, function: Callable[[FloatArray], Any], tables: Sequence[FloatArray]) -> None:
        self._function = function
        self._table = np.zeros((len(tables), max(len(table) for table in tables)))
        for site, table in enumerate(tables):
            self._table[site, : len(table)] = table

    def points(self, numbers: IntArray) -> FloatArray:
        """Values behind the numbers."""
        return np.asarray(self._table[np.arange(len(self._table)), numbers])

    def __call__(self, configurations: IntArray) -> Any:
        """Values of the function at a batch of numbers."""
        return self._function(self.points(configurations))


def checked_domains(
    samples: FloatArray, embeddings: Sequence[Embedding], domains: Sequence[Array] | None
) -> list[FloatArray]:
    """Distinct values of each variable at which the function is fitted."""
    check_embeddings(embeddings, samples.shape[1])
    if domains is None:
        return [spread_domain(samples[:, k], e) for k, e in enumerate(embeddings)]
    if len(domains) != len(embeddings):
        raise SettingsError(
            f"there are {len(domains)} domains for {len(embeddings)} variables; wanted one for each"
        )
    return [np.unique(np.asarray(domain, dtype=np.float64)) for domain in domains]


def check_embeddings(embeddings: Sequence[Embedding], length: int) -> tuple[Embedding, ...]:
    """One embedding for each variable, or ShapeError."""
    if len(embeddings) != length:
        raise ShapeError(
            f"there are {len(embeddings)} embeddings for {length} variables; wanted one for each"
        )
    return tuple(embeddings)


def _check_dim(dim: int) -> None:
    if dim < 1:
        raise SettingsError(f"the dimension of an embedding is {dim}; wanted at least 1")
