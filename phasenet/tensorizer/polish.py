"""Least-squares polish of a finished train on weighted points, at fixed bonds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.seeds import stream
from phasenet.tensorizer.least_squares import LocalProblem, solved
from phasenet.trains.canonical import canonical, right_canonical
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain, check_configurations

# Each sweep that helps is followed by one with a weaker pull; measured on dense networks.
_WEAKER = 0.2
_LEAST_GAIN = 0.01

_Groups = tuple[tuple[IntArray, ...], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Polished:
    """Train after a polish, and what the polish did.

    Parameters
    ----------
    train
        Best train on the validation points; the one given if nothing was better.
    error_before, error_after
        Relative weighted L2 errors on the validation points.
    sweeps
        Passes over the chain, those that were thrown away included.
    ridge
        Strength of the pull towards the given train in the last pass that helped.
    """

    train: TensorTrain
    error_before: float
    error_after: float
    sweeps: int
    ridge: float


def group_weights(groups: Sequence[Array], shares: Sequence[float]) -> FloatArray:
    r"""Weights that make an error out of shares of relative errors of several groups of points.

    The weighted square error is :math:`\sum_g s_g \langle |f - g|^2 \rangle_g / m_g`, with
    :math:`m_g` the mean square of the values of group g, or of the first group if that is larger:
    the values of a group may be zero.

    Parameters
    ----------
    groups
        Values of each group, shape (shots,) or (shots, outputs); the first must not be zero.
    shares
        Share of each group, positive.

    Returns
    -------
    Array of shape (all shots,), in the order of the groups.

    >>> weights = group_weights([np.array([2.0, 2.0]), np.array([0.0])], [0.5, 0.5])
    >>> print(weights.tolist())
    [0.0625, 0.0625, 0.125]
    """
    if len(groups) != len(shares) or not groups or min(shares) <= 0.0:
        raise SettingsError(
            f"there are {len(groups)} groups with shares {list(shares)}; "
            "wanted one positive share for each group"
        )
    sizes = [float(np.sum(np.abs(values) ** 2) / max(1, len(values))) for values in groups]
    if not sizes[0] > 0.0:
        raise SettingsError("the values of the first group are all zero; give points where not")
    return np.concatenate(
        [
            np.full(len(values), share / (max(1, len(values)) * max(size, sizes[0])))
            for values, share, size in zip(groups, shares, sizes, strict=True)
        ]
    )


def polish(
    train: TensorTrain,
    points: Array,
    values: Array,
    *,
    weights: Array | None = None,
    validation: float = 0.15,
    sweeps: int = 8,
    ridge: float | None = None,
    seed: int = 0,
) -> Polished:
    r"""Train of the same bonds, closer to a function on weighted points: alternating least squares.

    Each core in turn minimises

    .. math:: \frac{\sum_x w_x |f(x) - g(x)|^2}{\sum_x w_x |g(x)|^2}
              + \rho \frac{\|f - f_0\|^2}{\|f_0\|^2}

    over the points x, with g the function and :math:`f_0` the train given; the second term, over
    all configurations, holds the train where there are no points. The strength :math:`\rho` falls
    from pass to pass as long as the error on points set aside does. The normal equations are never
    formed: conjugate gradients in the eigenbases of both environments need a few steps, so a pass
    costs (points) x (bond)^2 x (length); the environments of one pass take
    (points) x (bond) x (length) numbers.

    Parameters
    ----------
    train
        Train of the function, from :func:`phasenet.tensorizer.tensorize`.
    points
        Integers of shape (shots, length). They may repeat, then with the same value; samples are
        better repeated than weighted, because points are set aside one by one.
    values
        The function at the points, shape (shots,) or (shots, outputs).
    weights
        Not negative, shape (shots,), of any scale; None for equal ones. See :func:`group_weights`.
    validation
        Share of the points that is set aside to choose the strength and the pass.
    sweeps
        Largest number of passes over the chain, in alternating directions.
    ridge
        Strength :math:`\rho` of the first pass; None for ten times the ratio of the numbers in
        the train to those in the values, so that few points begin with a strong pull.
    seed
        Seed of the choice of the points set aside.

    >>> parity = TensorTrain(cores=(np.array([[[1.0], [-1.0]]]),) * 6)
    >>> off = TensorTrain(cores=(np.array([[[1.1], [-1.0]]]), *parity.cores[1:]))
    >>> points = np.random.default_rng(0).integers(2, size=(100, 6))
    >>> found = polish(off, points, parity(points), ridge=1e-3)
    >>> print(f"{found.error_before:.3f} {found.error_after:.3f}")
    0.077 0.000
    """
    _check_settings(validation, sweeps, ridge)
    configurations = check_configurations(points, train.site_dims).astype(np.int64)
    targets, masses = _checked_values(train, configurations, values, weights)
    chain, log_scale = _unit_chain(train, complex_=np.iscomplexobj(targets))
    # Two factors, because exp(-log_scale) alone overflows for a state of 1300 sites.
    targets = targets * np.exp(-0.5 * log_scale) * np.exp(-0.5 * log_scale)
    fit, held_out = _split(configurations, targets, masses, validation, train.site_dims, seed)
    chain = _with_environments(chain, fit)
    before = best = held_out.error(chain)
    strength = used = _strong(train, fit) if ridge is None else ridge
    falling, done = True, 0
    while done < sweeps:
        trial = _swept(chain, fit, strength)
        error, done = held_out.error(trial), done + 1
        if error < best:
            slow = error > (1.0 - _LEAST_GAIN) * best
            chain, best, used = trial, error, strength
            if slow and not falling:
                break
            falling = falling and not slow
            strength *= _WEAKER if falling else 1.0
        elif falling:
            falling, strength = False, strength / _WEAKER
        else:
            break
    polished = train if best == before else _finished(chain, train, log_scale)
    return Polished(train=polished, error_before=before, error_after=best, sweeps=done, ridge=used)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Chain:
    """Train of root mean square about 1, on the way through its sites.

    The first core is the centre; the others are orthonormal up to the root of their dimension, so
    that environments are of order one on uniform configurations. ``given`` are the cores of the
    train to stay close to. ``fars`` are the products of all cores beyond each site at the points,
    shape (points, outputs or 1, bond); ``overlaps`` are those of ``given`` with the cores.
    """

    cores: tuple[Array, ...]
    given: tuple[Array, ...]
    backward: bool = False
    fars: tuple[Array, ...] = ()
    overlaps: tuple[Array, ...] = ()

    def values(self, points: IntArray) -> Array:
        """Values at points, shape (points, outputs or 1)."""
        cores = _mirrored(self.cores) if self.backward else self.cores
        site = next((site for site, core in enumerate(cores) if core.ndim == 4), None)
        return TensorTrain(cores=cores, output_site=site)(points).reshape(len(points), -1)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fit:
    """Points, each once, with targets (points, outputs) and weights; rows of each site's states."""

    points: IntArray
    targets: Array
    weights: FloatArray
    groups: _Groups

    def error(self, chain: _Chain) -> float:
        """Relative weighted L2 error."""
        squares = np.abs(chain.values(self.points) - self.targets) ** 2
        return float(np.sqrt(self.weights @ squares.sum(axis=1) / self.size))

    @property
    def size(self) -> float:
        """Weighted sum of the squares of the targets."""
        return float(self.weights @ np.sum(np.abs(self.targets) ** 2, axis=1))


