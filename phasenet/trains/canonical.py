"""Gauge forms of a train, rounding by singular values, and moves of the output leg."""

import math
from collections.abc import Sequence

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.train import Array, FloatArray, TensorTrain

# Rounding noise of a sweep in units of the precision (1e-12 for doubles); below it a Schmidt state
# is an arbitrary direction.
_SCHMIDT_FLOOR = 4500.0


def canonical(train: TensorTrain, centre: int) -> TensorTrain:
    """Train with orthonormal cores on both sides of one site; the function stays the same.

    The centre core has Frobenius norm 1, so that ``log_scale`` is the logarithm of the norm of the
    whole train (of all outputs together); a train that is zero keeps a centre core of zeros.

    Parameters
    ----------
    train
        Any train, of any length and scale.
    centre
        Site of the orthogonality centre.

    >>> train = TensorTrain(cores=(np.full((1, 2, 1), 3.0),) * 500)
    >>> print(f"{canonical(train, 250).log_scale / 500:.6f}")
    1.445186
    """
    _check_site(train, centre)
    cores, log_scale = list(train.cores), train.log_scale
    for site in range(centre):
        cores[site], rest = _split_right(cores[site])
        rest, log = _unit(rest)
        cores[site + 1] = _times_left(rest, cores[site + 1])
        log_scale += log
    for site in range(train.length - 1, centre, -1):
        rest, cores[site] = _split_left(cores[site])
        rest, log = _unit(rest)
        cores[site - 1] = _times_right(cores[site - 1], rest)
        log_scale += log
    cores[centre], log = _unit(cores[centre])
    return TensorTrain(cores=tuple(cores), output_site=train.output_site, log_scale=log_scale + log)


def left_canonical(train: TensorTrain) -> TensorTrain:
    """Train with its orthogonality centre on the last site.

    >>> train = left_canonical(TensorTrain(cores=(np.ones((1, 2, 1)),) * 4))
    >>> print(f"{np.sum(train.cores[0] ** 2):.6f}")
    1.000000
    """
    return canonical(train, train.length - 1)


def right_canonical(train: TensorTrain) -> TensorTrain:
    """Train with its orthogonality centre on the first site.

    >>> train = right_canonical(TensorTrain(cores=(np.ones((1, 2, 1)),) * 4))
    >>> print(f"{np.sum(train.cores[3] ** 2):.6f}")
    1.000000
    """
    return canonical(train, 0)


def schmidt_form(train: TensorTrain) -> tuple[TensorTrain, tuple[FloatArray, ...]]:
    """Right-canonical train of a state, with the Schmidt values on the bond left of each core.

    Parameters
    ----------
    train
        Scalar train, of any length and scale; its norm goes to ``log_scale``.

    Returns
    -------
    Train with ``sum_{s,r} B[l,s,r] conj(B[k,s,r]) = delta_{lk}`` for each core, and Schmidt values
    whose squares sum to 1, largest first. Bonds shrink to the values above rounding noise.

    Raises
    ------
    ShapeError
        The train has an output leg, or is zero.

    >>> form, values = schmidt_form(TensorTrain(cores=(np.ones((1, 2, 1)),) * 3))
    >>> print(len(values), f"{values[1][0]:.3f} {form.log_scale:.6f}")
    3 1.000 1.039721
    """
    if train.output_site is not None:
        raise ShapeError(f"the state has an output leg at site {train.output_site}; wanted none")
    return diagonal_form(train)


