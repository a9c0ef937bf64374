"""What is changed in a study from outside: settings, couplings, points."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any, get_origin

from phasenet.errors import MissingInputError, SettingsError
from phasenet.points import Grid, nearest, parse_values
from phasenet.settings import NETWORK_SIZES, RunSettings, Settings, TrainSettings
from phasenet.study import Study

TEXTS = ("name", "title", "hamiltonian")
"""Texts of a study that may be set."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One name and its new value.

    Parameters
    ----------
    key
        A setting (``finite.max_bond``, or ``max_bond`` in every group that has it), a coupling
        (``D`` or ``grid.D``), or ``name``, ``title``, ``hamiltonian`` (``study.name`` and so on).
    value
        Text as typed, or a value of a TOML file.
    source
        Where it was given, for errors.
    """

    key: str
    value: Any
    source: str


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Changes to a study; of two assignments to one name the later holds.

    Parameters
    ----------
    assignments
        In order.
    zipped
        Groups of couplings that run together.
    points
        CSV file of points that takes the place of the grid.

    >>> Overrides.of_options(assignments=["D=0:2:0.5"]).assignments[0].key
    'D'
    """

    assignments: tuple[Assignment, ...] = ()
    zipped: tuple[tuple[str, ...], ...] = ()
    points: Path | None = None

    @classmethod
    def of_options(
        cls,
        *,
        assignments: Sequence[str] = (),
        zipped: Sequence[str] = (),
        points: Path | None = None,
    ) -> "Overrides":
        """Overrides as they are typed: ``KEY=VALUE`` and ``NAME,NAME``."""
        found = []
        for text in assignments:
            key, equals, value = text.partition("=")
            if not (key.strip() and equals and value.strip()):
                raise SettingsError(f"--set {text!r} is no assignment; write --set NAME=VALUE")
            found.append(Assignment(key=key.strip(), value=value.strip(), source="--set"))
        groups = tuple(tuple(n.strip() for n in text.split(",")) for text in zipped)
        return cls(assignments=tuple(found), zipped=groups, points=points)

    @classmethod
    def from_toml(cls, path: Path | str) -> "Overrides":
        """Overrides of a TOML file: tables of settings, a table ``grid``, ``zip``, ``points``.

        Raises
        ------
        MissingInputError, SettingsError
        """
        path = Path(path)
        if not path.is_file():
            raise MissingInputError(f"no settings at {path}; give a TOML file")
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is no TOML: {error}") from None
        return cls.of_tables(values, path)

    @classmethod
    def of_tables(cls, tables: Mapping[str, Any], path: Path) -> "Overrides":
        """Overrides of the tables of a TOML file, as :meth:`from_toml` reads them."""
        values = dict(tables)
        points, groups = values.pop("points", None), values.pop("zip", [])
        if points is not None and not isinstance(points, str):
            raise SettingsError(f"{path}: points is {points!r}; wanted the path of a CSV file")
        return cls(
            assignments=tuple(
                Assignment(key=key, value=value, source=str(path))
                for key, value in flattened(values)
            ),
            zipped=_groups(path, groups),
            points=path.parent / points if points else None,
        )

    @property
    def ordered(self) -> list[Assignment]:
        """Assignments, that of an architecture before those of the sizes of its network."""
        return sorted(self.assignments, key=lambda a: a.key.split(".")[-1] != "architecture")

    def then(self, later: "Overrides") -> "Overrides":
        """Return both; where they disagree the later ones hold."""
        return Overrides(
            assignments=(*self.assignments, *later.assignments),
            zipped=later.zipped or self.zipped,
            points=later.points or self.points,
        )


def apply_overrides(study: Study, overrides: Overrides) -> Study:
    """Study with other settings and another grid.

    Parameters
    ----------
    study
        As its file defines it.
    overrides
        What to change.

    Raises
    ------
    SettingsError, StudyError
        A name is unknown or has two meanings, or a value cannot be used.
    """
    couplings: dict[str, Assignment] = {}
    texts = {name: getattr(study, name) for name in TEXTS}
    settings = study.settings.model_dump(mode="json")
    names = [name for name, _ in study.grid.axes]
    for assignment in overrides.ordered:
        group, name = _resolved(assignment, names)
        if group == "grid":
            couplings[name] = assignment
        elif group == "study":
            texts[name] = str(assignment.value)
        else:
            _assign(settings, group, name, assignment.value)
    return replace(
        study,
        grid=_grid(study.grid, couplings, overrides),
        settings=RunSettings.checked(settings),
        name=texts["name"],
        title=texts["title"],
        hamiltonian=texts["hamiltonian"],
    )