def _strong(train: TensorTrain, fit: _Fit) -> float:
    """Strength with which to begin: ten times the ratio of unknowns to equations."""
    return 10.0 * sum(core.size for core in train.cores) / fit.targets.size


def _check_settings(validation: float, sweeps: int, ridge: float | None) -> None:
    positive = ridge is None or ridge > 0.0
    if not (0.0 < validation <= 0.5 and sweeps >= 0 and positive):
        raise SettingsError(
            f"validation is {validation}, sweeps is {sweeps} and ridge is {ridge}; "
            "wanted a share up to 0.5, a number that is not negative and a positive one"
        )


def _checked_values(
    train: TensorTrain, points: IntArray, values: Array, weights: Array | None
) -> tuple[Array, FloatArray]:
    """Values of shape (shots, outputs or 1) and weights of shape (shots,)."""
    values, shots = np.asarray(values), len(points)
    wanted = (shots,) if train.outputs is None else (shots, train.outputs)
    if values.shape != wanted:
        raise ShapeError(f"values have shape {values.shape} at {shots} points; wanted {wanted}")
    masses = np.ones(shots) if weights is None else np.asarray(weights, dtype=np.float64)
    if masses.shape != (shots,) or not np.all(masses >= 0.0):
        raise ShapeError(
            f"weights have shape {masses.shape}; wanted {shots} numbers that are not negative"
        )
    values = values.reshape(shots, train.outputs or 1)
    if np.sum(np.any(values[masses > 0.0], axis=1)) < 2:
        raise SettingsError(
            "fewer than 2 points have a value and a weight that are not zero; give more points"
        )
    return values, masses / masses.max()


