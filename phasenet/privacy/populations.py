"""The three problems: synthetic groups, handwritten digits, snapshots of disordered spin chains."""

import functools

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import eigsh
from sklearn.datasets import load_digits

from phasenet.errors import SettingsError
from phasenet.phases.spins import magnetic_numbers, spin_matrix
from phasenet.privacy.problems import Cases, Problem
from phasenet.seeds import stream
from phasenet.trains.train import Array, FloatArray, IntArray

_PUBLIC, _TEST = 400, 1000

# Synthetic groups: sizes of the shifts in units of the features' range.
_FEATURES = 500
_SPARSITY, _BASE, _NOISE = 0.2, 0.35, 0.15
_SHARED, _OWN, _SHIFT = 0.03, 0.03, 0.04
_GROUPS_SIZE = 400

_DIGITS_SIZE, _DIGITS_PUBLIC, _DIGITS_TEST = 240, 400, 500
_INK = 16.0

# Chains: values of D on either side of the transition at D = 0.97 (Chen, Hida, Sanctuary 2003).
_HALDANE, _LARGE_D = (0.0, 0.3), (1.7, 2.0)
_DISORDER = 0.5
_CHAIN_SIZE = 400


def groups_problem(*, subsets: int, seed: int) -> Problem:
    r"""Two groups whose labels show in other directions of 500 features, and whose means differ.

    .. math:: x = \mathrm{clip}\,[0.35 + y a (u_0 s_0 + u_g s_1) \pm s_2 w + \sigma z], \quad
        y = \pm 1,\ a \sim N(1, 1/4)

    with sparse Gaussian directions u_0 (both groups), u_g (one group) and w (shift of the groups).

    >>> problem = groups_problem(subsets=2, seed=0)
    >>> len(problem.pools), problem.sites
    (2, 500)
    """
    axes = stream(seed, "privacy", "groups", "axes")
    directions = axes.normal(size=(4, _FEATURES)) * (axes.random((4, _FEATURES)) < _SPARSITY)

    def draw(count: int, *names: str) -> Cases:
        rng = stream(seed, "privacy", "groups", *names)
        labels, groups = rng.integers(2, size=count), rng.integers(2, size=count)
        sign = (2.0 * labels - 1.0)[:, None] * rng.normal(1.0, 0.5, size=(count, 1))
        own = directions[1 + groups]
        features = _BASE + _NOISE * rng.normal(size=(count, _FEATURES))
        features += sign * (_SHARED * directions[0] + _OWN * own)
        features += _SHIFT * (2.0 * groups - 1.0)[:, None] * directions[3]
        inputs = np.clip(features, 0.0, 1.0).astype(np.float32)
        return Cases(inputs=inputs[:, :, None], labels=labels, groups=groups)

    # Large enough that either group can be all but one case of a training set.
    pool = 2 * _GROUPS_SIZE + 8 * round(_GROUPS_SIZE**0.5)
    return Problem(
        name="groups",
        title="Synthetic groups: 500 features, 500-50-2 networks",
        task="one of two labels",
        secret="which of two groups, with other directions of the label and a shifted mean",
        pools=tuple(draw(pool, "private", str(k)) for k in range(subsets)),
        public=draw(_PUBLIC, "public"),
        test=draw(_TEST, "test"),
        size=_GROUPS_SIZE,
    )


