"""Classifiers in files: ``*.network.h5``; weights are plain arrays, the architecture is JSON.

Format 1 held one network: ``weights/*``, ``history/*`` and its scores. Format 2 may hold more, the
further networks in ``members/K/weights/*`` and ``members/K/history/*``, and tells how far the first
can be trusted: ``calibration/NAME/before`` and ``after`` have the rows confidence, accuracy, shots.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from phasenet.storage.container import Content, Scalar, read_content, readable, write_file
from phasenet.storage.header import Header, Kind
from phasenet.trained import Calibration, Candidate, Member, Reliability, Score, TrainedNetwork
from phasenet.trains.train import Array


def write_network(path: Path, header: Header, network: TrainedNetwork) -> Header:
    """Write a classifier; return the header as written."""
    arrays = member_arrays(network.all_members[0], "")
    for k, member in enumerate(network.members):
        arrays |= member_arrays(member, f"members/{k + 1}/")
    for name, calibration in network.calibrations.items():
        for when in ("before", "after"):
            found: Reliability = getattr(calibration, when)
            rows = np.stack([found.confidence, found.accuracy, found.shots.astype(float)])
            arrays[f"calibration/{name}/{when}"] = rows
    values: dict[str, Scalar] = {
        "architecture": json.dumps(dict(network.architecture)),
        "classes": json.dumps(list(network.classes)),
        "scores": _scores_text(network.scores),
        "outcome": network.outcome,
        "outcomes": json.dumps([member.outcome for member in network.members]),
        "temperatures": json.dumps({n: c.temperature for n, c in network.calibrations.items()}),
        "cross_validation": _scores_text(network.cross_validation),
        "candidates": json.dumps([vars(candidate) for candidate in network.candidates]),
        "settings": json.dumps(dict(network.settings)),
        "flops": network.flops,
    }
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_network(path: Path | str) -> tuple[Header, TrainedNetwork]:
    """Header and classifier of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.NETWORK)
    with readable(path):
        return header, _network(content)


def member_arrays(member: Member, prefix: str) -> dict[str, Array]:
    """Arrays of one network by their names in a file."""
    arrays = {f"{prefix}weights/{name}": array for name, array in member.weights.items()}
    return arrays | {f"{prefix}history/{name}": curve for name, curve in member.history.items()}


def member_of(content: Content, prefix: str, outcome: str) -> Member:
    """One network from the arrays of a file; raises ValueError if they cannot be one."""
    weights = content.below(f"{prefix}weights")
    history = content.below(f"{prefix}history")
    for name, array in weights.items():
        if array.dtype.kind not in "fiu":
            raise ValueError(f"weights {name} are of {array.dtype}; wanted real numbers")
    for name, curve in history.items():
        if curve.ndim != 1 or curve.dtype.kind != "f":
            raise ValueError(f"curve {name} has shape {curve.shape}; wanted (epochs,)")
    return Member(weights=weights, history=history, outcome=outcome)


def _network(content: Content) -> TrainedNetwork:
    values = content.values
    first = member_of(content, "", str(values["outcome"]))
    further = tuple(
        member_of(content, f"members/{k + 1}/", str(outcome))
        for k, outcome in enumerate(_plain(values, "outcomes", "[]"))
    )
    shapes = {name: array.shape for name, array in first.weights.items()}
    for k, member in enumerate(further):
        if {name: array.shape for name, array in member.weights.items()} != shapes:
            raise ValueError(f"weights of network {k + 2} have other shapes than the first's")
    return TrainedNetwork(
        architecture=dict(_plain(values, "architecture")),
        weights=first.weights,
        classes=tuple(str(name) for name in _plain(values, "classes")),
        history=first.history,
        scores=_scores(values, "scores"),
        outcome=first.outcome,
        members=further,
        calibrations={
            str(name): _calibration(content, str(name), float(temperature))
            for name, temperature in dict(_plain(values, "temperatures", "{}")).items()
        },
        cross_validation=_scores(values, "cross_validation"),
        candidates=tuple(Candidate(**c) for c in _plain(values, "candidates", "[]")),
        settings=dict(_plain(values, "settings", "{}")),
        flops=float(values.get("flops", math.nan)),
    )


def _plain(values: Mapping[str, Scalar], name: str, default: str | None = None) -> Any:
    """Value of a JSON text; one that older files lack has a default."""
    return json.loads(str(values[name] if default is None else values.get(name, default)))


def _scores_text(scores: tuple[Score, ...]) -> str:
    # A spread that there is not is left out, as in files of format 1.
    rows = [
        {n: v for n, v in vars(score).items() if n != "spread" or not math.isnan(score.spread)}
        for score in scores
    ]
    return json.dumps(rows)


def _scores(values: Mapping[str, Scalar], name: str) -> tuple[Score, ...]:
    scores = tuple(Score(**score) for score in _plain(values, name, "[]"))
    for score in scores:
        numbers = (score.accuracy, score.error, score.spread, score.shots)
        if not all(isinstance(number, (int, float)) for number in numbers):
            raise ValueError(f"a score of {score.classifier} is no number")
    return scores


def _calibration(content: Content, name: str, temperature: float) -> Calibration:
    found = []
    for when in ("before", "after"):
        rows = content.arrays[f"calibration/{name}/{when}"]
        if rows.ndim != 2 or len(rows) != 3 or rows.dtype.kind != "f":
            raise ValueError(f"calibration {name} has shape {rows.shape}; wanted (3, bins)")
        found.append(
            Reliability(confidence=rows[0], accuracy=rows[1], shots=rows[2].astype(np.int64))
        )
    if not temperature > 0:
        raise ValueError(f"temperature {name} is {temperature}; wanted a positive number")
    return Calibration(temperature=temperature, before=found[0], after=found[1])
