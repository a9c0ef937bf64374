r"""Bonds of a train as latent spaces: what they hold, in a measure, and what each value is worth.

Across a bond a function of the whole chain is a sum of products,
:math:`f(l, r) = m + \sum_k s_k u_k(l) v_k(r)`. In the uniform measure the :math:`u_k` and
:math:`v_k` are orthonormal over all configurations; in the data's they are so over the shots, each
side of the chain by itself (a product of both marginals: only there is a Schmidt form defined).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.arithmetic import multiple, subtract
from phasenet.trains.canonical import diagonal_form, right_canonical
from phasenet.trains.evaluation import step
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain, check_configurations

# Below it, relative to the largest, a value is rounding noise and its feature an arbitrary one.
_NOISE_TOL = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class BondView:
    """A function across one bond, in the measure of some shots.

    Parameters
    ----------
    mean
        Mean of the function, both sides of the chain drawn by themselves.
    values
        Schmidt values of the function less its mean, in its own units, largest first.
    left, right
        Features of both sides for each shot, shape (shots, values); of second moment 1, and
        uncorrelated, on the shots.
    """

    mean: float
    values: FloatArray
    left: FloatArray
    right: FloatArray

    @property
    def parts(self) -> FloatArray:
        """What each value adds to the function at each shot, shape (shots, values)."""
        return np.asarray(self.left * self.values * self.right)


def gap_train(train: TensorTrain, pair: tuple[int, int]) -> TensorTrain:
    """Output of the first class less that of the second, a scalar train.

    >>> train = TensorTrain(cores=(np.full((1, 2, 1, 2), [3.0, 1.0]),), output_site=0)
    >>> gap_train(train, (0, 1))(np.array([[0]])).tolist()
    [2.0]
    """
    if train.output_site is None:
        raise ShapeError("the train has no outputs; wanted one for each class")
    cores = list(train.cores)
    core = cores[train.output_site]
    cores[train.output_site] = core[..., pair[0]] - core[..., pair[1]]
    return TensorTrain(cores=tuple(cores), log_scale=train.log_scale)


def uniform_spectra(train: TensorTrain) -> tuple[FloatArray, ...]:
    """Schmidt values on each inner bond over all configurations alike, of norm 1, largest first.

    They are those of the function less its mean, which no decision depends on.

    Raises
    ------
    SettingsError
        The function is constant.

    >>> parity = TensorTrain(cores=(np.array([[[1.0], [-1.0]]]),) * 3)
    >>> [values.tolist() for values in uniform_spectra(parity)]
    [[1.0], [1.0]]
    """
    cores, scale = _evened(train)
    mean: Array = np.full(1, scale)
    for core in cores:
        mean = mean @ core.mean(axis=1)
    whole = right_canonical(train)
    constant = TensorTrain(cores=tuple(np.ones((1, dim, 1)) for dim in train.site_dims))
    centred = subtract(train, multiple(constant, float(mean[0])))
    short = right_canonical(centred)
    if not np.any(short.cores[0]) or short.log_scale < whole.log_scale + np.log(_NOISE_TOL):
        raise SettingsError("the function is constant; wanted one that depends on the spins")
    return diagonal_form(centred)[1][1:]


def bond_views(train: TensorTrain, spins: IntArray, weights: FloatArray) -> Iterator[BondView]:
    """Views of a scalar train across its inner bonds, from the first on.

    Parameters
    ----------
    train
        Scalar and real.
    spins
        Shots, shape (shots, sites).
    weights
        Of the shots, positive, of sum 1.

    >>> parity = TensorTrain(cores=(np.array([[[1.0], [-1.0]]]),) * 3)
    >>> spins = np.indices((2, 2, 2)).reshape(3, -1).T
    >>> [view.values.round(6).tolist() for view in bond_views(parity, spins, np.full(8, 1 / 8))]
    [[1.0], [1.0]]
    """
    if train.output_site is not None:
        raise ShapeError(f"the train has {train.outputs} outputs; wanted a scalar one")
    spins = check_configurations(spins, train.site_dims)
    cores, scale = _evened(train)
    for left, right in _sides(cores, spins):
        yield _view(scale * left, right, weights)


def narrowed(
    train: TensorTrain, spins: IntArray, weights: FloatArray, ranks: Sequence[int]
) -> tuple[TensorTrain, ...]:
    """Trains with at most so many values on every bond, those that matter most for some shots.

    Every bond is projected on its leading features in the measure of the shots, all bonds at once.
    The mean of the function is not taken out first.

    Parameters
    ----------
    train, spins, weights
        As :func:`bond_views` takes them.
    ranks
        One for each train.

    >>> twice = TensorTrain(cores=(np.ones((1, 2, 2)), np.ones((2, 2, 1))))
    >>> short, = narrowed(twice, np.array([[0, 0], [1, 1]]), np.array([0.5, 0.5]), [1])
    >>> print(short.bond_dims, f"{short(np.array([[0, 1]]))[0]:.6f}")
    (1,) 2.000000
    """
    cores, scale = _evened(train)
    root = np.sqrt(weights)[:, None]
    turned = []
    for left, right in _sides(cores, spins):
        r_left, r_right = (np.linalg.qr(side * root)[1] for side in (left, right))
        u = np.linalg.svd(r_left @ r_right.T)[0]
        turned.append((np.linalg.pinv(r_left, rcond=_NOISE_TOL) @ u, u.T @ r_left))
    found = []
    for rank in ranks:
        short = list(cores)
        for bond, (before, after) in enumerate(turned):
            short[bond] = np.tensordot(short[bond], before[:, :rank], axes=1)
            short[bond + 1] = np.tensordot(after[:rank], short[bond + 1], axes=1)
        found.append(TensorTrain(cores=tuple(short), log_scale=float(np.log(scale))))
    return tuple(found)


def kept_values(view: BondView, agreement: float, weights: FloatArray) -> int:
    """Fewest leading values that keep the sign of the function for a share of the shots.

    >>> view = BondView(mean=0.0, values=np.array([2.0, 1.0]), left=np.ones((2, 2)),
    ...                 right=np.ones((2, 2)))
    >>> kept_values(view, 0.99, np.array([0.5, 0.5]))
    1
    """
    sums = view.mean + np.cumsum(view.parts, axis=1)
    same = weights @ ((sums > 0) == (sums[:, -1:] > 0))
    return int(np.argmax(same >= agreement)) + 1


def _evened(train: TensorTrain) -> tuple[list[Array], float]:
    """Cores of which a product over any stretch is of order one, and the factor before them all."""
    form = right_canonical(train)
    roots = np.sqrt(train.site_dims)
    cores = [core * root for core, root in zip(form.cores, roots, strict=True)]
    return cores, float(np.exp(form.log_scale - np.log(roots).sum()))


def _sides(cores: Sequence[Array], spins: IntArray) -> Iterator[tuple[Array, Array]]:
    """Vectors of the sites left and right of each inner bond, each of shape (shots, bond)."""
    rights: list[Array] = [np.ones((len(spins), 1))]
    for site in range(len(cores) - 1, 0, -1):
        rights.append(step(rights[-1], cores[site].swapaxes(0, 2), spins[:, site]))
    left: Array = np.ones((len(spins), 1))
    for site in range(len(cores) - 1):
        left = step(left, cores[site], spins[:, site])
        yield left, rights.pop()


def _view(left: Array, right: Array, weights: FloatArray) -> BondView:
    mean = float((weights @ left) @ (weights @ right))
    root = np.sqrt(weights)[:, None]
    sides = (
        np.column_stack((left, np.full(len(left), -mean))),
        np.column_stack((right, np.ones(len(right)))),
    )
    (q_left, r_left), (q_right, r_right) = (np.linalg.qr(side * root) for side in sides)
    u, values, vh = np.linalg.svd(r_left @ r_right.T)
    kept = values > _NOISE_TOL * max(values[0], abs(mean), np.finfo(np.float64).tiny)
    kept[0] = True
    count = int(kept.sum())
    return BondView(
        mean=mean,
        values=values[:count],
        left=q_left @ u[:, :count] / root,
        right=q_right @ vh[:count].T / root,
    )
