"""Reports in files, ``*.report.h5``: all numbers as plain arrays, the words as JSON.

The arrays of section K are in the group ``sections/K``; its title, verdict, notes and tables are
one JSON text, the dataset ``sections/K/words`` of UTF-8 bytes.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from phasenet.findings import Cell, FindingTable, Report, Section
from phasenet.storage.atomic import atomic_path
from phasenet.storage.container import Content, Scalar, read_content, readable, write_file
from phasenet.storage.header import Header, Kind
from phasenet.trains.train import Array

_WORDS = "words"


def write_report(path: Path, header: Header, report: Report) -> Header:
    """Write a report; return the header as written."""
    arrays: dict[str, Array] = {}
    for k, section in enumerate(report.sections):
        arrays |= {f"sections/{k}/arrays/{n}": np.asarray(a) for n, a in section.arrays.items()}
        words = json.dumps(_words(section), ensure_ascii=False).encode()
        arrays[f"sections/{k}/{_WORDS}"] = np.frombuffer(words, dtype=np.uint8)
    values: dict[str, Scalar] = {
        "title": report.title,
        "verdict": report.verdict,
        "count": len(report.sections),
    }
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_report(path: Path | str) -> tuple[Header, Report]:
    """Header and report of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.REPORT)
    with readable(path):
        sections = tuple(_section(content, k) for k in range(int(content.values["count"])))
        return header, Report(
            title=str(content.values["title"]),
            verdict=str(content.values["verdict"]),
            sections=sections,
        )


def write_report_json(path: Path, report: Report) -> None:
    """Write all words and numbers of a report as one JSON text; NaN becomes null."""
    value = {
        "title": report.title,
        "verdict": report.verdict,
        "sections": [
            {**_words(s), "arrays": {n: _listed(np.asarray(a)) for n, a in s.arrays.items()}}
            for s in report.sections
        ],
    }
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _words(section: Section) -> dict[str, Any]:
    return {
        "name": section.name,
        "title": section.title,
        "verdict": section.verdict,
        "notes": list(section.notes),
        "labels": {name: list(texts) for name, texts in section.labels.items()},
        "tables": [
            {
                "title": table.title,
                "columns": list(table.columns),
                "rows": [[_plain(cell) for cell in row] for row in table.rows],
            }
            for table in section.tables
        ],
    }


def _section(content: Content, k: int) -> Section:
    words = json.loads(content.arrays[f"sections/{k}/{_WORDS}"].tobytes().decode())
    return Section(
        name=str(words["name"]),
        title=str(words["title"]),
        verdict=str(words["verdict"]),
        notes=tuple(words["notes"]),
        tables=tuple(_table(table) for table in words["tables"]),
        arrays=content.below(f"sections/{k}/arrays"),
        labels={name: tuple(texts) for name, texts in words["labels"].items()},
    )


def _table(table: Mapping[str, Any]) -> FindingTable:
    return FindingTable(
        title=str(table["title"]),
        columns=tuple(table["columns"]),
        rows=tuple(tuple(row) for row in table["rows"]),
    )


def _plain(cell: Cell) -> Cell:
    """Cell as JSON has it: no NaN, no number of numpy."""
    if cell is None or isinstance(cell, str):
        return cell
    return float(cell) if math.isfinite(cell) else None


def _listed(array: Array) -> Any:
    if np.iscomplexobj(array):
        return {"real": _listed(array.real), "imaginary": _listed(array.imag)}
    if array.dtype.kind != "f":
        return array.tolist()
    plain = array.astype(object)
    plain[~np.isfinite(array)] = None
    return plain.tolist()
