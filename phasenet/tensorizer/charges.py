"""Conserved charges of a function: sums over sites outside whose sector it vanishes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError

_IntArray = NDArray[np.int64]

_MOST_CHARGES = 3
_LARGEST_WEIGHT = 64
# Fewer distinct samples than this for each unknown weight would show charges by chance.
_SAMPLES_PER_WEIGHT = 2
_MORE_SAMPLES = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class Charges:
    r"""Integers :math:`q_a(x) = \sum_i w_a(i, x_i)` with :math:`q_a = Q_a` wherever f is not zero.

    Parameters
    ----------
    weights
        For each site, the weight of each state in each charge, shape (states, charges).
    totals
        Value of each charge, shape (charges,).
    moduli
        Modulus of each charge, 0 for an integer charge, 2 for a parity, shape (charges,).
    """

    weights: tuple[_IntArray, ...]
    totals: _IntArray
    moduli: _IntArray

    @classmethod
    def none(cls, site_dims: Sequence[int]) -> "Charges":
        """Return no charges at all."""
        weights = tuple(np.zeros((dim, 0), dtype=np.int64) for dim in site_dims)
        nothing = np.zeros(0, dtype=np.int64)
        return cls(weights=weights, totals=nothing, moduli=nothing)

    @property
    def count(self) -> int:
        """Number of charges."""
        return len(self.totals)

    def of(self, configurations: _IntArray) -> _IntArray:
        """Return the charges of whole configurations, shape (shots, charges)."""
        total = np.zeros((len(configurations), self.count), dtype=np.int64)
        for site, weights in enumerate(self.weights):
            total += weights[configurations[:, site]]
        return total

    def allowed(self, sums: _IntArray) -> NDArray[np.bool_]:
        """Return which sums, shape (..., charges), lie in the sector."""
        off = sums - self.totals
        if self.moduli.any():
            off = np.where(self.moduli > 0, off % np.maximum(self.moduli, 1), off)
        return np.asarray(~off.any(axis=-1))

    def __str__(self) -> str:
        names = [
            f"sum of {'integers' if modulus == 0 else f'integers modulo {modulus}'} = {total}"
            for total, modulus in zip(self.totals, self.moduli, strict=True)
        ]
        return ", ".join(names) or "none"


def magnetisation(site_dims: Sequence[int], total: int, *, modulus: int = 0) -> Charges:
    r"""Conserved sum of the local states, in steps of one: :math:`S^z` up to an offset.

    For a parity, give ``modulus=2``.

    >>> charges = magnetisation((3, 3, 3), 3)
    >>> print(charges.allowed(charges.of(np.array([[0, 1, 2], [0, 0, 0]]))).tolist())
    [True, False]
    """
    if modulus < 0:
        raise SettingsError(f"modulus is {modulus}; wanted 0 for an integer charge, 2 for a parity")
    return Charges(
        weights=tuple(np.arange(dim, dtype=np.int64)[:, None] for dim in site_dims),
        totals=np.array([total], dtype=np.int64),
        moduli=np.array([modulus], dtype=np.int64),
    )


def discovered(samples: _IntArray, site_dims: Sequence[int]) -> Charges:
    """Charges that all samples share: integer ones, or else parities; none if samples are too few.

    A sum over sites that never varies is a null vector of the centred one-hot matrix of the
    samples, over the rationals for integer charges and modulo 2 for parities. That the samples
    share a charge does not make the function vanish elsewhere: that is for the caller to test.

    >>> rng = np.random.default_rng(0)
    >>> samples = np.argsort(rng.random((300, 6)), axis=1) % 2
    >>> found = discovered(samples, (2,) * 6)
    >>> print(found.totals.tolist(), [int(w[1, 0] - w[0, 0]) for w in found.weights])
    [3] [-1, -1, -1, -1, -1, -1]
    """
    nothing = Charges.none(site_dims)
    columns = sum(site_dims) - len(site_dims)
    some = samples[: _SAMPLES_PER_WEIGHT * columns + _MORE_SAMPLES]
    mixed = some @ np.random.default_rng(0).normal(size=len(site_dims))
    if columns == 0 or len(np.unique(mixed)) < _SAMPLES_PER_WEIGHT * columns:
        return nothing
    # The last state of each site has weight zero: a constant of the site can always be moved away.
    hot = np.concatenate(
        [some[:, site, None] == np.arange(dim - 1) for site, dim in enumerate(site_dims)], axis=1
    )
    vectors, modulus = _integer_null_vectors(hot), 0
    if len(vectors) == 0:
        vectors, modulus = _parity_null_vectors(hot), 2
    if not 0 < len(vectors) <= _MOST_CHARGES:
        return nothing
    found = _charges(vectors, samples, site_dims, modulus)
    return found if found.allowed(found.of(samples)).all() else nothing


def _charges(
    vectors: _IntArray, samples: _IntArray, site_dims: Sequence[int], modulus: int
) -> Charges:
    weights, start = [], 0
    for dim in site_dims:
        own = np.zeros((dim, len(vectors)), dtype=np.int64)
        own[: dim - 1] = vectors[:, start : start + dim - 1].T
        weights.append(own)
        start += dim - 1
    moduli = np.full(len(vectors), modulus, dtype=np.int64)
    blank = Charges(weights=tuple(weights), totals=np.zeros_like(moduli), moduli=moduli)
    totals = blank.of(samples[:1])[0]
    totals = totals % modulus if modulus else totals
    return Charges(weights=blank.weights, totals=totals, moduli=moduli)


def _integer_null_vectors(hot: NDArray[np.bool_]) -> _IntArray:
    """Small integer vectors along which no sample varies, shape (vectors, columns)."""
    centred = hot - hot.mean(axis=0)
    sizes, vectors = np.linalg.eigh(centred.T @ centred)
    null = vectors[:, sizes < 1e-9 * max(float(sizes[-1]), 1.0)].T
    if not 0 < len(null) <= _MOST_CHARGES:
        return np.zeros((len(null), hot.shape[1]), dtype=np.int64)
    rational = _reduced(null)
    for denominator in range(1, 7):
        whole = np.rint(denominator * rational)
        if np.abs(denominator * rational - whole).max() < 1e-6 and whole.max() <= _LARGEST_WEIGHT:
            return whole.astype(np.int64)
    return np.zeros((0, hot.shape[1]), dtype=np.int64)


def _reduced(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reduced row echelon form, with the largest entry of a column as its pivot."""
    rows = rows.copy()
    for k in range(len(rows)):
        row, column = divmod(int(np.abs(rows[k:]).argmax()), rows.shape[1])
        rows[[k, k + row]] = rows[[k + row, k]]
        rows[k] /= rows[k, column]
        others = np.arange(len(rows)) != k
        rows[others] -= np.outer(rows[others, column], rows[k])
    return rows


def _parity_null_vectors(hot: NDArray[np.bool_]) -> _IntArray:
    """Vectors modulo 2 along which no sample varies, by Gaussian elimination on the samples."""
    rows = (hot ^ hot[0])[1:]
    pivots: list[int] = []
    for column in range(rows.shape[1]):
        rank = len(pivots)
        candidates = np.flatnonzero(rows[rank:, column])
        if len(candidates) == 0:
            continue
        row = rank + int(candidates[0])
        rows[[rank, row]] = rows[[row, rank]]
        hit = rows[:, column].copy()
        hit[rank] = False
        rows[hit] ^= rows[rank]
        pivots.append(column)
    free = np.setdiff1d(np.arange(rows.shape[1]), pivots)
    vectors = np.zeros((len(free), rows.shape[1]), dtype=np.int64)
    vectors[np.arange(len(free)), free] = 1
    vectors[:, pivots] = rows[: len(pivots)][:, free].T
    return vectors
