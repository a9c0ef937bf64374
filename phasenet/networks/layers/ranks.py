"""Ranks over a whole network: each layer gets the parameters with which it serves the loss most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.networks.layers.budgets import Dense, numbers_of, useful, weight_of
from phasenet.networks.layers.forms import (
    Form,
    LayerForm,
    default_modes,
    dense_layers,
    form_for,
    from_dense,
    replaced,
)

Progress = Callable[[int, str], None]
"""Receives the number of networks tried so far and one line about the last of them."""

RATIOS = (1.5, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 35.0, 60.0, 100.0)
# States that the choice keeps after each layer; the best of each step of the budget survive.
_STATES = 4096


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The network with one layer in another form.

    Parameters
    ----------
    form
        Of the layer; None: dense.
    numbers
        Parameters of the weight in this form.
    loss
        Of the network, all other layers dense.
    """

    form: LayerForm | None
    numbers: int
    loss: float

    def __str__(self) -> str:
        held = "dense" if self.form is None else f"{self.form.form} {self.form.ranks}"
        return f"{held}, {self.numbers} parameters: loss {self.loss:.4g}"


def allocate(
    network: nn.Module,
    loss: Callable[[nn.Module], float],
    form: Form,
    budget: int,
    *,
    ratios: Sequence[float] = RATIOS,
    samples: Mapping[str, torch.Tensor] | None = None,
    progress: Progress | None = None,
) -> dict[str, LayerForm]:
    """Forms by name with which the network keeps a budget and loses least, layer by layer.

    Each layer alone is replaced at several ranks and the loss is measured; of all choices for all
    layers, the one of the least sum of losses that keeps the budget is taken. Layers that are not
    named stay dense.

    Parameters
    ----------
    network
        Trained; it is not changed.
    loss
        Of a network, on held-out data; the less the better. It is called without gradients.
    form
        Of every layer that is replaced.
    budget
        Parameters of the whole network at most, biases and all.
    ratios
        Compressions of one layer that are tried, beside that of rank 1.
    samples
        Inputs of layers by name: decompositions are then in their metric.
    progress
        Told of every network that was tried.

    Raises
    ------
    SettingsError
        The budget is below what rank 1 everywhere has.

    >>> network, x = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16)), torch.randn(64, 16)
    >>> list(allocate(network, lambda n: float((n[0](x) - network[0](x)).norm()), "cp", 400))
    ['1']
    """
    trials = sensitivity(network, loss, form, ratios=ratios, samples=samples, progress=progress)
    total = sum(parameter.numel() for parameter in network.parameters())
    dense = sum(each[0].numbers for each in trials.values())
    return chosen(trials, budget - (total - dense))


@torch.no_grad()
def sensitivity(
    network: nn.Module,
    loss: Callable[[nn.Module], float],
    form: Form,
    *,
    ratios: Sequence[float] = RATIOS,
    samples: Mapping[str, torch.Tensor] | None = None,
    progress: Progress | None = None,
) -> dict[str, tuple[Trial, ...]]:
    """Trials of every layer by name, the dense one first, then with fewer and fewer parameters.

    Parameters as those of :func:`allocate`.

    >>> network = nn.Sequential(nn.Linear(16, 16))
    >>> trials = sensitivity(network, lambda n: 0.0, "cp", ratios=(2.0,))["0"]
    >>> [trial.numbers for trial in trials]
    [256, 120, 24]
    """
    start, done, result = loss(network), 0, {}
    for name, layer in dense_layers(network).items():
        inputs = (samples or {}).get(name)
        trials = [Trial(form=None, numbers=layer.weight.numel(), loss=start)]
        for candidate, numbers in _candidates(layer, form, ratios, inputs):
            made = from_dense(layer, candidate, samples=inputs)
            trials.append(
                Trial(form=candidate, numbers=numbers, loss=loss(replaced(network, {name: made})))
            )
            done += 1
            if progress is not None:
                progress(done, f"{name} as {trials[-1]}")
        result[name] = tuple(trials)
    return result


def chosen(trials: Mapping[str, Sequence[Trial]], numbers: int) -> dict[str, LayerForm]:
    """Forms of the least sum of losses whose weights have at most so many parameters.

    >>> small = LayerForm(form="cp", in_modes=(9,), out_modes=(9,), ranks=(1,))
    >>> dense = Trial(form=None, numbers=81, loss=0.1)
    >>> low, high = (Trial(form=small, numbers=18, loss=loss) for loss in (1, 2))
    >>> trials = {"a": (dense, high), "b": (dense, low)}
    >>> list(chosen(trials, 100)), list(chosen(trials, 162))
    (['b'], [])
    """
    least = sum(_least(each) for each in trials.values())
    if least > numbers:
        raise SettingsError(
            f"the budget leaves {numbers} parameters to the weights, which have {least} at rank 1; "
            "raise it or take another form"
        )
    # Parameters, loss and choices so far; no state has more parameters and more loss than another.
    states: list[tuple[int, float, tuple[int, ...]]] = [(0, 0.0, ())]
    for each in trials.values():
        # Room for rank 1 in all layers to come.
        least -= _least(each)
        states = _pruned(
            [
                (size + trial.numbers, loss + trial.loss - each[0].loss, (*choices, place))
                for size, loss, choices in states
                for place, trial in enumerate(each)
                if size + trial.numbers + least <= numbers
            ],
            numbers,
        )
    best = min(states, key=lambda state: (state[1], state[0]))[2]
    picked = zip(trials.items(), best, strict=True)
    forms = {name: each[place].form for (name, each), place in picked}
    return {name: form for name, form in forms.items() if form is not None}


def _candidates(
    layer: Dense, form: Form, ratios: Sequence[float], samples: torch.Tensor | None
) -> list[tuple[LayerForm, int]]:
    """Forms that are smaller than the dense layer, each once, with their parameters."""
    weight = weight_of(layer, form, default_modes(layer, form), samples)
    least = numbers_of(weight, form, useful(weight, form, 1))
    sizes = [ratio for ratio in sorted(ratios) if weight.size / ratio >= least]
    forms = [form_for(layer, form, ratio=ratio, samples=samples) for ratio in sizes]
    forms.append(form_for(layer, form, ranks=1, samples=samples))
    found = {each: numbers_of(weight, form, each.ranks) for each in forms}
    return [(each, numbers) for each, numbers in found.items() if numbers < weight.size]


def _least(trials: Sequence[Trial]) -> int:
    return min(trial.numbers for trial in trials)


def _pruned(
    states: Sequence[tuple[int, float, tuple[int, ...]]], numbers: int
) -> list[tuple[int, float, tuple[int, ...]]]:
    front: list[tuple[int, float, tuple[int, ...]]] = []
    for state in sorted(states):
        if not front or state[1] < front[-1][1]:
            front.append(state)
    if len(front) <= _STATES:
        return front
    # Along the front the loss falls: the last state of a step of the budget is its best.
    steps = {size * _STATES // max(numbers, 1): place for place, (size, _, _) in enumerate(front)}
    return [front[place] for place in sorted({0, *steps.values()})]