def diagonal_form(train: TensorTrain) -> tuple[TensorTrain, tuple[FloatArray, ...]]:
    """Right-canonical train whose bond states are Schmidt states; outputs count as part of a site.

    As :func:`schmidt_form`, for scalar and vector-valued trains.

    >>> vector = TensorTrain(cores=(np.ones((1, 2, 1)), np.ones((1, 2, 1, 3))), output_site=1)
    >>> form, values = diagonal_form(vector)
    >>> print(values[1].tolist(), form.output_site)
    [1.0] 1
    """
    start = left_canonical(train)
    cores = list(start.cores)
    if not np.any(cores[-1]):
        raise ShapeError("the state has norm zero; it has no Schmidt values")
    floor = _SCHMIDT_FLOOR * float(np.finfo(cores[-1].dtype).eps)
    schmidt: list[FloatArray] = [np.ones(1)] * len(cores)
    for site in range(len(cores) - 1, 0, -1):
        shape = cores[site].shape
        u, s, vh = np.linalg.svd(cores[site].reshape(shape[0], -1), full_matrices=False)
        kept = s > floor * s[0]
        s = s[kept] / np.linalg.norm(s[kept])
        schmidt[site] = s.astype(np.float64)
        cores[site] = vh[kept].reshape(-1, *shape[1:])
        cores[site - 1] = _times_right(cores[site - 1], u[:, kept] * s)
    cores[0] = cores[0] / np.linalg.norm(cores[0])
    form = TensorTrain(cores=tuple(cores), output_site=train.output_site, log_scale=start.log_scale)
    return form, tuple(schmidt)


def round_train(
    train: TensorTrain, *, tol: float, max_rank: int | None = None
) -> tuple[TensorTrain, float]:
    r"""Train of smaller bonds and the relative Frobenius error of the replacement.

    The truncations project one after the other, so their discarded weights add:
    :math:`\|f - g\|^2 / \|f\|^2 = \sum_b \sum_{k > r_b} s_{bk}^2` is exact, not a bound
    (Oseledets, SIAM J. Sci. Comput. 33, 2295, 2011). The result has its orthogonality centre on
    the output site, or on the first site of a scalar train.

    Parameters
    ----------
    train
        Train to round.
    tol
        Largest relative error, unless ``max_rank`` asks for more.
    max_rank
        Largest bond dimension; None for no limit.

    >>> doubled = TensorTrain(cores=(np.ones((1, 2, 3)), np.ones((3, 2, 1))))
    >>> rounded, error = round_train(doubled, tol=1e-12)
    >>> print(rounded.bond_dims, f"{error:.6f}")
    (1,) 0.000000
    """
    if not tol >= 0.0 or (max_rank is not None and max_rank < 1):
        raise SettingsError(
            f"tol is {tol} and max_rank is {max_rank}; wanted tol >= 0 and max_rank >= 1"
        )
    start = left_canonical(train)
    cores = list(start.cores)
    bond_weight = tol**2 / max(train.length - 1, 1)
    lost = 0.0
    for site in range(train.length - 1, 0, -1):
        shape = cores[site].shape
        left, values, right = np.linalg.svd(cores[site].reshape(shape[0], -1), full_matrices=False)
        rank, discarded = _kept(values, bond_weight, max_rank)
        lost += discarded
        cores[site] = right[:rank].reshape(rank, *shape[1:])
        cores[site - 1] = _times_right(cores[site - 1], left[:, :rank] * values[:rank])
    centre = 0 if train.output_site is None else train.output_site
    for site in range(centre):
        cores[site], rest = _split_right(cores[site])
        cores[site + 1] = _times_left(rest, cores[site + 1])
    cores[centre], log = _unit(cores[centre])
    short = TensorTrain(
        cores=tuple(cores), output_site=train.output_site, log_scale=start.log_scale + log
    )
    return short, math.sqrt(lost)


