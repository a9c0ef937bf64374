"""The phase of a point, from the invariants of its infinite ground state."""

from collections.abc import Sequence

from phasenet.card import Phase
from phasenet.phases.spt import Invariant
from phasenet.points import ParameterPoint
from phasenet.records import PointLabel


def label_point(
    point: ParameterPoint,
    found: Sequence[Invariant],
    phases: Sequence[Phase],
    *,
    correlation_length: float,
    longest: float,
    converged: bool,
) -> PointLabel:
    """Label of a point, and whether its finite chain may be trained on.

    Parameters
    ----------
    point
        Couplings.
    found
        Invariants of the infinite ground state.
    phases
        Known phases; the first whose invariants all agree gives the label.
    correlation_length
        Of the infinite ground state, in sites.
    longest
        Correlation length, in sites, up to which the finite chain shows the bulk phase.
    converged
        Whether the infinite ground state met its tolerances; if not, the reason says so.

    Returns
    -------
    Split ``train`` means: may be trained on. An undetermined invariant leaves no label.
    """
    values = {invariant.name: invariant.value for invariant in found}
    undetermined = [invariant for invariant in found if invariant.value == 0]
    asked = {name for phase in phases for name in phase.invariants}
    for invariant in undetermined:
        if invariant.name in asked:
            reason = f"{invariant.name} undetermined: {invariant.reason}"
            return PointLabel(point=point, label=None, split="unlabelled", reason=reason)
    shown = ", ".join(f"{name} {value:+d}" for name, value in values.items())
    for phase in phases:
        if all(values.get(name) == value for name, value in phase.invariants.items()):
            near = correlation_length > longest
            length = f"correlation length {correlation_length:.1f} sites"
            note = f"; {length}, above {longest:g}: not trained on" if near else f"; {length}"
            note += "" if converged else "; infinite DMRG stopped at its sweep limit"
            return PointLabel(
                point=point,
                label=phase.label,
                split="critical" if near else "train",
                reason=shown + note,
            )
    reason = f"{shown} match no known phase"
    return PointLabel(point=point, label=None, split="unlabelled", reason=reason)
