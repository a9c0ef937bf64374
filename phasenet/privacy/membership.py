r"""Membership inference: which shots a network was trained on, told from its answers.

Four attacks on the answers of one network, from the weakest to the strongest knowledge:

- *right or wrong*: members are those that are classified rightly, which gains half of the
  generalisation gap (Yeom et al., IEEE CSF 2018);
- *loss*: members are those with a small loss, below a threshold that other shots chose
  (the same);
- *shadow networks*: trained like it on shots of the same kind, they show an attacker how answers
  for members look (Shokri et al., IEEE S&P 2017);
- *likelihood ratio*: they show how the answer for each single shot looks with and without it in
  the training set (Carlini et al., IEEE S&P 2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp
from scipy.stats import norm

from phasenet.errors import SettingsError, ShapeError
from phasenet.privacy.attackers import Attacker, attacked
from phasenet.privacy.intervals import LEVEL, Estimate
from phasenet.privacy.receiver import Rates, rates_of
from phasenet.seeds import derived_seed, stream
from phasenet.trains.train import FloatArray, IntArray

LOSS, RIGHT, SHADOWS, RATIO = "loss", "right or wrong", "shadow networks", "likelihood ratio"
"""Names of the attacks."""
_DRAWS = 200
# More rows teach an attacker of a handful of features nothing.
_MOST_ROWS = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """Answers of one network to shots that it was, or was not, trained on.

    Parameters
    ----------
    logits
        Shape (shots, classes).
    labels
        Class of each shot.
    inside
        Whether the network was trained on it, shape (shots,).
    """

    logits: FloatArray
    labels: IntArray
    inside: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not len(self.logits) == len(self.labels) == len(self.inside):
            raise ShapeError(
                f"{len(self.logits)} answers for {len(self.labels)} labels and "
                f"{len(self.inside)} memberships; wanted one of each for each shot"
            )
        if self.inside.all() or not self.inside.any():
            raise SettingsError(
                f"all {len(self.inside)} shots are {'in' if self.inside.all() else 'out of'} the "
                "training set; wanted members and others"
            )

    @property
    def losses(self) -> FloatArray:
        """Cross-entropy of each shot in nats."""
        logs = log_softmax(self.logits, axis=1)
        return np.asarray(-logs[np.arange(len(self.labels)), self.labels])

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each shot is classified rightly."""
        return np.asarray(self.logits.argmax(axis=1) == self.labels)

    @property
    def confidence(self) -> FloatArray:
        r"""Logarithm of the odds of the label, :math:`\ln p_y - \ln(1 - p_y)`, of each shot."""
        others = self.logits.copy()
        rows = np.arange(len(self.labels))
        others[rows, self.labels] = -np.inf
        return np.asarray(self.logits[rows, self.labels] - logsumexp(others, axis=1))


@dataclass(frozen=True, kw_only=True, eq=False)
class MembershipResult:
    """How well an attack tells members from others.

    Parameters
    ----------
    attack
        Its name.
    balanced_accuracy
        Mean of the shares of members and of others that are named rightly, at a threshold that was
        chosen without these shots or without knowing them; 0.5 by chance.
    auc
        Area under the receiver operating curve; 0.5 by chance.
    caught
        Share of members found where 1 % of the others are taken for members; 0.01 by chance.
    rates
        The curve itself.
    deviation
        Standard deviation of the area over draws of the shots.
    """

    attack: str
    balanced_accuracy: Estimate
    auc: Estimate
    caught: Estimate
    rates: Rates
    deviation: float

    def above_chance(self, attacks: int = 1) -> bool:
        """Return whether chance explains the area under the curve at most once in twenty times.

        Parameters
        ----------
        attacks
            How many attacks were tried: the level is Bonferroni's.
        """
        deviate = float(norm.ppf(1 - (1 - LEVEL) / (2 * attacks)))
        return self.auc.value - deviate * self.deviation > 0.5

    def __str__(self) -> str:
        return f"{self.attack}: balanced accuracy {self.balanced_accuracy}, AUC {self.auc}"


