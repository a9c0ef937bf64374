"""Compressions in files: every number comes back, and damage is noticed."""

import dataclasses

import h5py
import numpy as np
import pytest

from phasenet.compression import Candidate, Compressed, CompressionCurve, Starts
from phasenet.errors import FileKindError
from phasenet.storage.compression import read_compression, write_compression
from phasenet.storage.header import Header, Kind
from phasenet.trained import Score

HEADER = Header(kind=Kind.COMPRESSION, settings={"compress": {}}, seed=3, parents=(), study=None)
ROW = Compressed(
    candidate=Candidate(family="low rank", size=2.5),
    parameters=10,
    flops=20.5,
    at_once=np.array([0.5, np.nan]),
    test_at_once=np.array([0.25, np.nan]),
    validation=np.array([0.75, 0.8]),
    test=np.array([0.7, 0.9]),
    architecture={"kind": "mlp", "layers": {"0": {"form": "cp", "ranks": [1]}}},
    weights={"0.linear.weight": np.eye(2, dtype=np.float32), "bias": np.zeros(3)},
)
STARTS = Starts(
    rank=4,
    epochs=np.array([0.0, 1.0]),
    validation={"identity": np.zeros((3, 2)), "train of the network": np.ones((3, 2))},
    test={"identity": np.full((3, 2), 0.5), "train of the network": np.ones((3, 2))},
)
CURVE = CompressionCurve(
    name="net.network.h5",
    classes=("haldane", "large_d"),
    original=dataclasses.replace(ROW, candidate=Candidate(family="original", size=1.0)),
    rows=(ROW, Compressed(candidate=Candidate.of_train("sketch", 8), note="nothing")),
    nulls=(Score(classifier="Bayes optimum", split="test", accuracy=0.9, error=0.1, shots=9),),
    shots=(30, 20, 10),
    starts=STARTS,
)


@pytest.mark.parametrize("starts", [STARTS, None])
def test_everything_comes_back(tmp_path, starts):
    path = tmp_path / "a.compression.h5"
    wanted = dataclasses.replace(CURVE, starts=starts)
    header = write_compression(path, HEADER, wanted)
    found_header, found = read_compression(path)
    assert found_header == header
    assert (found.name, found.classes, found.shots) == (CURVE.name, CURVE.classes, CURVE.shots)
    assert found.nulls[0].accuracy == 0.9
    for got, row in zip((found.original, *found.rows), (CURVE.original, *CURVE.rows), strict=True):
        for field in dataclasses.fields(Compressed):
            if field.name != "weights":
                np.testing.assert_equal(getattr(got, field.name), getattr(row, field.name))
        assert got.weights.keys() == row.weights.keys()
        assert all(np.array_equal(got.weights[n], row.weights[n]) for n in row.weights)
    assert (found.starts is None) == (starts is None)
    if found.starts is not None:
        np.testing.assert_equal(dataclasses.asdict(found.starts), dataclasses.asdict(STARTS))


def test_damage_is_one_sentence(tmp_path):
    path = tmp_path / "a.compression.h5"
    write_compression(path, HEADER, CURVE)
    with h5py.File(path, "r+") as file:
        file["rows/1/test"][0] = 1.0
    with pytest.raises(FileKindError, match="damaged"):
        read_compression(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FileKindError, match="truncated"):
        read_compression(path)


def test_a_file_of_another_kind_is_said(tmp_path):
    path = tmp_path / "a.compression.h5"
    write_compression(path, dataclasses.replace(HEADER, kind=Kind.TABLE), CURVE)
    with pytest.raises(FileKindError, match="is a table file; wanted a compression file"):
        read_compression(path)
