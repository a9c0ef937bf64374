"""The stored values, one for each kind of file: read this to know what flows through phasenet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError
from phasenet.points import ParameterPoint
from phasenet.study import Boundary
from phasenet.trained import Score as Score
from phasenet.trained import TrainedNetwork as TrainedNetwork
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import FloatArray, TensorTrain


class DmrgOutcome(Enum):
    """How a ground-state search ended; the value is the sentence for the user."""

    CONVERGED = "energy and entropy changes are below energy_atol and entropy_atol"
    BOND_LIMIT = "converged at max_bond, with a truncation above truncation_atol; raise max_bond"
    SWEEP_LIMIT = "max_sweeps reached; raise it, or max_bond, or expect an approximate state"
    INTERRUPTED = "stopped by a signal; the same command goes on"
    IMPORTED = "from a file of another program, which does not tell whether it converged"


@dataclass(frozen=True, kw_only=True, eq=False)
class GroundState:
    """Ground state of one point.

    Parameters
    ----------
    point
        Couplings.
    spin
        Spin of each site.
    train
        Right-canonical cores: an open chain of norm 1, or the repeating cell of an infinite one.
    schmidt_values
        On the bond left of each core; for an open chain the first is (1,).
    charge
        Name of the conserved charge as TeNPy has it, ``2*Sz`` or ``parity_Sz``; empty without one.
    bond_charges
        Charge carried by each index of the bond left of each core and, last, right of the last
        core; empty arrays without a conserved charge.
    energy
        Per site, in units of the exchange; of an open chain the total divided by its length,
        pinning fields included.
    variance
        (<H^2> - <H>^2) / length for an open chain, in squared units; NaN for an infinite one.
    truncation
        Largest discarded weight of the last sweep.
    outcome, sweeps
        How and when the search ended.
    start
        What the search started from, such as ``product state`` or ``neighbour D=0.4,Delta=1``.
    rival
        Energy per site that a second start ended at minus ``energy``, at least 0; NaN where there
        was no second start.
    rival_entropy
        Entropy of the middle bond, or of the bond left of the cell, of the second start minus that
        of this state, in nats; NaN where there was none.
    history
        One entry for each bond dimension on the way, in equally long arrays: ``max_bond``,
        ``sweeps``, ``energy`` (per site), ``entropy`` (nats, of the bond left of the cell or of the
        middle bond), ``truncation`` and, if infinite, ``correlation_length`` (sites).
    """

    point: ParameterPoint
    spin: float
    train: TensorTrain | InfiniteTrain
    schmidt_values: tuple[FloatArray, ...]
    charge: str
    bond_charges: tuple[NDArray[np.int64], ...]
    energy: float
    variance: float
    truncation: float
    outcome: DmrgOutcome
    sweeps: int
    start: str = "product state"
    rival: float = float("nan")
    rival_entropy: float = float("nan")
    history: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def boundary(self) -> Boundary:
        """Open chain or infinite."""
        return Boundary.FINITE if isinstance(self.train, TensorTrain) else Boundary.INFINITE


@dataclass(frozen=True, kw_only=True, eq=False)
class PointLabel:
    """What is known of the phase of one point, and why.

    Parameters
    ----------
    label
        Label of the phase, or None where it is undetermined.
    split
        One of :data:`phasenet.shots.SPLITS`: ``critical`` is labelled, but the chain is too short
        for it to be trained on.
    reason
        One sentence.
    """

    point: ParameterPoint
    label: str | None
    split: str
    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class TensorizedFunction:
    """A function of a classifier as one train with a class leg, and how far it can be trusted.

    Parameters
    ----------
    train
        One output for each class.
    data_error
        Relative L2 error on held-out snapshots, in the data's own distribution.
    agreement, agreement_error
        Fraction of held-out snapshots with the network's decision, and its standard error.
    uniform_error
        Relative L2 error on uniformly random configurations.
    evaluations
        Distinct configurations at which the network was evaluated.
    outcome
        Why the construction stopped, a sentence.
    history
        Curves by name, each of shape (half sweeps,).
    tol
        Tolerance in force, NaN where it is unknown.
    steps
        What the construction did, one phrase each.
    """

    train: TensorTrain
    data_error: float
    agreement: float
    agreement_error: float
    uniform_error: float
    evaluations: int
    outcome: str
    history: Mapping[str, FloatArray]
    tol: float = float("nan")
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class TensorizedBlackBox:
    """Any function as one train, and how far it can be trusted.

    Parameters
    ----------
    name
        What the function was called: ``module:function``, ``file.py:function`` or a file.
    train
        With an output leg if the function has several outputs.
    data_error
        Relative L2 error on held-out samples.
    uniform_error
        Relative L2 error on uniformly random configurations.
    tol
        Tolerance in force: the one asked for, or the noise floor of the function.
    evaluations
        Distinct configurations at which the function was evaluated.
    outcome
        Why the construction stopped, a sentence.
    steps
        What the construction did, one phrase each.
    history
        Curves by name, each of shape (half sweeps,).
    """

    name: str
    train: TensorTrain
    data_error: float
    uniform_error: float
    tol: float
    evaluations: int
    outcome: str
    steps: tuple[str, ...]
    history: Mapping[str, FloatArray]


@dataclass(frozen=True, kw_only=True, eq=False)
class TensorizedClassifier:
    """A classifier as tensor trains.

    Logits of a convolutional network are nearly exact at a small rank. Probabilities are not: the
    softmax saturates. They are needed where a weight between 0 and 1 is, and carry their error.

    Parameters
    ----------
    classes
        Labels in the order of the outputs.
    logits, probabilities
        The two functions.
    points
        Points of the held-out snapshots.
    probability_errors, string_errors
        Error of <p_c> and of -<p_c O^z> (bulk string) at each point that the train of the
        probabilities causes, shape (points, classes): the mean deviation on the held-out snapshots
        of that point plus its standard error.
    held_out
        Number of held-out snapshots.
    """

    classes: tuple[str, ...]
    logits: TensorizedFunction
    probabilities: TensorizedFunction
    points: tuple[ParameterPoint, ...]
    probability_errors: FloatArray
    string_errors: FloatArray
    held_out: int

    def errors_at(self, point: ParameterPoint) -> tuple[FloatArray, FloatArray]:
        """Both errors of each class at a point, or the largest of all points elsewhere."""
        rows = [self.points.index(point)] if point in self.points else slice(None)
        return self.probability_errors[rows].max(axis=0), self.string_errors[rows].max(axis=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """One observable for each row of a table.

    Parameters
    ----------
    name, unit, meaning
        ``unit`` is ``1`` for pure numbers; ``meaning`` is one sentence.
    values, errors
        Shape (rows,); NaN where there is none.
    """

    name: str
    unit: str
    meaning: str
    values: FloatArray
    errors: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """One observable that is an array for each row of a table, such as a string at all distances.

    Parameters
    ----------
    name, unit, meaning
        As of a :class:`Column`.
    axes
        What each axis of the arrays counts, such as ``distance in sites``.
    values
        One array a row, of any shape with that many axes; empty where there is none.
    """

    name: str
    unit: str
    meaning: str
    axes: tuple[str, ...]
    values: tuple[FloatArray, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """Observables of many states: one row a point (or a file), one column an observable.

    Parameters
    ----------
    rows
        Name of each row.
    points
        Couplings of each row; empty for files of unknown couplings.
    labels
        Phase of each row, an empty text where undetermined.
    reasons
        Why, one sentence for each row.
    columns
        Observables that are numbers.
    curves
        Observables that are arrays.
    """

    rows: tuple[str, ...]
    points: tuple[ParameterPoint, ...]
    labels: tuple[str, ...]
    reasons: tuple[str, ...]
    columns: tuple[Column, ...]
    curves: tuple[Curve, ...] = ()

    def column(self, name: str) -> Column:
        """Column by its name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SettingsError(
            f"table has no column {name!r}; it has {', '.join(c.name for c in self.columns)}"
        )


@dataclass(frozen=True, kw_only=True)
class Boundary1D:
    """Where two phases meet along one coupling.

    Parameters
    ----------
    coupling, method
        What is varied, and how the number was found.
    value
        The estimate; of a bare bracket, its middle.
    lower, upper
        Grid points that enclose it.
    below, above
        Labels on both sides.
    at
        The other couplings.
    error
        One standard error of the estimate; NaN of a bracket.
    note
        What the method found besides, such as an exponent or the number of points.
    """

    coupling: str
    method: str
    value: float
    lower: float
    upper: float
    below: str
    above: str
    at: Mapping[str, float]
    error: float = float("nan")
    note: str = ""

    @property
    def error_bar(self) -> float:
        """Standard error, or half the width of a bracket."""
        return (self.upper - self.lower) / 2 if np.isnan(self.error) else self.error


@dataclass(frozen=True, kw_only=True, eq=False)
class PhaseDiagram:
    """Boundaries that follow from a table."""

    table: Table
    boundaries: tuple[Boundary1D, ...]
