"""What protecting a network has done, as a section of a report."""

from collections.abc import Sequence

import numpy as np

from phasenet.findings import FindingTable, Section
from phasenet.privacy.audit import Leftovers
from phasenet.privacy.protect import Evidence
from phasenet.statistics import binomial_error
from phasenet.trains.train import FloatArray

_TITLE = "What the published network still tells"
_NOT_HIDDEN = (
    "This hides parameters, not the function. Whoever may ask the published network, or has its "
    "file, knows its logits at every input: membership inference, attribute inference from "
    "outputs and copying it by questions work as before; phasenet attack measures them.",
    "Anyone can compute the canonical form of a published train. It is the function in full, so "
    "an attacker who knows the method knows as much as one who may ask any number of questions, "
    "also about inputs that no data contain.",
    "A network of the original's kind can be fitted to the published function; how closely depends "
    "on how exact the train is. Nothing here is differential privacy.",
)
_SEEDED = (
    "The gauge was drawn from a seed that was given: whoever knows it can take the gauge off "
    "again, and then has the canonical form, which anyone can compute without it."
)
_UNSEEDED = "The gauge was drawn from the entropy of the system and is stored nowhere."
_LOST = (
    "The published train is worse than the network by more than three standard errors: a larger "
    "--rank or some --epochs bring it closer."
)
_PRIVATE = (
    "This report is not for publication: it names the original and its dataset, and holds the "
    "original's logits."
)


def protection_section(
    evidence: Evidence, classes: Sequence[str], *, traces: int, searched: int
) -> Section:
    """Verdict, tables and numbers of a published network.

    Parameters
    ----------
    evidence
        What was measured.
    classes
        Labels in the order of the outputs.
    traces, searched
        How many of the ids and names of the original, its dataset and their parents are in the
        bytes of the published file, and how many were looked for.
    """
    likeness = evidence.likeness
    arrays = {
        "original_logits": likeness.original,
        "published_logits": likeness.published,
        "labels": likeness.labels,
        "orthogonal_changes": evidence.orthogonal_changes,
        "published_changes": evidence.published_changes,
        "twin_changes": evidence.twin_changes,
        "gauge_change": np.asarray(evidence.gauge_change),
        "rounding_change": np.asarray(evidence.rounding_change),
    }
    for name, found in (("network", evidence.leftovers), ("train", evidence.raw_leftovers)):
        arrays |= {
            f"{name}_equal": np.asarray(found.equal),
            f"{name}_equal_by_chance": found.equal_by_chance,
            f"{name}_matches": found.matches,
            f"{name}_matches_by_chance": found.matches_by_chance,
        }
    return Section(
        name="protection",
        title=_TITLE,
        verdict=_verdict(evidence, traces),
        notes=_notes(evidence),
        tables=(
            _utility(evidence),
            _logits(evidence),
            _numbers(evidence),
            _invariants(evidence),
            _file(traces, searched),
        ),
        arrays=arrays,
        labels={
            "network": evidence.leftovers.names,
            "train": evidence.raw_leftovers.names,
            "classes": tuple(classes),
        },
    )


def _verdict(evidence: Evidence, traces: int) -> str:
    likeness, shots = evidence.likeness, len(evidence.likeness.labels)
    gain, error = likeness.gain
    kept = (
        f"The published train decides as the network on {100 * likeness.agreement:.2f} % of "
        f"{shots} held-out shots (accuracy {100 * gain:+.2f} +- {100 * error:.2f} points)"
    )
    if traces or evidence.leftovers.stands_out or evidence.raw_leftovers.stands_out:
        return (
            f"{kept}, but more of the original is left in its file than chance explains: do not "
            "publish it, see the tables"
        )
    found = evidence.leftovers
    return (
        f"{kept} and holds no more of its numbers than chance gives: {found.equal} equal ones "
        f"({found.equal_by_chance.mean():.1f} in other gauges), best correlation {found.best:.2f} "
        f"({found.best_by_chance.mean():.2f}); what an orthogonal gauge alone leaves to "
        f"{evidence.orthogonal_changes.max():.0e} now depends on the function only, to "
        f"{evidence.twin_changes.max():.0e}"
    )


