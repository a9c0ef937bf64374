"""Tensor trains by recursive sketching from samples (TT-RSS), as published and repaired.

J. R. Pareja Monturiol, A. Pozas-Kerstjens and D. Pérez-García, arXiv:2501.06300 (2025). Samples
cut a configuration space into prefixes and suffixes; the function on all their pairs gives the
column space of each cut, and one linear system for each core.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import scipy.linalg

from phasenet.errors import SettingsError
from phasenet.seeds import stream
from phasenet.tensorizer.embeddings import (
    Decoded,
    EmbeddedTrain,
    Embedding,
    Site,
    check_points,
    checked_domains,
    fitted_site,
)
from phasenet.tensorizer.function import BatchFunction
from phasenet.tensorizer.sketch_blocks import blocks_of, filled
from phasenet.tensorizer.sketch_pool import (
    Pool,
    known_entries,
    pooled,
    site_keys,
    spliced_samples,
)
from phasenet.tensorizer.sketch_sweep import Sweep, Swept
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain, check_configurations

TrainT = TypeVar("TrainT", TensorTrain, EmbeddedTrain)

_SPLICED = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Sketch(Generic[TrainT]):
    """Train found by sketching, and what it took.

    Parameters
    ----------
    train
        The train; outputs sit on its last core.
    singular_values
        Of the block of each cut, the kept and the dropped, relative to the norm of the block.
    added
        Number of suffixes at each cut that are not those of a sample.
    evaluations
        Number of distinct configurations at which the function was evaluated for the train.
    held_out_error
        Relative L2 error on samples kept away from the train; NaN if there were too few samples
        to spare any.
    spliced_error
        Relative L2 error on configurations made of three samples, one after the other, that are
        no samples themselves; NaN if there are none or the function vanishes on all of them.
    """

    train: TrainT
    singular_values: tuple[FloatArray, ...]
    added: tuple[int, ...]
    evaluations: int
    held_out_error: float
    spliced_error: float


def sketch(
    function: BatchFunction,
    *,
    samples: Array,
    site_dims: Sequence[int],
    tol: float = 1e-8,
    max_rank: int = 64,
    oversampling: float = 4.0,
    seed: int = 0,
) -> Sketch[TensorTrain]:
    """Tensor train of a function, sketched from samples; a cut that they do not span is repaired.

    Beside the published algorithm (:func:`sketch_plain`): tolerances are relative to each block,
    so the scale of the function does not matter; prefixes are nested pivots; suffixes are added
    where a check finds that samples do not span; singular vectors that do not stand out of the
    noise of their block are dropped, so that a rank asked too high does no harm.

    Parameters
    ----------
    function
        Function of integers of shape (shots, length), with values of shape (shots,) or
        (shots, outputs). All outputs share the bonds. A train, or a
        :class:`~phasenet.tensorizer.function.StructuredFunction`, is evaluated by its parts.
    samples
        Integers of shape (shots, length) from the distribution on which the train has to be
        right. From ten samples on, a tenth is held out.
    site_dims
        Number of states of each site.
    tol
        Largest relative L2 error of all truncations together, within the blocks; lifted to the
        rounding noise of the function.
    max_rank
        Largest bond dimension.
    oversampling
        Prefixes for each bond state, at least 1, where ``max_rank`` cuts something off: more of
        them average it away. Elsewhere two are used at most.
    seed
        Seed of all random choices; the same inputs give the same train.

    Returns
    -------
    Train and what it took. The output leg is on the last core.

    >>> samples = np.random.default_rng(0).integers(2, size=(20, 12))
    >>> found = sketch(lambda x: np.cos(x.sum(axis=1)), samples=samples, site_dims=[2] * 12)
    >>> print(max(found.train.bond_dims), f"{found.spliced_error < 1e-12}")
    2 True
    """
    _check_settings(tol, max_rank, oversampling)
    dims = _checked_dims(site_dims)
    given = _checked_samples(samples, dims)
    sites = [Site(states=np.arange(d)) for d in dims]
    build, held = _split(given, seed)
    swept = _swept(function, build, sites, dims, tol, max_rank, oversampling, seed)
    return Sketch(
        train=swept.train,
        singular_values=swept.singular_values,
        added=swept.added,
        evaluations=swept.evaluations,
        held_out_error=_error(swept.train, function, held),
        spliced_error=_error(swept.train, function, _spliced(given, seed)),
    )


def sketch_continuous(
    function: Callable[[FloatArray], Array],
    *,
    samples: Array,
    embeddings: Sequence[Embedding],
    domains: Sequence[Array] | None = None,
    tol: float = 1e-8,
    max_rank: int = 64,
    oversampling: float = 4.0,
    seed: int = 0,
) -> Sketch[EmbeddedTrain]:
    """Train of a function of real variables, each expanded in its embedding.

    The function is evaluated at samples whose leading variables are replaced by values of their
    domains; between these values it is fitted by the embedding, by least squares.

    Parameters
    ----------
    function
        Function of real numbers of shape (shots, length), with values of shape (shots,) or
        (shots, outputs).
    samples
        Real numbers of shape (shots, length).
    embeddings
        One for each variable.
    domains
        Values of each variable at which it is fitted, at least as many as its embedding has
        functions; None for :func:`~phasenet.tensorizer.embeddings.spread_domain`.
    tol
        Largest relative L2 error of all truncations together, within the blocks.
    max_rank
        Largest bond dimension.
    oversampling
        Prefixes for each bond state, at least 1.
    seed
        Seed of all random choices.

    >>> from phasenet.tensorizer.embeddings import Polynomial
    >>> points = np.random.default_rng(0).uniform(-1.0, 1.0, size=(50, 6))
    >>> found = sketch_continuous(
    ...     lambda x: np.exp(-(x**2).sum(axis=1)),
    ...     samples=points,
    ...     embeddings=[Polynomial(dim=12)] * 6,
    ... )
    >>> print(max(found.train.train.bond_dims), f"{found.spliced_error < 1e-5}")
    1 True
    """
    _check_settings(tol, max_rank, oversampling)
    given = check_points(samples, len(embeddings))
    if len(given) == 0:
        raise SettingsError("there are no samples; wanted at least 1")
    chosen = checked_domains(given, embeddings, domains)
    tables = [np.unique(np.concatenate((given[:, k], chosen[k]))) for k in range(given.shape[1])]
    numbers = np.stack([np.searchsorted(t, given[:, k]) for k, t in enumerate(tables)], axis=1)
    sites = [
        fitted_site(table, domain, embedding, site)
        for site, (table, domain, embedding) in enumerate(
            zip(tables, chosen, embeddings, strict=True)
        )
    ]
    dims = tuple(len(table) for table in tables)
    build, held = _split(numbers, seed)
    decoded = Decoded(function, tables)
    swept = _swept(decoded, build, sites, dims, tol, max_rank, oversampling, seed)
    train = EmbeddedTrain(train=swept.train, embeddings=tuple(embeddings))
    fresh = decoded.points(_spliced(numbers, seed))
    return Sketch(
        train=train,
        singular_values=swept.singular_values,
        added=swept.added,
        evaluations=swept.evaluations,
        held_out_error=_error(train, function, decoded.points(held)),
        spliced_error=_error(train, function, fresh),
    )


def sketch_plain(
    function: BatchFunction,
    *,
    samples: Array,
    site_dims: Sequence[int],
    max_rank: int,
    cumulative: float = 1.0,
    seed: int = 0,
) -> Sketch[TensorTrain]:
    r"""Tensor train by the published algorithm: all samples are prefixes and suffixes of each cut.

    With :math:`\Phi_k` the values at all prefixes, states and suffixes of site k, :math:`B_k` its
    leading left singular vectors and :math:`A_k` their rows at the prefixes of the next site, core
    k solves :math:`A_{k-1} G_k = B_k`. (The square random rotation of the suffixes in the original
    changes nothing and is left out.) Exact if samples span each cut; otherwise, or with more rank
    than the function has, errors can be of any size: see :func:`sketch`.

    Parameters
    ----------
    function
        Function of integers of shape (shots, length), with values of shape (shots,) or
        (shots, outputs).
    samples
        Integers of shape (shots, length).
    site_dims
        Number of states of each site.
    max_rank
        Largest bond dimension.
    cumulative
        Share of the sum of the singular values to keep at each cut.
    seed
        Seed of the configurations on which the error is measured.

    >>> samples = np.random.default_rng(0).integers(2, size=(20, 12))
    >>> found = sketch_plain(
    ...     lambda x: np.cos(x.sum(axis=1)), samples=samples, site_dims=[2] * 12, max_rank=2
    ... )
    >>> print(max(found.train.bond_dims), f"{found.spliced_error < 1e-12}")
    2 True
    """
    if not 0.0 < cumulative <= 1.0:
        raise SettingsError(f"cumulative is {cumulative}; wanted a number in (0, 1]")
    if max_rank < 1:
        raise SettingsError(f"max_rank is {max_rank}; wanted at least 1")
    dims = _checked_dims(site_dims)
    given = _checked_samples(samples, dims)
    train, singular_values, evaluations = _plain(function, given, dims, max_rank, cumulative, seed)
    return Sketch(
        train=train,
        singular_values=singular_values,
        added=(0,) * (len(dims) - 1),
        evaluations=evaluations,
        held_out_error=math.nan,
        spliced_error=_error(train, function, _spliced(given, seed)),
    )


def _plain(
    function: BatchFunction,
    samples: IntArray,
    dims: tuple[int, ...],
    max_rank: int,
    cumulative: float,
    seed: int,
) -> tuple[TensorTrain, tuple[FloatArray, ...], int]:
    """Train, singular values and number of evaluations of the published algorithm."""
    keys = site_keys(dims, seed)
    pool, blocks = Pool(samples, dims, keys), blocks_of(function, dims, keys)
    left, frame, number = blocks.start(), np.ones((1, 1)), np.zeros(len(samples), dtype=np.int64)
    earlier: tuple[IntArray, Array] = (np.full(1, -1), np.zeros((1, 1, 1)))
    cores: list[Array] = []
    singular_values: list[FloatArray] = []
    evaluations, log = 0, 0.0
    for site, dim in enumerate(dims):
        last, count, codes = site == len(dims) - 1, len(left), pool.codes[site]
        states = np.arange(dim)
        rows = blocks.grown(left, states)
        columns = blocks.end() if last else blocks.suffixes(pool, site, codes)
        known = known_entries(pool, site, states, codes, earlier[0])
        values, new, log = filled(blocks, rows, columns, known, earlier[1])
        evaluations += int(new.sum())
        basis = values.reshape(len(rows), -1)
        if not last:
            most = min(
                max_rank, frame.shape[1] * dim, values.shape[2] * math.prod(dims[site + 1 :])
            )
            basis, spectrum = _leading(basis, min(most, basis.shape[1]), cumulative)
            singular_values.append(spectrum)
        core = _regressed(frame, basis.reshape(count, -1))
        cores.append(core.reshape(-1, dim, basis.shape[1]))
        chosen, number = np.unique(number * dim + samples[:, site], return_inverse=True)
        left, frame, earlier = rows.take(chosen), basis[chosen], (codes, values[chosen])
    if blocks.vector_valued:
        cores[-1] = cores[-1][:, :, None, :]
    output_site = len(dims) - 1 if blocks.vector_valued else None
    train = TensorTrain(cores=tuple(cores), output_site=output_site, log_scale=log)
    return train, tuple(singular_values), evaluations


def _leading(matrix: Array, max_rank: int, cumulative: float) -> tuple[Array, FloatArray]:
    """Left singular vectors with a share of the sum of the singular values, and all of these."""
    vectors, values, _ = np.linalg.svd(matrix, full_matrices=False)
    sums = np.cumsum(values)
    rank = int(np.sum(sums < cumulative * sums[-1])) + 1
    norm = float(np.linalg.norm(values)) or 1.0
    return vectors[:, : min(rank, max_rank)], values / norm


def _regressed(matrix: Array, right: Array) -> Array:
    """Least-squares solution as in the original: rank-revealing QR, cut at rounding noise."""
    cond = np.finfo(np.float64).eps * max(matrix.shape)
    found = scipy.linalg.lstsq(matrix, right, cond, lapack_driver="gelsy", check_finite=False)
    return np.asarray(found[0])


def _swept(
    function: BatchFunction,
    samples: IntArray,
    sites: Sequence[Site],
    dims: tuple[int, ...],
    tol: float,
    max_rank: int,
    oversampling: float,
    seed: int,
) -> Swept:
    keys = site_keys(dims, seed)
    states = [site.states for site in sites]
    sweep = Sweep(
        blocks_of(function, dims, keys),
        Pool(pooled(samples, states, max_rank, seed), dims, keys),
        samples=len(samples),
        sites=sites,
        tol=tol,
        max_rank=max_rank,
        oversampling=oversampling,
        rng=stream(seed, "sketch", "sweep"),
    )
    return sweep.run()


def _spliced(samples: IntArray, seed: int) -> IntArray:
    """Spliced configurations that are no samples themselves."""
    drawn = spliced_samples(samples, _SPLICED, stream(seed, "sketch", "error"))
    given = {row.tobytes() for row in samples}
    return drawn[[row.tobytes() not in given for row in drawn]]


def _error(train: Callable[[Any], Array], function: Callable[[Any], Any], points: Any) -> float:
    """Relative L2 error on points, NaN without points or where the function vanishes on them."""
    if len(points) == 0:
        return math.nan
    wanted = np.asarray(function(points))
    scale = float(np.abs(wanted).max())
    difference = np.abs(train(points) - wanted)
    if scale == 0.0:
        return math.nan
    return float(np.linalg.norm(difference / scale) / np.linalg.norm(wanted / scale))


def _split(samples: IntArray, seed: int) -> tuple[IntArray, IntArray]:
    """Samples for the train and samples held out from it."""
    order = stream(seed, "sketch", "split").permutation(len(samples))
    count = min(len(samples) // 10, _SPLICED)
    return samples[order[count:]], samples[order[:count]]


def _checked_dims(site_dims: Sequence[int]) -> tuple[int, ...]:
    if len(site_dims) == 0 or min(site_dims) < 1:
        raise SettingsError(f"site_dims is {list(site_dims)}; every site needs at least one state")
    return tuple(int(dim) for dim in site_dims)


def _checked_samples(samples: Array, dims: tuple[int, ...]) -> IntArray:
    checked = check_configurations(samples, dims).astype(np.int64)
    if len(checked) == 0:
        raise SettingsError("there are no samples; wanted at least 1")
    return checked


def _check_settings(tol: float, max_rank: int, oversampling: float) -> None:
    if not 0.0 < tol < 1.0:
        raise SettingsError(f"tol is {tol}; wanted a number between 0 and 1")
    if max_rank < 1:
        raise SettingsError(f"max_rank is {max_rank}; wanted at least 1")
    if not oversampling >= 1.0:
        raise SettingsError(f"oversampling is {oversampling}; wanted at least 1")
