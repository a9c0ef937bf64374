r"""What a matrix product state knows of its own amplitudes, site by site along a shot.

In right-canonical form the row of a prefix, :math:`v=B_1^{\sigma_1}\cdots B_k^{\sigma_k}`, has the
probability of the prefix as its squared norm (Ferris and Vidal, Phys. Rev. B 85, 165146 (2012)), so
that one walk along a shot gives the exact conditional probabilities of all outcomes at all sites.
A network that is shown them, and not only the outcome that was drawn, has nothing left to average
over.

Signs get the same treatment. The phase of a prefix is a matter of convention, and that of the
component of v along the leading Schmidt state of its charge is a good one: the phase of the whole
amplitude is then a product of one factor for each site, each of which follows from a few sites
before it (for a Hamiltonian with a sign rule, by Perron and Frobenius). The phase of a whole shot
alone would be as hard to learn as a parity.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.blocks import BlockCore
from phasenet.trains.form import StateForm
from phasenet.trains.train import Array, FloatArray, IntArray

# Shots that walk at once.
_ROWS = 4096
_Choose = Callable[[int, FloatArray], IntArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """Shots and all that is known along them.

    Parameters
    ----------
    spins
        Outcomes, uint8 of shape (shots, sites).
    conditionals
        Probability of each outcome at each site given the sites before, (shots, sites, outcomes).
    turns
        Phase that each outcome adds to that of the sites before, in the same shape: +1 or -1 if the
        amplitudes are real, else complex numbers of modulus 1.
    phase, log_probability
        Of the amplitudes of the shots, of shape (shots,): -inf and any phase where they vanish.
    """

    spins: NDArray[np.uint8]
    conditionals: FloatArray
    turns: Array
    phase: Array
    log_probability: FloatArray


class Teacher:
    """An open chain, prepared to walk along shots.

    Parameters
    ----------
    form
        State of equal sites.

    Raises
    ------
    SettingsError
        The state is infinite.
    ShapeError
        Its sites are not alike.

    >>> from phasenet.phases.exact import aklt_chain
    >>> from phasenet.trains.form import state_form
    >>> lesson = Teacher(state_form(aklt_chain(8))).draw(np.full((1, 8), 0.5))
    >>> lesson.spins.tolist(), lesson.conditionals[0, 1].round(3).tolist()
    ([[0, 2, 0, 2, 0, 2, 0, 2]], [0.0, 0.333, 0.667])
    """

    def __init__(self, form: StateForm) -> None:
        if form.infinite:
            raise SettingsError(
                "an infinite state has no amplitudes; fit a wavefunction to an open chain"
            )
        if len(set(form.site_dims)) > 1:
            raise ShapeError(f"sites have {form.site_dims} local states; wanted equal sites")
        self.length, self.site_dim = form.length, form.site_dims[0]
        self._sites = [form.site(site) for site in range(form.length)]
        matrices = [m for block in self._sites for _, m in block.blocks.values()]
        self.is_complex = any(np.iscomplexobj(m) and m.imag.any() for m in matrices)
        self._dtype = np.dtype(np.complex128 if self.is_complex else np.float64)
        self._leading = _leading(form, self._sites)
        self._signs = _signs(form, self._sites, self._leading, self._dtype)
        bonds = [self._sites[0].left, *(block.right for block in self._sites)]
        self._width = max(len(group) for bond in bonds for group in bond)

    def draw(self, uniform: FloatArray) -> Lesson:
        """Independent shots, one for each row of numbers in [0, 1), of shape (shots, sites)."""
        self._check(uniform)

        def choose(rows: slice) -> _Choose:
            return lambda site, p: _drawn(p, uniform[rows, site])

        return self._lesson(len(uniform), choose)

    def follow(self, spins: IntArray) -> Lesson:
        """Return what is known along given shots, integers of shape (shots, sites)."""
        self._check(spins)

        def choose(rows: slice) -> _Choose:
            return lambda site, p: spins[rows, site].astype(np.int64)

        return self._lesson(len(spins), choose)

    def _check(self, rows: Array) -> None:
        if rows.ndim != 2 or rows.shape[1] != self.length:
            raise ShapeError(f"rows have shape {rows.shape}; wanted (shots, {self.length})")

    def _lesson(self, shots: int, choose: Callable[[slice], _Choose]) -> Lesson:
        shape = (shots, self.length, self.site_dim)
        lesson = Lesson(
            spins=np.empty(shape[:2], dtype=np.uint8),
            conditionals=np.empty(shape),
            turns=np.empty(shape, dtype=self._dtype),
            phase=np.empty(shots, dtype=self._dtype),
            log_probability=np.empty(shots),
        )
        for start in range(0, shots, _ROWS):
            rows = slice(start, min(start + _ROWS, shots))
            self._walk(lesson, rows, choose(rows))
        return lesson

    def _walk(self, lesson: Lesson, rows: slice, choose: _Choose) -> None:
        count = rows.stop - rows.start
        own = np.arange(count)
        vectors = np.zeros((count, self._width), dtype=self._dtype)
        vectors[:, 0] = 1.0
        group = np.zeros(count, dtype=np.int64)
        phase = np.ones(count, dtype=self._dtype)
        logs = np.zeros(count)
        for site in range(self.length):
            branches, after = self._branches(site, vectors, group)
            sizes = np.sum(np.abs(branches) ** 2, axis=2)
            total = sizes.sum(axis=1, keepdims=True)
            p = sizes / np.where(total > 0.0, total, 1.0)
            phases = self._phases(site, branches, after, phase)
            chosen = choose(site, p)
            lesson.spins[rows, site] = chosen
            lesson.conditionals[rows, site] = p
            lesson.turns[rows, site] = phases * phase.conj()[:, None]
            with np.errstate(divide="ignore"):
                logs += np.log(p[own, chosen])
            norms = np.sqrt(sizes[own, chosen])
            vectors = branches[own, chosen] / np.where(norms > 0.0, norms, 1.0)[:, None]
            group, phase = after[own, chosen], phases[own, chosen]
        lesson.phase[rows], lesson.log_probability[rows] = phase, logs

    def _branches(self, site: int, vectors: Array, group: IntArray) -> tuple[Array, IntArray]:
        """Rows after each outcome, (shots, outcomes, bond), and their groups; -1 where none is."""
        block, dim = self._sites[site], self.site_dim
        branches = np.zeros((len(vectors), dim, self._width), dtype=self._dtype)
        after = np.full((len(vectors), dim), -1)
        for number, members in enumerate(block.left):
            rows = np.flatnonzero(group == number)
            for state in range(dim if len(rows) else 0):
                if (number, state) in block.blocks:
                    follows, matrix = block.blocks[number, state]
                    image = vectors[rows, : len(members)] @ self._typed(matrix)
                    branches[rows, state, : matrix.shape[1]] = image
                    after[rows, state] = follows
        return branches, after

    def _phases(self, site: int, branches: Array, after: IntArray, before: Array) -> Array:
        """Phases of the prefixes after each outcome; as before where there is no telling."""
        known = np.where(after >= 0, after, 0)
        places = self._leading[site + 1][known][:, :, None]
        parts = np.take_along_axis(branches, places, axis=2)[:, :, 0]
        parts = parts * self._signs[site + 1][known]
        sizes = np.abs(parts)
        there = sizes > 0.0
        return np.where(there, parts / np.where(there, sizes, 1.0), before[:, None])

    def _typed(self, matrix: Array) -> Array:
        return matrix if self.is_complex else np.asarray(matrix.real)


def _leading(form: StateForm, sites: list[BlockCore]) -> list[IntArray]:
    """Place of the largest Schmidt value in each group of each bond."""
    found = [
        np.asarray([int(np.argmax(values[members])) for members in block.left])
        for block, values in zip(sites, form.schmidt_values, strict=True)
    ]
    return [*found, np.zeros(1, dtype=np.int64)]


def _signs(
    form: StateForm, sites: list[BlockCore], leading: list[IntArray], dtype: "np.dtype[np.generic]"
) -> list[Array]:
    """Phase factors of the leading Schmidt states that leave the fewest turns along a chain.

    Singular vectors come with arbitrary ones, which a network should not have to learn.
    """
    found: list[Array] = [np.ones(1, dtype=dtype)]
    for site, block in enumerate(sites):
        sums = np.zeros(len(block.right), dtype=np.complex128)
        for (group, _), (after, matrix) in block.blocks.items():
            here = leading[site][group]
            weight = form.schmidt_values[site][block.left[group][here]] ** 2
            sums[after] += (
                weight * matrix[here, leading[site + 1][after]] * found[site][group].conj()
            )
        sizes = np.abs(sums)
        factors = np.where(sizes > 0.0, sums.conj() / np.where(sizes > 0.0, sizes, 1.0), 1.0)
        found.append(factors.astype(dtype) if dtype.kind == "c" else factors.real.astype(dtype))
    # The phase of the last prefix is that of the amplitude itself.
    found[-1] = np.ones(len(sites[-1].right), dtype=dtype)
    return found


def _drawn(p: FloatArray, uniform: FloatArray) -> IntArray:
    """Outcome of each row; rounding never leads to one of probability zero."""
    edges = np.cumsum(p, axis=1)
    chosen = (uniform[:, None] * edges[:, -1:] >= edges).sum(axis=1)
    chosen = np.minimum(chosen, p.shape[1] - 1)
    possible = p[np.arange(len(p)), chosen] > 0.0
    return np.asarray(np.where(possible, chosen, p.argmax(axis=1)))
