"""The section about the importance of modes: its verdict, its tables and all of its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr
from torch import nn

from phasenet.findings import Cell, FindingTable, Section
from phasenet.insight.importance_null import AgainstNull, Lesson, Taught, against_null
from phasenet.insight.importance_scores import RECOMMENDED, SCORES, ModeScores
from phasenet.networks.architectures.tensorized import dense_weight
from phasenet.networks.linear_first import OneHotLinear
from phasenet.phases.estimates import shown
from phasenet.trains.train import Array, FloatArray, IntArray

NAME = "importance"
_LEVEL = 0.05
_LISTED = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Importance:
    """All that the section is written from.

    Parameters
    ----------
    network
        In double precision and in the orthonormal gauge.
    accuracy
        Of the network on the held-out shots.
    lesson
        Shots, and how the other networks were taught.
    found
        Each mode beside the null.
    null, replicas
        Networks taught shuffled labels, and true labels in the same way.
    changes
        Of each score, how much a random orthogonal and a random general gauge change it, relative
        to its norm; shape (scores, 2).
    sites
        Loss that each site adds to each held-out shot where it is shuffled, shape (sites, shots).
    names
        Of the indices of each mode.
    """

    network: nn.Module
    accuracy: float
    lesson: Lesson
    found: tuple[AgainstNull, ...]
    null: tuple[Taught, ...]
    replicas: tuple[Taught, ...]
    changes: FloatArray
    sites: FloatArray
    names: tuple[tuple[str, ...], ...]

    def joined(self, name: str) -> FloatArray:
        """Score of all indices, mode after mode."""
        return np.concatenate([one.scores.values[name] for one in self.found])

    @property
    def z(self) -> FloatArray:
        """Of the added loss of all indices, mode after mode."""
        return np.concatenate([one.z[RECOMMENDED] for one in self.found])

    @property
    def p(self) -> FloatArray:
        """Family-wise, of the added loss of all indices, mode after mode."""
        return np.concatenate([one.p[RECOMMENDED] for one in self.found])


def written(found: Importance, classes: Sequence[str], states: Sequence[str]) -> Section:
    """Section with the verdict.

    Parameters
    ----------
    found
        What it says.
    classes
        Names in the order of the outputs.
    states
        Names of what is read of a site.
    """
    order = np.argsort(-found.joined(RECOMMENDED), kind="stable")
    return Section(
        name=NAME,
        title="Which indices of the tensorized layers the decisions need",
        verdict=_verdict(found),
        notes=_notes(found),
        tables=(_index_table(found, classes, order), _score_table(found), _teaching_table(found)),
        arrays=_arrays(found),
        labels={
            "modes": tuple(one.scores.mode.name for one in found.found),
            "indices": tuple(name for names in found.names for name in names),
            "scores": tuple(score.name for score in SCORES),
            "classes": tuple(classes),
            "states": tuple(states),
        },
    )


def _verdict(found: Importance) -> str:
    """Say which index matters most: in each input mode whose indices mean something, or of all."""
    named = [one for one, names in zip(found.found, found.names, strict=True) if _means(names)]
    added = [float(one.scores.values[RECOMMENDED].max()) for one in found.found]
    chosen = named or [found.found[int(np.argmax(added))]]
    start, parts = 0, []
    for one in found.found:
        if one in chosen:
            values = one.scores.values[RECOMMENDED]
            top = int(values.argmax())
            parts.append(
                f"{_called(found, start + top)} adds {shown(values[top], one.scores.error[top])} "
                f"nats, the most of {one.scores.mode.size if named else sum(_sizes(found))} "
                f"(z = {one.z[RECOMMENDED][top]:.1f}, family-wise "
                f"p = {one.p[RECOMMENDED][top]:.2f})"
            )
        start += one.scores.mode.size
    return (
        f"Shuffled over the shots, {' and '.join(parts)} to a held-out loss at "
        f"{100 * found.accuracy:.1f} % accuracy; {_standing_out(found.found):.0f} of all {start} "
        f"indices stand out at p <= {_LEVEL:g} against {len(found.null)} networks taught shuffled "
        f"labels; {_ends(found)}"
    )


def _means(names: Sequence[str]) -> bool:
    """Whether the indices of a mode have names of their own, the same in every training."""
    return names[0] != "index 0"


def _sizes(found: Importance) -> list[int]:
    return [one.scores.mode.size for one in found.found]


def _ends(found: Importance) -> str:
    """Say how much of what single sites add comes from the ends of the chain."""
    added, errors = found.sites.mean(axis=1), _site_errors(found)
    top, near = int(added.argmax()), max(1, len(added) // 8)
    known = np.maximum(added, 0.0)
    share = (known[:near].sum() + known[-near:].sum()) / max(known.sum(), 1e-300)
    return (
        f"of single sites, site {top} adds most, {shown(added[top], errors[top])} nats, and the "
        f"{near} at each end, {200 * near / len(added):.0f} % of all, add {100 * share:.0f} % of "
        "the sum over the sites"
    )


def _site_errors(found: Importance) -> FloatArray:
    return np.asarray(found.sites.std(axis=1) / np.sqrt(max(found.sites.shape[1] - 1, 1)))


def _called(found: Importance, place: int) -> str:
    """Name of an index with its mode."""
    for one, names in zip(found.found, found.names, strict=True):
        if place < len(names):
            name = names[place]
            index = f"index {place}" if name == f"index {place}" else f"{name} (index {place})"
            return f"{index} of {one.scores.mode.name}"
        place -= len(names)
    raise IndexError(place)


def _notes(found: Importance) -> tuple[str, ...]:
    lesson, least = found.lesson, 1 / (1 + len(found.null))
    return (
        f"The score to trust is the {RECOMMENDED}: it is measured on {len(lesson.held_out[1])} "
        "shots that the network was not trained on, is in nats, and depends on what the network "
        "computes alone: on no gauge, and on no unit of the inputs. It found planted rows and "
        "columns where the norm of a gradient follows the size of the inputs.",
        f"The null is {len(found.null)} networks of the same architecture, taught shuffled labels "
        f"of {len(lesson.train[1])} shots for {lesson.epochs} epochs from weights of their own. "
        f"p-values are family-wise (the largest z of a null network over all indices); the least "
        f"that so many networks can give is {least:.2g}. The network itself may have been taught "
        "for longer; those taught true labels in the same short way show what remains. Added "
        "losses are compared in their standard errors over the shots, all other scores as shares "
        "of their mode, since longer training makes larger logits and longer weights.",
        "Shuffling breaks an index from its shot but leaves its own distribution; of two indices "
        "that say the same, either can do without the other, and neither adds much loss. An added "
        "loss below zero is one of a network that is too sure of itself, and less so without.",
        "Gradients at trained weights are small where the network has learned well: the gradient "
        "norm, the score of Calvi et al. (arXiv:1903.06133), means most early in a training, which "
        "a stored network no longer tells. It is given in the orthonormal gauge.",
        "Indices of hidden layers and of outputs stand in no order: another training has them "
        "elsewhere.",
        "Sites are counted from 0.",
    )


def _index_table(found: Importance, classes: Sequence[str], order: IntArray) -> FindingTable:
    added, errors, of_class = found.joined(RECOMMENDED), _errors(found), _of_class(found)
    others = [score.name for score in SCORES[1:3]]
    z = {name: np.concatenate([one.z[name] for one in found.found]) for name in others}
    return FindingTable(
        title=f"Indices that add most to the held-out loss (nats), {min(_LISTED, len(order))} "
        f"of {len(order)}",
        columns=(
            "index",
            RECOMMENDED,
            f"{RECOMMENDED} ±",
            "z",
            "p",
            *(f"{RECOMMENDED}, {name}" for name in classes),
            *(f"z of {name}" for name in others),
        ),
        rows=tuple(
            (
                _called(found, int(k)),
                float(added[k]),
                float(errors[k]),
                float(found.z[k]),
                float(found.p[k]),
                *(float(values[k]) for values in of_class),
                *(float(z[name][k]) for name in others),
            )
            for k in order[:_LISTED]
        ),
    )


def _score_table(found: Importance) -> FindingTable:
    best = found.joined(RECOMMENDED)
    rows: list[tuple[Cell, ...]] = []
    for score, change in zip(SCORES, found.changes, strict=True):
        values = found.joined(score.name)
        p = np.concatenate([one.p[score.name] for one in found.found])
        known = np.isfinite(values)
        rank = _rank(values[known], best[known])
        stand_out = float((p[known] <= _LEVEL).sum())
        changes = float(change[0]), float(change[1])
        rows.append((score.name, score.meaning, score.gauges, *changes, rank, stand_out))
    return FindingTable(
        title="Scores, and what a change of gauge does to them (relative)",
        columns=(
            "score",
            "meaning",
            "unchanged by gauges",
            "orthogonal gauge",
            "general gauge",
            f"rank correlation with {RECOMMENDED}",
            f"indices with p <= {_LEVEL:g}",
        ),
        rows=tuple(rows),
    )


def _teaching_table(found: Importance) -> FindingTable:
    """What the null and the replicas learned, and whether the replicas need the same inputs."""
    nan, null = float("nan"), [one.scores for one in found.null]
    own = tuple(one.scores for one in found.found)
    rows: list[tuple[Cell, ...]] = [
        ("the network", found.accuracy, _largest(own), _standing_out(found.found), nan, nan)
    ]
    for name, networks in (("true labels", found.replicas), ("shuffled labels", found.null)):
        if not networks:
            continue
        clear = nan
        if networks is found.replicas:
            each = [_standing_out(against_null(one.scores, null)) for one in networks]
            clear = float(np.mean(each))
        accuracy = float(np.mean([one.accuracy for one in networks]))
        largest = float(np.mean([_largest(one.scores) for one in networks]))
        ranks = _mean_spread([_agreement(found, one.scores) for one in networks])
        rows.append((f"{len(networks)} taught {name}", accuracy, largest, clear, *ranks))
    return FindingTable(
        title="The network beside others that were taught anew, alike on true and shuffled labels",
        columns=(
            "network",
            "held-out accuracy",
            f"largest {RECOMMENDED} (nats)",
            f"indices with p <= {_LEVEL:g}",
            "rank correlation of inputs with the network",
            "spread",
        ),
        rows=tuple(rows),
    )


def _standing_out(modes: Sequence[AgainstNull]) -> float:
    return float(sum((one.p[RECOMMENDED] <= _LEVEL).sum() for one in modes))


def _largest(scores: Sequence[ModeScores]) -> float:
    return max(float(one.values[RECOMMENDED].max()) for one in scores)


def _agreement(found: Importance, scores: Sequence[ModeScores]) -> float:
    """Rank correlation of the added loss over indices that mean the same in every training."""
    pairs = [
        (one.scores.values[RECOMMENDED], other.values[RECOMMENDED])
        for one, other, names in zip(found.found, scores, found.names, strict=True)
        if _means(names)
    ]
    if not pairs:
        return float("nan")
    return _rank(*(np.concatenate(values) for values in zip(*pairs, strict=True)))


def _rank(one: FloatArray, other: FloatArray) -> float:
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one, other).statistic)


def _mean_spread(values: Sequence[float]) -> tuple[float, float]:
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return float(np.mean(values)), spread


def _errors(found: Importance) -> FloatArray:
    return np.concatenate([one.scores.error for one in found.found])


def _of_class(found: Importance) -> FloatArray:
    parts = [one.scores.of_class[RECOMMENDED] for one in found.found]
    return np.concatenate(parts, axis=1)


def _arrays(found: Importance) -> dict[str, Array]:
    truth = found.lesson.held_out[1].numpy()
    arrays: dict[str, Array] = {
        "size": np.asarray(_sizes(found)),
        "is_input": np.asarray([one.scores.mode.side == "in" for one in found.found]),
        "score": np.stack([found.joined(score.name) for score in SCORES]),
        "z": np.stack([np.concatenate([m.z[s.name] for m in found.found]) for s in SCORES]),
        "p": np.stack([np.concatenate([m.p[s.name] for m in found.found]) for s in SCORES]),
        "added_loss_error": _errors(found),
        "null_mean": np.concatenate([one.null_mean for one in found.found]),
        "null_spread": np.concatenate([one.null_spread for one in found.found]),
        "gauge_change": found.changes,
        "null_accuracy": np.asarray([one.accuracy for one in found.null]),
        "site_added_loss": found.sites.mean(axis=1),
        "site_added_loss_error": _site_errors(found),
        "site_added_loss_of_class": np.stack(
            [found.sites[:, truth == k].mean(axis=1) for k in range(found.lesson.classes)]
        ),
        "replica_accuracy": np.asarray([one.accuracy for one in found.replicas]),
    }
    for name in found.found[0].scores.of_class:
        key = name.replace(" ", "_") + "_of_class"
        parts = [one.scores.of_class[name] for one in found.found]
        arrays[key] = np.concatenate(parts, axis=1)
    for kind, networks in (("null", found.null), ("replica", found.replicas)):
        if networks:
            rows = [[m.values[RECOMMENDED] for m in one.scores] for one in networks]
            arrays[f"{kind}_added_loss"] = np.stack([np.concatenate(row) for row in rows])
    return arrays | _map(found)


def _map(found: Importance) -> dict[str, Array]:
    """What each local state of each site moves the outputs of a first layer by, (sites, states)."""
    first = next((m for m in found.network.modules() if isinstance(m, OneHotLinear)), None)
    if first is None:
        return {}
    states = found.lesson.held_out[0].numpy()[:, :, None] == np.arange(first.site_dim)
    share = states.mean(axis=0)
    norms = dense_weight(first.linear).detach().double().norm(dim=0).numpy()
    return {"site_moved": norms.reshape(share.shape) * np.sqrt(share * (1 - share))}