def _unit_chain(train: TensorTrain, *, complex_: bool) -> tuple[_Chain, float]:
    """Chain of root mean square 1 over all configurations, and the logarithm taken out of it."""
    kind = np.complex128 if complex_ else np.float64
    wide = TensorTrain(
        cores=tuple(core.astype(np.result_type(core, kind)) for core in train.cores),
        output_site=train.output_site,
        log_scale=train.log_scale,
    )
    form = right_canonical(wide)
    if not np.any(form.cores[0]):
        raise SettingsError("the train is zero; there is nothing to polish")
    cores = tuple(core * np.sqrt(core.shape[1]) for core in form.cores)
    log_scale = form.log_scale - 0.5 * float(np.sum(np.log(train.site_dims)))
    return _Chain(cores=cores, given=cores), log_scale


def _finished(chain: _Chain, train: TensorTrain, log_scale: float) -> TensorTrain:
    """Train with the outputs, the precision and about the gauge of the one given."""
    cores = _mirrored(chain.cores) if chain.backward else chain.cores
    site = train.output_site
    found = TensorTrain(cores=cores, output_site=site, log_scale=log_scale)
    found = canonical(found, 0 if site is None else site)
    kind = np.complex64 if np.iscomplexobj(found.cores[0]) else np.float32
    dtype = np.result_type(*train.cores, kind)
    return TensorTrain(
        cores=tuple(core.astype(dtype) for core in found.cores),
        output_site=site,
        log_scale=found.log_scale,
    )


def _split(
    points: IntArray,
    targets: Array,
    weights: FloatArray,
    validation: float,
    site_dims: Sequence[int],
    seed: int,
) -> tuple[_Fit, _Fit]:
    """Points to fit and points set aside, of which both have some that are not zero."""
    rng = stream(seed, "tensorizer", "polish")
    keys = rng.integers(2**64, size=(len(site_dims), max(site_dims)), dtype=np.uint64)
    order = rng.permutation(len(points))
    mattering = (weights > 0.0) & np.any(targets != 0.0, axis=1)
    order = order[np.argsort(~mattering[order], kind="stable")]
    count = min(max(1, round(validation * len(points))), len(points) - 1)
    # One point in so many, so that neither part lacks the points that matter.
    aside = np.unique(np.linspace(0, len(points) - 1, count, endpoint=False).astype(np.int64))
    kept = np.delete(order, aside)

    def part(rows: IntArray) -> _Fit:
        names = keys[np.arange(len(site_dims)), points[rows]].sum(axis=1, dtype=np.uint64)
        _, first, place = np.unique(names, return_index=True, return_inverse=True)
        chosen = points[rows[first]]
        return _Fit(
            points=chosen,
            targets=targets[rows[first]],
            weights=np.bincount(place.reshape(-1), weights[rows]).astype(np.float64),
            groups=tuple(
                tuple(np.flatnonzero(chosen[:, site] == state) for state in range(dim))
                for site, dim in enumerate(site_dims)
            ),
        )

    return part(kept), part(order[aside])


def _mirrored(cores: Sequence[Array]) -> tuple[Array, ...]:
    return tuple(core.swapaxes(0, 2) for core in reversed(cores))


