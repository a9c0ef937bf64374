"""Held-out shots, and the parts of them that a classifier is scored on."""

import numpy as np
from numpy.typing import NDArray

from phasenet.networks.naming import source_names
from phasenet.shots import Snapshots, SnapshotsHead
from phasenet.trains.train import IntArray

SCORED = ("test", "critical", "control")
FRESH = "test: not in training"
"""Split of a score on those shots of the split ``test`` that are no shots of ``train`` as well."""
SOURCE, CONTROL = "test: of ", "control: "
"""What comes before the name of a chain, or of a control, in the split of a score."""


def parts_of(snapshots: Snapshots, split: str, chosen: IntArray) -> dict[str, NDArray[np.bool_]]:
    """Parts of some shots of one split: all, those of each chain or control, those without repeats.

    Parameters
    ----------
    snapshots
        The dataset.
    split
        One of SCORED.
    chosen
        Indices of shots of that split.

    Returns
    -------
    For each split of a score, which of the chosen shots it is for, shape (chosen,).
    """
    points, of_shot = snapshots.head.points, snapshots.shots.point_index[chosen]
    if split == "control":
        names = dict.fromkeys(p.control for p in points if p.split == split)
        controls = np.asarray([p.control for p in points])
        parts = {f"{CONTROL}{name}": (controls == name)[of_shot] for name in names}
        return {part: members for part, members in parts.items() if members.any()}
    parts = {split: np.ones(len(chosen), dtype=bool)}
    if split == "test" and len(snapshots.head.sources) > 1:
        sources = np.asarray([p.source for p in points])[of_shot]
        titles = source_names(snapshots.head.sources)
        parts |= {f"{SOURCE}{titles[k]}": sources == k for k in np.unique(sources)}
    repeated = snapshots.shots.in_training
    if split == "test" and repeated is not None and repeated[chosen].any():
        parts[FRESH] = ~repeated[chosen]
    return parts


def sites_of_points(head: SnapshotsHead) -> IntArray:
    """Number of sites of each point."""
    return np.asarray([head.sources[p.source].sites for p in head.points])
