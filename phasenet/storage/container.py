"""One HDF5 layout for every kind of file: root attributes, a ``record`` group, plain datasets.

The root attributes are the header. The attributes of the group ``record`` are the scalars of the
stored value. All other datasets are plain arrays. Texts are UTF-8; structures are JSON texts.
"""

import datetime
import hashlib
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np

import phasenet
from phasenet.errors import FileKindError, MissingInputError, PhasenetError
from phasenet.storage.atomic import atomic_path
from phasenet.storage.header import Header, Kind, format_version
from phasenet.trains.train import Array

Scalar = str | int | float
Read = TypeVar("Read")
_RECORD = "record"
_COMPRESS_FROM_BYTES = 4096
# HDF5 tells open files in memory apart by their names, and threads may write at the same time.
_images = itertools.count()


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """Arrays and scalars of one file; array names may hold ``/`` for groups."""

    arrays: Mapping[str, Array]
    values: Mapping[str, Scalar]

    @property
    def id(self) -> str:
        """Digest of every byte of the arrays and every digit of the scalars."""
        hasher = hashlib.sha256(json.dumps(dict(self.values), sort_keys=True).encode())
        for name in sorted(self.arrays):
            array = np.ascontiguousarray(self.arrays[name])
            hasher.update(f"{name}|{array.dtype.str}|{array.shape}".encode())
            hasher.update(array.data)
        return hasher.hexdigest()[:16]


def write_file(path: Path, header: Header, content: Content, *, compress: bool = True) -> Header:
    """Write a file atomically; return its header with id, version and time filled in."""
    header = replace(
        header,
        id=content.id,
        version=phasenet.__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    write_hdf5(path, lambda file: _fill(file, header, content, compress))
    return header


def write_hdf5(path: Path, fill: Callable[[h5py.File], None]) -> None:
    """Write any HDF5 file atomically; ``fill`` receives it open and empty."""
    # In memory, because HDF5 crashes the process when the disk is full.
    with h5py.File(f"image.{next(_images)}", "w", driver="core", backing_store=False) as file:
        fill(file)
        file.flush()
        image = file.id.get_file_image()
    with atomic_path(path) as temporary:
        temporary.write_bytes(image)


def read_header(path: Path | str) -> Header:
    """Header of any phasenet file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    return _read(path, _header)


def read_content(path: Path | str, kind: Kind) -> tuple[Header, Content]:
    """Header and content of a file of one kind, checked against its id.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = _read(path, _everything)
    if header.kind != kind:
        raise FileKindError(f"{path} is a {header.kind} file; wanted a {kind} file")
    if content.id != header.id:
        raise FileKindError(f"{path} is damaged: its content does not match its id; make it again")
    return header, content


def current_header(path: Path, key: str) -> Header | None:
    """Header of an existing, readable file with this key, else None."""
    try:
        header = read_header(path)
    except (MissingInputError, FileKindError):
        return None
    return header if header.key == key else None


def _fill(file: h5py.File, header: Header, content: Content, compress: bool) -> None:
    file.attrs.update(header.attributes())
    file.create_group(_RECORD).attrs.update(dict(content.values))
    for name, array in content.arrays.items():
        large = compress and array.nbytes >= _COMPRESS_FROM_BYTES
        options = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        file.create_dataset(name, data=array, **(options if large else {}))


def _read(place: Path | str, reader: Callable[[h5py.File, Path], Read]) -> Read:
    path = Path(place)
    if not path.is_file():
        raise MissingInputError(f"no file {path}")
    try:
        with h5py.File(path, "r") as file:
            return reader(file, path)
    except FileKindError:
        raise
    except (PhasenetError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        detail = " ".join(str(error).split())[:120]
        raise FileKindError(
            f"{path} is truncated, or no HDF5 file of phasenet ({detail}); make it again"
        ) from error


def _header(file: h5py.File, path: Path) -> Header:
    if "kind" not in file.attrs or "format_version" not in file.attrs:
        raise FileKindError(f"{path} is an HDF5 file, but not one of phasenet: it names no kind")
    version, newest = int(file.attrs["format_version"]), format_version(file.attrs["kind"])
    if version > newest:
        raise FileKindError(
            f"{path} has format {version}, this phasenet reads up to {newest}; update it"
        )
    return Header.from_attributes(dict(file.attrs))


def _everything(file: h5py.File, path: Path) -> tuple[Header, Content]:
    header = _header(file, path)
    values = {name: _plain(value) for name, value in file[_RECORD].attrs.items()}
    arrays: dict[str, Array] = {}

    def visit(name: str | bytes, item: Any) -> None:
        if isinstance(name, bytes):
            raise ValueError(f"an array has the name {name!r}")
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    file.visititems(visit)
    return header, Content(arrays=arrays, values=values)


def _plain(value: Any) -> Scalar:
    if isinstance(value, (str, np.integer, np.floating)):
        return value if isinstance(value, str) else value.item()
    raise ValueError(f"an attribute is {type(value).__name__}; wanted text or a number")
