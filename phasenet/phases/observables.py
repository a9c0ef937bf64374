"""What ``measure`` writes about a state: named numbers with units and errors."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.criteria import Order
from phasenet.errors import ShapeError
from phasenet.phases.conditional import conditional_bulk_string_order
from phasenet.phases.criticality import Criticality, Verdict
from phasenet.phases.entanglement import entropies
from phasenet.phases.local_orders import local_orders
from phasenet.phases.orders import MeasuredOrder, chain_order
from phasenet.phases.spins import Axis, is_integer_spin
from phasenet.phases.spt import Invariant
from phasenet.phases.strings import (
    bulk_string_order,
    string_order_limit,
)
from phasenet.points import ParameterPoint
from phasenet.records import Column, TensorizedClassifier
from phasenet.trains.correlation import correlation_length
from phasenet.trains.diagonal import diagonal_expectation
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

_AXES: tuple[Axis, ...] = ("x", "z")
_LARGEST_ERROR = 0.1


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One number of one state.

    Parameters
    ----------
    name, unit, meaning
        As in :class:`phasenet.records.Column`.
    value, error
        NaN where there is none.
    """

    name: str
    unit: str
    meaning: str
    value: float
    error: float = math.nan


def slug(name: str) -> str:
    """Name of an invariant or an order as a column.

    >>> slug("time reversal"), slug("order at 1/4")
    ('time_reversal', 'order_at_1_4')
    """
    return "_".join(re.findall(r"\w+", name.lower()))


