"""What an analysis found, as plain values: a report of sections, each with its verdict in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from phasenet.errors import ShapeError
from phasenet.trains.train import Array

Cell = str | float | None
"""Text, a number, or nothing."""


@dataclass(frozen=True, kw_only=True)
class FindingTable:
    """Numbers with names, as a reader sees them.

    Parameters
    ----------
    title
        One line, units among it.
    columns
        Names; of one error column the name is that of its value with `` ±`` after it.
    rows
        As many cells each as there are columns; NaN and None where there is no number.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ShapeError(
                    f"a row of the table {self.title!r} has {len(row)} cells; wanted "
                    f"{len(self.columns)}, one for each of {', '.join(self.columns)}"
                )


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """One question and what was found.

    Parameters
    ----------
    name
        Short and fixed: group of a file, and key of the figures.
    title
        The question.
    verdict
        The answer, one sentence with its numbers.
    notes
        What limits it: assumptions, errors, what it does not say.
    tables
        What a reader wants to see.
    arrays
        All numbers behind the tables and the figures, by names that say what they are.
    labels
        Texts that the arrays need, such as the names along an axis.
    """

    name: str
    title: str
    verdict: str
    notes: tuple[str, ...] = ()
    tables: tuple[FindingTable, ...] = ()
    arrays: Mapping[str, Array] = field(default_factory=dict)
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """Sections about one thing.

    Parameters
    ----------
    title
        What it is about.
    verdict
        The first sentence that a reader sees.
    sections
        In the order in which they are read.
    """

    title: str
    verdict: str
    sections: tuple[Section, ...]

    def section(self, name: str) -> Section:
        """Section of that name; raises KeyError where there is none."""
        for section in self.sections:
            if section.name == name:
                return section
        raise KeyError(name)
