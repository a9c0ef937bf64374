"""What compressing a classifier leads to: candidates, what became of each, and the choice."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

import numpy as np
from pydantic import Field

from phasenet.errors import SettingsError
from phasenet.settings import Count, Positive, Settings, Share
from phasenet.trained import Score
from phasenet.trains.train import Array, FloatArray

Family = Literal["tucker", "mpo", "cp", "low rank", "narrow dense"]
Method = Literal["cross", "sketch"]
METHODS: tuple[Method, ...] = get_args(Method)
NARROW = "narrow dense"
ORIGINAL = "original"
_TRAIN = "one train, "
Ratio = Annotated[float, Field(gt=1)]


class CompressSettings(Settings):
    """Candidates of a compression, and how each is healed, tuned and judged.

    ``ratios`` are the parameters of the whole network over those of a candidate; ``epochs`` the
    passes after decomposition, and ``scratch_epochs`` those of a network that starts from random
    weights; on few shots there are more, so that each takes ``least_steps`` batches.
    ``distillation`` is the share of the original's probabilities, at ``temperature``, in the loss;
    labels have the rest. ``samples`` training shots weigh the errors of a decomposition. The whole
    network becomes one train at each of ``ranks``, and a train of ``start_rank`` is trained for
    ``start_epochs`` from each start; 0 leaves that out.
    """

    families: tuple[Family, ...] = ("tucker", "mpo", "cp", "low rank", "narrow dense")
    ratios: tuple[Ratio, ...] = (2.0, 5.0, 10.0, 20.0, 50.0)
    ranks: tuple[Count, ...] = (2, 4, 8, 16)
    methods: tuple[Method, ...] = METHODS
    seeds: Count = 3
    heal_steps: Annotated[int, Field(ge=0)] = 200
    epochs: Annotated[int, Field(ge=0)] = 10
    scratch_epochs: Count = 30
    least_steps: Count = 1000
    learning_rate: Positive = 5e-3
    batch: Count = 256
    distillation: Share = 0.7
    temperature: Positive = 2.0
    samples: Count = 4000
    max_evaluations: Count = 500_000
    start_rank: Count = 8
    start_epochs: Annotated[int, Field(ge=0)] = 5


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One way to make a network smaller.

    Parameters
    ----------
    family
        A form of its weights, ``narrow dense``, one train by a method, or the original itself.
    size
        Compression ratio that is asked for; of one train, its largest rank.

    >>> print(Candidate(family="mpo", size=20.0), "|", Candidate.of_train("cross", 8))
    mpo 20x | one train, cross, rank 8
    """

    family: str
    size: float

    @classmethod
    def of_train(cls, method: Method, rank: int) -> "Candidate":
        """Whole network as one train."""
        return cls(family=f"{_TRAIN}{method}", size=float(rank))

    @property
    def method(self) -> Method | None:
        """How the one train is found; None for a network."""
        return next((m for m in METHODS if self.family == f"{_TRAIN}{m}"), None)

    def __str__(self) -> str:
        if self.method:
            return f"{self.family}, rank {self.size:g}"
        return self.family if self.family == ORIGINAL else f"{self.family} {self.size:g}x"


def candidates(settings: CompressSettings) -> tuple[Candidate, ...]:
    """All candidates, in the order in which they are tried: all families at one ratio first.

    >>> few = CompressSettings(families=("cp",), ratios=(2, 5), ranks=(4,), methods=("cross",))
    >>> [str(candidate) for candidate in candidates(few)]
    ['cp 2x', 'cp 5x', 'one train, cross, rank 4']
    """
    networks = [
        Candidate(family=family, size=ratio)
        for ratio in settings.ratios
        for family in settings.families
    ]
    trains = [Candidate.of_train(m, rank) for rank in settings.ranks for m in settings.methods]
    return (*networks, *trains)


