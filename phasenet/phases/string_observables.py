"""String orders of a state as observables."""

from collections.abc import Sequence
from functools import cache, partial

from phasenet.criteria import StringOrder
from phasenet.phases.observables import (
    Observed,
    Profile,
    Quantity,
    estimated,
    number,
    profile,
    slug,
)
from phasenet.phases.spins import is_integer_spin
from phasenet.phases.state_observables import where
from phasenet.phases.string_report import string_report, turned
from phasenet.phases.strings import (
    StringProfile,
    bulk_string_order,
    string_pairs,
    string_profile,
)
from phasenet.trains.form import StateForm

_SPINS = ("x", "y", "z")


def string_observables(form: StateForm, strings: Sequence[StringOrder]) -> Observed:
    """String orders at large distance and over all distances, with what they say together.

    Beside each the same string with identity ends. Of integer spins in an open chain, the string
    named by an axis is the average over the pairs of two blocks of the bulk, as snapshots have it,
    and its limit has the name ``plateau``.

    Parameters
    ----------
    form
        State.
    strings
        Those of spins are named by their axis.

    >>> from phasenet.criteria import spin_string
    >>> from phasenet.phases.exact import aklt_chain
    >>> from phasenet.trains.form import state_form
    >>> form = state_form(aklt_chain(16))
    >>> for found in string_observables(form, [spin_string("z", 3)]).quantities:
    ...     print(f"{found.name} {abs(found.value):.4f}")
    string_z_finite 0.4444
    string_z_plateau_finite 0.4444
    string_z_ends_1_finite 0.0000
    """
    reports = [string_report(form, group) for group in _read_together(strings)]
    # Two axes may be one and the same observable.
    average, profile_of = (
        cache(partial(bulk_string_order, form)),
        cache(partial(string_profile, form)),
    )
    quantities: list[Quantity] = []
    profiles: list[Profile] = []
    for finding in (finding for report in reports for finding in report.findings):
        string = finding.string
        averaged = _is_averaged(string, form)
        if averaged:
            meaning = f"{string} averaged over pairs of sites in two blocks of the bulk"
            quantities.append(number(_name(string, form), meaning, average(turned(string, form))))
        quantities += [
            estimated(_name(string, form, averaged), _limit(string, form), finding.order),
            estimated(_name(string.trivial, form), _limit(string.trivial, form), finding.trivial),
        ]
        profiles += _profiles(string, profile_of(turned(string, form)), form)
    whose = "the infinite state" if form.infinite else "the open chain"
    return Observed(
        quantities=tuple(quantities),
        profiles=tuple(profiles),
        sentences=tuple(f"strings of {whose}: {report.verdict}" for report in reports),
    )


def pair_observables(form: StateForm, strings: Sequence[StringOrder]) -> Observed:
    """String orders of all pairs of sites of an open chain.

    >>> from phasenet.criteria import spin_string
    >>> from phasenet.phases.exact import aklt_chain
    >>> from phasenet.trains.form import state_form
    >>> form = state_form(aklt_chain(16))
    >>> pair_observables(form, [spin_string("z", 3)]).profiles[0].values.shape
    (16, 16)
    """
    pairs_of = cache(partial(string_pairs, form))
    return Observed(
        profiles=tuple(
            profile(
                f"string_pairs_{slug(string.name)}_finite",
                f"{string} of all pairs of sites",
                ["site where it starts", "site where its right end begins"],
                pairs_of(turned(string, form)),
            )
            for string in strings
        )
    )


def _read_together(strings: Sequence[StringOrder]) -> list[list[StringOrder]]:
    """Strings along the axes of spins that start at the same sites, and all others."""
    groups: dict[tuple[int, int] | None, list[StringOrder]] = {}
    for string in strings:
        along = string.name.split()[0] in _SPINS
        groups.setdefault((string.start, string.period) if along else None, []).append(string)
    return list(groups.values())


def _profiles(string: StringOrder, found: StringProfile, form: StateForm) -> list[Profile]:
    name = slug(string.name)
    return [
        profile(
            f"string_profile_{name}_{where(form)}",
            f"{string} from site {found.first} over all distances",
            ["distance"],
            found.values,
        ),
        profile(
            f"string_distances_{name}_{where(form)}",
            f"distances of {string}",
            ["distance"],
            found.distances,
            "site",
        ),
    ]


def _is_averaged(string: StringOrder, form: StateForm) -> bool:
    return not form.infinite and string.name in _SPINS and is_integer_spin(form.site_dims[0])


def _name(string: StringOrder, form: StateForm, averaged: bool = False) -> str:
    return f"string_{slug(string.name)}{'_plateau' if averaged else ''}_{where(form)}"


def _limit(string: StringOrder, form: StateForm) -> str:
    distance = "at infinite distance" if form.infinite else "at large distance in the open chain"
    return f"{string} {distance}"
