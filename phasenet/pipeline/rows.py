"""Rows of a table while it is made: one line of JSON each, kept in a journal beside the table."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phasenet.errors import PhasenetError
from phasenet.phases.observables import (
    Observed,
    Profile,
    Quantity,
    by_name,
    columns_of,
    curves_of,
)
from phasenet.points import ParameterPoint
from phasenet.records import Table

_SUFFIX = ".rows"


@dataclass(frozen=True, kw_only=True, eq=False)
class Row:
    """Everything that was measured of one point or one file.

    Parameters
    ----------
    key
        Digest of all that decides the row.
    name, point, label, reason
        As in :class:`phasenet.records.Table`.
    observed
        Numbers and arrays.
    lost
        Files of the point and of its neighbours that could not be read, each with the reason.
    """

    key: str
    name: str
    point: ParameterPoint
    label: str
    reason: str
    observed: Observed
    lost: tuple[tuple[str, str], ...] = ()

    def line(self) -> str:
        """Return the row as JSON without a line break; every float survives bit by bit."""
        values = {
            "key": self.key,
            "name": self.name,
            "point": self.point.as_dict(),
            "label": self.label,
            "reason": self.reason,
            "quantities": [list(vars(quantity).values()) for quantity in self.observed.quantities],
            "profiles": [_plain(one) for one in self.observed.profiles],
            "sentences": list(self.observed.sentences),
            "lost": [list(one) for one in self.lost],
        }
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def of(cls, line: str) -> "Row":
        """Row from its line; raises ValueError, KeyError or TypeError if it is none."""
        values = json.loads(line)
        quantities = (
            Quantity(name=name, unit=unit, meaning=meaning, value=value, error=error)
            for name, unit, meaning, value, error in values["quantities"]
        )
        return cls(
            key=values["key"],
            name=values["name"],
            point=ParameterPoint.of(values["point"]),
            label=values["label"],
            reason=values["reason"],
            observed=Observed(
                quantities=tuple(quantities),
                profiles=tuple(_profile(one) for one in values["profiles"]),
                sentences=tuple(values["sentences"]),
            ),
            lost=tuple((path, reason) for path, reason in values["lost"]),
        )


@dataclass(frozen=True, kw_only=True)
class RowJournal:
    """Finished rows of a table that is not finished, beside it.

    >>> RowJournal.beside(Path("a.table.h5")).path.name
    'a.table.h5.rows'
    """

    path: Path

    @classmethod
    def beside(cls, out: Path) -> "RowJournal":
        """Journal of the table that goes to a path."""
        return cls(path=out.with_name(f"{out.name}{_SUFFIX}"))

    def read(self) -> dict[str, Row]:
        """Rows by their keys; a line that was cut off is as good as none."""
        rows: dict[str, Row] = {}
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    row = Row.of(line)
                except (ValueError, KeyError, TypeError):
                    continue
                rows[row.key] = row
        return rows

    def append(self, line: str) -> None:
        """Add the line of a row.

        Raises
        ------
        PhasenetError
            It cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as stream:
                # The first break ends a line that a crash has cut off.
                stream.write(f"\n{line}\n".encode())
        except OSError as error:
            raise PhasenetError(
                f"cannot write {self.path}: {error.strerror or error}; free space there or choose "
                "--out"
            ) from error

    def remove(self) -> None:
        """Delete the journal, once the table is there."""
        self.path.unlink(missing_ok=True)


def table_of(rows: Sequence[Row]) -> Table:
    """Table of rows, in their order."""
    return Table(
        rows=tuple(row.name for row in rows),
        points=tuple(row.point for row in rows),
        labels=tuple(row.label for row in rows),
        reasons=tuple("; ".join(_told(row)) for row in rows),
        columns=columns_of([by_name(row.observed.quantities) for row in rows]),
        curves=curves_of([by_name(row.observed.profiles) for row in rows]),
    )


def _told(row: Row) -> list[str]:
    return [sentence for sentence in (row.reason, *row.observed.sentences) if sentence]


def _plain(one: Profile) -> list[Any]:
    packed = base64.b64encode(np.ascontiguousarray(one.values).tobytes()).decode("ascii")
    return [one.name, one.unit, one.meaning, list(one.axes), list(one.values.shape), packed]


def _profile(plain: Sequence[Any]) -> Profile:
    name, unit, meaning, axes, shape, packed = plain
    values = np.frombuffer(base64.b64decode(packed), dtype=np.float64).reshape(shape).copy()
    return Profile(name=name, unit=unit, meaning=meaning, axes=tuple(axes), values=values)
