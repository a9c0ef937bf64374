"""Recipes of datasets: what is read, what is changed in the studies, and every error line."""

from pathlib import Path

import pytest

from phasenet.errors import MissingInputError, SettingsError
from phasenet.overrides import Overrides
from phasenet.points import ParameterPoint
from phasenet.recipes import Region, load_recipe

SIMULATIONS = Path(__file__).resolve().parents[1] / "simulations"
HALDANE = f"study = '{SIMULATIONS / 'haldane.py'}'"
SOURCE = f"[[source]]\n{HALDANE}\n"
ISING = f"[[source]]\nstudy = '{SIMULATIONS / 'ising.py'}'\n"

FULL = f"""
title = "Two chains"
description = "Both of spin 1."
licence = "CC0-1.0"
traps = ["one", "two"]
seed = 7

[[source]]
{HALDANE}
split = "train"
classes = {{ haldane = "topological" }}
set = {{ finite = {{ length = 40 }}, grid = {{ D = "0:2:0.5" }} }}

[[source]]
study = "{SIMULATIONS / "bond_alternating.py"}"
split = "test"

[finite]
length = 24
max_bond = 20

[sample]
shots = 100
basis = "Sx,Sz"

[noise]
lost = 0.01

[controls]
copies = ["block flip 4"]
"""


@pytest.fixture
def recipe(tmp_path):
    """Writes the text of a recipe and reads it."""

    def read(text, changes=None):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return load_recipe(path, changes)

    return read


def test_texts_of_a_recipe_are_for_its_readers(recipe):
    found = recipe(FULL)
    assert (found.name, found.datasheet.title, found.datasheet.description) == (
        "mine",
        "Two chains",
        "Both of spin 1.",
    )
    assert (found.datasheet.licence, found.datasheet.traps) == ("CC0-1.0", ("one", "two"))
    assert (found.regions, found.labels) == ((), ())


def test_a_recipe_needs_no_texts(recipe):
    found = recipe(SOURCE)
    assert (
        found.datasheet.title,
        found.datasheet.description,
        found.datasheet.licence,
        found.datasheet.traps,
    ) == ("mine", "", "", ())


def test_settings_hold_for_all_sources_and_those_of_a_source_go_before(recipe):
    first, second = (source.study.settings for source in recipe(FULL).sources)
    assert (first.finite.length, second.finite.length) == (40, 24)
    assert first.finite.max_bond == second.finite.max_bond == 20
    for settings in (first, second):
        assert (settings.seed, settings.sample.shots, settings.sample.basis) == (7, 100, "Sx,Sz")
        assert (settings.noise.lost, settings.controls.copies) == (0.01, ("block flip 4",))


def test_changes_from_outside_go_before_the_recipe(recipe):
    found = recipe(FULL, Overrides.of_options(assignments=["length=16", "sample.shots=9"]))
    for source in found.sources:
        assert (source.study.settings.finite.length, source.study.settings.sample.shots) == (16, 9)


def test_a_source_has_a_study_a_split_and_names_of_classes(recipe):
    first, second = recipe(FULL).sources
    assert [study.name for study in (first.study, second.study)] == ["haldane", "bond_alternating"]
    assert [point["D"] for point in first.study.grid] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert (first.split, second.split) == ("train", "test")
    assert (dict(first.classes), dict(second.classes)) == ({"haldane": "topological"}, {})
    assert first.path.name == "haldane.py"


def test_the_path_of_a_study_starts_at_the_recipe(tmp_path):
    (tmp_path / "chains").mkdir()
    (tmp_path / "recipes").mkdir()
    text = (SIMULATIONS / "ising.py").read_text(encoding="utf-8")
    (tmp_path / "chains" / "mine.py").write_text(text, encoding="utf-8")
    path = tmp_path / "recipes" / "mine.toml"
    path.write_text("[[source]]\nstudy = '../chains/mine.py'\n", encoding="utf-8")
    assert load_recipe(path).sources[0].study.name == "ising"


