"""Trains in files, ``*.train.h5``: the two of a classifier, or the one of a black box.

Each train is a group: ``logits`` and ``probabilities``, or ``function``. Every core is stored with
four axes (left, site, right, output); only that of ``output_site`` has more than one output.
"""

import json
from pathlib import Path

from phasenet.errors import FileKindError
from phasenet.points import ParameterPoint
from phasenet.records import TensorizedBlackBox, TensorizedClassifier, TensorizedFunction
from phasenet.storage.container import Content, Scalar, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.storage.packing import pack, unpack
from phasenet.trains.train import Array, FloatArray, TensorTrain

_CLASSIFIER = ("logits", "probabilities")
_BLACK_BOX = "function"
_NUMBERS = ("data_error", "uniform_error", "tol", "evaluations", "outcome")
_AGREEMENT = ("agreement", "agreement_error")


def write_train(path: Path, header: Header, classifier: TensorizedClassifier) -> Header:
    """Write a tensorized classifier; return the header as written."""
    arrays: dict[str, Array] = {
        "probability_errors": classifier.probability_errors,
        "string_errors": classifier.string_errors,
    }
    values: dict[str, Scalar] = {
        "classes": json.dumps(list(classifier.classes)),
        "points": json.dumps([point.as_dict() for point in classifier.points]),
        "held_out": classifier.held_out,
    }
    for name in _CLASSIFIER:
        function: TensorizedFunction = getattr(classifier, name)
        arrays |= _arrays(name, function)
        values |= _values(name, function)
        values |= {f"{name}.{number}": getattr(function, number) for number in _AGREEMENT}
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_train(path: Path | str) -> tuple[Header, TensorizedClassifier]:
    """Header and tensorized classifier of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.TRAIN)
    values = content.values
    if "classes" not in values:
        raise FileKindError(
            f"{path} holds the train of a function, not of a classifier; "
            "wanted one that was made from a *.network.h5"
        )
    return header, TensorizedClassifier(
        classes=tuple(json.loads(str(values["classes"]))),
        logits=_function(content, "logits"),
        probabilities=_function(content, "probabilities"),
        points=tuple(ParameterPoint.of(p) for p in json.loads(str(values["points"]))),
        probability_errors=content.arrays["probability_errors"],
        string_errors=content.arrays["string_errors"],
        held_out=int(values["held_out"]),
    )


def write_black_box(path: Path, header: Header, found: TensorizedBlackBox) -> Header:
    """Write the train of any function; return the header as written."""
    values = {**_values(_BLACK_BOX, found), f"{_BLACK_BOX}.name": found.name}
    return write_file(path, header, Content(arrays=_arrays(_BLACK_BOX, found), values=values))


def read_black_box(path: Path | str) -> tuple[Header, TensorizedBlackBox]:
    """Header and train of any function, from a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.TRAIN)
    if f"{_BLACK_BOX}.name" not in content.values:
        raise FileKindError(
            f"{path} holds the trains of a classifier, not of a function; read it with read_train"
        )
    return header, TensorizedBlackBox(
        name=str(content.values[f"{_BLACK_BOX}.name"]),
        train=_train(content, _BLACK_BOX),
        data_error=_number(content, _BLACK_BOX, "data_error"),
        uniform_error=_number(content, _BLACK_BOX, "uniform_error"),
        tol=_number(content, _BLACK_BOX, "tol"),
        evaluations=int(content.values[f"{_BLACK_BOX}.evaluations"]),
        outcome=str(content.values[f"{_BLACK_BOX}.outcome"]),
        steps=_steps(content, _BLACK_BOX),
        history=_history(content, _BLACK_BOX),
    )


def is_black_box(path: Path | str) -> bool:
    """Return whether a ``*.train.h5`` holds the train of a function instead of a classifier's.

    Raises
    ------
    MissingInputError, FileKindError
    """
    return f"{_BLACK_BOX}.name" in read_content(path, Kind.TRAIN)[1].values


def _arrays(name: str, found: TensorizedFunction | TensorizedBlackBox) -> dict[str, Array]:
    cores = [core if core.ndim == 4 else core[..., None] for core in found.train.cores]
    history = {f"{name}/history/{curve}": a for curve, a in found.history.items()}
    return {**pack(f"{name}/cores", cores), **history}


def _values(name: str, found: TensorizedFunction | TensorizedBlackBox) -> dict[str, Scalar]:
    train = found.train
    return {
        f"{name}.output_site": -1 if train.output_site is None else train.output_site,
        f"{name}.log_scale": train.log_scale,
        f"{name}.steps": json.dumps(list(found.steps)),
        **{f"{name}.{number}": getattr(found, number) for number in _NUMBERS},
    }


def _function(content: Content, name: str) -> TensorizedFunction:
    return TensorizedFunction(
        train=_train(content, name),
        data_error=_number(content, name, "data_error"),
        agreement=_number(content, name, "agreement"),
        agreement_error=_number(content, name, "agreement_error"),
        uniform_error=_number(content, name, "uniform_error"),
        evaluations=int(content.values[f"{name}.evaluations"]),
        outcome=str(content.values[f"{name}.outcome"]),
        history=_history(content, name),
        # Both are younger than the first files of this format.
        tol=float(content.values.get(f"{name}.tol", "nan")),
        steps=_steps(content, name),
    )


def _train(content: Content, name: str) -> TensorTrain:
    site = int(content.values[f"{name}.output_site"])
    cores = unpack(f"{name}/cores", content.arrays)
    return TensorTrain(
        cores=tuple(core if i == site else core[..., 0] for i, core in enumerate(cores)),
        output_site=None if site < 0 else site,
        log_scale=_number(content, name, "log_scale"),
    )


def _number(content: Content, name: str, number: str) -> float:
    return float(content.values[f"{name}.{number}"])


def _steps(content: Content, name: str) -> tuple[str, ...]:
    return tuple(json.loads(str(content.values.get(f"{name}.steps", "[]"))))


def _history(content: Content, name: str) -> dict[str, FloatArray]:
    curves = f"{name}/history/"
    return {k.removeprefix(curves): a for k, a in content.arrays.items() if k.startswith(curves)}
