"""Datasets in formats of others: numpy's npz, a folder of Hugging Face, an HDF5 file of PennyLane.

No file holds a pickle. All numbers are those of the ``*.snapshots.h5``, bit for bit.
"""

import importlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from phasenet.errors import FileKindError, MissingInputError, PhasenetError, SettingsError
from phasenet.storage.atomic import atomic_path
from phasenet.storage.container import Content, content_of, opened, read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import SnapshotFile
from phasenet.trains.train import Array

FORMATS = ("npz", "parquet", "pennylane")
NOTES = "phasenet.json"
"""File of an exported folder that says what it was made from; the last one to be written."""
_ENDINGS = {"npz": ".npz", "parquet": ".parquet", "pennylane": ".pennylane.h5"}
_MEANINGS = {
    "spins": "local state of each site of each shot: 0 is the highest weight, site_dim a lost "
    "site, 255 beyond the end of a shorter chain",
    "point": "for each shot, the row of its point in the arrays of points",
    "label": "class of each shot, -1 where undetermined",
    "split": "index of the split of each shot among splits",
    "log_probability": "ln p of each shot in its own state, before noise; NaN: not computed",
    "class_log_likelihood": "ln p(shot | class); NaN: not computed",
    "basis_index": "basis of each site of each shot, an index among basis_names",
    "phase": "phase of the amplitude of each shot in radians",
    "in_training": "whether the shot is a configuration of the training set too",
    "couplings": "couplings of each point, in the order of coupling_names",
}


@dataclass(frozen=True, kw_only=True)
class SnapshotsExport:
    """A dataset and the file or folder of another format that it becomes.

    Parameters
    ----------
    source, target
        The ``*.snapshots.h5``, and what it becomes.
    format
        One of FORMATS.
    """

    source: Path
    target: Path
    format: str

    def is_done(self) -> bool:
        """Return whether the target was made of this very dataset."""
        readers: dict[str, Callable[[Path], Any]] = {
            "npz": _id_in_npz,
            "parquet": _id_in_folder,
            "pennylane": _id_in_pennylane,
        }
        wanted = read_header(self.source).id
        return self.target.exists() and readers[self.format](self.target) == wanted


def is_dataset(path: Path) -> bool:
    """Whether a path is a file of labelled snapshots."""
    try:
        return read_header(path).kind == Kind.SNAPSHOTS
    except (MissingInputError, FileKindError):
        return path.name.endswith(f".{Kind.SNAPSHOTS}.h5")


def snapshots_export(source: Path, target: Path | None, name: str | None) -> SnapshotsExport:
    """File or folder that a dataset becomes.

    Parameters
    ----------
    source
        A ``*.snapshots.h5``.
    target
        Where it goes; by default beside the dataset.
    name
        One of FORMATS; by default what the name of the target ends in.

    Raises
    ------
    SettingsError
        The format is not known, or does not go with the name of the target.

    >>> snapshots_export(Path("a.snapshots.h5"), Path("b.npz"), None).format
    'npz'
    >>> snapshots_export(Path("a.snapshots.h5"), None, "pennylane").target.as_posix()
    'a.pennylane.h5'
    """
    name = name or _format_of(target)
    if name not in FORMATS:
        raise SettingsError(f"format is {name!r}; wanted one of {', '.join(FORMATS)}")
    ending = _ENDINGS[name]
    stem = source.name.removesuffix(".h5").removesuffix(f".{Kind.SNAPSHOTS}")
    place = source.with_name(stem + ending) if target is None else target
    if name != "parquet":
        if place.is_dir():
            place = place / (stem + ending)
        last = f".{ending.split('.')[-1]}"
        if place.suffix != last or is_dataset(place):
            raise SettingsError(f"--out is {place}; for {name} wanted a new name ending in {last}")
    return SnapshotsExport(source=source, target=place, format=name)


