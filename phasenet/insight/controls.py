"""What a classifier is worth beside the best possible one and one that sees only local features.

On held-out shots; on pairs of points that look the same locally; on another Hamiltonian.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError
from phasenet.findings import Cell, FindingTable, Section
from phasenet.insight.judged import Judged
from phasenet.insight.matched import FITTED, PairFound, in_words, pair_found, pairs_of
from phasenet.insight.readers import BAYES, LOCAL, NETWORK
from phasenet.insight.subject import Progress, Subject
from phasenet.networks.bayes import bayes_decisions, with_likelihood
from phasenet.networks.held_out import sites_of_points
from phasenet.networks.nulls import fit_local_classifier
from phasenet.networks.readings import Readings, readings_of, without_lost_sites
from phasenet.networks.scoring import Decide, labelled
from phasenet.shots import Snapshots, SnapshotsHead
from phasenet.trains.train import Array, IntArray

NAME = "controls"
OTHER = "another Hamiltonian"
JUDGES = (NETWORK, LOCAL, BAYES)
PAIR_JUDGES = (NETWORK, LOCAL, FITTED, BAYES)
# Below three errors nothing is said to be better than something else.
_CLEAR = 3.0


@dataclass(frozen=True, kw_only=True)
class _Judges:
    """Functions that decide on readings of shots, trained on the same data."""

    readings: Readings
    network: Decide
    local: Decide
    classes: tuple[str, ...]


def controls_section(
    subject: Subject, other: Snapshots | None = None, *, progress: Progress
) -> Section:
    """Accuracies of a network beside those of local features and of the Bayes optimum.

    Parameters
    ----------
    subject
        The classifier.
    other
        Labelled shots of another study with phases of the same names; a network of one length takes
        chains of that length only.
    progress
        Hears of each control.

    Raises
    ------
    SettingsError
        There are no labelled held-out shots, or those of the other study do not fit the network.
    """
    data = subject.snapshots
    readings = readings_of(data)
    judges = _Judges(
        readings=readings,
        network=subject.logits,
        local=fit_local_classifier(data, readings),
        classes=data.head.classes,
    )
    splits = {split: labelled(data, split) for split in ("test", "critical")}
    parts = [_judged(judges, data, rows, name) for name, rows in splits.items() if len(rows)]
    if not parts:
        raise SettingsError(
            "the snapshots have no labelled shots of the splits test and critical; draw shots with "
            "sample.test above 0"
        )
    progress(1, "held-out shots")
    pairs = []
    for k, pair in enumerate(pairs_of(subject)):
        pairs.append(pair_found(subject, pair, judges.local))
        progress(2 + k, "matched pairs")
    if other is not None:
        parts.append(_elsewhere(subject, judges, other))
        progress(2 + len(pairs), OTHER)
    return _section(subject, parts, pairs)


def _judged(judges: _Judges, data: Snapshots, rows: IntArray, name: str) -> Judged:
    """Decisions on some shots; classes are numbered as the network numbers them."""
    own = {label: k for k, label in enumerate(judges.classes)}
    numbers = np.array([own.get(label, -1) for label in data.head.classes], dtype=np.int64)
    return Judged(
        name=name,
        truth=numbers[data.label_index[rows]],
        decisions={
            NETWORK: _decided(judges, data, rows, judges.network),
            LOCAL: _decided(judges, data, rows, judges.local),
            BAYES: _by_likelihood(data, rows, numbers),
        },
    )


def _decided(judges: _Judges, data: Snapshots, rows: IntArray, function: Decide) -> IntArray:
    """Decisions of a function, one length at a time."""
    lengths = sites_of_points(data.head)[data.shots.point_index[rows]]
    found = np.full(len(rows), -1, dtype=np.int64)
    for length in np.unique(lengths):
        members = lengths == length
        found[members] = function(judges.readings.of(data, rows[members])).argmax(axis=1)
    return found


def _by_likelihood(data: Snapshots, rows: IntArray, numbers: IntArray) -> IntArray:
    """Decisions of the Bayes optimum, -1 where no likelihood is known."""
    likelihood, truth = data.shots.class_log_likelihood[rows], data.label_index[rows]
    lengths = sites_of_points(data.head)[data.shots.point_index[rows]]
    known = with_likelihood(likelihood)
    found = np.full(len(rows), -1, dtype=np.int64)
    if known.any():
        best = bayes_decisions(likelihood[known], truth[known], lengths[known])
        found[known] = numbers[best]
    return found


def _elsewhere(subject: Subject, judges: _Judges, other: Snapshots) -> Judged:
    """Decisions on the shots of another study that have a class of the network's."""
    own, head = subject.snapshots.head, other.head
    wanted = (own.site_dim, own.basis, own.basis_names, own.transform)
    if (head.site_dim, head.basis, head.basis_names, head.transform) != wanted:
        raise SettingsError(
            f"the other snapshots are of sites of {head.site_dim} states in the basis "
            f"{head.basis!r}, transformation {head.transform}; wanted {own.site_dim} states in "
            f"{own.basis!r}, {own.transform}: draw them as those of the network"
        )
    # No split of theirs was trained on; where they have a split test, it has the likelihoods.
    rows = labelled(other, "test")
    rows = rows if len(rows) else np.flatnonzero(other.label_index >= 0)
    known = np.isin(other.label_index, [head.classes.index(c) for c in _shared(own, head)])
    rows = rows[known[rows]]
    length = subject.record.architecture.get("length")
    if length is not None:
        rows = rows[sites_of_points(head)[other.shots.point_index[rows]] == length]
    rows = rows if judges.readings.lost else without_lost_sites(other, rows)
    if len(rows) == 0:
        chains = "" if length is None else f" of chains of {length} sites"
        raise SettingsError(
            f"the other snapshots have no shots{chains} with a label of {', '.join(own.classes)} "
            f"and all sites read; their labels are {', '.join(head.classes)}: name such a dataset"
        )
    return _judged(judges, other, rows, OTHER)


