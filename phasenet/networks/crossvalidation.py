"""Cross-validation by region: networks on whole regions of the couplings that none has seen.

Points that lie next to one another look alike, so that a network that has seen the neighbours of
its test points is tested on little that is new. Here each fold leaves out one block of neighbouring
points of each phase.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from phasenet.errors import SettingsError
from phasenet.networks.fitting import (
    FitJob,
    Fitter,
    Progress,
    architecture_for,
    fit,
    network_of,
    one_thread,
)
from phasenet.networks.functions import logits_function
from phasenet.networks.nulls import fit_local_classifier
from phasenet.networks.readings import readings_of
from phasenet.networks.scoring import Decide, accuracy_of, labelled, values_of
from phasenet.networks.training import within
from phasenet.points import ParameterPoint
from phasenet.seeds import derived_seed
from phasenet.settings import TrainSettings
from phasenet.shots import SampledPoint, Snapshots, SnapshotsHead
from phasenet.trained import Score
from phasenet.trains.train import FloatArray

Place = tuple[str, ParameterPoint]
"""Label and couplings of a point."""


@dataclass(frozen=True, kw_only=True)
class Region:
    """Points that one fold leaves out.

    Parameters
    ----------
    name
        Where they lie, such as ``D = 0 to 0.4 and D = 1.6 to 2``.
    places
        Label and couplings of each: one block of neighbours of each phase.
    """

    name: str
    places: frozenset[Place]


def regions_of(head: SnapshotsHead, folds: int) -> tuple[Region, ...]:
    """Regions that together hold all points that are trained or tested on, each of them once.

    The points of each phase are cut into as many blocks of neighbours: halved along the coupling
    that they spread over most, and so on; along one coupling these are intervals.

    Parameters
    ----------
    head
        Of a labelled dataset.
    folds
        Number of regions, at least 2.

    Raises
    ------
    SettingsError
        A phase has too few points: each fold needs two of every phase, to train and to stop by.
    """
    if folds < 2:
        raise SettingsError(f"cross-validation has {folds} regions; wanted 2 or more")
    found = [[point for name, point in _places(head) if name == label] for label in head.classes]
    for label, points in zip(head.classes, found, strict=True):
        if len(points) < folds or len(points) + len(points) // -folds < 2:
            raise SettingsError(
                f"phase {label} has {len(points)} points to train and test on; cross-validation "
                f"with {folds} regions needs one in each of them and two beside each: ask for "
                "another number or sample more points"
            )
    spread = _spread([point for points in found for point in points])
    blocks = [_blocks(points, folds, spread) for points in found]
    regions = []
    for parts in zip(*blocks, strict=True):
        places = {(c, p) for c, part in zip(head.classes, parts, strict=True) for p in part}
        regions.append(Region(name=_name(parts, list(spread)), places=frozenset(places)))
    return tuple(regions)


def without_region(snapshots: Snapshots, region: Region) -> Snapshots:
    """Dataset whose split ``test`` is a region, and whose other points are trained and stopped by.

    What was split ``validation`` outside the region stays so, the rest is trained on; a class
    without points of its own to stop by, or with no others, gives the middle one of those left.

    Parameters
    ----------
    snapshots
        The dataset.
    region
        One of :func:`regions_of`.
    """
    head = snapshots.head
    splits: dict[Place, str] = dict.fromkeys(region.places, "test")
    for label in head.classes:
        left = sorted(
            (place for place in _places(head) if place[0] == label and place not in region.places),
            key=lambda place: place[1].couplings,
        )
        before = {(p.label, p.point) for p in head.points if p.split == "validation"}
        stopping = before.intersection(left)
        if len(stopping) in (0, len(left)):
            stopping = {left[len(left) // 2]}
        splits |= {place: "validation" if place in stopping else "train" for place in left}
    sites = _sites(head)
    points = tuple(
        replace(p, split=splits[p.label or "", p.point] if _fits(p, head, sites) else "unlabelled")
        for p in head.points
    )
    return replace(snapshots, head=replace(head, points=points))


def cross_validated(
    snapshots: Snapshots,
    settings: TrainSettings,
    folds: int,
    *,
    seed: int,
    progress: Progress,
    fitter: Fitter = fit,
) -> tuple[Score, ...]:
    """Accuracies on each region, of a network and of local features trained without it.

    Parameters
    ----------
    snapshots
        Labelled; chains of one length in the splits ``train``, ``validation`` and ``test``.
    settings
        Architecture and optimiser; each fold has one network.
    folds
        Number of regions.
    seed
        Seed of the run.
    progress
        Receives the number of the epoch, counted over all folds, and one line about it.
    fitter
        What trains each network.

    Raises
    ------
    SettingsError
        A phase has too few points.
    """
    scores: list[Score] = []
    for k, region in enumerate(regions_of(snapshots.head, folds)):
        name = f"region {k + 1} of {folds}"
        job = FitJob(settings=settings, seed=derived_seed(seed, "network", name))
        parted = without_region(snapshots, region)
        member = fitter(parted, job, within(progress, k * settings.max_epochs, name))
        readings = readings_of(parted)
        with one_thread():
            network = network_of(architecture_for(parted, settings), member)
            decide: dict[str, Decide] = {
                "network": logits_function(network),
                "local features": fit_local_classifier(parted, readings),
            }
            chosen = labelled(parted, "test")
            truth = parted.label_index[chosen]
            for classifier, function in decide.items():
                guess = values_of(parted, readings, chosen, function).argmax(axis=1)
                scores.append(accuracy_of(classifier, region.name, guess == truth))
    return tuple(scores)


def _places(head: SnapshotsHead) -> list[Place]:
    """Places of all points that a fold may train or test on; chains at one place stay together."""
    sites = _sites(head)
    return list(
        dict.fromkeys((p.label or "", p.point) for p in head.points if _fits(p, head, sites))
    )


def _sites(head: SnapshotsHead) -> int:
    """Length of the chains that are trained on."""
    return max(
        (head.sources[head.points[k].source].sites for k in head.points_in("train")), default=0
    )


def _fits(point: SampledPoint, head: SnapshotsHead, sites: int) -> bool:
    split = point.split in ("train", "validation", "test") and point.label is not None
    return split and head.sources[point.source].sites == sites


def _spread(points: Sequence[ParameterPoint]) -> dict[str, float]:
    """Width of each coupling that varies."""
    names = dict.fromkeys(name for point in points for name, _ in point.couplings)
    values = {name: [point.as_dict().get(name, 0.0) for point in points] for name in names}
    return {name: max(v) - min(v) for name, v in values.items() if max(v) > min(v)}


def _blocks(
    points: Sequence[ParameterPoint], count: int, spread: dict[str, float]
) -> list[list[ParameterPoint]]:
    if count == 1:
        return [list(points)]
    scaled: dict[str, FloatArray] = {
        name: np.asarray([point.as_dict().get(name, 0.0) for point in points]) / width
        for name, width in spread.items()
    }
    widest = max(scaled, key=lambda name: float(np.ptp(scaled[name])))
    others = [values for name, values in scaled.items() if name != widest]
    order = np.lexsort([*others, scaled[widest]])
    cut = round(len(points) * (count // 2) / count)
    left, right = ([points[k] for k in part] for part in (order[:cut], order[cut:]))
    first = _blocks(left, count // 2, spread)
    return [*first, *_blocks(right, count - count // 2, spread)]


def _name(blocks: Sequence[Sequence[ParameterPoint]], couplings: Sequence[str]) -> str:
    """Range of each coupling in the block of each phase."""
    texts = []
    for block in blocks:
        parts = []
        for name in couplings:
            values = [point.as_dict().get(name, 0.0) for point in block]
            low, high = f"{min(values):g}", f"{max(values):g}"
            parts.append(f"{name} = {low}" + (f" to {high}" if low != high else ""))
        texts.append(", ".join(parts))
    return " and ".join(texts)
