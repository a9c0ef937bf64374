"""Classifiers in files: ``*.network.h5``; weights are plain arrays, the architecture is JSON."""

import json
from pathlib import Path

from phasenet.records import Score, TrainedNetwork
from phasenet.storage.container import Content, read_content, write_file
from phasenet.storage.header import Header, Kind
from phasenet.trains.train import Array


def write_network(path: Path, header: Header, network: TrainedNetwork) -> Header:
    """Write a classifier; return the header as written."""
    arrays = {f"weights/{name}": array for name, array in network.weights.items()}
    arrays |= {f"history/{name}": curve for name, curve in network.history.items()}
    values = {
        "architecture": json.dumps(dict(network.architecture)),
        "classes": json.dumps(list(network.classes)),
        "scores": json.dumps([vars(score) for score in network.scores]),
        "outcome": network.outcome,
    }
    return write_file(path, header, Content(arrays=arrays, values=values))


def read_network(path: Path | str) -> tuple[Header, TrainedNetwork]:
    """Header and classifier of a file.

    Raises
    ------
    MissingInputError, FileKindError
    """
    header, content = read_content(path, Kind.NETWORK)

    def below(group: str) -> dict[str, Array]:
        prefix = f"{group}/"
        return {
            n.removeprefix(prefix): a for n, a in content.arrays.items() if n.startswith(prefix)
        }

    return header, TrainedNetwork(
        architecture=json.loads(str(content.values["architecture"])),
        weights=below("weights"),
        classes=tuple(json.loads(str(content.values["classes"]))),
        history=below("history"),
        scores=tuple(Score(**score) for score in json.loads(str(content.values["scores"]))),
        outcome=str(content.values["outcome"]),
    )
