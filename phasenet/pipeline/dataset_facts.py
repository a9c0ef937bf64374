"""What a dataset shows at a glance: counts, the Bayes optimum, repeats and a few of its shots."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from phasenet.networks.bayes import most_likely, with_likelihood
from phasenet.networks.held_out import sites_of_points
from phasenet.shots import UNLABELLED, Shots, SnapshotsHead
from phasenet.statistics import binomial_error
from phasenet.storage.header import Header
from phasenet.storage.snapshots import SnapshotFile
from phasenet.trains.train import Array, FloatArray, IntArray

_RATED = ("test", "critical")
_BLOCK = 65536
_EXAMPLES = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class DatasetFacts:
    """Counts of a dataset, point by point, and some of its shots.

    Parameters
    ----------
    header, head
        As in the file.
    shots
        Number of shots of each point.
    rated, right
        Number of shots of each point of the splits ``test`` and ``critical`` whose likelihoods are
        known, and of those among them that the Bayes-optimal classifier of the split, which knows
        the shares of the classes among chains of the same length, gives their class.
    repeats
        Number of shots of each such point that are shots of the training set as well; None where
        they were not marked.
    examples
        A few shots of some points of each class, or of any points where there is no class, in the
        order of the points: index of the point, and local states of shape (shots, sites).
    """

    header: Header
    head: SnapshotsHead
    shots: IntArray
    rated: IntArray
    right: IntArray
    repeats: IntArray | None
    examples: Mapping[int, Array]

    def bayes_accuracy(self, split: str) -> tuple[float, float]:
        """Accuracy of the Bayes optimum on a split, and its standard error; NaN if unknown."""
        points = self.head.points_in(split)
        rated = int(self.rated[points].sum())
        accuracy = self.right[points].sum() / rated if rated else np.nan
        return float(accuracy), binomial_error(float(accuracy), rated) if rated else np.nan

    def point_accuracies(self) -> tuple[FloatArray, FloatArray]:
        """Share of right decisions of the Bayes optimum at each point, and its standard error."""
        counted = np.maximum(self.rated, 1)
        shares = np.where(self.rated > 0, self.right / counted, np.nan)
        errors = [
            binomial_error(float(share), int(count)) if count else np.nan
            for share, count in zip(shares, self.rated, strict=True)
        ]
        return shares, np.asarray(errors)


def read_facts(path: Path) -> DatasetFacts:
    """Read what there is to know of a dataset; of its shots only the held-out ones are read.

    Parameters
    ----------
    path
        A ``*.snapshots.h5``.

    Raises
    ------
    MissingInputError, FileKindError
    """
    with SnapshotFile(path) as file:
        head = file.head
        counts = np.bincount(file.point_index, minlength=len(head.points))
        rated, right, repeats = (np.zeros(len(head.points), dtype=np.int64) for _ in range(3))
        held_out, marked = _held_out(head), False
        shares = _shares(head, counts)
        for shots in _blocks(file, held_out):
            index = shots.point_index
            known = held_out[index] & with_likelihood(shots.class_log_likelihood)
            good = known & (_guesses(shots, shares) == head.label_of_point[index])
            rated += np.bincount(index[known], minlength=len(rated))
            right += np.bincount(index[good], minlength=len(rated))
            if shots.in_training is not None:
                marked, again = True, held_out[index] & shots.in_training
                repeats += np.bincount(index[again], minlength=len(rated))
        examples = _examples(file, counts)
    return DatasetFacts(
        header=file.header,
        head=head,
        shots=counts,
        rated=rated,
        right=right,
        repeats=repeats if marked else None,
        examples=examples,
    )


def _held_out(head: SnapshotsHead) -> NDArray[np.bool_]:
    """Which points have a label and are of the rated splits."""
    members = np.asarray([point.split in _RATED for point in head.points])
    return np.asarray(members & (head.label_of_point != UNLABELLED))


def _blocks(file: SnapshotFile, members: NDArray[np.bool_]) -> Iterator[Shots]:
    """Shots of some points, with few others among them."""
    for start in range(0, file.length, _BLOCK):
        wanted = np.flatnonzero(members[file.point_index[start : start + _BLOCK]])
        if len(wanted):
            yield file.rows(start + int(wanted[0]), start + int(wanted[-1]) + 1)


def _shares(head: SnapshotsHead, counts: IntArray) -> FloatArray:
    """Share of each class among the shots that are like those of a point, (points, classes)."""
    labels, sites = head.label_of_point, sites_of_points(head)
    splits = np.asarray([point.split for point in head.points])
    result = np.zeros((len(head.points), len(head.classes)))
    for k in range(len(head.points)):
        alike = (splits == splits[k]) & (sites == sites[k])
        for c in range(len(head.classes)):
            result[k, c] = counts[alike & (labels == c)].sum()
    return np.asarray(result / np.maximum(result.sum(axis=1, keepdims=True), 1))


def _guesses(shots: Shots, shares: FloatArray) -> IntArray:
    """Most likely class of each shot."""
    result = np.empty(len(shots), dtype=np.int64)
    for point in np.unique(shots.point_index):
        rows = shots.point_index == point
        result[rows] = most_likely(shots.class_log_likelihood[rows], shares[point])
    return result


def _examples(file: SnapshotFile, counts: IntArray) -> dict[int, Array]:
    """First shots of points that are spread over each class, or over all where there is none."""
    found = {}
    for label in range(len(file.head.classes)) or [UNLABELLED]:
        measured = [
            k
            for k in np.flatnonzero(file.head.label_of_point == label)
            if counts[k] and not file.head.points[k].control
        ]
        places = np.linspace(0, len(measured) - 1, min(len(measured), 4)).round().astype(int)
        for place in places:
            first = int(np.argmax(file.point_index == measured[place]))
            rows = min(_EXAMPLES // len(places), int(counts[measured[place]]))
            shots = file.rows(first, first + rows)
            found[int(measured[place])] = shots.spins[shots.point_index == measured[place]]
    return dict(sorted(found.items()))
