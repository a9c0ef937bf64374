"""A tensorized classifier as an observable of open chains."""

import math

import numpy as np

from phasenet.errors import ShapeError
from phasenet.phases.conditional import conditional_bulk_string_order
from phasenet.phases.observables import Quantity
from phasenet.phases.spins import is_integer_spin
from phasenet.points import ParameterPoint
from phasenet.records import TensorizedClassifier
from phasenet.trains.diagonal import diagonal_expectation
from phasenet.trains.train import TensorTrain

_LARGEST_ERROR = 0.1


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