def _shared(own: SnapshotsHead, other: SnapshotsHead) -> list[str]:
    return [label for label in other.classes if label in own.classes]


def _section(subject: Subject, parts: Sequence[Judged], pairs: Sequence[PairFound]) -> Section:
    head = subject.snapshots.head
    names = tuple(in_words(subject.snapshots, found.pair) for found in pairs)
    arrays = _part_arrays(parts, len(head.classes)) | _pair_arrays(pairs)
    labels = {
        "parts": tuple(part.name for part in parts),
        "judges": JUDGES,
        "pairs": names,
        "pair_judges": PAIR_JUDGES,
        "classes": head.classes,
    }
    return Section(
        name=NAME,
        title="What is it worth beside the best possible classifier, and beside local features?",
        verdict=_verdict(arrays, labels),
        notes=_notes(subject, pairs),
        tables=(
            _accuracies(arrays, labels),
            *([_pair_table(arrays, labels)] if pairs else []),
            _recalls(arrays, labels),
        ),
        arrays=arrays,
        labels=labels,
    )


def _part_arrays(parts: Sequence[Judged], classes: int) -> dict[str, Array]:
    accuracy = np.array([[part.accuracy(judge) for judge in JUDGES] for part in parts])
    leads = np.array([[part.lead(NETWORK, judge) for judge in JUDGES[1:]] for part in parts])
    closed = np.array([part.share_closed(NETWORK, LOCAL, BAYES) for part in parts])
    room = np.array([part.lead(BAYES, LOCAL) for part in parts])
    sides = np.array([part.sides(NETWORK, BAYES, LOCAL) for part in parts])
    recall = np.array([[[p.recall(j, c) for c in range(classes)] for j in JUDGES] for p in parts])
    return {
        "accuracy": accuracy[..., 0],
        "accuracy_error": accuracy[..., 1],
        "shots": np.array([len(part.truth) for part in parts]),
        "lead": leads[..., 0],
        "lead_error": leads[..., 1],
        "room": room[:, 0],
        "room_error": room[:, 1],
        "closed": closed[:, 0],
        "closed_error": closed[:, 1],
        "sides_with_bayes": sides[:, 0],
        "sides_with_bayes_error": sides[:, 1],
        "sides_shots": sides[:, 2],
        "recall": recall[..., 0],
        "recall_error": recall[..., 1],
    }


