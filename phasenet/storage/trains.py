"""Tensorized classifiers in files: ``*.train.h5``."""

import json
from pathlib import Path

from phasenet.points import ParameterPoint
from phasenet.records import TensorizedClassifier, TensorizedFunction
from phasenet.storage.container import Content, Scalar, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.storage.packing import pack, unpack
from phasenet.trains.train import Array, TensorTrain

_FUNCTIONS = ("logits", "probabilities")
_NUMBERS = ("data_error", "agreement", "agreement_error", "uniform_error", "evaluations", "outcome")


def write_train(path: Path, header: Header, classifier: TensorizedClassifier) -> Header:
    """Write a tensorized classifier; return the header as written.

    Every core is stored with four axes (left, site, right, output); only that of ``output_site``
    has more than one output.
    """
    arrays: dict[str, Array] = {
        "probability_errors": classifier.probability_errors,
        "string_errors": classifier.string_errors,
    }
    values: dict[str, Scalar] = {
        "classes": json.dumps(list(classifier.classes)),
        "points": json.dumps([point.as_dict() for point in classifier.points]),
        "held_out": classifier.held_out,
    }
    for name in _FUNCTIONS:
        function: TensorizedFunction = getattr(classifier, name)
        train = function.train
        cores = [core if core.ndim == 4 else core[..., None] for core in train.cores]
        arrays |= pack(f"{name}/cores", cores)
        arrays |= {f"{name}/history/{curve}": a for curve, a in function.history.items()}
        values[f"{name}.output_site"] = -1 if train.output_site is None else train.output_site
        values[f"{name}.log_scale"] = train.log_scale
        values |= {f"{name}.{number}": getattr(function, number) for number in _NUMBERS}
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_train(path: Path | str) -> tuple[Header, TensorizedClassifier]:
    """Header and tensorized classifier of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.TRAIN)
    values = content.values
    return header, TensorizedClassifier(
        classes=tuple(json.loads(str(values["classes"]))),
        logits=_function(content, "logits"),
        probabilities=_function(content, "probabilities"),
        points=tuple(ParameterPoint.of(p) for p in json.loads(str(values["points"]))),
        probability_errors=content.arrays["probability_errors"],
        string_errors=content.arrays["string_errors"],
        held_out=int(values["held_out"]),
    )


def _function(content: Content, name: str) -> TensorizedFunction:
    values = content.values
    site = int(values[f"{name}.output_site"])
    cores = unpack(f"{name}/cores", content.arrays)
    curves = f"{name}/history/"
    return TensorizedFunction(
        train=TensorTrain(
            cores=tuple(core if i == site else core[..., 0] for i, core in enumerate(cores)),
            output_site=None if site < 0 else site,
            log_scale=float(values[f"{name}.log_scale"]),
        ),
        data_error=float(values[f"{name}.data_error"]),
        agreement=float(values[f"{name}.agreement"]),
        agreement_error=float(values[f"{name}.agreement_error"]),
        uniform_error=float(values[f"{name}.uniform_error"]),
        evaluations=int(values[f"{name}.evaluations"]),
        outcome=str(values[f"{name}.outcome"]),
        history={k.removeprefix(curves): a for k, a in content.arrays.items() if curves in k},
    )
