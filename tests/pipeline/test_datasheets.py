"""Every recipe has a datasheet that says what the recipe says, and the other way round."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from phasenet.errors import SettingsError
from phasenet.recipes import Recipe, load_recipe
from phasenet.settings import RunSettings
from phasenet.study import load_study

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "datasets"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
SHEETS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", README, flags=re.S | re.M))


@pytest.fixture(scope="module", params=NAMES)
def recipe(request) -> Recipe:
    return load_recipe(FOLDER / f"{request.param}.toml")


def rows(text: str) -> dict[str, str]:
    """First and last cell of each row of the tables of a text."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0].strip(): " | ".join(cells[1:]).strip() for cells in lines if len(cells) > 1}


def words(text: str) -> str:
    return " ".join(text.split())


def listed(parts: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(map(str, parts)))


def settings_of(recipe: Recipe) -> list[RunSettings]:
    return [source.study.settings for source in recipe.sources]


def sites_of(settings: RunSettings) -> int:
    return settings.sample.window or settings.finite.length


def bytes_of(recipe: Recipe) -> int:
    """Bytes of the local states of all shots, and of their bases, without controls."""
    points = sum(len(source.study.grid) for source in recipe.sources)
    sample = recipe.sources[0].study.settings.sample
    drawn = sample.basis in ("random", "unbiased")
    longest = max(map(sites_of, settings_of(recipe)))
    return points * sample.shots * longest * (1 + drawn)


def chains(recipe: Recipe) -> str:
    parts = [
        f"`{source.path.name}`, {len(source.study.grid)} points"
        + (f" for {source.split}" if source.split else "")
        for source in recipe.sources
    ]
    return "; ".join(parts)


def bond_dimensions(recipe: Recipe) -> str:
    every = settings_of(recipe)
    labels = listed(settings.infinite.max_bond for settings in every)
    if every[0].sample.window:
        return f"{labels} of infinite states"
    return f"{listed(s.finite.max_bond for s in every)} of open chains, {labels} of infinite states"


def noise(settings: RunSettings) -> str:
    chosen = settings.noise.model_dump(exclude_defaults=True)
    parts = [name if name == "confusion" else f"{name} {value:g}" for name, value in chosen.items()]
    return listed(parts) or "none"


def controls(settings: RunSettings) -> str:
    matched = settings.controls.matched
    pairs = [f"{matched} matched pairs"] if matched else []
    return listed([*settings.controls.copies, *pairs]) or "none"


def split(recipe: Recipe) -> str:
    if recipe.sources[0].study.settings.sample.split == "region":
        return "by region: " + "; ".join(f"{r} for {r.name}" for r in recipe.regions)
    return "by chain" if any(source.split == "test" for source in recipe.sources) else "by point"


def facts(recipe: Recipe) -> dict[str, str]:
    """Rows of a datasheet that follow from the recipe."""
    settings = recipe.sources[0].study.settings
    sample = settings.sample
    length = listed(map(sites_of, settings_of(recipe)))
    by = f"by {sample.label}" + ": " * bool(recipe.labels)
    return {
        "chains": chains(recipe),
        "sites": f"{length}, windows" if sample.window else f"{length}, open chains",
        "bond dimension": bond_dimensions(recipe),
        "shots": f"{sample.shots} for each point" + ", classes balanced" * sample.balance,
        "basis": sample.basis,
        "transform": sample.transform,
        "noise": noise(settings),
        "controls": controls(settings),
        "labels": by + "; ".join(f"{label.name} for {label}" for label in recipe.labels),
        "split": split(recipe),
        "bytes": f"{bytes_of(recipe)}",
        "licence": recipe.datasheet.licence,
    }


def test_every_recipe_has_a_datasheet_and_every_datasheet_a_recipe():
    table = [re.sub(r"^\[(\w+)\].*", r"\1", name) for name in rows(README.split("\n## ")[0])]
    listed_names = [name for name in table if name not in ("recipe", "---")]
    assert sorted(SHEETS) == sorted(listed_names) == NAMES


def test_every_study_has_the_recipe_of_its_name():
    for path in sorted((ROOT / "simulations").glob("*.py")):
        recipe = load_recipe(FOLDER / f"{path.stem}.toml")
        assert [source.study.name for source in recipe.sources] == [load_study(path).name]


def test_a_datasheet_says_what_the_recipe_says(recipe):
    sheet = rows(SHEETS[recipe.name])
    for name, value in facts(recipe).items():
        assert sheet.get(name) == value, name


def test_a_datasheet_has_the_texts_of_the_recipe(recipe):
    text = words(SHEETS[recipe.name])
    assert f"**{recipe.datasheet.title}.** {words(recipe.datasheet.description)}" in text
    assert recipe.datasheet.traps
    for trap in recipe.datasheet.traps:
        assert f"- Trap: {trap}." in text
    assert set(rows(SHEETS[recipe.name])) >= {"points", "measured"}


def test_the_table_of_all_recipes_agrees(recipe):
    points = sum(len(source.study.grid) for source in recipe.sources)
    shots = points * recipe.sources[0].study.settings.sample.shots
    row = rows(README)[f"[{recipe.name}](#{recipe.name})"]
    what, classes, count, size = row.split(" | ")
    assert (what, classes) == (recipe.datasheet.title, rows(SHEETS[recipe.name])["classes"])
    assert (count, size) == (f"{shots}", f"{bytes_of(recipe) / 1e6:.1f} MB")


def test_classes_are_phases_of_the_studies(recipe):
    known = {
        source.classes.get(phase.label, phase.label)
        for source in recipe.sources
        for phase in source.study.phases
    }
    classes = rows(SHEETS[recipe.name])["classes"].split(", ")
    assert len(classes) >= 2
    assert set(classes) <= known


def test_labels_by_coordinate_are_flagged_in_the_title(recipe):
    by_coordinate = recipe.sources[0].study.settings.sample.label == "coordinate"
    assert by_coordinate == ("labelled by coordinate" in recipe.datasheet.title)
    for label in recipe.labels:
        assert label.name in {phase.label for phase in recipe.sources[0].study.phases}


def test_regions_and_labels_hold_points_of_the_grid(recipe):
    points = [point for source in recipe.sources for point in source.study.grid]
    for region in (*recipe.regions, *recipe.labels):
        assert any(region.contains(point) for point in points), region
    if recipe.labels:
        assert all(any(label.contains(point) for label in recipe.labels) for point in points)


def test_controls_suit_the_spin_of_the_chains(recipe):
    settings = recipe.sources[0].study.settings
    integer = float(recipe.sources[0].study.spin).is_integer()
    copies = set(settings.controls.copies)
    assert integer or not copies & {"sign scramble", "zero shuffle"}
    assert not copies or settings.sample.basis == "Sz"


def test_a_misspelt_setting_of_a_recipe_is_an_error(tmp_path):
    text = (FOLDER / "haldane.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    study = (ROOT / "simulations" / "haldane.py").as_posix()
    path.write_text(
        text.replace("../simulations/haldane.py", study).replace("shots", "shotz"),
        encoding="utf-8",
    )
    with pytest.raises(SettingsError, match=r"did you mean 'sample\.shots'\?"):
        load_recipe(path)
