r"""Cross interpolation by half sweeps over single sites, grown where the residual asks for it.

Between two half sweeps the state is one set of prefixes and one set of suffixes for each cut. A
half sweep visits the sites in order; at each cut it evaluates
:math:`T_{(i,s),j} = f(i, s, j)` on (pivots so far, site) x (pivots of the far side), keeps the rows
that rebuild all others, and tests the rebuilt function on pairs of rows and columns that are not
pivots yet (Núñez Fernández et al., arXiv:2407.02454; Savostyanov, arXiv:1305.1818). The outputs of
a vector-valued function are extra columns: they share their pivots.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.tensorizer.function import CountedFunction
from phasenet.tensorizer.pivots import IntArray, Pivots
from phasenet.tensorizer.skeleton import Skeleton, independent_columns, skeleton
from phasenet.trains.train import Array, TensorTrain

_DARK = 1e-14


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cut:
    """What a half sweep sees at one cut."""

    index: int
    site: int
    rows: Pivots
    beyond: Pivots


class Cross:
    """Pivots of every cut, and the half sweeps that improve them.

    Parameters
    ----------
    function
        Function to interpolate.
    seeds
        Configurations of shape (seeds, length) where the function is not zero.
    tol
        Tolerance of each cut, relative to the largest value in its block; it can be changed
        between half sweeps.
    alarm
        Error in a test, relative in the same way, that must not be left behind.
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
        tol: float,
        alarm: float,
        max_rank: int,
        rng: np.random.Generator,
    ) -> None:
        self.tol = tol
        self.max_rank = max_rank
        self.alarmed = False
        self._function = function
        self._alarm = alarm
        self._length = len(function.site_dims)
        self._rng = rng
        cuts = range(self._length - 1)
        self._prefixes = [Pivots.of(seeds, b, function.site_keys, on_left=True) for b in cuts]
        self._suffixes = [Pivots.of(seeds, b, function.site_keys, on_left=False) for b in cuts]

    def insert(self, configurations: IntArray) -> None:
        """Offer whole configurations as pivots of every cut."""
        for b in range(self._length - 1):
            for sets in (self._prefixes, self._suffixes):
                new = Pivots.of(
                    configurations, b, self._function.site_keys, on_left=sets[b].on_left
                )
                sets[b] = sets[b].union(new)

    def half_sweep(self, *, forward: bool, thoroughness: int = 1) -> TensorTrain:
        """Return the train of one pass over the chain; its output leg is on the last site visited.

        ``thoroughness`` multiplies the number of rows and columns in each test; ``alarmed`` then
        says whether any test found an error above the alarm level.
        """
        self.alarmed = False
        nears, fars = self._sides(forward)
        order = range(self._length) if forward else range(self._length - 1, -1, -1)
        near = Pivots.empty(on_left=forward)
        cores: list[Array] = []
        for step, site in enumerate(order[:-1]):
            index = site if forward else site - 1
            last = step == self._length - 2
            following = None if last else fars[order[step + 1] if forward else index - 1]
            cut = _Cut(
                index=index,
                site=site,
                rows=near.extended(self._keys_of(site)),
                beyond=self._beyond(following, order[step + 1], forward),
            )
            choice = self._reduce(cut, nears, fars, thoroughness)
            cores.append(choice.interpolation.reshape(len(near), -1, len(choice.rows)))
            near = nears[index]
        final = self._function.block(
            near.extended(self._keys_of(order[-1])), Pivots.empty(on_left=not forward)
        )
        cores.append(final.reshape(len(near), self._function.site_dims[order[-1]], 1, -1))
        return self._assemble(cores, forward)

    def _sides(self, forward: bool) -> tuple[list[Pivots], list[Pivots]]:
        if forward:
            return self._prefixes, self._suffixes
        return self._suffixes, self._prefixes

    def _keys_of(self, site: int) -> NDArray[np.uint64]:
        return self._function.site_keys[site, : self._function.site_dims[site]]

    def _beyond(self, following: Pivots | None, site: int, forward: bool) -> Pivots:
        """All columns that a cut could use: the far pivots of the next cut, one site extended."""
        far = Pivots.empty(on_left=not forward) if following is None else following
        return far.extended(self._keys_of(site))

    def _reduce(
        self, cut: _Cut, nears: list[Pivots], fars: list[Pivots], thoroughness: int
    ) -> Skeleton:
        """Choose the near pivots of a cut and let its far pivots grow."""
        far = fars[cut.index]
        sticky = cut.rows.within(nears[cut.index])
        values = self._function.block(cut.rows, far)
        if not np.any(values):
            # The far pivots of this cut do not see the near ones: offer every column instead.
            far = far.union(cut.beyond)
            values = self._function.block(cut.rows, far)
        choice = self._skeleton(values, sticky)
        new = self._growth(cut, far, values, choice, thoroughness)
        if new is not None:
            far = far.union(new)
            sticky[choice.rows] = True
            choice = self._skeleton(self._function.block(cut.rows, far), sticky)
        nears[cut.index], fars[cut.index] = cut.rows.take(choice.rows), far
        return choice

    def _skeleton(self, values: Array, sticky: NDArray[np.bool_]) -> Skeleton:
        matrix = values.reshape(len(values), -1)
        return skeleton(matrix, tol=self.tol, max_rank=self.max_rank, sticky=sticky)

    def _growth(
        self, cut: _Cut, far: Pivots, values: Array, choice: Skeleton, thoroughness: int
    ) -> Pivots | None:
        """Columns that the near pivots cannot rebuild, or None if the test finds none."""
        rank = len(choice.rows)
        candidates = np.flatnonzero(~cut.beyond.within(far))
        others = np.setdiff1d(np.arange(len(cut.rows)), choice.rows)
        room = self.max_rank - rank
        if room <= 0 or len(candidates) == 0 or len(others) == 0:
            return None
        # These values are the next cut's block: asking for all of them costs nothing extra.
        known = self._function.block(cut.rows.take(choice.rows), cut.beyond)
        scale = max(float(np.abs(values).max()), float(np.abs(known).max()))
        size = thoroughness * max(3, rank // 4)
        dark_rows = others[~_lit(values[others], scale)]
        dark_columns = candidates[~_lit(known[:, candidates].swapaxes(0, 1), scale)]
        rows = self._pick(others, dark_rows, size)
        columns = self._pick(candidates, dark_columns, size)
        remainder = self._remainder(cut, choice, known, rows, columns)
        error = float(np.abs(remainder).max()) / scale
        self.alarmed = self.alarmed or error > self._alarm
        if error <= self.tol:
            return None
        rows = np.union1d(rows, self._pick(others, dark_rows[:0], rank))
        columns = np.union1d(columns, self._pick(candidates, dark_columns[:0], rank))
        remainder = self._remainder(cut, choice, known, rows, columns)
        stacked = remainder.swapaxes(1, 2).reshape(-1, len(columns))
        atol = self.tol * scale
        chosen = independent_columns(stacked, atol=atol, max_rank=min(room, max(rank, 2)))
        return cut.beyond.take(columns[chosen])

    def _remainder(
        self, cut: _Cut, choice: Skeleton, known: Array, rows: IntArray, columns: IntArray
    ) -> Array:
        """Function minus its interpolation on a product of rows and columns."""
        true = self._function.block(cut.rows.take(rows), cut.beyond.take(columns))
        rebuilt = np.tensordot(choice.interpolation[rows], known[:, columns], axes=(1, 0))
        return np.asarray(true - rebuilt)

    def _pick(self, pool: IntArray, dark: IntArray, size: int) -> IntArray:
        """Random members of a pool, and as many dark ones: sparse functions hide sectors there."""
        some = self._rng.permutation(pool)[:size]
        hidden = self._rng.permutation(dark)[: max(size, 4)]
        return np.union1d(some, hidden)

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


def _lit(block: Array, scale: float) -> NDArray[np.bool_]:
    """Which rows of a block of shape (rows, ...) are not zero."""
    return np.asarray(np.abs(block).reshape(len(block), -1).max(axis=1) > _DARK * scale)