@dataclass(frozen=True, kw_only=True, eq=False)
class Compressed:
    """What became of one candidate.

    Parameters
    ----------
    candidate
        Which one.
    parameters
        Numbers that it holds.
    flops
        Multiplications and additions of a shot; NaN where nobody counted.
    time
        Of a shot, in times of a shot of the original, side by side: noisy.
    at_once, validation, test
        Accuracy of each seed: on the validation shots before tuning, on both after it.
    test_at_once
        Accuracy of each seed on the test shots before tuning; NaN for what starts from nothing.
    architecture
        Plain values that rebuild the network of the best seed on the validation shots.
    weights
        Its arrays by name; none if there is no such network.
    note
        Why there is nothing, or what is unusual; a sentence or empty.
    """

    candidate: Candidate
    parameters: int = 0
    flops: float = math.nan
    time: float = math.nan
    at_once: FloatArray = field(default_factory=lambda: np.empty(0))
    test_at_once: FloatArray = field(default_factory=lambda: np.empty(0))
    validation: FloatArray = field(default_factory=lambda: np.empty(0))
    test: FloatArray = field(default_factory=lambda: np.empty(0))
    architecture: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Array] = field(default_factory=dict)
    note: str = ""

    @property
    def found(self) -> bool:
        """Whether there is such a candidate at all."""
        return len(self.validation) > 0

    @property
    def best(self) -> int:
        """Seed of the network that is kept: the best on the validation shots."""
        return int(np.argmax(self.validation))


@dataclass(frozen=True, kw_only=True, eq=False)
class Starts:
    """Learning curves of a tensor-train classifier from several starts.

    Parameters
    ----------
    rank
        Its bond dimension.
    epochs
        Passes over the training shots at which it was scored, shape (checkpoints,).
    validation, test
        Accuracies by start, each of shape (seeds, checkpoints).
    """

    rank: int
    epochs: FloatArray
    validation: Mapping[str, FloatArray]
    test: Mapping[str, FloatArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class CompressionCurve:
    """The trade-off between size and accuracy of one trained network.

    Parameters
    ----------
    name
        What the network is called.
    classes
        Labels in the order of the outputs.
    original
        The network itself.
    rows
        The candidates that are done, in their order.
    nulls
        What else can tell the classes apart, on the test shots.
    shots
        Shots of the splits train, validation and test.
    starts
        Of a tensor-train classifier, if they were tried.
    """

    name: str
    classes: tuple[str, ...]
    original: Compressed
    rows: tuple[Compressed, ...]
    nulls: tuple[Score, ...]
    shots: tuple[int, int, int]
    starts: Starts | None = None

    def ratio(self, row: Compressed) -> float:
        """Parameters of the original over those of a candidate."""
        return self.original.parameters / row.parameters


def mean_and_spread(values: Array) -> tuple[float, float]:
    """Mean and standard deviation over seeds; one seed has no spread.

    >>> mean_and_spread(np.array([0.5, 0.7]))[0]
    0.6
    """
    if len(values) == 0:
        return math.nan, math.nan
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    return float(np.mean(values)), spread


def choose(
    curve: CompressionCurve, *, within: float | None = None, ratio: float | None = None
) -> Compressed:
    """Candidate of choice, by its mean accuracy on the validation shots alone.

    Parameters
    ----------
    curve
        All candidates.
    within
        Points of accuracy that may be lost: the smallest network that loses no more.
    ratio
        Compression that is wanted: the most accurate network at least as small.

    Raises
    ------
    SettingsError
        No candidate fits, or both or none of the rules are given.
    """
    if (within is None) == (ratio is None):
        raise SettingsError("a choice needs either --within POINTS or --ratio R")
    networks = [row for row in curve.rows if row.found and row.weights]
    if ratio is not None:
        small = [row for row in networks if curve.ratio(row) >= ratio]
        if not small:
            raise SettingsError(_none_of(curve, networks, f"is {ratio:g} times smaller"))
        return max(small, key=lambda row: (float(row.validation.mean()), -row.parameters))
    assert within is not None
    least = float(curve.original.validation.mean()) - within / 100
    good = [row for row in networks if float(row.validation.mean()) >= least]
    if not good:
        raise SettingsError(_none_of(curve, networks, f"loses at most {within:g} points"))
    return min(good, key=lambda row: (row.parameters, -float(row.validation.mean())))


def _none_of(curve: CompressionCurve, networks: Sequence[Compressed], wanted: str) -> str:
    if not networks:
        return f"no candidate of {curve.name} is a network; ask for more families"
    smallest = max(curve.ratio(row) for row in networks)
    best = max(float(row.validation.mean()) for row in networks)
    loss = 100 * (float(curve.original.validation.mean()) - best)
    return (
        f"none of {len(networks)} networks {wanted}: they are up to {smallest:.3g} times smaller, "
        f"and the best loses {loss:.2f} points; ask for other --ratios or more --epochs"
    )
