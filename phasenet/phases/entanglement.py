r"""Entanglement of one cut and of all: Schmidt values, spectrum by charge, entropies.

Levels are :math:`\epsilon_a = -2 \ln s_a`, so that a cut has the density matrix
:math:`e^{-\epsilon}`.
"""

from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.train import FloatArray

# Levels of less weight are cut by the bond dimension or by the search, and with them multiplets.
_LEAST_WEIGHT = 1e-3
_SPLITTING_TOL = 1e-2


@dataclass(frozen=True, kw_only=True, eq=False)
class EntanglementSpectrum:
    r"""Entanglement spectrum of one cut.

    Parameters
    ----------
    bond
        As in :func:`schmidt_values`.
    levels
        :math:`-2 \ln s_a`, rising, in nats.
    charges
        :math:`S^z` of the sites left of the cut in each level. Of an infinite state it is known up
        to a constant for each cut, chosen so that the mean is as close to 0 as it can be; where
        only its parity is conserved, it is modulo 2, and of an infinite state relative to the
        lowest level. Zeros where nothing is conserved.
    conserved
        ``Sz``, ``parity of Sz`` or ``nothing``.
    """

    bond: int
    levels: FloatArray
    charges: FloatArray
    conserved: str

    @property
    def schmidt_values(self) -> FloatArray:
        """Schmidt values, largest first."""
        return np.asarray(np.exp(-self.levels / 2))

    @property
    def entropy(self) -> float:
        """Von Neumann entropy in nats."""
        return schmidt_entropy(self.schmidt_values)

    @property
    def renyi_entropy(self) -> float:
        """Second Renyi entropy in nats."""
        return renyi_entropy(self.schmidt_values)

    @property
    def multiplicities(self) -> tuple[int, ...]:
        """How many levels are degenerate, lowest first, as far as their weight is above 0.001."""
        return _multiplicities(self.schmidt_values)

    @property
    def even_degenerate(self) -> bool:
        """Whether the levels agree in pairs, see :func:`is_even_degenerate`."""
        return is_even_degenerate(self.schmidt_values)

    def sector(self, charge: float) -> FloatArray:
        """Levels of one charge, rising."""
        return np.asarray(self.levels[self.charges == charge])

    def __str__(self) -> str:
        shown = ", ".join(str(count) for count in self.multiplicities)
        return f"bond {self.bond}: S={self.entropy:.6f}, multiplicities {shown}"


