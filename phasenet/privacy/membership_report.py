"""What attacks find of the training set of one classifier, as a section of a report."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.findings import FindingTable, Section
from phasenet.privacy.membership import (
    LOSS,
    Answers,
    MembershipResult,
    gap_attack,
    loss_attack,
    ratio_attack,
    shadow_attack,
)
from phasenet.statistics import binomial_error
from phasenet.trains.train import FloatArray

MEMBERSHIP = "membership"
_TITLE = "Does the network give away which shots it was trained on?"
_CURVE_POINTS, _BINS = 200, 60
# Area under the curve that a word of warning is in place for: balanced accuracy 54 %.
_WEAK = 0.55
_MEASURES = ("value", "low", "high")


@dataclass(frozen=True, kw_only=True, eq=False)
class Observed:
    """Answers of a classifier and of its shadows to shots inside and outside of the training set.

    Parameters
    ----------
    name
        Of the classifier's file.
    answers
        Of the classifier.
    shadows
        Of networks that were trained like it, to the same shots; none: two attacks less.
    classes
        Names of the labels.
    stand_in
        Whether the classifier was trained for this purpose, with the settings of the one of the
        file on half of its shots.
    left_out
        Share of the shots that attacks are not judged by.
    caution
        What may spoil the result; empty if nothing does.
    """

    name: str
    answers: Answers
    shadows: tuple[Answers, ...]
    classes: tuple[str, ...]
    stand_in: bool
    left_out: float
    caution: str = ""


def membership_section(observed: Observed, *, seed: int) -> Section:
    """Section ``membership``: every attack with its intervals, beside the generalisation gap.

    Parameters
    ----------
    observed
        What there is to be seen.
    seed
        Of attackers and intervals.
    """
    answers = observed.answers
    results = [gap_attack(answers, seed=seed), loss_attack(answers, seed=seed)]
    if observed.shadows:
        results.append(shadow_attack(answers, observed.shadows, seed=seed))
    if len(observed.shadows) > 1:
        results.append(ratio_attack(answers, observed.shadows, seed=seed))
    gaps = _gaps(observed)
    return Section(
        name=MEMBERSHIP,
        title=_TITLE,
        verdict=_verdict(observed, results, gaps),
        notes=_notes(observed, len(results)),
        tables=(_attack_table(results), _gap_table(observed, gaps)),
        arrays=_arrays(observed, results, gaps),
        labels={
            "attacks": tuple(result.attack for result in results),
            "classes": ("all", *observed.classes),
            "measures": _MEASURES,
            "stand_in": ("yes" if observed.stand_in else "no",),
        },
    )


def _gaps(observed: Observed) -> FloatArray:
    """For all shots and each class: accuracy, error and loss of members, then of others."""
    answers = observed.answers
    right, losses = answers.right, answers.losses
    rows = []
    for k in range(-1, len(observed.classes)):
        row: list[float] = []
        for inside in (answers.inside, ~answers.inside):
            chosen = inside & ((answers.labels == k) | (k < 0))
            count = int(chosen.sum())
            share = float(right[chosen].mean()) if count else np.nan
            error = binomial_error(share, count) if count else np.nan
            row += [share, error, float(losses[chosen].mean()) if count else np.nan]
        rows.append(row)
    return np.asarray(rows)


def _verdict(observed: Observed, results: Sequence[MembershipResult], gaps: FloatArray) -> str:
    best = max(results, key=lambda result: result.auc.value - 2 * result.deviation)
    gap = f"{100 * (gaps[0, 0] - gaps[0, 3]):.1f} ± {100 * np.hypot(gaps[0, 1], gaps[0, 4]):.1f}"
    numbers = (
        f"AUC {best.auc} against 0.5 by chance, {100 * best.caught.value:.1f} % of the members "
        f"found at 1 % false alarms; generalisation gap {gap} points"
    )
    who = f"a network trained like {observed.name}" if observed.stand_in else observed.name
    if best.above_chance(len(results)):
        weak = ", but hardly" if best.auc.value < _WEAK else ""
        return f"{who} gives members of its training set away{weak}: by {best.attack}, {numbers}"
    return (
        f"none of {len(results)} attacks on {who} tells members of the training set from other "
        f"shots of the same states better than chance: the strongest, by {best.attack}, has "
        f"{numbers}"
    )


def _notes(observed: Observed, attacks: int) -> tuple[str, ...]:
    answers = observed.answers
    members = int(answers.inside.sum())
    notes = [
        f"{members} members and {len(answers.inside) - members} others, shots of the same states "
        "in the same proportions: shots of one state are exchangeable, so that whatever tells them "
        "apart is memory of the network, not a difference between states.",
        f"{100 * observed.left_out:.1f} % of the shots are left out: those with the configuration "
        "of another one, because nothing can tell such twins apart, and members of points with "
        "fewer others.",
        "Intervals are 95 %, by drawing shots again; they hold for this one network, not for "
        f"others of the same settings. Above chance means Bonferroni's level of {attacks} attacks.",
    ]
    if observed.stand_in:
        notes.append(
            "The network of the file has seen all shots of these points, so that there are no "
            "others to compare with: a stand-in was trained with its settings on half of them. "
            "With fewer shots a network tends to remember more of each. Fresh shots of the same "
            "states attack the network itself."
        )
    if observed.shadows:
        notes.append(
            f"{len(observed.shadows)} shadow networks were trained on random halves of the same "
            "pool: the attacker knows the shots in question, the settings and the architecture, "
            "but not which half is the training set; about half of each shadow's shots are "
            "members. This attacker is stronger than one who only has other shots."
        )
    else:
        notes.append(
            f"Without shadow networks, the strongest attacks were not tried; {LOSS} alone may miss "
            "memory of single shots."
        )
    return (*notes, observed.caution) if observed.caution else tuple(notes)


def _attack_table(results: Sequence[MembershipResult]) -> FindingTable:
    return FindingTable(
        title="members against others of the same states, with 95 % intervals "
        "(chance: 0.5, 0.5, 0.01)",
        columns=(
            "attack",
            "balanced accuracy",
            "AUC",
            "found at 1 % false alarms",
            "beyond chance",
        ),
        rows=tuple(
            (
                result.attack,
                str(result.balanced_accuracy),
                str(result.auc),
                str(result.caught),
                "yes" if result.above_chance(len(results)) else "no",
            )
            for result in results
        ),
    )


def _gap_table(observed: Observed, gaps: FloatArray) -> FindingTable:
    names = ("all", *observed.classes)
    return FindingTable(
        title="generalisation gap on the same shots: share of right decisions, loss in nats",
        columns=(
            *("shots", "members", "members ±", "others", "others ±"),
            *("loss of members", "loss of others"),
        ),
        rows=tuple(
            (name, *(float(g) for g in (row[0], row[1], row[3], row[4], row[2], row[5])))
            for name, row in zip(names, gaps, strict=True)
        ),
    )


def _arrays(
    observed: Observed, results: Sequence[MembershipResult], gaps: FloatArray
) -> dict[str, FloatArray]:
    curves = [result.rates.curve(_CURVE_POINTS) for result in results]
    confidence = observed.answers.confidence
    inside = observed.answers.inside
    low, high = np.quantile(confidence, [0.001, 0.999])
    edges = np.linspace(float(low), float(high), _BINS + 1)
    clipped = np.clip(confidence, edges[0], edges[-1])
    kinds = [np.histogram(clipped[k], edges)[0] / k.sum() for k in (inside, ~inside)]
    found = {
        name: np.asarray(
            [[getattr(getattr(result, name), m) for m in _MEASURES] for result in results]
        )
        for name in ("balanced_accuracy", "auc", "caught")
    }
    return {
        **found,
        "false_alarms": np.stack([false for false, _ in curves]),
        "found_members": np.stack([hits for _, hits in curves]),
        "gap": gaps,
        "confidence_edges": edges,
        "confidence_shares": np.stack(kinds),
        "shots": np.asarray([float(inside.sum()), float((~inside).sum())]),
    }