def gap_attack(answers: Answers, *, seed: int) -> MembershipResult:
    """Attack that takes all that is classified rightly for members.

    >>> inside = np.arange(40) < 20
    >>> logits = np.where(inside, 2.0, -2.0)[:, None] * [1.0, 0.0]
    >>> answers = Answers(logits=logits, labels=np.zeros(40, dtype=int), inside=inside)
    >>> print(f"{gap_attack(answers, seed=0).balanced_accuracy.value:.2f}")
    1.00
    """
    return judged(RIGHT, answers.right.astype(np.float64), answers, answers.right, seed=seed)


def loss_attack(answers: Answers, *, seed: int) -> MembershipResult:
    """Attack that takes shots of a small loss for members.

    The threshold of each half of the shots is the best one of the other half.

    >>> inside = np.arange(40) < 20
    >>> logits = np.where(inside, 2.0, 1.0)[:, None] * [1.0, 0.0]
    >>> answers = Answers(logits=logits, labels=np.zeros(40, dtype=int), inside=inside)
    >>> print(f"{loss_attack(answers, seed=0).auc.value:.2f}")
    1.00
    """
    scores, decided = -answers.losses, np.zeros(len(answers.labels), dtype=bool)
    order = stream(seed, "membership", "halves").permutation(len(scores))
    halves = order[::2], order[1::2]
    for known, unknown in (halves, halves[::-1]):
        if answers.inside[known].all() or not answers.inside[known].any():
            raise SettingsError(
                f"a threshold has {len(known)} shots of one kind only to be chosen by; wanted more "
                "shots"
            )
        decided[unknown] = scores[unknown] >= best_threshold(scores[known], answers.inside[known])
    return judged(LOSS, scores, answers, decided, seed=seed)


def shadow_attack(
    answers: Answers, shadows: Sequence[Answers], *, attacker: Attacker = "boosted", seed: int
) -> MembershipResult:
    """Attack by a classifier that has learned from shadow networks how members are answered.

    It sees the sorted logits, the loss, whether the answer is right, and the class.

    Parameters
    ----------
    answers
        Of the network that is attacked.
    shadows
        Of networks that were trained like it, with known training sets.
    attacker
        One of :data:`phasenet.privacy.attackers.ATTACKERS`.
    seed
        Of the attacker and of the intervals.

    >>> inside = np.arange(40) < 20
    >>> logits = np.where(inside, 2.0, 1.0)[:, None] * [1.0, 0.0]
    >>> answers = Answers(logits=logits, labels=np.zeros(40, dtype=int), inside=inside)
    >>> print(f"{shadow_attack(answers, [answers], attacker='logistic', seed=0).auc.value:.2f}")
    1.00
    """
    _check_shadows(answers, shadows, least=1)
    seen = np.concatenate([_seen(shadow) for shadow in shadows])
    inside = np.concatenate([shadow.inside for shadow in shadows]).astype(np.int64)
    rng = stream(seed, "membership", "rows")
    rows = rng.permutation(len(seen))[:_MOST_ROWS]
    found = attacked(
        attacker, seen[rows], inside[rows], _seen(answers), seed=derived_seed(seed, "shadows")
    )[:, 1]
    return judged(SHADOWS, found, answers, found > 0.5, seed=seed)


