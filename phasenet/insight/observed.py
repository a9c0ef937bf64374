"""A classifier in every ground state and in mixtures of them, and what explains its variance."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from phasenet.errors import SettingsError
from phasenet.insight.families import Automaton, family_names
from phasenet.insight.moments import Moments, mixture
from phasenet.insight.regression import Shares, sampled_shares, shares, single_shares
from phasenet.insight.subject import Progress, Subject
from phasenet.insight.witness import (
    FreshShots,
    Measure,
    Target,
    Witnessed,
    automata_for,
    fresh_shots,
    measures,
    targets,
    witnessed,
)
from phasenet.trains.train import FloatArray, IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Explained:
    """Variances of the targets in one state or mixture, and what explains them.

    Parameters
    ----------
    name
        Of the state or mixture.
    mean, variance
        Of each target, shape (targets,).
    between
        Share of the variance that is between the means of states, (targets,); 0 in one state.
    shares
        Of the families, one entry for each target.
    singles
        Share that each order parameter explains alone, shape (targets, order parameters).
    """

    name: str
    mean: FloatArray
    variance: FloatArray
    between: FloatArray
    shares: tuple[Shares, ...]
    singles: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """All that the section is written from.

    Parameters
    ----------
    functions, automata
        Targets, and order parameters by families.
    states, mixtures
        Explained in each.
    witnessed
        Of each state.
    measures
        Weights of the mixtures.
    fresh
        The trains beside the network.
    """

    functions: tuple[Target, ...]
    automata: tuple[Automaton, ...]
    states: tuple[Explained, ...]
    mixtures: tuple[Explained, ...]
    witnessed: tuple[Witnessed, ...]
    measures: tuple[Measure, ...]
    fresh: FreshShots

    @property
    def families(self) -> tuple[str, ...]:
        """Families of order parameters, in the order in which they are added."""
        return family_names(self.automata)

    @cached_property
    def bounds(self) -> FloatArray:
        """Largest error of a share of a variance, shape (states and mixtures, targets)."""
        count = len(self.states)
        weights = [*np.eye(count), *(measure.weights for measure in self.measures)]
        return np.array([self.fresh.bounds(row) for row in weights])

    @cached_property
    def sampled(self) -> tuple[FloatArray, FloatArray]:
        """Nested shares of the network itself on the fresh shots, and their standard errors.

        Each of shape (mixtures, targets, families).
        """
        members = _members(self.automata)
        found = [
            [
                sampled_shares(self.fresh.order, values, m.weights[self.fresh.state], members)
                for values in self.fresh.by_network.T
            ]
            for m in self.measures
        ]
        both = np.array(found)
        return both[:, :, 0], both[:, :, 1]


def observe(subject: Subject, progress: Progress, *, reach: int, shots: int) -> Observed:
    """All numbers of the section.

    Parameters
    ----------
    subject, progress, reach, shots
        As in :func:`observable_section`.

    Raises
    ------
    SettingsError
        There is no ground state, none is labelled, or a logit is constant in all of them.
    """
    if not subject.states:
        raise SettingsError("there is no ground state to observe a classifier in; give --states")
    mixtures = measures(subject.states, subject.classifier.classes)
    functions, automata = targets(subject.classifier), automata_for(subject, reach)
    members = _members(automata)
    rows: list[Witnessed] = []
    for known in subject.states:
        rows.append(witnessed(known, subject.classifier, automata, functions))
        progress(len(rows), f"classifier in {known.point}")
    alone = [
        _explained(str(known.point), [row.moments], np.ones(1), members)
        for known, row in zip(subject.states, rows, strict=True)
    ]
    moments = [row.moments for row in rows]
    mixed = [_explained(m.name, moments, m.weights, members) for m in mixtures]
    logits = [s for s, t in zip(mixed[-1].shares, functions, strict=True) if not t.probability]
    if any(np.isnan(s.nested).any() for s in logits):
        raise SettingsError(
            "a logit of the classifier is the same for all shots of the labelled states; there is "
            "no variance to explain: train it longer, or take other states"
        )
    return Observed(
        functions=functions,
        automata=automata,
        states=tuple(alone),
        mixtures=tuple(mixed),
        witnessed=tuple(rows),
        measures=mixtures,
        fresh=fresh_shots(subject, automata, functions, shots),
    )


def _members(automata: Sequence[Automaton]) -> tuple[IntArray, ...]:
    """Indices of the order parameters of each family."""
    families = np.array([family for part in automata for family in part.families])
    return tuple(np.flatnonzero(families == name) for name in family_names(automata))


def _explained(
    name: str, parts: Sequence[Moments], weights: FloatArray, members: Sequence[IntArray]
) -> Explained:
    moments = mixture(parts, weights)
    covariance, second = moments.covariance, np.diagonal(moments.second)
    count = sum(map(len, members))
    functions = range(count, len(second))
    variance = np.diagonal(covariance)[count:]
    means = np.array([part.mean[count:] for part in parts])
    spread = weights @ (means - weights @ means) ** 2 / weights.sum()
    return Explained(
        name=name,
        mean=moments.mean[count:],
        variance=variance,
        between=np.divide(spread, variance, out=np.zeros_like(spread), where=variance > 0.0),
        shares=tuple(shares(covariance, second, target, members) for target in functions),
        singles=np.array([single_shares(covariance, second, t)[:count] for t in functions]),
    )