def changed_settings(
    settings: RunSettings, overrides: Overrides, groups: Sequence[str]
) -> RunSettings:
    """Settings with some of them changed, where the states are there and there is no study.

    Parameters
    ----------
    settings
        Before.
    overrides
        Assignments to settings; another architecture begins with its default sizes.
    groups
        Groups of settings that may be changed; the empty name is that of the run itself.

    Raises
    ------
    SettingsError
        A name is unknown, or belongs to another group.
    """
    values = settings.model_dump(mode="json")
    for assignment in overrides.ordered:
        group, name = _resolved(assignment, ())
        owners = [o for o in (_owners(name) if group is None else (group,)) if o in groups]
        if not owners:
            raise SettingsError(
                f"{assignment.source}: {assignment.key} decides how ground states are found, and "
                f"these are there; wanted a setting of {', '.join(g for g in groups if g)}"
            )
        for owner in owners:
            _assign(values, owner, name, assignment.value)
    return RunSettings.checked(values)


def _groups(path: Path, groups: Any) -> tuple[tuple[str, ...], ...]:
    good = isinstance(groups, list) and all(
        isinstance(group, list) and all(isinstance(name, str) for name in group) for group in groups
    )
    if not good:
        raise SettingsError(f'{path}: zip is {groups!r}; wanted groups such as [["D", "Delta"]]')
    return tuple(tuple(group) for group in groups)


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names with dots and values of tables in tables."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _parts() -> dict[str, type[Settings]]:
    """Groups of settings by name; the settings of the run itself have the empty name."""
    groups = {
        name: field.annotation
        for name, field in RunSettings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Settings)
    }
    return {"": RunSettings, **groups}


def _owners(name: str) -> list[str]:
    parts = _parts()
    return [g for g, owner in parts.items() if name in owner.model_fields and name not in parts]


def _assign(settings: dict[str, Any], group: str | None, name: str, value: Any) -> None:
    """Set a setting in its group, or in every group that has it."""
    for owner in _owners(name) if group is None else (group,):
        target = settings[owner] if owner else settings
        if name == "architecture" and value != target[name]:
            default = TrainSettings()  # the sizes were meant for the network before
            target.update({size: getattr(default, size) for size in NETWORK_SIZES})
        target[name] = _typed(owner, name, value)


def _resolved(assignment: Assignment, couplings: Sequence[str]) -> tuple[str | None, str]:
    """Group and name that a key means; no group: every group of settings that has the name."""
    key = assignment.key
    group, dot, name = key.rpartition(".")
    known = {
        **{f"grid.{coupling}": ("grid", coupling) for coupling in couplings},
        **{f"study.{text}": ("study", text) for text in TEXTS},
        **{f"{g}.{n}": (g, n) for g, owner in _parts().items() if g for n in owner.model_fields},
    }
    if dot and key in known:
        return group, name
    owners = [f"{g}.{key}".removeprefix(".") for g in _owners(key)]
    meanings = [f"grid.{key}"] * (key in couplings) + [f"study.{key}"] * (key in TEXTS)
    if not dot and len(meanings) + bool(owners) > 1:
        ways = " or ".join([*meanings, *owners])
        raise SettingsError(
            f"{assignment.source}: {key!r} is both a coupling and a setting; write {ways}"
        )
    if not dot and meanings:
        return known[meanings[0]]
    if not dot and owners:
        return None, key
    bare = {*couplings, *TEXTS, *(n for g in _parts().values() for n in g.model_fields)}
    names = [*known] if dot else sorted(bare - {*_parts()})
    near = nearest(key, names)
    listed = f"couplings are {', '.join(couplings)}" if couplings else "there are no couplings here"
    way_out = f"did you mean {near!r}?" if near else listed
    raise SettingsError(f"{assignment.source}: {key!r} is no setting and no coupling; {way_out}")


