"""Estimates of one boundary from the observables along a line, each named by its method."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from phasenet.phases.crossings import crossing, sign_changes
from phasenet.phases.estimates import Estimate
from phasenet.phases.fidelity import susceptibility
from phasenet.phases.lines import Section
from phasenet.phases.peaks import smooth_peak
from phasenet.phases.singularities import divergence, onset
from phasenet.phases.sized import bond_curves
from phasenet.trains.train import FloatArray

PEAK_METHOD = "correlation length peak"
DIVERGENCE_METHOD = "correlation length divergence"
ENTROPY_METHOD = "entropy peak"
SUSCEPTIBILITY_METHOD = "fidelity susceptibility peak"
CROSSING_METHOD = "classifier crossing"
OF_THE_OPEN_CHAIN = ", open chain"

_ORDERS = ("string_", "order_")
# Name of the string with identity ends beside that of the string itself.
_IDENTITY_ENDS = "_ends_1"
_SELECTED_SIZE, _SELECTED_SHARE = 0.05, 0.5
_TWIN_ATOL = 1e-6
# Limit of a string of an open chain, where its plain name means an average over the bulk.
_PLATEAU = "_plateau"


@dataclass(frozen=True, kw_only=True)
class Located:
    """Estimate of where a boundary lies, and the method that it is quoted with."""

    method: str
    estimate: Estimate


def located(section: Section, below: str, above: str) -> list[Located]:
    """Every estimate that the observables of a line support, none that they do not.

    Parameters
    ----------
    section
        The line around one boundary.
    below, above
        Labels on both sides, for what is named after them.
    """
    x, near = section.x, section.near
    lengths = section.values("correlation_length")
    found = {
        PEAK_METHOD: smooth_peak(x, logarithm(lengths), near),
        DIVERGENCE_METHOD: _divergence(section, lengths),
        ENTROPY_METHOD: smooth_peak(x, section.values("entropy_infinite"), near),
        SUSCEPTIBILITY_METHOD: smooth_peak(*susceptibilities(section, "infinite"), near),
        CROSSING_METHOD: _classifier(section, below, above),
    }
    for name in order_names(section, "infinite"):
        found[f"{title(name)} onset"] = onset(x, section.values(f"{name}_infinite"))
    return with_numbers({**found, **_of_the_open_chain(section)})


def _of_the_open_chain(section: Section) -> dict[str, Estimate | None]:
    """Estimates from chains of one length, which are displaced by it."""
    peak = smooth_peak(*susceptibilities(section, "finite"), section.near)
    found = {SUSCEPTIBILITY_METHOD: peak}
    for name in order_names(section, "finite"):
        found[crossing_method(name)] = partner_crossing(section, name)
    note = "displacement by the length not in the error"
    return {
        f"{method}{OF_THE_OPEN_CHAIN}": replace(estimate, method=f"{estimate.method}, {note}")
        for method, estimate in found.items()
        if estimate is not None
    }


def with_numbers(found: Mapping[str, Estimate | None]) -> list[Located]:
    """Estimates that there are, each with its method.

    >>> with_numbers({"peak": None})
    []
    """
    return [
        Located(method=method, estimate=estimate)
        for method, estimate in found.items()
        if estimate is not None
    ]


def logarithm(values: FloatArray) -> FloatArray:
    """Logarithm of what is positive, NaN elsewhere.

    >>> logarithm(np.array([1.0, 0.0])).tolist()
    [0.0, nan]
    """
    return np.log(np.where(values > 0.0, values, np.nan))


def susceptibilities(section: Section, where: str) -> tuple[FloatArray, FloatArray]:
    """Points halfway between neighbours, and the logarithm of the fidelity susceptibility there.

    Parameters
    ----------
    section
        With the fidelity of each point and the next one along its coupling.
    where
        ``finite`` or ``infinite`` states.
    """
    x = section.x
    fidelities = section.values(f"fidelity_{section.coupling}_{where}")
    values = susceptibility(fidelities[:-1], np.diff(x))
    return (x[1:] + x[:-1]) / 2, logarithm(values)


def order_names(section: Section, where: str) -> list[str]:
    """String orders and local orders of a table, without their ending ``_infinite``.

    Of the two strings across a conserved axis, which are equal, only one.

    Parameters
    ----------
    section
        One line.
    where
        ``finite`` or ``infinite`` states.
    """
    ending = f"_{where}"
    twins = {f"string_y{ending}"} if _are_twins(section, where) else set()
    return sorted(
        name.removesuffix(ending)
        for name in section.names - twins
        if name.startswith(_ORDERS)
        and name.endswith(ending)
        and not name.endswith((f"{_IDENTITY_ENDS}{ending}", f"{_PLATEAU}{ending}"))
    )


def _are_twins(section: Section, where: str) -> bool:
    x, y = (section.values(f"string_{axis}_{where}") for axis in "xy")
    return bool(np.allclose(x, y, atol=_TWIN_ATOL, equal_nan=True))


def title(name: str) -> str:
    """Name of an order in words.

    >>> title("string_x"), title("order_dimer_order"), title("order_magnetisation")
    ('string order x', 'dimer order', 'magnetisation')
    """
    kind, rest = name.split("_", 1)
    words = rest.replace("_", " ")
    return f"string order {words}" if kind == "string" else words


def _divergence(section: Section, lengths: FloatArray) -> Estimate | None:
    """Divergence of the correlation length, its error with the shift from a smaller max_bond."""
    found = divergence(section.x, lengths)
    smaller = bond_curves([section], "correlation_length")[:-1]
    before = divergence(smaller[-1].x, smaller[-1].values) if smaller else None
    if found is None or before is None:
        return found
    return replace(
        found,
        error=math.hypot(found.error, found.value - before.value),
        method=f"{found.method}, error with the shift from max_bond {smaller[-1].size:g}",
    )


def _classifier(section: Section, below: str, above: str) -> Estimate | None:
    """Where the mean logits of the two phases agree."""
    names = [f"logit_{side}" for side in (below, above)]
    values = section.values(names[0]) - section.values(names[1])
    known = values[np.isfinite(values)]
    if len(known) == 0 or not known[0] > 0.0 > known[-1]:
        return None
    found = crossing(section.x, values, section.near)
    if found is None:
        return None
    return replace(found, error=math.nan, method="the bias of the classifier is unknown")


def crossing_method(name: str) -> str:
    """Method of :func:`partner_crossing`.

    >>> crossing_method("string_z")
    'string order z equals its trivial partner'
    """
    return f"{title(name)} equals its trivial partner"


def partner_crossing(section: Section, name: str) -> Estimate | None:
    """Where a string order and the same string with identity ends are equally large.

    Parameters
    ----------
    section
        With open chains.
    name
        One of :func:`order_names`.

    Returns
    -------
    None unless the selection rule holds at both ends of the line: one of the two is there, the
    other is not.
    """
    partner = f"{name}{_IDENTITY_ENDS}_finite"
    if partner not in section.names:
        return None
    plateau = f"{name}{_PLATEAU}_finite"
    own = plateau if plateau in section.names else f"{name}_finite"
    sizes = np.abs(np.stack([section.values(own), section.values(partner)]))
    errors = np.hypot(section.errors(own), section.errors(partner))
    known = sizes[:, np.isfinite(sizes).all(axis=0)]
    difference = sizes[0] - sizes[1]
    changes = sign_changes(known[0] - known[1])
    if len(changes) != 1 or not all(_is_selected(known[:, end]) for end in (0, -1)):
        return None
    return crossing(section.x, difference, section.near, errors)


def _is_selected(sizes: FloatArray) -> bool:
    """Whether one of a string and its partner is there, and the other one nearly gone."""
    return bool(sizes.max() > _SELECTED_SIZE and sizes.min() < _SELECTED_SHARE * sizes.max())
