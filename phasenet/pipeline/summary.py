"""What was found, in lines that a physicist would write."""

import math
import statistics
from collections.abc import Mapping, Sequence

from phasenet.card import StudyCard
from phasenet.networks.held_out import CONTROL, FRESH, SOURCE
from phasenet.networks.search import chosen_of, shown_values
from phasenet.phases.boundaries import shown_boundary, with_estimates
from phasenet.records import (
    Boundary1D,
    PhaseDiagram,
    Score,
    Table,
    TensorizedBlackBox,
    TensorizedClassifier,
    TensorizedFunction,
    TrainedNetwork,
)
from phasenet.trained import Candidate

_SHOWN_BRACKETS, _SHOWN_ESTIMATES = 2, 4
_NO_TRANSITION = "no transition on this grid: no two points carry different labels"
_SPLIT_TITLES = {
    "test": "classifier on held-out points",
    "critical": "  near the transition, never trained on",
}
# Share of repeats above which the accuracy is told without them as well.
_MANY_REPEATS = 0.01


def percent(value: float, error: float) -> str:
    """Fraction with its standard error in units of the last digit, which is chosen to suit.

    >>> percent(0.97312, 0.0018), percent(0.9999, 0.0001)
    ('97.3(2) %', '99.99(1) %')
    """
    digits = max(1, 1 - math.floor(math.log10(1000 * error))) if error > 0 else 1
    return f"{100 * value:.{digits}f}({max(1, round(100 * error * 10**digits))}) %"


def mean_percent(mean: float, spread: float) -> str:
    """Mean of fractions and their standard deviation, to two digits of it.

    >>> mean_percent(0.97312, 0.0018), mean_percent(0.95, 0.031)
    ('97.31 +- 0.18 %', '95.0 +- 3.1 %')
    """
    digits = max(1, 1 - math.floor(math.log10(100 * spread))) if spread > 0 else 1
    return f"{100 * mean:.{digits}f} +- {100 * spread:.{digits}f} %"


def phase_lines(table: Table, card: StudyCard) -> list[str]:
    """Where each phase was found."""
    if len(card.varied) != 1:
        counts = {p.title: table.labels.count(p.label) for p in card.phases}
        found = ", ".join(f"{title} at {count} points" for title, count in counts.items())
        return [f"phases: {found}; undetermined at {table.labels.count('')}"]
    coupling = card.varied[0]
    parts = []
    for phase in card.phases:
        x = [
            p[coupling]
            for p, label in zip(table.points, table.labels, strict=True)
            if label == phase.label
        ]
        if x:
            parts.append(f"{phase.title} from {coupling} = {min(x):g} to {max(x):g}")
    open_x = [
        f"{p[coupling]:g}" for p, label in zip(table.points, table.labels, strict=True) if not label
    ]
    note = f"; undetermined at {', '.join(open_x)}" if open_x else ""
    return [f"phases: {', '.join(parts) or 'none'}{note}"]


def boundary_lines(diagram: PhaseDiagram, card: StudyCard) -> list[str]:
    """Each bracket beside the literature, and below it the first of our estimates in one line."""
    lines = []
    found = _brackets(diagram, card)
    for line, estimates in found[:_SHOWN_BRACKETS]:
        lines.append(line)
        shown = [f"{b.method} {shown_boundary(b)}" for b in estimates[:_SHOWN_ESTIMATES]]
        if len(estimates) > len(shown):
            shown.append(f"{len(estimates) - len(shown)} more in the chart file")
        lines += [f"  {'; '.join(shown)}"] if shown else []
    if len(found) > _SHOWN_BRACKETS:
        lines.append(f"  and {len(found) - _SHOWN_BRACKETS} more brackets, all in the chart file")
    return lines or [_NO_TRANSITION]


def estimate_lines(diagram: PhaseDiagram, card: StudyCard) -> list[str]:
    """Each bracket beside the literature, and below it every estimate of ours with its method."""
    lines = []
    for line, estimates in _brackets(diagram, card):
        width = max((len(b.method) for b in estimates), default=0)
        lines += [line, *(_estimate(b, width) for b in estimates)]
    return lines or [_NO_TRANSITION]


