"""A classifier and all that it is explained by, read once."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from phasenet.card import StudyCard
from phasenet.networks.functions import logits_function, probabilities_function
from phasenet.points import ParameterPoint
from phasenet.records import TensorizedClassifier
from phasenet.shots import Snapshots
from phasenet.trained import TrainedNetwork
from phasenet.trains.form import StateForm
from phasenet.trains.train import FloatArray, IntArray


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownState:
    """Ground state of an open chain at one point.

    Parameters
    ----------
    point
        Its couplings.
    label
        Phase, by the invariants of the state, never by the network; None where it is not labelled.
    form
        Canonical form of the state.
    """

    point: ParameterPoint
    label: str | None
    form: StateForm


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """What is explained, and what it is explained by.

    Parameters
    ----------
    name
        Of the network's file.
    record
        The classifier.
    network
        The same as a torch module in evaluation mode: local states of shape (shots, sites) to
        logits of shape (shots, classes).
    classifier
        Its trains.
    states
        Ground states of the sweep, of the length of the trains, by couplings.
    snapshots
        Labelled shots that the network was trained and tested on.
    card
        Of the study; None for files of no study.
    seed
        Of all random choices.
    """

    name: str
    record: TrainedNetwork
    network: nn.Module
    classifier: TensorizedClassifier
    states: tuple[KnownState, ...]
    snapshots: Snapshots
    card: StudyCard | None
    seed: int = 0

    def logits(self, spins: IntArray) -> FloatArray:
        """Logits of local states of shape (shots, sites), shape (shots, classes)."""
        return logits_function(self.network)(spins)

    def probabilities(self, spins: IntArray) -> FloatArray:
        """Probabilities of the classes, shape (shots, classes); not tempered."""
        return probabilities_function(self.network)(spins)


Progress = Callable[[int, str], None]
"""Hears of steps that are done, and a word about them."""
