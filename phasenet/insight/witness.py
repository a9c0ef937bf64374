"""A tensorized classifier in ground states: moments, conditional strings, error of its trains."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError
from phasenet.insight.families import Automaton, function_automaton, order_parameters
from phasenet.insight.moments import Moments, state_moments
from phasenet.insight.regression import replacement_bound
from phasenet.insight.subject import KnownState, Subject
from phasenet.phases.classifier_observables import classifier_quantities
from phasenet.phases.spins import is_integer_spin
from phasenet.phases.strings import bulk_string_order
from phasenet.records import TensorizedClassifier
from phasenet.seeds import stream
from phasenet.trains.born import sample_born
from phasenet.trains.canonical import round_train
from phasenet.trains.train import FloatArray, IntArray, TensorTrain

_ROUND_TOL = 1e-13
_LONGEST = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """A real function of configurations that a classifier stands for.

    Parameters
    ----------
    name
        What it is.
    weights
        Of the outputs that add up to it, shape (classes,).
    probability
        Whether the outputs are probabilities; else logits.
    train
        Scalar.
    """

    name: str
    weights: FloatArray
    probability: bool
    train: TensorTrain

    def of_network(self, subject: Subject, spins: IntArray) -> FloatArray:
        """Values by the network itself, shape (shots,)."""
        outputs = subject.probabilities(spins) if self.probability else subject.logits(spins)
        return np.asarray(outputs @ self.weights)


@dataclass(frozen=True, kw_only=True, eq=False)
class Witnessed:
    """A classifier in one ground state.

    Parameters
    ----------
    moments
        Of all order parameters and, last, of the targets.
    logits, probabilities, probability_errors
        Expectation values, and what the train of the probabilities adds; shape (classes,).
    strings, string_errors
        Bulk string order of the shots called by each class, (classes,); NaN where it is unknown.
    string
        Bulk string order of the state; NaN where spins are not integer.
    """

    moments: Moments
    logits: FloatArray
    probabilities: FloatArray
    probability_errors: FloatArray
    strings: FloatArray
    string_errors: FloatArray
    string: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Measure:
    """Mixture of ground states, in which variances are explained.

    Parameters
    ----------
    name
        One phase, or all.
    weights
        Of each state, shape (states,); sum 1.
    """

    name: str
    weights: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class FreshShots:
    """Shots taken of the states themselves, which neither the network nor its train has met.

    Parameters
    ----------
    state
        Index of the state of each shot, shape (shots,).
    order
        Order parameters, shape (shots, order parameters).
    by_network, by_train
        Values of the targets, shape (shots, targets).
    decisions
        Class by the network, by the train of the logits and by that of the probabilities, shape
        (3, shots).
    """

    state: IntArray
    order: FloatArray
    by_network: FloatArray
    by_train: FloatArray
    decisions: IntArray

    def bounds(self, weights: FloatArray) -> FloatArray:
        """Error of a share of the variance because of the trains, shape (targets,).

        Parameters
        ----------
        weights
            Of each state in the measure.

        See :func:`~phasenet.insight.regression.replacement_bound`.
        """
        chosen = weights[self.state]
        pairs = zip(self.by_network.T, self.by_train.T, strict=True)
        return np.array([replacement_bound(f, g, chosen) for f, g in pairs])

    def distances(self, weights: FloatArray) -> FloatArray:
        """Root mean square of train minus network, in standard deviations of the network."""
        share = weights[self.state] / weights[self.state].sum()
        spread = share @ (self.by_network - share @ self.by_network) ** 2
        squares = share @ (self.by_train - self.by_network) ** 2
        nothing = np.full_like(spread, np.nan)
        return np.asarray(np.sqrt(np.divide(squares, spread, out=nothing, where=spread > 0.0)))


def targets(classifier: TensorizedClassifier) -> tuple[Target, ...]:
    """Functions of a classifier that are free of the common shift of all logits.

    Of two classes the difference of the logits and the first probability; of more, each logit less
    their mean, and each probability.

    >>> from phasenet.records import TensorizedFunction
    >>> train = TensorTrain(cores=(np.zeros((1, 2, 1, 2)), np.ones((1, 2, 1))), output_site=0)
    >>> found = TensorizedFunction(train=train, data_error=0.0, agreement=1.0, agreement_error=0.0,
    ...     uniform_error=0.0, evaluations=0, outcome="", history={})
    >>> [target.name for target in targets(TensorizedClassifier(classes=("a", "b"), logits=found,
    ...     probabilities=found, points=(), probability_errors=np.zeros((0, 2)),
    ...     string_errors=np.zeros((0, 2)), held_out=0))]
    ['logit a - b', 'probability of a']
    """
    classes = classifier.classes
    count = len(classes)
    logits = [(f"logit {classes[0]} - {classes[1]}", np.array([1.0, -1.0]))]
    if count > 2:
        rows = np.eye(count) - 1.0 / count
        logits = [
            (f"logit {label}, centred", row) for label, row in zip(classes, rows, strict=True)
        ]
    sure = [(f"probability of {label}", np.eye(count)[k]) for k, label in enumerate(classes)]
    sure = sure[:1] if count == 2 else sure
    return tuple(
        Target(
            name=name, weights=weights, probability=which, train=_scalar(function.train, weights)
        )
        for which, function, named in (
            (False, classifier.logits, logits),
            (True, classifier.probabilities, sure),
        )
        for name, weights in named
    )


def automata_for(subject: Subject, reach: int) -> tuple[Automaton, ...]:
    """Order parameters of the chain of a classifier; strings up to half of it, at most 24 sites.

    Parameters
    ----------
    subject
        What is explained.
    reach
        Largest distance of the two-point functions, in sites; longer strings are a family of
        their own.
    """
    dims = subject.classifier.logits.train.site_dims
    longest = max(1, min(len(dims) // 2, _LONGEST))
    return order_parameters(max(dims), len(dims), reach=reach, longest=longest)


def witnessed(
    known: KnownState,
    classifier: TensorizedClassifier,
    automata: Sequence[Automaton],
    functions: Sequence[Target],
) -> Witnessed:
    """Everything exact about a classifier in one state.

    Parameters
    ----------
    known
        The state.
    classifier
        Its trains.
    automata
        Order parameters.
    functions
        Targets of the classifier.
    """
    state = TensorTrain(cores=known.form.cores)
    found = {q.name: q for q in classifier_quantities(state, classifier, known.point)}

    def column(kind: str, part: str = "value") -> FloatArray:
        names = [f"{kind}_{label}" for label in classifier.classes]
        return np.array([getattr(found[n], part) if n in found else np.nan for n in names])

    sums = [function_automaton(target.train, target.name) for target in functions]
    integer = is_integer_spin(max(known.form.site_dims))
    return Witnessed(
        moments=state_moments(known.form, [*automata, *sums]),
        logits=column("logit"),
        probabilities=column("probability"),
        probability_errors=column("probability", "error"),
        strings=column("string_z_given"),
        string_errors=column("string_z_given", "error"),
        string=bulk_string_order(known.form, "z") if integer else float("nan"),
    )


def measures(states: Sequence[KnownState], classes: Sequence[str]) -> tuple[Measure, ...]:
    """Mixtures of the states of each phase, and of all labelled ones with phases alike.

    Parameters
    ----------
    states
        Some may have no label, or one of no class; they are in no mixture.
    classes
        Phases in their order.

    Raises
    ------
    SettingsError
        No state is labelled by a class.
    """
    labels = np.array([state.label or "" for state in states])
    found = [
        Measure(name=label, weights=(labels == label) / np.sum(labels == label))
        for label in classes
        if label in labels
    ]
    if not found:
        raise SettingsError(
            f"none of the {len(states)} ground states has a label of the classes "
            f"{', '.join(classes)}; give states of points that the snapshots are of"
        )
    if len(found) == 1:
        return tuple(found)
    weights = np.mean([measure.weights for measure in found], axis=0)
    return (*found, Measure(name="all phases", weights=weights))


def fresh_shots(
    subject: Subject,
    automata: Sequence[Automaton],
    functions: Sequence[Target],
    per_state: int,
) -> FreshShots:
    """Classifier and trains on shots drawn from the states.

    Parameters
    ----------
    subject
        What is explained.
    automata
        Order parameters.
    functions
        Targets.
    per_state
        Number of shots of each state.
    """
    spins = np.concatenate(
        [
            sample_born(
                TensorTrain(cores=known.form.cores),
                per_state,
                stream(subject.seed, "observable", "fresh shots", str(known.point)),
            )[0]
            for known in subject.states
        ]
    )
    outputs = (
        subject.logits(spins),
        subject.classifier.logits.train(spins),
        subject.classifier.probabilities.train(spins),
    )
    return FreshShots(
        state=np.repeat(np.arange(len(subject.states)), per_state),
        order=np.concatenate([automaton(spins) for automaton in automata], axis=1),
        by_network=np.stack([t.of_network(subject, spins) for t in functions], axis=1),
        by_train=np.stack([t.train(spins) for t in functions], axis=1),
        decisions=np.stack([values.argmax(axis=1) for values in outputs]),
    )


def _scalar(train: TensorTrain, weights: FloatArray) -> TensorTrain:
    """Linear combination of the outputs of a train."""
    cores = tuple(core @ weights if core.ndim == 4 else core for core in train.cores)
    return round_train(TensorTrain(cores=cores, log_scale=train.log_scale), tol=_ROUND_TOL)[0]
