"""Networks with decomposed layers, taught by the dense network that they come from.

Layer by layer first: each new layer is fitted to what the dense one makes of the inputs that it
sees. Then as a whole: the logits of the dense network say more about a shot than its label.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.layers.forms import dense_layers

Progress = Callable[[int, str], None]
"""Receives the number of the step or epoch and one line about it."""


def inputs_of(network: nn.Module, batches: Sequence[Tensor]) -> dict[str, Tensor]:
    """Inputs that the dense layers of a network see, by name, as from_dense takes for samples.

    Parameters
    ----------
    network
        Dense.
    batches
        Inputs of the network.

    >>> seen = inputs_of(nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)), [torch.ones(5, 3)] * 2)
    >>> {name: tuple(inputs.shape) for name, inputs in seen.items()}
    {'0': (10, 3), '1': (10, 2)}
    """
    layers = dense_layers(network)
    found: dict[str, list[Tensor]] = {name: [] for name in layers}
    for batch in batches:
        for name, seen in _seen(network, layers, batch).items():
            found[name] += [
                x.flatten(0, -2) if isinstance(layers[name], nn.Linear) else x for x, _ in seen
            ]
    return {name: torch.cat(inputs) for name, inputs in found.items() if inputs}


def heal(
    network: nn.Module,
    dense: nn.Module,
    batches: Sequence[Tensor],
    *,
    steps: int = 300,
    learning_rate: float = 1e-2,
    progress: Progress | None = None,
) -> nn.Module:
    r"""Copy of a network whose new layers do on the inputs of the dense ones what those do.

    Each layer is fitted alone, by Adam with a rate that falls to zero, to
    :math:`\|y' - y\|^2 / \|y\|^2` over the inputs that the dense layer has in the dense network;
    no layer sees the errors of another, and dropout is off. A layer that this does not improve
    stays as it was.

    Parameters
    ----------
    network
        The dense network with some layers replaced, at the same names.
    dense
        Trained.
    batches
        Inputs of the network; they are gone through again and again. Labels are not needed.
    steps
        Batches in all.
    learning_rate
        Of the first step, relative to the size of the entries of each parameter.
    progress
        Told of the relative error of the outputs, averaged over the layers.

    >>> from phasenet.networks.layers.cp import CPLinear
    >>> from phasenet.networks.layers.forms import replaced
    >>> dense = nn.Sequential(nn.Linear(4, 4))
    >>> network = replaced(dense, {"0": CPLinear((4,), (4,), (2,))})
    >>> type(heal(network, dense, [torch.randn(64, 4)], steps=2)[0]).__name__
    'CPLinear'
    """
    if len(batches) == 0:
        raise SettingsError("there are no batches of inputs to heal on; pass at least one")
    result = copy.deepcopy(network)
    pairs = _pairs(result, dense)
    with _evaluating(result):
        before = _errors(result, pairs, dense, batches)
        kept = {name: copy.deepcopy(result.get_submodule(name).state_dict()) for name in pairs}
        layers = [result.get_submodule(name) for name in pairs]
        optimiser = torch.optim.Adam(_relative(layers, learning_rate))
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
        for step in range(1, steps + 1):
            seen = _seen(dense, pairs, batches[(step - 1) % len(batches)])
            errors = torch.stack([_error(result.get_submodule(n), seen[n]) for n in seen])
            optimiser.zero_grad()
            torch.autograd.backward(errors.sum())
            optimiser.step()
            decay.step()
            if progress is not None:
                mean = float(errors.detach().sqrt().mean())
                progress(step, f"relative error of the outputs of a layer {mean:.4f}")
        after = _errors(result, pairs, dense, batches)
    for name in pairs:
        if not after[name] < before[name]:
            result.get_submodule(name).load_state_dict(kept[name])
    return result


def distill(
    network: nn.Module,
    dense: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int,
    temperature: float = 2.0,
    share: float = 0.7,
    batch: int = 128,
    learning_rate: float = 1e-3,
    seed: int = 0,
    progress: Progress | None = None,
) -> nn.Module:
    """Copy of a network, trained on the logits of another and on labels.

    The loss is the cross entropy with the labels and, with the weight `share`, the Kullback-Leibler
    divergence from the softened probabilities of the dense network (G. Hinton, O. Vinyals, J. Dean,
    arXiv:1503.02531), times the temperature squared so that neither depends on it in size.

    Parameters
    ----------
    network
        What is trained.
    dense
        What teaches, in evaluation mode.
    x, y
        Inputs of any shape and their classes, shape (shots,).
    epochs
        Passes over the shots, by Adam with a rate that falls to zero along a cosine.
    temperature
        By which both logits are divided.
    share
        Of the teacher in the loss, from 0 to 1.
    batch
        Shots of one step.
    learning_rate
        Of the first epoch. Tensorized layers bear larger rates than dense ones: of images, 1e-2
        taught them best.
    seed
        Of the order of the shots and of dropout.
    progress
        Told of the mean loss of each epoch.

    >>> net = nn.Linear(2, 2)
    >>> x = torch.randn(32, 2)
    >>> type(distill(net, net, x, (x[:, 0] > 0).long(), epochs=1)).__name__
    'Linear'
    """
    _check(x, y, share, temperature)
    teacher = _logits(dense, x, batch)

    def loss(logits: Tensor, shots: Tensor) -> Tensor:
        labels = functional.cross_entropy(logits, y[shots])
        softened = functional.kl_div(
            torch.log_softmax(logits / temperature, dim=1),
            torch.log_softmax(teacher[shots] / temperature, dim=1),
            reduction="batchmean",
            log_target=True,
        )
        return (1 - share) * labels + share * temperature**2 * softened

    return _trained(network, x, loss, epochs, batch, learning_rate, seed, progress)


def fine_tune(
    network: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int,
    batch: int = 128,
    learning_rate: float = 1e-3,
    seed: int = 0,
    progress: Progress | None = None,
) -> nn.Module:
    """Copy of a network, trained on labels alone; parameters as those of :func:`distill`.

    >>> x = torch.randn(32, 2)
    >>> type(fine_tune(nn.Linear(2, 2), x, (x[:, 0] > 0).long(), epochs=1)).__name__
    'Linear'
    """
    _check(x, y, 0.0, 1.0)

    def loss(logits: Tensor, shots: Tensor) -> Tensor:
        return functional.cross_entropy(logits, y[shots])

    return _trained(network, x, loss, epochs, batch, learning_rate, seed, progress)


def _relative(layers: Sequence[nn.Module], learning_rate: float) -> list[dict[str, Any]]:
    """Rates in proportion to the entries: a gauge makes one factor small and another one large."""
    groups: list[dict[str, Any]] = []
    for layer in layers:
        sizes = {p: float(p.detach().square().mean().sqrt()) for p in layer.parameters()}
        usual = math.exp(sum(math.log(s) for s in sizes.values() if s > 0) / max(len(sizes), 1))
        groups += [{"params": [p], "lr": learning_rate * (s or usual)} for p, s in sizes.items()]
    return groups


def _trained(
    network: nn.Module,
    x: Tensor,
    loss: Callable[[Tensor, Tensor], Tensor],
    epochs: int,
    batch: int,
    learning_rate: float,
    seed: int,
    progress: Progress | None,
) -> nn.Module:
    result = copy.deepcopy(network).train()
    optimiser = torch.optim.Adam(result.parameters(), lr=learning_rate)
    generator = torch.Generator().manual_seed(seed)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(epochs, 1))
    # Dropout draws from the one generator that all of torch shares.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for epoch in range(1, epochs + 1):
            total = 0.0
            for shots in torch.split(torch.randperm(len(x), generator=generator), batch):
                optimiser.zero_grad()
                value = loss(result(x[shots]), shots)
                torch.autograd.backward(value)
                optimiser.step()
                total += float(value.detach()) * len(shots)
            decay.step()
            if progress is not None:
                progress(epoch, f"loss {total / len(x):.4f}")
    return result.train(network.training)


def _check(x: Tensor, y: Tensor, share: float, temperature: float) -> None:
    if y.shape != x.shape[:1] or len(y) == 0:
        raise ShapeError(
            f"the classes have the shape {tuple(y.shape)} for inputs of {tuple(x.shape)}; wanted "
            "one class for each input, and at least one"
        )
    if not (0 <= share <= 1 and temperature > 0):
        raise SettingsError(
            f"the share of the teacher is {share} at the temperature {temperature}; wanted a share "
            "from 0 to 1 and a temperature above 0"
        )


@torch.no_grad()
def _logits(network: nn.Module, x: Tensor, batch: int) -> Tensor:
    with _evaluating(network):
        return torch.cat([network(part) for part in torch.split(x, batch)])


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


def _pairs(network: nn.Module, dense: nn.Module) -> dict[str, nn.Module]:
    """Dense layers that another layer stands for in the network, by name."""
    there = dict(network.named_modules())
    pairs: dict[str, nn.Module] = {
        name: layer
        for name, layer in dense_layers(dense).items()
        if name in there and type(there[name]) is not type(layer)
    }
    if not pairs:
        raise SettingsError(
            "no layer of the network was replaced; wanted tensorized layers at the names of dense "
            "ones, as forms.replaced puts them"
        )
    return pairs


@torch.no_grad()
def _seen(
    network: nn.Module, layers: Mapping[str, nn.Module], batch: Tensor
) -> dict[str, list[tuple[Tensor, Tensor]]]:
    """Inputs and outputs of some layers of a network, one pair for each call."""
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in layers}

    def hook(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        # Copies: what comes after the layer may change its output in place.
        return lambda _, inputs, output: seen[name].append((inputs[0].clone(), output.clone()))

    handles = [layer.register_forward_hook(hook(name)) for name, layer in layers.items()]
    try:
        with _evaluating(network):
            network(batch)
    finally:
        for handle in handles:
            handle.remove()
    return {name: pairs for name, pairs in seen.items() if pairs}


def _error(layer: nn.Module, pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Squared error of the outputs relative to the outputs themselves."""
    missed = torch.stack([(layer(x) - y).square().sum() for x, y in pairs]).sum()
    return missed / sum(y.square().sum() for _, y in pairs)


@torch.no_grad()
def _errors(
    network: nn.Module, pairs: dict[str, nn.Module], dense: nn.Module, batches: Sequence[Tensor]
) -> dict[str, float]:
    totals = dict.fromkeys(pairs, 0.0)
    for batch in batches:
        for name, seen in _seen(dense, pairs, batch).items():
            totals[name] += float(_error(network.get_submodule(name), seen))
    return totals