def _notes(evidence: Evidence) -> tuple[str, ...]:
    gain, error = evidence.likeness.gain
    lost = (_LOST,) if gain < -3.0 * error else ()
    return (*_NOT_HIDDEN, _SEEDED if evidence.seeded else _UNSEEDED, *lost, _PRIVATE)


def _utility(evidence: Evidence) -> FindingTable:
    likeness, shots = evidence.likeness, len(evidence.likeness.labels)
    one, two = (100 * value for value in likeness.accuracies)
    errors = [100 * binomial_error(value, shots) for value in likeness.accuracies]
    same = 100 * binomial_error(likeness.agreement, shots)
    ours = (two, errors[1], 100 * likeness.agreement, same)
    numbers = [f"{count}" for count in evidence.parameters]
    return FindingTable(
        title=f"Use, on {shots} held-out shots (%)",
        columns=("classifier", "numbers", "accuracy", "accuracy ±", "same", "same ±"),
        rows=(
            ("network", numbers[0], one, errors[0], None, None),
            (f"published train, rank {evidence.rank}", numbers[1], *ours),
        ),
    )


def _logits(evidence: Evidence) -> FindingTable:
    return FindingTable(
        title="Logits of held-out shots, relative changes",
        columns=("by", "change"),
        rows=(
            ("train instead of network (L2)", evidence.likeness.error),
            ("canonical form and gauge (largest)", evidence.gauge_change),
            ("these, in the float32 of the file (largest)", evidence.rounding_change),
        ),
    )


def _numbers(evidence: Evidence) -> FindingTable:
    found = evidence.leftovers
    raw = evidence.raw_leftovers
    return FindingTable(
        title=f"Numbers that survive, and those in {found.draws} other gauges of the function",
        columns=("what", "found", "mean of others", "most of others"),
        rows=(
            ("numbers equal to a weight of the network", *_equal(found)),
            ("best correlation with a weight tensor", *_best(found)),
            ("numbers equal to one of the train as found", *_equal(raw)),
            ("best correlation with a core as found", *_best(raw)),
        ),
    )


def _equal(found: Leftovers) -> tuple[float, float, float]:
    chance = found.equal_by_chance
    return float(found.equal), float(chance.mean()), float(chance.max())


def _best(found: Leftovers) -> tuple[float, float, float]:
    chance = found.best_by_chance
    return found.best, float(chance.mean()), float(chance.max())


def _invariants(evidence: Evidence) -> FindingTable:
    alone, published = evidence.orthogonal_changes, evidence.published_changes
    return FindingTable(
        title="Singular values of the slices of the cores, relative changes",
        columns=("between", "median core", "largest"),
        rows=(
            ("train as found, and an orthogonal gauge alone", *_two(alone)),
            ("train as found, and as published", *_two(published)),
            ("canonical forms of two trains of one function", *_two(evidence.twin_changes)),
        ),
    )


def _two(changes: FloatArray) -> Sequence[float]:
    return float(np.median(changes)), float(changes.max())


def _file(traces: int, searched: int) -> FindingTable:
    asked = f"{searched} ids, names and times of the original: {traces} found"
    return FindingTable(
        title="The published file",
        columns=("part", "what"),
        rows=(
            ("kept", "cores, classes, how a site is read; accuracy on held-out shots, nulls"),
            ("kept", "name, phases and literature of the study, with default settings"),
            ("left out", "weights of the original and of networks of further seeds"),
            ("left out", "training history, settings, seed, times, search, calibration"),
            ("left out", "scores on all other shots, cross-validation by regions"),
            ("left out", "ids and names of the network, its dataset and their parents"),
            ("searched for", asked),
        ),
    )
