"""Settings, couplings and points given from outside."""

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from phasenet.cli.overrides import add_overrides, differences, study_of
from phasenet.errors import MissingInputError, SettingsError, StudyError
from phasenet.overrides import Overrides, apply_overrides
from phasenet.points import Grid
from phasenet.study import load_study

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def study(haldane):
    return replace(haldane, grid=Grid.product(Delta=[1.0], D=[0.0, 0.5, 1.0]))


@pytest.fixture
def zipped(haldane):
    return replace(haldane, grid=Grid.zipped(Delta=[1.0, 2.0, 3.0], D=[0.0, 0.5, 1.0]))


def changed(study, *assignments, zipped=(), points=None):
    overrides = Overrides.of_options(assignments=assignments, zipped=zipped, points=points)
    return apply_overrides(study, overrides)


def file(tmp_path, text, name="run.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def names(grid):
    return [str(point) for point in grid]


def test_nothing_changed_is_the_same_study(study, zipped):
    for given in (study, zipped):
        assert apply_overrides(given, Overrides()) == given
        assert differences(given, apply_overrides(given, Overrides())) == []


def test_a_setting_by_its_path_changes_one_group(study):
    after = changed(study, "finite.max_bond=128", "sweep.boundaries=finite", "seed=7")
    assert (after.settings.finite.max_bond, after.settings.infinite.max_bond) == (128, 64)
    assert after.settings.sweep.boundaries == ("finite",)
    assert after.settings.seed == 7
    assert differences(study, after) == [
        "seed = 7",
        "finite.max_bond = 128",
        "sweep.boundaries = ['finite']",
    ]


def test_a_bare_setting_changes_every_group_that_has_it(study):
    after = changed(study, "max_bond=128", "channels=4, 8,16", "energy_atol=1e-7")
    assert after.settings.finite.max_bond == after.settings.infinite.max_bond == 128
    assert after.settings.train.channels == (4, 8, 16)
    assert differences(study, after)[:2] == ["finite.max_bond = 128", "finite.energy_atol = 1e-07"]


def test_the_later_assignment_holds(study):
    after = changed(study, "finite.max_bond=8", "max_bond=9", "infinite.max_bond=10")
    assert (after.settings.finite.max_bond, after.settings.infinite.max_bond) == (9, 10)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("max_bond=abc", r"setting 'finite.max_bond' is 'abc'; .*valid integer"),
        ("max_bond=0", "setting 'finite.max_bond' is '0'; Input should be greater than"),
        ("finite.energy_atol=nan", "setting 'finite.energy_atol' is .*finite number"),
        ("finit.max_bond=3", "'finit.max_bond' is no setting.*did you mean 'finite.max_bond'"),
        ("max_bnd=3", "--set: 'max_bnd' is no setting and no coupling; did you mean 'max_bond'"),
        ("delta=3", "'delta' is no setting and no coupling; did you mean 'Delta'"),
        ("finite=3", "'finite' is no setting and no coupling"),
        ("zzzzzzz=3", "couplings are Delta, D"),
        ("max_bond", "--set 'max_bond' is no assignment; write --set NAME=VALUE"),
        ("=3", "is no assignment"),
        ("D=", "is no assignment"),
        ("D=0:1", r"coupling D: '0:1' is no range; write start:stop:step"),
        ("D=0:1:0.3", "range 0:1:0.3 misses its stop; end it at 0.9"),
        ("D=0:1:0", "range 0:1:0 never ends"),
        ("D=0:1:-0.1", "never ends; its step must lead"),
        ("D=0:1:1e-9", "more than 1000000 values"),
        ("D=one", "coupling D is 'one'; it must be a finite real number"),
        ("D=nan", "coupling D is 'nan'; it must be a finite real number"),
        ("D=1e400", "coupling D is '1e400'"),
        ("D=0,,1", "coupling D is ''"),
        ("D=0,0", "grid axis D names a value twice"),
        ("name=a b", "study name is 'a b'"),
    ],
)
def test_what_cannot_be_set(study, assignment, message):
    with pytest.raises((SettingsError, StudyError), match=message):
        changed(study, assignment)


