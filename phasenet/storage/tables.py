"""Tables of observables (``*.table.h5``) and phase diagrams (``*.chart.h5``).

Numbers are the datasets ``values`` and ``errors`` of shape (column, row). A curve is the dataset
``curves/NAME`` with all its arrays, row after row, and ``curves/NAME_shapes``; a row without the
curve has an empty array. Files from before there were curves have none.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from phasenet.points import ParameterPoint
from phasenet.records import Boundary1D, Column, Curve, PhaseDiagram, Table
from phasenet.storage.container import Content, Scalar, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.storage.packing import pack, unpack
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
    values["boundaries"] = json.dumps([_plain(b) for b in diagram.boundaries])
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


def _plain(boundary: Boundary1D) -> dict[str, Any]:
    """Values of a boundary; JSON has no NaN, so that a bracket has no error."""
    values = {**vars(boundary), "at": dict(boundary.at)}
    return {name: value for name, value in values.items() if value == value}


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
    if table.curves:
        curves = [[c.name, c.unit, c.meaning, list(c.axes)] for c in table.curves]
        values["curves"] = json.dumps(curves)
        for curve in table.curves:
            arrays |= pack(_dataset(curve.name), curve.values)
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
        curves=_curves(content),
    )


def _curves(content: Content) -> tuple[Curve, ...]:
    return tuple(
        Curve(
            name=name,
            unit=unit,
            meaning=meaning,
            axes=tuple(axes),
            values=unpack(_dataset(name), content.arrays),
        )
        for name, unit, meaning, axes in json.loads(str(content.values.get("curves", "[]")))
    )


def _dataset(curve: str) -> str:
    return f"curves/{curve}"
