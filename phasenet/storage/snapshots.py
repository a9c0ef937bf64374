"""Labelled snapshots in files: ``*.snapshots.h5``.

``label`` and ``split`` are stored for each shot, ready for a data loader; they follow from the
points and are not read back.
"""

import json
from pathlib import Path

import numpy as np

from phasenet.points import ParameterPoint
from phasenet.records import SPLITS, PointLabel, Snapshots
from phasenet.storage.container import Content, Scalar, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.trains.train import Array


def write_snapshots(path: Path, header: Header, snapshots: Snapshots) -> Header:
    """Write snapshots; return the header as written."""
    names = [name for name, _ in snapshots.points[0].point.couplings]
    splits = np.asarray([SPLITS.index(p.split) for p in snapshots.points], dtype=np.int8)
    arrays: dict[str, Array] = {
        "spins": snapshots.spins,
        "point": snapshots.point_index,
        "label": snapshots.label_index.astype(np.int8),
        "split": splits[snapshots.point_index],
        "log_probability": snapshots.log_probability,
        "class_log_likelihood": snapshots.class_log_likelihood,
        "couplings": np.asarray([[p.point[n] for n in names] for p in snapshots.points]),
    }
    values: dict[str, Scalar] = {
        "basis": snapshots.basis,
        "site_dim": snapshots.site_dim,
        "classes": json.dumps(list(snapshots.classes)),
        "splits": json.dumps(list(SPLITS)),
        "coupling_names": json.dumps(names),
        "point_labels": json.dumps([p.label for p in snapshots.points]),
        "point_splits": json.dumps([p.split for p in snapshots.points]),
        "point_reasons": json.dumps([p.reason for p in snapshots.points]),
    }
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_snapshots(path: Path | str) -> tuple[Header, Snapshots]:
    """Header and snapshots of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.SNAPSHOTS)
    arrays = content.arrays
    lists = {
        name: json.loads(str(content.values[name]))
        for name in ("classes", "coupling_names", "point_labels", "point_splits", "point_reasons")
    }
    points = tuple(
        PointLabel(
            point=ParameterPoint.of(dict(zip(lists["coupling_names"], row, strict=True))),
            label=label,
            split=split,
            reason=reason,
        )
        for row, label, split, reason in zip(
            arrays["couplings"],
            lists["point_labels"],
            lists["point_splits"],
            lists["point_reasons"],
            strict=True,
        )
    )
    return header, Snapshots(
        spins=arrays["spins"],
        site_dim=int(content.values["site_dim"]),
        basis=str(content.values["basis"]),
        points=points,
        point_index=arrays["point"],
        classes=tuple(lists["classes"]),
        log_probability=arrays["log_probability"],
        class_log_likelihood=arrays["class_log_likelihood"],
    )
