"""Files of every format so far stay readable: the sample files are format 1."""

from pathlib import Path

import h5py
import pytest

from phasenet.storage.container import read_content, read_header
from phasenet.storage.networks import read_network
from phasenet.storage.snapshots import read_snapshots
from phasenet.storage.states import read_state
from phasenet.storage.tables import read_chart, read_table
from phasenet.storage.trains import read_train

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample"
OURS = sorted(p for p in SAMPLE.rglob("*.h5") if not p.name.startswith("tenpy"))
READERS = {
    "state": read_state,
    "snapshots": read_snapshots,
    "network": read_network,
    "train": read_train,
    "table": read_table,
    "chart": read_chart,
}


def test_every_kind_is_there():
    assert {read_header(path).kind.value for path in OURS} == set(READERS)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_sample_file_is_whole_and_readable(path):
    header = read_header(path)
    _, content = read_content(path, header.kind)
    assert content.id == header.id
    READERS[header.kind.value](path)
    with h5py.File(path) as file:
        assert file.attrs["format_version"] == 1


def test_numbers_of_a_frozen_state():
    header, state = read_state(SAMPLE / "states" / "D=0,Delta=1.infinite.state.h5")
    assert header.key == "0432122b9f1f003a"
    assert state.energy == pytest.approx(-1.401484038971, abs=1e-5)
    assert state.train.bond_dims == (24, 24)


def test_sample_files_are_small():
    assert sum(p.stat().st_size for p in SAMPLE.rglob("*") if p.is_file()) < 1_000_000
