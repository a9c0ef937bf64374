"""Accuracies of classifiers on held-out shots, each beside the Bayes optimum."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from phasenet.networks.bayes import bayes_decisions, with_likelihood
from phasenet.networks.held_out import parts_of, sites_of_points
from phasenet.networks.readings import Readings
from phasenet.shots import UNLABELLED, Snapshots
from phasenet.statistics import binomial_error
from phasenet.trained import Score
from phasenet.trains.train import Array, FloatArray, IntArray

Decide = Callable[[Array], FloatArray]
"""Readings (shots, sites) to one number for each class, the largest for that decided for."""


def split_scores(
    snapshots: Snapshots,
    readings: Readings,
    split: str,
    networks: Mapping[str, Decide],
    nulls: Mapping[str, Decide],
) -> list[Score]:
    """Accuracies on all labelled shots of a split, and on its parts.

    Parameters
    ----------
    snapshots, readings
        The dataset, and what is read of it.
    split
        One of :data:`phasenet.networks.held_out.SCORED`.
    networks
        Networks of several seeds: their mean accuracy, with its spread, is that of ``network``.
    nulls
        What is scored beside them: an ensemble of the networks, local features.
    """
    chosen = labelled(snapshots, split)
    if len(chosen) == 0:
        return []
    truth = snapshots.label_index[chosen]
    decide = {**networks, **nulls}
    right = {n: values_of(snapshots, readings, chosen, f) for n, f in decide.items()}
    right = {n: values.argmax(axis=1) == truth for n, values in right.items()}
    likelihood = snapshots.shots.class_log_likelihood[chosen]
    known, lengths = with_likelihood(likelihood), _lengths(snapshots, chosen)
    scores = []
    for part, members in parts_of(snapshots, split, chosen).items():
        several = [accuracy_of(n, part, right[n][members]) for n in networks]
        scores += [mean_score(several), *(several if len(several) > 1 else [])]
        scores += [accuracy_of(n, part, right[n][members]) for n in nulls]
        rated = members & known
        if rated.any():
            best = bayes_decisions(likelihood[rated], truth[rated], lengths[rated])
            # What is best for shots as they were measured need not be best for controls.
            name = "Bayes rule" if split == "control" else "Bayes optimum"
            scores.append(accuracy_of(name, part, best == truth[rated]))
    return scores


def labelled(snapshots: Snapshots, split: str) -> IntArray:
    """Indices of the shots of a split that have a label."""
    chosen = snapshots.in_split(split)
    return np.asarray(chosen[snapshots.label_index[chosen] != UNLABELLED])


def values_of(
    snapshots: Snapshots, readings: Readings, chosen: IntArray, function: Decide
) -> FloatArray:
    """Values of a function at some shots, one length at a time, shape (chosen, classes)."""
    lengths = _lengths(snapshots, chosen)
    result = np.empty((len(chosen), len(snapshots.head.classes)))
    for length in np.unique(lengths):
        rows = lengths == length
        result[rows] = function(readings.of(snapshots, chosen[rows]))
    return result


def accuracy_of(name: str, split: str, right: Array) -> Score:
    """Share of right decisions, NaN without any.

    >>> accuracy_of("network", "test", np.array([True, False])).accuracy
    0.5
    """
    if len(right) == 0:
        return Score(classifier=name, split=split, accuracy=np.nan, error=np.nan, shots=0)
    accuracy = float(right.mean())
    error = binomial_error(accuracy, len(right))
    return Score(classifier=name, split=split, accuracy=accuracy, error=error, shots=len(right))


def mean_score(scores: Sequence[Score]) -> Score:
    """Score of ``network``: that of the only one, or the mean over seeds and its spread.

    The standard error is that of one network of this accuracy on as many shots: all of them see
    the same shots.

    >>> two = [accuracy_of("1", "test", np.arange(4) < k) for k in (2, 3)]
    >>> found = mean_score(two)
    >>> print(f"{found.accuracy:.4f} {found.spread:.4f}")
    0.6250 0.1768
    """
    first, values = scores[0], np.asarray([score.accuracy for score in scores])
    if len(scores) == 1 or first.shots == 0:
        accuracy, error, spread = first.accuracy, first.error, np.nan
    else:
        accuracy, spread = float(values.mean()), float(values.std(ddof=1))
        error = binomial_error(accuracy, first.shots)
    return Score(
        classifier="network",
        split=first.split,
        accuracy=accuracy,
        error=error,
        shots=first.shots,
        spread=spread,
    )


def _lengths(snapshots: Snapshots, chosen: IntArray) -> IntArray:
    """Number of sites of each shot."""
    return np.asarray(sites_of_points(snapshots.head)[snapshots.shots.point_index[chosen]])
