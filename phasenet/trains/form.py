"""Canonical form of a state, shared by everything that is read off it.

Finite and infinite states look alike here: right-canonical cores, and Schmidt values on the bond
left of each. So a stretch of sites i .. j has the left environment :math:`S_i^2` and the right
environment 1, wherever it lies, and no observable needs the rest of the chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.trains.blocks import (
    BlockCore,
    Environment,
    Groups,
    Key,
    diagonal_environment,
    through,
)
from phasenet.trains.canonical import schmidt_form
from phasenet.trains.charges import bond_charges, graded_cores
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain

# Off the canonical form by less, cores are taken as they are: DMRG leaves 1e-12.
_CANONICAL_ATOL = 1e-9
_INFINITE_ATOL = 1e-6
# Smaller Schmidt values are directions of rounding noise.
_SCHMIDT_FLOOR = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class StateForm:
    """Normalised state in right-canonical form, its bonds graded by a charge where it has one.

    Parameters
    ----------
    cores
        Right-canonical, axes (left, site, right): of an open chain, or of the repeating cell.
    schmidt_values
        On the bond left of each core, squares sum to 1, in the order of the core's index; for an
        open chain the first is (1,).
    charges
        Charge of each index of the bond left of each core and, last, right of the last one, in
        units of S^z = 1/2; all 0 where there is none.
    modulus
        0 for a conserved S^z, 4 for its parity, 1 for nothing conserved.
    infinite
        Whether the cores repeat.
    """

    cores: tuple[Array, ...]
    schmidt_values: tuple[FloatArray, ...]
    charges: tuple[IntArray, ...]
    modulus: int
    infinite: bool

    @property
    def length(self) -> int:
        """Number of sites, of the chain or of the cell."""
        return len(self.cores)

    @property
    def site_dims(self) -> tuple[int, ...]:
        """Local dimension of each site."""
        return tuple(core.shape[1] for core in self.cores)

    @cached_property
    def blocks(self) -> tuple[BlockCore, ...]:
        """Cores in the blocks of their charges."""
        return graded_cores(self.cores, self.charges, self.modulus, infinite=self.infinite)

    def site(self, index: int) -> BlockCore:
        """Return the core of a site; beyond the cell of an infinite state it repeats."""
        return self.blocks[self._place(index)]

    def left_weights(self, index: int) -> FloatArray:
        """Squared Schmidt values on the bond left of a site, the left environment from there on."""
        place = self._place(index)
        return np.asarray(self.schmidt_values[place] ** 2)

    def left_environment(self, index: int) -> dict[tuple[int, int], Array]:
        """Everything left of a site, contracted."""
        place = self._place(index)
        return diagonal_environment(self.blocks[place].left, self.left_weights(index))

    def right_environment(self, index: int) -> dict[tuple[int, int], Array]:
        """Everything right of a site, contracted."""
        place = self._place(index)
        return diagonal_environment(self.blocks[place].right, np.ones(self.cores[place].shape[2]))

    def _place(self, index: int) -> int:
        if self.infinite:
            return index % self.length
        if not 0 <= index < self.length:
            raise SettingsError(f"site is {index}; the chain has sites 0 to {self.length - 1}")
        return index


State = TensorTrain | InfiniteTrain | StateForm


def state_form(state: State) -> StateForm:
    """Canonical form of a state, which need not be normalised or canonical; a form stays as it is.

    Charges that the cores have are kept: an open chain is made canonical block by block.

    Raises
    ------
    ShapeError
        The state has an output leg or norm zero, or is infinite and not canonical.

    >>> form = state_form(TensorTrain(cores=(np.ones((1, 2, 1)),) * 3))
    >>> print(form.length, form.modulus, form.schmidt_values[1].round(6).tolist())
    3 1 [1.0]
    """
    if isinstance(state, StateForm):
        return state
    if isinstance(state, InfiniteTrain):
        return _infinite_form(state)
    if state.output_site is not None:
        raise ShapeError(f"the state has an output leg at site {state.output_site}; wanted none")
    charges, modulus = bond_charges(state.cores, infinite=False)
    blocks = graded_cores(state.cores, charges, modulus, infinite=False)
    values = _schmidt_values(state.cores, blocks)
    if values is None:
        form, schmidt = schmidt_form(state)
        charges, modulus = bond_charges(form.cores, infinite=False)
        cores = form.cores
    else:
        scale = np.linalg.norm(state.cores[0])
        cores, schmidt = (state.cores[0] / scale, *state.cores[1:]), values
    return StateForm(
        cores=cores, schmidt_values=schmidt, charges=charges, modulus=modulus, infinite=False
    )


def _schmidt_values(
    cores: Sequence[Array], blocks: Sequence[BlockCore]
) -> tuple[FloatArray, ...] | None:
    """Schmidt values of a chain whose cores are canonical and in the Schmidt basis, else None."""
    for core in cores[1:]:
        rows = core.reshape(len(core), -1)
        if not np.abs(rows @ rows.conj().T - np.eye(len(rows))).max() < _CANONICAL_ATOL:
            return None
    norm = float(np.linalg.norm(cores[0]))
    if not 0.0 < norm < np.inf:
        raise ShapeError("the state has norm zero; it has no expectation values")
    left: dict[Key, Array] = {(0, 0): np.full((1, 1, 1), norm**-2)}
    found = [np.ones(1)]
    for block in blocks[:-1]:
        left = through(left, block, block)
        weights = _diagonal(left, block.right)
        if weights is None or not weights.min() > _SCHMIDT_FLOOR**2:
            return None
        found.append(np.sqrt(weights / weights.sum()))
    return tuple(found)


def _diagonal(environment: Environment, groups: Groups) -> FloatArray | None:
    """Diagonal of an environment, if that is all of it."""
    weights = np.zeros(sum(map(len, groups)))
    for (above, below), values in environment.items():
        square = values[:, 0]
        diagonal = np.diagonal(square).real
        rest = square if above != below else square - np.diag(diagonal)
        if np.abs(rest).max() > _CANONICAL_ATOL:
            return None
        if above == below:
            weights[groups[above]] = diagonal
    return weights


def _infinite_form(state: InfiniteTrain) -> StateForm:
    defect = _infinite_defect(state)
    if not defect < _INFINITE_ATOL:
        raise ShapeError(
            f"the infinite state is {defect:.1e} off its right-canonical form; make it canonical "
            "with canonical_cell"
        )
    charges, modulus = bond_charges(state.cores, infinite=True)
    values = tuple(np.asarray(v) / np.linalg.norm(v) for v in state.schmidt_values)
    return StateForm(
        cores=state.cores, schmidt_values=values, charges=charges, modulus=modulus, infinite=True
    )


def _infinite_defect(state: InfiniteTrain) -> float:
    """How far an infinite state is from its canonical form."""
    worst = 0.0
    values = [np.asarray(v) / np.linalg.norm(v) for v in state.schmidt_values]
    for site, core in enumerate(state.cores):
        rows = core.reshape(len(core), -1)
        after = values[(site + 1) % state.cell]
        weighted = (values[site][:, None, None] * core).reshape(-1, core.shape[2])
        worst = max(
            worst,
            float(np.abs(rows @ rows.conj().T - np.eye(len(rows))).max()),
            float(np.abs(weighted.T @ weighted.conj() - np.diag(after**2)).max()),
        )
    return worst
