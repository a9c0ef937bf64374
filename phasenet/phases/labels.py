"""The phase of a point, from what its infinite ground state shows.

Each criterion of a phase holds, fails, or is open. A phase is recognised where all its criteria
hold, and ruled out where one fails. The first phase that is not ruled out decides: if a criterion
of it is open, the point has no label.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from phasenet.card import Phase
from phasenet.phases.criticality import Criticality, Verdict
from phasenet.phases.orders import MeasuredOrder
from phasenet.phases.spt import Invariant
from phasenet.points import ParameterPoint
from phasenet.records import PointLabel

BROKEN = 0.99
"""Modulus of eta below which a symmetry is broken beyond doubt, so that its invariant fails."""

_CHARGE_TOL = 0.2
_UNKNOWN = Criticality(verdict=Verdict.UNDETERMINED, growth=math.nan, central_charge=math.nan)


@dataclass(frozen=True, kw_only=True)
class _Criterion:
    """Whether one criterion holds (None: open), and why not."""

    holds: bool | None
    reason: str = ""


def label_point(
    point: ParameterPoint,
    found: Sequence[Invariant],
    phases: Sequence[Phase],
    *,
    correlation_length: float,
    longest: float,
    converged: bool,
    orders: Sequence[MeasuredOrder] = (),
    criticality: Criticality | None = None,
) -> PointLabel:
    """Label of a point, and whether its finite chain may be trained on.

    Parameters
    ----------
    point
        Couplings.
    found
        Invariants of the infinite ground state.
    phases
        Known phases; the first that is not ruled out decides.
    correlation_length
        Of the infinite ground state, in sites.
    longest
        Correlation length, in sites, up to which the finite chain shows the bulk phase; it does not
        matter in a gapless phase, which has none.
    converged
        Whether the infinite ground state met its tolerances; if not, the reason says so.
    orders
        Local order parameters of the infinite ground state.
    criticality
        Whether it has a gap; asked for only where one of the phases has none.

    Returns
    -------
    Split ``train`` means: may be trained on. Without a label, the reason names what is open.
    """
    gapless = any(phase.central_charge is not None for phase in phases)
    state = _State(
        invariants=tuple(found),
        orders=tuple(orders),
        criticality=(criticality or _UNKNOWN) if gapless else None,
    )
    shown = state.described()
    for phase in phases:
        criteria = state.criteria(phase)
        if any(criterion.holds is False for criterion in criteria):
            continue
        open_ = [criterion.reason for criterion in criteria if criterion.holds is None]
        if open_:
            return PointLabel(point=point, label=None, split="unlabelled", reason=open_[0])
        near = phase.central_charge is None and correlation_length > longest
        length = f"correlation length {correlation_length:.1f} sites"
        note = f"; {length}, above {longest:g}: not trained on" if near else f"; {length}"
        note += "" if converged else "; infinite DMRG stopped at its sweep limit"
        split = "critical" if near else "train"
        return PointLabel(point=point, label=phase.label, split=split, reason=shown + note)
    reason = f"{shown} match no known phase"
    return PointLabel(point=point, label=None, split="unlabelled", reason=reason)


@dataclass(frozen=True, kw_only=True)
class _State:
    """What a state shows; criticality only where the study has a gapless phase."""

    invariants: tuple[Invariant, ...]
    orders: tuple[MeasuredOrder, ...]
    criticality: Criticality | None

    def criteria(self, phase: Phase) -> list[_Criterion]:
        """Return the criteria of one phase."""
        invariants = {invariant.name: invariant for invariant in self.invariants}
        orders = {order.name: order for order in self.orders}
        return [
            *(_order(name, orders.get(name), asked) for name, asked in phase.orders.items()),
            *([_gap(self.criticality, phase)] if self.criticality else []),
            *(
                _invariant(name, invariants.get(name), asked)
                for name, asked in phase.invariants.items()
            ),
        ]

    def described(self) -> str:
        """Return everything in one line."""
        parts = [f"{found.name} {_shown(found)}" for found in self.invariants]
        parts += [str(order) for order in self.orders]
        parts += [str(self.criticality)] if self.criticality else []
        return ", ".join(parts) or "nothing measured"


def _shown(found: Invariant) -> str:
    if found.value:
        return f"{found.value:+d}"
    return "undetermined" if found.eta >= BROKEN else "symmetry broken"


def _invariant(name: str, found: Invariant | None, asked: int) -> _Criterion:
    if found is None:
        return _Criterion(holds=None, reason=f"{name} undetermined: not measured")
    if found.value == 0 and found.eta >= BROKEN:
        return _Criterion(holds=None, reason=f"{name} {found.reason}")
    return _Criterion(holds=found.value == asked)


def _order(name: str, found: MeasuredOrder | None, asked: bool) -> _Criterion:
    if found is None:
        return _Criterion(holds=None, reason=f"{name} undetermined: not measured")
    if found.present is None:
        reason = f"{name} undetermined: {found.value:.3g} is close to {found.threshold:g}"
        return _Criterion(holds=None, reason=reason)
    return _Criterion(holds=found.present == asked)


def _gap(found: Criticality, phase: Phase) -> _Criterion:
    """A gap, or a gapless phase's central charge; a broken symmetry speaks for itself."""
    if phase.central_charge is None and any(phase.orders.values()):
        return _Criterion(holds=True)
    if found.verdict is Verdict.UNDETERMINED:
        return _Criterion(holds=None, reason=f"gap undetermined: {found}")
    if phase.central_charge is None:
        return _Criterion(holds=found.verdict is Verdict.GAPPED)
    if found.verdict is Verdict.GAPPED:
        return _Criterion(holds=False)
    wrong = abs(found.central_charge - phase.central_charge)
    return _Criterion(holds=wrong <= _CHARGE_TOL * phase.central_charge)
