"""Tensorized classifiers in files: ``*.train.h5``."""

import json
from pathlib import Path

from phasenet.records import TensorizedClassifier
from phasenet.storage.container import Content, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.storage.packing import pack, unpack
from phasenet.trains.train import TensorTrain

_NUMBERS = (
    "data_error",
    "agreement",
    "agreement_error",
    "held_out",
    "uniform_error",
    "evaluations",
)


def write_train(path: Path, header: Header, tensorized: TensorizedClassifier) -> Header:
    """Write a tensorized classifier; return the header as written.

    Every core is stored with four axes (left, site, right, output); only ``output_site`` has more
    than one output.
    """
    train = tensorized.train
    cores = [core if core.ndim == 4 else core[..., None] for core in train.cores]
    arrays = pack("cores", cores)
    arrays |= {f"history/{name}": curve for name, curve in tensorized.history.items()}
    values = {
        "classes": json.dumps(list(tensorized.classes)),
        "output_site": -1 if train.output_site is None else train.output_site,
        "log_scale": train.log_scale,
        "outcome": tensorized.outcome,
        **{name: getattr(tensorized, name) for name in _NUMBERS},
    }
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_train(path: Path) -> tuple[Header, TensorizedClassifier]:
    """Header and tensorized classifier of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.TRAIN)
    values = content.values
    site = int(values["output_site"])
    cores = unpack("cores", dict(content.arrays))
    train = TensorTrain(
        cores=tuple(core if i == site else core[..., 0] for i, core in enumerate(cores)),
        output_site=None if site < 0 else site,
        log_scale=float(values["log_scale"]),
    )
    return header, TensorizedClassifier(
        train=train,
        classes=tuple(json.loads(str(values["classes"]))),
        data_error=float(values["data_error"]),
        agreement=float(values["agreement"]),
        agreement_error=float(values["agreement_error"]),
        held_out=int(values["held_out"]),
        uniform_error=float(values["uniform_error"]),
        evaluations=int(values["evaluations"]),
        outcome=str(values["outcome"]),
        history={
            name.removeprefix("history/"): curve
            for name, curve in content.arrays.items()
            if name.startswith("history/")
        },
    )
