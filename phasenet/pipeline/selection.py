"""What is to be measured of a state."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from phasenet.criteria import StringOrder, Symmetry, SymmetryKind
from phasenet.errors import SettingsError
from phasenet.operators import NAMES
from phasenet.phases.spins import Axis

AXES: tuple[Axis, ...] = ("x", "y", "z")


class Group(StrEnum):
    """Observables that are measured together."""

    STRINGS = "strings"
    SPT = "spt"
    ENTANGLEMENT = "entanglement"
    LOCAL = "local"
    FIDELITY = "fidelity"
    CORRELATIONS = "correlations"
    MANY_BODY = "many-body"
    PAIRS = "pairs"


USUAL = (Group.STRINGS, Group.SPT, Group.ENTANGLEMENT, Group.LOCAL, Group.FIDELITY)
"""What labels and charts are made of; all of it is cheap."""

ALL = (*USUAL, Group.CORRELATIONS, Group.MANY_BODY)
"""Everything but the strings of all pairs of sites."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is to be measured of each state.

    Parameters
    ----------
    groups
        Groups of observables.
    strings
        Axes of spins or texts such as ``Z [X 1] X Z``; without any, all axes and the strings of the
        study.
    symmetries
        Texts of :func:`symmetry_of`; their invariants are measured beside those of the study.
    """

    groups: tuple[Group, ...] = USUAL
    strings: tuple[str, ...] = ()
    symmetries: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for text in self.symmetries:
            symmetry_of(text)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        groups = [group.value for group in Group if group in self.groups]
        return {
            "groups": groups,
            "strings": list(self.strings),
            "symmetries": list(self.symmetries),
        }


def strings_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Strings from what was typed: axes between commas, or one string order.

    >>> strings_of(["x,z", "Z [X 1] X Z"])
    ('x', 'z', 'Z [X 1] X Z')
    """
    found: list[str] = []
    for text in texts:
        if "[" in text:
            string = StringOrder.parse(text)
            for operator in (*string.left, *string.right):
                if operator not in NAMES:
                    raise SettingsError(
                        f"operator {operator!r} is unknown in {text!r}; wanted {', '.join(NAMES)}"
                    )
            found.append(" ".join(text.split()))
            continue
        for axis in (part.strip() for part in text.split(",")):
            if axis not in AXES:
                raise SettingsError(
                    f"--string is {text!r}; wanted axes such as x,z or a string such as "
                    "'Z [X 1] X Z'"
                )
            found.append(axis)
    return tuple(dict.fromkeys(found))


def symmetry_of(text: str) -> Symmetry:
    """Symmetry from a text; operators with commas between them act on one site after the other.

    ``Rx Rz``: whether the two still commute on a bond. ``T Ry``: time reversal, with the unitary
    before complex conjugation. ``I`` or ``I Rx``: inversion, and what acts after it.

    >>> symmetry_of("X,1 1,X").operators
    (('X', '1'), ('1', 'X'))
    """
    words = text.split()
    kinds: dict[str, SymmetryKind] = {"T": "time reversal", "I": "inversion"}
    kind = kinds.get(words[0] if words else "", "commutation")
    patterns = words if kind == "commutation" else words[1:]
    operators = tuple(tuple(pattern.split(",")) for pattern in patterns)
    return Symmetry(name=" ".join(words), kind=kind, operators=operators)
