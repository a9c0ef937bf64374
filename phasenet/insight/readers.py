"""Readers of known things, such as zeros or strings, that a network is compared with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from phasenet.insight.held_out import HeldOutShots, as_the_network_sees
from phasenet.insight.subject import Subject
from phasenet.networks.nulls import fit_local_classifier
from phasenet.networks.readings import readings_of
from phasenet.phases.conditional import bulk_string_of_snapshots
from phasenet.phases.spins import is_integer_spin, magnetic_numbers
from phasenet.points import ParameterPoint
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.snapshots.transforms import Spins
from phasenet.trains.train import Array, FloatArray

NETWORK, ZEROS, PAIRS, STRING = "network", "density of zeros", "neighbour pairs", "bulk string"
LOCAL, BAYES = "local features", "Bayes optimum"


@dataclass(frozen=True, kw_only=True, eq=False)
class Reader:
    """A function of shots, one value for each class.

    Parameters
    ----------
    name
        What it reads.
    evidence
        Values of shape (shots, classes) of measured outcomes of shape (shots, sites): log odds of
        each class against all others, or the same observable for all classes.
    """

    name: str
    evidence: Callable[[Spins], FloatArray]


def log_odds(logits: FloatArray) -> FloatArray:
    r"""Logit of each class against all others, :math:`z_c - \ln\sum_{k\neq c} e^{z_k}`.

    For two classes the difference of the logits, up to its sign.

    Parameters
    ----------
    logits
        Shape (shots, classes); natural logarithms of likelihoods do as well.

    >>> log_odds(np.array([[3.0, 1.0]])).tolist()
    [[2.0, -2.0]]
    """
    classes = logits.shape[1]
    rest = [logsumexp(np.delete(logits, c, axis=1), axis=1) for c in range(classes)]
    with np.errstate(invalid="ignore"):
        return np.asarray(logits - np.stack(rest, axis=1))


def network_reader(subject: Subject) -> Reader:
    """Log odds of the classes by the network."""
    data = subject.snapshots
    return Reader(
        name=NETWORK,
        evidence=lambda spins: log_odds(subject.logits(as_the_network_sees(data, spins))),
    )


def rulers(subject: Subject, shots: HeldOutShots) -> tuple[Reader, ...]:
    """Readers of known things on the same shots, beside which an index has a meaning.

    Densities of zeros and bulk strings only of integer spins; the Bayes optimum only where the
    states of all points of the shots are known.
    """
    head, data = subject.snapshots.head, subject.snapshots
    dim, classes = head.site_dim, len(head.classes)
    spin = magnetic_numbers(dim)
    found = [
        _observable(
            PAIRS, classes, lambda spins: (spin[spins[:, 1:]] * spin[spins[:, :-1]]).mean(axis=1)
        )
    ]
    if is_integer_spin(dim):
        zeros = _observable(ZEROS, classes, lambda spins: (spins == dim // 2).mean(axis=1))
        string = _observable(STRING, classes, lambda s: bulk_string_of_snapshots(s, dim))
        found = [zeros, *found, string]
    local = fit_local_classifier(data, readings_of(data))
    found += [
        Reader(
            name=LOCAL,
            evidence=lambda spins: log_odds(local(as_the_network_sees(data, spins))),
        )
    ]
    bayes = bayes_reader(subject, shots)
    return (*found, bayes) if bayes else tuple(found)


def bayes_reader(subject: Subject, shots: HeldOutShots) -> Reader | None:
    """Log-likelihood ratio of each class against all others, by the states of the shots' points.

    The likelihood of a class is that of the equal mixture of its states at those points. None where
    a state is not known, or gives a shot of its own no probability.
    """
    head = subject.snapshots.head
    used = np.unique(subject.snapshots.shots.point_index[shots.rows])
    states = {known.point: known for known in subject.states}
    points = [head.points[k] for k in used]
    if len(shots.classes) < len(head.classes) or any(p.point not in states for p in points):
        return None
    forms = [states[p.point].form for p in points]
    if any(form.infinite or form.length != shots.sites for form in forms):
        return None
    basis = basis_of(head.basis, head.site_dim)
    measured = [MeasuredState(form, basis) for form in forms]
    labels = [p.label for p in points]

    def evidence(spins: Spins) -> FloatArray:
        logs = np.stack([state.log_probability(spins) for state in measured], axis=1)
        return log_odds(class_log_likelihoods(logs, labels, head.classes))

    reader = Reader(name=BAYES, evidence=evidence)
    return reader if np.isfinite(evidence(shots.spins)).all() else None


def class_log_likelihoods(
    logs: FloatArray, labels: list[str | None], classes: tuple[str, ...]
) -> FloatArray:
    """Natural logarithms of the likelihoods of equal mixtures, shape (shots, classes).

    Parameters
    ----------
    logs
        Natural logarithm of the probability of each shot in each state, shape (shots, states).
    labels
        Class of each state.
    classes
        In the order of the result; each of them has a state.

    >>> logs = np.log([[0.2, 0.4, 0.5]])
    >>> np.exp(class_log_likelihoods(logs, ["a", "a", "b"], ("a", "b"))).round(3).tolist()
    [[0.3, 0.5]]
    """
    members = [[k for k, label in enumerate(labels) if label == name] for name in classes]
    with np.errstate(divide="ignore"):
        found = [logsumexp(logs[:, own], axis=1) - np.log(len(own)) for own in members]
    return np.stack(found, axis=1)


def state_log_probability(subject: Subject, point: ParameterPoint, spins: Spins) -> Array | None:
    """Natural logarithm of the probability of shots in the state of a point, None if unknown."""
    forms = {known.point: known.form for known in subject.states}
    form = forms.get(point)
    if form is None or form.infinite or form.length != spins.shape[1]:
        return None
    head = subject.snapshots.head
    return MeasuredState(form, basis_of(head.basis, head.site_dim)).log_probability(spins)


def _observable(name: str, classes: int, value: Callable[[Spins], Array]) -> Reader:
    return Reader(
        name=name,
        evidence=lambda spins: np.repeat(value(spins)[:, None].astype(float), classes, axis=1),
    )