def test_couplings_of_a_product(study):
    after = changed(study, "D=0:0.3:0.1,2", "Delta=0.5,1")
    assert after.grid == Grid.product(Delta=[0.5, 1], D=[0, 0.1, 0.2, 0.3, 2])
    assert after.card().varied == ("Delta", "D")
    assert differences(study, after) == [
        "Delta = 0.5, 1",
        "D = 0, 0.1, ..., 2 (5 values)",
        "10 points",
    ]
    assert changed(study, "D=0.5").grid.varied == ()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0:1:0.1", [k / 10 for k in range(11)]),
        ("1:-1:-0.5", [1, 0.5, 0, -0.5, -1]),
        ("2:2:1", [2]),
        ("1e-3:3e-3:1e-3", [0.001, 0.002, 0.003]),
        (" -1 , 2.5", [-1, 2.5]),
    ],
)
def test_ranges_hold_what_was_typed(study, text, values):
    assert dict(changed(study, f"D={text}").grid.axes)["D"] == tuple(values)


def test_couplings_that_run_together(study, zipped):
    after = changed(study, "D=0:1:0.5", "Delta=1:3:1", zipped=["D,Delta"])
    assert names(after.grid) == ["D=0,Delta=1", "D=0.5,Delta=2", "D=1,Delta=3"]
    assert names(changed(zipped, "D=7").grid) == ["D=7,Delta=1", "D=7,Delta=2", "D=7,Delta=3"]
    assert names(changed(zipped, "D=7,8,9").grid)[2] == "D=9,Delta=3"
    assert len(changed(zipped, "D=0:1:0.1", "Delta=1").grid) == 11
    with pytest.raises(SettingsError, match=r"need equally many values; Delta has 3, D has 2"):
        changed(zipped, "D=7,8")
    with pytest.raises(SettingsError, match=r"need equally many values"):
        changed(study, zipped=["D,Delta"])
    with pytest.raises(SettingsError, match=r"zip names the unknown coupling 'J'"):
        changed(study, zipped=["D,J"])
    with pytest.raises(SettingsError, match=r"zip D,D needs two or more different"):
        changed(study, zipped=["D,D"])


def test_three_couplings_two_of_them_together(haldane):
    study = replace(haldane, grid=Grid.product(a=[0, 1], b=[5, 6], c=[2, 3]))
    after = changed(study, zipped=["a,c"])
    assert names(after.grid) == ["a=0,b=5,c=2", "a=0,b=6,c=2", "a=1,b=5,c=3", "a=1,b=6,c=3"]


def test_points_of_a_file(study, tmp_path):
    path = file(tmp_path, "D\n0.1\n0.2\n", "points.csv")
    assert names(changed(study, points=path).grid) == ["D=0.1,Delta=1", "D=0.2,Delta=1"]
    after = changed(study, "Delta=0.5", points=path)
    assert names(after.grid) == ["D=0.1,Delta=0.5", "D=0.2,Delta=0.5"]
    with pytest.raises(SettingsError, match=r"no column Delta, which takes 2 values"):
        changed(study, "Delta=0.5,1", points=path)
    with pytest.raises(SettingsError, match=r"D is set, and is a column of .*points.csv"):
        changed(study, "D=0.5", points=path)
    with pytest.raises(SettingsError, match=r"leave out zip or the file"):
        changed(study, points=path, zipped=["D,Delta"])
    other = file(tmp_path, "d,Delta\n0.1,1\n", "other.csv")
    with pytest.raises(SettingsError, match=r"line 1 names the unknown coupling 'd'.*mean 'D'"):
        changed(study, points=other)


def test_a_toml_file_says_the_same(study, tmp_path):
    path = file(
        tmp_path,
        """
        name = "mine"
        max_bond = 32
        zip = [["D", "Delta"]]
        [finite]
        max_bond = 48
        [sweep]
        boundaries = ["infinite"]
        [grid]
        D = "0:1:0.5"
        Delta = [1, "2:3:1"]
        """,
    )
    after = apply_overrides(study, Overrides.from_toml(path))
    assert after.name == after.card().name == "mine"
    assert (after.settings.finite.max_bond, after.settings.infinite.max_bond) == (48, 32)
    assert after.settings.sweep.boundaries == ("infinite",)
    assert names(after.grid) == ["D=0,Delta=1", "D=0.5,Delta=2", "D=1,Delta=3"]
    line = Overrides.of_options(assignments=["finite.max_bond=64", "title=T", "D=4,5,6"])
    both = apply_overrides(study, Overrides.from_toml(path).then(line))
    assert (both.settings.finite.max_bond, both.settings.infinite.max_bond) == (64, 32)
    assert (both.title, names(both.grid)[0]) == ("T", "D=4,Delta=1")


