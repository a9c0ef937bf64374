"""String orders beside the same strings without their ends, and what both say together.

On the bonds of a symmetric state the inside of a string is a matrix. If the ends of a string are
needed to make up for its sign under another symmetry, strings with ends survive and those without
vanish; in a trivial state it is the other way round (selection rule of Pollmann, Turner, PRB 86,
125441 (2012), section IV).
"""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from phasenet.criteria import StringOrder, spin_string
from phasenet.phases.estimates import Estimate
from phasenet.phases.spins import Axis
from phasenet.phases.strings import as_string, string_order
from phasenet.trains.form import State, StateForm, state_form

_TURNED: tuple[Axis, Axis] = ("x", "y")

PRESENT = 0.01
"""A string order of a larger modulus is there, beyond twice its error."""


class Reading(enum.Enum):
    """What a string says together with the string that has identities at its ends."""

    PROJECTIVE = "only with its ends: the bond carries a projective representation"
    TRIVIAL = "only without its ends: the bond is trivial"
    BROKEN = "with and without its ends: a broken symmetry (or a short chain), no invariant"
    ABSENT = "in neither form: the symmetry is broken, or there is no gap"
    UNKNOWN = "not known within its error"


@dataclass(frozen=True, kw_only=True)
class StringFinding:
    """A string order and the same string with identities at its ends.

    Parameters
    ----------
    string
        What is measured.
    order, trivial
        With its ends, and with identities in their place.
    """

    string: StringOrder
    order: Estimate
    trivial: Estimate

    @property
    def present(self) -> bool | None:
        """Whether the string order is there; None if its error leaves that open."""
        return _present(self.order)

    @property
    def reading(self) -> Reading:
        """What both say together."""
        ends, none = self.present, _present(self.trivial)
        if ends is None or none is None:
            return Reading.UNKNOWN
        if ends:
            return Reading.BROKEN if none else Reading.PROJECTIVE
        return Reading.TRIVIAL if none else Reading.ABSENT

    def __str__(self) -> str:
        return (
            f"{self.string.name}: {self.string} = {self.order}; ends 1: {self.trivial}; "
            f"{self.reading.value}"
        )


@dataclass(frozen=True, kw_only=True)
class StringReport:
    """Several string orders of one state.

    Parameters
    ----------
    findings
        One for each string.
    """

    findings: tuple[StringFinding, ...]

    @property
    def witness(self) -> bool | None:
        """Whether the strings witness symmetry-protected order; None if that stays open.

        One string alone never does: of a Néel state it is as large. Two or more must be there with
        their ends only.
        """
        readings = {finding.reading for finding in self.findings}
        if readings == {Reading.PROJECTIVE} and len(self.findings) > 1:
            return True
        if readings & {Reading.TRIVIAL, Reading.BROKEN, Reading.ABSENT}:
            return False
        return None

    @property
    def verdict(self) -> str:
        """The selection rule in words."""
        names = [finding.string.name for finding in self.findings]
        there = [finding.string.name for finding in self.findings if finding.present]
        readings = {finding.reading for finding in self.findings}
        if self.witness:
            return (
                f"{', '.join(names)} only with their ends: symmetry-protected order at the bonds "
                "where their insides begin"
            )
        if readings == {Reading.TRIVIAL}:
            return f"{', '.join(names)} only without ends: a trivial phase"
        if len(there) == len(names) == 1:
            return (
                f"{there[0]} alone is no witness of symmetry-protected order, for it is as large "
                "in a Neel state: measure a second string"
            )
        if len(there) == 1 and all(f.present is not None for f in self.findings):
            return (
                f"only {there[0]} is non-zero: no witness of symmetry-protected order, for it is "
                "as large in a Neel state"
            )
        if Reading.BROKEN in readings:
            return (
                "some strings are there with and without their ends: a broken symmetry, or a chain "
                "not much longer than its correlations"
            )
        if not there and readings == {Reading.ABSENT}:
            return "no string survives: a broken symmetry or no gap"
        unknown = [f.string.name for f in self.findings if f.reading is Reading.UNKNOWN]
        if unknown:
            return f"no common reading: not known within errors: {', '.join(unknown)}"
        return "no common reading: some strings as in a trivial phase, some not"

    def __str__(self) -> str:
        return "\n".join([*map(str, self.findings), self.verdict])


def string_report(state: State, strings: Sequence[StringOrder | Axis]) -> StringReport:
    """Limits of string orders at large distance, and what they say together.

    Parameters
    ----------
    state
        In the basis of the highest weight first.
    strings
        What is measured, or axes of spins.

    >>> from phasenet.phases.exact import product_cell
    >>> print(string_report(product_cell([0, 2], 3), ("x", "z")).verdict)
    only z is non-zero: no witness of symmetry-protected order, for it is as large in a Neel state
    """
    form = state_form(state)
    known: dict[StringOrder, tuple[Estimate, Estimate]] = {}
    findings = []
    for given in strings:
        string = as_string(given, form.site_dims)
        same = turned(string, form)
        if same not in known:
            known[same] = string_order(form, same), string_order(form, same.trivial)
        order, trivial = known[same]
        findings.append(StringFinding(string=string, order=order, trivial=trivial))
    return StringReport(findings=tuple(findings))


def turned(string: StringOrder, form: StateForm) -> StringOrder:
    """String of the same value in a state: where S^z is conserved, y is turned to x.

    >>> from phasenet.phases.exact import aklt_cell
    >>> print(turned(spin_string("y", 3), state_form(aklt_cell())))
    -<Sx [Rx] Sx>
    """
    dim = form.site_dims[0]
    if form.modulus != 0 or set(form.site_dims) != {dim}:
        return string
    along_x, along_y = (
        replace(spin_string(axis, dim), start=string.start, period=string.period)
        for axis in _TURNED
    )
    return along_x if string == replace(along_y, name=string.name) else string


def _present(estimate: Estimate) -> bool | None:
    size, margin = abs(estimate.value), 2.0 * estimate.error
    if math.isnan(size) or math.isnan(margin):
        return None
    if size - margin > PRESENT:
        return True
    return False if size + margin <= PRESENT else None