def entanglement_quantities(train: TensorTrain | InfiniteTrain) -> list[Quantity]:
    """Observables that need no spin: of a state of any local degrees of freedom."""
    if isinstance(train, TensorTrain):
        return [
            Quantity(
                name="entropy_finite",
                unit="nat",
                meaning="von Neumann entropy of the middle bond of the open chain",
                value=float(entropies(train)[(train.length - 1) // 2]),
            )
        ]
    return [
        Quantity(
            name="entropy_infinite",
            unit="nat",
            meaning="von Neumann entropy of the bond left of the cell",
            value=float(entropies(train)[0]),
        ),
        Quantity(
            name="correlation_length",
            unit="site",
            meaning="correlation length of the infinite state, from below at finite max_bond",
            value=correlation_length(train),
        ),
    ]


def infinite_quantities(train: InfiniteTrain, found: Sequence[Invariant]) -> list[Quantity]:
    """Observables of an infinite ground state.

    Parameters
    ----------
    train
        State of spins in the z basis.
    found
        Its invariants.
    """
    orders = local_orders(train)
    result = [
        *entanglement_quantities(train),
        Quantity(
            name="quadrupole_infinite",
            unit="1",
            meaning="<(S^z)^2> averaged over the cell",
            value=float(orders.quadrupole.mean()),
        ),
        Quantity(
            name="staggered_magnetisation_infinite",
            unit="1",
            meaning="mean of (-1)^i <S^z_i> over the cell",
            value=float(orders.staggered),
        ),
    ]
    result += _invariant_quantities(found, "infinite")
    if is_integer_spin(train.site_dims[0]):
        result += [
            Quantity(
                name=f"string_{axis}_infinite",
                unit="1",
                meaning=f"-O^{axis} at infinite distance",
                value=string_order_limit(train, axis),
            )
            for axis in _AXES
        ]
    return result


def finite_quantities(train: TensorTrain, found: Sequence[Invariant]) -> list[Quantity]:
    """Observables of an open chain of spins.

    Parameters
    ----------
    train
        State of spins in the z basis.
    found
        Its invariants.
    """
    orders = local_orders(train)
    bulk = slice(train.length // 4, train.length - train.length // 4)
    result = [
        *entanglement_quantities(train),
        Quantity(
            name="quadrupole_finite",
            unit="1",
            meaning="<(S^z)^2> averaged over the middle half of the open chain",
            value=float(orders.quadrupole[bulk].mean()),
        ),
    ]
    result += _invariant_quantities(found, "finite")
    if is_integer_spin(train.site_dims[0]):
        result += [
            Quantity(
                name=f"string_{axis}_finite",
                unit="1",
                meaning=f"-O^{axis} averaged over pairs of sites in two blocks of the bulk",
                value=bulk_string_order(train, axis),
            )
            for axis in _AXES
        ]
    return result


def order_quantities(found: Sequence[MeasuredOrder]) -> list[Quantity]:
    """Local orders of an infinite state."""
    return [
        Quantity(
            name=f"order_{slug(order.name)}_infinite",
            unit="1",
            meaning=f"{order.name} from correlations at a long distance; broken > "
            f"{order.threshold:g}",
            value=order.value,
        )
        for order in found
    ]


def chain_order_quantities(train: TensorTrain, orders: Sequence[Order]) -> list[Quantity]:
    """Local orders of an open chain, from correlations between two blocks of its bulk."""
    return [
        Quantity(
            name=f"order_{slug(order.name)}_finite",
            unit="1",
            meaning=f"{order.name} from correlations between two blocks of the bulk",
            value=chain_order(train, order),
        )
        for order in orders
    ]


def criticality_quantities(found: Criticality) -> list[Quantity]:
    """How an infinite state grows with its bond dimension; NaN where that is not known."""
    gapped = found.verdict is Verdict.GAPPED
    return [
        Quantity(
            name="critical",
            unit="1",
            meaning="1 if the state grows with its bond dimension as a critical one, 0 if gapped",
            value=math.nan if found.verdict is Verdict.UNDETERMINED else float(not gapped),
        ),
        Quantity(
            name="growth_exponent",
            unit="1",
            meaning="kappa of xi ~ max_bond^kappa over the last doubling of max_bond",
            value=found.growth,
        ),
        Quantity(
            name="central_charge",
            unit="1",
            meaning="6 dS / d ln xi over the last doubling of max_bond; none if gapped",
            value=math.nan if gapped else found.central_charge,
        ),
    ]


def classifier_quantities(
    state: TensorTrain, classifier: TensorizedClassifier, point: ParameterPoint
) -> list[Quantity]:
    """The tensorized classifier as an observable of an open chain, by exact contraction.

    Parameters
    ----------
    state
        Open chain of the length that the classifier was made for.
    classifier
        Its logits and probabilities as trains.
    point
        Couplings of the state, which choose the error of the probabilities.

    Raises
    ------
    ShapeError
        The chain has another length or other local states than the classifier.
    """
    logits, probabilities = classifier.logits.train, classifier.probabilities.train
    _check_same_sites(state, logits)
    score = np.asarray(diagonal_expectation(state, logits))
    weight = np.asarray(diagonal_expectation(state, probabilities))
    weight_error, string_error = classifier.errors_at(point)
    result: list[Quantity] = []
    for index, label in enumerate(classifier.classes):
        result += [
            Quantity(
                name=f"logit_{label}",
                unit="1",
                meaning=f"expectation of the logit of class {label}",
                value=float(score[index]),
            ),
            Quantity(
                name=f"probability_{label}",
                unit="1",
                meaning=f"expectation of the probability of class {label}; error: tensorization",
                value=float(weight[index]),
                error=float(weight_error[index]),
            ),
        ]
    if not is_integer_spin(max(state.site_dims)):
        return result
    string = conditional_bulk_string_order(state, probabilities)
    # Error of the quotient <p O>/<p>; where few shots belong to the class it says nothing.
    quotient_error = (string_error + np.abs(string) * weight_error) / np.maximum(weight, 1e-300)
    known = quotient_error < _LARGEST_ERROR
    for index, label in enumerate(classifier.classes):
        result.append(
            Quantity(
                name=f"string_z_given_{label}",
                unit="1",
                meaning=f"-O^z of the snapshots called {label}, bulk; error: tensorization",
                value=float(string[index]) if known[index] else math.nan,
                error=float(quotient_error[index]) if known[index] else math.nan,
            )
        )
    return result


def _check_same_sites(state: TensorTrain, logits: TensorTrain) -> None:
    if state.site_dims != logits.site_dims:
        raise ShapeError(
            f"the state has {state.length} sites of dimension {max(state.site_dims)}, the "
            f"classifier {logits.length} of {max(logits.site_dims)}; measure it without --train, "
            "or with a classifier of its length"
        )


def _invariant_quantities(found: Sequence[Invariant], where: str) -> list[Quantity]:
    result = []
    span = "cell" if where == "infinite" else "two sites"
    for invariant in found:
        result += [
            Quantity(
                name=f"{slug(invariant.name)}_{where}",
                unit="1",
                meaning=f"SPT invariant of {invariant.name} ({invariant.cut}); 0 if undetermined",
                value=float(invariant.value),
            ),
            Quantity(
                name=f"{slug(invariant.name)}_eta_{where}",
                unit="1",
                meaning=f"|eta| of {invariant.name}, per {span}; 1 if the state is symmetric",
                value=float(invariant.eta),
            ),
        ]
    return result


def columns_of(rows: Sequence[Mapping[str, Quantity]]) -> tuple[Column, ...]:
    """Columns of a table from the quantities of each row, NaN where a row lacks one."""
    kinds: dict[str, Quantity] = {}
    for row in rows:
        kinds = {**row, **kinds} if len(row) > len(kinds) else {**kinds, **row}
    missing = Quantity(name="", unit="", meaning="", value=math.nan)
    return tuple(
        Column(
            name=name,
            unit=kind.unit,
            meaning=kind.meaning,
            values=np.asarray([row.get(name, missing).value for row in rows]),
            errors=np.asarray([row.get(name, missing).error for row in rows]),
        )
        for name, kind in kinds.items()
    )
