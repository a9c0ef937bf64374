"""Compressions in files, ``*.compression.h5``: every candidate with its numbers and its network.

The group ``rows/K`` holds candidate K: accuracies by seed and the weights of the network that is
kept; row 0 is the original, without weights. Numbers and texts are one JSON text a row.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from phasenet.compression import Candidate, Compressed, CompressionCurve, Starts
from phasenet.storage.container import Content, Scalar, read_content, readable, write_file
from phasenet.storage.header import Header, Kind
from phasenet.trained import Score
from phasenet.trains.train import Array

_ACCURACIES = ("at_once", "test_at_once", "validation", "test")


def write_compression(path: Path, header: Header, curve: CompressionCurve) -> Header:
    """Write a compression; return the header as written."""
    rows = (curve.original, *curve.rows)
    arrays: dict[str, Array] = {}
    for k, row in enumerate(rows):
        arrays |= {f"rows/{k}/{name}": getattr(row, name) for name in _ACCURACIES}
        arrays |= {f"rows/{k}/weights/{name}": array for name, array in row.weights.items()}
    values: dict[str, Scalar] = {
        "name": curve.name,
        "classes": json.dumps(list(curve.classes)),
        "rows": json.dumps([_plain(row) for row in rows]),
        "nulls": json.dumps([_finite(vars(score)) for score in curve.nulls]),
        "shots": json.dumps(list(curve.shots)),
    }
    if curve.starts is not None:
        values["start_rank"] = curve.starts.rank
        values["starts"] = json.dumps(list(curve.starts.test))
        arrays["starts/epochs"] = curve.starts.epochs
        for name in curve.starts.test:
            arrays[f"starts/validation/{name}"] = curve.starts.validation[name]
            arrays[f"starts/test/{name}"] = curve.starts.test[name]
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_compression(path: Path | str) -> tuple[Header, CompressionCurve]:
    """Header and compression of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.COMPRESSION)
    with readable(path):
        return header, _curve(content)


def _curve(content: Content) -> CompressionCurve:
    values = content.values
    plain = json.loads(str(values["rows"]))
    rows = [_row(content, k, row) for k, row in enumerate(plain)]
    return CompressionCurve(
        name=str(values["name"]),
        classes=tuple(json.loads(str(values["classes"]))),
        original=rows[0],
        rows=tuple(rows[1:]),
        nulls=tuple(Score(**score) for score in json.loads(str(values["nulls"]))),
        shots=tuple(json.loads(str(values["shots"]))),
        starts=_starts(content),
    )


def _plain(row: Compressed) -> dict[str, Any]:
    """Texts and numbers of a row; JSON has no NaN."""
    return {
        "family": row.candidate.family,
        "size": row.candidate.size,
        "parameters": row.parameters,
        "architecture": dict(row.architecture),
        "note": row.note,
        **_finite({"flops": row.flops, "time": row.time}),
    }


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """All but the numbers that are none."""
    return {name: value for name, value in values.items() if value == value}


def _row(content: Content, k: int, plain: dict[str, Any]) -> Compressed:
    return Compressed(
        candidate=Candidate(family=plain["family"], size=float(plain["size"])),
        parameters=int(plain["parameters"]),
        flops=float(plain.get("flops", math.nan)),
        time=float(plain.get("time", math.nan)),
        **{name: content.arrays[f"rows/{k}/{name}"] for name in _ACCURACIES},
        architecture=plain["architecture"],
        weights=content.below(f"rows/{k}/weights"),
        note=plain["note"],
    )


def _starts(content: Content) -> Starts | None:
    if "starts" not in content.values:
        return None
    names = json.loads(str(content.values["starts"]))
    return Starts(
        rank=int(content.values["start_rank"]),
        epochs=np.asarray(content.arrays["starts/epochs"]),
        validation={name: content.arrays[f"starts/validation/{name}"] for name in names},
        test={name: content.arrays[f"starts/test/{name}"] for name in names},
    )
