"""Observables that tell phases apart: invariants, orders, and growth with the bond dimension."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from phasenet.criteria import Order, Symmetry
from phasenet.phases.central_charge import central_charge_of_growth
from phasenet.phases.criticality import Criticality, Verdict
from phasenet.phases.entanglement import entropies
from phasenet.phases.many_body import many_body_invariants
from phasenet.phases.observables import Observed, Quantity, estimated, number, profile, slug
from phasenet.phases.orders import MeasuredOrder, chain_order
from phasenet.phases.spt import Invariant
from phasenet.phases.state_observables import largest_bond, where
from phasenet.trains.correlation import correlation_length
from phasenet.trains.form import StateForm
from phasenet.trains.train import FloatArray, TensorTrain

_GROWTH = {"max_bond": "1", "correlation_length": "site", "entropy": "nat"}


def invariant_observables(found: Sequence[Invariant], end: str) -> Observed:
    """Invariants with their |eta|, at ``infinite`` or ``finite`` ends.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.phases.spt import invariants
    >>> found = invariant_observables(invariants(aklt_cell()), "infinite").quantities[0]
    >>> print(f"{found.name} {found.value:.0f}")
    z2xz2_infinite -1
    """
    quantities: list[Quantity] = []
    span = "cell" if end == "infinite" else "two sites"
    for invariant in found:
        name = slug(invariant.name)
        quantities += [
            number(
                f"{name}_{end}",
                f"SPT invariant of {invariant.name} ({invariant.cut}); 0 if undetermined",
                invariant.value,
            ),
            number(
                f"{name}_eta_{end}",
                f"|eta| of {invariant.name}, per {span}; 1 if the state is symmetric",
                invariant.eta,
            ),
        ]
    return Observed(quantities=tuple(quantities))


def many_body_observables(form: StateForm, symmetries: Sequence[Symmetry], cell: int) -> Observed:
    """Partial reflection, partial time reversal and block swap, as the symmetries ask.

    Parameters
    ----------
    form
        State.
    symmetries
        An inversion asks for a partial reflection, a commutation for a swap of blocks.
    cell
        Sites after which an open chain repeats.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> from phasenet.criteria import SPIN_SYMMETRIES
    >>> found = many_body_observables(state_form(aklt_cell()), SPIN_SYMMETRIES, 1).quantities[0]
    >>> print(f"{found.name} {found.value:.4f}")
    many_body_z2xz2_infinite -1.0000
    """
    kinds = {
        "commutation": "swap of two blocks",
        "time reversal": "partial time reversal",
        "inversion": "partial reflection",
    }
    quantities, open_ = [], []
    found = many_body_invariants(form, symmetries, cell=cell)
    for symmetry, invariant in zip(symmetries, found, strict=True):
        what = kinds[symmetry.kind]
        quantities.append(
            number(
                f"many_body_{slug(invariant.name)}_{where(form)}",
                f"{what}, normalised, blocks of {invariant.sites} sites ({invariant.cut}); near +1 "
                "or -1 for long blocks",
                invariant.value,
            )
        )
        if invariant.reason != "determined":
            open_.append((f"{what} for {invariant.name}", invariant.reason))
    return Observed(quantities=tuple(quantities), sentences=told_together(open_, form))


def told_together(reasons: Sequence[tuple[str, str]], form: StateForm) -> tuple[str, ...]:
    """Sentences on named things and their reasons, one for each reason.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> told_together([("Z2xZ2", "broken"), ("time reversal", "broken")], state_form(aklt_cell()))
    ('Z2xZ2, time reversal broken',)
    """
    names: dict[str, list[str]] = {}
    for name, reason in reasons:
        names.setdefault(reason, []).append(name)
    place = "" if form.infinite else " of the open chain"
    return tuple(f"{', '.join(who)}{place} {reason}" for reason, who in names.items())


def order_observables(found: Sequence[MeasuredOrder]) -> Observed:
    """Local orders of an infinite state.

    >>> found = MeasuredOrder(name="Neel order", threshold=0.05, value=0.5)
    >>> order_observables([found]).quantities[0].name
    'order_neel_order_infinite'
    """
    return Observed(
        quantities=tuple(
            number(
                f"order_{slug(order.name)}_infinite",
                f"{order.name} from correlations at a long distance; broken > {order.threshold:g}",
                order.value,
            )
            for order in found
        )
    )


def chain_order_observables(form: StateForm, orders: Sequence[Order]) -> Observed:
    """Local orders of an open chain, from correlations between two blocks of its bulk.

    >>> from phasenet.phases.exact import product_chain
    >>> from phasenet.trains.form import state_form
    >>> neel = Order(name="Neel order", operators=("Sz",), wavenumber=0.5)
    >>> form = state_form(product_chain([0, 1] * 8, 2))
    >>> print(f"{chain_order_observables(form, [neel]).quantities[0].value:.1f}")
    0.5
    """
    state = TensorTrain(cores=form.cores)
    return Observed(
        quantities=tuple(
            number(
                f"order_{slug(order.name)}_finite",
                f"{order.name} from correlations between two blocks of the bulk",
                chain_order(state, order),
            )
            for order in orders
        )
    )


def criticality_observables(found: Criticality) -> Observed:
    """How an infinite state grows with its bond dimension; NaN where that is not known.

    >>> found = Criticality(verdict=Verdict.CRITICAL, growth=1.34, central_charge=1.0)
    >>> [one.value for one in criticality_observables(found).quantities]
    [1.0, 1.34, 1.0]
    """
    gapped = found.verdict is Verdict.GAPPED
    return Observed(
        quantities=(
            number(
                "critical",
                "1 if the state grows with its bond dimension as a critical one, 0 if gapped",
                math.nan if found.verdict is Verdict.UNDETERMINED else float(not gapped),
            ),
            number(
                "growth_exponent",
                "kappa of xi ~ max_bond^kappa over the last doubling of max_bond",
                found.growth,
            ),
            number(
                "central_charge",
                "6 dS / d ln xi over the last doubling of max_bond; none if gapped",
                math.nan if gapped else found.central_charge,
            ),
        )
    )


def growth_observables(history: Mapping[str, FloatArray], form: StateForm) -> Observed:
    """An infinite state at every bond dimension on the way, the state itself last.

    Parameters
    ----------
    history
        Of :class:`phasenet.records.GroundState`.
    form
        The state itself.

    >>> from phasenet.phases.exact import aklt_cell
    >>> from phasenet.trains.form import state_form
    >>> found = growth_observables({}, state_form(aklt_cell())).profiles[0]
    >>> print(found.name, found.values.tolist())
    growth_max_bond [2.0]
    """
    last = {
        "max_bond": float(largest_bond(form)),
        "correlation_length": correlation_length(form),
        "entropy": float(entropies(form)[0]),
    }
    bonds = np.asarray(history.get("max_bond", ()), dtype=np.float64)
    complete = len(bonds) and bonds[-1] >= last["max_bond"]
    curves = {}
    for name in _GROWTH:
        before = np.asarray(history.get(name, np.full(len(bonds), math.nan)))
        curves[name] = before if complete else np.append(before, last[name])
    charge = central_charge_of_growth(curves["correlation_length"], curves["entropy"])
    meaning = "slope of the entropy over ln(xi)/6 along the bond dimensions; only if critical"
    return Observed(
        quantities=(estimated("central_charge_growth", meaning, charge),),
        profiles=tuple(
            profile(
                f"growth_{name}",
                f"{name.replace('_', ' ')} at each step of the search for the infinite state",
                ["step"],
                values,
                _GROWTH[name],
            )
            for name, values in curves.items()
        ),
    )