def export_snapshots(export: SnapshotsExport) -> None:
    """Write one dataset in the format of others.

    Parameters
    ----------
    export
        From :func:`snapshots_export`.

    Raises
    ------
    PhasenetError
        The dataset is damaged, a library is missing, or the target cannot be written.
    """
    with SnapshotFile(export.source) as file:
        file.check()
        if export.format == "parquet":
            needed("pyarrow.parquet")
            from phasenet.pipeline.export_parquet import write_folder  # loads torch, for the card

            write_folder(export.target, file)
            return
        header = file.header
    with opened(export.source) as raw:
        content = content_of(raw)
    write = _write_npz if export.format == "npz" else _write_pennylane
    write(export.target, header, content)


def needed(name: str) -> ModuleType:
    """Library of the extra ``export``.

    Raises
    ------
    MissingInputError
        It is not installed.

    >>> needed("json").__name__
    'json'
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingInputError(
            f"this export needs {name} ({error}); install it with: "
            "pip install 'phasenet-mps[export]'"
        ) from None


def notes_of(header: Header) -> dict[str, Any]:
    """Header of a file as plain JSON values.

    >>> header = Header(kind=Kind.SNAPSHOTS, settings={"a": 1}, seed=2, parents=(), study=None)
    >>> notes_of(header)["settings"]
    {'a': 1}
    """
    structures = ("settings", "parents", "study")
    values: Mapping[str, Any] = header.attributes()
    return {
        name: json.loads(value) if name in structures and value else value
        for name, value in values.items()
    }


def _format_of(target: Path | None) -> str:
    suffix = None if target is None else target.suffix
    found = {".npz": "npz", ".parquet": "parquet", ".h5": "pennylane", "": "parquet"}
    if suffix not in found:
        given = "there is no --out" if target is None else f"--out is {target}"
        raise SettingsError(f"{given}; name the format with --format {', '.join(FORMATS)}")
    return found[suffix]


def _write_npz(path: Path, header: Header, content: Content) -> None:
    texts = {"header": json.dumps(notes_of(header)), "record": json.dumps(dict(content.values))}
    arrays: dict[str, Any] = {
        **content.arrays,
        **{name: np.asarray(text) for name, text in texts.items()},
    }
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def _id_in_npz(path: Path) -> Any:
    try:
        with path.open("rb") as stream, np.load(stream) as arrays:
            return json.loads(str(arrays["header"]))["id"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def _write_pennylane(path: Path, header: Header, content: Content) -> None:
    data = needed("pennylane").data
    attributes: dict[str, Any] = {
        name.replace("/", "_"): _documented(data, name, array)
        for name, array in content.arrays.items()
    }
    for name, value in content.values.items():
        # What the columns of targets are has the name of the array itself.
        attribute = f"about_{name}" if name in attributes else name
        attributes[attribute] = data.attribute(_plain(value))
    attributes["phasenet"] = data.attribute(
        json.dumps(notes_of(header)), doc="header of the file that this was made from, as JSON"
    )
    _check_room(path, sum(array.nbytes for array in content.arrays.values()))
    with atomic_path(path) as temporary:
        dataset = data.Dataset.open(temporary, "w")
        try:
            for name, value in attributes.items():
                setattr(dataset, name, value)
        finally:
            dataset.close()


def _documented(data: Any, name: str, array: Array) -> Any:
    return data.attribute(array, doc=_MEANINGS.get(name, ""))


def _plain(value: Any) -> Any:
    """Structure that a text holds as JSON, or the value itself."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        return json.loads(value)
    return value


def _id_in_pennylane(path: Path) -> Any:
    dataset = None
    try:
        dataset = needed("pennylane").data.Dataset.open(path, "r")
        return json.loads(str(dataset.phasenet))["id"]
    except (OSError, KeyError, ValueError, AttributeError):
        return None
    finally:
        if dataset is not None:
            dataset.close()


def _id_in_folder(path: Path) -> Any:
    try:
        return json.loads((path / NOTES).read_text(encoding="utf-8"))["id"]
    except (OSError, KeyError, ValueError):
        return None


def _check_room(path: Path, size: int) -> None:
    # HDF5 crashes the process where the disk is full.
    folder = next(place for place in path.absolute().parents if place.is_dir())
    free = shutil.disk_usage(folder).free
    if free < size:
        raise PhasenetError(
            f"cannot write {path}: it takes {size / 1e6:.0f} MB and {free / 1e6:.0f} MB are free; "
            "free space there or choose --out"
        )
