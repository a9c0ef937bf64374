"""Networks with decomposed weights: ranks within a budget, decomposition, healing."""

import copy
import math
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from phasenet.networks.compression.measures import outputs_of, parameters_of
from phasenet.networks.healing import heal, inputs_of
from phasenet.networks.layers.budgets import Dense
from phasenet.networks.layers.forms import (
    FORMS,
    LayerForm,
    dense_layers,
    form_for,
    from_dense,
    replaced,
    untrained,
)
from phasenet.networks.layers.ranks import RATIOS, Trial, chosen

LOW_RANK = "low rank"
_HEALING_RATE = 3e-3
_SAME_TOL = 1e-6
Trials = Mapping[str, Sequence[Trial]]


class Decomposer:
    """Decompositions of one dense network, on some of its inputs.

    Parameters
    ----------
    network
        Dense and trained.
    x
        Inputs: half of them weigh the errors of the weights, the other half tell how much each
        layer matters.
    """

    def __init__(self, network: nn.Module, x: torch.Tensor) -> None:
        half = max(1, len(x) // 2)
        self.network = network
        self.parameters = parameters_of(network)
        self._layers = dense_layers(network)
        self._seen = inputs_of(network, [x[:half]])
        self._held_out = x[-half:]
        self._wanted = torch.log_softmax(outputs_of(network, self._held_out), dim=1)
        self._trials: dict[str, Trials] = {}
        self._made: dict[tuple[str, LayerForm], nn.Module] = {}

    def forms(self, family: str, budget: int) -> dict[str, LayerForm]:
        """Forms of the layers that bring the network to at most so many parameters.

        Of two choices, the one whose network is nearer to the dense one: that of the least sum of
        losses, each measured with one layer decomposed alone, and one that grows from rank 1 in
        all layers, by what helps all of them together most.

        Parameters
        ----------
        family
            A form, or "low rank": a matrix of low rank for every weight.
        budget
            Parameters of the whole network.

        Returns
        -------
        By the names of the layers; empty if rank 1 everywhere is still larger.
        """
        if family not in self._trials:
            self._trials[family] = self._tried(family)
        trials = self._trials[family]
        fixed = self.parameters - sum(each[0].numbers for each in trials.values())
        if sum(min(t.numbers for t in each) for each in trials.values()) > budget - fixed:
            return {}
        choices = [chosen(trials, budget - fixed), self._grown(trials, budget - fixed)]
        return min(choices, key=lambda forms: self._loss(self.decomposed(forms)))

    def decomposed(self, forms: Mapping[str, LayerForm]) -> nn.Module:
        """Copy of the network whose layers have these forms, nearest to the dense ones."""
        made = {name: copy.deepcopy(self._layer(name, form)) for name, form in forms.items()}
        return replaced(self.network, made)

    def _layer(self, name: str, form: LayerForm) -> nn.Module:
        if (name, form) not in self._made:
            self._made[name, form] = nearest(self._layers[name], form, self._seen[name])
        return self._made[name, form]

    def _grown(self, trials: Trials, numbers: int) -> dict[str, LayerForm]:
        """Forms from the least ones on, one layer at a time, as long as the loss of all falls."""
        # The trials of a layer begin with the dense one and get smaller.
        places = {name: len(each) - 1 for name, each in trials.items()}
        best = self._loss_at(trials, places)
        while True:
            moves = [
                {**places, name: place}
                for name in places
                for place in {0, places[name] - 1}
                if 0 <= place < places[name]
            ]
            fitting = [move for move in moves if _numbers(trials, move) <= numbers]
            found = [(self._loss_at(trials, move), k) for k, move in enumerate(fitting)]
            if not found or min(found)[0] >= best:
                return _picked(trials, places)
            best, places = min(found)[0], fitting[min(found)[1]]

    def _loss_at(self, trials: Trials, places: Mapping[str, int]) -> float:
        return self._loss(self.decomposed(_picked(trials, places)))

    @torch.no_grad()
    def _tried(self, family: str) -> Trials:
        """Every layer alone in smaller and smaller forms, all others dense."""
        start, result = self._loss(self.network), {}
        for name, layer in self._layers.items():
            size = layer.weight.numel()
            result[name] = [Trial(form=None, numbers=size, loss=start)]
            for form in _forms(layer, family, self._seen[name]):
                numbers = _weight_numbers(self._layer(name, form))
                if numbers < result[name][-1].numbers:
                    loss = self._loss(self.decomposed({name: form}))
                    result[name].append(Trial(form=form, numbers=numbers, loss=loss))
        return result

    def _loss(self, network: nn.Module) -> float:
        """How far the probabilities of another network are from those of the dense one, in nats."""
        logits = torch.log_softmax(outputs_of(network, self._held_out), dim=1)
        missed = (self._wanted.exp() * (self._wanted - logits)).sum(dim=1)
        return float(missed.mean())


def _picked(trials: Trials, places: Mapping[str, int]) -> dict[str, LayerForm]:
    forms = {name: trials[name][place].form for name, place in places.items()}
    return {name: form for name, form in forms.items() if form is not None}


def _numbers(trials: Trials, places: Mapping[str, int]) -> int:
    return sum(trials[name][place].numbers for name, place in places.items())


def healed(
    network: nn.Module, dense: nn.Module, batches: Sequence[torch.Tensor], steps: int
) -> nn.Module:
    """Network whose new layers are each fitted to what the dense ones do; see :func:`heal`."""
    if steps == 0:
        return network
    return heal(network, dense, batches, steps=steps, learning_rate=_HEALING_RATE)


@torch.no_grad()
def nearest(dense: Dense, form: LayerForm, inputs: torch.Tensor) -> nn.Module:
    """Layer of a form whose outputs are nearest to those of a dense one.

    Where there is a bias, it takes the mean of what the weight misses, so that only the inputs'
    deviations from their mean weigh the error of the weight.

    Parameters
    ----------
    dense
        Trained.
    form
        With its ranks.
    inputs
        Of the layer, as :func:`~phasenet.networks.healing.inputs_of` gives them.

    >>> layer = nearest(
    ...     nn.Linear(3, 2),
    ...     LayerForm(form="cp", in_modes=(3,), out_modes=(2,), ranks=(1,)),
    ...     torch.randn(50, 3) + 10,
    ... )
    >>> tuple(layer.dense_weight().shape)
    (2, 3)
    """
    if dense.bias is None:
        return from_dense(dense, form, samples=inputs)
    axes = [axis for axis in range(inputs.ndim) if axis != _channels(dense)]
    mean = inputs.mean(dim=axes, keepdim=True)
    apart = inputs - mean
    if not bool((apart.abs() > _SAME_TOL * inputs.abs().max()).any()):
        return from_dense(dense, form, samples=inputs)
    layer = from_dense(dense, form, samples=apart)
    missed = dense.weight - layer.dense_weight()
    missed = missed.reshape(*missed.shape[:2], -1).sum(dim=2)
    by_group = mean.reshape(getattr(dense, "groups", 1), 1, -1)
    shift = (missed.reshape(len(by_group), -1, missed.shape[1]) * by_group).sum(dim=2)
    assert layer.bias is not None
    layer.bias.add_(shift.flatten())
    return layer


def _channels(dense: Dense) -> int:
    return -1 if isinstance(dense, nn.Linear) else 1


def _forms(layer: Dense, family: str, inputs: torch.Tensor) -> list[LayerForm]:
    """Forms of a layer, the largest first and rank 1 last."""
    if family == LOW_RANK:
        return _low_ranks(layer)
    form = next(form for form in FORMS if form == family)
    least = form_for(layer, form, ranks=1)
    size = layer.weight.numel()
    room = size / _weight_numbers(untrained(layer, least))
    found = [form_for(layer, form, ratio=r, samples=inputs) for r in RATIOS if r <= room]
    return list(dict.fromkeys([*found, least]))


def _low_ranks(layer: Dense) -> list[LayerForm]:
    """The weight as a matrix of low rank, of a convolution over all its taps."""
    if getattr(layer, "groups", 1) != 1:
        return []
    outputs, inputs = layer.weight.shape[0], math.prod(layer.weight.shape[1:])
    ranks = {1, *(int(layer.weight.numel() / r / (inputs + outputs)) for r in RATIOS)} - {0}
    return [
        LayerForm(form="cp", in_modes=(inputs,), out_modes=(outputs,), ranks=(rank,))
        for rank in sorted(ranks, reverse=True)
    ]


def _weight_numbers(layer: nn.Module) -> int:
    bias = getattr(layer, "bias", None)
    return parameters_of(layer) - (0 if bias is None else bias.numel())