def test_one_chain_twice_gets_two_names(recipe):
    text = "".join(
        f"[[source]]\n{HALDANE}\nset = {{ name = 'haldane_{length}', finite.length = {length} }}\n"
        for length in (24, 48)
    )
    found = recipe(text)
    assert [source.study.name for source in found.sources] == ["haldane_24", "haldane_48"]


def test_regions_are_read_in_their_order(recipe):
    found = recipe(
        f"{SOURCE}[sample]\nsplit = 'region'\n"
        "[[region]]\nsplit = 'test'\nD = [0, 0.5]\nDelta = [1, 1]\n"
        "[[region]]\nsplit = 'validation'\nD = [1.5, 1.6]\n"
    )
    first, second = found.regions
    assert first == Region(name="test", ranges=(("D", 0.0, 0.5), ("Delta", 1.0, 1.0)))
    assert (second.name, str(first)) == ("validation", "0 <= D <= 0.5, 1 <= Delta <= 1")


def test_labels_by_coordinate_are_regions_too(recipe):
    found = recipe(
        f"{SOURCE}[sample]\nlabel = 'coordinate'\n[[label]]\nlabel = 'haldane'\nD = [-9, 0.968]\n"
    )
    assert found.labels == (Region(name="haldane", ranges=(("D", -9.0, 0.968),)),)


@pytest.mark.parametrize(
    ("couplings", "inside"),
    [
        ({"D": 0.3, "Delta": 1.0}, True),
        ({"D": 0.5, "Delta": 1.0}, True),
        ({"D": 0.2999, "Delta": 1.0}, False),
        ({"D": 0.4, "Delta": 1.1}, False),
        ({"D": 0.4}, False),
    ],
)
def test_a_region_holds_its_ends_and_no_point_that_lacks_a_coupling(couplings, inside):
    region = Region(name="test", ranges=(("D", 0.3, 0.5), ("Delta", 1.0, 1.0)))
    assert region.contains(ParameterPoint.of(couplings)) is inside


def test_a_recipe_that_is_not_there():
    with pytest.raises(MissingInputError, match=r"^no recipe at none\.toml; give a file such as"):
        load_recipe("none.toml")


def test_a_recipe_may_start_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SOURCE, encoding="utf-8-sig")
    assert len(load_recipe(path).sources) == 1