def _brackets(diagram: PhaseDiagram, card: StudyCard) -> list[tuple[str, tuple[Boundary1D, ...]]]:
    """One line for each bracket, and the estimates of its boundary."""
    titles = {phase.label: phase.title for phase in card.phases}
    found = with_estimates(diagram.boundaries)
    result = []
    for bracket, estimates in found:
        line = [b for b, _ in found if (b.coupling, b.at) == (bracket.coupling, bracket.at)]
        known = card.known_beside(
            bracket.coupling, bracket.at, _ends(bracket), [_ends(b) for b in line]
        )
        where = f" at {_place(bracket)}" if len(card.varied) > 1 else ""
        beside = f"; literature {known.value:.5f} ({known.citation})" if known else ""
        text = (
            f"transition {titles.get(bracket.below)} to {titles.get(bracket.above)}{where}: "
            f"{bracket.coupling} = {bracket.value:.3f} +- {bracket.error_bar:.3f} "
            f"({bracket.method}){beside}"
        )
        result.append((text, estimates))
    return result


def score_lines(network: TrainedNetwork) -> list[str]:
    """Accuracies, never without their nulls."""
    splits = dict.fromkeys(score.split for score in network.scores)
    scores = {
        split: {s.classifier: s for s in network.scores if s.split == split} for split in splits
    }
    return [_score_line(split, found, scores) for split, found in scores.items()]


def _score_line(
    split: str, found: Mapping[str, Score], scores: Mapping[str, Mapping[str, Score]]
) -> str:
    if split == FRESH:
        fresh, shots = found["network"].shots, scores["test"]["network"].shots
        share = 1 - fresh / shots
        line = f"  repeats of training snapshots among them: {100 * share:.3g} %"
        if share <= _MANY_REPEATS:
            return line
        return f"{line}; without them: {_with_nulls(found) if fresh else 'nothing is left'}"
    title = _SPLIT_TITLES.get(split)
    if split.startswith(SOURCE):
        title = f"  on {split.removeprefix(SOURCE)}"
    elif split.startswith(CONTROL):
        title = f"  after {split.removeprefix(CONTROL)}"
    return f"{title or split}: {_with_nulls(found)}"


def _with_nulls(scores: Mapping[str, Score]) -> str:
    """Accuracy of the network, or the mean over those of several seeds, and of all else."""
    seeds = _seeds(scores)
    others = [n for n in scores if n != "network" and n not in seeds]
    nulls = ", ".join(f"{n} {_accuracy(scores[n])}" for n in others)
    ours = scores["network"]
    if not seeds:
        return f"{_accuracy(ours)} ({nulls})"
    return f"{mean_percent(ours.accuracy, ours.spread)} over {len(seeds)} seeds ({nulls})"


def _seeds(scores: Mapping[str, Score]) -> list[str]:
    return [name for name in scores if name.startswith("network ")]


def network_lines(network: TrainedNetwork) -> list[str]:
    """All that is known of a classifier: what it is, its scores, and how far to trust it."""
    flops = "" if math.isnan(network.flops) else f", {network.flops:,.0f} operations a snapshot"
    return [
        f"{network.architecture['kind']} classifier of {', '.join(network.classes)}: "
        f"{network.parameters} weights{flops}",
        *_training_lines(network),
        *score_lines(network),
        *_calibration_lines(network),
        *_region_lines(network.cross_validation),
        *_search_lines(network.candidates),
    ]


def _training_lines(network: TrainedNetwork) -> list[str]:
    if not network.members:
        return [f"training: {network.outcome}"]
    found = {s.classifier: s for s in network.scores if s.split == "test"}
    lines = []
    for k, member in enumerate(network.all_members):
        score = found.get(f"network {k + 1}")
        accuracy = "" if score is None else f"; {_accuracy(score)} on held-out points"
        lines.append(f"training of network {k + 1}: {member.outcome}{accuracy}")
    return lines


def _calibration_lines(network: TrainedNetwork) -> list[str]:
    lines = []
    for name, found in network.calibrations.items():
        line = f"calibration of the {name}: temperature {found.temperature:.2f}"
        if len(found.before.shots):
            before, after = 100 * found.before.error, 100 * found.after.error
            line += (
                f"; expected calibration error on held-out points {before:.1f} % before, "
                f"{after:.1f} % after ({100 * found.after.floor:.1f} % by chance alone; "
                f"{len(found.after.shots)} bins of equally many snapshots)"
            )
        lines.append(line)
    return lines


