"""The card of a study: plain values that every file carries, without code."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from phasenet.criteria import SPIN_SYMMETRIES, Order, StringOrder, Symmetry
from phasenet.errors import StudyError
from phasenet.operators import plain, restored
from phasenet.settings import RunSettings

Bracket = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A phase, recognised by what its infinite ground state shows.

    Parameters
    ----------
    label
        Short name in files, such as ``haldane``.
    title
        Name in figures.
    citation
        Where the phase is established.
    invariants
        Value (+1 or -1) of each invariant that the phase is recognised by.
    orders
        Local orders that must be there (True) or absent (False).
    central_charge
        Of a gapless phase; None if there is a gap.
    """

    label: str
    title: str
    citation: str
    invariants: Mapping[str, int] = field(default_factory=dict)
    orders: Mapping[str, bool] = field(default_factory=dict)
    central_charge: float | None = None

    def __post_init__(self) -> None:
        if not (self.invariants or self.orders or self.central_charge is not None):
            raise StudyError(
                f"phase {self.label!r} names nothing to be recognised by: give invariants, orders "
                "or a central charge"
            )
        for name, value in self.invariants.items():
            if value not in (-1, 1):
                raise StudyError(f"phase {self.label!r} asks for {name} = {value}; wanted +1 or -1")

    def criteria(self) -> list[Any]:
        """Return what the label depends on, as plain values."""
        return [self.label, dict(self.invariants), dict(self.orders), self.central_charge]


@dataclass(frozen=True, kw_only=True)
class KnownTransition:
    """A phase boundary from the literature, drawn as a mark and never used to label.

    Parameters
    ----------
    coupling
        The coupling that is varied.
    value, error
        Its critical value and the quoted uncertainty.
    at
        The other couplings.
    citation
        Source.
    """

    coupling: str
    value: float
    error: float
    at: Mapping[str, float]
    citation: str


@dataclass(frozen=True, kw_only=True)
class StudyCard:
    """What later steps and files need to know of a study: plain values, no code.

    Parameters
    ----------
    name, title, hamiltonian
        Name in file names, title and formula in figures.
    varied
        Couplings that take more than one value on the grid.
    phases, symmetries, orders, strings, transitions
        As in :class:`phasenet.study.Study`.
    settings
        Settings of all steps as plain values: a file stays readable when the settings of a newer
        version differ, and :meth:`run_settings` checks them where they are used.
    """

    name: str
    title: str
    hamiltonian: str
    varied: tuple[str, ...]
    phases: tuple[Phase, ...]
    symmetries: tuple[Symmetry, ...]
    orders: tuple[Order, ...]
    transitions: tuple[KnownTransition, ...]
    settings: Mapping[str, Any]
    strings: tuple[StringOrder, ...] = ()

    def known_transitions(
        self, coupling: str, at: Mapping[str, float]
    ) -> tuple[KnownTransition, ...]:
        """Literature values along one coupling, where the other couplings are the same."""
        return tuple(
            known
            for known in self.transitions
            if known.coupling == coupling
            and all(math.isclose(at.get(name, math.nan), v) for name, v in known.at.items())
        )

    def criteria(self) -> dict[str, Any]:
        """Return all that the label of a state depends on, as plain values."""
        card = self.as_dict()
        phases = [phase.criteria() for phase in self.phases]
        return {"phases": phases, "symmetries": card["symmetries"], "orders": card["orders"]}

    def known_beside(
        self, coupling: str, at: Mapping[str, float], bracket: Bracket, brackets: Sequence[Bracket]
    ) -> KnownTransition | None:
        """Literature value that is closer to a bracket than to all others on its line.

        Parameters
        ----------
        coupling, at
            The line: what is varied, and the other couplings.
        bracket, brackets
            Lower and upper ends, of the one and of all on the line.
        """
        for known in self.known_transitions(coupling, at):
            if min(brackets, key=lambda ends: _distance(known.value, ends)) == bracket:
                return known
        return None

    def run_settings(self) -> RunSettings:
        """Return the settings, checked; raises SettingsError."""
        return RunSettings.checked(self.settings)

    def as_dict(self) -> dict[str, Any]:
        """Return the card as plain JSON values."""
        return {
            "name": self.name,
            "title": self.title,
            "hamiltonian": self.hamiltonian,
            "varied": list(self.varied),
            "phases": [
                {**vars(p), "invariants": dict(p.invariants), "orders": dict(p.orders)}
                for p in self.phases
            ],
            "symmetries": [
                {**vars(s), "operators": [plain(pattern) for pattern in s.operators]}
                for s in self.symmetries
            ],
            "orders": [{**vars(o), "operators": plain(o.operators)} for o in self.orders],
            "strings": [string.as_dict() for string in self.strings],
            "transitions": [{**vars(t), "at": dict(t.at)} for t in self.transitions],
            "settings": dict(self.settings),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Card from plain values, as a file holds them."""
        try:
            return cls(
                name=str(values["name"]),
                title=str(values["title"]),
                hamiltonian=str(values["hamiltonian"]),
                varied=tuple(str(name) for name in values["varied"]),
                phases=tuple(Phase(**phase) for phase in values["phases"]),
                # These are younger than the first files.
                symmetries=tuple(
                    Symmetry(**{**s, "operators": tuple(restored(p) for p in s["operators"])})
                    for s in values.get("symmetries", [vars(s) for s in SPIN_SYMMETRIES])
                ),
                orders=tuple(
                    Order(**{**o, "operators": restored(o["operators"])})
                    for o in values.get("orders", [])
                ),
                strings=tuple(StringOrder.from_dict(s) for s in values.get("strings", [])),
                transitions=tuple(KnownTransition(**t) for t in values["transitions"]),
                settings=dict(values["settings"]),
            )
        except (KeyError, TypeError) as error:
            raise StudyError(f"the study card of the file lacks or misnames {error}") from None


def _distance(value: float, bracket: Bracket) -> float:
    """How far a value lies outside of a bracket."""
    return max(bracket[0] - value, value - bracket[1], 0.0)
