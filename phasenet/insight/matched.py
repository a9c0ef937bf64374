"""Pairs of points of different classes that look the same locally, and who tells them apart."""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from phasenet.insight.held_out import COMPONENTS, measured_spins
from phasenet.insight.judged import Ranking, ranking
from phasenet.insight.readers import BAYES, LOCAL, NETWORK, log_odds, state_log_probability
from phasenet.insight.subject import Subject
from phasenet.networks.naming import varied_couplings
from phasenet.networks.nulls import fit_local_classifier
from phasenet.networks.readings import readings_of
from phasenet.networks.scoring import Decide, values_of
from phasenet.phases.spins import magnetic_numbers
from phasenet.seeds import stream
from phasenet.shots import MatchedPair, Shots, Snapshots
from phasenet.trains.train import FloatArray, IntArray

FITTED = "local features, fitted to the pair"
REACH, MOST_PAIRS = 4, 3
_HELD_OUT = ("test", "critical")
# Of the size of what a few thousand shots of a chain tell of a density.
_SAME_DENSITY_ATOL = 1e-3


@dataclass(frozen=True, kw_only=True, eq=False)
class PairFound:
    """A pair, and how well its points are told apart.

    Parameters
    ----------
    pair
        The points.
    shots
        How many shots of both points it was judged on.
    rankings
        Of each judge by name; those without values are left out.
    """

    pair: MatchedPair
    shots: int
    rankings: dict[str, Ranking]


def pairs_of(subject: Subject) -> tuple[MatchedPair, ...]:
    """Pairs that the dataset names, or else the most similar held-out points by their own shots."""
    head = subject.snapshots.head
    named = [pair for pair in head.pairs if head.points[pair.first].split in _HELD_OUT]
    named = [pair for pair in named if head.points[pair.second].split in _HELD_OUT]
    return tuple(named) or pairs_by_shots(subject.snapshots, REACH, MOST_PAIRS)


def pairs_by_shots(data: Snapshots, reach: int, most: int) -> tuple[MatchedPair, ...]:
    """Held-out points of different classes with the most similar densities and correlations.

    Pairs are ranked by the difference of their densities in steps of 0.001, then by that of their
    averaged two-point functions of Sz and Sz^2; no point is in two of them. None where the shots
    are outcomes of no single spin component.

    Parameters
    ----------
    data
        The dataset.
    reach
        Largest distance of two-point functions, in sites.
    most
        How many pairs at most.
    """
    head = data.head
    if head.basis not in COMPONENTS:
        return ()
    used = [
        k
        for k, p in enumerate(head.points)
        if p.label is not None and p.split in _HELD_OUT and not p.control
    ]
    members = {k: np.flatnonzero(data.shots.point_index == k) for k in used}
    profiles = {k: _profile(data, rows, reach) for k, rows in members.items() if len(rows)}
    ranked = sorted(
        (
            _pair(first, second, profiles, reach)
            for first, second in combinations(profiles, 2)
            if head.points[first].label != head.points[second].label
            and _sites(data, first) == _sites(data, second)
        ),
        key=_rank,
    )
    taken: set[int] = set()
    found: list[MatchedPair] = []
    for pair in ranked:
        if len(found) < most and not {pair.first, pair.second} & taken:
            found.append(pair)
            taken |= {pair.first, pair.second}
    return tuple(found)


def pair_found(subject: Subject, pair: MatchedPair, local: Decide) -> PairFound:
    """Who tells the points of a pair apart, on half of its shots.

    The other half is what a logistic regression on local features is fitted to: it knows this very
    pair, which the network does not. The Bayes optimum is that of the states of the two points, or
    of their classes where those are not known.

    Parameters
    ----------
    subject
        The classifier.
    pair
        Points of its dataset.
    local
        Logits by the local features of all that the network was trained on.
    """
    data, readings = subject.snapshots, readings_of(subject.snapshots)
    fitted_to, judged_on = _halves(subject, pair)
    own = _relabelled(data, pair, fitted_to)
    fitted = fit_local_classifier(own, readings)
    first = data.head.classes.index(str(data.head.points[pair.first].label))
    second = data.head.classes.index(str(data.head.points[pair.second].label))
    is_first = data.shots.point_index[judged_on] == pair.first

    def lead(function: Decide) -> FloatArray:
        logits = values_of(data, readings, judged_on, function)
        return np.asarray(logits[:, first] - logits[:, second])

    values = {
        NETWORK: lead(subject.logits),
        LOCAL: lead(local),
        FITTED: log_odds(fitted(readings.of(data, judged_on)))[:, 0],
        BAYES: _likelihood_ratio(subject, pair, judged_on, (first, second)),
    }
    return PairFound(
        pair=pair,
        shots=len(judged_on),
        rankings={n: ranking(v, is_first) for n, v in values.items() if not np.isnan(v).any()},
    )