def _pair_arrays(pairs: Sequence[PairFound]) -> dict[str, Array]:
    nothing = (float("nan"), float("nan"))
    areas = [
        [
            (found.rankings[j].area, found.rankings[j].error) if j in found.rankings else nothing
            for j in PAIR_JUDGES
        ]
        for found in pairs
    ]
    leads = [
        [
            found.rankings[one].lead(found.rankings[FITTED]) if one in found.rankings else nothing
            for one in (NETWORK, BAYES)
        ]
        for found in pairs
    ]
    area = np.array(areas).reshape(len(pairs), len(PAIR_JUDGES), 2)
    lead = np.array(leads).reshape(len(pairs), 2, 2)
    differences = [(f.pair.density_difference, f.pair.correlation_difference) for f in pairs]
    return {
        "pair_area": area[..., 0],
        "pair_area_error": area[..., 1],
        "pair_lead": lead[:, 0, 0],
        "pair_lead_error": lead[:, 0, 1],
        "pair_room": lead[:, 1, 0],
        "pair_room_error": lead[:, 1, 1],
        "pair_differences": np.array(differences).reshape(len(pairs), 2),
        "pair_shots": np.array([found.shots for found in pairs]),
    }


def _verdict(arrays: Mapping[str, Array], labels: Mapping[str, tuple[str, ...]]) -> str:
    def share(name: str, *place: int) -> str:
        return percent(arrays[name][place], arrays[f"{name}_error"][place])

    text = f"right on {share('accuracy', 0, 0)} of the shots of the split {labels['parts'][0]}"
    known = [k for k in (1, 2) if np.isfinite(arrays["accuracy"][0, k])]
    beside = [f"{JUDGES[k]} {share('accuracy', 0, k)}" for k in known]
    text += f" ({', '.join(beside)})"
    if arrays["room"][0] > _CLEAR * arrays["room_error"][0]:
        text += f"; it gets {share('closed', 0)} of what is to be had beyond local features"
    text += _pair_verdict(arrays, labels)
    if labels["parts"][-1] == OTHER:
        last = len(labels["parts"]) - 1
        text += f"; on another Hamiltonian right on {share('accuracy', last, 0)}"
        text += f" ({LOCAL} {share('accuracy', last, 1)})"
    return f"{text}."


def _pair_verdict(arrays: Mapping[str, Array], labels: Mapping[str, tuple[str, ...]]) -> str:
    if not labels["pairs"]:
        return ""
    room = arrays["pair_room"] - _CLEAR * arrays["pair_room_error"]
    if (room <= 0).any() and not (room > 0).any():
        return "; matched pairs tell nothing: the best is no better there than local features"
    # Where no Bayes optimum is known, the pair that looks most alike.
    best = int(np.nanargmax(room)) if np.isfinite(room).any() else 0
    area, error = arrays["pair_area"][best], arrays["pair_area_error"][best]
    shares = {
        name: percent(area[k], error[k])
        for k, name in enumerate(PAIR_JUDGES)
        if np.isfinite(area[k])
    }
    beside = ", ".join(f"{n} {shares[n]}" for n in (FITTED, BAYES) if n in shares)
    density, correlation = arrays["pair_differences"][best]
    return (
        f"; of the matched pair {labels['pairs'][best]}, densities {density:.3f} and two-point "
        f"functions {correlation:.3f} apart, it ranks {shares[NETWORK]} of pairs of shots rightly "
        f"({beside})"
    )


