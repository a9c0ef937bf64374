"""Invariants of symmetries from reduced density matrices alone, a check of those from the bonds."""

from collections.abc import Sequence
from math import lcm

from phasenet.criteria import SPIN_SYMMETRIES, Symmetry
from phasenet.phases.compressed import MAX_BOND
from phasenet.phases.cuts import nearest_bond
from phasenet.phases.haegeman import haegeman_order
from phasenet.phases.many_body_values import ManyBodyInvariant, default_sites, missing
from phasenet.phases.partial import partial_reflection, partial_time_reversal
from phasenet.trains.form import State, StateForm, state_form


def many_body_invariants(
    state: State,
    symmetries: Sequence[Symmetry] = SPIN_SYMMETRIES,
    *,
    cell: int = 1,
    sites: int | None = None,
    max_bond: int = MAX_BOND,
) -> tuple[ManyBodyInvariant, ...]:
    """Many-body invariant of each symmetry of a state, at its cut.

    A commutation is measured by :func:`~phasenet.phases.haegeman.haegeman_order`, time reversal
    and inversion by those of :mod:`phasenet.phases.partial`. What does not fit a chain is NaN.

    Parameters
    ----------
    state
        Finite or infinite.
    symmetries
        What to look at; by default the symmetries of a chain of spins.
    cell
        Sites of a cell of an open chain. An infinite state has a cell of its own.
    sites
        Sites of a block, rounded down to whole cells and patterns; by default a fifth of a chain.
    max_bond
        Bound on the states kept on each bond.

    >>> from phasenet.phases.exact import aklt_cell
    >>> [invariant.sign for invariant in many_body_invariants(aklt_cell())]
    [-1, -1, -1]
    """
    form = state_form(state)
    period = form.length if form.infinite else cell
    return tuple(_invariant(form, symmetry, period, sites, max_bond) for symmetry in symmetries)


def _invariant(
    form: StateForm, symmetry: Symmetry, cell: int, sites: int | None, max_bond: int
) -> ManyBodyInvariant:
    name, patterns, cut = symmetry.name, symmetry.operators, symmetry.cut % cell
    commutation = symmetry.kind == "commutation"
    period = lcm(cell, *map(len, patterns))
    block = default_sites(form, period) if sites is None else sites // period * period
    reach = 3 * block if commutation else 2 * block
    centre = (form.length - (block if commutation else 0)) // 2
    bond = cut if form.infinite else nearest_bond(centre, cut, cell)
    first = bond - block
    if block < 1 or not (form.infinite or 0 <= first <= form.length - reach):
        cause = f"{form.length} sites are too few for blocks of {block or period} sites"
        return missing(name, "none", cause)
    if commutation:
        one, other = patterns
        return haegeman_order(form, one, other, block, start=first, max_bond=max_bond, name=name)
    if symmetry.kind == "time reversal":
        return partial_time_reversal(
            form, block, bond=bond, operators=patterns[0], max_bond=max_bond, name=name
        )
    operators = patterns[0] if patterns else ()
    return partial_reflection(
        form, block, bond=bond, operators=operators, max_bond=max_bond, name=name
    )
