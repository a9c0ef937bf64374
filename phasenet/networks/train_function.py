"""The tensor-train classifier, cut in two anywhere: it is a train already."""

import numpy as np
import torch

from phasenet.networks.architectures.tensor_train import TrainClassifier, as_train
from phasenet.networks.evaluation import Finish, NetworkFunction
from phasenet.trains.train import Array, FloatArray, IntArray, check_configurations


class TrainFunction(NetworkFunction):
    """Outputs of a tensor-train classifier, from both sides of any cut.

    Features are those of its :class:`~phasenet.trains.train.TensorTrain`. The parameters are those
    of :class:`~phasenet.networks.evaluation.NetworkFunction`.

    >>> from phasenet.networks.evaluation import unchanged
    >>> network = TrainClassifier(site_dim=2, bonds=(2, 4, 2), output_site=2, classes=3)
    >>> split = TrainFunction(network.double(), torch.device("cpu"), finish=unchanged)
    >>> left, right = split.prefixes(np.array([[0]])), split.suffixes(np.array([[1, 0, 1]]))
    >>> np.allclose(split.pairs(left, right), split(np.array([[0, 1, 0, 1]])))
    True
    """

    def __init__(self, network: TrainClassifier, device: torch.device, *, finish: Finish) -> None:
        super().__init__(network, device, finish=finish)
        self._train = as_train(network)

    def prefixes(self, states: IntArray, /) -> Array:
        """Features of the first sites, from integers of shape (rows, sites)."""
        return self._train.prefixes(states)

    def suffixes(self, states: IntArray, /) -> Array:
        """Features of the last sites, from integers of shape (rows, sites)."""
        return self._train.suffixes(states)

    def extend_prefixes(self, features: Array, site: int, states: IntArray, /) -> Array:
        """Features after one more site on the right, whose number is given."""
        return self._train.extend_prefixes(features, site, states)

    def extend_suffixes(self, features: Array, site: int, states: IntArray, /) -> Array:
        """Features after one more site on the left, whose number is given."""
        return self._train.extend_suffixes(features, site, states)

    @torch.inference_mode()
    def pairs(self, left: Array, right: Array, /) -> FloatArray:
        """Values at configurations joined from aligned rows of features of the sides of a cut."""
        values = self._train.pairs(left, right)
        return np.asarray(self._finish(self._moved(values)).cpu().numpy())

    def _checked(self, configurations: Array) -> Array:
        return check_configurations(configurations, self._train.site_dims)
