r"""Non-negative trains as distributions, :math:`p(\sigma) = f(\sigma) / \sum_\tau f(\tau)`.

For the distribution of the squares of a train see :mod:`phasenet.trains.born`.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.evaluation import rescale
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain

# Shots that are drawn together; memory grows with this times (site) x (bond).
CHUNK = 4096


def log_total(train: TensorTrain) -> float:
    """Natural logarithm of the sum of a real scalar train over all configurations.

    >>> print(f"{log_total(TensorTrain(cores=(np.ones((1, 4, 1)),) * 500)) / 500:.6f}")
    1.386294
    """
    _check_distribution(train)
    vector, log = _right_vectors(train)[0]
    total = float(train.cores[0].sum(axis=1)[0] @ vector)
    if not total > 0.0:
        raise SettingsError(
            f"the train sums to {total:.3e} times a positive factor; a distribution has a "
            "positive sum"
        )
    return float(np.log(total)) + log + train.log_scale


def log_probability(train: TensorTrain, configurations: Array) -> FloatArray:
    """Natural logarithm of the normalised train at configurations; -inf where it is zero.

    Parameters
    ----------
    train
        Real scalar train.
    configurations
        Integers of shape (shots, length).

    >>> coin = TensorTrain(cores=(np.array([[[3.0], [1.0]]]),) * 2)
    >>> np.exp(log_probability(coin, np.array([[0, 0], [0, 1]]))).round(4).tolist()
    [0.5625, 0.1875]
    """
    total = log_total(train)
    values, logs = train.log_values(configurations)
    if np.any(values < 0.0):
        worst = int(np.argmin(values))
        raise SettingsError(
            f"the train is negative at configuration {np.asarray(configurations)[worst].tolist()}; "
            "a distribution is not"
        )
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(values) + logs - total)


def marginal(train: TensorTrain, sites: Collection[int]) -> TensorTrain:
    r"""Train on some sites, summed over all states of the others.

    The result is not normalised; :func:`log_total` is the same for it. An output leg on a site that
    is summed over moves to the nearest site that stays.

    Parameters
    ----------
    train
        Any train, scalar or vector-valued.
    sites
        Which sites stay, at least one; the result has them in rising order.

    >>> coin = TensorTrain(cores=(np.array([[[3.0], [1.0]]]),) * 400)
    >>> np.exp(log_probability(marginal(coin, [7]), np.array([[0], [1]]))).round(4).tolist()
    [0.75, 0.25]
    """
    kept = checked_sites(train, sites)
    cores: list[Array] = []
    output_site, log = None, train.log_scale
    pending: Array = np.ones((1, 1), dtype=train.cores[0].dtype)
    for site, core in enumerate(train.cores):
        part = core if site in kept else core.sum(axis=1, keepdims=True)
        part = _joined(pending, part)
        if site in kept:
            if part.ndim == 4:
                output_site = len(cores)
            cores.append(part)
            pending = np.eye(core.shape[2], dtype=core.dtype)
        else:
            pending = part[:, 0]
            size = float(np.abs(pending).max())
            if size > 0.0:
                pending, log = pending / size, log + float(np.log(size))
    if pending.ndim == 3:
        output_site = len(cores) - 1
    last = np.tensordot(cores[-1], pending, axes=(2, 0))
    cores[-1] = last if cores[-1].ndim == 3 else np.moveaxis(last, 2, -1)
    return TensorTrain(cores=tuple(cores), output_site=output_site, log_scale=log)


def conditioned(train: TensorTrain, fixed: Mapping[int, int]) -> TensorTrain:
    """Train that is zero unless some sites are in given states, and unchanged otherwise.

    Its sum (or norm) over that of the train is the marginal probability of the given states.

    Parameters
    ----------
    train
        Any train.
    fixed
        Local state of each site that is fixed.

    >>> one = TensorTrain(cores=(np.ones((1, 2, 1)),) * 2)
    >>> conditioned(one, {1: 0})(np.array([[0, 0], [0, 1]])).tolist()
    [1.0, 0.0]
    """
    cores = list(train.cores)
    for site, state in fixed.items():
        if not (0 <= site < train.length and 0 <= state < train.site_dims[site]):
            raise SettingsError(
                f"site {site} is fixed in state {state}; the train has sites 0 to "
                f"{train.length - 1} with {max(train.site_dims)} states at most"
            )
        core = np.zeros_like(cores[site])
        core[:, state] = cores[site][:, state]
        cores[site] = core
    return TensorTrain(cores=tuple(cores), output_site=train.output_site, log_scale=train.log_scale)


def sample_conditional(
    train: TensorTrain,
    shots: int,
    rng: np.random.Generator,
    *,
    fixed: Mapping[int, int] | None = None,
    negative_tol: float = 1e-9,
) -> tuple[IntArray, FloatArray]:
    r"""Independent shots from a non-negative train, given the states of some sites.

    Parameters
    ----------
    train
        Real scalar train.
    shots
        How many.
    rng
        Each shot uses as many numbers as there are sites.
    fixed
        Local state of each site that is fixed; none without it.
    negative_tol
        Negative weights down to this share of the sum of a site's weights count as zero; below, the
        train is no distribution.

    Returns
    -------
    Local states of shape (shots, length), fixed ones included, and the natural logarithm of the
    conditional probability of each shot, shape (shots,).

    >>> coin = TensorTrain(cores=(np.array([[[3.0], [1.0]]]),) * 3)
    >>> shots, logs = sample_conditional(coin, 1, np.random.default_rng(0), fixed={0: 1, 2: 1})
    >>> print(shots[0, [0, 2]].tolist(), bool(logs[0] < 0.0))
    [1, 1] True
    """
    target = conditioned(train, fixed or {})
    log_total(target)
    uniform = rng.random((shots, train.length))
    states, logs = np.empty((shots, train.length), dtype=np.int64), np.empty(shots)
    rights = [vector for vector, _ in _right_vectors(target)]
    for start in range(0, shots, CHUNK):
        part = slice(start, start + CHUNK)
        states[part], logs[part] = _sampled(target, rights, uniform[part], negative_tol)
    return states, logs


def draw(weights: FloatArray, uniform: FloatArray) -> tuple[IntArray, FloatArray]:
    """State of each shot for weights (shots, states), and the logarithm of its probability.

    >>> states, logs = draw(np.array([[1.0, 3.0]]), np.array([0.5]))
    >>> print(states.tolist(), np.exp(logs).tolist())
    [1] [0.75]
    """
    cumulative = np.cumsum(weights, axis=1)
    total = cumulative[:, -1:]
    # A number below 1 times the sum is below the sum, but can round to it; a state of weight zero
    # at the end must not be drawn then.
    last = weights.shape[1] - 1 - np.argmax(weights[:, ::-1] > 0.0, axis=1)
    chosen = np.minimum(np.sum(uniform[:, None] * total >= cumulative, axis=1), last)
    probability = weights[np.arange(len(weights)), chosen] / total[:, 0]
    return chosen, np.asarray(np.log(probability), dtype=np.float64)


def checked_sites(train: TensorTrain, sites: Collection[int]) -> frozenset[int]:
    """Distinct sites of a train, at least one, or SettingsError."""
    kept = frozenset(int(site) for site in sites)
    if not kept or min(kept) < 0 or max(kept) >= train.length:
        raise SettingsError(
            f"sites are {sorted(kept)}; wanted some of 0 to {train.length - 1}, at least one"
        )
    return kept


def _sampled(
    train: TensorTrain, rights: Sequence[Array], uniform: FloatArray, negative_tol: float
) -> tuple[IntArray, FloatArray]:
    shots = len(uniform)
    states, logs = np.empty(uniform.shape, dtype=np.int64), np.zeros(shots)
    rows: Array = np.ones((shots, 1))
    for site, (core, right) in enumerate(zip(train.cores, rights, strict=True)):
        branches = (rows @ core.reshape(len(core), -1)).reshape(shots, *core.shape[1:])
        weights = _checked_weights(branches @ right, site, negative_tol)
        states[:, site], more = draw(weights, uniform[:, site])
        rows, _ = rescale(branches[np.arange(shots), states[:, site]], logs)
        logs += more
    return states, logs


def _right_vectors(train: TensorTrain) -> list[tuple[Array, float]]:
    """Sum over all states to the right of each site, shape (right bond,), and its logarithm."""
    vectors: list[tuple[Array, float]] = [(np.ones(1), 0.0)]
    for core in reversed(train.cores[1:]):
        vector, log = vectors[-1]
        vector = core.sum(axis=1) @ vector
        size = float(np.abs(vector).max())
        vectors.append((vector / size, log + float(np.log(size))) if size > 0.0 else (vector, log))
    return vectors[::-1]


def _joined(pending: Array, part: Array) -> Array:
    """Core after a matrix, which may hold the output leg as its third axis."""
    if pending.ndim == 2:
        return np.tensordot(pending, part, axes=(1, 0))
    return np.moveaxis(np.tensordot(pending, part, axes=(1, 0)), 1, -1)


def _checked_weights(weights: Array, site: int, negative_tol: float) -> FloatArray:
    """Weights without rounding noise below zero, or SettingsError."""
    total = weights.sum(axis=1, keepdims=True)
    if np.any(weights < -negative_tol * np.abs(total)) or np.any(total <= 0.0):
        worst = float((weights / np.where(total > 0.0, total, 1.0)).min())
        raise SettingsError(
            f"site {site} has conditional probability {worst:.1e}, below -{negative_tol:.0e}; the "
            "train is no distribution: square it, raise its accuracy or raise negative_tol"
        )
    return np.maximum(weights, 0.0).astype(np.float64, copy=False)


def _check_distribution(train: TensorTrain) -> None:
    if train.output_site is not None:
        raise ShapeError(f"the train has an output leg at site {train.output_site}; wanted none")
    if any(np.iscomplexobj(core) for core in train.cores):
        raise ShapeError("the train is complex; a distribution is real: conjugate and multiply it")
