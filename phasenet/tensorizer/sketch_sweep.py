"""One sweep of sketching with its own prefixes, its suffixes checked at each cut."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from phasenet.tensorizer.embeddings import Site
from phasenet.tensorizer.sketch_blocks import Blocks, Mask, filled
from phasenet.tensorizer.sketch_pool import (
    ColumnQueue,
    KeyArray,
    Pool,
    Side,
    distinct,
    known_entries,
)
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain

# Columns per bond state, and beyond: a cut is only trusted if it had more columns than its rank.
_COLUMN_RATIO = 2
_SPARE = 3
_CHECK_ROUNDS = 12
_CHECK_FACTOR = 10.0
_ROUNDING = 1e-13
_GUESTS = 512
# Root mean squares of the samples above which a row or a column counts less.
_CLIP = 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class ColumnSpace:
    """Left singular vectors of a block that stand out of its tolerance and its noise.

    Parameters
    ----------
    vectors
        Orthonormal columns, shape (prefixes and basis functions, rank).
    singular_values
        All of them, relative to the root of the sum of their squares.
    wanted
        Rank before the cap.
    """

    vectors: Array
    singular_values: FloatArray
    wanted: int

    @property
    def rank(self) -> int:
        """Rank after the cap."""
        return int(self.vectors.shape[1])

    @property
    def tail(self) -> float:
        """Relative norm of what was cut off."""
        return float(np.linalg.norm(self.singular_values[self.rank :]))


def basis_of(matrix: Array, *, tol: float, max_rank: int, precision: float) -> ColumnSpace:
    """Return the column space of a matrix, cut at a tolerance relative to its own norm.

    >>> noise = 1e-9 * np.random.default_rng(0).normal(size=(8, 8))
    >>> matrix = 1e-60 * (np.ones((8, 8)) + noise)
    >>> print(basis_of(matrix, tol=1e-6, max_rank=8, precision=1e-16).rank)
    1
    """
    size = float(np.abs(matrix).max())
    vectors, values, _ = np.linalg.svd(matrix / (size or 1.0), full_matrices=False)
    values = values / (float(np.linalg.norm(values)) or 1.0)
    tails = np.sqrt(np.cumsum(values[::-1] ** 2)[::-1])
    rounding = 2.0 * precision * math.sqrt(max(matrix.shape))
    wanted = max(1, min(int(np.sum(tails > tol)), int(np.sum(values > rounding))))
    rank = _above_noise(values, min(wanted, max_rank), matrix.shape)
    return ColumnSpace(vectors=vectors[:, :rank], singular_values=values, wanted=wanted)


def _above_noise(values: FloatArray, rank: int, shape: tuple[int, ...]) -> int:
    """Number of singular values above those of a random matrix with the entries of the tail.

    The largest singular value of a matrix of independent entries of size s is s(√rows + √columns);
    a vector below it is an arbitrary direction, which later sites could only amplify.
    """
    rows, columns = shape
    while rank > 1:
        free = (rows - rank) * (columns - rank)
        if free <= 0:
            return rank
        entry = float(np.linalg.norm(values[rank:])) / math.sqrt(free)
        kept = int(np.sum(values[:rank] > entry * (math.sqrt(rows) + math.sqrt(columns))))
        if kept >= rank:
            return rank
        rank = max(kept, 1)
    return rank


@dataclass(frozen=True, kw_only=True, eq=False)
class Swept:
    """What a sweep leaves behind."""

    train: TensorTrain
    singular_values: tuple[FloatArray, ...]
    added: tuple[int, ...]
    evaluations: int


class Sweep:
    """A sweep in progress from the first site to the last.

    The prefixes of a cut are rows of its block, as many as bond states, chosen by QR with column
    pivoting of the left singular vectors; prefixes of samples; and some at random. The suffixes are
    those of samples, and others where a check finds that samples do not span.

    Parameters
    ----------
    blocks
        Values of the function.
    pool
        Configurations behind the columns; the first ``samples`` of them come first.
    samples
        Number of samples in the pool.
    sites
        Values and basis of each variable.
    tol
        Error allowed at each cut, relative to the norm of its block.
    max_rank
        Largest bond dimension.
    oversampling
        Prefixes per bond state where the cap on the rank cuts something off; elsewhere 2 at most.
    rng
        Source of all choices.
    """

    def __init__(
        self,
        blocks: Blocks,
        pool: Pool,
        *,
        samples: int,
        sites: Sequence[Site],
        tol: float,
        max_rank: int,
        oversampling: float,
        rng: np.random.Generator,
    ) -> None:
        self._blocks, self._pool, self._samples, self._sites = blocks, pool, samples, sites
        self._max_rank, self._oversampling = max_rank, oversampling
        self._rng = rng
        self._keys: list[KeyArray] = []
        self._cut_tol = tol / math.sqrt(max(1, len(sites) - 1))
        self._left = blocks.start()
        self._frame: Array = np.ones((1, 1))
        self._log = 0.0
        self._from_samples: Mask = np.ones(1, dtype=np.bool_)
        self._guests = self._left.take(np.zeros(min(samples, _GUESTS), dtype=np.int64))
        self._guest_frame: Array = np.ones((len(self._guests), 1))
        self._cores: list[Array] = []
        self._earlier: tuple[IntArray, Array] = (np.full(1, -1), np.zeros((1, 1, 1)))
        self._singular_values: list[FloatArray] = []
        self._added: list[int] = []

    def run(self) -> Swept:
        """Return the train."""
        for cut in range(len(self._sites) - 1):
            self._step(cut)
        log_scale = self._last()
        site = len(self._sites) - 1
        return Swept(
            train=TensorTrain(
                cores=tuple(self._cores),
                output_site=site if self._blocks.vector_valued else None,
                log_scale=log_scale,
            ),
            singular_values=tuple(self._singular_values),
            added=tuple(self._added),
            evaluations=distinct(self._keys),
        )

    def _step(self, cut: int) -> None:
        site, count = self._sites[cut], len(self._left)
        rows = self._blocks.grown(self._left, site.states)
        found = self._spanned(cut, rows)
        basis, weights = found.basis, found.weights[:, None]
        self._singular_values.append(basis.singular_values)
        equations = basis.vectors.reshape(count, -1)
        core = solved(self._frame * weights, equations).reshape(-1, site.dim, basis.rank)
        self._cores.append(site.embedded(core))
        self._follow(cut, core)
        self._choose(cut, rows, found)

    def _follow(self, cut: int, core: Array) -> None:
        """Carry the prefixes of samples over one site."""
        states = self._pool.configurations[: len(self._guests), cut]
        self._guests = self._blocks.followed(self._guests, states)
        slices = self._sites[cut].slices(core, states)
        self._guest_frame = np.einsum("nl,lnr->nr", self._guest_frame, slices)

    def _choose(self, cut: int, rows: Side, found: "_Cut") -> None:
        """Choose the prefixes of the next cut: pivots, prefixes of samples, and some at random."""
        weighted = self._sites[cut].at_values(found.basis.vectors, len(self._left))
        pivots = _pivots(weighted)
        extra = math.ceil((self._ratio(found.basis) - 1.0) * len(pivots)) + 1
        guests = _joining(self._guests.keys, rows.keys[pivots])[: (extra + 1) // 2]
        lit = np.setdiff1d(np.flatnonzero(_sizes(found.values) > 0.0), pivots)
        lit = lit[~np.isin(rows.keys[lit], self._guests.keys[guests])]
        kept = np.concatenate((pivots, self._rng.permutation(lit)[: extra // 2]))
        joined = self._guests.take(guests)
        values = np.concatenate((found.values[kept], self._joined_values(cut, rows, found, joined)))
        there = weighted[kept] / np.repeat(found.weights, len(self._sites[cut].states))[kept, None]
        self._left = rows.take(kept).beside(joined)
        self._frame = np.concatenate((there, self._guest_frame[guests]))
        self._from_samples = np.arange(len(self._left)) >= len(kept)
        self._earlier = found.codes, values

    def _joined_values(self, cut: int, rows: Side, found: "_Cut", joined: Side) -> Array:
        """Values of a block at prefixes of samples, most of which are among its rows."""
        order = np.argsort(rows.keys)
        after = np.searchsorted(rows.keys, joined.keys, sorter=order)
        place = order[np.minimum(after, len(rows) - 1)]
        values = found.values[place]
        new = np.flatnonzero(rows.keys[place] != joined.keys)
        if len(new):
            columns = self._blocks.suffixes(self._pool, cut, found.codes)
            fresh, log = self._blocks.values(joined.take(new), columns, None)
            self._keys.append((joined.keys[new, None] + columns.keys[None, :]).reshape(-1))
            values[new] = fresh * math.exp(log - self._log)
        return values

    def _last(self) -> float:
        site, count = self._sites[-1], len(self._left)
        rows = self._blocks.grown(self._left, site.states)
        cut, end = len(self._sites) - 1, np.zeros(1, dtype=np.int64)
        known = known_entries(self._pool, cut, site.states, end, self._earlier[0])
        cube, new, log = filled(self._blocks, rows, self._blocks.end(), known, self._earlier[1])
        self._keys.append(rows.keys[new[:, 0]])
        values = cube[:, 0]
        size = float(np.abs(values).max()) or 1.0
        matrix = site.projected(values / size, count).reshape(count, -1)
        weights = _clipped((np.abs(matrix) ** 2).sum(axis=1), self._from_samples)[:, None]
        core = solved(self._frame * weights, matrix * weights)
        core = site.embedded(core.reshape(-1, site.dim, values.shape[1]))
        self._cores.append(core[:, :, None, :] if self._blocks.vector_valued else core)
        return log + math.log(size)

    def _spanned(self, cut: int, rows: Side) -> "_Cut":
        """Basis of a cut from as many columns as its rank needs, checked on further ones."""
        states = self._sites[cut + 1].states
        rest = ColumnQueue.of(self._pool, cut, states, samples=self._samples, rng=self._rng)
        codes = rest.own(_COLUMN_RATIO * self._frame.shape[1] + _SPARE)
        found = self._cut(cut, codes, self._values(cut, rows, codes))
        for _ in range(_CHECK_ROUNDS):
            new = self._short(found, rest)
            if len(new) == 0 and found.basis.wanted <= self._max_rank:
                new = self._missed(cut, rows, found, rest)
            if len(new) == 0:
                break
            values = np.concatenate((found.values, self._values(cut, rows, new)), axis=1)
            found = self._cut(cut, np.concatenate((found.codes, new)), values)
        own = self._pool.codes_of(cut, np.arange(self._samples))
        self._added.append(int(np.sum(~np.isin(found.codes, own))))
        return found

    def _cut(self, cut: int, codes: IntArray, values: Array) -> "_Cut":
        site, count = self._sites[cut], len(self._left)
        weights, columns = self._weights(cut, codes, values)
        rows = np.repeat(weights, len(site.states))
        weighted = values * columns[None, :, None] * rows[:, None, None]
        weighted = weighted.reshape(len(values), -1)
        matrix = site.projected(weighted, count)
        lost = float(np.linalg.norm(weighted - site.at_values(matrix, count)))
        lost /= float(np.linalg.norm(weighted)) or 1.0
        basis = basis_of(
            matrix,
            tol=self._cut_tol,
            max_rank=self._max_rank,
            precision=self._blocks.precision,
        )
        return _Cut(codes=codes, values=values, basis=basis, weights=weights, lost=lost)

    def _weights(self, cut: int, codes: IntArray, values: Array) -> tuple[FloatArray, FloatArray]:
        """Weights of prefixes and of columns: 1, less where they are far above those of samples.

        Pivots go where the function is largest; next to a singularity they would set the scale
        of the block, and the function of the samples would drown below it.
        """
        squares = (np.abs(values / (np.abs(values).max() or 1.0)) ** 2).sum(axis=2)
        own = np.isin(codes, self._pool.codes_of(cut, np.arange(self._samples)))
        columns = _clipped(squares.sum(axis=0), own)
        prefixes = (squares * columns**2).reshape(len(self._left), -1).sum(axis=1)
        return _clipped(prefixes, self._from_samples), columns

    def _values(self, cut: int, rows: Side, codes: IntArray) -> Array:
        """Values (rows, columns, outputs); those of the cut before are not asked for again."""
        columns = self._blocks.suffixes(self._pool, cut, codes)
        states = self._sites[cut].states
        known = known_entries(self._pool, cut, states, codes, self._earlier[0])
        values, new, self._log = filled(self._blocks, rows, columns, known, self._earlier[1])
        self._keys.append((rows.keys[:, None] + columns.keys[None, :])[new])
        return values

    def _short(self, found: "_Cut", rest: ColumnQueue) -> IntArray:
        """Columns that a rank needs beyond those it was found from."""
        rank, outputs = min(found.basis.wanted, self._max_rank), found.values.shape[2]
        ratio = 2.0 * self._ratio(found.basis)
        own = rest.own(math.ceil(ratio * rank / outputs) + _SPARE - len(found.codes))
        least = -(-_COLUMN_RATIO * rank // outputs) + _SPARE
        return np.concatenate((own, rest.every(least - len(found.codes) - len(own))))

    def _missed(self, cut: int, rows: Side, found: "_Cut", rest: ColumnQueue) -> IntArray:
        """Columns, out of a few drawn at random, that do not lie in the span of a basis."""
        site, half = self._sites[cut], (found.basis.rank + _SPARE) // 2
        # At least all states in front of one suffix.
        flips = max(half, len(self._sites[cut + 1].states))
        codes = np.concatenate((rest.own(1), rest.every(flips)))
        if len(codes) == 0:
            return codes
        there = site.at_values(found.basis.vectors, len(self._left))
        weights = np.repeat(found.weights, len(site.states))
        tested = self._tested(cut, there, found.values)
        columns, some = self._blocks.suffixes(self._pool, cut, codes), rows.take(tested)
        values, _ = self._blocks.values(some, columns, None)
        self._keys.append((some.keys[:, None] + columns.keys[None, :]).reshape(-1))
        wide = values.reshape(len(tested), -1) * weights[tested, None]
        residual = wide - there[tested] @ solved(there[tested], wide)
        typical = found.values * weights[:, None, None]
        entry = float(np.linalg.norm(typical)) / math.sqrt(typical.size)
        allowed = _CHECK_FACTOR * entry * max(self._cut_tol, found.basis.tail, found.lost)
        worst = np.abs(residual).reshape(len(tested), len(codes), -1).max(axis=(0, 2))
        return np.asarray(codes[worst > allowed])

    def _ratio(self, basis: ColumnSpace) -> float:
        """Prefixes per bond state: two, and more where what the cap cut off is to be averaged."""
        if basis.wanted > self._max_rank:
            return self._oversampling
        return min(self._oversampling, 2.0)

    def _tested(self, cut: int, there: Array, values: Array) -> IntArray:
        """Rows to check new columns on: pivots, and rows that are dark so far.

        Rows that vanish in all columns so far are where a missing direction hides; those that
        grew from the pivots of the cut before are enough of them.
        """
        pivots, sizes = _pivots(there), _sizes(values)
        grown = np.arange(min(self._frame.shape) * len(self._sites[cut].states))
        rest = self._rng.permutation(np.setdiff1d(grown, pivots))
        lit = sizes[rest] > self._cut_tol * sizes.max()
        return np.concatenate((pivots, rest[~lit], rest[lit][:_SPARE]))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cut:
    """Columns of a cut, values (rows, columns, outputs), weights of prefixes, weighted basis.

    ``lost`` is the relative norm of what the functions of the site cannot follow.
    """

    codes: IntArray
    values: Array
    basis: ColumnSpace
    weights: FloatArray
    lost: float


def solved(matrix: Array, right: Array) -> Array:
    """Least-squares solution of smallest norm, by singular values above rounding noise.

    >>> print(np.round(solved(np.array([[2.0], [0.0]]), np.array([[6.0], [1.0]])), 6).tolist())
    [[3.0]]
    """
    return np.linalg.lstsq(matrix, right, rcond=_ROUNDING)[0]


def _pivots(there: Array) -> IntArray:
    """Rows of a basis that determine all others best, one for each of its columns."""
    order = scipy.linalg.qr(there.T, mode="r", pivoting=True, check_finite=False)[1]
    return np.asarray(order[: there.shape[1]], dtype=np.int64)


def _joining(keys: KeyArray, taken: KeyArray) -> IntArray:
    """Rows that differ from each other and from those already taken."""
    first = np.sort(np.unique(keys, return_index=True)[1])
    return np.asarray(first[~np.isin(keys[first], taken)])


def _clipped(squares: FloatArray, typical: Mask) -> FloatArray:
    """Weights that bring squared norms down to a multiple of the mean of the typical ones."""
    limit = _CLIP**2 * float(np.mean(squares[typical])) if typical.any() else 0.0
    if limit == 0.0:
        return np.ones(len(squares))
    return np.asarray(np.sqrt(limit / np.maximum(squares, limit)))


def _sizes(values: Array) -> FloatArray:
    return np.asarray(np.abs(values).max(axis=(1, 2)))
