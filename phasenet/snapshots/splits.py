"""Which points are trained on and which are held out, and how many shots each gets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phasenet.errors import SettingsError
from phasenet.points import ParameterPoint
from phasenet.recipes import Region
from phasenet.seeds import stream
from phasenet.settings import SampleSettings
from phasenet.shots import SampledPoint

_DIVIDED = ("train", "validation", "test")
_WORDS = {2: "to train and validate on", 3: "to train, validate and test on"}


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """Splits that the points of each source and of each region may get."""

    of_source: tuple[str, ...]
    regions: tuple[Region, ...]

    def allowed(self, point: SampledPoint) -> tuple[str, ...]:
        source = self.of_source[point.source] if self.of_source else ""
        if source == "test":
            return ("test",)
        # Where no chain is left to test on, points are.
        if source == "train" and set(self.of_source) != {"train"}:
            return _DIVIDED[:2]
        if not self.regions:
            return _DIVIDED
        for region in self.regions:
            if region.contains(point.point):
                return (region.name,)
        validated = any(region.name == "validation" for region in self.regions)
        return _DIVIDED[:1] if validated else _DIVIDED[:2]


def assign_splits(
    points: Sequence[SampledPoint],
    settings: SampleSettings,
    seed: int,
    *,
    of_source: Sequence[str] = (),
    regions: Sequence[Region] = (),
) -> tuple[SampledPoint, ...]:
    """Divide the points that may be trained on into train, validation and test, class by class.

    Points of the same couplings, in chains that are divided alike, stay together.

    Parameters
    ----------
    points
        Those whose split ``train`` means "may be trained on"; all others keep their split.
    settings
        Fractions for validation and test; each gets at least one point of each class.
    seed
        Seed of the run.
    of_source
        For each source ``train``, ``test`` or nothing, as the recipe says; it goes before regions.
        Points of ``train`` are divided into train and validation, unless all sources are that.
    regions
        Looked at where ``split`` is ``region``: the first one that contains a point names its
        split. All others are divided into train and validation, or are all trained on if a region
        is there to validate on.

    Raises
    ------
    SettingsError
        A class has too few points, or none to train, to validate or to test on.

    >>> points = [
    ...     SampledPoint(point=ParameterPoint.of(D=k), label="haldane", split="train", reason="")
    ...     for k in range(4)
    ... ]
    >>> sorted(point.split for point in assign_splits(points, SampleSettings(), seed=0))
    ['test', 'train', 'train', 'validation']
    """
    rule = _Rule(
        of_source=tuple(of_source),
        regions=tuple(regions) if settings.split == "region" else (),
    )
    splits: dict[int, str] = {}
    for label in sorted({point.label for point in points if point.label is not None}):
        pools: dict[tuple[str, ...], list[int]] = {}
        for index, point in enumerate(points):
            if point.label == label and point.split == "train":
                pools.setdefault(rule.allowed(point), []).append(index)
        found: dict[int, str] = {}
        for allowed, members in (pools or {_DIVIDED: []}).items():
            found |= _divided(label, allowed, _together(points, members), settings, seed)
        _check(label, set(found.values()), rule)
        splits |= found
    return tuple(
        replace(point, split=splits.get(index, point.split)) for index, point in enumerate(points)
    )


def shots_of_points(points: Sequence[SampledPoint], settings: SampleSettings) -> tuple[int, ...]:
    """Number of shots of each point.

    Parameters
    ----------
    points
        With their splits.
    settings
        With ``balance`` all classes of train have as many shots together as the one of the fewest
        points, divided evenly over their points; so have those of validation, and of test.

    Raises
    ------
    SettingsError
        A point would get no shot.

    >>> points = [
    ...     SampledPoint(point=ParameterPoint.of(D=k), label=label, split="train", reason="")
    ...     for k, label in enumerate(["haldane", "haldane", "haldane", "large_d"])
    ... ]
    >>> shots_of_points(points, SampleSettings(shots=100, balance=True))
    (34, 33, 33, 100)
    """
    shots = [settings.shots] * len(points)
    for split in _DIVIDED if settings.balance else ():
        members: dict[str, list[int]] = {}
        for index, point in enumerate(points):
            if point.split == split and point.label is not None:
                members.setdefault(point.label, []).append(index)
        total = settings.shots * min(map(len, members.values()), default=0)
        for label, indices in members.items():
            share, more = divmod(total, len(indices))
            if share == 0:
                raise SettingsError(
                    f"sample.balance leaves class {label} {total} shots for {len(indices)} points "
                    f"of {split}; raise sample.shots"
                )
            for rank, index in enumerate(indices):
                shots[index] = share + (rank < more)
    return tuple(shots)


def _together(points: Sequence[SampledPoint], members: Sequence[int]) -> list[list[int]]:
    """Members by their couplings, in the order of their first ones."""
    groups: dict[ParameterPoint, list[int]] = {}
    for index in members:
        groups.setdefault(points[index].point, []).append(index)
    return list(groups.values())


def _divided(
    label: str,
    allowed: tuple[str, ...],
    groups: Sequence[Sequence[int]],
    settings: SampleSettings,
    seed: int,
) -> dict[int, str]:
    """Split of each member of a class, among those allowed."""
    count = len(groups)
    if count < len(allowed):
        raise SettingsError(
            f"class {label} has {count} points {_WORDS[len(allowed)]}; wanted at least "
            f"{len(allowed)}: widen the grid, lengthen the chain or lower sample.xi_per_length"
        )
    names = list(allowed[:1]) * count
    if len(allowed) > 1:
        held_out = len(allowed) - 1
        validation = max(1, min(round(settings.validation * count), count - held_out))
        test = max(1, min(round(settings.test * count), count - validation - 1))
        test = test if held_out > 1 else 0
        order = stream(seed, "split", label).permutation(count)
        for rank, index in enumerate(order):
            name = "validation" if rank < validation else "train"
            names[index] = "test" if validation <= rank < validation + test else name
    return {index: name for name, group in zip(names, groups, strict=True) for index in group}


def _check(label: str, found: set[str], rule: _Rule) -> None:
    """Refuse a class that the recipe puts into some splits only."""
    missing = [split for split in _DIVIDED if split not in found]
    if missing:
        way_out = (
            f"add or move a [[region]] with split = '{missing[0]}'"
            if rule.regions
            else "add a [[source]] that has the class there, or leave out the split of its source"
        )
        raise SettingsError(
            f"class {label} has no points in {' and '.join(missing)}, only in "
            f"{' and '.join(split for split in _DIVIDED if split in found)}; {way_out}"
        )