def test_a_file_of_points_lies_beside_its_toml(study, tmp_path):
    file(tmp_path, "Delta,D\n2,0.1\n", "mine.csv")
    overrides = Overrides.from_toml(file(tmp_path, 'points = "mine.csv"'))
    assert names(apply_overrides(study, overrides).grid) == ["D=0.1,Delta=2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_bond = ", r"run.toml is no TOML: Invalid value"),
        ("[finit]\nmax_bond = 3", r"run.toml: 'finit.max_bond' .*mean 'finite.max_bond'"),
        ("[grid]\nd = 3", r"run.toml: 'grid.d' is no setting.*mean 'grid.D'"),
        ("[grid]\nD = true", r"run.toml: coupling D is True; wanted numbers or ranges"),
        ("[grid]\nD = []", "grid axis D is empty"),
        ("[grid]\nD = nan", "coupling D is nan"),
        ("[finite]\nmax_bond = [1, 2]", r"setting 'finite.max_bond' is \[1, 2\]"),
        ("points = 3", "points is 3; wanted the path"),
        ('zip = ["D", "Delta"]', "zip is .*wanted groups such as"),
    ],
)
def test_a_toml_file_with_mistakes(study, tmp_path, text, message):
    with pytest.raises(SettingsError, match=message):
        apply_overrides(study, Overrides.from_toml(file(tmp_path, text)))


def test_a_toml_file_that_is_not_there(tmp_path):
    with pytest.raises(MissingInputError, match=r"no settings at .*none.toml"):
        Overrides.from_toml(tmp_path / "none.toml")


def test_a_name_with_two_meanings(haldane):
    study = replace(haldane, grid=Grid.product(length=[1, 2], title=[3.0]))
    with pytest.raises(SettingsError, match=r"write grid.length or finite.length"):
        changed(study, "length=8")
    with pytest.raises(SettingsError, match=r"write grid.title or study.title"):
        changed(study, "title=8")
    after = changed(study, "grid.length=8", "finite.length=10", "study.title=T", "grid.title=1")
    assert names(after.grid) == ["length=8,title=1"]
    assert (after.settings.finite.length, after.title) == (10, "T")


def test_another_architecture_begins_with_its_own_sizes(haldane):
    before = changed(haldane, "channels=4,4", "batch=64")
    after = changed(before, "width=16", "architecture=gru").settings.train
    assert (after.architecture, after.channels, after.width) == ("gru", (8, 8), 16)
    assert after.batch == 64
    same = changed(before, "architecture=convolutional").settings.train
    assert same.channels == (4, 4)


def test_the_command_line(haldane, tmp_path, capsys):
    path = ROOT / "simulations" / "haldane.py"
    parser = argparse.ArgumentParser()
    parser.add_argument("study", type=Path)
    add_overrides(parser)
    assert study_of(parser.parse_args([str(path)])).grid == load_study(path).grid
    assert capsys.readouterr().out == ""
    config = file(tmp_path, "[finite]\nmax_bond = 20\n[grid]\nD = 1")
    line = [str(path), "--config", str(config), "--set", "D=0,1", "--set", "max_bond=24"]
    study = study_of(parser.parse_args(line))
    assert (study.settings.finite.max_bond, len(study.grid)) == (24, 2)
    said = capsys.readouterr().out
    assert said == (
        "haldane with finite.max_bond = 24; infinite.max_bond = 24; D = 0, 1; 2 points\n"
    )
    points = file(tmp_path, "D,Delta\n0,1\n1,2\n", "points.csv")
    study = study_of(parser.parse_args([str(path), "--points", str(points)]))
    assert names(study.grid) == ["D=0,Delta=1", "D=1,Delta=2"]
    line = [str(path), "--set", "D=0,1", "--set", "Delta=1,2", "--zip", "D,Delta"]
    assert study_of(parser.parse_args(line)).grid == Grid.zipped(Delta=[1, 2], D=[0, 1])
