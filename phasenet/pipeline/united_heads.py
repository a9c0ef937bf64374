"""Heads of several datasets made into one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from phasenet.card import StudyCard
from phasenet.errors import SettingsError
from phasenet.points import ParameterPoint
from phasenet.records import Column, Curve
from phasenet.shots import SampledPoint, SnapshotsHead, Source
from phasenet.storage.snapshot_heads import head_content
from phasenet.trains.train import FloatArray

_NUMBERS_TOL = 1e-6
_NUMBERS_ATOL = 1e-9


def united_head(
    heads: Sequence[tuple[Path, SnapshotsHead]], card: StudyCard | None
) -> SnapshotsHead:
    """Head of a dataset with the points of several, file after file.

    Parameters
    ----------
    heads
        Heads, and what messages call them; they have the same settings.
    card
        Its phases decide the order of the classes.

    Raises
    ------
    SettingsError
        A point is in two of them.
    """
    first = heads[0][1]
    sources = tuple(dict.fromkeys(source for _, head in heads for source in head.sources))
    _check_points(heads)
    classes = _classes([head for _, head in heads], card)
    points: list[SampledPoint] = []
    pairs = []
    for _, head in heads:
        pairs += [
            replace(p, first=p.first + len(points), second=p.second + len(points))
            for p in head.pairs
        ]
        points += [
            replace(
                p,
                source=sources.index(head.sources[p.source]),
                # It depends on the number of classes.
                soft_label=p.soft_label if head.classes == classes else (),
            )
            for p in head.points
        ]
    return replace(
        first,
        classes=classes,
        sources=sources,
        points=tuple(points),
        targets=_targets([head for _, head in heads]),
        features=_features([head for _, head in heads]),
        pairs=tuple(pairs),
    )


def same_head(one: SnapshotsHead, other: SnapshotsHead) -> bool:
    """Whether two heads were made from the same states; numbers may differ by rounding."""
    first, second = head_content(one), head_content(other)
    texts = [
        {name: value for name, value in content.values.items() if name != "point_reasons"}
        for content in (first, second)
    ]
    if texts[0] != texts[1] or first.arrays.keys() != second.arrays.keys():
        return False
    return all(
        array.shape == second.arrays[name].shape
        and np.allclose(
            array, second.arrays[name], rtol=_NUMBERS_TOL, atol=_NUMBERS_ATOL, equal_nan=True
        )
        for name, array in first.arrays.items()
    )


def _check_points(heads: Sequence[tuple[Path, SnapshotsHead]]) -> None:
    seen: dict[tuple[Source, ParameterPoint, str], Path] = {}
    for path, head in heads:
        for p in head.points:
            key = (head.sources[p.source], p.point, p.control)
            if key in seen:
                raise SettingsError(
                    f"{seen[key]} and {path} both have shots at {p.point}; leave one of them out"
                )
            seen[key] = path


def _classes(heads: Sequence[SnapshotsHead], card: StudyCard | None) -> tuple[str, ...]:
    """Classes of all heads, in the order of the phases of the study."""
    found = dict.fromkeys(name for head in heads for name in head.classes)
    order = [phase.label for phase in card.phases] if card else []
    known = [name for name in order if name in found]
    return tuple(dict.fromkeys([*known, *found]))


def _targets(heads: Sequence[SnapshotsHead]) -> tuple[Column, ...]:
    """Targets of all points; NaN where a file has none of a name."""
    first: dict[str, Column] = {}
    for head in heads:
        for column in head.targets:
            first.setdefault(column.name, column)
    joined = []
    for name, column in first.items():
        parts = [_target(head, name) for head in heads]
        values = np.concatenate([part.values for part in parts])
        errors = np.concatenate([part.errors for part in parts])
        joined.append(replace(column, values=values, errors=errors))
    return tuple(joined)


def _target(head: SnapshotsHead, name: str) -> Column:
    missing = np.full(len(head.points), np.nan)
    nothing = Column(name=name, unit="", meaning="", values=missing, errors=missing)
    return next((column for column in head.targets if column.name == name), nothing)


def _features(heads: Sequence[SnapshotsHead]) -> tuple[Curve, ...]:
    """Features of all points; empty where a file has none of a name."""
    first: dict[str, Curve] = {}
    for head in heads:
        for curve in head.features:
            first.setdefault(curve.name, curve)
    return tuple(
        replace(curve, values=tuple(v for head in heads for v in _feature(head, curve)))
        for curve in first.values()
    )


def _feature(head: SnapshotsHead, like: Curve) -> tuple[FloatArray, ...]:
    missing = (np.zeros((0,) * len(like.axes)),) * len(head.points)
    return next((curve.values for curve in head.features if curve.name == like.name), missing)
