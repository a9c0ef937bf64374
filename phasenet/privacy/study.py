"""The table of arXiv:2501.06300 on privacy, with the attacks and the controls that it lacks."""

from collections.abc import Mapping, Sequence

import numpy as np

from phasenet.findings import FindingTable, Section
from phasenet.privacy.attackers import Attacker
from phasenet.privacy.levels import (
    CANONICAL,
    EQUAL_PUBLISHED,
    EQUAL_ROTATED,
    LOGITS,
    NETWORK,
    PARAMETERS,
    PUBLISHED,
    RETRAINED,
    ROTATED,
    ROWS,
    SLICES,
    UTILITY,
    Sizes,
)
from phasenet.privacy.problems import Problem
from phasenet.trains.train import Array, FloatArray

SHARES = (0.005, 0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
"""Levels of imbalance p: one side of the secret has the share p of group 1, the other 1 - p. At
0.5 there is no secret."""

_CHANCE = 0.5
# Of attacks on nothing, the share whose interval of 95 % lies above chance.
_ACCIDENT = 0.025
_PUBLISHED_PARAMETERS = (
    (PUBLISHED, PARAMETERS, "logistic"),
    (PUBLISHED, PARAMETERS, "boosted"),
    (PUBLISHED, PARAMETERS, "neural"),
)


def privacy_section(
    problem: Problem, levels: Mapping[float, Mapping[str, Array]], sizes: Sizes
) -> Section:
    """Section ``privacy`` of one problem.

    Parameters
    ----------
    problem
        What was learned, and the secret.
    levels
        Of :func:`~phasenet.privacy.levels.level_arrays`, by their share p.
    sizes
        Of each level.
    """
    shares = tuple(sorted(levels))
    attack = np.stack([levels[share]["attack"] for share in shares], axis=1)
    area = np.stack([levels[share]["area"] for share in shares], axis=1)
    utility = np.stack([levels[share]["utility"] for share in shares], axis=1)
    on_pivots = np.stack([levels[share]["on_pivots"] for share in shares], axis=1)
    change = max(float(levels[share]["function_change"]) for share in shares)
    return Section(
        name="privacy",
        title=f"{problem.title}: what do the published numbers tell of the training set?",
        verdict=_verdict(attack, shares),
        notes=_notes(problem, sizes, change),
        tables=(
            _attack_table(attack, shares),
            _utility_table(utility, on_pivots),
        ),
        arrays={
            "share": np.asarray(shares),
            "attack_accuracy": attack[..., 0],
            "attack_low": attack[..., 1],
            "attack_high": attack[..., 2],
            "attack_area": area,
            "test_accuracy": utility,
            "accuracy_on_pivots": on_pivots,
            "function_change": np.asarray(change),
        },
        labels={
            "problem": (problem.name,),
            "form": tuple(form for form, _, _ in ROWS),
            "view": tuple(view for _, view, _ in ROWS),
            "attacker": tuple(attacker for _, _, attacker in ROWS),
            "utility_form": UTILITY,
        },
    )


def row_of(form: str, view: str, attacker: Attacker = "logistic") -> int:
    """Place of an attack among the rows.

    >>> row_of(NETWORK, PARAMETERS)
    0
    """
    return ROWS.index((form, view, attacker))


def _verdict(attack: FloatArray, shares: Sequence[float]) -> str:
    secret = np.asarray(shares) < _CHANCE
    if not secret.any():
        return "at p = 0.5 there is no secret: nothing can be found"
    found = attack[:, secret]
    levels = int(secret.sum())

    def told(form: str, view: str, attacker: Attacker = "logistic") -> str:
        value, low, _ = found[row_of(form, view, attacker)].T
        above = int((low > _CHANCE).sum())
        return f"{value.min():.2f}-{value.max():.2f}, {above} of {levels}"

    rows = [ROWS.index(row) for row in _PUBLISHED_PARAMETERS]
    beyond, attacks = int((found[rows, :, 1] > _CHANCE).sum()), len(rows) * levels
    return (
        "accuracy over the levels of p, and at how many it is above chance: from parameters of "
        f"networks of a common start {told(NETWORK, PARAMETERS)}; from slices of trains that were "
        f"only rotated {told(ROTATED, SLICES)}; from parameters of trains in canonical form and a "
        f"random gauge, {beyond} of {attacks} attacks are above chance ({_ACCIDENT * attacks:.1f} "
        f"by accident); the function leaks in any gauge, by answers {told(RETRAINED, LOGITS)}, by "
        f"its canonical form {told(PUBLISHED, CANONICAL, 'boosted')}; at equal function, slices "
        f"give {told(EQUAL_ROTATED, SLICES)}, the canonical form "
        f"{told(EQUAL_PUBLISHED, CANONICAL)}"
    )


def _notes(problem: Problem, sizes: Sizes, change: float) -> tuple[str, ...]:
    return (
        f"Task: {problem.task}. Secret: {problem.secret}; p or 1 - p of the {problem.size} cases "
        f"of a training set are of group 1. {sizes.models} networks with a common start and as "
        f"many with starts of their own at each level, on {sizes.subsets} data subsets; folds and "
        "intervals (95 %) are by subset, so that no attacker has seen the data of those it is "
        "asked about.",
        f"Trains: TT-RSS of rank {sizes.rank} from {sizes.pivots} public cases and, in each block, "
        f"{sizes.columns} of their suffixes, of the networks of common start; retrained for "
        f"{sizes.epochs} epochs on public labels. The canonical form and the gauge change the "
        f"function by {change:.0e} of its largest value.",
        "What this protects is the parameters, not the function. Whoever has the canonical form "
        "can answer any probe, so that it tells at least what answers tell, and no gauge can make "
        "that less: only another function can (retraining on other data, differential privacy).",
        "Equal function: each function of one side is published twice, in the gauges in which the "
        "prefixes of a training set of either side are white; what tells the two apart is gauge.",
        "A linear attacker reads parameters of networks only where they share their start: with "
        "starts of their own, hidden units have no common order, and it needs features that do "
        "not depend on one.",
        "At p = 0.5 both sides are alike: accuracies there show what chance looks like. One "
        "interval in twenty misses.",
    )


def _attack_table(attack: FloatArray, shares: Sequence[float]) -> FindingTable:
    rows = []
    for (form, view, attacker), values in zip(ROWS, attack, strict=True):
        cells = (f"{value:.2f} ({low:.2f}-{high:.2f})" for value, low, high in values)
        rows.append((form, view, attacker, *cells))
    return FindingTable(
        title="Accuracy of attribute inference with 95 % intervals, chance 0.5",
        columns=("published", "looked at", "attacker", *(f"p = {share:g}" for share in shares)),
        rows=tuple(rows),
    )


def _utility_table(utility: FloatArray, on_pivots: FloatArray) -> FindingTable:
    rows = []
    for form, tested, known in zip(UTILITY, utility, on_pivots, strict=True):
        leak = known.mean(axis=-1) - tested.mean(axis=-1)
        error = float(tested.std(ddof=1)) / tested.size**0.5
        rows.append((form, float(tested.mean()), error, float(leak.mean())))
    return FindingTable(
        title="Utility: accuracy on test cases, mean over all models and levels",
        columns=("published", "accuracy", "accuracy ±", "on pivots minus test"),
        rows=tuple(rows),
    )