def _likelihood_ratio(
    subject: Subject, pair: MatchedPair, rows: IntArray, classes: tuple[int, int]
) -> FloatArray:
    """Log-likelihood ratio of the two points, or of their classes, NaN where neither is known."""
    data = subject.snapshots
    if data.head.basis in COMPONENTS:
        spins = measured_spins(data, rows)
        points = [data.head.points[k].point for k in (pair.first, pair.second)]
        logs = [state_log_probability(subject, point, spins) for point in points]
        if logs[0] is not None and logs[1] is not None:
            with np.errstate(invalid="ignore"):
                return np.asarray(logs[0] - logs[1])
    known = data.shots.class_log_likelihood[rows]
    with np.errstate(invalid="ignore"):
        return np.asarray(known[:, classes[0]] - known[:, classes[1]])


def _halves(subject: Subject, pair: MatchedPair) -> tuple[IntArray, IntArray]:
    """Shots of both points, half of each to fit to and half to judge on."""
    index = subject.snapshots.shots.point_index
    rng = stream(subject.seed, "explain", "pair", str(pair.first), str(pair.second))
    parts = [rng.permutation(np.flatnonzero(index == k)) for k in (pair.first, pair.second)]
    halves = [(rows[: len(rows) // 2], rows[len(rows) // 2 :]) for rows in parts]
    fitted, judged = (np.sort(np.concatenate(part)) for part in zip(*halves, strict=True))
    return fitted, judged


def _relabelled(data: Snapshots, pair: MatchedPair, rows: IntArray) -> Snapshots:
    """Some shots of a pair as a dataset of their own, all to be trained on."""
    points = [replace(data.head.points[k], split="train") for k in (pair.first, pair.second)]
    head = replace(
        data.head,
        points=tuple(replace(p, soft_label=()) for p in points),
        classes=tuple(str(p.label) for p in points),
        targets=(),
        features=(),
        pairs=(),
    )
    shots, drawn = data.shots, data.shots.basis_index
    return Snapshots(
        head=head,
        shots=Shots(
            spins=shots.spins[rows],
            point_index=(shots.point_index[rows] == pair.second).astype(np.int32),
            log_probability=shots.log_probability[rows],
            class_log_likelihood=np.full((len(rows), 2), np.nan),
            basis_index=None if drawn is None else drawn[rows],
        ),
    )


def _profile(data: Snapshots, rows: IntArray, reach: int) -> tuple[FloatArray, FloatArray]:
    """Densities of the local states, and two-point functions, averaged over shots and sites."""
    spins, dim = data.configurations(rows), data.head.site_dim
    densities = np.array([(spins == k).mean() for k in range(dim)])
    # A lost site counts as a spin 0.
    values = np.append(magnetic_numbers(dim), np.zeros(256 - dim))[spins]
    longest = min(reach, spins.shape[1] - 1)
    correlations = [
        (array[:, r:] * array[:, :-r]).mean()
        for array in (values, values**2)
        for r in range(1, longest + 1)
    ]
    return densities, np.asarray(correlations)


def _pair(
    first: int,
    second: int,
    profiles: dict[int, tuple[FloatArray, FloatArray]],
    reach: int,
) -> MatchedPair:
    density, correlation = (
        float(np.abs(one - two).max(initial=0.0))
        for one, two in zip(profiles[first], profiles[second], strict=True)
    )
    return MatchedPair(
        first=first,
        second=second,
        density_difference=density,
        correlation_difference=correlation,
        reach=reach,
    )


def _rank(pair: MatchedPair) -> tuple[int, float, int, int]:
    steps = round(pair.density_difference / _SAME_DENSITY_ATOL)
    return steps, pair.correlation_difference, pair.first, pair.second


def _sites(data: Snapshots, point: int) -> int:
    return data.head.sources[data.head.points[point].source].sites


def in_words(data: Snapshots, pair: MatchedPair) -> str:
    """Name of a pair by the labels of its points and the couplings that vary."""
    varied = varied_couplings(data.head.points)
    names = []
    for point in (data.head.points[k] for k in (pair.first, pair.second)):
        couplings = point.point.as_dict()
        told = ", ".join(f"{name} = {couplings[name]:g}" for name in varied if name in couplings)
        names.append(f"{point.label} at {told}" if told else str(point.label))
    return " / ".join(names)
