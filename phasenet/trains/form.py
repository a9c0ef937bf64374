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
from phasenet.trains.cells import canonical_cell, canonical_defect
from phasenet.trains.chains import SCHMIDT_FLOOR, chain_form
from phasenet.trains.charges import bond_charges, graded_cores, kept_indices
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, FloatArray, IntArray, TensorTrain

# Off the canonical form by less, cores are taken as they are: DMRG leaves 1e-12.
_CANONICAL_ATOL = 1e-9
_INFINITE_ATOL = 1e-6


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

    Charges that the cores have are kept, and cores that are canonical already, to the last bit.

    Raises
    ------
    ShapeError
        The state has an output leg or norm zero, or an entry that is not finite; or it is infinite
        and its cell has no canonical form, see :func:`phasenet.trains.cells.canonical_cell`.

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
    _check_finite(state.cores)
    return _canonical_chain(state.cores) or _made_canonical(state.cores)


def _check_finite(cores: Sequence[Array]) -> None:
    for site, core in enumerate(cores):
        if not np.isfinite(core).all():
            raise ShapeError(f"core {site} of the state has entries that are not finite numbers")


def _canonical_chain(cores: Sequence[Array]) -> StateForm | None:
    """Form of a chain whose cores are canonical and in the Schmidt basis, else None."""
    for core in cores[1:]:
        rows = core.reshape(len(core), -1)
        # Rows of norm 1 have no larger entries; the product of others might overflow.
        if np.abs(rows).max() > 2.0 or not _orthonormal(rows):
            return None
    largest = float(np.abs(cores[0]).max())
    if largest == 0.0:
        raise ShapeError("the state has norm zero; it has no expectation values")
    first = cores[0] / largest
    scaled = (first / np.linalg.norm(first), *cores[1:])
    charges, modulus = bond_charges(scaled, infinite=False)
    blocks = graded_cores(scaled, charges, modulus, infinite=False)
    left: dict[Key, Array] = {(0, 0): np.ones((1, 1, 1))}
    found = [np.ones(1)]
    for block in blocks[:-1]:
        left = through(left, block, block)
        weights = _diagonal(left, block.right)
        if weights is None or not weights.min() > SCHMIDT_FLOOR**2:
            return None
        found.append(np.sqrt(weights / weights.sum()))
    form = StateForm(
        cores=scaled, schmidt_values=tuple(found), charges=charges, modulus=modulus, infinite=False
    )
    # The cached property need not find them once more.
    vars(form)["blocks"] = blocks
    return form


def _orthonormal(rows: Array) -> bool:
    return bool(np.abs(rows @ rows.conj().T - np.eye(len(rows))).max() < _CANONICAL_ATOL)


def _made_canonical(cores: Sequence[Array]) -> StateForm:
    kept = kept_indices(cores, infinite=False)
    if not all(map(len, kept)):
        raise ShapeError("the state has norm zero; it has no expectation values")
    short = [
        core[np.ix_(before, np.arange(core.shape[1]), after)]
        for core, before, after in zip(cores, kept, kept[1:], strict=False)
    ]
    found, modulus = bond_charges(short, infinite=False)
    canonical, values, charges = chain_form(short, found, modulus)
    return StateForm(
        cores=canonical, schmidt_values=values, charges=charges, modulus=modulus, infinite=False
    )


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
    _check_finite(state.cores)
    weights = np.concatenate([np.abs(v) / np.linalg.norm(v) for v in state.schmidt_values])
    if not weights.min() > SCHMIDT_FLOOR or not canonical_defect(state) < _INFINITE_ATOL:
        state = canonical_cell(state.cores)
    charges, modulus = bond_charges(state.cores, infinite=True)
    values = tuple(np.asarray(v) / np.linalg.norm(v) for v in state.schmidt_values)
    return StateForm(
        cores=state.cores, schmidt_values=values, charges=charges, modulus=modulus, infinite=True
    )
