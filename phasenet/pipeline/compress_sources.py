"""What can be compressed: a classifier of ours with its snapshots, or any module with arrays."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phasenet.card import StudyCard
from phasenet.compression import CompressSettings
from phasenet.errors import MissingInputError
from phasenet.pipeline.compress import Compression, Loaded
from phasenet.pipeline.function_source import FunctionSource
from phasenet.pipeline.product import Product, parents_of
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind, Parent
from phasenet.storage.networks import read_network
from phasenet.storage.snapshots import read_snapshots


def of_network(
    network: Path, snapshots: Path, out: Path, settings: CompressSettings, *, seed: int | None
) -> Compression:
    """Compression of a classifier of ours.

    Parameters
    ----------
    network
        A ``*.network.h5``.
    snapshots
        The dataset that it was trained on.
    out
        Where the candidates go.
    settings
        Candidates, and how they are tuned.
    seed
        None is that of the network.
    """
    header = read_header(network)
    used = header.seed if seed is None else seed

    def load() -> Loaded:
        from phasenet.networks.compression.own import (  # loads torch
            nulls_of_record,
            subject_of_record,
            task_of_snapshots,
        )

        _, record = read_network(network)
        _, data = read_snapshots(snapshots)
        return Loaded(
            subject=subject_of_record(record),
            task=task_of_snapshots(data, record),
            classes=tuple(record.classes),
            nulls=nulls_of_record(record),
        )

    parents = parents_of([network, snapshots])
    made = _header(settings.as_dict(), used, header.study, parents)
    return Compression(
        name=network.name,
        product=Product(path=out, header=made),
        settings=settings,
        seed=used,
        load=load,
        caution=_caution(header, snapshots),
    )


@dataclass(frozen=True, kw_only=True)
class ModuleFiles:
    """A torch module of a stranger, and where its weights and its data are.

    Parameters
    ----------
    source
        Function that returns it.
    weights
        A state_dict, read without running anything in it; None if the module comes trained.
    data
        Arrays ``x`` and ``y``, and perhaps ``split``, in one ``.npz``.
    """

    source: FunctionSource
    weights: Path | None
    data: Path

    def digests(self) -> dict[str, Any]:
        """Return what of the files decides the result."""
        files = {"weights": self.weights, "data": self.data}
        return {
            "module": self.source.name,
            "code": self.source.digest(),
            **{name: _digest(path) for name, path in files.items() if path is not None},
        }


def of_module(
    files: ModuleFiles, out: Path, settings: CompressSettings, *, seed: int
) -> Compression:
    """Compression of any torch module.

    Parameters
    ----------
    files
        The module, its weights and its data.
    out
        Where the candidates go.
    settings
        Candidates, and how they are tuned.
    seed
        Of all random choices.
    """

    def load() -> Loaded:
        from phasenet.networks.compression.foreign import (  # loads torch
            nulls_of_task,
            subject_of_module,
            task_of_file,
        )

        task = task_of_file(files.data, seed=seed)
        subject = subject_of_module(
            files.source.named(), files.weights, task, name=files.source.name
        )
        return Loaded(
            subject=subject,
            task=task,
            classes=tuple(str(k) for k in range(task.classes)),
            nulls=nulls_of_task(task),
        )

    header = _header({**settings.as_dict(), **files.digests()}, seed, None, ())
    return Compression(
        name=files.source.name,
        product=Product(path=out, header=header),
        settings=settings,
        seed=seed,
        load=load,
    )


def _caution(network: Header, snapshots: Path) -> str:
    trained_on = {parent.id for parent in network.parents if parent.kind is Kind.SNAPSHOTS}
    if not trained_on or read_header(snapshots).id in trained_on:
        return ""
    return (
        f"the network was trained on other snapshots than {snapshots}: shots that are held out "
        "there may have been among its training shots"
    )


def _header(
    settings: Mapping[str, Any], seed: int, study: StudyCard | None, parents: tuple[Parent, ...]
) -> Header:
    return Header(
        kind=Kind.COMPRESSION,
        settings={"compress": dict(settings)},
        seed=seed,
        parents=parents,
        study=study,
    )


def _digest(path: Path) -> str:
    if not path.is_file():
        raise MissingInputError(f"no file {path}")
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
