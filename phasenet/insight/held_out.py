"""Held-out shots that a classifier is asked about, of one chain length and read on all sites."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError
from phasenet.insight.subject import Subject
from phasenet.networks.held_out import sites_of_points
from phasenet.networks.readings import without_lost_sites
from phasenet.networks.scoring import labelled
from phasenet.seeds import stream
from phasenet.shots import Snapshots
from phasenet.snapshots.transforms import Spins, inverse_kennedy_tasaki, kennedy_tasaki
from phasenet.trains.train import Array, IntArray

COMPONENTS = ("Sx", "Sy", "Sz")
TRANSFORMED = "Kennedy-Tasaki"


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOutShots:
    """Shots with their classes.

    Parameters
    ----------
    spins
        Outcomes as they were measured, before any transformation, uint8 of shape (shots, sites).
    truth
        Class of each shot.
    rows
        Index of each shot in its dataset.
    left_out
        Shots of the split that were not taken: of other lengths, with lost sites, or too many.
    """

    spins: Spins
    truth: IntArray
    rows: IntArray
    left_out: int

    @property
    def classes(self) -> IntArray:
        """Classes that there are shots of, in ascending order."""
        return np.unique(self.truth)

    @property
    def sites(self) -> int:
        """Length of the chain."""
        return int(self.spins.shape[1])

    def of(self, number: int) -> NDArray[np.bool_]:
        """Return which shots are of a class."""
        return np.asarray(self.truth == number)


def held_out_shots(subject: Subject, split: str, most: int) -> HeldOutShots:
    """Labelled shots of a split, of the commonest length, at most so many of each class.

    Raises
    ------
    SettingsError
        They are outcomes of no single spin component, or of less than two classes.
    """
    data = subject.snapshots
    check_component(data)
    every = labelled(data, split)
    chosen = _of_one_length(data, without_lost_sites(data, every))
    truth = data.label_index[chosen]
    if len(np.unique(truth)) < 2:
        names = [data.head.classes[k] for k in np.unique(truth)]
        raise SettingsError(
            f"the split {split} has shots read on all sites of {', '.join(names) or 'no class'} "
            "only; wanted two classes or more: draw shots of more points"
        )
    chosen = np.sort(np.concatenate([_some(subject, chosen, truth, k, most) for k in set(truth)]))
    return HeldOutShots(
        spins=measured_spins(data, chosen),
        truth=data.label_index[chosen],
        rows=chosen,
        left_out=len(every) - len(chosen),
    )


def check_component(data: Snapshots) -> None:
    """Raise SettingsError unless all sites were measured in one spin component."""
    if data.head.basis not in COMPONENTS:
        raise SettingsError(
            f"the snapshots are in the basis {data.head.basis!r}; signs and zeros can be changed "
            f"in {', '.join(COMPONENTS)} only: draw shots with one of them"
        )


def measured_spins(data: Snapshots, chosen: IntArray) -> Spins:
    """Outcomes of some shots of one length, before the transformation of the dataset."""
    spins = data.configurations(chosen)
    if data.head.transform == TRANSFORMED:
        return inverse_kennedy_tasaki(spins, data.head.site_dim)
    return spins


def as_the_network_sees(data: Snapshots, spins: Spins) -> Array:
    """Outcomes after the transformation of the dataset."""
    seen = data.head.transform == TRANSFORMED
    return kennedy_tasaki(spins, data.head.site_dim) if seen else spins


def _of_one_length(data: Snapshots, chosen: IntArray) -> IntArray:
    lengths = sites_of_points(data.head)[data.shots.point_index[chosen]]
    values, counts = np.unique(lengths, return_counts=True)
    if len(values) == 0:
        return chosen
    return np.asarray(chosen[lengths == values[counts.argmax()]])


def _some(subject: Subject, chosen: IntArray, truth: IntArray, number: int, most: int) -> IntArray:
    rows = chosen[truth == number]
    if len(rows) <= most:
        return np.asarray(rows)
    rng = stream(subject.seed, "explain", "shots", subject.snapshots.head.classes[number])
    return np.asarray(rng.choice(rows, size=most, replace=False))
