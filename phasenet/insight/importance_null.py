"""What an index would score if there were nothing to learn: networks taught shuffled labels.

Labels are shuffled and the architecture is trained anew, from weights of its own: a null of the
whole way from data to score, which a gradient with shuffled labels at the trained weights is not
(there every index that the network uses at all stands out). Networks differ in how large their
logits get, and so do their losses: added losses are compared in their standard errors over the
shots, and scores whose size follows the length of the training as shares of their mode.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from phasenet.errors import SettingsError
from phasenet.insight.importance_modes import orthonormal_network
from phasenet.insight.importance_scores import RECOMMENDED, SCORES, ModeScores, mode_scores
from phasenet.insight.subject import Progress
from phasenet.networks.healing import fine_tune
from phasenet.seeds import derived_seed
from phasenet.trains.train import FloatArray, IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Lesson:
    """Shots, and how networks are taught on them.

    Parameters
    ----------
    train, held_out
        Inputs of shape (shots, ...) and the class of each shot.
    classes
        How many there are.
    epochs, batch, learning_rate
        As :func:`phasenet.networks.healing.fine_tune` takes them.
    scored
        Held-out shots that a network taught anew is scored on, at most.
    """

    train: tuple[Tensor, Tensor]
    held_out: tuple[Tensor, Tensor]
    classes: int
    epochs: int
    batch: int = 128
    learning_rate: float = 1e-2
    scored: int = 400


@dataclass(frozen=True, kw_only=True, eq=False)
class AgainstNull:
    """Indices of one mode beside those of networks taught shuffled labels.

    Parameters
    ----------
    scores
        Of the network.
    z
        By score: distance from the mean of the null in standard deviations of one more network of
        it, shape (indices,); of the added loss in its standard errors over the shots.
    p
        By score: family-wise over all indices of all modes, shape (indices,): share of the null
        networks, this one among them, whose *largest* z (against the others) is as large.
    null_mean, null_spread
        Of the added loss in the null networks, shape (indices,).
    """

    scores: ModeScores
    z: dict[str, FloatArray]
    p: dict[str, FloatArray]
    null_mean: FloatArray
    null_spread: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Taught:
    """One network that was trained anew.

    Parameters
    ----------
    scores
        Of each mode, in the orthonormal gauge.
    accuracy
        Share of right decisions on the held-out shots, against the labels that it was taught.
    """

    scores: tuple[ModeScores, ...]
    accuracy: float


@torch.no_grad()
def accuracy_of(network: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of right decisions.

    >>> accuracy_of(nn.Identity(), torch.eye(2), torch.tensor([0, 0]))
    0.5
    """
    return float((network(x).argmax(dim=1) == y).double().mean())


def taught(
    make: Callable[[], nn.Module],
    lesson: Lesson,
    *,
    networks: int,
    shuffled: bool,
    seed: int,
    progress: Progress,
    before: int = 0,
) -> tuple[Taught, ...]:
    """Networks trained anew, and their scores.

    Parameters
    ----------
    make
        Gives an untrained network, its weights from torch's global generator.
    lesson
        The shots and the training.
    networks
        How many.
    shuffled
        Whether the labels are shuffled, in training and held out, anew for each network.
    seed
        Of everything.
    progress, before
        Told of each network, counted from the steps before it.
    """
    kind, result = "shuffled" if shuffled else "true", []
    for k in range(networks):
        this = derived_seed(seed, "importance", kind, str(k)) % 2**31
        (x, y), (held_x, held_y) = lesson.train, lesson.held_out
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(this)
            if shuffled:
                y, held_y = y[torch.randperm(len(y))], held_y[torch.randperm(len(held_y))]
            network = make()
        network = fine_tune(
            network.train(),
            x,
            y,
            epochs=lesson.epochs,
            batch=lesson.batch,
            learning_rate=lesson.learning_rate,
            seed=this,
        )
        fixed = orthonormal_network(network)
        some_x, some_y = held_x[: lesson.scored], held_y[: lesson.scored]
        scores = mode_scores(fixed, some_x, some_y, classes=lesson.classes, seed=this)
        result.append(Taught(scores=scores, accuracy=accuracy_of(fixed, held_x, held_y)))
        progress(before + k + 1, f"network {k + 1} of {networks} on {kind} labels")
    return tuple(result)


def against_null(
    scores: Sequence[ModeScores], null: Sequence[Sequence[ModeScores]]
) -> tuple[AgainstNull, ...]:
    """Scores of a network beside those of the null, mode by mode.

    Parameters
    ----------
    scores
        From :func:`~phasenet.insight.importance_scores.mode_scores`, in the orthonormal gauge.
    null
        The same of at least three networks taught shuffled labels.
    """
    if len(null) < 3:
        raise SettingsError(f"there are {len(null)} null networks; wanted at least 3 for a spread")
    sizes = [one.mode.size for one in scores]
    places = np.cumsum(sizes)[:-1]
    z: list[dict[str, FloatArray]] = [{} for _ in scores]
    p: list[dict[str, FloatArray]] = [{} for _ in scores]
    for score in SCORES:
        own_row, *null_rows = (_joined(one, score.name) for one in (scores, *null))
        rows = np.stack(null_rows)
        own = _z(own_row, rows, places)
        left_out = (_z(row, np.delete(rows, k, axis=0), places) for k, row in enumerate(rows))
        largest = np.asarray([np.nanmax(z_row, initial=-np.inf) for z_row in left_out])
        with np.errstate(invalid="ignore"):
            above = (largest[:, None] >= own).sum(axis=0)
        chance = np.where(np.isfinite(own), (1 + above) / (1 + len(null)), np.nan)
        parts = zip(np.split(own, places), np.split(chance, places), strict=True)
        for k, (z_part, p_part) in enumerate(parts):
            z[k][score.name], p[k][score.name] = z_part, p_part
    losses = [np.stack([one[k].values[RECOMMENDED] for one in null]) for k in range(len(scores))]
    return tuple(
        AgainstNull(
            scores=scores[k],
            z=z[k],
            p=p[k],
            null_mean=losses[k].mean(axis=0),
            null_spread=losses[k].std(axis=0, ddof=1),
        )
        for k in range(len(scores))
    )


def _joined(scores: Sequence[ModeScores], name: str) -> FloatArray:
    """Scores of all modes one after the other, in units that networks of any length share."""
    parts = [one.values[name] for one in scores]
    if name == RECOMMENDED:
        known = [one.error > 0 for one in scores]
        parts = [
            np.divide(part, one.error, out=np.zeros_like(part), where=clear)
            for part, one, clear in zip(parts, scores, known, strict=True)
        ]
    else:
        parts = [part / (part.sum() if part.sum() > 0 else 1.0) for part in parts]
    return np.concatenate(parts)


def _z(row: FloatArray, others: FloatArray, places: IntArray) -> FloatArray:
    """Distance from the mean of others in the standard deviations that another one would have.

    Half of each variance is the mean over the mode, so that no index stands out by a spread that
    few networks happen to have.
    """
    parts = np.split(others.var(axis=0, ddof=1) * (1 + 1 / len(others)), places)
    spread = np.concatenate([(part + part.mean()) / 2 for part in parts])
    return np.asarray((row - others.mean(axis=0)) / np.sqrt(np.maximum(spread, 1e-300)))
