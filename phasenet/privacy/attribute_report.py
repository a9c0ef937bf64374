"""What attackers find of a secret that many networks share, as a section of a report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.findings import FindingTable, Section
from phasenet.privacy.attackers import ATTACKERS, Attacker
from phasenet.privacy.attacks import AttackResult, attribute_inference, strongest
from phasenet.trains.train import Array, FloatArray, IntArray

ATTRIBUTE = "attribute"
WHITE, BLACK = "white box", "black box"
Progress = Callable[[int, str], None]
_FEW_GROUPS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """What one kind of attacker sees of each network.

    Parameters
    ----------
    name
        Such as ``canonical form``.
    box
        ``white box`` for what the file holds, ``black box`` for answers.
    features
        Shape (models, features).
    """

    name: str
    box: str
    features: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Secret:
    """What is to be guessed.

    Parameters
    ----------
    name
        Of the attribute.
    classes
        Its values.
    of_model, groups
        Value and data subset of each network, counted from 0.
    """

    name: str
    classes: tuple[str, ...]
    of_model: IntArray
    groups: IntArray


def attribute_section(
    views: Sequence[View],
    secret: Secret,
    *,
    attackers: Sequence[Attacker] = ATTACKERS,
    folds: int = 10,
    seed: int = 0,
    left_out: Sequence[str] = (),
    progress: Progress,
) -> Section:
    """Section ``attribute``: accuracy of every attacker on every view, against chance.

    Parameters
    ----------
    views
        What is seen of the networks.
    secret
        What is to be guessed.
    attackers
        Who guesses.
    folds
        Parts of the networks that are held out in turn.
    seed
        Of folds and attackers.
    left_out
        Sentences on views that there are not.
    progress
        Hears of each attack.
    """
    results: list[list[AttackResult]] = []
    for k, view in enumerate(views):
        row: list[AttackResult] = []
        for attacker in attackers:
            row.append(
                attribute_inference(
                    view.features,
                    secret.of_model,
                    secret.groups,
                    attacker=attacker,
                    folds=folds,
                    seed=seed,
                )
            )
            progress(k * len(attackers) + len(row), f"{view.name}: {row[-1]}")
        results.append(row)
    return Section(
        name=ATTRIBUTE,
        title=f"Do the networks give {secret.name} away?",
        verdict=_verdict(views, results, secret),
        notes=(*_notes(results, secret), *left_out),
        tables=(_table(views, results),),
        arrays=_arrays(results, secret),
        labels={
            "views": tuple(view.name for view in views),
            "boxes": tuple(view.box for view in views),
            "attackers": tuple(attackers),
            "classes": secret.classes,
            "secret": (secret.name,),
        },
    )


def _verdict(
    views: Sequence[View], results: Sequence[Sequence[AttackResult]], secret: Secret
) -> str:
    """Strongest attack of all and, where the parameters tell more, that on the answers."""
    flat = [result for row in results for result in row]
    best, tried = strongest(flat), len(flat)
    if not best.above_chance(tried):
        return (
            f"none of {tried} attacks on {best.models} networks guesses {secret.name} better than "
            f"chance: the strongest, {_who(best, views, results)}, has accuracy {best.accuracy} "
            f"against {best.chance:.3f}"
        )
    text = (
        f"the networks give {secret.name} away: {_who(best, views, results)} guesses it with "
        f"accuracy {best.accuracy} against {best.chance:.3f} by chance"
    )
    black = [r for view, row in zip(views, results, strict=True) for r in row if view.box == BLACK]
    if not black or best in black:
        return text
    other = strongest(black)
    return (
        f"{text}; from the answers alone, which no form of the parameters hides: {other.accuracy}"
    )


def _who(
    result: AttackResult, views: Sequence[View], results: Sequence[Sequence[AttackResult]]
) -> str:
    [view] = [v for v, row in zip(views, results, strict=True) if any(r is result for r in row)]
    return f"the {result.attacker} attacker on {view.name}"


def _notes(results: Sequence[Sequence[AttackResult]], secret: Secret) -> tuple[str, ...]:
    groups = int(secret.groups.max()) + 1
    attacks = sum(map(len, results))
    notes = [
        f"{len(secret.of_model)} networks on {groups} subsets of the data. Networks of one subset "
        "are held out together and count as one cluster in the intervals of 95 %; all that is "
        "fitted, scales and selected features among it, is fitted without them.",
        f"Beyond chance means Bonferroni's level of {attacks} attacks.",
        "An attack that fails here is no proof that none succeeds; what the answers alone give "
        "away, no form of the parameters hides.",
    ]
    if groups < _FEW_GROUPS:
        notes.append(
            f"{groups} subsets are few: the intervals are wide, and an attack must be strong to be "
            "seen."
        )
    return tuple(notes)


def _table(views: Sequence[View], results: Sequence[Sequence[AttackResult]]) -> FindingTable:
    attacks = sum(map(len, results))
    return FindingTable(
        title="networks whose secret is guessed rightly, with 95 % intervals",
        columns=("view", "box", "attacker", "accuracy", "chance", "AUC", "beyond chance"),
        rows=tuple(
            (
                *(view.name, view.box, result.attacker, str(result.accuracy)),
                *(result.chance, str(result.auc)),
                "yes" if result.above_chance(attacks) else "no",
            )
            for view, row in zip(views, results, strict=True)
            for result in row
        ),
    )


def _arrays(results: Sequence[Sequence[AttackResult]], secret: Secret) -> dict[str, Array]:
    def triples(name: str) -> FloatArray:
        found = [[getattr(result, name) for result in row] for row in results]
        return np.asarray([[(e.value, e.low, e.high) for e in row] for row in found])

    return {
        "accuracy": triples("accuracy"),
        "auc": triples("auc"),
        "chance": np.asarray(results[0][0].chance),
        "probabilities": np.asarray([[r.probabilities for r in row] for row in results]),
        "secret_of_model": secret.of_model,
        "group_of_model": secret.groups,
    }
