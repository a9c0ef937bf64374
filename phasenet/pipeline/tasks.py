"""What decides a row of a table: the files of its point, and what is the same for all rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from phasenet.card import StudyCard
from phasenet.criteria import SPIN_SYMMETRIES, StringOrder, Symmetry, spin_string
from phasenet.identity import digest
from phasenet.pipeline.intake import StateFile
from phasenet.pipeline.selection import AXES, Selection, symmetry_of
from phasenet.points import ParameterPoint


@dataclass(frozen=True, kw_only=True)
class Context:
    """What is the same for all rows of a table.

    Parameters
    ----------
    card
        Study of the states, with their symmetries, orders, strings and phases; None without one.
    selection
        What is to be measured.
    train, train_id
        File of a tensorized classifier, and the id of its content.
    """

    card: StudyCard | None
    selection: Selection
    train: Path | None = None
    train_id: str = ""

    def settings(self) -> dict[str, Any]:
        """Return all that decides the rows beside the files, as plain values."""
        found: dict[str, Any] = {"measured": self.selection.as_dict()}
        if self.card is not None:
            settings = self.card.run_settings()
            found["criteria"] = self.card.criteria()
            found["strings"] = [string.as_dict() for string in self.card.strings]
            found["cell"] = settings.infinite.cell
            found["xi_per_length"] = settings.sample.xi_per_length
        return found

    @cached_property
    def id(self) -> str:
        """Digest of the settings and the classifier."""
        return digest([self.settings(), self.train_id])

    @property
    def cell(self) -> int:
        """Sites after which an open chain repeats."""
        return self.card.run_settings().infinite.cell if self.card else 1

    @property
    def symmetries(self) -> tuple[Symmetry, ...]:
        """Symmetries of the study, or of a chain of spins, and those asked for beside them."""
        more = tuple(symmetry_of(text) for text in self.selection.symmetries)
        return (self.card.symmetries if self.card else SPIN_SYMMETRIES) + more

    def strings(self, site_dims: tuple[int, ...], spin: float | None) -> tuple[StringOrder, ...]:
        """String orders for sites of these dimensions; axes only where the sites are spins.

        Where nothing is asked for they are those of the study, and those along the axes, unless the
        study has its own along an axis, or has any for half-integer spins, where signs alternate.
        """
        equal = spin is not None and len(set(site_dims)) == 1
        own = self.card.strings if self.card and not self.selection.strings else ()
        instead = any(string.name in AXES for string in own) or (own and site_dims[0] % 2 == 0)
        found: list[StringOrder] = []
        for text in self.selection.strings or (() if instead else AXES):
            axis = next((axis for axis in AXES if axis == text), None)
            if axis is None:
                found.append(StringOrder.parse(text))
            elif equal:
                found.append(spin_string(axis, site_dims[0]))
        return (*found, *own)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One row that is to be measured.

    Parameters
    ----------
    name
        Of the row.
    files
        States of one point, at most one of each boundary; or one file of TeNPy.
    neighbours
        For each coupling the files of the next point along it.
    context
        What is the same for all rows.
    """

    name: str
    files: tuple[StateFile, ...]
    neighbours: Mapping[str, tuple[StateFile, ...]]
    context: Context

    @property
    def point(self) -> ParameterPoint:
        """Couplings; none for a file of TeNPy."""
        return self.files[0].point or ParameterPoint.of()

    @cached_property
    def key(self) -> str:
        """Digest of all that decides the row."""
        near = {name: [file.id for file in files] for name, files in self.neighbours.items()}
        return digest([self.context.id, self.name, [file.id for file in self.files], near])
