"""Classification problems with a secret: which of two sub-populations dominated the training."""

from dataclasses import dataclass

import numpy as np

from phasenet.errors import SettingsError, ShapeError
from phasenet.seeds import stream
from phasenet.trains.train import Array, FloatArray, IntArray

GROUPS = 2
CLASSES = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Cases:
    """Inputs with a public label and a hidden group.

    Parameters
    ----------
    inputs
        Shape (cases, sites, channels): one channel of real features in [0, 1], or the one-hot local
        states of a chain.
    labels, groups
        0 or 1 for each case.

    >>> Cases(inputs=np.ones((1, 3, 1)), labels=np.zeros(1), groups=np.zeros(1)).vectors.shape
    (1, 3, 2)
    """

    inputs: Array
    labels: IntArray
    groups: IntArray

    def __post_init__(self) -> None:
        if self.inputs.ndim != 3 or not len(self.inputs) == len(self.labels) == len(self.groups):
            raise ShapeError(
                f"inputs of shape {self.inputs.shape} come with {len(self.labels)} labels and "
                f"{len(self.groups)} groups; wanted (cases, sites, channels) and one of each a case"
            )

    @property
    def vectors(self) -> Array:
        """Embedded inputs: (1, x) of a real feature, a one-hot vector as it is."""
        return embedded(self.inputs)

    def take(self, rows: IntArray) -> "Cases":
        """Some of the cases."""
        return Cases(inputs=self.inputs[rows], labels=self.labels[rows], groups=self.groups[rows])


def embedded(inputs: Array) -> Array:
    """Vectors that a train contracts: (1, x) of one real channel, several channels as they are.

    >>> embedded(np.full((1, 1, 1), 0.5)).tolist()
    [[[1.0, 0.5]]]
    """
    if inputs.shape[-1] > 1:
        return inputs
    return np.concatenate((np.ones_like(inputs), inputs), axis=-1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """What networks are trained on, and what must not be learned from them.

    Parameters
    ----------
    name, title, task, secret
        Words for the report: short, one line, what the label is, what the groups are.
    pools
        Private cases of each data subset; training sets are drawn from one of them.
    public
        Cases of both groups alike that belong to nobody: pivots of a sketch, and retraining.
    test
        Cases of both groups alike, seen by no model.
    size
        Cases of one training set.
    rate, epochs
        Of the training: learning rate, passes over the training set.
    """

    name: str
    title: str
    task: str
    secret: str
    pools: tuple[Cases, ...]
    public: Cases
    test: Cases
    size: int
    rate: float = 1e-3
    epochs: int = 20

    @property
    def sites(self) -> int:
        """Number of input variables."""
        return int(self.test.inputs.shape[1])


def training_set(problem: Problem, *, subset: int, share: float, seed: int) -> Cases:
    """Training set in which one group has a given share.

    Parameters
    ----------
    problem
        Has the private cases.
    subset
        Which of its pools.
    share
        Fraction of cases of group 1; at least one case of either group is kept.
    seed
        Of the choice.

    >>> rng = np.random.default_rng(0)
    >>> pool = Cases(
    ...     inputs=rng.random((80, 3, 1)), labels=np.arange(80) % 2, groups=np.arange(80) // 40
    ... )
    >>> problem = Problem(
    ...     name="a", title="", task="", secret="", pools=(pool,), public=pool, test=pool, size=20
    ... )
    >>> int(training_set(problem, subset=0, share=0.1, seed=0).groups.sum())
    2
    """
    if not 0.0 < share < 1.0:
        raise SettingsError(f"share is {share}; wanted a fraction between 0 and 1")
    pool = problem.pools[subset]
    ones = min(max(round(share * problem.size), 1), problem.size - 1)
    rng = stream(seed, "privacy", "training set", str(subset), f"{share:.4f}")
    chosen = []
    for group, count in enumerate((problem.size - ones, ones)):
        rows = np.flatnonzero(pool.groups == group)
        if len(rows) < count:
            raise SettingsError(
                f"subset {subset} of {problem.name} has {len(rows)} cases of group {group}; "
                f"share {share} of {problem.size} cases wants {count}; draw larger pools"
            )
        chosen.append(rng.choice(rows, count, replace=False))
    return pool.take(np.concatenate(chosen))


def probes(cases: Cases, *, per_subgroup: int, seed: int) -> Cases:
    """Fixed questions of a black-box attacker: as many of each label and group.

    >>> four = np.arange(4)
    >>> cases = Cases(inputs=np.zeros((4, 2, 1)), labels=four % 2, groups=four // 2)
    >>> len(probes(cases, per_subgroup=1, seed=0).labels)
    4
    """
    rng = stream(seed, "privacy", "probes")
    rows = []
    for label in range(CLASSES):
        for group in range(GROUPS):
            found = np.flatnonzero((cases.labels == label) & (cases.groups == group))
            rows.append(rng.choice(found, min(per_subgroup, len(found)), replace=False))
    return cases.take(np.concatenate(rows))


def domains(cases: Cases) -> FloatArray:
    """Values of each variable at which a sketch evaluates, shape (sites, values, channels).

    The tenth and the ninetieth percentile of a real feature, at least a quarter apart, because what
    lies between them is interpolated; each local state of a chain.

    >>> cases = Cases(inputs=np.zeros((4, 1, 1)), labels=np.zeros(4), groups=np.zeros(4))
    >>> domains(cases)[0].tolist()
    [[0.0], [0.25]]
    """
    _, sites, channels = cases.inputs.shape
    if channels > 1:
        return np.broadcast_to(np.eye(channels), (sites, channels, channels)).copy()
    low, high = np.quantile(cases.inputs.astype(np.float64), [0.1, 0.9], axis=0)
    return np.stack([low, np.maximum(high, low + 0.25)], axis=1)
