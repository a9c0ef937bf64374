"""Files of every format so far stay readable: the sample files, and those beside this test."""

import itertools
from pathlib import Path

import h5py
import numpy as np
import pytest

from phasenet.storage.container import read_content, read_header
from phasenet.storage.networks import read_network
from phasenet.storage.snapshots import read_snapshots
from phasenet.storage.states import read_state
from phasenet.storage.tables import read_chart, read_table
from phasenet.storage.trains import is_black_box, read_black_box, read_train

FROZEN = Path(__file__).resolve().parent
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


def reader_of(path):
    kind = read_header(path).kind.value
    return read_black_box if kind == "train" and is_black_box(path) else READERS[kind]


def test_every_kind_is_there():
    assert {read_header(path).kind.value for path in OURS} == set(READERS)
    assert {reader_of(path) for path in OURS} == {*READERS.values(), read_black_box}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_sample_file_is_whole_and_readable(path):
    header = read_header(path)
    _, content = read_content(path, header.kind)
    assert content.id == header.id
    reader_of(path)(path)
    with h5py.File(path) as file:
        assert file.attrs["format_version"] == 1


def test_a_state_of_format_1():
    header, state = read_state(FROZEN / "format_1.state.h5")
    assert (header.id, header.key) == ("28c6cedc26f2870b", "bd9f17e2b82e80a2")
    assert state.energy == -1.1549209197848427
    assert (state.charge, state.train.bond_dims) == ("2*Sz", (24, 24))
    assert_obeys_its_charges(state, [2, 0, -2], 100)
    # What was not written then.
    assert (state.start, state.history) == ("product state", {})
    assert np.isnan([state.rival, state.rival_entropy]).all()


@pytest.mark.parametrize(
    ("name", "charge", "dtype", "bond_dims", "local", "mod"),
    [
        ("format_2", "2*Sz", np.float64, (3, 9, 9, 9, 3), [2, 0, -2], 100),
        ("format_2_infinite", "parity_Sz", np.complex128, (9, 9), [0, 1, 0], 2),
    ],
)
def test_states_of_format_2(name, charge, dtype, bond_dims, local, mod):
    path = FROZEN / f"{name}.state.h5"
    header, state = read_state(path)
    with h5py.File(path) as file:
        assert file.attrs["format_version"] == 2
        assert set(file) >= {"entries", "site_charges", "bond_charges", "schmidt_values"}
    assert header.study.name == "haldane"
    assert str(state.point) == "D=0.3,Delta=1"
    assert (state.charge, state.train.bond_dims) == (charge, bond_dims)
    assert all(core.dtype == dtype for core in state.train.cores)
    assert_obeys_its_charges(state, local, mod)
    assert (state.energy, state.rival, state.rival_entropy) == (-1.25, 2e-9, -0.5)
    assert state.start == "neighbour D=0.2,Delta=1"
    assert state.history["truncation"].tolist() == [1e-5, 1e-11]
    values = {"format_2": 0.64816174, "format_2_infinite": 0.58535544}
    assert state.schmidt_values[1][0] == pytest.approx(values[name], abs=1e-8)


def assert_obeys_its_charges(state, local, mod):
    """Right-canonical cores, zero where the charges forbid it."""
    bonds = itertools.pairwise(state.bond_charges)
    for core, (left, right) in zip(state.train.cores, bonds, strict=True):
        excess = (left[:, None, None] + np.array(local)[:, None] - right) % mod
        assert not core[excess != 0].any()
        gram = np.tensordot(core, core.conj(), axes=((1, 2), (1, 2)))
        np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-8)


def test_numbers_of_a_frozen_state():
    header, state = read_state(SAMPLE / "states" / "D=0,Delta=1.infinite.state.h5")
    assert header.key == "0432122b9f1f003a"
    assert state.energy == pytest.approx(-1.401484038971, abs=1e-5)
    assert state.train.bond_dims == (24, 24)


