"""Tables of observables (``*.table.h5``) and phase diagrams (``*.chart.h5``)."""

import json
from pathlib import Path

import numpy as np

from phasenet.points import ParameterPoint
from phasenet.records import Boundary1D, Column, PhaseDiagram, Table
from phasenet.storage.container import Content, Scalar, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.trains.train import Array


def write_table(path: Path, header: Header, table: Table) -> Header:
    """Write a table; return the header as written."""
    arrays, values = _table_parts(table)
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_table(path: Path | str) -> tuple[Header, Table]:
    """Header and table of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.TABLE)
    return header, _table(content)


def write_chart(path: Path, header: Header, diagram: PhaseDiagram) -> Header:
    """Write a phase diagram with the table behind it; return the header as written."""
    arrays, values = _table_parts(diagram.table)
    values["boundaries"] = json.dumps([{**vars(b), "at": dict(b.at)} for b in diagram.boundaries])
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_chart(path: Path | str) -> tuple[Header, PhaseDiagram]:
    """Header and phase diagram of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.CHART)
    boundaries = json.loads(str(content.values["boundaries"]))
    return header, PhaseDiagram(
        table=_table(content), boundaries=tuple(Boundary1D(**b) for b in boundaries)
    )


def _table_parts(table: Table) -> tuple[dict[str, Array], dict[str, Scalar]]:
    arrays = {
        "values": np.asarray([column.values for column in table.columns]),
        "errors": np.asarray([column.errors for column in table.columns]),
    }
    values: dict[str, Scalar] = {
        "rows": json.dumps(list(table.rows)),
        "points": json.dumps([point.as_dict() for point in table.points]),
        "labels": json.dumps(list(table.labels)),
        "reasons": json.dumps(list(table.reasons)),
        "columns": json.dumps([[c.name, c.unit, c.meaning] for c in table.columns]),
    }
    return arrays, values


def _table(content: Content) -> Table:
    lists = {
        name: json.loads(str(content.values[name]))
        for name in ("rows", "points", "labels", "reasons", "columns")
    }
    columns = tuple(
        Column(name=name, unit=unit, meaning=meaning, values=values, errors=errors)
        for (name, unit, meaning), values, errors in zip(
            lists["columns"], content.arrays["values"], content.arrays["errors"], strict=True
        )
    )
    return Table(
        rows=tuple(lists["rows"]),
        points=tuple(ParameterPoint.of(point) for point in lists["points"]),
        labels=tuple(lists["labels"]),
        reasons=tuple(lists["reasons"]),
        columns=columns,
    )
