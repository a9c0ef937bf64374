"""Black box to tensor train: cross interpolation that starts from samples."""

from phasenet.tensorizer.charges import Charges, magnetisation
from phasenet.tensorizer.function import BatchFunction, SplitFunction
from phasenet.tensorizer.logarithms import exponential
from phasenet.tensorizer.result import Outcome, Tensorization
from phasenet.tensorizer.tensorize import tensorize

__all__ = [
    "BatchFunction",
    "Charges",
    "Outcome",
    "SplitFunction",
    "Tensorization",
    "exponential",
    "magnetisation",
    "tensorize",
]
