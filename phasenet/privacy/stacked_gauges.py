"""Gauges of stacked trains: removed by the canonical form, drawn at random, and what survives."""

import numpy as np

from phasenet.privacy.problems import Cases
from phasenet.privacy.stacked_trains import StackedTrains
from phasenet.seeds import stream
from phasenet.trains.train import Array, FloatArray

_SEEN_TOL = 1e-4


def canonical_trains(trains: StackedTrains) -> StackedTrains:
    """The representative of each function: right-canonical, Schmidt states, fixed signs.

    As :func:`phasenet.trains.gauge.unique_gauge` of each train, but bonds keep their dimension, and
    the first core keeps the norm.

    >>> rng = np.random.default_rng(0)
    >>> trains = StackedTrains(cores=(np.ones((2, 1, 2, 1)),) * 3)
    >>> turned = canonical_trains(turned_trains(trains, condition=9.0, rng=rng))
    >>> all(map(np.allclose, turned.cores, canonical_trains(trains).cores))
    True
    """
    cores = [core.astype(np.float64) for core in trains.cores]
    for site in range(len(cores) - 1):
        models, left, dim, _ = cores[site].shape
        basis, rest = np.linalg.qr(cores[site].reshape(models, left * dim, -1))
        cores[site] = basis.reshape(models, left, dim, -1)
        cores[site + 1] = _times_left(rest, cores[site + 1])
    for site in range(len(cores) - 1, 0, -1):
        models, left, dim, right = cores[site].shape
        u, s, vh = np.linalg.svd(cores[site].reshape(models, left, -1), full_matrices=False)
        # The fixed weights of unique_gauge: their sums are never zero by a symmetry.
        columns = vh.shape[2]
        weights = stream(0, "trains", "gauge", str(columns)).normal(size=columns)
        signs = np.where(vh @ weights < 0.0, -1.0, 1.0)
        cores[site] = (vh * signs[..., None]).reshape(models, -1, dim, right)
        cores[site - 1] = _times_right(cores[site - 1], u * (s * signs)[:, None, :])
    return StackedTrains(cores=tuple(cores))


def turned_trains(
    trains: StackedTrains, *, condition: float, rng: np.random.Generator
) -> StackedTrains:
    """The same functions with random matrices and their inverses on every bond.

    Parameters
    ----------
    trains
        Any trains.
    condition
        Condition number of each matrix; 1 for orthogonal matrices.
    rng
        Draws the matrices, one for each bond of each train.

    >>> rng = np.random.default_rng(0)
    >>> trains = StackedTrains(cores=(np.ones((2, 1, 2, 1)),) * 3)
    >>> turned = turned_trains(trains, condition=9.0, rng=rng)
    >>> print(turned.margins(np.ones((1, 3, 1))).round(6).tolist())
    [[8.0], [8.0]]
    """
    cores = [core.astype(np.float64) for core in trains.cores]
    for site in range(len(cores) - 1):
        models, bond = len(cores[site]), cores[site].shape[3]
        u, v = (_rotations(rng, models, bond) for _ in range(2))
        values = condition ** -np.linspace(0.0, 1.0, bond)
        cores[site] = _times_right(cores[site], (u * values) @ v)
        inverse = (v.swapaxes(1, 2) / values) @ u.swapaxes(1, 2)
        cores[site + 1] = _times_left(inverse, cores[site + 1])
    return StackedTrains(cores=tuple(cores))


def data_gauge(trains: StackedTrains, sets: tuple[Cases, ...]) -> StackedTrains:
    r"""The same functions in the gauge that data leaves: prefixes of the cases are white.

    On each bond the rows of the prefixes of some cases get the second moment
    :math:`\frac1N\sum_n l_n^T l_n = 1`. Training leaves a trace of the same kind.

    Parameters
    ----------
    trains
        Any trains.
    sets
        As many cases as there are trains, of the same number each.

    >>> rng = np.random.default_rng(0)
    >>> trains = StackedTrains(cores=(rng.normal(size=(1, 1, 2, 1)),) * 3)
    >>> cases = Cases(inputs=rng.random((9, 3, 1)), labels=np.ones(9), groups=np.ones(9))
    >>> whitened = data_gauge(trains, (cases,))
    >>> np.allclose(whitened.margins(cases.inputs), trains.margins(cases.inputs))
    True
    """
    vectors = np.stack([cases.vectors.astype(np.float64) for cases in sets])
    cores = [core.astype(np.float64) for core in trains.cores]
    rows = np.ones((len(trains), vectors.shape[1], 1))
    for site in range(len(cores) - 1):
        grown = np.einsum(
            "knl,klds,knd->kns", rows, cores[site], vectors[:, :, site], optimize=True
        )
        weights, turn = np.linalg.eigh(grown.swapaxes(1, 2) @ grown / grown.shape[1])
        # Directions that the cases hardly see would be blown up without end.
        roots = np.sqrt(np.maximum(weights, _SEEN_TOL * weights[:, -1:]))
        # Symmetric roots, which do not depend on the order and the signs of the eigenvectors.
        whiten = (turn / roots[:, None, :]) @ turn.swapaxes(1, 2)
        colour = (turn * roots[:, None, :]) @ turn.swapaxes(1, 2)
        rows = grown @ whiten
        cores[site] = _times_right(cores[site], whiten)
        cores[site + 1] = _times_left(colour, cores[site + 1])
    return StackedTrains(cores=tuple(cores))


def slice_invariants(trains: StackedTrains) -> FloatArray:
    """What rotations of the bonds cannot change, one row for each train.

    Singular values of every slice of every core, and the norms of the cores.

    >>> trains = StackedTrains(cores=(np.ones((2, 1, 2, 1)),) * 3)
    >>> slice_invariants(trains).shape
    (2, 9)
    """
    found = []
    for core in trains.cores:
        slices = core.astype(np.float64).swapaxes(1, 2)
        found.append(np.linalg.svd(slices, compute_uv=False).reshape(len(core), -1))
        found.append(np.linalg.norm(core.reshape(len(core), -1), axis=1)[:, None])
    return np.concatenate(found, axis=1)


def _rotations(rng: np.random.Generator, models: int, bond: int) -> FloatArray:
    """Orthogonal matrices of the Haar distribution."""
    basis, rest = np.linalg.qr(rng.normal(size=(models, bond, bond)))
    return np.asarray(basis * np.sign(np.diagonal(rest, axis1=1, axis2=2))[:, None, :])


def _times_left(matrices: Array, core: Array) -> Array:
    product = matrices @ core.reshape(*core.shape[:2], -1)
    return np.asarray(product.reshape(len(core), -1, *core.shape[2:]))


def _times_right(core: Array, matrices: Array) -> Array:
    product = core.reshape(len(core), -1, core.shape[3]) @ matrices
    return np.asarray(product.reshape(*core.shape[:3], -1))
