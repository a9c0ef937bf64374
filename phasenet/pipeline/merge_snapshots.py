"""Datasets of several machines joined: shards of one dataset, or datasets of different points."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from phasenet.errors import FileKindError, SettingsError
from phasenet.pipeline.united_heads import same_head, united_head
from phasenet.shots import Shots
from phasenet.snapshots.repeats import Configurations
from phasenet.storage.container import read_header
from phasenet.storage.header import Header
from phasenet.storage.snapshot_writer import BLOCK
from phasenet.storage.snapshots import SnapshotFile, read_head, stream_snapshots

_SHARD, _MERGED = "shard", "merged"
_GROUPS = ("finite", "infinite", "sample", "noise", "controls", "features")
_SHOWN = 60


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """Consecutive shots of a file.

    Parameters
    ----------
    shift
        What is added to the indices of their points.
    classes
        How many classes there will be, if the likelihoods go; None where they stay.
    """

    file: SnapshotFile
    start: int
    stop: int
    shift: int = 0
    classes: int | None = None

    def blocks(self) -> Iterator[Shots]:
        """Shots as they will be in the merged file."""
        for start in range(self.start, self.stop, BLOCK):
            shots = self.file.rows(start, min(start + BLOCK, self.stop))
            shots = replace(shots, point_index=shots.point_index + np.int32(self.shift))
            if self.classes is not None:
                unknown = np.full((len(shots), self.classes), np.nan)
                shots = replace(shots, class_log_likelihood=unknown)
            yield shots


def merge_snapshots(sources: Sequence[Path], out: Path) -> Header:
    """Join files of snapshots that were made with the same settings.

    All shards of a dataset (``sample --shard I/N``) make up the file that one machine would have
    written, bit for bit. Datasets of different points become one without likelihoods of the
    classes, which are those of all points of a split: they are NaN.

    Parameters
    ----------
    sources
        At least two files.
    out
        File to be made.

    Returns
    -------
    The header as written.

    Raises
    ------
    SettingsError
        The files differ in a setting, a shard is missing, or a point is in two of them.
    MissingInputError, FileKindError
        A file is missing or damaged.
    PhasenetError
        The folder cannot be written, or the disk is full.
    """
    if len(sources) < 2:
        raise SettingsError(f"merge has {len(sources)} dataset to join; name at least two")
    if out.resolve() in [source.resolve() for source in sources]:
        raise SettingsError(f"--out {out} is one of the files to merge; choose another name")
    with ExitStack() as stack:
        files = [stack.enter_context(SnapshotFile(source)) for source in sources]
        for file in files:
            file.check()
        _check_settings(files)
        header = _header(files)
        if any(_SHARD in file.header.settings for file in files):
            head, pieces = files[0].head, _pieces_of_shards(files)
        else:
            head = united_head([(file.path, file.head) for file in files], header.study)
            pieces = _pieces_of_points(files, len(head.classes))
        training = Configurations()
        trained = np.asarray([p.split == "train" for p in head.points], dtype=bool)
        for block in _blocks(pieces):
            training.add(block.at(trained[block.point_index]))
        return stream_snapshots(out, header, head, map(training.marked, _blocks(pieces)))


def merged_lines(sources: Sequence[Path], out: Path) -> list[str]:
    """Say what a merge of datasets has made, and what was left out of it."""
    with SnapshotFile(out) as file:
        points, shots, head = len(file.head.points), file.length, file.head
    shards = _SHARD in read_header(sources[0]).settings
    kind = "shards" if shards else "datasets"
    lines = [f"{len(sources)} {kind} with {points} points and {shots} shots in {out}"]
    if not shards:
        lines.append(
            "class_log_likelihood is NaN there: it belongs to all points of a split, and the files "
            "had different ones"
        )
        if any(read_head(source)[1].classes != head.classes for source in sources):
            lines.append("soft labels are left out: the files have different classes")
    return lines


def _blocks(pieces: Sequence[_Piece]) -> Iterator[Shots]:
    for piece in pieces:
        yield from piece.blocks()


def _pieces_of_points(files: Sequence[SnapshotFile], classes: int) -> list[_Piece]:
    """All shots of all files, one file after the other."""
    counts = [len(file.head.points) for file in files]
    shifts = np.cumsum([0, *counts[:-1]]).tolist()
    return [
        _Piece(file=file, start=0, stop=file.length, shift=shift, classes=classes)
        for file, shift in zip(files, shifts, strict=True)
    ]


def _pieces_of_shards(files: Sequence[SnapshotFile]) -> list[_Piece]:
    """Shots of each point from the shard that has them, in the order of the points."""
    by_number = _shards(files)
    first = files[0]
    for file in files[1:]:
        if file.header.parents != first.header.parents or not same_head(first.head, file.head):
            raise SettingsError(
                f"{first.path} and {file.path} are shards of different states; make all shards of "
                "the same ground states"
            )
    pieces = {}
    for number, file in by_number.items():
        edges = np.flatnonzero(np.diff(file.point_index, prepend=-1, append=-1))
        for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            point = int(file.point_index[start])
            if point in pieces or point % len(files) != number - 1:
                raise FileKindError(
                    f"{file.path} has shots of point {point} out of place for shard "
                    f"{number}/{len(files)}; make it again"
                )
            pieces[point] = _Piece(file=file, start=start, stop=stop)
    return [pieces[point] for point in sorted(pieces)]


def _shards(files: Sequence[SnapshotFile]) -> dict[int, SnapshotFile]:
    """Files by the number of their shard."""
    found: dict[int, SnapshotFile] = {}
    count = 0
    for file in files:
        if _SHARD not in file.header.settings:
            raise SettingsError(f"{file.path} is no shard, the others are; merge shards alone")
        number, own = (int(value) for value in file.header.settings[_SHARD])
        if count and own != count:
            raise SettingsError(
                f"{files[0].path} is one of {count} shards, {file.path} one of {own}; merge the "
                "shards of one division"
            )
        if number in found:
            raise SettingsError(
                f"{found[number].path} and {file.path} are both shard {number}/{own}; name each "
                "shard once"
            )
        found[number], count = file, own
    missing = [f"{number}/{count}" for number in range(1, count + 1) if number not in found]
    if missing:
        raise SettingsError(
            f"of {count} shards {', '.join(missing)} is missing; draw it with sample --shard "
            f"{missing[0]} and name it too"
        )
    return found


def _header(files: Sequence[SnapshotFile]) -> Header:
    """Header of the merged file."""
    first = files[0].header
    settings = {k: v for k, v in first.settings.items() if k not in (_SHARD, _MERGED)}
    if _SHARD not in first.settings:
        # Not what sampling all of its points at once would have given.
        ids = [file.header.settings.get(_MERGED, [file.header.id]) for file in files]
        settings[_MERGED] = sorted({name for group in ids for name in group})
    cards = [file.header.study for file in files]
    varied = tuple(dict.fromkeys(name for card in cards if card for name in card.varied))
    return replace(
        first,
        settings=settings,
        parents=tuple(dict.fromkeys(p for file in files for p in file.header.parents)),
        study=replace(first.study, varied=varied) if first.study else None,
        seconds=sum(file.header.seconds for file in files),
    )


def _check_settings(files: Sequence[SnapshotFile]) -> None:
    """Raise SettingsError, naming the first setting in which files differ."""
    first, known = files[0], _facts(files[0])
    for file in files[1:]:
        facts = _facts(file)
        for name in dict.fromkeys([*known, *facts]):
            one, other = known.get(name, "not set"), facts.get(name, "not set")
            if one != other:
                raise SettingsError(
                    f"{name} is {_shown(one)} in {first.path} and {_shown(other)} in {file.path}; "
                    "merge datasets with the same settings"
                )


def _facts(file: SnapshotFile) -> dict[str, Any]:
    """All that must be the same, by name."""
    header, head = file.header, file.head
    card = header.study
    asked = card.run_settings().model_dump(mode="json") if card else {}
    own = {k: v for k, v in header.settings.items() if k not in (_SHARD, _MERGED)}
    return {
        "study": card.name if card else "",
        "hamiltonian": card.hamiltonian if card else "",
        "seed": header.seed,
        "basis": head.basis,
        "site_dim": head.site_dim,
        "basis_names": head.basis_names,
        "transform": head.transform,
        "labelled_by": head.labelled_by,
        **_flat({group: asked[group] for group in _GROUPS if group in asked}),
        **_flat(own),
    }


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dots in the names.

    >>> _flat({"sample": {"shots": 3}, "seed": 0})
    {'sample.shots': 3, 'seed': 0}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and value else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