def _with_environments(chain: _Chain, fit: _Fit) -> _Chain:
    """Chain with everything beyond each site, from its far end."""
    far: Array = np.ones((len(fit.points), 1, 1))
    overlap: Array = np.ones((1, 1))
    fars, overlaps = [far], [overlap]
    for site in range(len(chain.cores) - 1, 0, -1):
        core = chain.cores[site].swapaxes(0, 2)
        far = _carried(far, core, fit.groups[site])
        overlap = _overlap(overlap.T, core, chain.given[site].swapaxes(0, 2)).T
        fars.append(far)
        overlaps.append(overlap)
    return _Chain(
        cores=chain.cores,
        given=chain.given,
        backward=chain.backward,
        fars=tuple(reversed(fars)),
        overlaps=tuple(reversed(overlaps)),
    )


def _carried(near: Array, core: Array, rows: Sequence[IntArray]) -> Array:
    """Environment of shape (points, outputs or 1, bond) carried over one core."""
    outputs = core.shape[3] if core.ndim == 4 else near.shape[1]
    result = np.empty((len(near), outputs, core.shape[2]), dtype=np.result_type(near, core))
    for state, chosen in enumerate(rows):
        part = near[chosen]
        if core.ndim == 4:
            matrix = core[:, state].swapaxes(1, 2).reshape(len(core), -1)
            product = part[:, 0] @ matrix
        else:
            product = part.reshape(-1, len(core)) @ core[:, state]
        result[chosen] = product.reshape(len(chosen), outputs, -1)
    return result


def _overlap(overlap: Array, core: Array, given: Array) -> Array:
    """Overlap (bond, bond given) of both chains up to a site, carried over its cores."""
    half = np.tensordot(overlap, given, axes=(1, 0))
    axes = [0, 1, 3] if core.ndim == 4 else [0, 1]
    return np.asarray(np.tensordot(core.conj(), half, axes=(axes, axes)) / core.shape[1])


def _swept(chain: _Chain, fit: _Fit, strength: float) -> _Chain:
    """Chain after one pass of local solves, ready for the way back."""
    cores = list(chain.cores)
    near: Array = np.ones((len(fit.points), 1, 1))
    overlap: Array = np.ones((1, 1))
    nears, overlaps = [near], [overlap]
    groups = fit.groups[::-1] if chain.backward else fit.groups
    size = fit.size
    for site, core in enumerate(cores):
        pull = np.tensordot(overlap, chain.given[site], axes=(1, 0))
        pull = np.moveaxis(np.tensordot(pull, chain.overlaps[site], axes=(2, 0)), -1, 2)
        fresh = core.copy()
        for state, rows in enumerate(groups[site]):
            local = LocalProblem(
                near=near[rows],
                far=chain.fars[site][rows],
                targets=fit.targets[rows],
                weights=fit.weights[rows] / size,
            )
            fresh[:, state] = solved(
                local, core[:, state], pull[:, state], strength / core.shape[1]
            )
        cores[site] = fresh
        if site + 1 < len(cores):
            cores[site], cores[site + 1] = _handed_over(fresh, cores[site + 1])
            near = _carried(near, cores[site], groups[site])
            overlap = _overlap(overlap, cores[site], chain.given[site])
            nears.append(near)
            overlaps.append(overlap)
    return _Chain(
        cores=_mirrored(cores),
        given=_mirrored(chain.given),
        backward=not chain.backward,
        fars=tuple(reversed(nears)),
        overlaps=tuple(overlap.T for overlap in reversed(overlaps)),
    )


def _handed_over(core: Array, after: Array) -> tuple[Array, Array]:
    """Core made orthonormal up to the root of its dimension, the rest moved to the next core."""
    turned = np.moveaxis(core, 2, -1)
    basis, rest = np.linalg.qr(turned.reshape(-1, turned.shape[-1]))
    scale = np.sqrt(core.shape[1])
    basis = np.moveaxis(basis.reshape(*turned.shape[:-1], -1), -1, 2)
    return basis * scale, np.tensordot(rest / scale, after, axes=(1, 0))