def _region_lines(scores: Sequence[Score]) -> list[str]:
    """Mean over regions that were left out, then each of them, never without their null."""
    regions = list(dict.fromkeys(score.split for score in scores))
    if not regions:
        return []
    means = {}
    for name in dict.fromkeys(score.classifier for score in scores):
        values = [score.accuracy for score in scores if score.classifier == name]
        means[name] = mean_percent(statistics.fmean(values), statistics.stdev(values))
    nulls = ", ".join(f"{name} {mean}" for name, mean in means.items() if name != "network")
    lines = [f"cross-validation over {len(regions)} regions: {means['network']} ({nulls})"]
    for region in regions:
        found = {score.classifier: score for score in scores if score.split == region}
        lines.append(f"  without {region}: {_with_nulls(found)}")
    return lines


def _search_lines(candidates: Sequence[Candidate]) -> list[str]:
    if not candidates:
        return []
    chosen, titles = chosen_of(candidates), [shown_values(c.values) for c in candidates]
    width = max(map(len, titles))
    lines = [f"search over {len(candidates)} settings, by the validation loss"]
    for k, (title, found) in enumerate(zip(titles, candidates, strict=True)):
        mark = "   <- chosen" if k == chosen else ""
        lines.append(
            f"  {title:<{width}}  loss {found.validation_loss:.4f}, accuracy "
            f"{100 * found.validation_accuracy:.1f} %, {found.epochs} epochs, "
            f"{found.parameters} weights{mark}"
        )
    return lines


def train_lines(classifier: TensorizedClassifier) -> list[str]:
    """Ranks, costs and errors of the two trains."""
    return [
        _train_line("logits", classifier.logits, classifier.held_out),
        _train_line("probabilities", classifier.probabilities, classifier.held_out),
    ]


def outcome_lines(classifier: TensorizedClassifier) -> list[str]:
    """How the construction of each of the two trains ended."""
    functions = {"logits": classifier.logits, "probabilities": classifier.probabilities}
    lines = []
    for name, function in functions.items():
        steps = f" ({', '.join(function.steps)})" if function.steps else ""
        lines.append(f"  {name}{steps}: {function.outcome}")
    return lines


def black_box_lines(found: TensorizedBlackBox) -> list[str]:
    """What the train of a function is, and how far it can be trusted."""
    train = found.train
    dims = sorted(set(train.site_dims))
    sites = f"{len(train.cores)} sites of " + (
        f"dimension {dims[0]}" if len(dims) == 1 else f"dimensions {dims[0]} to {dims[-1]}"
    )
    outputs = (
        "one output"
        if train.output_site is None
        else f"{train.cores[train.output_site].shape[3]} outputs at site {train.output_site}"
    )
    kind = "complex" if any(core.dtype.kind == "c" for core in train.cores) else "real"
    return [
        f"tensor train of {found.name}: {sites}, {outputs}, {kind}",
        quality_line(found),
    ]


def quality_line(found: TensorizedBlackBox) -> str:
    """Rank, errors, cost and outcome of a train in one line."""
    return (
        f"rank {max(found.train.bond_dims, default=1)}, relative error {found.data_error:.1e} on "
        f"held-out samples and {found.uniform_error:.1e} on uniform configurations (tol "
        f"{found.tol:.1e}), {found.evaluations} evaluations ({', '.join(found.steps)}): "
        f"{found.outcome}"
    )


def _train_line(name: str, function: TensorizedFunction, held_out: int) -> str:
    same = percent(function.agreement, function.agreement_error)
    return (
        f"tensor train of the {name}: rank {max(function.train.bond_dims)}, "
        f"{function.evaluations} evaluations, relative error {function.data_error:.1e} and "
        f"{same} same decisions on {held_out} held-out snapshots"
    )


def _ends(boundary: Boundary1D) -> tuple[float, float]:
    return boundary.lower, boundary.upper


def _place(boundary: Boundary1D) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in boundary.at.items())


def _estimate(boundary: Boundary1D, width: int) -> str:
    note = f"   {boundary.note}" if boundary.note else ""
    return f"  {boundary.method:<{width}}  {boundary.coupling} = {shown_boundary(boundary)}{note}"


def _accuracy(score: Score) -> str:
    return percent(score.accuracy, score.error)
