"""Least-squares polish of a finished train on the points that matter."""

from collections.abc import Sequence

import numpy as np
import scipy.linalg

from phasenet.errors import SettingsError
from phasenet.seeds import stream
from phasenet.tensorizer.function import BatchFunction
from phasenet.tensorizer.pivots import IntArray
from phasenet.tensorizer.probes import uniform
from phasenet.trains.canonical import right_canonical
from phasenet.trains.train import Array, TensorTrain, check_configurations


def polish(
    train: TensorTrain,
    function: BatchFunction,
    *,
    samples: Array,
    uniform_share: float = 0.5,
    sweeps: int = 2,
    ridge: float = 1e-3,
    seed: int = 0,
) -> TensorTrain:
    r"""Train of the same bonds with a smaller error on samples, by alternating least squares.

    Each core in turn minimises :math:`\sum_x |f(x) - g(x)|^2 + \lambda \|A - A_0\|^2` over the
    points with :math:`A_0` the core so far. A fifth of the points is kept for validation, and the
    train returned is the best on them: the one given, if nothing is better. The work grows as
    (points) x (bond)^4, so this is for bonds up to about 32.

    Parameters
    ----------
    train
        Train of the function, from :func:`phasenet.tensorizer.tensorize`.
    function
        The function itself; it is evaluated once on all points.
    samples
        Integers of shape (shots, length) from the distribution that matters.
    uniform_share
        Uniform configurations added for each sample, so that the train stays right elsewhere.
    sweeps
        Passes over the chain, back and forth counting as two.
    ridge
        Strength of the second term, relative to the mean square of the first one's matrix.
    seed
        Seed of the uniform configurations and of the split.

    >>> parity = TensorTrain(cores=(np.array([[[1.0], [-1.0]]]),) * 6)
    >>> off = TensorTrain(cores=(np.array([[[1.1], [-1.0]]]), *parity.cores[1:]))
    >>> points = np.random.default_rng(0).integers(2, size=(100, 6))
    >>> better = polish(off, parity, samples=points, ridge=1e-9)
    >>> print(f"{np.abs(better(points) - parity(points)).max():.4f}")
    0.0000
    """
    if not (uniform_share >= 0.0 and sweeps >= 0 and ridge > 0.0):
        raise SettingsError(
            f"uniform_share is {uniform_share}, sweeps is {sweeps} and ridge is {ridge}; "
            "wanted the first two not negative and ridge positive"
        )
    samples = check_configurations(samples, train.site_dims).astype(np.int64)
    rng = stream(seed, "tensorizer", "polish")
    spread = uniform(train.site_dims, int(uniform_share * len(samples)), rng)
    points = rng.permutation(np.concatenate((samples, spread)))
    values = np.asarray(function(points)).reshape(len(points), -1)
    kept = max(1, len(points) // 5)
    best, best_error = train, _distance(train, points[:kept], values[:kept])
    current = train
    for sweep in range(sweeps):
        current = _sweep(current, points[kept:], values[kept:], ridge=ridge, forward=sweep % 2 == 0)
        error = _distance(current, points[:kept], values[:kept])
        if error < best_error:
            best, best_error = current, error
    return best


def _distance(train: TensorTrain, points: IntArray, values: Array) -> float:
    return float(np.linalg.norm(train(points).reshape(values.shape) - values))


def _mirrored(train: TensorTrain) -> TensorTrain:
    """Train read from the other end."""
    site = None if train.output_site is None else train.length - 1 - train.output_site
    cores = tuple(core.swapaxes(0, 2) for core in reversed(train.cores))
    return TensorTrain(cores=cores, output_site=site, log_scale=train.log_scale)


def _sweep(
    train: TensorTrain, points: IntArray, values: Array, *, ridge: float, forward: bool
) -> TensorTrain:
    """One pass of local solves; the orthogonality centre moves along."""
    if not forward:
        swept = _sweep(_mirrored(train), points[:, ::-1], values, ridge=ridge, forward=True)
        return _mirrored(swept)
    start = right_canonical(train)
    cores = list(start.cores)
    targets = values * np.exp(-start.log_scale)
    rights = _environments(cores, points)
    left: Array = np.ones((len(points), 1, 1))
    for site in range(train.length):
        states = points[:, site]
        cores[site] = _solved(cores[site], left, rights[site], states, targets, ridge)
        if site + 1 < train.length:
            turned = np.moveaxis(cores[site], 2, -1)
            basis, rest = np.linalg.qr(turned.reshape(-1, turned.shape[-1]))
            cores[site] = np.moveaxis(basis.reshape(*turned.shape[:-1], -1), -1, 2)
            cores[site + 1] = np.tensordot(rest, cores[site + 1], axes=(1, 0))
            left = _carried(left, cores[site], states)
    return TensorTrain(cores=tuple(cores), output_site=train.output_site, log_scale=start.log_scale)


def _environments(cores: Sequence[Array], points: IntArray) -> list[Array]:
    """Product of all cores to the right of each site, shape (points, bond, outputs or 1)."""
    rights: list[Array] = [np.ones((len(points), 1, 1))]
    for site in range(len(cores) - 1, 0, -1):
        rights.append(_carried(rights[-1], cores[site].swapaxes(0, 2), points[:, site]))
    return rights[::-1]


def _carried(environment: Array, core: Array, states: IntArray) -> Array:
    """Environment of shape (points, bond, outputs or 1) carried over one core."""
    wide = core if core.ndim == 4 else core[..., None]
    outputs = max(environment.shape[2], wide.shape[3])
    result = np.empty(
        (len(states), core.shape[2], outputs), dtype=np.result_type(environment, core)
    )
    for state in range(core.shape[1]):
        chosen = states == state
        subscripts = "nlo,lro->nro" if core.ndim == 3 and outputs == 1 else "nlo,lrp->nrop"
        product = np.einsum(subscripts, environment[chosen], wide[:, state], optimize=True)
        result[chosen] = product.reshape(len(product), core.shape[2], outputs)
    return result


def _solved(
    core: Array, left: Array, right: Array, states: IntArray, targets: Array, ridge: float
) -> Array:
    """Core that fits the targets best, close to the core so far; one solve for each state."""
    core = core.copy()
    shape = (core.shape[0] * core.shape[2], -1)
    for state in range(core.shape[1]):
        chosen = states == state
        if not np.any(chosen):
            continue
        grown = np.einsum("nlo,nrp->noplr", left[chosen], right[chosen], optimize=True)
        # Where the outputs are on another core, each output is one more equation.
        matrix = grown.reshape(-1, shape[0])
        slice_ = core[:, state].reshape(shape)
        wanted = targets[chosen].reshape(len(matrix), -1)
        gram = matrix.conj().T @ matrix
        gram[np.diag_indices(len(gram))] += ridge * np.trace(gram).real / len(gram)
        step = matrix.conj().T @ (wanted - matrix @ slice_)
        change = scipy.linalg.solve(gram, step, assume_a="pos", check_finite=False)
        core[:, state] += change.reshape(core[:, state].shape)
    return core
