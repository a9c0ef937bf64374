"""A dataset in a few lines: what was measured of what, how it is labelled, and its traps."""

from collections.abc import Iterable
from typing import Any

from phasenet.networks.naming import size_of, varied_couplings
from phasenet.pipeline.dataset_facts import DatasetFacts
from phasenet.pipeline.summary import percent
from phasenet.shots import SPLITS, Datasheet, SnapshotsHead
from phasenet.trains.train import IntArray

_SHOWN_CHAINS, _SHOWN_NUMBERS, _SHOWN_PAIRS, _SHOWN_REASONS, _SHOWN_TRAPS = 3, 6, 2, 2, 2

_RULES = {
    "state": "labelled by their infinite states",
    "coordinate": "labelled by their couplings alone",
    "none": "not labelled",
}


def snapshot_lines(facts: DatasetFacts) -> list[str]:
    """What a dataset holds, what it is labelled by, and how well its classes can be told apart."""
    head = facts.head
    return [
        *_sheet(head.datasheet),
        _title(facts),
        *_chains(head),
        *_noise(facts.header.settings.get("noise", {})),
        *_table(head, facts.shots),
        *_controls(head, facts.shots),
        *_pairs(head),
        *_numbers(head),
        *_limits(facts),
        *_undetermined(head),
    ]


def _sheet(sheet: Datasheet) -> list[str]:
    title = [f"{sheet.title}{f' (licence {sheet.licence})' if sheet.licence else ''}"]
    traps = [f"trap: {trap}" for trap in sheet.traps]
    return [*(title if sheet.title else []), *_first(traps, _SHOWN_TRAPS, "traps")]


def _title(facts: DatasetFacts) -> str:
    head = facts.head
    sizes = " and ".join(dict.fromkeys(size_of(source) for source in head.sources))
    drawn = f" ({', '.join(head.basis_names)} drawn for each site)" if head.basis_names else ""
    transform = "" if head.transform == "none" else f", {head.transform} transform"
    return (
        f"{facts.shots.sum()} snapshots of {sizes} with {head.site_dim} local states in the basis "
        f"{head.basis}{drawn}{transform}"
    )


def _chains(head: SnapshotsHead) -> list[str]:
    lines = []
    for index, source in enumerate(head.sources):
        members = [p for p in head.points if p.source == index and not p.control]
        ranges = []
        for name in varied_couplings(members):
            values = [p.point[name] for p in members]
            ranges.append(f"{name} = {min(values):g} to {max(values):g}")
        size = f", {size_of(source)}" if len(head.sources) > 1 else ""
        where = f", {', '.join(ranges)}" if ranges else ""
        count = "1 point" if len(members) == 1 else f"{len(members)} points"
        lines.append(f"{source.title or 'chain'} ({source.study}){size}: {count}{where}")
    return _first(lines, _SHOWN_CHAINS, "chains")


def _noise(noise: dict[str, Any]) -> list[str]:
    found = [
        f"{name} {'by matrix' if name == 'confusion' else f'{value:g}'}"
        for name, value in noise.items()
        if value
    ]
    return [f"noise: {', '.join(found)}; likelihoods are those before it"] if found else []


def _table(head: SnapshotsHead, shots: IntArray) -> list[str]:
    """Points and, in brackets, shots of each class in each split."""
    rule = _RULES[head.labelled_by]
    measured = [k for k, point in enumerate(head.points) if not point.control]
    splits = [s for s in SPLITS if any(head.points[k].split == s for k in measured)]
    rows = [["", *splits]]
    for label in (*head.classes, None):
        members = [k for k in measured if head.points[k].label == label]
        cells = [[k for k in members if head.points[k].split == split] for split in splits]
        counts = [f"{len(cell)} ({shots[cell].sum()})" if cell else "-" for cell in cells]
        rows += [[label or "undetermined", *counts]] if members else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"  {row[0]:<{widths[0]}}"
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    ]
    return [f"points (snapshots) of each class, {rule}:", *lines]


def _controls(head: SnapshotsHead, shots: IntArray) -> list[str]:
    names = dict.fromkeys(point.control for point in head.points if point.control)
    counts = []
    for name in names:
        members = [k for k, point in enumerate(head.points) if point.control == name]
        counts.append(f"{name} {len(members)} ({shots[members].sum()})")
    return [f"controls: {', '.join(counts)}"] if counts else []


def _pairs(head: SnapshotsHead) -> list[str]:
    lines = []
    for pair in head.pairs:
        ends = " and ".join(_place(head, k) for k in (pair.first, pair.second))
        density, correlation = pair.density_difference, pair.correlation_difference
        lines.append(
            f"alike: {ends}; densities differ by {density:.2g}, two-point functions by "
            f"{correlation:.2g} up to {pair.reach} sites"
        )
    return _first(lines, _SHOWN_PAIRS, "pairs")


def _place(head: SnapshotsHead, index: int) -> str:
    point = head.points[index]
    alike = [p for p in head.points if p.source == point.source]
    names = varied_couplings(alike) or tuple(name for name, _ in point.point.couplings)
    couplings = ", ".join(f"{name} = {point.point[name]:g}" for name in names)
    return f"{couplings} ({point.label})" if point.label else couplings


def _numbers(head: SnapshotsHead) -> list[str]:
    targets = [c.name + ("" if c.unit == "1" else f" ({c.unit})") for c in head.targets]
    features = []
    for curve in head.features:
        shapes = sorted({values.shape for values in curve.values if values.size})
        size = " or ".join(" x ".join(map(str, shape)) for shape in shapes)
        unit = "" if curve.unit == "1" else f", {curve.unit}"
        features.append(f"{curve.name} ({size or 'empty'}{unit})")
    lines = []
    for kind, names in (("targets", targets), ("features", features)):
        if names:
            lines.append(f"{kind}: {', '.join(_first(names, _SHOWN_NUMBERS))}")
    return lines


def _limits(facts: DatasetFacts) -> list[str]:
    """How well the best classifier does, and how many shots of the test set are known to it."""
    lines = []
    test = [k for k in facts.head.points_in("test") if facts.head.points[k].label]
    accuracies = [
        f"{percent(*facts.bayes_accuracy(split))} of {name}"
        for split, name in (("test", "the test split"), ("critical", "the critical one"))
        # With a single class there is nothing to tell apart.
        if len(_rated_classes(facts, split)) > 1
    ]
    if accuracies:
        lines.append(f"Bayes optimum: right at {', '.join(accuracies)}")
    total = int(facts.shots[test].sum())
    if facts.repeats is not None and total:
        share = facts.repeats[test].sum() / total
        lines.append(f"repeats of training snapshots in the test split: {100 * share:.3g} %")
    soft = [max(p.soft_label) for p in facts.head.points if p.soft_label and p.label]
    if soft:
        lines.append(f"soft labels: the own class has {min(soft):.3f} to {max(soft):.3f}")
    return lines


def _rated_classes(facts: DatasetFacts, split: str) -> set[int]:
    points = facts.head.points_in(split)
    return set(facts.head.label_of_point[points[facts.rated[points] > 0]].tolist())


def _undetermined(head: SnapshotsHead) -> list[str]:
    found = [
        f"undetermined at {_place(head, k)}: {point.reason}"
        for k, point in enumerate(head.points)
        if point.label is None and not point.control
    ]
    return _first(found, _SHOWN_REASONS, "undetermined points")


def _first(items: Iterable[str], most: int, kind: str = "") -> list[str]:
    """The first few, and how many more there are."""
    found = list(items)
    if len(found) <= most:
        return found
    return [*found[:most], " ".join(["and", str(len(found) - most), "more", kind]).strip()]