def _typed(owner: str, name: str, value: Any) -> Any:
    """Text of a setting that is a list, cut at its commas; the rest is for pydantic to read."""
    annotation = _parts()[owner].model_fields[name].annotation
    if isinstance(value, str) and get_origin(annotation) is tuple:
        return [part.strip() for part in value.split(",")]
    return value


def _grid(grid: Grid, assigned: Mapping[str, Assignment], overrides: Overrides) -> Grid:
    values = {name: _values(name, assignment) for name, assignment in assigned.items()}
    if overrides.points is not None:
        return _with_file(grid, values, overrides)
    blocks = [_changed({n: _column(grid, n) for n in b.names}, values) for b in grid.blocks]
    for group in overrides.zipped:
        blocks = _joined(blocks, group)
    result = Grid(())
    for columns in blocks:
        single = len(columns) == 1
        result *= Grid.product(**columns) if single else Grid.zipped(**columns)
    return result


def _with_file(grid: Grid, values: Mapping[str, tuple[float, ...]], overrides: Overrides) -> Grid:
    """Points of a file; couplings that it does not name must have one value."""
    assert overrides.points is not None
    path, axes = overrides.points, dict(grid.axes)
    result = Grid.from_csv(path, known=tuple(axes))
    named = [name for name, _ in result.axes]
    for name in values:
        if name in named:
            raise SettingsError(f"{name} is set, and is a column of {path}; give it once")
    if overrides.zipped:
        raise SettingsError(f"couplings run together as {path} says; leave out zip or the file")
    for name, column in {**axes, **values}.items():
        if name in named:
            continue
        if len(column) > 1:
            raise SettingsError(
                f"{path} has no column {name}, which takes {len(column)} values on the grid; add "
                f"the column or fix it with --set {name}=VALUE"
            )
        result *= Grid.product(**{name: column})
    return result


def _values(name: str, assignment: Assignment) -> tuple[float, ...]:
    """Values of a coupling from a text, a number, or a list of both."""
    given = assignment.value
    if isinstance(given, str):
        return parse_values(name, given)
    parts = given if isinstance(given, list) else [given]
    found: list[float] = []
    for part in parts:
        if isinstance(part, str):
            found += parse_values(name, part)
        elif isinstance(part, Real) and not isinstance(part, bool):
            found.append(float(part))
        else:
            raise SettingsError(
                f"{assignment.source}: coupling {name} is {part!r}; wanted numbers or ranges such "
                "as 0:2:0.1"
            )
    return tuple(found)


def _column(grid: Grid, name: str) -> tuple[float, ...]:
    block = next(block for block in grid.blocks if name in block.names)
    index = block.names.index(name)
    return tuple(row[index] for row in block.rows)


def _changed(
    columns: Mapping[str, tuple[float, ...]], values: Mapping[str, tuple[float, ...]]
) -> dict[str, tuple[float, ...]]:
    """Columns that run together with new values; a single value holds for all rows."""
    result = {name: values.get(name, column) for name, column in columns.items()}
    longest = max(len(column) for column in result.values())
    return {
        name: column * longest if len(column) == 1 else column for name, column in result.items()
    }


def _joined(
    blocks: Sequence[dict[str, tuple[float, ...]]], group: Sequence[str]
) -> list[dict[str, tuple[float, ...]]]:
    """Blocks with some couplings running together, at the place of the first of them."""
    known = [name for columns in blocks for name in columns]
    for name in group:
        if name not in known:
            raise SettingsError(
                f"zip names the unknown coupling {name!r}; there are {', '.join(known)}"
            )
    if len(set(group)) != len(group) or len(group) < 2:
        raise SettingsError(f"zip {','.join(group)} needs two or more different couplings")
    member = [bool(set(group) & set(columns)) for columns in blocks]
    together: dict[str, tuple[float, ...]] = {}
    for columns, inside in zip(blocks, member, strict=True):
        together |= columns if inside else {}
    first = member.index(True)
    return [
        together if k == first else columns
        for k, columns in enumerate(blocks)
        if k == first or not member[k]
    ]
