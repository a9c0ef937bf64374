r"""Squares of a train as a distribution, :math:`p(\sigma) = \sum_c |f_c(\sigma)|^2 / \|f\|^2`.

The train may be complex, vector-valued and in any gauge; nothing needs to be normalised.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from phasenet.errors import SettingsError
from phasenet.trains.canonical import canonical, right_canonical
from phasenet.trains.distribution import CHUNK, checked_sites, conditioned, draw
from phasenet.trains.inner import log_norm
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain

_LARGEST_TABLE = 2**20


def born_log_probability(train: TensorTrain, configurations: Array) -> FloatArray:
    """Natural logarithm of the Born probability of configurations; -inf where it is zero.

    Parameters
    ----------
    train
        Train that is not zero.
    configurations
        Integers of shape (shots, length).

    >>> coin = TensorTrain(cores=(np.array([[[3.0], [4.0]]]),) * 2)
    >>> np.exp(born_log_probability(coin, np.array([[0, 1]]))).round(4).tolist()
    [0.2304]
    """
    norm = _checked_norm(train)
    values, logs = train.log_values(configurations)
    squares = np.abs(values.reshape(len(values), -1)) ** 2
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(squares.sum(axis=1)) + 2 * (logs - norm), dtype=np.float64)


def born_marginal(train: TensorTrain, sites: Collection[int]) -> FloatArray:
    """Born probabilities of the states of a few sites, one axis per site in rising order.

    The cost is the number of entries times (bond)^3 for each site from the first to the last one;
    for many sites take :func:`phasenet.trains.distribution.marginal` of the product of the train
    with its conjugate, whose bonds are squared.

    Parameters
    ----------
    train
        Train that is not zero.
    sites
        Which sites, at least one.

    >>> bell = TensorTrain(cores=(np.eye(2)[None], np.eye(2)[:, :, None]))
    >>> born_marginal(bell, [0, 1]).round(3).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    kept = checked_sites(train, sites)
    shape = tuple(train.site_dims[site] for site in sorted(kept))
    if np.prod(shape, dtype=np.float64) > _LARGEST_TABLE:
        raise SettingsError(
            f"{len(shape)} sites have {np.prod(shape, dtype=np.float64):.0e} joint states; "
            f"{_LARGEST_TABLE} at most fit in a table"
        )
    _checked_norm(train)
    # Everything to the left of the first site that stays, and to the right of the last one, is the
    # identity then.
    first, last = min(kept), max(kept)
    cores = canonical(train, first).cores
    table: Array = np.eye(cores[first].shape[0])[None]
    for site in range(first, last + 1):
        grown = _grown(table, cores[site], keep=site in kept)
        table = grown / np.abs(grown).max()
    weights = np.maximum(np.einsum("wll->w", table).real, 0.0)
    return np.asarray(weights / weights.sum(), dtype=np.float64).reshape(shape)


def sample_born(
    train: TensorTrain,
    shots: int,
    rng: np.random.Generator,
    *,
    fixed: Mapping[int, int] | None = None,
) -> tuple[IntArray, FloatArray]:
    r"""Independent shots from the Born distribution, given the states of some sites.

    A train that is zero off the given states is brought into right-canonical form; then each
    conditional probability is the squared norm of a branch (Ferris and Vidal, Phys. Rev. B 85,
    165146 (2012)), with nothing to correct for sites that are fixed further to the right.

    Parameters
    ----------
    train
        Train that is not zero.
    shots
        How many.
    rng
        Each shot uses as many numbers as there are sites.
    fixed
        Local state of each site that is fixed; none without it.

    Returns
    -------
    Local states of shape (shots, length), fixed ones included, and the natural logarithm of the
    conditional probability of each shot, shape (shots,).

    >>> bell = TensorTrain(cores=(np.eye(2)[None], np.eye(2)[:, :, None]))
    >>> states, logs = sample_born(bell, 1, np.random.default_rng(0), fixed={1: 0})
    >>> print(states.tolist(), logs.round(6).tolist())
    [[0, 0]] [0.0]
    """
    target = conditioned(train, fixed or {})
    _checked_norm(target)
    uniform = rng.random((shots, train.length))
    states, logs = np.empty((shots, train.length), dtype=np.int64), np.empty(shots)
    cores = right_canonical(target).cores
    for start in range(0, shots, CHUNK):
        part = slice(start, start + CHUNK)
        states[part], logs[part] = _sampled(cores, uniform[part])
    return states, logs


def _sampled(cores: Sequence[Array], uniform: FloatArray) -> tuple[IntArray, FloatArray]:
    shots = len(uniform)
    states, logs = np.empty(uniform.shape, dtype=np.int64), np.zeros(shots)
    rows: Array = np.ones((shots, 1, 1), dtype=cores[0].dtype)
    everyone = np.arange(shots)
    for site, core in enumerate(cores):
        branches = _branches(rows, core)
        flat = branches.reshape(*branches.shape[:2], -1)
        weights = np.einsum("nsr,nsr->ns", flat, flat.conj()).real.astype(np.float64)
        states[:, site], more = draw(weights, uniform[:, site])
        logs += more
        # Divided by the norm: with the weights at hand, that is cheaper than the largest entry.
        norms = np.sqrt(weights[everyone, states[:, site]])
        rows = branches[everyone, states[:, site]]
        rows /= norms[:, None, None]
    return states, logs


def _branches(rows: Array, core: Array) -> Array:
    """Rows (shots, outputs, left) times a core, shape (shots, site, outputs, right)."""
    shots, outputs, left = rows.shape
    grown = (rows.reshape(-1, left) @ core.reshape(left, -1)).reshape(
        shots, outputs, *core.shape[1:]
    )
    if core.ndim == 3:
        return grown.swapaxes(1, 2)
    # The output leg is met once, so that there was one output so far.
    return grown[:, 0].swapaxes(2, 3)


def _grown(table: Array, core: Array, *, keep: bool) -> Array:
    """Densities (joint states, left, left) through a core, per local state or summed over them."""
    wide = core if core.ndim == 4 else core[..., None]
    half = np.tensordot(table, wide, axes=(2, 0))
    if keep:
        grown: Array = np.einsum("wksro,ksqo->wsqr", half, wide.conj(), optimize=True)
        return grown.reshape(-1, *grown.shape[2:])
    return np.asarray(np.tensordot(half, wide.conj(), axes=([1, 2, 4], [0, 1, 3]))).swapaxes(1, 2)


def _checked_norm(train: TensorTrain) -> float:
    norm = log_norm(train)
    if norm == -np.inf:
        raise SettingsError("the train is zero on all configurations asked for; it has no shots")
    return norm
