"""Recipes of datasets: TOML files that name chains, what is measured, and how it is labelled."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phasenet.errors import MissingInputError, SettingsError
from phasenet.overrides import Overrides, apply_overrides
from phasenet.points import ParameterPoint, nearest
from phasenet.shots import Datasheet
from phasenet.study import Study, load_study

_TEXTS = ("title", "description", "licence")
_KEYS = (*_TEXTS, "traps", "source", "region", "label")
_SOURCE_KEYS = ("study", "split", "classes", "set")
_SOURCE_SPLITS = ("", "train", "test")
_REGION_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class Region:
    """Part of parameter space: closed intervals of some couplings.

    Parameters
    ----------
    name
        What its points get: a split, or a label.
    ranges
        Coupling, lowest and highest value.

    >>> region = Region(name="test", ranges=(("D", 0.3, 0.5),))
    >>> region.contains(ParameterPoint.of(D=0.3)), region.contains(ParameterPoint.of(D=0.6))
    (True, False)
    """

    name: str
    ranges: tuple[tuple[str, float, float], ...]

    def contains(self, point: ParameterPoint) -> bool:
        """Whether a point lies in it; one that lacks a coupling does not."""
        values = point.as_dict()
        return all(low <= values.get(name, math.nan) <= high for name, low, high in self.ranges)

    def __str__(self) -> str:
        return ", ".join(f"{low:g} <= {name} <= {high:g}" for name, low, high in self.ranges)


@dataclass(frozen=True, kw_only=True, eq=False)
class RecipeSource:
    """One chain of a dataset.

    Parameters
    ----------
    study, path
        The study with the changes of the recipe, and the file that it was loaded from.
    split
        ``train`` or ``test`` if all its points go there; empty if they are divided.
    classes
        Names of classes for the labels of phases; others keep their own.
    """

    study: Study
    path: Path
    split: str
    classes: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Recipe:
    """How a dataset is made.

    Parameters
    ----------
    name
        Of its file.
    datasheet
        For its readers.
    sources
        At least one; their settings of snapshots are the same.
    regions
        Splits, if the recipe splits by region.
    labels
        Labels, if it labels by coordinate.
    """

    name: str
    datasheet: Datasheet
    sources: tuple[RecipeSource, ...]
    regions: tuple[Region, ...] = ()
    labels: tuple[Region, ...] = ()


def load_recipe(path: Path | str, changes: Overrides | None = None) -> Recipe:
    """Recipe of a TOML file; the studies that it names are executed.

    Parameters
    ----------
    path
        The file.
    changes
        Changes that hold for all sources and go before those of the recipe.

    Raises
    ------
    MissingInputError, SettingsError, StudyError
    """
    path = Path(path)
    if not path.is_file():
        raise MissingInputError(f"no recipe at {path}; give a file such as datasets/haldane.toml")
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is no TOML: {error}") from None
    tables = _tables(path, values, "source")
    if not tables:
        raise SettingsError(f"{path} names no chain; add [[source]] with study = 'FILE.py'")
    shared = {name: value for name, value in values.items() if name not in _KEYS}
    common = Overrides.of_tables(shared, path)
    recipe = Recipe(
        name=path.stem,
        datasheet=Datasheet(
            title=_text(path, values, "title", path.stem),
            description=_text(path, values, "description", ""),
            licence=_text(path, values, "licence", ""),
            traps=_traps(path, values),
        ),
        sources=tuple(_source(path, table, common, changes) for table in tables),
        regions=tuple(_region(path, table, "split") for table in _tables(path, values, "region")),
        labels=tuple(_region(path, table, "label") for table in _tables(path, values, "label")),
    )
    _check(path, recipe)
    return recipe


def _source(
    path: Path, table: Mapping[str, Any], common: Overrides, changes: Overrides | None
) -> RecipeSource:
    for key in table:
        if key not in _SOURCE_KEYS:
            near = nearest(key, _SOURCE_KEYS)
            hint = f"did you mean {near!r}?" if near else f"wanted {', '.join(_SOURCE_KEYS)}"
            raise SettingsError(f"{path}: [[source]] has the unknown key {key!r}; {hint}")
    if not isinstance(table.get("study"), str):
        raise SettingsError(f"{path}: a [[source]] names no study; add study = 'FILE.py'")
    split = table.get("split", "")
    if split not in _SOURCE_SPLITS:
        raise SettingsError(f"{path}: split of a source is {split!r}; wanted 'train' or 'test'")
    for key in ("set", "classes"):
        if not isinstance(table.get(key, {}), dict):
            raise SettingsError(f"{path}: {key} of a source is {table[key]!r}; wanted a table")
    own = Overrides.of_tables(table.get("set", {}), path)
    place = path.parent / table["study"]
    study = apply_overrides(load_study(place), common.then(own).then(changes or Overrides()))
    classes = {str(label): str(name) for label, name in table.get("classes", {}).items()}
    for label in classes:
        if label not in [phase.label for phase in study.phases]:
            known = ", ".join(phase.label for phase in study.phases)
            raise SettingsError(
                f"{path}: classes of {study.name} name the phase {label!r}; it has {known}"
            )
    return RecipeSource(study=study, path=place, split=split, classes=classes)


def _region(path: Path, table: Mapping[str, Any], kind: str) -> Region:
    name = table.get(kind)
    if not isinstance(name, str) or (kind == "split" and name not in _REGION_SPLITS):
        wanted = f"one of {', '.join(_REGION_SPLITS)}" if kind == "split" else "a text"
        where = "region" if kind == "split" else kind
        raise SettingsError(f"{path}: {kind} of a [[{where}]] is {name!r}; wanted {wanted}")
    ranges = []
    for coupling, ends in table.items():
        if coupling == kind:
            continue
        pair = isinstance(ends, list) and len(ends) == 2
        if not pair or not all(type(end) in (int, float) for end in ends) or not ends[0] <= ends[1]:
            raise SettingsError(
                f"{path}: {coupling} of {kind} {name!r} is {ends!r}; wanted its lowest and highest "
                "value, such as [0.0, 0.5]"
            )
        ranges.append((coupling, float(ends[0]), float(ends[1])))
    return Region(name=name, ranges=tuple(ranges))


def _tables(path: Path, values: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = values.get(key, [])
    if not isinstance(found, list) or not all(isinstance(table, dict) for table in found):
        raise SettingsError(f"{path}: {key} is {found!r}; write it as [[{key}]]")
    return found


def _text(path: Path, values: Mapping[str, Any], key: str, default: str) -> str:
    found = values.get(key, default)
    if not isinstance(found, str):
        raise SettingsError(f"{path}: {key} is {found!r}; wanted a text")
    return found


def _traps(path: Path, values: Mapping[str, Any]) -> tuple[str, ...]:
    found = values.get("traps", [])
    if not isinstance(found, list) or not all(isinstance(trap, str) for trap in found):
        raise SettingsError(f"{path}: traps is {found!r}; wanted a list of texts")
    return tuple(found)


def _check_regions(path: Path, recipe: Recipe) -> None:
    """Refuse regions that can hold no point, and labels that are no phase."""
    couplings = {name for source in recipe.sources for name, _ in source.study.grid.axes}
    for region in (*recipe.regions, *recipe.labels):
        for name, _, _ in region.ranges:
            if name not in couplings:
                raise SettingsError(
                    f"{path}: a region of {region.name} names the unknown coupling {name!r}; "
                    f"there are {', '.join(sorted(couplings))}"
                )
    classes = {
        source.classes.get(phase.label, phase.label)
        for source in recipe.sources
        for phase in source.study.phases
    }
    for label in recipe.labels:
        if label.name not in classes:
            raise SettingsError(
                f"{path}: a [[label]] names the class {label.name!r}; there are "
                f"{', '.join(sorted(classes))}"
            )


def _check(path: Path, recipe: Recipe) -> None:
    _check_regions(path, recipe)
    first = recipe.sources[0].study.settings
    for source in recipe.sources[1:]:
        own = source.study.settings
        same = (own.sample, own.noise, own.controls, own.features, own.seed)
        if same != (first.sample, first.noise, first.controls, first.features, first.seed):
            raise SettingsError(
                f"{path}: {recipe.sources[0].study.name} and {source.study.name} differ in their "
                "settings of snapshots; set them for all sources, in [sample] of the recipe"
            )
        if source.study.spin != recipe.sources[0].study.spin:
            raise SettingsError(
                f"{path}: {recipe.sources[0].study.name} has spins {recipe.sources[0].study.spin:g}"
                f", {source.study.name} {source.study.spin:g}; wanted one number of local states"
            )
    if first.sample.split == "region" and not recipe.regions:
        raise SettingsError(f"{path} splits by region and names none; add [[region]]")
    if first.sample.label == "coordinate" and not recipe.labels:
        raise SettingsError(f"{path} labels by coordinate and names no label; add [[label]]")
