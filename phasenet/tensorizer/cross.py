r"""Cross interpolation by half sweeps over single sites, grown where the residual asks for it.

Between two half sweeps the state is one set of prefixes and one set of suffixes for each cut. A
half sweep visits the sites in order; at each cut it takes
:math:`T_{(i,s),j} = f(i, s, j)` on (pivots so far, site) x (pivots of the far side), keeps the rows
that rebuild all others, and tests the rebuilt function on pairs of rows and columns that are not
pivots yet (Núñez Fernández et al., arXiv:2407.02454; Savostyanov, arXiv:1305.1818). The outputs of
a vector-valued function are extra columns: they share their pivots.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from phasenet.tensorizer.function import CountedFunction
from phasenet.tensorizer.pivots import BoolArray, IntArray, Pivots, first_occurrences
from phasenet.tensorizer.skeleton import Skeleton, independent_columns, skeleton
from phasenet.trains.train import Array, FloatArray, TensorTrain

_DARK = 1e-14
# Tests of up to this many pairs are made in full.
_FULL_TEST = 36
_NONE = np.zeros(0, dtype=bool)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cut:
    """What a half sweep sees at one cut: rows to choose from, columns to grow by.

    The first ``ahead`` columns are those of the next cut's block; offered ones follow.
    """

    index: int
    rows: Pivots
    columns: Pivots
    ahead: int


class Cross:
    """Pivots of every cut, and the half sweeps that improve them.

    Parameters
    ----------
    function
        Function to interpolate.
    seeds
        Configurations of shape (seeds, length) where the function is not zero.
    size
        Size of the function where it matters; a block with larger values gets no wider tolerance.
    tol
        Tolerance of each cut, relative to the largest value in its block or to ``size``, whichever
        is smaller; it can be changed between half sweeps.
    alarm
        Error in a test, relative to the largest value near it, that must not be left behind.
    max_rank
        Largest number of pivots of a cut.
    rng
        Draws the pairs to test.
    """

    def __init__(
        self,
        function: CountedFunction,
        *,
        seeds: IntArray,
        size: float,
        tol: float,
        alarm: float,
        max_rank: int,
        rng: np.random.Generator,
    ) -> None:
        self.tol = tol
        self.max_rank = max_rank
        self.alarmed = True
        self.complete = False
        self._function = function
        self._space = function.space
        self._alarm = alarm
        self._size = size
        self._length = function.space.length
        self._failed = [False] * (self._length - 1)
        self._rng = rng
        self.prefixes = self._space.parts(seeds, on_left=True)
        self.suffixes = self._space.parts(seeds, on_left=False)
        self._offers: IntArray = seeds[:0]

    def offer(self, configurations: IntArray) -> None:
        """Let the next half sweep try parts of whole configurations as pivots of every cut."""
        self._offers = np.concatenate((self._offers, configurations))

    def evaluated(self) -> IntArray:
        """Return the configurations of all present blocks, as far as they have been evaluated."""
        space = self._space
        near, found = space.empty(on_left=True), []
        for site in range(self._length):
            last = site == self._length - 1
            far = space.empty(on_left=False) if last else self.suffixes[site]
            found.append(self._function.known_pairs(space.extended(near, site), far))
            near = near if last else self.prefixes[site]
        points = np.concatenate(found)
        return points[first_occurrences(space.keys(points))]

    def half_sweep(self, *, forward: bool, thoroughness: int = 1) -> TensorTrain:
        """Return the train of one pass over the chain; its output leg is on the last site visited.

        ``thoroughness`` multiplies the number of rows and columns in each test. Afterwards
        ``alarmed`` says whether any test found an error above the alarm level, and ``complete``
        whether every test was made on all pairs.
        """
        self.alarmed, self.complete = False, True
        space, last = self._space, self._length - 1
        nears, fars = (self.prefixes, self.suffixes) if forward else (self.suffixes, self.prefixes)
        order = range(self._length) if forward else range(last, -1, -1)
        rows = space.extended(space.empty(on_left=forward), order[0])
        offers = self._space.parts(self._offers, on_left=not forward) if len(self._offers) else None
        self._offers = self._offers[:0]
        values: Array | None = None
        cores: list[Array] = []
        for here, there in pairwise(order):
            index = min(here, there)
            if there == order[-1]:
                far = space.empty(on_left=not forward)
            else:
                far = fars[index + 1 if forward else index - 1]
            columns = space.extended(far, there)
            ahead = len(columns)
            if offers is not None:
                columns = columns.union(offers[index])
            cut = _Cut(index=index, rows=rows, columns=columns, ahead=ahead)
            choice, known = self._reduce(cut, values, nears, fars, thoroughness)
            cores.append(choice.interpolation.reshape(-1, space.site_dims[here], len(choice.rows)))
            rows = space.extended(nears[index], there)
            # The values beyond this cut are the next cut's block, in another order.
            split = known[:, :ahead].reshape(len(known), len(far), space.site_dims[there], -1)
            values = split.swapaxes(1, 2).reshape(len(rows), len(far), -1)
        if values is None:
            values = self._function.block(rows, space.empty(on_left=not forward))
        cores.append(values.reshape(-1, space.site_dims[order[-1]], 1, self._function.outputs))
        return self._assemble(cores, forward)

    def regression(self, samples: IntArray, *, forward: bool, max_rank: int) -> TensorTrain:
        """Return the train of one pass whose cores are fitted on parts of samples as well.

        With many more columns than pivots, each core is a least-squares fit, so that what is not
        of low rank is averaged over the samples and not amplified. The pivots stay as they are.
        """
        space, function = self._space, self._function
        nears, fars = (self.prefixes, self.suffixes) if forward else (self.suffixes, self.prefixes)
        parts = space.parts(samples, on_left=not forward)
        order = range(self._length) if forward else range(self._length - 1, -1, -1)
        rows = space.extended(space.empty(on_left=forward), order[0])
        cores: list[Array] = []
        for here, there in pairwise(order):
            cut = min(here, there)
            values = function.block(rows, fars[cut].union(parts[cut]))
            choice = skeleton(
                values.reshape(len(values), -1),
                atol=self.tol * min(float(np.abs(values).max()), self._size),
                max_rank=max_rank,
                sticky=rows.within(nears[cut]),
            )
            cores.append(choice.interpolation.reshape(-1, space.site_dims[here], len(choice.rows)))
            rows = space.extended(rows.take(choice.rows), there)
        values = function.block(rows, space.empty(on_left=not forward))
        cores.append(values.reshape(-1, space.site_dims[order[-1]], 1, function.outputs))
        return self._assemble(cores, forward)

    def _reduce(
        self,
        cut: _Cut,
        values: Array | None,
        nears: list[Pivots],
        fars: list[Pivots],
        thoroughness: int,
    ) -> tuple[Skeleton, Array]:
        """Choose the near pivots of a cut and let its far pivots grow.

        Returns the choice and the values at the near pivots and all columns beyond.
        """
        far = fars[cut.index]
        sticky = cut.rows.within(nears[cut.index])
        if values is None:
            values = self._function.block(cut.rows, far)
        if not values.any():
            # The far pivots of this cut do not see the near ones: offer every column instead.
            far = far.union(cut.columns)
            values = self._function.block(cut.rows, far)
        heights = _largest(values, axis=0)
        scale = min(float(heights.max()), self._size)
        choice = self._skeleton(values, scale, sticky)
        near = cut.rows.take(choice.rows)
        known = self._function.block(near, cut.columns)
        new = self._growth(cut, far, heights, choice, known, thoroughness)
        if len(new):
            columns = cut.columns.take(new)
            values = np.concatenate((values, self._function.block(cut.rows, columns)), axis=1)
            far = far.union(columns)
            sticky[choice.rows] = True
            choice = self._skeleton(values, scale, sticky)
            near = cut.rows.take(choice.rows)
            known = self._function.block(near, cut.columns)
        nears[cut.index], fars[cut.index] = near, far
        return choice, known

    def _skeleton(self, values: Array, scale: float, sticky: BoolArray) -> Skeleton:
        matrix = values.reshape(len(values), -1)
        return skeleton(matrix, atol=self.tol * scale, max_rank=self.max_rank, sticky=sticky)

    def _growth(
        self,
        cut: _Cut,
        far: Pivots,
        heights: FloatArray,
        choice: Skeleton,
        known: Array,
        thoroughness: int,
    ) -> IntArray:
        """Columns that the near pivots cannot rebuild; none if the test finds none.

        ``heights`` has the largest value of each row.
        """
        rank = len(choice.rows)
        free = np.ones(len(cut.rows), dtype=bool)
        free[choice.rows] = False
        others = free.nonzero()[0]
        candidates = (~cut.columns.within(far)).nonzero()[0]
        room = self.max_rank - rank
        nothing = candidates[:0]
        if room <= 0 or len(candidates) == 0 or len(others) == 0:
            return nothing
        widths = _largest(known, axis=1)
        top = float(widths.max())
        scale = min(max(float(heights.max()), top), self._size)
        if len(others) * len(candidates) <= _FULL_TEST:
            rows, columns = others, candidates
        else:
            self.complete = False
            # Where the last test failed, the large one comes at once.
            size = thoroughness * max(3, rank // 4) + self._failed[cut.index] * rank // 2
            dark = _DARK * scale
            rows = self._pick(others, heights[others] <= dark, size)
            offered = candidates >= cut.ahead
            columns = self._pick(candidates, widths[candidates] <= dark, size, offered)
        remainder = self._remainder(cut, choice, known, rows, columns)
        error = float(np.abs(remainder).max())
        self.alarmed = self.alarmed or error > self._alarm * top
        failed, self._failed[cut.index] = self._failed[cut.index], error > self.tol * scale
        if not self._failed[cut.index]:
            return nothing
        if not failed and (len(rows) < len(others) or len(columns) < len(candidates)):
            rows = self._pick(others, _NONE, rank, np.isin(others, rows))
            columns = self._pick(candidates, _NONE, rank, np.isin(candidates, columns))
            remainder = self._remainder(cut, choice, known, rows, columns)
        stacked = remainder.swapaxes(1, 2).reshape(-1, len(columns))
        atol = self.tol * scale
        chosen = independent_columns(stacked, atol=atol, max_rank=min(room, max(rank, 2)))
        return columns[chosen]

    def _remainder(
        self, cut: _Cut, choice: Skeleton, known: Array, rows: IntArray, columns: IntArray
    ) -> Array:
        """Function minus its interpolation on a product of rows and columns."""
        true = self._function.block(cut.rows, cut.columns, rows, columns)
        part = known[:, columns]
        rebuilt = choice.interpolation[rows] @ part.reshape(len(part), -1)
        return np.asarray(true - rebuilt.reshape(true.shape))

    def _pick(
        self, pool: IntArray, dark: BoolArray, size: int, always: BoolArray | None = None
    ) -> IntArray:
        """Random members of a pool, and as many dark ones: sparse functions hide sectors there."""
        order = self._rng.permutation(len(pool))
        chosen = np.zeros(len(pool), dtype=bool) if always is None else always
        chosen[order[:size]] = True
        if dark.any():
            chosen[order[dark[order]][: max(size, 4)]] = True
        picked: IntArray = pool[chosen.nonzero()[0]]
        return picked

    def _assemble(self, cores: Sequence[Array], forward: bool) -> TensorTrain:
        final = cores[-1]
        size = float(np.abs(final).max())
        final = final / size if size > 0.0 else final
        if not self._function.vector_valued:
            final = final[:, :, :, 0]
        ordered = [*cores[:-1], final]
        if not forward:
            ordered = [core.swapaxes(0, 2) for core in reversed(ordered)]
        site = (self._length - 1 if forward else 0) if self._function.vector_valued else None
        return TensorTrain(
            cores=tuple(np.ascontiguousarray(core) for core in ordered),
            output_site=site,
            log_scale=float(np.log(size)) if size > 0.0 else 0.0,
        )


def _largest(block: Array, *, axis: int) -> FloatArray:
    """Largest magnitude in each row (axis 0) or column (axis 1) of a block with outputs."""
    return np.asarray(np.abs(block).max(axis=(1 - axis, 2)))
