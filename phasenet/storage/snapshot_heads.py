"""Heads of labelled datasets as plain arrays and texts, inside of ``*.snapshots.h5``.

One row for each point, in the order that the dataset ``point`` counts:

=================== ========================== ======================================
``couplings``       (points, couplings)        NaN where a chain has no such coupling
``point_source``    (points,)                  index among ``sources``
``soft_labels``     (points, classes)          NaN where it was not computed
``targets``         (points, targets)          numbers to be learned by regression
``target_errors``   (points, targets)          their errors
``features/NAME``   (entries,)                 arrays of all points, one after the other
``features/NAME_shapes`` (points, axes)        their shapes
``pairs``           (pairs, 2)                 points that look the same locally
``pair_differences`` (pairs, 2)                in densities, and in two-point functions
``pair_reach``      (pairs,)                   up to this many sites
=================== ========================== ======================================

The attributes of ``record``: ``site_dim``, ``basis``, ``transform``, ``labelled_by``, and as JSON
``basis_names``, ``classes``, ``splits``, ``sources``, ``coupling_names``, ``point_labels``,
``point_splits``, ``point_reasons``, ``point_controls``, ``datasheet``, ``targets`` and ``features``
(name, unit, meaning and, of a feature, axes).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from phasenet.card import StudyCard
from phasenet.points import ParameterPoint
from phasenet.records import Column, Curve
from phasenet.shots import (
    SPLITS,
    Datasheet,
    MatchedPair,
    SampledPoint,
    SnapshotsHead,
    Source,
)
from phasenet.storage.container import Content, Scalar
from phasenet.storage.packing import pack, unpack
from phasenet.trains.train import Array, FloatArray

_TEXTS = ("basis", "transform", "labelled_by")
_BY_POINT = {"labels": "label", "splits": "split", "reasons": "reason", "controls": "control"}


def head_content(head: SnapshotsHead) -> Content:
    """Arrays and scalars of a head."""
    names = sorted({name for p in head.points for name, _ in p.point.couplings})
    missing = (float("nan"),) * len(head.classes)
    rows = [[p.point.as_dict().get(name, np.nan) for name in names] for p in head.points]
    arrays: dict[str, Array] = {
        "couplings": np.asarray(rows, dtype=np.float64).reshape(len(head.points), len(names)),
        "point_source": np.asarray([p.source for p in head.points], dtype=np.int32),
        "soft_labels": np.asarray(
            [p.soft_label or missing for p in head.points], dtype=np.float64
        ).reshape(len(head.points), len(head.classes)),
    }
    if head.targets:
        arrays["targets"] = np.stack([c.values for c in head.targets], axis=1)
        arrays["target_errors"] = np.stack([c.errors for c in head.targets], axis=1)
    for curve in head.features:
        arrays |= pack(f"features/{curve.name}", curve.values)
    if head.pairs:
        arrays["pairs"] = np.asarray([(p.first, p.second) for p in head.pairs])
        arrays["pair_differences"] = np.asarray(
            [(p.density_difference, p.correlation_difference) for p in head.pairs]
        )
        arrays["pair_reach"] = np.asarray([p.reach for p in head.pairs])
    return Content(arrays=arrays, values=_values(head, names))


def head_of(content: Content) -> SnapshotsHead:
    """Head from the arrays and scalars of a file of format 2; other arrays are ignored."""
    arrays = content.arrays
    lists = {
        name: json.loads(str(content.values[name]))
        for name in (
            *("basis_names", "classes", "sources", "coupling_names", "targets", "features"),
            *(f"point_{name}" for name in _BY_POINT),
        )
    }
    return SnapshotsHead(
        site_dim=int(content.values["site_dim"]),
        basis=str(content.values["basis"]),
        transform=str(content.values["transform"]),
        labelled_by=str(content.values["labelled_by"]),
        classes=tuple(lists["classes"]),
        basis_names=tuple(lists["basis_names"]),
        sources=tuple(Source(**source) for source in lists["sources"]),
        points=tuple(_points(lists, arrays)),
        targets=tuple(_targets(lists["targets"], arrays)),
        features=tuple(
            Curve(
                name=name,
                unit=unit,
                meaning=meaning,
                axes=tuple(axes),
                values=unpack(f"features/{name}", arrays),
            )
            for name, unit, meaning, axes in lists["features"]
        ),
        pairs=tuple(_pairs(arrays)),
        datasheet=_datasheet(str(content.values.get("datasheet", "{}"))),
    )


def head_of_format_1(content: Content, card: StudyCard | None, sites: int) -> SnapshotsHead:
    """Head of a file from before there were sources, targets and features."""
    lists = {
        name: json.loads(str(content.values[name]))
        for name in ("classes", "coupling_names", "point_labels", "point_splits", "point_reasons")
    }
    texts = (card.name, card.title, card.hamiltonian) if card else ("", "", "")
    study, title, hamiltonian = texts
    source = Source(
        study=study, title=title, hamiltonian=hamiltonian, sites=sites, boundary="finite"
    )
    count = len(lists["point_labels"])
    lists["point_controls"] = [""] * count
    arrays = {
        "couplings": content.arrays["couplings"],
        "point_source": np.zeros(count, dtype=np.int32),
        "soft_labels": np.full((count, len(lists["classes"])), np.nan),
    }
    return SnapshotsHead(
        site_dim=int(content.values["site_dim"]),
        basis=str(content.values["basis"]),
        classes=tuple(lists["classes"]),
        sources=(source,),
        points=tuple(_points(lists, arrays)),
    )


def _values(head: SnapshotsHead, coupling_names: Sequence[str]) -> dict[str, Scalar]:
    texts: dict[str, Scalar] = {name: getattr(head, name) for name in _TEXTS}
    structures: dict[str, Any] = {
        "basis_names": head.basis_names,
        "classes": head.classes,
        "splits": SPLITS,
        "sources": [vars(source) for source in head.sources],
        "coupling_names": coupling_names,
        "targets": [[c.name, c.unit, c.meaning] for c in head.targets],
        "features": [[c.name, c.unit, c.meaning, c.axes] for c in head.features],
    }
    if head.datasheet != Datasheet():
        structures["datasheet"] = vars(head.datasheet)
    for name, attribute in _BY_POINT.items():
        structures[f"point_{name}"] = [getattr(p, attribute) for p in head.points]
    return {
        "site_dim": head.site_dim,
        **texts,
        **{name: json.dumps(value) for name, value in structures.items()},
    }


def _datasheet(text: str) -> Datasheet:
    values = json.loads(text)
    return Datasheet(**{**values, "traps": tuple(values.get("traps", ()))})


def _points(
    lists: Mapping[str, Sequence[Any]], arrays: Mapping[str, Array]
) -> Iterator[SampledPoint]:
    columns = [lists[f"point_{name}"] for name in _BY_POINT]
    for row, source, soft, *texts in zip(
        arrays["couplings"], arrays["point_source"], arrays["soft_labels"], *columns, strict=True
    ):
        couplings = zip(lists["coupling_names"], row, strict=True)
        yield SampledPoint(
            point=ParameterPoint.of({name: v for name, v in couplings if v == v}),
            source=int(source),
            soft_label=() if np.isnan(soft).any() else tuple(soft.tolist()),
            **dict(zip(_BY_POINT.values(), texts, strict=True)),
        )


def _targets(names: Sequence[Sequence[str]], arrays: Mapping[str, Array]) -> Iterator[Column]:
    if names:
        columns: tuple[FloatArray, FloatArray] = (arrays["targets"].T, arrays["target_errors"].T)
        for (name, unit, meaning), values, errors in zip(names, *columns, strict=True):
            yield Column(
                name=name,
                unit=unit,
                meaning=meaning,
                values=np.ascontiguousarray(values),
                errors=np.ascontiguousarray(errors),
            )


def _pairs(arrays: Mapping[str, Array]) -> Iterator[MatchedPair]:
    if "pairs" in arrays:
        for (first, second), (density, correlation), reach in zip(
            arrays["pairs"], arrays["pair_differences"], arrays["pair_reach"], strict=True
        ):
            yield MatchedPair(
                first=int(first),
                second=int(second),
                density_difference=float(density),
                correlation_difference=float(correlation),
                reach=int(reach),
            )