def move_output(train: TensorTrain, site: int) -> TensorTrain:
    """Move the output leg of a vector-valued train to another site.

    The bonds that the leg crosses take it up, so they can grow by up to the number of outputs.

    >>> train = TensorTrain(cores=(np.ones((1, 2, 1)), np.ones((1, 2, 1, 3))), output_site=1)
    >>> moved = move_output(train, 0)
    >>> print(moved.cores[0].shape, moved(np.array([[0, 1]])).round(6).tolist())
    (1, 2, 1, 3) [[1.0, 1.0, 1.0]]
    """
    _check_site(train, site)
    if train.output_site is None:
        raise SettingsError("the train is scalar; only a vector-valued train has an output leg")
    moved = canonical(train, train.output_site)
    cores = list(moved.cores)
    here = train.output_site
    while here < site:
        cores[here], cores[here + 1] = _hand_over(cores[here], cores[here + 1])
        here += 1
    while here > site:
        swapped = _hand_over(_mirror(cores[here]), _mirror(cores[here - 1]))
        cores[here], cores[here - 1] = _mirror(swapped[0]), _mirror(swapped[1])
        here -= 1
    return TensorTrain(cores=tuple(cores), output_site=site, log_scale=moved.log_scale)


def _hand_over(core: Array, after: Array) -> tuple[Array, Array]:
    """Move the output leg from a core to the next one, at the smallest exact bond."""
    left, dim, right, outputs = core.shape
    basis, values, rest = np.linalg.svd(core.reshape(left * dim, -1), full_matrices=False)
    rank = max(1, int(np.sum(values > values[0] * 1e-15)))
    carried = (values[:rank, None] * rest[:rank]).reshape(rank, right, outputs)
    following = np.tensordot(carried, after, axes=(1, 0)).transpose(0, 2, 3, 1)
    return basis[:, :rank].reshape(left, dim, rank), following


def _mirror(core: Array) -> Array:
    return core.swapaxes(0, 2)


def _split_right(core: Array) -> tuple[Array, Array]:
    """Orthonormal core and the matrix left over for the next core."""
    if core.ndim == 3:
        basis, rest = np.linalg.qr(core.reshape(-1, core.shape[2]))
        return basis.reshape(*core.shape[:2], -1), rest
    turned = np.moveaxis(core, 2, -1)
    basis, rest = np.linalg.qr(turned.reshape(-1, core.shape[2]))
    return np.moveaxis(basis.reshape(*turned.shape[:-1], -1), -1, 2), rest


def _split_left(core: Array) -> tuple[Array, Array]:
    """Matrix left over for the core before, and the orthonormal core."""
    basis, rest = np.linalg.qr(core.reshape(core.shape[0], -1).T)
    return rest.T, basis.T.reshape(-1, *core.shape[1:])


def _times_right(core: Array, matrix: Array) -> Array:
    if core.ndim == 3:
        product: Array = core.reshape(-1, core.shape[2]) @ matrix
        return product.reshape(*core.shape[:2], -1)
    return np.moveaxis(np.tensordot(core, matrix, axes=(2, 0)), -1, 2)


def _times_left(matrix: Array, core: Array) -> Array:
    product: Array = matrix @ core.reshape(len(core), -1)
    return product.reshape(-1, *core.shape[1:])


def _unit(array: Array) -> tuple[Array, float]:
    """Array of Frobenius norm 1 and the logarithm of its norm; zeros stay zeros."""
    largest = float(np.abs(array).max())
    if largest == 0.0:
        return array, 0.0
    array = array / largest
    norm = float(np.linalg.norm(array))
    return array / norm, math.log(largest) + math.log(norm)


def _kept(
    values: FloatArray | Sequence[float], weight: float, max_rank: int | None
) -> tuple[int, float]:
    """Singular values to keep, at least one, and the sum of the squares of the others."""
    squares = np.asarray(values) ** 2
    tails = np.append(np.cumsum(squares[::-1])[::-1], 0.0)
    rank = max(1, int(np.argmax(tails <= weight)))
    rank = rank if max_rank is None else min(rank, max_rank)
    return rank, float(tails[rank])


def _check_site(train: TensorTrain, site: int) -> None:
    if not 0 <= site < train.length:
        raise SettingsError(f"site is {site}; the train has sites 0 to {train.length - 1}")
