"""A dataset as a folder that ``datasets.load_dataset`` of Hugging Face reads.

``data/SPLIT-00000-of-00001.parquet`` hold the shots, ``points.parquet`` one row for each point,
``README.md`` is the card. Shots are written one row group after the other.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import PhasenetError, SettingsError
from phasenet.pipeline.dataset_card import POINTS, SHOTS, dataset_card
from phasenet.pipeline.dataset_facts import read_facts
from phasenet.pipeline.export_snapshots import NOTES, needed, notes_of
from phasenet.shots import SPLITS, Shots, SnapshotsHead
from phasenet.storage.snapshots import SnapshotFile
from phasenet.trains.train import Array, IntArray

_ROWS = 65_536
_ROWS_OF_FILE = 2_097_152
_COMPRESSION = "zstd"


def write_folder(folder: Path, file: SnapshotFile) -> None:
    """Write a dataset as a folder, which appears when it is complete.

    Parameters
    ----------
    folder
        New, empty, or an older export.
    file
        The dataset.

    Raises
    ------
    SettingsError
        The folder holds something else.
    PhasenetError
        It cannot be written.
    """
    if folder.exists() and not (folder / NOTES).is_file() and any(folder.iterdir()):
        raise SettingsError(f"{folder} holds other files; choose a new folder with --out")
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "data").mkdir(parents=True)
        _fill(partial, file)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    except OSError as error:
        raise PhasenetError(
            f"cannot write {folder}: {error.strerror or error}; free space there or choose --out"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fill(folder: Path, file: SnapshotFile) -> None:
    parquet, columns = needed("pyarrow.parquet"), _Columns(head=file.head)
    sizes, schema = {}, columns.table(file.rows(0, 0)).schema
    for split in SPLITS:
        members = np.zeros(len(file.head.points), dtype=bool)
        members[file.head.points_in(split)] = True
        chosen = members[file.point_index]
        if chosen.any():
            sizes[split] = int(chosen.sum())
        for name, starts in _files(chosen, split):
            place = folder / "data" / name
            with parquet.ParquetWriter(place, schema, compression=_COMPRESSION) as writer:
                for start in starts:
                    here = np.flatnonzero(chosen[start : start + _ROWS])
                    shots = file.rows(start, start + _ROWS).at(here)
                    writer.write_table(columns.table(shots))
    points = _points_table(file.head)
    parquet.write_table(points, folder / "points.parquet", compression=_COMPRESSION)
    features = {SHOTS: _features(schema, file.head.classes), POINTS: _features(points.schema)}
    card = dataset_card(read_facts(file.path), sizes, features)
    (folder / "README.md").write_text(card, encoding="utf-8")
    notes = {**notes_of(file.header), **_notes_of_head(file.head)}
    (folder / NOTES).write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")


def _files(chosen: NDArray[np.bool_], split: str) -> Iterator[tuple[str, list[int]]]:
    """Name of each file of a split, and where in the dataset its row groups start."""
    counts = np.add.reduceat(chosen.astype(np.int64), np.arange(0, len(chosen), _ROWS))
    blocks = np.flatnonzero(counts)
    before = np.cumsum(counts)[blocks] - counts[blocks]
    found, number = np.unique(before // _ROWS_OF_FILE, return_inverse=True)
    for k in range(len(found)):
        yield (
            f"{split}-{k:05d}-of-{len(found):05d}.parquet",
            [int(block) * _ROWS for block in blocks[number == k]],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Columns:
    """Shots as tables of Arrow."""

    head: SnapshotsHead

    def table(self, shots: Shots) -> Any:
        """One row for each shot."""
        pa = needed("pyarrow")
        at = shots.point_index
        points = self.head.points
        columns = {
            "spins": self._rows(shots.spins, at),
            "label": pa.array(self.head.label_of_point[at], pa.int64()),
            "point": pa.array(at, pa.int32()),
            "couplings": _couplings(self.head, at),
            "source": pa.array(np.asarray([p.source for p in points], np.int32)[at]),
            "control": pa.array(np.asarray([p.control for p in points], object)[at], pa.string()),
            "log_probability": pa.array(shots.log_probability, pa.float64()),
            "class_log_likelihood": _lists(shots.class_log_likelihood),
        }
        if shots.basis_index is not None:
            columns["basis_index"] = self._rows(shots.basis_index, at)
        if shots.phase is not None:
            columns["phase"] = pa.array(shots.phase, pa.float64())
        if shots.in_training is not None:
            columns["in_training"] = pa.array(shots.in_training, pa.bool_())
        return pa.table(columns)

    def _rows(self, array: NDArray[np.uint8], at: NDArray[np.int32]) -> Any:
        """One list for each shot, without what fills the rows of shorter chains."""
        pa = needed("pyarrow")
        lengths = np.asarray([self.head.sources[p.source].sites for p in self.head.points])
        if len(set(lengths.tolist())) == 1:
            return _lists(array[:, : int(lengths[0])])
        there = np.arange(array.shape[1]) < lengths[at][:, None]
        offsets = np.concatenate([[0], np.cumsum(lengths[at])]).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(array[there]))


def _lists(array: Array) -> Any:
    """Rows of a matrix as lists of one length."""
    pa = needed("pyarrow")
    flat = pa.array(np.ascontiguousarray(array).reshape(-1))
    if array.shape[1] == 0:
        return pa.array([[]] * len(array), pa.list_(flat.type))
    return pa.FixedSizeListArray.from_arrays(flat, array.shape[1])


def _couplings(head: SnapshotsHead, at: IntArray | NDArray[np.int32]) -> Any:
    points = [p.point.as_dict() for p in head.points]
    names = sorted({name for point in points for name in point})
    return _struct(
        {name: np.asarray([p.get(name, np.nan) for p in points])[at] for name in names}, len(at)
    )


def _struct(columns: dict[str, Array], rows: int) -> Any:
    pa = needed("pyarrow")
    if not columns:
        return pa.nulls(rows, pa.float64())
    return pa.StructArray.from_arrays(
        [pa.array(column) for column in columns.values()], list(columns)
    )


def _points_table(head: SnapshotsHead) -> Any:
    """One row for each point; arrays of features are flat, in C order, beside their shapes."""
    pa = needed("pyarrow")
    points, count = head.points, len(head.points)
    soft = [list(p.soft_label) or None for p in points]
    columns: dict[str, Any] = {
        "point": pa.array(np.arange(count, dtype=np.int32)),
        "couplings": _couplings(head, np.arange(count)),
        "label": pa.array([p.label for p in points], pa.string()),
        "soft_label": pa.array(soft, pa.list_(pa.float64())),
        "split": pa.array([p.split for p in points], pa.string()),
        "reason": pa.array([p.reason for p in points], pa.string()),
        "control": pa.array([p.control for p in points], pa.string()),
        "source": pa.array([p.source for p in points], pa.int32()),
    }
    if head.targets:
        columns["targets"] = _struct({c.name: c.values for c in head.targets}, count)
        columns["target_errors"] = _struct({c.name: c.errors for c in head.targets}, count)
    for curve in head.features:
        columns[f"feature {curve.name}"] = pa.array(
            [values.reshape(-1) for values in curve.values], pa.list_(pa.float64())
        )
        columns[f"shape of {curve.name}"] = pa.array(
            [list(values.shape) for values in curve.values], pa.list_(pa.int64())
        )
    return pa.table(columns)


def _features(schema: Any, classes: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Columns as the card of a dataset lists them."""
    features = [{"name": field.name, **_feature(field.type)} for field in schema]
    names = {str(k): name for k, name in enumerate(classes)}
    for feature in features:
        if classes and feature["name"] == "label":
            feature["dtype"] = {"class_label": {"names": names}}
    return features


def _feature(kind: Any) -> dict[str, Any]:
    types = needed("pyarrow").types
    if types.is_struct(kind):
        return {"struct": _features(kind)}
    if types.is_fixed_size_list(kind):
        return {"sequence": _name(kind.value_type), "length": kind.list_size}
    if types.is_list(kind):
        return {"sequence": _name(kind.value_type)}
    return {"dtype": _name(kind)}


def _name(kind: Any) -> str:
    return str(kind).replace("double", "float64")


def _notes_of_head(head: SnapshotsHead) -> dict[str, Any]:
    """What the tables do not hold."""
    names = ("site_dim", "basis", "basis_names", "transform", "classes", "labelled_by")
    return {
        **{name: getattr(head, name) for name in names},
        "sources": [vars(source) for source in head.sources],
        "targets": [{"name": c.name, "unit": c.unit, "meaning": c.meaning} for c in head.targets],
        "features": [
            {"name": c.name, "unit": c.unit, "meaning": c.meaning, "axes": c.axes}
            for c in head.features
        ],
        "pairs": [vars(pair) for pair in head.pairs],
    }
