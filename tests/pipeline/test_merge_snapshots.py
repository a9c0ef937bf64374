"""Datasets of several machines: shards make up the whole, other points join, nothing else does."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from phasenet.cli.main import main
from phasenet.errors import FileKindError, MissingInputError, SettingsError
from phasenet.pipeline.merge_snapshots import merge_snapshots, merged_lines
from phasenet.pipeline.united_heads import same_head
from phasenet.points import ParameterPoint
from phasenet.records import Column, Curve
from phasenet.settings import RunSettings
from phasenet.shots import MatchedPair, SampledPoint, Shots, Snapshots, SnapshotsHead, Source
from phasenet.snapshots.repeats import Configurations
from phasenet.storage.header import Header, Kind, Parent
from phasenet.storage.snapshots import read_snapshots, write_snapshots

POINTS = 7
PER_POINT = (600, 0, 1100, 5, 600, 700, 300)
SITES = 8


@pytest.fixture(scope="module")
def header(haldane):
    card = replace(
        haldane.card(), settings=RunSettings.checked({"sample": {"shots": 600}}).as_dict()
    )
    return Header(
        kind=Kind.SNAPSHOTS,
        settings={"sample": {"shots": 600, "basis": "Sz"}, "criteria": {"phases": [["a", {}]]}},
        seed=3,
        parents=(Parent(kind=Kind.STATE, id="0" * 16, name="D=0.state.h5"),),
        study=card,
        seconds=2.0,
    )


def head(first=0.0, count=POINTS, classes=("haldane", "large_d")):
    points = tuple(
        SampledPoint(
            point=ParameterPoint.of(D=first + k, Delta=1),
            label=classes[k % len(classes)],
            split=("train", "test")[k % 2] if k else "train",
            reason="known",
            soft_label=(1 / len(classes),) * len(classes),
        )
        for k in range(count)
    )
    return SnapshotsHead(
        site_dim=3,
        basis="Sz",
        classes=classes,
        sources=(
            Source(study="haldane", title="", hamiltonian="H", sites=SITES, boundary="finite"),
        ),
        points=points,
        targets=(
            Column(
                name="D",
                unit="J",
                meaning="m",
                values=np.arange(count) + first,
                errors=np.zeros(count),
            ),
        ),
        features=(
            Curve(
                name="c",
                unit="1",
                meaning="m",
                axes=("k",),
                values=tuple(np.full(k, first) for k in range(count)),
            ),
        ),
        pairs=(
            MatchedPair(
                first=0, second=1, density_difference=0.0, correlation_difference=0.1, reach=4
            ),
        ),
    )


def shots(per_point=PER_POINT, seed=0):
    draw = np.random.default_rng(seed)
    count = sum(per_point)
    return Shots(
        spins=draw.integers(0, 3, (count, SITES), dtype=np.uint8),
        point_index=np.repeat(np.arange(len(per_point)), per_point).astype(np.int32),
        log_probability=-draw.random(count),
        class_log_likelihood=np.where(draw.random((count, 2)) < 0.5, np.nan, -1.0),
        phase=draw.random(count),
    )


def marked(value):
    trained = np.array([p.split == "train" for p in value.head.points])
    training = Configurations()
    training.add(value.shots.at(trained[value.shots.point_index]))
    return replace(value, shots=training.marked(value.shots))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, header):
    path = tmp_path_factory.mktemp("whole") / "whole.snapshots.h5"
    value = marked(Snapshots(head=head(), shots=shots()))
    return write_snapshots(path, header, value), value


def shards(folder, header, value, count):
    paths = []
    for number in range(1, count + 1):
        own = value.shots.point_index % count == number - 1
        settings = {**header.settings, "shard": [number, count]}
        paths.append(folder / f"shard{number}.snapshots.h5")
        # What a shard alone knows of repeats is wrong.
        part = replace(value.shots.at(own), in_training=np.ones(own.sum(), dtype=bool))
        write_snapshots(paths[-1], replace(header, settings=settings), replace(value, shots=part))
    return paths


@pytest.mark.parametrize("count", [2, 3, 7, 9])
def test_shards_make_up_the_file_of_one_machine(tmp_path, header, whole, count):
    written, value = whole
    assert value.shots.in_training.any()
    out = tmp_path / "all" / "a.snapshots.h5"
    paths = shards(tmp_path, header, value, count)
    merged = merge_snapshots(paths[::-1], out)
    assert merged.id == written.id
    assert merged.key == written.key
    found, snapshots = read_snapshots(out)
    assert found == merged
    for name, array in vars(value.shots).items():
        if array is not None:
            np.testing.assert_array_equal(getattr(snapshots.shots, name), array)
    assert merged_lines(paths, out) == [f"{count} shards with 7 points and 3305 shots in {out}"]
    assert merged.seconds == 2.0 * count


def test_shards_that_are_missing_or_there_twice(tmp_path, header, whole):
    first, second, third, fourth = shards(tmp_path, header, whole[1], 4)
    out = tmp_path / "a.snapshots.h5"
    with pytest.raises(SettingsError, match=r"of 4 shards 3/4 is missing; .*sample --shard 3/4"):
        merge_snapshots([first, second, fourth], out)
    with pytest.raises(SettingsError, match=r"of 4 shards 2/4, 3/4 is missing"):
        merge_snapshots([first, fourth], out)
    with pytest.raises(SettingsError, match=r"are both shard 3/4; name each shard once"):
        merge_snapshots([first, third, second, third, fourth], out)
    (tmp_path / "other").mkdir()
    other = shards(tmp_path / "other", header, whole[1], 3)[0]
    with pytest.raises(SettingsError, match=r"is one of 4 shards, .* one of 3; merge the shards"):
        merge_snapshots([first, other], out)
    alone = tmp_path / "alone.snapshots.h5"
    write_snapshots(alone, header, whole[1])
    with pytest.raises(SettingsError, match=r"alone.* is no shard, the others are"):
        merge_snapshots([first, second, alone], out)
    assert not out.exists()


def test_shards_of_different_states(tmp_path, header, whole):
    paths = shards(tmp_path, header, whole[1], 2)
    out = tmp_path / "a.snapshots.h5"
    settings = {**header.settings, "shard": [2, 2]}
    other = replace(header.parents[0], id="f" * 16)
    write_snapshots(paths[1], replace(header, settings=settings, parents=(other,)), whole[1])
    with pytest.raises(SettingsError, match="are shards of different states; make all shards"):
        merge_snapshots(paths, out)
    # Shots of points that belong to the other shard.
    write_snapshots(paths[1], replace(header, settings=settings), whole[1])
    with pytest.raises(FileKindError, match="has shots of point 0 out of place for shard 2/2"):
        merge_snapshots(paths, out)


def test_heads_may_differ_by_rounding_only():
    one = head()
    assert same_head(one, head())
    column = one.targets[0]
    for values, wanted in ((column.values * (1 + 1e-13), True), (column.values + 1e-3, False)):
        other = replace(one, targets=(replace(column, values=values),))
        assert same_head(one, other) is wanted
    assert not same_head(one, replace(one, targets=()))
    assert not same_head(one, replace(one, basis="Sx"))


@pytest.fixture
def pair(tmp_path, header):
    """Datasets of different points."""
    paths = [tmp_path / f"{name}.snapshots.h5" for name in "ab"]
    parents = [(replace(header.parents[0], id=letter * 16),) for letter in "12"]
    for path, first, parent in zip(paths, (0.0, 50.0), parents, strict=True):
        value = marked(Snapshots(head=head(first), shots=shots(seed=int(first))))
        write_snapshots(path, replace(header, parents=parent), value)
    return paths


def test_datasets_of_different_points_are_joined(tmp_path, pair, header):
    out = tmp_path / "all.snapshots.h5"
    merged = merge_snapshots(pair, out)
    found, snapshots = read_snapshots(out)
    parts = [read_snapshots(path) for path in pair]
    assert found == merged
    head, joined = snapshots.head, snapshots.shots
    assert head.points == tuple(p for _, part in parts for p in part.head.points)
    assert head.classes == ("haldane", "large_d")
    assert len(head.sources) == 1
    assert [(p.first, p.second) for p in head.pairs] == [(0, 1), (7, 8)]
    np.testing.assert_array_equal(head.targets[0].values, [*range(7), *range(50, 57)])
    assert [len(v) for v in head.features[0].values] == [*range(7), *range(7)]
    for name in ("spins", "log_probability", "phase"):
        both = np.concatenate([getattr(part.shots, name) for _, part in parts])
        np.testing.assert_array_equal(getattr(joined, name), both)
    np.testing.assert_array_equal(joined.point_index[3305:], parts[1][1].shots.point_index + 7)
    assert joined.class_log_likelihood.shape == (6610, 2)
    assert np.isnan(joined.class_log_likelihood).all()
    np.testing.assert_array_equal(joined.in_training, marked(snapshots).shots.in_training)
    # More of the configurations are in the larger training set.
    before = sum(int(part.shots.in_training.sum()) for _, part in parts)
    assert joined.in_training.sum() > before
    assert [p.id for p in merged.parents] == ["1" * 16, "2" * 16]
    # The same call of sample would give likelihoods.
    assert merged.settings["merged"] == sorted(h.id for h, _ in parts)
    assert merged.key != replace(header, parents=merged.parents).key
    lines = merged_lines(pair, out)
    assert lines[0] == f"2 datasets with 14 points and 6610 shots in {out}"
    assert lines[1].startswith("class_log_likelihood is NaN there")
    assert len(lines) == 2


def test_a_joined_dataset_can_be_joined_again(tmp_path, pair, header):
    third, two, three = (tmp_path / f"{name}.snapshots.h5" for name in ("c", "two", "three"))
    value = Snapshots(head=head(90.0, classes=("large_d", "xy")), shots=shots(seed=5))
    written = write_snapshots(third, header, value)
    first = merge_snapshots(pair, two)
    merged = merge_snapshots([two, third], three)
    assert merged.settings["merged"] == sorted([*first.settings["merged"], written.id])
    _, snapshots = read_snapshots(three)
    # In the order of the study.
    assert snapshots.head.classes == ("haldane", "large_d", "xy")
    assert snapshots.shots.class_log_likelihood.shape == (9915, 3)
    assert {p.soft_label for p in snapshots.head.points} == {()}
    assert merged_lines([two, third], three)[2].startswith("soft labels are left out")


def test_targets_and_features_that_only_one_file_has(tmp_path, pair, header):
    bare = replace(head(90.0), targets=(), features=(), pairs=())
    path, out = tmp_path / "c.snapshots.h5", tmp_path / "all.snapshots.h5"
    write_snapshots(path, header, Snapshots(head=bare, shots=shots()))
    merge_snapshots([path, pair[0]], out)
    united = read_snapshots(out)[1].head
    assert np.isnan(united.targets[0].values[:7]).all()
    np.testing.assert_array_equal(united.targets[0].values[7:], range(7))
    assert [len(v) for v in united.features[0].values] == [0] * 7 + list(range(7))
    assert [(p.first, p.second) for p in united.pairs] == [(7, 8)]


def changed_card(header, **settings):
    return replace(
        header, study=replace(header.study, settings=RunSettings.checked(settings).as_dict())
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, v: (replace(h, seed=4), v), "seed is 3 in .*a.snapshots.h5 and 4 in .*c.snap"),
        (
            lambda h, v: (replace(h, study=replace(h.study, name="field")), v),
            "study is haldane in .* and field in",
        ),
        (lambda h, v: (replace(h, study=None), v), r"study is haldane in .* and '' in"),
        (
            lambda h, v: (replace(h, settings={**h.settings, "noise": {"flip": 0.01}}), v),
            r"noise\.flip is 0\.0 in .* and 0\.01 in",
        ),
        (
            lambda h, v: (replace(h, settings={**h.settings, "sample": {"shots": 500}}), v),
            r"sample\.shots is 600 in .* and 500 in",
        ),
        (
            lambda h, v: (changed_card(h, sample={"shots": 600}, finite={"length": 64}), v),
            r"finite\.length is 32 in .* and 64 in",
        ),
        (
            lambda h, v: (replace(h, settings={**h.settings, "precision": "float32"}), v),
            r"precision is not set in .* and float32 in",
        ),
        (
            lambda h, v: (h, replace(v, head=replace(v.head, basis="Sx"))),
            "basis is Sz in .* and Sx in .*; merge datasets with the same settings",
        ),
        (
            lambda h, v: (h, replace(v, head=replace(v.head, transform="Kennedy-Tasaki"))),
            "transform is none in .* and Kennedy-Tasaki in",
        ),
    ],
)
def test_other_settings_are_refused_in_one_line(tmp_path, pair, header, change, message):
    path, out = tmp_path / "c.snapshots.h5", tmp_path / "all.snapshots.h5"
    write_snapshots(path, *change(header, Snapshots(head=head(90.0), shots=shots())))
    with pytest.raises(SettingsError, match=message) as error:
        merge_snapshots([pair[0], path], out)
    assert "\n" not in str(error.value)
    assert not out.exists()


def test_settings_that_decide_no_shot_may_differ(tmp_path, pair, header):
    path, out = tmp_path / "c.snapshots.h5", tmp_path / "all.snapshots.h5"
    other = changed_card(
        header, sample={"shots": 600}, train={"max_epochs": 3}, cluster={"nodes": 7}
    )
    other = replace(other, study=replace(other.study, varied=("D", "Delta")))
    write_snapshots(path, other, Snapshots(head=head(90.0), shots=shots()))
    assert merge_snapshots([pair[0], path], out).study.varied == ("D", "Delta")


def test_a_point_in_two_files_is_refused(tmp_path, pair, header):
    path, out = tmp_path / "c.snapshots.h5", tmp_path / "all.snapshots.h5"
    write_snapshots(path, header, Snapshots(head=head(52.0), shots=shots()))
    with pytest.raises(
        SettingsError, match=r"b\.snap.* and .*c\.snap.* both have shots at D=52,Delta=1; leave"
    ):
        merge_snapshots([*pair, path], out)


def test_damaged_missing_and_single_files(tmp_path, pair):
    out = tmp_path / "all.snapshots.h5"
    with pytest.raises(SettingsError, match="1 dataset to join; name at least two"):
        merge_snapshots(pair[:1], out)
    with pytest.raises(SettingsError, match="is one of the files to merge; choose another name"):
        merge_snapshots(pair, pair[0])
    with pytest.raises(MissingInputError, match="no file"):
        merge_snapshots([pair[0], tmp_path / "none.snapshots.h5"], out)
    with h5py.File(pair[1], "r+") as file:
        file["spins"][7, 2] += 1
    with pytest.raises(FileKindError, match=r"b\.snapshots\.h5 is damaged"):
        merge_snapshots(pair, out)
    pair[1].write_bytes(pair[0].read_bytes()[:-10])
    with pytest.raises(FileKindError, match=r"b\.snapshots\.h5 is truncated"):
        merge_snapshots(pair, out)
    assert not out.exists()


def test_merge_from_the_command_line(tmp_path, pair, capsys):
    out = tmp_path / "all.snapshots.h5"
    names = [str(path) for path in pair]
    assert main(["merge", *names, "--out", str(out)]) == 0
    assert capsys.readouterr().out.startswith("2 datasets with 14 points and 6610 shots in")
    folder = tmp_path / "folder"
    folder.mkdir()
    assert main(["merge", *names, "--out", str(folder)]) == 0
    assert (folder / "merged.snapshots.h5").is_file()
    assert main(["merge", names[0], str(folder), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert "a.snapshots.h5 and" in error
    assert "give folders of runs, or files *.snapshots.h5" in error
    assert error.count("\n") == 1
    assert main(["merge", *names, "--out", str(tmp_path / "a.table.h5")]) == 1
    assert "wanted a name that ends in .snapshots.h5" in capsys.readouterr().err
