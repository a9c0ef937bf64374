r"""Partial reflection and partial time reversal: invariants of a state around one bond.

Both act on half of the sites I = I1 u I2 around a bond, n on either side, and are numbers of the
reduced density matrix alone: Elben et al., Sci. Adv. 6, eaaz3666 (2020), arXiv:1906.05011; partial
reflection also in Pollmann, Turner, PRB 86, 125441 (2012). A block should hold whole cells.

A sign is an invariant only if the symmetry is unbroken: a cat state of two broken ones has the
value :math:`\sqrt 2`, one broken state tends to 0.
"""

from collections.abc import Sequence

import numpy as np

from phasenet.operators import Operator
from phasenet.phases.compressed import MAX_BOND, Stretch, acting, compressed, paired, purity
from phasenet.phases.many_body_values import (
    ManyBodyInvariant,
    bond_of,
    checked_sites,
    judged,
    named_bond,
)
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.train import Array
from phasenet.trains.transfer import apply_operator


def partial_reflection(
    state: State,
    sites: int | None = None,
    *,
    bond: int | None = None,
    operators: Sequence[Operator] = (),
    max_bond: int = MAX_BOND,
    name: str = "partial reflection",
) -> ManyBodyInvariant:
    r"""Expectation value of the reflection of the sites around a bond.

    .. math:: \tilde Z_R = \frac{\mathrm{tr}\,(\rho_I R_I)}
              {\sqrt{(\mathrm{tr}\,\rho_{I_1}^2 + \mathrm{tr}\,\rho_{I_2}^2) / 2}}

    It tends to the invariant of the inversion about this bond.

    Parameters
    ----------
    state
        Finite or infinite.
    sites
        n on each side of the bond; by default a fifth of a chain.
    bond
        The bond left of this site; by default the middle of a chain, the first of a cell.
    operators
        What acts on each site after the reflection: a pattern of unitaries that repeats from site 0
        on; by default nothing.
    max_bond
        Bound on the states kept on each bond; the cost is its fifth power.
    name
        Name of the result.

    >>> from phasenet.phases.exact import aklt_cell
    >>> print(f"{partial_reflection(aklt_cell(), 4).value:.4f}")
    -0.9993
    """
    form = state_form(state)
    sites, bond = checked_sites(form, sites), bond_of(form, bond)
    stretch = compressed(form, bond - sites, 2 * sites, max_bond)
    cores = stretch.cores
    kets = _mirrored(cores)
    if operators:
        actions = acting(operators, cores, bond - sites)
        kets = [apply_operator(*pair) for pair in zip(kets, actions, strict=True)]
    # From both ends to the middle: bonds (ket, bra) at the ends are (r, l) and (l, r).
    first = paired(kets[:sites], cores[:sites])
    second = paired(_mirrored(kets[sites:]), _mirrored(cores[sites:]))
    raw = np.einsum("l,rlmn,lrmn->", stretch.weights, first, second).real
    mean = _mean_purity(stretch, paired(cores[sites:], cores[sites:]))
    return _normalised(name, raw, mean**0.5, form, bond, stretch)


def partial_time_reversal(
    state: State,
    sites: int | None = None,
    *,
    bond: int | None = None,
    operators: Sequence[Operator] = ("Ry",),
    max_bond: int = MAX_BOND,
    name: str = "partial time reversal",
) -> ManyBodyInvariant:
    r"""Overlap of a reduced density matrix with itself, reversed in time on one side of a bond.

    .. math:: \tilde Z_T = \frac{\mathrm{tr}\,(\rho_I\, u\, \rho_I^{T_1} u^\dagger)}
              {\left[(\mathrm{tr}\,\rho_{I_1}^2 + \mathrm{tr}\,\rho_{I_2}^2) / 2\right]^{3/2}}

    with the transposition and the unitary u on the left sites only. It tends to the sign of the
    square of time reversal on this bond.

    Parameters
    ----------
    state
        Finite or infinite.
    sites
        n on each side of the bond; by default a fifth of a chain.
    bond
        The bond left of this site; by default the middle of a chain, the first of a cell.
    operators
        The unitary before complex conjugation, a pattern that repeats from site 0 on: R^y turns
        spins.
    max_bond
        Bound on the states kept on each bond; the cost is its sixth power.
    name
        Name of the result.

    >>> from phasenet.phases.exact import aklt_cell
    >>> print(f"{partial_time_reversal(aklt_cell(), 4).value:.4f}")
    -0.9984
    """
    form = state_form(state)
    sites, bond = checked_sites(form, sites), bond_of(form, bond)
    stretch = compressed(form, bond - sites, 2 * sites, max_bond)
    left, right = stretch.cores[:sites], stretch.cores[sites:]
    unitaries = acting(operators, left, bond - sites)
    turned = [
        apply_operator(core.conj(), unitary.T)
        for core, unitary in zip(left, unitaries, strict=True)
    ]
    # Two copies. Left of the bond ket meets ket and bra meets bra, right of it each the other kind.
    alike, unlike = paired(left, turned), paired(right, right)
    middle = alike.shape[2]
    ends = np.multiply.outer(stretch.weights, stretch.weights).ravel()
    kets = alike.reshape(-1, middle * middle)
    crossed = unlike.reshape(middle * middle, -1)
    before = (kets.T * ends) @ kets.conj()
    after = (crossed @ crossed.conj().T).reshape((middle,) * 4).transpose(0, 3, 2, 1)
    raw = np.vdot(before.conj(), np.ascontiguousarray(after)).real
    mean = _mean_purity(stretch, unlike)
    return _normalised(name, raw, mean**1.5, form, bond, stretch)


def _mean_purity(stretch: Stretch, right_pairs: Array) -> float:
    """Mean purity of the two halves of a stretch; the right one is paired with itself already."""
    sites = len(stretch.cores) // 2
    left = stretch.cores[:sites]
    one = purity(paired(left, left), stretch.lefts[0], stretch.rights[sites])
    other = purity(right_pairs, stretch.lefts[sites], stretch.rights[-1])
    return (one + other) / 2


def _mirrored(cores: Sequence[Array]) -> list[Array]:
    return [core.swapaxes(0, 2) for core in reversed(cores)]


def _normalised(
    name: str, raw: float, normalisation: float, form: StateForm, bond: int, stretch: Stretch
) -> ManyBodyInvariant:
    return judged(
        ManyBodyInvariant(
            name=name,
            value=float(raw / normalisation),
            raw=float(raw),
            normalisation=normalisation,
            sites=len(stretch.cores) // 2,
            cut=named_bond(form, bond),
            discarded=stretch.discarded,
            reason="",
        ),
        form,
    )