def test_a_recipe_that_is_no_text(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"title = '\xff'")
    with pytest.raises(SettingsError, match=r"mine\.toml is no TOML"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"traps = 'one'\n{SOURCE}", r"traps is 'one'; wanted a list of texts"),
        (f"{SOURCE}classes = 'x'\n", r"classes of a source is 'x'; wanted a table"),
        (f"{SOURCE}set = 3\n", r"set of a source is 3; wanted a table"),
        (
            f"{SOURCE}[[region]]\nsplit = 'test'\nD = [1, 0]\n",
            r"D of split 'test' is \[1, 0\]; wanted its lowest and highest value",
        ),
        (
            f"{SOURCE}[[region]]\nsplit = 'test'\nE = [0, 1]\n",
            r"a region of test names the unknown coupling 'E'; there are D, Delta",
        ),
        (
            f"{SOURCE}[[label]]\nlabel = 'haldan'\nD = [0, 1]\n",
            r"a \[\[label\]\] names the class 'haldan'; there are haldane, large_d",
        ),
        ("title = ", r"mine\.toml is no TOML: "),
        ("title = 'x'", r"names no chain; add \[\[source\]\] with study = 'FILE\.py'"),
        (f"[source]\n{HALDANE}\n", r"source is \{.*\}; write it as \[\[source\]\]"),
        ("source = 3", r"source is 3; write it as \[\[source\]\]"),
        (f"title = 3\n{SOURCE}", r"title is 3; wanted a text"),
        (f"licence = []\n{SOURCE}", r"licence is \[\]; wanted a text"),
        (f"description = 1\n{SOURCE}", r"description is 1; wanted a text"),
        (f"{SOURCE}splt = 'test'\n", r"the unknown key 'splt'; did you mean 'split'\?"),
        (f"{SOURCE}xyzzy = 1\n", r"the unknown key 'xyzzy'; wanted study, split, classes, set"),
        ("[[source]]\nsplit = 'test'\n", r"a \[\[source\]\] names no study; add study = "),
        ("[[source]]\nstudy = 3\n", r"a \[\[source\]\] names no study; add study = "),
        (f"{SOURCE}split = 'validation'\n", r"split of a source is 'validation'; wanted 'train'"),
        (
            f"{SOURCE}classes = {{ haldan = 'x' }}\n",
            r"classes of haldane name the phase 'haldan'; it has haldane, large_d",
        ),
        (f"shotz = 3\n{SOURCE}", r"'shotz' is no setting and no coupling; did you mean 'shots'\?"),
        (f"{SOURCE}[sample]\nshots = 0\n", r"'sample\.shots' is 0; Input should be greater"),
        (f"{SOURCE}[sample]\nbasis = 'Sw'\n", r"'sample\.basis' is 'Sw'; wanted one of Sz, Sx"),
        (f"{SOURCE}[grid]\nE = [0, 1]\n", r"'grid\.E' is no setting and no coupling"),
        (
            f"{SOURCE}[[region]]\nsplit = 'later'\nD = [0, 1]\n",
            r"split of a \[\[region\]\] is 'later'; wanted one of train, validation, test",
        ),
        (f"{SOURCE}[[region]]\nD = [0, 1]\n", r"split of a \[\[region\]\] is None; wanted one of"),
        (f"{SOURCE}[[label]]\nD = [0, 1]\n", r"label of a \[\[label\]\] is None; wanted a text"),
        (f"{SOURCE}[[label]]\nlabel = 3\n", r"label of a \[\[label\]\] is 3; wanted a text"),
        (
            f"{SOURCE}[[region]]\nsplit = 'test'\nD = 0.5\n",
            r"D of split 'test' is 0\.5; wanted its lowest and highest value, such as \[0\.0, 0\.5",
        ),
        (
            f"{SOURCE}[[region]]\nsplit = 'test'\nD = [0, 1, 2]\n",
            r"D of split 'test' is \[0, 1, 2\]; wanted its lowest and highest value",
        ),
        (
            f"{SOURCE}[[label]]\nlabel = 'haldane'\nD = ['0', '1']\n",
            r"D of label 'haldane' is \['0', '1'\]; wanted its lowest and highest value",
        ),
        (f"{SOURCE}[region]\nsplit = 'test'\n", r"region is \{.*\}; write it as \[\[region\]\]"),
        (f"{SOURCE}[label]\nlabel = 'haldane'\n", r"label is \{.*\}; write it as \[\[label\]\]"),
        (
            f"{SOURCE}[sample]\nsplit = 'region'\n",
            r"mine\.toml splits by region and names none; add \[\[region\]\]",
        ),
        (
            f"{SOURCE}[sample]\nlabel = 'coordinate'\n",
            r"mine\.toml labels by coordinate and names no label; add \[\[label\]\]",
        ),
        (
            f"{SOURCE}[[source]]\n{HALDANE}\nset = {{ name = 'other', sample.shots = 5 }}\n",
            r"haldane and other differ in their settings of snapshots; set them for all sources",
        ),
        (
            f"{SOURCE}[[source]]\n{HALDANE}\nset = {{ name = 'other', seed = 5 }}\n",
            r"haldane and other differ in their settings of snapshots",
        ),
        (f"{SOURCE}{ISING}", r"haldane has spins 1, ising 0\.5; wanted one number of local states"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(recipe, text, sentence):
    with pytest.raises(SettingsError, match=sentence) as raised:
        recipe(text)
    assert "\n" not in str(raised.value)


def test_a_study_that_is_not_there(recipe):
    with pytest.raises(MissingInputError, match=r"no study at .*none\.py"):
        recipe("[[source]]\nstudy = 'none.py'\n")
