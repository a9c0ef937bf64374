"""Held-out shots of two classes, each class with the same weight, as a network reads them."""

from dataclasses import dataclass, replace

import numpy as np

from phasenet.errors import SettingsError
from phasenet.insight.subject import Subject
from phasenet.networks.readings import readings_of, without_lost_sites
from phasenet.seeds import stream
from phasenet.trains.train import FloatArray, IntArray

EVERY = "all"
"""Shots of all splits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledShots:
    """Shots of two classes.

    Parameters
    ----------
    spins
        Local states as the network takes them, shape (shots, sites).
    second
        Whether a shot is of the second class, 0 or 1, shape (shots,).
    pair
        Outputs of the network for the first and the second class.
    names
        Labels of both.
    split
        Where the shots are from.
    """

    spins: IntArray
    second: IntArray
    pair: tuple[int, int]
    names: tuple[str, str]
    split: str

    @property
    def weights(self) -> FloatArray:
        """Weight of each shot, with half of the sum for each class, shape (shots,)."""
        counts = np.bincount(self.second, minlength=2)
        return np.asarray(0.5 / counts[self.second])

    def gaps(self, logits: FloatArray) -> FloatArray:
        """Logit of the first class less that of the second, shape (shots,)."""
        return np.asarray(logits[:, self.pair[0]] - logits[:, self.pair[1]])

    def part(self, number: int) -> "LabelledShots":
        """Every third shot (0), or all others (1)."""
        chosen = (np.arange(len(self.spins)) % 3 == 0) == (number == 0)
        return replace(self, spins=self.spins[chosen], second=self.second[chosen])

    def first(self, most: int) -> "LabelledShots":
        """At most so many shots of each class."""
        rows = np.concatenate([np.flatnonzero(self.second == k)[:most] for k in (0, 1)])
        return replace(self, spins=self.spins[rows], second=self.second[rows])


def labelled_shots(subject: Subject, most: int, *, split: str = "test") -> LabelledShots:
    """Shots of one split, at most so many of each of the two classes that have the most.

    Parameters
    ----------
    subject
        Its snapshots, classes and seed are used.
    most
        Shots of each class.
    split
        One of a dataset, or EVERY, which is taken as well where it has fewer than two classes.

    Raises
    ------
    SettingsError
        Fewer than two classes have shots of the length of the trains.
    """
    snapshots = subject.snapshots
    chosen = _usable(subject, split)
    if len(np.unique(snapshots.label_index[chosen])) < 2:
        split = EVERY
        chosen = _usable(subject, split)
    labels = snapshots.label_index[chosen]
    counts = np.bincount(labels, minlength=len(snapshots.head.classes))
    if np.count_nonzero(counts) < 2:
        raise SettingsError(
            f"{np.count_nonzero(counts)} classes of the network have labelled shots of "
            f"{subject.classifier.logits.train.length} sites; wanted two, to compare them"
        )
    pair = np.sort(np.argsort(-counts, kind="stable")[:2])
    rng = stream(subject.seed, "insight", "bonds", split)
    rows = [np.flatnonzero(labels == k) for k in pair]
    rows = [rng.permutation(each)[:most] for each in rows]
    names = tuple(snapshots.head.classes[k] for k in pair)
    spins = readings_of(snapshots).of(snapshots, chosen[np.concatenate(rows)])
    outputs = [list(subject.record.classes).index(name) for name in names]
    return LabelledShots(
        spins=spins.astype(np.int64),
        second=np.repeat([0, 1], [len(each) for each in rows]),
        pair=(outputs[0], outputs[1]),
        names=(names[0], names[1]),
        split=split,
    )


def _usable(subject: Subject, split: str) -> IntArray:
    """Shots of a split that are of a class of the network, whole and as long as its trains."""
    snapshots, head = subject.snapshots, subject.snapshots.head
    everything = np.arange(len(snapshots.shots))
    chosen = everything if split == EVERY else snapshots.in_split(split)
    lengths = np.asarray([head.sources[point.source].sites for point in head.points])
    fits = lengths == subject.classifier.logits.train.length
    fits &= np.asarray([p.label in subject.record.classes and not p.control for p in head.points])
    return without_lost_sites(snapshots, chosen[fits[snapshots.shots.point_index[chosen]]])
