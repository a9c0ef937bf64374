r"""Networks whose first layer is linear in the one-hot local states, cut in two anywhere.

The outputs of such a layer, :math:`\sum_i W_i(\sigma_i)`, are the sum of what the sites on both
sides of a cut give: a pair of a prefix and a suffix costs one addition and the later layers.
"""

import numpy as np
import torch
from torch import nn

from phasenet.networks.architectures.tensorized import dense_weight
from phasenet.networks.evaluation import Finish, NetworkFunction, largest_layer
from phasenet.trains.train import Array, FloatArray, IntArray, check_configurations


class OneHotLinear(nn.Module):
    """Linear layer over the one-hot local states of a whole chain.

    A Sequential that starts with it is a network of local states that
    :func:`~phasenet.networks.functions.logits_function` cuts in two.

    Parameters
    ----------
    length
        Number of sites.
    site_dim
        Number of local states.
    width
        Number of outputs.

    >>> layer = OneHotLinear(length=4, site_dim=2, width=3)
    >>> tuple(layer(torch.zeros(5, 4, dtype=torch.long)).shape)
    (5, 3)
    """

    def __init__(self, *, length: int, site_dim: int, width: int) -> None:
        super().__init__()
        self.length, self.site_dim = length, site_dim
        self.linear = nn.Linear(length * site_dim, width)

    def forward(self, spins: torch.Tensor) -> torch.Tensor:
        """Outputs, shape (shots, width), of local states of shape (shots, sites)."""
        ones = nn.functional.one_hot(spins.long(), self.site_dim).flatten(1)
        # A tensorized layer has no weight, but parameters of the same precision.
        outputs: torch.Tensor = self.linear(ones.to(next(self.parameters()).dtype))
        return outputs


class LinearFirstFunction(NetworkFunction):
    """Outputs of a network that starts with :class:`OneHotLinear`, from both sides of any cut.

    Features of one side are its part of the outputs of the first layer. The parameters are those
    of :class:`~phasenet.networks.evaluation.NetworkFunction`.

    >>> from phasenet.networks.evaluation import unchanged
    >>> layer = OneHotLinear(length=4, site_dim=2, width=3)
    >>> split = LinearFirstFunction(nn.Sequential(layer), torch.device("cpu"), finish=unchanged)
    >>> left, right = split.prefixes(np.array([[0]])), split.suffixes(np.array([[1, 0, 1]]))
    >>> np.allclose(split.pairs(left, right), split(np.array([[0, 1, 0, 1]])), rtol=1e-5, atol=1e-6)
    True
    """

    def __init__(self, network: nn.Sequential, device: torch.device, *, finish: Finish) -> None:
        super().__init__(network, device, finish=finish)
        assert isinstance(self._network, nn.Sequential)
        first = self._network[0]
        assert isinstance(first, OneHotLinear)
        self._site_dims = (first.site_dim,) * first.length
        weight = dense_weight(first.linear).T.reshape(first.length, first.site_dim, -1)
        self._table = np.ascontiguousarray(weight.cpu().numpy())
        self._bias = first.linear.bias
        self._rest = self._network[1:]
        self._pair_bytes = 0

    def prefixes(self, states: IntArray, /) -> Array:
        """Features of the first sites, from integers of shape (rows, sites)."""
        return self._summed(states, 0)

    def suffixes(self, states: IntArray, /) -> Array:
        """Features of the last sites, from integers of shape (rows, sites)."""
        return self._summed(states, len(self._site_dims) - np.shape(states)[1])

    def extend_prefixes(self, features: Array, site: int, states: IntArray, /) -> Array:
        """Features after one more site on the right, whose number is given."""
        extended: Array = features + self._table[site].take(states, axis=0)
        return extended

    def extend_suffixes(self, features: Array, site: int, states: IntArray, /) -> Array:
        """Features after one more site on the left, whose number is given."""
        return self.extend_prefixes(features, site, states)

    @torch.inference_mode()
    def pairs(self, left: Array, right: Array, /) -> FloatArray:
        """Values at configurations joined from aligned rows of features of the sides of a cut."""
        sums = left + right
        if not self._pair_bytes and len(sums):
            self._pair_bytes = largest_layer(self._rest, self._moved(sums[:1]))
        return self._in_batches(self._after_first, self._pair_bytes or 1, sums)

    def _after_first(self, sums: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = self._rest(sums + self._bias)
        return values

    def _checked(self, configurations: Array) -> Array:
        return check_configurations(configurations, self._site_dims)

    def _summed(self, states: IntArray, first: int) -> Array:
        count = np.shape(states)[1]
        states = check_configurations(states, self._site_dims[first : first + count])
        features: Array = np.zeros((len(states), self._table.shape[2]), dtype=self._dtype)
        for site in range(count):
            features += self._table[first + site].take(states[:, site], axis=0)
        return features