def test_snapshots_of_format_1():
    header, snapshots = read_snapshots(FROZEN / "format_1.snapshots.h5")
    assert (header.id, header.key) == ("42d12845e29cdd0f", "4f78846750f832e9")
    head, shots = snapshots.head, snapshots.shots
    assert shots.spins.tolist()[4] == [0, 0, 0, 0, 1, 2, 2, 1]
    assert shots.point_index.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert shots.log_probability.tolist() == list(range(-9, 0))
    assert np.isnan(shots.class_log_likelihood[:6]).all()
    assert (shots.class_log_likelihood[6:] == -1.5).all()
    assert (head.classes, head.basis, head.site_dim) == (("haldane", "large_d"), "Sz", 3)
    assert [p.label for p in head.points] == ["haldane", None, "large_d"]
    assert [p.split for p in head.points] == ["train", "unlabelled", "critical"]
    assert (str(head.points[1].point), head.points[0].reason) == (
        "D=0.3,Delta=1",
        "because of haldane",
    )
    # What was not written then.
    (source,) = head.sources
    assert (source.study, source.sites, source.boundary) == ("haldane", 8, "finite")
    assert (head.targets, head.features, head.pairs) == ((), (), ())
    assert (shots.basis_index, shots.phase, shots.in_training) == (None, None, None)
    assert {(p.source, p.control, p.soft_label) for p in head.points} == {(0, "", ())}


def test_snapshots_of_format_2():
    path = FROZEN / "format_2.snapshots.h5"
    header, snapshots = read_snapshots(path)
    assert (header.id, header.key) == ("7cd07c040996e7ff", "38ce46c380625d6b")
    head, shots = snapshots.head, snapshots.shots
    assert shots.spins.tolist()[4] == [0, 0, 1, 0, 255, 255]
    assert shots.phase[3] == pytest.approx(0.7885489358, abs=1e-9)
    assert shots.in_training.tolist() == [False, True, False, True, False, True, False]
    assert shots.basis_index.shape == (7, 6)
    assert (head.basis, head.basis_names, head.transform, head.labelled_by) == (
        *("Sx,Sz", ("Sx", "Sz"), "Kennedy-Tasaki", "coordinate"),
    )
    assert [(s.study, s.sites, s.boundary) for s in head.sources] == [
        ("haldane", 6, "finite"),
        ("field", 4, "infinite"),
    ]
    assert [str(p.point) for p in head.points] == [
        *("D=0,Delta=1", "D=1,h=-0.5", "D=2,Delta=1", "D=2,Delta=1"),
    ]
    assert [p.soft_label for p in head.points] == [(0.75, 0.25), (), (0.0, 1.0), ()]
    assert head.points[3].control == "block flip 4"
    assert [(c.name, c.unit) for c in head.targets] == [("energy", "J"), ("entropy", "nat")]
    np.testing.assert_array_equal(head.targets[0].errors, [0, np.nan, 1, 2])
    assert [[v.shape for v in c.values] for c in head.features] == [
        [(2, 2), (0, 0), (0, 0), (0, 0)],
        [(3,), (1,), (0,), (2,)],
    ]
    (pair,) = head.pairs
    assert (pair.first, pair.second, pair.correlation_difference, pair.reach) == (0, 2, 1e-17, 4)
    with h5py.File(path) as file:
        assert file.attrs["format_version"] == 2
        assert file["spins"].chunks == (1024, 6)


def test_a_table_from_before_there_were_curves():
    header, table = read_table(FROZEN / "format_1.table.h5")
    assert (header.id, header.key) == ("7cb9998df9b035e8", "ced26310604b390a")
    assert table.curves == ()
    assert len(table.columns) == 32
    assert table.labels == ("haldane",) * 4 + ("large_d",) * 4
    assert table.rows[3] == str(table.points[3]) == "D=0.8,Delta=1"
    assert table.column("string_z_infinite").values[0] == pytest.approx(0.374414, abs=1e-6)
    assert table.column("probability_haldane").errors[0] > 0.0


def test_values_of_a_frozen_function():
    header, found = read_black_box(SAMPLE / "weight.train.h5")
    _, snapshots = read_snapshots(SAMPLE / "haldane.snapshots.h5")
    assert header.key == "a8582e2364df11aa"
    assert (found.name, found.train.bond_dims[8], found.evaluations) == (
        "weights.py:weight",
        3,
        1519,
    )
    sz = 1.0 - snapshots.shots.spins[:100]
    wanted = np.exp(-0.2 * (sz[:, 1:] * sz[:, :-1]).sum(axis=1))
    np.testing.assert_allclose(found.train(snapshots.shots.spins[:100]), wanted, rtol=1e-12)


def test_a_train_from_before_steps_were_written_has_none():
    _, classifier = read_train(SAMPLE / "haldane.train.h5")
    assert classifier.logits.steps == ()
    assert np.isnan(classifier.logits.tol)
    assert classifier.logits.outcome.startswith("error below tol")


def test_sample_files_are_small():
    assert sum(p.stat().st_size for p in SAMPLE.rglob("*") if p.is_file()) < 1_000_000
