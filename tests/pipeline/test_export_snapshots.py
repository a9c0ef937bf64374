"""Datasets in formats of others: every number arrives, and nothing is written twice or halfway."""

import argparse
import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.cli import export
from phasenet.errors import FileKindError, MissingInputError, PhasenetError, SettingsError
from phasenet.pipeline import export_parquet, export_snapshots
from phasenet.pipeline.export_snapshots import NOTES, snapshots_export
from phasenet.points import ParameterPoint
from phasenet.records import Column, Curve
from phasenet.shots import (
    NO_SITE,
    Datasheet,
    MatchedPair,
    SampledPoint,
    Shots,
    Snapshots,
    SnapshotsHead,
    Source,
)
from phasenet.storage.container import content_of, opened
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import read_snapshots, write_snapshots

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample"
STATE = SAMPLE / "states" / "D=0.4,Delta=1.finite.state.h5"
SHOTS = 50
ROLES = [
    ("train", "b", "", 0),
    ("train", "a", "", 0),
    ("test", "b", "", 1),
    ("train", "a", "", 0),
    ("control", "b", "block flip 4", 1),
    ("unlabelled", None, "", 0),
]


def head(rng):
    points = tuple(
        SampledPoint(
            point=ParameterPoint.of({"D": k / 4, **({"J": 2.0} if place else {})}),
            label=label,
            split=split,
            reason=f"reason {k}",
            source=place,
            control=control,
            soft_label=() if label is None else (0.25, 0.75),
        )
        for k, (split, label, control, place) in enumerate(ROLES)
    )
    count = len(points)
    return SnapshotsHead(
        site_dim=3,
        basis="random",
        basis_names=("Sx", "Sy", "Sz"),
        classes=("a", "b"),
        sources=tuple(
            Source(study=name, title=name, hamiltonian="H", sites=sites, boundary="finite")
            for name, sites in (("short", 5), ("long", 8))
        ),
        points=points,
        targets=(
            Column(
                name="energy",
                unit="exchange",
                meaning="per site",
                values=rng.normal(size=count),
                errors=np.full(count, np.nan),
            ),
        ),
        features=(
            Curve(
                name="Sz Sz",
                unit="1",
                meaning="two-point function",
                axes=("site", "site"),
                values=tuple(rng.normal(size=(2, k + 1)) for k in range(count)),
            ),
        ),
        pairs=(
            MatchedPair(
                first=0, second=1, density_difference=1e-3, correlation_difference=2e-3, reach=4
            ),
        ),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file with all that a dataset may have, and its value."""
    rng = np.random.default_rng(0)
    known = head(rng)
    total = SHOTS * len(ROLES)
    index = np.repeat(np.arange(len(ROLES), dtype=np.int32), SHOTS)
    spins = rng.integers(0, 4, (total, 8), dtype=np.uint8)
    bases = rng.integers(0, 3, (total, 8), dtype=np.uint8)
    for k, (_, _, _, place) in enumerate(ROLES):
        if place == 0:
            spins[index == k, 5:] = NO_SITE
            bases[index == k, 5:] = NO_SITE
    logs = rng.normal(size=(total, 2))
    logs[0] = -np.inf, np.nan
    snapshots = Snapshots(
        head=known,
        shots=Shots(
            spins=spins,
            point_index=index,
            log_probability=rng.normal(size=total),
            class_log_likelihood=logs,
            basis_index=bases,
            phase=rng.normal(size=total),
            in_training=rng.random(total) < 0.1,
        ),
    )
    path = tmp_path_factory.mktemp("export") / "toy.snapshots.h5"
    header = Header(kind=Kind.SNAPSHOTS, settings={"sample": {}}, seed=3, parents=(), study=None)
    write_snapshots(path, header, snapshots)
    return path, snapshots


def run(*arguments):
    """Export from the command line."""
    parser = argparse.ArgumentParser()
    export.add_parser(parser.add_subparsers())
    options = parser.parse_args(["export", *(str(argument) for argument in arguments)])
    options.execute(options)


def exported(source, target, name=None):
    one = snapshots_export(source, target, name)
    assert not one.is_done()
    export_snapshots.export_snapshots(one)
    assert one.is_done()
    return one.target


def test_npz_holds_all_arrays_by_their_names(made, tmp_path):
    path, snapshots = made
    with np.load(exported(path, tmp_path / "x.npz"), allow_pickle=False) as arrays:
        with opened(path) as file:
            content = content_of(file)
        assert set(arrays) == {*content.arrays, "header", "record"}
        for name, array in content.arrays.items():
            assert arrays[name].dtype == array.dtype
            assert arrays[name].tobytes() == array.tobytes()
        assert np.array_equal(arrays["spins"], snapshots.shots.spins)
        assert np.array_equal(arrays["label"], snapshots.label_index)
        assert json.loads(str(arrays["record"])) == content.values
        header = json.loads(str(arrays["header"]))
    assert (header["seed"], header["settings"]) == (3, {"sample": {}})
    assert header["id"] == read_snapshots(path)[0].id


def shots_of(folder, parquet):
    """All shots of a folder, as plain values, in the order of the splits of the fixture."""
    rows = {}
    for place in sorted((folder / "data").glob("*.parquet")):
        rows.setdefault(place.name.split("-")[0], []).extend(parquet.read_table(place).to_pylist())
    return rows


@pytest.mark.parametrize(("rows", "of_file"), [(65_536, 2_097_152), (64, 60)])
def test_a_folder_of_parquet_holds_every_shot(rows, of_file, made, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(export_parquet, "_ROWS", rows)
    monkeypatch.setattr(export_parquet, "_ROWS_OF_FILE", of_file)
    path, snapshots = made
    found = shots_of(exported(path, tmp_path / "hf"), parquet)
    names = sorted(place.name for place in (tmp_path / "hf" / "data").iterdir())
    if of_file == 60:
        assert [n for n in names if n.startswith("train")] == [
            f"train-0000{k}-of-00003.parquet" for k in range(3)
        ]
    else:
        splits = ("control", "test", "train", "unlabelled")
        assert names == [f"{split}-00000-of-00001.parquet" for split in splits]
    for split, members in found.items():
        chosen = snapshots.in_split(split)
        assert len(members) == len(chosen)
        for row, shot in zip(members, chosen, strict=True):
            check_row(row, snapshots, shot)


def check_row(row, snapshots, shot):
    shots, point = snapshots.shots, snapshots.head.points[snapshots.shots.point_index[shot]]
    sites = snapshots.head.sources[point.source].sites
    assert row["spins"] == shots.spins[shot, :sites].tolist()
    assert row["basis_index"] == shots.basis_index[shot, :sites].tolist()
    assert row["label"] == snapshots.label_index[shot]
    assert (row["point"], row["source"]) == (shots.point_index[shot], point.source)
    assert row["control"] == point.control
    assert row["phase"] == shots.phase[shot]
    assert row["in_training"] == shots.in_training[shot]
    assert row["log_probability"] == shots.log_probability[shot]
    np.testing.assert_equal(row["class_log_likelihood"], shots.class_log_likelihood[shot].tolist())
    couplings = {"J": np.nan, **point.point.as_dict()}
    np.testing.assert_equal(row["couplings"], couplings)


def test_a_folder_tells_what_is_known_of_each_point(made, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    path, snapshots = made
    folder = exported(path, tmp_path / "hf.parquet")
    known = snapshots.head
    rows = parquet.read_table(folder / "points.parquet").to_pylist()
    for k, (row, point) in enumerate(zip(rows, known.points, strict=True)):
        texts = (row["label"], row["split"], row["reason"], row["control"], row["source"])
        assert texts == (point.label, point.split, point.reason, point.control, point.source)
        assert (row["soft_label"] or []) == list(point.soft_label)
        assert row["targets"] == {"energy": known.targets[0].values[k]}
        values = np.reshape(row["feature Sz Sz"], row["shape of Sz Sz"])
        assert np.array_equal(values, known.features[0].values[k])
    notes = json.loads((folder / NOTES).read_text())
    assert notes["id"] == read_snapshots(path)[0].id
    assert (notes["classes"], notes["pairs"][0]["reach"]) == (["a", "b"], 4)
    assert notes["features"][0]["axes"] == ["site", "site"]


def test_the_card_says_what_the_recipe_knows(made, tmp_path):
    pytest.importorskip("pyarrow")
    sheet = Datasheet(
        title="Toy: a title",
        description="What it is.",
        licence="CC0-1.0",
        traps=("zeros alone tell the classes apart",),
    )
    path, known = tmp_path / "a.snapshots.h5", made[1]
    head = replace(known.head, datasheet=sheet)
    write_snapshots(path, read_snapshots(made[0])[0], replace(known, head=head))
    folder = exported(path, tmp_path / "hf")
    card = (folder / "README.md").read_text(encoding="utf-8")
    front, body = card.split("---\n")[1:]
    lines = front.splitlines()
    assert 'license: "cc0-1.0"' in lines
    assert 'pretty_name: "Toy: a title"' in lines
    assert 'size_categories: ["n<1K"]' in lines
    columns = [json.loads(line[2:]) for line in lines if line.startswith("- {")]
    assert columns[0]["data_files"][1] == {"split": "test", "path": "data/test-*.parquet"}
    features = {feature["name"]: feature for feature in columns[2]["features"]}
    assert features["spins"]["sequence"] == "uint8"
    assert features["label"]["dtype"] == {"class_label": {"names": {"0": "a", "1": "b"}}}
    for text in ("# Toy: a title", "What it is.", "- zeros alone", "300 snapshots"):
        assert text in body


def test_pennylane_reads_its_own_attributes(made, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        qml = pytest.importorskip("pennylane")
        path = made[0]
        dataset = qml.data.Dataset.open(exported(path, tmp_path / "x.h5"))
    with opened(path) as file:
        content = content_of(file)
    for name, array in content.arrays.items():
        found = np.asarray(getattr(dataset, name.replace("/", "_")))
        assert (found.dtype, found.tobytes()) == (array.dtype, array.tobytes())
    assert list(dataset.classes) == ["a", "b"]
    assert (dataset.basis, dataset.site_dim) == ("random", 3)
    assert json.loads(dataset.phasenet)["id"] == read_snapshots(path)[0].id
    assert dataset.attr_info["spins"].doc.startswith("local state of each site")
    assert [list(row) for row in dataset.about_targets] == [["energy", "exchange", "per site"]]
    dataset.close()


def test_the_format_follows_from_the_name(tmp_path):
    source = tmp_path / "a.snapshots.h5"
    for name, found, target in [
        ("b.npz", "npz", "b.npz"),
        ("b.h5", "pennylane", "b.h5"),
        ("b.parquet", "parquet", "b.parquet"),
        ("folder", "parquet", "folder"),
    ]:
        one = snapshots_export(source, tmp_path / name, None)
        assert (one.format, one.target) == (found, tmp_path / target)
    for name, target in [("npz", "a.npz"), ("parquet", "a.parquet")]:
        assert snapshots_export(source, None, name).target == tmp_path / target
    assert snapshots_export(source, tmp_path, "npz").target == tmp_path / "a.npz"
    for place, name, message in [
        (None, None, "there is no --out; name the format with --format npz, parquet, pennylane"),
        ("b.csv", None, r"--out is .*b\.csv; name the format"),
        (None, "csv", "format is 'csv'; wanted one of npz, parquet, pennylane"),
        ("b.npy", "npz", r"for npz wanted a new name ending in \.npz"),
        ("b.snapshots.h5", None, r"for pennylane wanted a new name ending in \.h5"),
    ]:
        with pytest.raises(SettingsError, match=message):
            snapshots_export(source, place and tmp_path / place, name)


def test_another_dataset_is_written_again(made, tmp_path):
    path, snapshots = made
    source = tmp_path / "toy.snapshots.h5"
    source.write_bytes(path.read_bytes())
    one = snapshots_export(source, tmp_path / "x.npz", None)
    export_snapshots.export_snapshots(one)
    header, _ = read_snapshots(source)
    changed = replace(snapshots.shots, phase=snapshots.shots.phase + 1)
    write_snapshots(source, header, replace(snapshots, shots=changed))
    assert not one.is_done()
    one.target.write_bytes(one.target.read_bytes()[:1000])
    assert not one.is_done()


def test_a_damaged_dataset_is_not_exported(made, tmp_path):
    source = tmp_path / "toy.snapshots.h5"
    whole = bytearray(made[0].read_bytes())
    source.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FileKindError, match="truncated"):
        exported(source, tmp_path / "x.npz")


def test_folders_with_other_files_stay_as_they_are(made, tmp_path):
    pytest.importorskip("pyarrow")
    folder = tmp_path / "mine"
    folder.mkdir()
    exported(made[0], folder)
    (folder / NOTES).unlink()
    with pytest.raises(SettingsError, match=r"mine holds other files; choose a new folder"):
        exported(made[0], folder)
    assert (folder / "README.md").is_file()
    (folder / NOTES).write_text("{}")
    exported(made[0], folder)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PhasenetError, match=r"cannot write .*; free space there or choose"):
        exported(made[0], tmp_path / "file" / "hf")
    assert sorted(place.name for place in tmp_path.iterdir()) == ["file", "mine"]


@pytest.mark.parametrize(("name", "target"), [("pyarrow", "x"), ("pennylane", "x.h5")])
def test_a_missing_library_is_said_in_one_line(name, target, made, tmp_path, monkeypatch):
    def lacking(module):
        assert module.split(".")[0] == name
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(export_snapshots.importlib, "import_module", lacking)
    with pytest.raises(MissingInputError, match=rf"needs {name}.*'phasenet-mps\[export\]'"):
        exported(made[0], tmp_path / target)


def test_a_disk_that_is_too_small_is_noticed_before(monkeypatch, tmp_path):
    usage = shutil.disk_usage(tmp_path)._replace(free=10**6)
    monkeypatch.setattr(export_snapshots.shutil, "disk_usage", lambda folder: usage)
    export_snapshots._check_room(tmp_path / "new" / "x.h5", 10**6)
    with pytest.raises(PhasenetError, match=r"x\.h5: it takes 2 MB and 1 MB are free; free space"):
        export_snapshots._check_room(tmp_path / "new" / "x.h5", 2 * 10**6)


def test_the_command_line(made, tmp_path, capsys):
    path, target = made[0], tmp_path / "x.npz"
    run(path, "--out", target, "--dry-run")
    assert not target.exists()
    run(path, "--out", target)
    run(path, "--out", target)
    assert capsys.readouterr().out.splitlines() == [
        f"would make {target}",
        f"written to {target}",
        f"nothing to do: {target} is up to date",
    ]
    for arguments, message in [
        ([path], "name the format with --format"),
        ([path, STATE, "--out", tmp_path], "one dataset at a time"),
        ([STATE, "--format", "npz"], "--format goes with a"),
    ]:
        with pytest.raises(SettingsError, match=message):
            run(*arguments)
    with pytest.raises(MissingInputError, match="no file"):
        run(tmp_path / "none.snapshots.h5", "--format", "npz")