def digits_problem(*, subsets: int, seed: int) -> Problem:
    """Handwritten digits of scikit-learn: parity is asked, thickness of the strokes is the secret.

    The group of a digit says whether it has more ink than the median of its class. There are 1797
    images, so that the private pools overlap; public and test images are of no pool.

    >>> problem = digits_problem(subsets=2, seed=0)
    >>> problem.sites, bool(abs(problem.test.groups.mean() - 0.5) < 0.1)
    (64, True)
    """
    images, digits = load_digits(return_X_y=True)
    ink = images.sum(axis=1)
    medians = np.array([np.median(ink[digits == digit]) for digit in range(10)])
    cases = Cases(
        inputs=(images / _INK).astype(np.float32)[:, :, None],
        labels=(digits % 2).astype(np.int64),
        groups=(ink > medians[digits]).astype(np.int64),
    )
    order = stream(seed, "privacy", "digits", "split").permutation(len(digits))
    public, test = order[:_DIGITS_PUBLIC], order[_DIGITS_PUBLIC : _DIGITS_PUBLIC + _DIGITS_TEST]
    private = order[_DIGITS_PUBLIC + _DIGITS_TEST :]
    pools = []
    for subset in range(subsets):
        rng = stream(seed, "privacy", "digits", "pool", str(subset))
        halves = [private[cases.groups[private] == group] for group in (0, 1)]
        rows = [rng.choice(half, _DIGITS_SIZE, replace=False) for half in halves]
        pools.append(cases.take(np.concatenate(rows)))
    return Problem(
        name="digits",
        title="Handwritten digits: 8x8 pixels, 64-50-2 networks",
        task="even or odd",
        secret="thick or thin strokes (ink above or below the median of the digit)",
        pools=tuple(pools),
        public=cases.take(public),
        test=cases.take(test),
        size=_DIGITS_SIZE,
        rate=3e-3,
    )


def chain_problem(*, subsets: int, seed: int, length: int = 12) -> Problem:
    """Snapshots of spin-1 chains: the phase is asked, the disorder of the bonds is the secret.

    Haldane against large D; all bonds of a chain are those of one of two random realisations, J
    between 0.5 and 1.5. Ground states are exact, in the sector of no magnetisation.

    Parameters
    ----------
    subsets, seed
        Number of private pools; of the bonds and of all shots.
    length
        Number of sites; of twelve, the states take seconds.

    >>> problem = chain_problem(subsets=1, seed=0, length=6)
    >>> problem.test.inputs.shape[1:]
    (6, 3)
    """
    bonds = 1.0 + _DISORDER * stream(seed, "privacy", "bonds").uniform(-1, 1, (2, length - 1))
    words = neutral_words(length, 3)
    operators = _chain_operators(length)
    weights = {
        (group, label, d): _weights(operators, bonds[group], d)
        for group in (0, 1)
        for label, ds in enumerate((_HALDANE, _LARGE_D))
        for d in ds
    }

    def draw(count: int, *names: str) -> Cases:
        rng = stream(seed, "privacy", "chains", *names)
        labels, groups = rng.integers(2, size=count), rng.integers(2, size=count)
        which = rng.integers(2, size=count)
        rows = np.zeros(count, dtype=np.int64)
        for (group, label, d), weight in weights.items():
            here = (labels == label) & (groups == group)
            here &= which == (_HALDANE, _LARGE_D)[label].index(d)
            rows[here] = rng.choice(len(weight), int(here.sum()), p=weight)
        return Cases(inputs=np.eye(3, dtype=np.float32)[words[rows]], labels=labels, groups=groups)

    pool = 2 * _CHAIN_SIZE + 8 * round(_CHAIN_SIZE**0.5)
    return Problem(
        name="physics",
        title=f"Snapshots of spin-1 chains: {length} sites, {3 * length}-50-2 networks",
        task="Haldane phase (D = 0, 0.3) or large D (D = 1.7, 2)",
        secret="which of two realisations of random bonds, J between 0.5 and 1.5",
        pools=tuple(draw(pool, "private", str(k)) for k in range(subsets)),
        public=draw(_PUBLIC, "public"),
        test=draw(_TEST, "test"),
        size=_CHAIN_SIZE,
        rate=3e-3,
    )


PROBLEMS = {"groups": groups_problem, "digits": digits_problem, "physics": chain_problem}
"""By the names that the command line takes."""


