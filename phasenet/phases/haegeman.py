r"""Order parameter of two commuting symmetries that needs neither edges nor bond matrices.

Haegeman, Perez-Garcia, Cirac, Schuch, PRL 109, 050402 (2012), arXiv:1201.4174: swap two blocks of
a state, act with g on the ket and with h on the bra of one of them and of the block in between.
"""

import math
from collections.abc import Sequence

import numpy as np

from phasenet.operators import Operator
from phasenet.phases.compressed import MAX_BOND, Stretch, acting, compressed, paired
from phasenet.phases.many_body_values import ManyBodyInvariant, checked_sites, judged, named_bond
from phasenet.trains.form import State, StateForm, state_form
from phasenet.trains.train import Array
from phasenet.trains.transfer import apply_operator


def haegeman_order(
    state: State,
    first: Sequence[Operator],
    second: Sequence[Operator],
    sites: int | None = None,
    *,
    start: int | None = None,
    max_bond: int = MAX_BOND,
    name: str = "block swap",
) -> ManyBodyInvariant:
    r"""Whether two symmetries of order two commute on the bonds, from a swap of two blocks.

    .. math:: \omega = \frac{E(g, h)}{E(1, 1)},\quad
              E(g, h) = \langle\psi| (h_1 h_2)^\dagger\, \mathrm{SWAP}_{13}\, g_1 g_2 |\psi\rangle

    with g and h on all sites of adjacent blocks 1, 2, 3, anywhere in the state. E(1, 1) tends to
    :math:`(\mathrm{tr}\,\rho^2)^2` of a cut, and :math:`\omega` to +1 or -1: the real part is
    returned.

    Parameters
    ----------
    state
        Finite or infinite.
    first, second
        Unitaries of g and h: patterns of operators that repeat from site 0 on.
    sites
        Sites of a block, whole patterns; it should also hold whole cells. By default a fifth of a
        chain, so that as much is left on both sides.
    start
        First site of block 1; by default the blocks are in the middle of a chain, or start with the
        cell. The result belongs to the bonds around the blocks, which should be alike.
    max_bond
        Bound on the states kept on each bond; the cost is its sixth power.
    name
        Name of the result.

    >>> from phasenet.phases.exact import aklt_cell
    >>> print(f"{haegeman_order(aklt_cell(), ['Rz'], ['Rx'], 4).value:.4f}")
    -0.9982
    """
    form = state_form(state)
    sites = checked_sites(form, sites, math.lcm(*(max(1, len(p)) for p in (first, second))))
    start = _centred(form, sites, start)
    stretch = compressed(form, start, 3 * sites, max_bond)
    kets, bras = (_applied(stretch, pattern, start) for pattern in (first, second))
    normalisation = swapped(stretch, stretch.cores, stretch.cores).real
    raw = swapped(stretch, kets, bras).real
    return judged(
        ManyBodyInvariant(
            name=name,
            value=raw / normalisation if normalisation else math.nan,
            raw=raw,
            normalisation=normalisation,
            sites=sites,
            cut=named_bond(form, start + sites),
            discarded=stretch.discarded,
            reason="" if normalisation else "undetermined: the swap of the blocks has no weight",
        ),
        form,
    )


def swapped(stretch: Stretch, kets: Sequence[Array], bras: Sequence[Array]) -> complex:
    r"""Overlap of two trains after a swap of the first and the last third of the ket.

    Parameters
    ----------
    stretch
        Cores of all three blocks, and what is left of them.
    kets, bras
        Cores of the first two blocks of the ket and of the bra, in which operators may act; what
        follows is not looked at.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> blocks = compressed(state_form(aklt_cell()), 0, 12, 2)
    >>> print(f"{swapped(blocks, blocks.cores, blocks.cores).real:.4f}")
    0.2503
    """
    n = len(stretch.cores) // 3
    last = stretch.cores[2 * n :]
    # Indices: ends l, r; bonds a, b of the ket and c, d of the bra between blocks 1|2 and 2|3.
    front = paired(last, bras[:n]).transpose(1, 2, 0, 3)  # l r b c
    back = paired(kets[:n], last).transpose(0, 3, 2, 1)  # l r a d
    inner = paired(kets[n : 2 * n], bras[n : 2 * n]).transpose(2, 1, 0, 3)  # b c a d
    ends, size = front.shape[0] * front.shape[1], front.shape[2] * front.shape[3]
    weighted = stretch.weights[:, None, None, None] * front
    through = weighted.reshape(ends, size) @ inner.reshape(size, -1)
    return complex(np.sum(through * back.reshape(ends, -1)))


def _applied(stretch: Stretch, pattern: Sequence[Operator], start: int) -> list[Array]:
    actions = acting(pattern, stretch.cores, start)
    return [apply_operator(*pair) for pair in zip(stretch.cores, actions, strict=True)]


def _centred(form: StateForm, sites: int, start: int | None) -> int:
    if start is not None:
        return start
    return 0 if form.infinite else (form.length - 3 * sites) // 2
