"""Labelled datasets of files as torch datasets, whole batches at a time.

A batch is a pair of tensors: local states, uint8 of shape (batch, sites), and what is to be learned
from them. :class:`SnapshotDataset` keeps all its shots in memory, one byte a site;
:class:`SnapshotStream` reads chunks of the file in random order and mixes many of them, because the
shots of one point lie together.

Every pass over a loader has another order, fixed by the seed and the number of the pass.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from phasenet.errors import SettingsError
from phasenet.networks.loaders import (
    Batch,
    BatchOrder,
    SnapshotLoader,
    epoch_counter,
    mixed,
    together,
)
from phasenet.networks.selection import Part, part_of
from phasenet.seeds import stream
from phasenet.shots import SampledPoint, SnapshotsHead
from phasenet.storage.snapshots import SnapshotFile
from phasenet.trains.train import Array, IntArray

_BUFFER = 262_144
_BLOCK = 65_536


class SnapshotDataset(Dataset[Batch]):
    """Shots in memory; ``dataset[3]`` is one of them, ``dataset[indices]`` a batch.

    Attributes
    ----------
    inputs
        Local states, uint8 of shape (shots, sites).
    target
        What is to be learned, one entry for each shot.
    point_index
        Index of the point of each shot among the points of the head.
    head, classes, points
        Everything that is known of the file, its classes, and all points of the head.
    sites, site_dim, categories
        Sites of a shot, local states d of a site, and values that an entry of a batch can have:
        d + 1, because d marks a lost site, for each basis that was drawn.
    """

    def __init__(
        self, part: Part, inputs: torch.Tensor, target: torch.Tensor, point_index: torch.Tensor
    ):
        self.inputs, self.target, self.point_index = inputs, target, point_index
        self.head: SnapshotsHead = part.head
        self.classes: tuple[str, ...] = part.head.classes
        self.points: tuple[SampledPoint, ...] = part.head.points
        self.sites, self.site_dim, self.categories = part.sites, part.head.site_dim, part.categories

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int | IntArray | torch.Tensor) -> Batch:
        chosen = torch.from_numpy(index) if isinstance(index, np.ndarray) else index
        return self.inputs[chosen], self.target[chosen]

    def loader(
        self, batch: int = 256, *, shuffle: bool = True, seed: int = 0, workers: int = 0
    ) -> SnapshotLoader:
        """Loader of batches; shots are already in memory, so that worker processes gain nothing.

        Parameters
        ----------
        batch
            Shots of each batch; the last one may be smaller.
        shuffle
            Whether each pass takes the shots in a new order.
        seed
            Fixes all orders.
        workers
            Processes that prepare batches.
        """
        epoch = epoch_counter()
        order = BatchOrder(len(self), batch, seed if shuffle else None, epoch)
        return SnapshotLoader(self, order, batch=batch, epoch=epoch, workers=workers)


class SnapshotStream(IterableDataset[Batch]):
    """Shots that stay in the file, read in random order.

    :meth:`loader` is the fast way. Torch's own ``DataLoader(stream, batch_size=...)`` works as
    well, shot by shot; call :meth:`set_epoch` before each pass, as for its distributed samplers.

    Attributes
    ----------
    shots
        How many there are.
    head, classes, points, sites, site_dim, categories
        As of :class:`SnapshotDataset`.
    """

    def __init__(self, file: SnapshotFile, part: Part, *, buffer: int):
        self._file, self._part, self._buffer = file, part, buffer
        chosen = part.members[file.point_index]
        self._chunks = np.unique(np.flatnonzero(chosen) // file.chunk)
        self._epoch = epoch_counter()
        self.shots = int(chosen.sum())
        self.head: SnapshotsHead = part.head
        self.classes: tuple[str, ...] = part.head.classes
        self.points: tuple[SampledPoint, ...] = part.head.points
        self.sites, self.site_dim, self.categories = part.sites, part.head.site_dim, part.categories

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of passes without a loader of ours."""
        self._epoch.fill_(epoch)

    def __iter__(self) -> Iterator[Batch]:
        for inputs, target in self.share(_BLOCK, 0, int(self._epoch)):
            yield from zip(inputs, target, strict=True)

    def loader(
        self, batch: int = 256, *, shuffle: bool = True, seed: int = 0, workers: int = 0
    ) -> SnapshotLoader:
        """Loader of batches; each worker process reads its own share of the file.

        Parameters
        ----------
        batch
            Shots of each batch; the last one of each worker may be smaller.
        shuffle
            Whether each pass takes the shots in a new order.
        seed
            Fixes all orders, for a number of workers.
        workers
            Processes that read; 0 reads in this one.
        """
        epoch = epoch_counter()
        batches = _Pass(self, together(batch), seed if shuffle else None, epoch)
        return SnapshotLoader(batches, None, batch=batch, epoch=epoch, workers=workers)

    def share(self, rows: int, seed: int | None, epoch: int) -> Iterator[Batch]:
        """Share of a pass that this worker process reads, all of it elsewhere.

        Parameters
        ----------
        rows
            Shots at a time.
        seed, epoch
            Fix the order; without a seed it is that of the file.
        """
        worker = get_worker_info()
        mine, workers = (worker.id, worker.num_workers) if worker else (0, 1)
        order, rng = self._chunks, None
        if seed is not None:
            order = stream(seed, "order of chunks", str(epoch)).permutation(self._chunks)
            rng = stream(seed, "order of shots", str(epoch), f"worker {mine} of {workers}")
        return mixed(self._pools(order[mine::workers]), rows, rng)

    def _pools(self, chunks: IntArray) -> Iterator[Batch]:
        chunk = self._file.chunk
        together = max(1, self._buffer // chunk)
        for start in range(0, len(chunks), together):
            # Sorted, because disks like it; the pool is mixed anyway.
            rows = np.sort(chunks[start : start + together]) * chunk
            parts = [_read(self._file, self._part, row, row + chunk) for row in rows]
            yield _tensors(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def load_dataset(
    path: Path | str,
    split: str = "train",
    *,
    target: str = "label",
    control: str = "",
    source: int | str | None = None,
) -> SnapshotDataset:
    """Shots of one split of a dataset, in memory.

    Parameters
    ----------
    path
        A ``*.snapshots.h5``.
    split
        One of :data:`phasenet.shots.SPLITS`.
    target
        ``label``: index of the class, int64, -1 where undetermined; ``soft label``: probability of
        each class; ``log likelihoods``: ln p(shot | class) for each class; or the name of a
        coupling or of a regression target. All but the first are float32.
    control
        With the split ``control``: name of one control, such as ``block flip 4``.
    source
        Only shots of one chain: its index among the sources, or the name of its study.

    Raises
    ------
    SettingsError
        There are no such shots, or no such target for them.
    ShapeError
        The shots are of chains of several lengths.
    MissingInputError, FileKindError
    """
    with SnapshotFile(Path(path)) as file:
        part = part_of(file.head, split, target, control, source)
        chosen = part.members[file.point_index]
        index = file.point_index[chosen]
        inputs, values = np.empty((len(index), part.sites), dtype=np.uint8), []
        done = 0
        for start in range(0, len(chosen), _BLOCK):
            if chosen[start : start + _BLOCK].any():
                here, targets = _read(file, part, start, start + _BLOCK)
                inputs[done : done + len(here)] = here
                values.append(targets)
                done += len(here)
    return SnapshotDataset(part, *_tensors(inputs, np.concatenate(values)), torch.from_numpy(index))


def stream_dataset(
    path: Path | str,
    split: str = "train",
    *,
    target: str = "label",
    control: str = "",
    source: int | str | None = None,
    buffer: int = _BUFFER,
) -> SnapshotStream:
    """Shots of one split of a dataset that is larger than the memory.

    Parameters
    ----------
    path, split, target, control, source
        As in :func:`load_dataset`.
    buffer
        Shots that are mixed with each other; a process keeps up to three times as many in memory.

    Raises
    ------
    SettingsError, ShapeError, MissingInputError, FileKindError
    """
    if buffer < 1:
        raise SettingsError(f"buffer is {buffer} shots; wanted at least 1")
    file = SnapshotFile(Path(path).resolve())
    part = part_of(file.head, split, target, control, source)
    return SnapshotStream(file, part, buffer=buffer)


class _Pass(IterableDataset[Batch]):
    """Shots of a stream in the order of the current pass, some batches at a time."""

    def __init__(self, source: SnapshotStream, rows: int, seed: int | None, epoch: torch.Tensor):
        self._source, self._rows, self._seed, self._epoch = source, rows, seed, epoch

    def __iter__(self) -> Iterator[Batch]:
        return self._source.share(self._rows, self._seed, int(self._epoch))


def _read(file: SnapshotFile, part: Part, start: int, stop: int) -> tuple[NDArray[np.uint8], Array]:
    """Inputs and targets of those shots of a range that are wanted."""
    shots = file.rows(start, stop)
    chosen = part.members[shots.point_index]
    if not chosen.all():
        shots = shots.at(np.flatnonzero(chosen))
    return part.inputs(shots), part.targets(shots)


def _tensors(inputs: Array, target: Array) -> Batch:
    return torch.from_numpy(np.ascontiguousarray(inputs)), torch.from_numpy(target)