def entanglement_spectrum(state: State, bond: int | None = None) -> EntanglementSpectrum:
    """Entanglement spectrum of one cut, by charge.

    Parameters
    ----------
    state
        Finite or infinite.
    bond
        As in :func:`schmidt_values`; by default the middle of a chain, or the left of the cell.

    >>> from phasenet.phases.exact import aklt_cell
    >>> found = entanglement_spectrum(aklt_cell())
    >>> print(found, found.charges.tolist())
    bond 0: S=0.693147, multiplicities 2 [0.5, -0.5]
    """
    form = state_form(state)
    bonds = form.length if form.infinite else form.length - 1
    chosen = (0 if form.infinite else (form.length - 1) // 2) if bond is None else bond
    if not 0 <= chosen < bonds:
        raise SettingsError(f"bond is {chosen}; the state has {bonds} bonds, counted from 0")
    place = chosen if form.infinite else chosen + 1
    values, charges = form.schmidt_values[place], _charges(form, place)
    levels, charges = -2.0 * np.log(values[values > 0.0]), charges[values > 0.0]
    # Within a level by falling charge; rounding must not mix what is degenerate.
    order = np.lexsort((-charges, np.round(levels, 9)))
    names = {0: "Sz", 4: "parity of Sz"}
    return EntanglementSpectrum(
        bond=chosen,
        levels=levels[order] + 0.0,
        charges=charges[order],
        conserved=names.get(form.modulus, "nothing"),
    )


def schmidt_values(state: State) -> tuple[FloatArray, ...]:
    """Schmidt values of each cut, largest first, with squares that sum to 1.

    Bond i of a chain is between its sites i and i + 1; of an infinite state, to the left of site i
    of its cell.

    >>> from phasenet.trains.train import TensorTrain
    >>> [s.round(3).tolist() for s in schmidt_values(TensorTrain(cores=(np.ones((1, 2, 1)),) * 3))]
    [[1.0], [1.0]]
    """
    form = state_form(state)
    values = form.schmidt_values if form.infinite else form.schmidt_values[1:]
    return tuple(np.sort(np.asarray(s))[::-1] for s in values)


def schmidt_entropy(values: FloatArray) -> float:
    r"""Von Neumann entropy of one cut in nats: :math:`-\sum p_a \ln p_a`, :math:`p_a \sim s_a^2`.

    >>> print(f"{schmidt_entropy(np.ones(2)):.6f}")
    0.693147
    """
    p = np.asarray(values, dtype=np.float64) ** 2
    p = p[p > 0.0] / p.sum()
    return float(-np.sum(p * np.log(p))) + 0.0


def renyi_entropy(values: FloatArray, order: float = 2.0) -> float:
    r"""Renyi entropy of one cut in nats: :math:`\ln(\sum_a p_a^n) / (1 - n)`, n not 1.

    >>> print(f"{renyi_entropy(np.array([1.0, 1.0, 0.0])):.6f}")
    0.693147
    """
    if not order > 0.0 or order == 1.0:
        raise SettingsError(f"order is {order}; wanted a positive one, and schmidt_entropy for 1")
    p = np.asarray(values, dtype=np.float64) ** 2
    p = p[p > 0.0] / p.sum()
    return float(np.log(np.sum(p**order)) / (1.0 - order)) + 0.0


def entropies(state: State) -> FloatArray:
    """Von Neumann entropy in nats of each bond of :func:`schmidt_values`.

    >>> from phasenet.trains.train import TensorTrain
    >>> print(entropies(TensorTrain(cores=(np.ones((1, 2, 1)),) * 3)).round(6).tolist())
    [0.0, 0.0]
    """
    return np.array([schmidt_entropy(values) for values in schmidt_values(state)])


def doublet_splitting(values: FloatArray) -> float:
    r"""Relative splitting of the two largest levels, :math:`(s_1^2 - s_2^2)/(s_1^2 + s_2^2)`.

    Zero in the Haldane phase, where every level is evenly degenerate (Pollmann, Turner, Berg,
    Oshikawa, PRB 81, 064439 (2010)), but also in a cat state: judge together with the symmetry.

    >>> print(f"{doublet_splitting(np.array([0.8, 0.6])):.2f}")
    0.28
    """
    p = np.sort(np.asarray(values, dtype=np.float64))[::-1][:2] ** 2
    return 1.0 if len(p) < 2 else float((p[0] - p[1]) / (p[0] + p[1]))


def odd_weight(values: FloatArray) -> float:
    r"""How far a cut is from even degeneracy: :math:`p_1 - p_2 + p_3 - \dots`, p falling.

    0 if every level is evenly degenerate, 1 of a product state.

    >>> print(f"{odd_weight(np.sqrt([0.4, 0.4, 0.15, 0.05])):.2f}")
    0.10
    """
    p = np.sort(np.asarray(values, dtype=np.float64) ** 2)[::-1]
    return float((p[::2].sum() - p[1::2].sum()) / p.sum())


def is_even_degenerate(values: FloatArray, splitting_tol: float = _SPLITTING_TOL) -> bool:
    """Whether all levels of a cut agree in pairs, those of little weight less strictly.

    The ends of an open chain split them, the less the farther the cut is from both.

    Parameters
    ----------
    values
        Schmidt values in any order.
    splitting_tol
        Largest :func:`odd_weight`.

    >>> is_even_degenerate(np.ones(2)), is_even_degenerate(np.array([0.7, 0.7, 0.2]))
    (True, False)
    """
    return odd_weight(values) < splitting_tol


def _multiplicities(values: FloatArray) -> tuple[int, ...]:
    p = np.sort(np.asarray(values, dtype=np.float64) ** 2)[::-1] / np.sum(values**2)
    # A level ends where the next one is lower by more than the tolerance.
    steps = np.append((p[:-1] - p[1:]) / (p[:-1] + p[1:]) >= _SPLITTING_TOL, True)
    ends = np.flatnonzero(steps)
    starts = np.append(0, ends[:-1] + 1)
    return tuple(
        int(end - start + 1)
        for start, end in zip(starts, ends, strict=True)
        if p[start] >= _LEAST_WEIGHT
    )


def _charges(form: StateForm, place: int) -> FloatArray:
    """S^z of each index of a bond, from units of 1/2."""
    charges, weights = form.charges[place], form.schmidt_values[place] ** 2
    if form.infinite and form.modulus == 0:
        charges = charges - round(float(np.sum(weights * charges)))
    elif form.infinite and form.modulus > 1:
        charges = (charges - charges[np.argmax(weights)]) % form.modulus
    return np.asarray(charges / 2)
