r"""Stretches of a state on few states a bond, and what overlaps of its copies are made of.

A many-body invariant is an overlap of several copies of a reduced density matrix, at a cost of
:math:`n \chi^5` or :math:`\chi^6`. High powers of the Schmidt values enter, so that the largest of
them are enough; the numbers are then exact for the state that is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phasenet.errors import SettingsError
from phasenet.operators import Operator, frozen, is_unitary
from phasenet.phases.spins import on_site
from phasenet.trains.form import StateForm
from phasenet.trains.train import Array, FloatArray, IntArray
from phasenet.trains.transfer import contract_site

MAX_BOND = 16
"""States kept on each bond."""

_DEGENERATE_TOL = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class Stretch:
    """Consecutive sites of a normalised state, with few states on each bond.

    Parameters
    ----------
    cores
        Axes (left, site, right).
    weights
        Left environment of the first core, a diagonal matrix; the right one of the last is 1.
    discarded
        Weight of the state that was lost.
    """

    cores: tuple[Array, ...]
    weights: FloatArray
    discarded: float

    @cached_property
    def lefts(self) -> tuple[Array, ...]:
        """Left environment of each core, and what comes after the last, as matrices (ket, bra)."""
        found = [np.diag(self.weights)[None]]
        for core in self.cores:
            found.append(contract_site(found[-1], core, core))
        return tuple(values[0] for values in found)

    @cached_property
    def rights(self) -> tuple[Array, ...]:
        """What comes before the first core, and the right environment of each."""
        found = [np.eye(self.cores[-1].shape[2])[None]]
        for core in reversed(self.cores):
            mirrored = core.swapaxes(0, 2)
            found.append(contract_site(found[-1], mirrored, mirrored))
        return tuple(values[0] for values in reversed(found))


def compressed(form: StateForm, first: int, count: int, max_bond: int) -> Stretch:
    """Stretch of a state, projected on the largest Schmidt values of its bonds.

    Degenerate Schmidt values at the edge are left out together.

    Parameters
    ----------
    form
        The state; an infinite one repeats, and counts its sites from below zero as well.
    first, count
        First site, and number of sites.
    max_bond
        Bound on the states kept on each bond.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> print(f"{compressed(state_form(aklt_cell()), -3, 6, 1).discarded:.3f}")
    0.999
    """
    if max_bond < 1:
        raise SettingsError(f"max_bond is {max_bond}; keep 1 state or more on each bond")
    end = first + count
    if count < 1 or not (form.infinite or 0 <= first < end <= form.length):
        raise SettingsError(
            f"sites {first} to {end - 1} do not fit a state of {form.length} sites; give fewer "
            "sites or another bond"
        )
    kept = [_kept(form, bond, max_bond) for bond in range(first, end + 1)]
    cores = [
        form.cores[(first + k) % form.length][kept[k]][:, :, kept[k + 1]] for k in range(count)
    ]
    weights = form.left_weights(first)[kept[0]]
    stretch = Stretch(cores=tuple(cores), weights=weights, discarded=0.0)
    norm = float(np.trace(stretch.lefts[-1]).real)
    if not norm > 0.0:
        raise SettingsError(f"max_bond {max_bond} leaves nothing of the state; give a larger one")
    # Of a state of few states nothing is lost, but for rounding.
    lost = max(0.0, round(1.0 - norm, 14))
    return Stretch(cores=stretch.cores, weights=weights / norm, discarded=lost)


def paired(kets: Sequence[Array], bras: Sequence[Array]) -> Array:
    r"""Transfer through sites of two trains, all bonds open.

    .. math:: \sum_{s_1 \dots s_n} (K^{s_1} \dots K^{s_n})_{aa'}
              (\bar{B}^{s_1} \dots \bar{B}^{s_n})_{bb'}

    Parameters
    ----------
    kets, bras
        Cores K and B; ``bras`` are conjugated here.

    Returns
    -------
    Array of shape (ket left, bra left, ket right, bra right).

    >>> print(paired([np.full((1, 2, 1), 0.6)], [np.ones((1, 2, 1))])[0, 0, 0, 0])
    1.2
    """
    shape = (kets[0].shape[0], bras[0].shape[0])
    # The open left bonds come last, so that no product has to move them.
    values: Array = np.eye(shape[0] * shape[1]).reshape(*shape, -1)
    for ket, bra in zip(kets, bras, strict=True):
        rows = (ket.shape[2], bra.shape[0], -1)
        columns = values.reshape(len(values), -1)
        parts = (
            bra[:, s].conj().T @ (ket[:, s].T @ columns).reshape(rows)
            for s in range(ket.shape[1])
            if ket[:, s].any() and bra[:, s].any()
        )
        empty = np.zeros((ket.shape[2], bra.shape[2], values.shape[2]))
        values = sum(parts, start=empty)
    return values.reshape(*values.shape[:2], *shape).transpose(2, 3, 0, 1)


def purity(pairs: Array, left: Array, right: Array) -> float:
    r"""Purity :math:`\mathrm{tr} \rho^2` of the reduced density matrix of some sites.

    Parameters
    ----------
    pairs
        The :func:`paired` cores of these sites with themselves.
    left, right
        Environments to both sides of them, matrices (ket, bra).

    >>> mixed = np.eye(2) / 2
    >>> cores = [np.eye(2).reshape(1, 2, 2)]
    >>> print(purity(paired(cores, cores), np.eye(1), mixed))
    0.5
    """
    # Two copies: the ket of each meets the bra of the other on the sites, its own bra outside.
    a, b, m, n = pairs.shape
    other = np.tensordot(left, pairs, axes=(0, 0)).reshape(a, b, m * n)
    other = np.matmul(left, other).reshape(a * b, m, n)
    other = np.matmul(right.T, np.matmul(other, right.T)).reshape(a, b, m, n)
    return float(np.vdot(pairs, other).real)


def acting(pattern: Sequence[Operator], cores: Sequence[Array], first: int) -> list[Array]:
    """Unitaries on consecutive sites of a pattern that repeats from site 0 on.

    Parameters
    ----------
    pattern
        Operators, names or matrices.
    cores
        Cores of the sites.
    first
        Site of the first core.

    >>> found = acting(("X", "1"), [np.ones((1, 2, 1))] * 2, 5)
    >>> print(found[1].tolist())
    [[0.0, 1.0], [1.0, 0.0]]
    """
    if not pattern:
        raise SettingsError("a pattern of operators is empty; give one operator or more")
    pattern = frozen(pattern)
    for operator in pattern:
        if not is_unitary(operator):
            raise SettingsError(f"a symmetry acts with {operator!r}; wanted a unitary")
    return [
        on_site(pattern[(first + k) % len(pattern)], core.shape[1]) for k, core in enumerate(cores)
    ]


def _kept(form: StateForm, bond: int, max_bond: int) -> IntArray:
    """Indices of a bond with the largest Schmidt values."""
    if not form.infinite and bond == form.length:
        return np.arange(1)
    weights = form.left_weights(bond)
    order = np.argsort(-weights, kind="stable")
    count = min(max_bond, len(weights))
    values = weights[order]
    while 0 < count < len(values) and values[count] > (1 - _DEGENERATE_TOL) * values[count - 1]:
        count -= 1
    return np.sort(order[: count or max_bond])
