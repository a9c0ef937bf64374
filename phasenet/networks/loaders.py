"""Loaders of whole batches whose order is fixed by a seed and the number of the pass."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from phasenet.errors import SettingsError
from phasenet.seeds import stream
from phasenet.trains.train import IntArray

Batch = tuple[torch.Tensor, torch.Tensor]

# Batches are prepared and sent between processes several at a time: sending costs a millisecond.
_TOGETHER = 16_384


class SnapshotLoader(DataLoader[Batch]):
    """DataLoader of whole batches; every pass over it is another epoch, counted from 0."""

    def __init__(
        self,
        dataset: Dataset[Any],
        order: "BatchOrder | None",
        *,
        batch: int,
        epoch: torch.Tensor,
        workers: int,
    ):
        super().__init__(
            dataset,
            batch_size=None,
            sampler=order,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=_as_they_are,
            # Its own, so that a pass does not move the global stream of torch.
            generator=torch.Generator(),
        )
        self._batch, self._epoch = batch, epoch

    def set_epoch(self, epoch: int) -> None:
        """Make the next pass that of this number, to go on with a training that was stopped."""
        self._epoch.fill_(epoch - 1)

    def __len__(self) -> int:
        return -(-len(self.dataset) // self._batch)  # type: ignore[arg-type]

    def __iter__(self) -> Any:
        self._epoch.add_(1)
        return _single(super().__iter__(), self._batch)


class BatchOrder:
    """Indices of shots, some batches at a time, in the order of a pass."""

    def __init__(self, shots: int, batch: int, seed: int | None, epoch: torch.Tensor):
        self._shots, self._rows, self._seed, self._epoch = shots, together(batch), seed, epoch

    def __len__(self) -> int:
        return -(-self._shots // self._rows)

    def __iter__(self) -> Iterator[IntArray]:
        order = np.arange(self._shots)
        if self._seed is not None:
            rng = stream(self._seed, "order of shots", str(int(self._epoch)))
            order = rng.permutation(self._shots)
        starts = range(0, self._shots, self._rows)
        return (order[start : start + self._rows] for start in starts)


def together(batch: int) -> int:
    """Shots of as many whole batches as are prepared at a time.

    >>> together(256), together(10_000), together(100_000)
    (16384, 10000, 100000)
    """
    if batch < 1:
        raise SettingsError(f"batch is {batch} shots; wanted at least 1")
    return batch * max(1, _TOGETHER // batch)


def epoch_counter() -> torch.Tensor:
    """Number of the current pass, seen by all worker processes; -1 before the first."""
    counter = torch.full((), -1, dtype=torch.int64)
    counter.share_memory_()  # type: ignore[no-untyped-call]
    return counter


def mixed(pools: Iterable[Batch], rows: int, rng: np.random.Generator | None) -> Iterator[Batch]:
    """Equally many shots at a time, each time from one pool and what was left of those before it.

    Parameters
    ----------
    pools
        Shots in the order in which they were read.
    rows
        Shots at a time; the last ones may be fewer.
    rng
        Mixes each pool; None leaves the order as it is.
    """
    rest: Batch | None = None
    for pool in pools:
        inputs, target = pool if rest is None else map(torch.cat, zip(rest, pool, strict=True))
        order = torch.arange(len(inputs))
        if rng is not None:
            order = torch.from_numpy(rng.permutation(len(inputs)))
        whole = len(order) // rows * rows
        for start in range(0, whole, rows):
            chosen = order[start : start + rows]
            yield inputs[chosen], target[chosen]
        rest = inputs[order[whole:]], target[order[whole:]]
    if rest is not None and len(rest[0]):
        yield rest


def _single(several: Iterator[Batch], batch: int) -> Iterator[Batch]:
    for inputs, target in several:
        yield from zip(torch.split(inputs, batch), torch.split(target, batch), strict=True)


def _as_they_are(batch: Any) -> Any:
    return batch
