"""One HDF5 layout for every kind of file: root attributes, a ``record`` group, plain datasets.

The root attributes are the header. The attributes of the group ``record`` are the scalars of the
stored value. All other datasets are plain arrays. Texts are UTF-8; structures are JSON texts.
"""

import datetime
import hashlib
import itertools
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import phasenet
from phasenet.errors import FileKindError, MissingInputError, PhasenetError
from phasenet.storage.atomic import atomic_path
from phasenet.storage.header import Header, Kind, format_version
from phasenet.storage.sink import Sink, waiting_signals
from phasenet.trains.train import Array

Scalar = str | int | float
RECORD = "record"
COMPRESSION: Mapping[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
"""As of h5py's create_dataset: what every reader of HDF5 knows."""
_COMPRESS_FROM_BYTES = 4096
# HDF5 tells open files in memory apart by their names, and threads may write at the same time.
_images = itertools.count()


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """Arrays and scalars of one file; array names may hold ``/`` for groups."""

    arrays: Mapping[str, Array]
    values: Mapping[str, Scalar]

    def below(self, group: str) -> dict[str, Array]:
        """Return the arrays of a group by their names in it.

        >>> Content(arrays={"weights/a": np.zeros(1), "b": np.zeros(1)}, values={}).below("weights")
        {'a': array([0.])}
        """
        prefix = f"{group}/"
        arrays = self.arrays.items()
        return {name.removeprefix(prefix): a for name, a in arrays if name.startswith(prefix)}

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
    header = stamped(header, content.id)

    def fill(file: h5py.File) -> None:
        file.attrs.update(header.attributes())
        fill_content(file, content, compress=compress)

    write_hdf5(path, fill)
    return header


def stamped(header: Header, content_id: str) -> Header:
    """Header of a file that is written now."""
    return replace(
        header,
        id=content_id,
        version=phasenet.__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )


def write_hdf5(path: Path, fill: Callable[[h5py.File], None]) -> None:
    """Write any HDF5 file atomically; ``fill`` receives it open and empty."""
    # In memory, because HDF5 crashes the process when the disk is full.
    with h5py.File(f"image.{next(_images)}", "w", driver="core", backing_store=False) as file:
        fill(file)
        file.flush()
        image = file.id.get_file_image()
    with atomic_path(path) as temporary:
        temporary.write_bytes(image)


@contextmanager
def streamed(path: Path) -> Iterator[tuple[h5py.File, Callable[[], None]]]:
    """Write an HDF5 file of any size atomically: it goes to the disk as it is filled.

    Call the second value from time to time: there a full disk and signals end the work early.

    Raises
    ------
    PhasenetError
        The folder cannot be written, or the disk is full.
    """
    with atomic_path(path) as temporary, waiting_signals() as handle_signals:
        sink = Sink(temporary)

        def check() -> None:
            sink.check()
            handle_signals()

        try:
            with h5py.File(sink, "w") as file:
                yield file, check
        finally:
            sink.close()
        sink.check()


def read_header(path: Path | str) -> Header:
    """Header of any phasenet file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    with opened(path) as file:
        return header_of(file, Path(path))


def read_content(path: Path | str, kind: Kind) -> tuple[Header, Content]:
    """Header and content of a file of one kind, checked against its id.

    Raises
    ------
    MissingInputError, FileKindError
    """
    with opened(path) as file:
        header, content = header_of(file, Path(path)), content_of(file)
    check_kind(path, header, kind)
    check_id(path, header, content.id)
    return header, content


def check_kind(path: Path | str, header: Header, kind: Kind) -> None:
    """Raise FileKindError unless a file is of a kind."""
    if header.kind != kind:
        raise FileKindError(f"{path} is a {header.kind} file; wanted a {kind} file")


def check_id(path: Path | str, header: Header, content_id: str) -> None:
    """Raise FileKindError unless the content of a file has the id that the file names."""
    if content_id != header.id:
        raise FileKindError(f"{path} is damaged: its content does not match its id; make it again")


def current_header(path: Path, key: str) -> Header | None:
    """Header of an existing, readable file with this key, else None."""
    try:
        header = read_header(path)
    except (MissingInputError, FileKindError):
        return None
    return header if header.key == key else None


def fill_content(file: h5py.File, content: Content, *, compress: bool = True) -> None:
    """Put arrays and scalars into an open file."""
    file.create_group(RECORD).attrs.update(dict(content.values))
    for name, array in content.arrays.items():
        large = compress and array.nbytes >= _COMPRESS_FROM_BYTES
        file.create_dataset(name, data=array, **(COMPRESSION if large else {}))


@contextmanager
def opened(place: Path | str) -> Iterator[h5py.File]:
    """Open a file for reading; whatever goes wrong inside is one FileKindError.

    Raises
    ------
    MissingInputError, FileKindError
    """
    with readable(place), h5py.File(Path(place), "r") as file:
        yield file


@contextmanager
def readable(place: Path | str) -> Iterator[None]:
    """Whatever goes wrong while a file is read is one FileKindError.

    Raises
    ------
    MissingInputError, FileKindError
    """
    path = Path(place)
    if not path.is_file():
        raise MissingInputError(f"no file {path}")
    try:
        yield
    except FileKindError:
        raise
    except (PhasenetError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        detail = " ".join(str(error).split())[:120]
        raise FileKindError(
            f"{path} is truncated, or no HDF5 file of phasenet ({detail}); make it again"
        ) from error


def header_of(file: h5py.File, path: Path) -> Header:
    """Header of an open file; ``path`` is what messages call it."""
    if "kind" not in file.attrs or "format_version" not in file.attrs:
        raise FileKindError(f"{path} is an HDF5 file, but not one of phasenet: it names no kind")
    version, newest = int(file.attrs["format_version"]), format_version(file.attrs["kind"])
    if version > newest:
        raise FileKindError(
            f"{path} has format {version}, this phasenet reads up to {newest}; update it"
        )
    return Header.from_attributes(dict(file.attrs))


def content_of(file: h5py.File, *, leave: Collection[str] = ()) -> Content:
    """Scalars and arrays of an open file, without some arrays."""
    arrays: dict[str, Array] = {}

    def visit(name: str | bytes, item: Any) -> None:
        if isinstance(name, bytes):
            raise ValueError(f"an array has the name {name!r}")
        if isinstance(item, h5py.Dataset) and name not in leave:
            arrays[name] = item[()]

    file.visititems(visit)
    values = {name: _plain(value) for name, value in file[RECORD].attrs.items()}
    return Content(arrays=arrays, values=values)


def _plain(value: Any) -> Scalar:
    if isinstance(value, (str, np.integer, np.floating)):
        return value if isinstance(value, str) else value.item()
    raise ValueError(f"an attribute is {type(value).__name__}; wanted text or a number")
