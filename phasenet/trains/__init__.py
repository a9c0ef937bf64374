"""Tensor trains and their algebra; numpy and scipy only."""

from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

__all__ = ["InfiniteTrain", "TensorTrain"]
