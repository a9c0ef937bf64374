r"""How far a change of shots moves a function towards the other classes, with errors.

The index of class c is :math:`(\langle f_c\rangle_c - \langle f_c\rangle'_c)/(\langle f_c\rangle_c
- \langle f_c\rangle_{\bar c})`: primed after the change, :math:`\bar c` the mean over the other
classes. 0: nothing of what the function tells c by was touched; 1: shots of c look like others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.insight.held_out import HeldOutShots
from phasenet.insight.readers import Reader
from phasenet.snapshots.transforms import Spins
from phasenet.trains.train import FloatArray, IntArray

RESAMPLES = 200
# An index is a ratio: the class gap below it must be known to a fifth at least.
LEAST_GAP = 5.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Baseline:
    """Functions on the shots as they are, and the bootstrap that all errors come from.

    Parameters
    ----------
    readers
        The functions, the network first.
    shots
        With their classes.
    evidence
        Values of each function, shape (readers, shots, classes).
    weights
        For each class that has shots, weights of its shots in each resample, shape (resamples,
        shots of the class); the last row is that of the shots as they are.
    gaps
        Class gaps in each resample, shape (readers, classes, resamples + 1); classes in the order
        of ``shots.classes``.
    """

    readers: tuple[Reader, ...]
    shots: HeldOutShots
    evidence: FloatArray
    weights: tuple[FloatArray, ...]
    gaps: FloatArray

    @property
    def clear(self) -> FloatArray:
        """1 where the class gap is well above its error, NaN elsewhere: (readers, classes)."""
        errors = self.gaps[..., :-1].std(axis=-1, ddof=1)
        return np.where(np.abs(self.gaps[..., -1]) > LEAST_GAP * errors, 1.0, np.nan)


@dataclass(frozen=True, kw_only=True, eq=False)
class Response:
    """What a change of the shots did.

    Parameters
    ----------
    index
        Shape (readers, classes, resamples + 1); NaN where it is not defined.
    called
        Share of the shots of each class that the network still takes for that class, (classes,).
    changed
        Share of the shots of each class whose decision by the network changed, (classes,).
    roughness
        Root mean square of the change of the network's log odds of the class, in units of the class
        gap, (classes,).
    """

    index: FloatArray
    called: FloatArray
    changed: FloatArray
    roughness: FloatArray

    @property
    def value(self) -> FloatArray:
        """Index, shape (readers, classes)."""
        return np.asarray(self.index[..., -1])

    @property
    def error(self) -> FloatArray:
        """Standard error of the index over shots, shape (readers, classes)."""
        return np.asarray(self.index[..., :-1].std(axis=-1, ddof=1))


def baseline(readers: Sequence[Reader], shots: HeldOutShots, rng: np.random.Generator) -> Baseline:
    """Functions on the shots as they are.

    Parameters
    ----------
    readers
        The network first.
    shots
        Of two classes or more.
    rng
        Of the bootstrap.
    """
    evidence = np.stack([reader.evidence(shots.spins) for reader in readers])
    weights = tuple(_resamples(int(shots.of(k).sum()), rng) for k in shots.classes)
    # Means of f_c over the shots of each class: (readers, class of f, class of shots, resamples).
    means = np.stack(
        [
            np.stack([w @ evidence[:, shots.of(k), c].T for k, w in _pairs(shots, weights)])
            for c in shots.classes
        ]
    )
    means = means.transpose(3, 0, 1, 2)
    count = len(shots.classes)
    own = means[:, range(count), range(count)]
    gaps = (own - (means.sum(axis=2) - own) / (count - 1)).astype(np.float64)
    return Baseline(
        readers=tuple(readers), shots=shots, evidence=evidence, weights=weights, gaps=gaps
    )


def response(base: Baseline, spins: Spins) -> Response:
    """Response of all functions to a change of all shots.

    Parameters
    ----------
    base
        Of the shots as they were.
    spins
        The shots after the change, in the same order.
    """
    after = np.stack([reader.evidence(spins) for reader in base.readers])
    shots = base.shots
    # NaN, not a division by what may be 0, where a gap is not clear.
    gaps = base.gaps * base.clear[..., None]
    index, called, changed, roughness = [], [], [], []
    for place, (number, weights) in enumerate(_pairs(shots, base.weights)):
        members = shots.of(number)
        with np.errstate(invalid="ignore"):
            moved = base.evidence[:, members, number] - after[:, members, number]
        moved = np.where(np.isfinite(moved).all(axis=1, keepdims=True), moved, np.nan)
        index.append((weights @ moved.T).T / gaps[:, place])
        before, now = (e[0, members].argmax(axis=1) for e in (base.evidence, after))
        called.append(np.mean(now == number))
        changed.append(np.mean(now != before))
        roughness.append(np.sqrt(np.mean(moved[0] ** 2)) / np.abs(gaps[0, place, -1]))
    return Response(
        index=np.stack(index, axis=1),
        called=np.asarray(called),
        changed=np.asarray(changed),
        roughness=np.asarray(roughness),
    )


def half_length(lengths: FloatArray, index: FloatArray) -> float:
    """Block length at which an index has fallen to half of its largest value; NaN if it never does.

    Of an index that is negative, its magnitude.

    Between two lengths it is taken as linear in the inverse length. So it is for a function linear
    in pairs of spins r sites apart, whose index under flips of blocks of l > r sites is r/l, the
    share of the pairs that a block boundary divides: its half length is 2r.

    Parameters
    ----------
    lengths
        In ascending order.
    index
        One value for each length.

    >>> print(f"{half_length(np.array([1.0, 2, 4, 8]), np.array([1.0, 1.0, 0.75, 0.375])):.3f}")
    6.000
    """
    top = int(np.abs(index).argmax())
    index = index * np.sign(index[top])
    below = np.flatnonzero(index[top:] < index[top] / 2)
    if len(below) == 0:
        return float("nan")
    last = top + int(below[0])
    pair = slice(last - 1, last + 1)
    share = (index[last - 1] - index[top] / 2) / (index[last - 1] - index[last])
    first, second = 1 / lengths[pair]
    return float(1 / (first + share * (second - first)))


def _resamples(count: int, rng: np.random.Generator) -> FloatArray:
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    return np.concatenate([drawn, np.ones((1, count), dtype=drawn.dtype)]) / count


def _pairs(shots: HeldOutShots, weights: Sequence[FloatArray]) -> list[tuple[int, FloatArray]]:
    classes: IntArray = shots.classes
    return list(zip(classes.tolist(), weights, strict=True))