def _notes(subject: Subject, pairs: Sequence[PairFound]) -> tuple[str, ...]:
    head = subject.snapshots.head
    notes = [
        "leads are means of differences shot by shot, so that their errors are smaller than those "
        "of the accuracies",
        "the Bayes optimum knows the exact likelihoods of the states of each split; no classifier "
        "that does not is to be blamed for falling short of it on the split critical",
        "local features: logistic regression on the densities of local states and of pairs of "
        "neighbours, averaged over the chain, of the training shots",
    ]
    if pairs:
        origin = "named by the dataset" if head.pairs else "found by their shots"
        worst = max(found.pair.density_difference for found in pairs)
        notes.append(
            f"matched pairs, {origin}: densities differ by {worst:.4f} at most; areas under the "
            "receiver operating characteristic ask no threshold of a classifier, 50 % is chance; "
            f"{FITTED}, knows half of the shots of that very pair, the network none of them"
        )
        notes.append(
            "points that are alike in everything on both sides of a transition tell nothing of "
            "what a network reads; a pair does so where the Bayes optimum is well above what local "
            "features reach"
        )
    return tuple(notes)


def _accuracies(arrays: Mapping[str, Array], labels: Mapping[str, tuple[str, ...]]) -> FindingTable:
    rows: list[tuple[Cell, ...]] = []
    for k, part in enumerate(labels["parts"]):
        pairs = zip(arrays["accuracy"][k], arrays["accuracy_error"][k], strict=True)
        cells = [float(value) for pair in pairs for value in pair]
        names = ("closed", "closed_error", "sides_with_bayes", "sides_with_bayes_error")
        cells += [float(arrays[name][k]) for name in (*names, "sides_shots")]
        rows.append((part, float(arrays["shots"][k]), *cells))
    return FindingTable(
        title="Accuracy; share of the room between local features and Bayes optimum that the "
        "network fills; how often it sides with Bayes where the two disagree",
        columns=(
            "shots of", "shots", *(c for j in JUDGES for c in (j, f"{j} ±")),
            "room filled", "room filled ±", "sides with Bayes", "sides with Bayes ±", "disagree on",
        ),
        rows=tuple(rows),
    )  # fmt: skip


def _pair_table(arrays: Mapping[str, Array], labels: Mapping[str, tuple[str, ...]]) -> FindingTable:
    rows: list[tuple[Cell, ...]] = []
    for k, name in enumerate(labels["pairs"]):
        pairs = zip(arrays["pair_area"][k], arrays["pair_area_error"][k], strict=True)
        cells = [float(value) for pair in pairs for value in pair]
        density, correlation = (float(v) for v in arrays["pair_differences"][k])
        rows.append((name, density, correlation, float(arrays["pair_shots"][k]), *cells))
    return FindingTable(
        title="Matched pairs: area under the receiver operating characteristic (0.5 is chance)",
        columns=(
            "points", "densities differ by", "correlations differ by", "shots",
            *(c for j in PAIR_JUDGES for c in (j, f"{j} ±")),
        ),
        rows=tuple(rows),
    )  # fmt: skip


def _recalls(arrays: Mapping[str, Array], labels: Mapping[str, tuple[str, ...]]) -> FindingTable:
    rows: list[tuple[Cell, ...]] = []
    for k, part in enumerate(labels["parts"]):
        for c, name in enumerate(labels["classes"]):
            values = zip(arrays["recall"][k, :, c], arrays["recall_error"][k, :, c], strict=True)
            rows.append((part, name, *(float(value) for pair in values for value in pair)))
    return FindingTable(
        title="Share of the shots of each class that is called so",
        columns=("shots of", "class", *(c for j in JUDGES for c in (j, f"{j} ±"))),
        rows=tuple(rows),
    )


def percent(value: float, error: float) -> str:
    """Share with its error, in per cent.

    >>> percent(0.9735, 0.0018)
    '97.4 ± 0.2 %'
    """
    return f"{100 * value:.1f} ± {100 * error:.1f} %"
