"""Attribute inference: what a published network tells of the data that it was trained on.

The attacker has many networks whose secret is known (which sub-population dominated the training
set, which disorder realisation), learns from them, and is asked for the secret of others (Ateniese
et al., arXiv:1306.4447; Aizpurua et al., arXiv:2202.12319). Networks that share data are held out
together: an attacker that recognises the data has not learned the secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError, ShapeError
from phasenet.privacy.attackers import Attacker, attacked
from phasenet.privacy.intervals import LEVEL, Estimate, bootstrapped, clustered_share
from phasenet.seeds import derived_seed, stream
from phasenet.statistics import area_under_curve
from phasenet.trains.train import Array, FloatArray, IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class AttackResult:
    """How well an attacker guesses the secret of networks that were held out.

    Parameters
    ----------
    attacker
        As in :data:`phasenet.privacy.attackers.ATTACKERS`.
    probabilities
        Of each class for each network, from the fold that did not see it, (models, classes).
    secret, groups
        Class and data subset of each network, counted from 0.
    accuracy, auc
        With 95 % intervals; clusters are the groups. The area under the curve is the mean over the
        classes, each against the others.
    chance
        Share of the most frequent class.
    """

    attacker: str
    probabilities: FloatArray
    secret: IntArray
    groups: IntArray
    accuracy: Estimate
    auc: Estimate
    chance: float

    @property
    def models(self) -> int:
        """Number of networks."""
        return len(self.secret)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each guess is right, shape (models,)."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.secret)

    def above_chance(self, attacks: int = 1) -> bool:
        """Return whether chance explains the accuracy at most once in twenty times.

        Parameters
        ----------
        attacks
            How many attacks were tried: the level is Bonferroni's.
        """
        level = 1 - (1 - LEVEL) / attacks
        return clustered_share(self.right, self.groups, level=level).low > self.chance

    def __str__(self) -> str:
        end = "above chance" if self.above_chance() else "not above chance"
        return f"{self.attacker}: accuracy {self.accuracy}, chance {self.chance:.3f}; {end}"


def attribute_inference(
    features: Array,
    secret: IntArray,
    groups: IntArray,
    *,
    attacker: Attacker = "logistic",
    folds: int = 10,
    seed: int = 0,
) -> AttackResult:
    """Accuracy of an attacker that learns the secret of networks from others, with known ones.

    Parameters
    ----------
    features
        What is seen of each network, real, shape (models, features).
    secret
        Class of each network, any integers.
    groups
        Data subset of each network: those of one subset are held out together.
    attacker
        One of :data:`phasenet.privacy.attackers.ATTACKERS`.
    folds
        Parts of the networks that are held out in turn, at most one for each group.
    seed
        Of the folds and of the attacker.

    Raises
    ------
    ShapeError
        Features, secrets and groups are not of as many networks, or not all numbers.
    SettingsError
        A class is in fewer than two groups, so that nothing can be held out.

    >>> rng = np.random.default_rng(0)
    >>> secret, groups = np.arange(80) % 2, np.arange(80) // 4
    >>> seen = rng.normal(size=(80, 5)) + 3.0 * secret[:, None]
    >>> result = attribute_inference(seen, secret, groups)
    >>> print(f"{result.accuracy.value:.2f} {result.above_chance()}")
    0.99 True
    """
    values, classes, members = _checked(features, secret, groups)
    count = int(classes.max()) + 1
    parts = group_folds(classes, members, folds=folds, seed=seed)
    probabilities = np.zeros((len(classes), count))
    for k in range(int(parts.max()) + 1):
        held_out = parts == k
        known = classes[~held_out]
        if len(np.unique(known)) < count:
            raise SettingsError(
                f"a class of the secret occurs in fold {k + 1} of {int(parts.max()) + 1} only; "
                "wanted each class in several groups: add networks of other data"
            )
        probabilities[held_out] = attacked(
            attacker, values[~held_out], known, values[held_out], seed=derived_seed(seed, str(k))
        )
    right = probabilities.argmax(axis=1) == classes
    return AttackResult(
        attacker=attacker,
        probabilities=probabilities,
        secret=classes,
        groups=members,
        accuracy=clustered_share(right, members),
        auc=bootstrapped(
            lambda rows: _mean_area(probabilities[rows], classes[rows]),
            members,
            stream(seed, "attack", "intervals"),
            draws=200,
        ),
        chance=float(np.bincount(classes).max() / len(classes)),
    )


def group_folds(secret: IntArray, groups: IntArray, *, folds: int, seed: int) -> IntArray:
    """Fold of each network: no group is in two, and classes are spread evenly.

    Parameters
    ----------
    secret, groups
        Of each network, counted from 0.
    folds
        At most; there is no fold without a group.
    seed
        Of the order of the groups.

    >>> group_folds(np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3]), folds=2, seed=0).tolist()
    [1, 0, 0, 1]
    """
    count = int(groups.max()) + 1
    if folds < 2 or count < 2:
        raise SettingsError(
            f"{count} groups for {folds} folds; wanted at least two of each, so that networks of "
            "one data subset are held out together"
        )
    majority = [int(np.bincount(secret[groups == g]).argmax()) for g in range(count)]
    order = stream(seed, "attack", "folds").permutation(count)
    # Dealt out class by class, so that each fold has as many groups of each as can be.
    order = order[np.argsort(np.asarray(majority)[order], kind="stable")]
    fold = np.empty(count, dtype=np.int64)
    fold[order] = np.arange(count) % min(folds, count)
    return np.asarray(fold[groups])


def strongest(results: Sequence[AttackResult]) -> AttackResult:
    """Attack of the largest lower end of the interval, above its own chance.

    Raises
    ------
    SettingsError
        There is none.
    """
    if not results:
        raise SettingsError("no attack was tried; wanted at least one")
    return max(results, key=lambda result: result.accuracy.low - result.chance)


def _mean_area(probabilities: FloatArray, classes: IntArray) -> float:
    if probabilities.shape[1] == 2:
        return float(area_under_curve(probabilities[:, 1], classes == 1))
    return float(
        np.mean([area_under_curve(p, classes == k) for k, p in enumerate(probabilities.T)])
    )


def _checked(
    features: Array, secret: IntArray, groups: IntArray
) -> tuple[Array, IntArray, IntArray]:
    values = np.asarray(features)
    if values.dtype != np.float32:
        values = values.astype(np.float64)
    if values.ndim != 2 or not len(values) == len(secret) == len(groups):
        raise ShapeError(
            f"features have shape {values.shape} for {len(secret)} secrets and {len(groups)} "
            "groups; wanted (models, features) and one secret and group for each model"
        )
    if not np.isfinite(values).all():
        raise ShapeError("a feature of a network is no finite number; wanted real numbers only")
    names, classes = np.unique(secret, return_inverse=True)
    if len(names) < 2:
        raise SettingsError("all networks have the same secret; wanted two classes or more")
    return values, classes, np.unique(groups, return_inverse=True)[1]