def problem_named(name: str, *, subsets: int, seed: int) -> Problem:
    """One of the problems.

    >>> problem_named("digits", subsets=1, seed=0).name
    'digits'
    """
    if name not in PROBLEMS:
        raise SettingsError(f"there is no problem {name!r}; wanted one of {', '.join(PROBLEMS)}")
    return PROBLEMS[name](subsets=subsets, seed=seed)


def neutral_words(length: int, site_dim: int) -> IntArray:
    """All configurations of no magnetisation, shape (words, sites), in the order of their numbers.

    >>> neutral_words(2, 3).tolist()
    [[0, 2], [1, 1], [2, 0]]
    """
    numbers = np.arange(site_dim**length)
    digits = np.stack(
        [numbers // site_dim ** (length - 1 - site) % site_dim for site in range(length)], axis=1
    )
    neutral = np.isclose(magnetic_numbers(site_dim)[digits].sum(axis=1), 0.0)
    return np.asarray(digits[neutral])


def random_bond_state(bonds: FloatArray, anisotropy: float) -> FloatArray:
    r"""Ground state of a spin-1 chain in the sector of no magnetisation, normalised.

    .. math:: H = \sum_i J_i \mathbf{S}_i \cdot \mathbf{S}_{i+1} + D \sum_i (S^z_i)^2

    Parameters
    ----------
    bonds
        J of each bond of the open chain.
    anisotropy
        D.

    Returns
    -------
    Amplitudes of :func:`neutral_words`.

    >>> state = random_bond_state(np.ones(1), 0.0)
    >>> print((state**2).round(6).tolist())
    [0.333333, 0.333333, 0.333333]
    """
    return _ground_state(_chain_operators(len(bonds) + 1), bonds, anisotropy)


Operators = tuple[tuple[Array, ...], Array]


@functools.cache
def _chain_operators(length: int) -> Operators:
    """Exchange of each bond (sparse) and the anisotropy (diagonal) among neutral words."""
    words = neutral_words(length, 3)
    place = 3 ** np.arange(length - 1, -1, -1)
    numbers = words @ place
    spins = magnetic_numbers(3)[words]
    x = spin_matrix("x", 3)
    # (S+S- + S-S+)/2 = SxSx + SySy; spin 1 has all its ladder elements equal.
    ladder = 4.0 * x[0, 1] ** 2 / 2.0
    exchanges = []
    for site in range(length - 1):
        matrix = scipy.sparse.diags(spins[:, site] * spins[:, site + 1]).tocsr()
        for up in (-1, 1):
            moved = words[:, [site, site + 1]] + np.array([up, -up])
            allowed = np.flatnonzero(((moved >= 0) & (moved < 3)).all(axis=1))
            targets = numbers[allowed] + up * (place[site] - place[site + 1])
            rows = np.searchsorted(numbers, targets)
            values = np.full(len(rows), ladder)
            matrix = matrix + scipy.sparse.csr_matrix((values, (rows, allowed)), shape=matrix.shape)
        exchanges.append(matrix)
    return tuple(exchanges), (spins**2).sum(axis=1)


def _ground_state(operators: Operators, bonds: FloatArray, anisotropy: float) -> FloatArray:
    exchanges, squares = operators
    matrix = scipy.sparse.diags(anisotropy * squares).tocsr()
    for coupling, exchange in zip(bonds, exchanges, strict=True):
        matrix = matrix + coupling * exchange
    start = np.ones(matrix.shape[0])
    if len(start) < 20:
        return np.asarray(np.linalg.eigh(matrix.toarray())[1][:, 0])
    _, vectors = eigsh(matrix, k=1, which="SA", v0=start, tol=1e-8)
    return np.asarray(vectors[:, 0])


def _weights(operators: Operators, bonds: FloatArray, anisotropy: float) -> FloatArray:
    weights = _ground_state(operators, bonds, anisotropy) ** 2
    return np.asarray(weights / weights.sum())
