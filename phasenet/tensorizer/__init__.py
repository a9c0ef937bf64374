"""Black box to tensor train: cross interpolation that starts from samples."""

from phasenet.tensorizer.function import BatchFunction
from phasenet.tensorizer.result import Outcome, Tensorization
from phasenet.tensorizer.tensorize import tensorize

__all__ = ["BatchFunction", "Outcome", "Tensorization", "tensorize"]