def ratio_attack(answers: Answers, shadows: Sequence[Answers], *, seed: int) -> MembershipResult:
    r"""Attack by how each single shot is answered with and without it in a training set.

    .. math:: \Lambda = \frac{\mathcal N(c;\, \mu_\text{in}, s_\text{in}^2)}
        {\mathcal N(c;\, \mu_\text{out}, s_\text{out}^2)}

    with the confidence c of the attacked network, means over the shadow networks that were, and
    that were not, trained on the shot, and standard deviations of all shots together, as for few
    shadows (Carlini et al., IEEE S&P 2022, section VI).

    Parameters
    ----------
    answers
        Of the network that is attacked.
    shadows
        Answers to the same shots in the same order; each shot is inside for at least one and
        outside for at least one.
    seed
        Of the intervals.

    >>> inside = np.arange(40) < 20
    >>> parts = [
    ...     Answers(
    ...         logits=np.where(mask, 2.0, 1.0)[:, None] * [1.0, 0.0],
    ...         labels=np.zeros(40, dtype=int),
    ...         inside=mask,
    ...     )
    ...     for mask in (inside, ~inside)
    ... ]
    >>> print(f"{ratio_attack(parts[0], parts, seed=0).auc.value:.2f}")
    1.00
    """
    _check_shadows(answers, shadows, least=2)
    inside = np.stack([shadow.inside for shadow in shadows])
    confidence = np.stack([shadow.confidence for shadow in shadows])
    if inside.shape[1] != len(answers.labels) or not (inside.any(0) & ~inside.all(0)).all():
        raise SettingsError(
            "a likelihood ratio wants each shot inside for one shadow network and outside for "
            "another; train shadows in pairs on complementary halves"
        )
    logs = []
    for chosen in (inside, ~inside):
        weights = chosen.sum(axis=0)
        mean = np.where(chosen, confidence, 0.0).sum(axis=0) / weights
        squares = np.where(chosen, (confidence - mean) ** 2, 0.0).sum(axis=0)
        # A single network has no spread about its own answer: then all have one unit.
        freedom = float((weights - 1).sum())
        spread = np.sqrt(squares.sum() / freedom) if freedom > 0 else 1.0
        spread = max(spread, 1e-12)
        logs.append(-0.5 * ((answers.confidence - mean) / spread) ** 2 - np.log(spread))
    found = logs[0] - logs[1]
    return judged(RATIO, found, answers, found > 0.0, seed=seed)


def best_threshold(scores: FloatArray, inside: NDArray[np.bool_]) -> float:
    """Threshold at and above which scores are members, of the largest balanced accuracy.

    >>> best_threshold(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, False, True, True]))
    3.0
    """
    values, inverse = np.unique(scores, return_inverse=True)
    hits = np.bincount(inverse, weights=inside) / inside.sum()
    false = np.bincount(inverse, weights=~inside) / (~inside).sum()
    gains = np.cumsum((hits - false)[::-1])[::-1]
    return float(values[int(np.argmax(gains))])


def judged(
    attack: str,
    scores: FloatArray,
    answers: Answers,
    decided: NDArray[np.bool_],
    *,
    seed: int,
) -> MembershipResult:
    """Result of an attack, with intervals by drawing members and others again, shot by shot.

    Parameters
    ----------
    attack
        Its name.
    scores
        The larger, the surer of membership, shape (shots,).
    answers
        Who is a member.
    decided
        Who is taken for one.
    seed
        Of the draws.
    """
    rng = stream(seed, "membership", "intervals", attack)
    inside = answers.inside
    rates = rates_of(scores, inside)
    drawn = rates.drawn(rng, _DRAWS)
    hits, false = decided[inside], decided[~inside]
    balanced = 0.5 * (
        rng.binomial(len(hits), hits.mean(), _DRAWS) / len(hits)
        + 1
        - rng.binomial(len(false), false.mean(), _DRAWS) / len(false)
    )
    return MembershipResult(
        attack=attack,
        balanced_accuracy=_estimate(0.5 * float(hits.mean() + 1 - false.mean()), balanced),
        auc=_estimate(rates.area, drawn.areas),
        caught=_estimate(rates.caught(0.01), drawn.caught),
        rates=rates,
        deviation=float(drawn.areas.std()),
    )


def _seen(answers: Answers) -> FloatArray:
    ordered = -np.sort(-answers.logits, axis=1)
    columns = [ordered, answers.losses, answers.right, answers.labels]
    return np.column_stack(columns).astype(np.float64)


def _estimate(value: float, drawn: FloatArray) -> Estimate:
    low, high = np.quantile(drawn, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Estimate(value, min(float(low), value), max(float(high), value))


def _check_shadows(answers: Answers, shadows: Sequence[Answers], *, least: int) -> None:
    if len(shadows) < least:
        raise SettingsError(f"{len(shadows)} shadow networks; wanted at least {least}")
    classes = {part.logits.shape[1] for part in (answers, *shadows)}
    if len(classes) > 1:
        raise ShapeError(f"networks have {sorted(classes)} classes; wanted as many in each")
