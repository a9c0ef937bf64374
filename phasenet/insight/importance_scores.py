r"""How much each index of a mode matters, by six scores.

With a factor :math:`U_n` whose row i belongs to index i of mode n, a gauge :math:`U_n \to U_n M`,
with the inverse in the core, leaves the weight as it is, and with it every score that is a function
of the weight. The row norms of the factor and of its gradient change unless M is orthogonal.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from phasenet.errors import ShapeError
from phasenet.insight.importance_modes import (
    Linear,
    Mode,
    factor_of,
    modes_of,
    on_index,
    row_norms,
    weight_energy,
)
from phasenet.networks.layers.forms import Tensorized
from phasenet.networks.layers.multilinear import unfolded
from phasenet.trains.train import FloatArray


@dataclass(frozen=True, kw_only=True)
class Score:
    """One way to say how much an index matters.

    Parameters
    ----------
    name
        As tables and arrays call it.
    meaning
        In words, with its unit where it has one.
    gauges
        Which changes of gauge leave it as it is: "all", or "orthogonal" ones alone.
    """

    name: str
    meaning: str
    gauges: str


RECOMMENDED = "added loss"
SCORES = (
    Score(
        name=RECOMMENDED,
        meaning="held-out loss in nats that is added when the index is shuffled over the shots",
        gauges="all",
    ),
    Score(
        name="moved output",
        meaning="standard deviation of what the index adds to the outputs of the layer",
        gauges="all",
    ),
    Score(name="weight energy", meaning="norm of the weight restricted to the index", gauges="all"),
    Score(
        name="gradient x weight",
        meaning="modulus of the derivative of the loss by the scale of that part of the weight",
        gauges="all",
    ),
    Score(
        name="gradient norm",
        meaning="norm of the derivative of the loss by the row of the factor",
        gauges="orthogonal",
    ),
    Score(name="factor norm", meaning="norm of the row of the factor", gauges="orthogonal"),
)
"""All scores, the one to trust first."""

Change = Callable[[Tensor, int], Tensor]
# Rows of inputs that a layer is tried on; one that is called at every site sees far more.
_ROWS = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class ModeScores:
    """Scores of the indices of one mode.

    Parameters
    ----------
    mode
        Which one.
    values
        By the name of the score, each of shape (indices,); NaN where a layer has none.
    error
        Standard error of the added loss over the shots, shape (indices,).
    of_class
        The same for the shots of each class alone, of the added loss, gradient x weight (with its
        sign) and gradient norm, each of shape (classes, indices).
    """

    mode: Mode
    values: Mapping[str, FloatArray]
    error: FloatArray
    of_class: Mapping[str, FloatArray]


def mode_scores(
    network: nn.Module, x: Tensor, y: Tensor, *, classes: int, seed: int = 0
) -> tuple[ModeScores, ...]:
    """Scores of all modes of all tensorized layers of a network, in the gauge that it is in.

    Parameters
    ----------
    network
        In evaluation mode, from inputs of shape (shots, ...) to logits of shape (shots, classes).
        :func:`~phasenet.insight.importance_modes.orthonormal_network` fixes its gauge.
    x, y
        Shots that it was not trained on, and the class of each.
    classes
        How many there are.
    seed
        Of the order in which an index is shuffled.

    >>> from phasenet.networks.layers.tucker import TuckerLinear
    >>> network = nn.Sequential(TuckerLinear((4, 3), (2,), 2)).eval()
    >>> found = mode_scores(network, torch.randn(9, 12), torch.arange(9) % 2, classes=2)
    >>> [len(scores.values["added loss"]) for scores in found]
    [4, 3, 2]
    """
    if y.shape != x.shape[:1] or len(y) == 0:
        raise ShapeError(
            f"the classes have the shape {tuple(y.shape)} for inputs of {tuple(x.shape)}; wanted "
            "one class for each input, and at least one"
        )
    modes = modes_of(network)
    gradients = _gradients(network, modes, x, y, classes)
    added = added_losses(network, modes, x, y, seed=seed)
    moved = _moved(network, modes, x)
    shares = _shares(y, classes)
    result = []
    for mode, (norms, products, total), losses, output in zip(
        modes, gradients, added, moved, strict=True
    ):
        layer = network.get_submodule(mode.layer)
        values = {
            RECOMMENDED: losses.mean(dim=1),
            "moved output": output,
            "weight energy": weight_energy(layer, mode),
            "gradient x weight": (shares @ products).abs(),
            "gradient norm": total,
            "factor norm": _factor_norm(layer, mode),
        }
        by_class = torch.stack([losses[:, y == c].mean(dim=1) for c in range(classes)])
        of_class = {RECOMMENDED: by_class, "gradient x weight": products, "gradient norm": norms}
        result.append(
            ModeScores(
                mode=mode,
                values={name: _array(value) for name, value in values.items()},
                error=_array(losses.std(dim=1, correction=0) / np.sqrt(max(len(y) - 1, 1))),
                of_class={name: _array(value) for name, value in of_class.items()},
            )
        )
    return tuple(result)


@torch.no_grad()
def added_losses(
    network: nn.Module, modes: Sequence[Mode], x: Tensor, y: Tensor, *, seed: int
) -> list[Tensor]:
    """Loss of each shot with an index shuffled over the shots less that without.

    Parameters
    ----------
    network, x, y, seed
        As :func:`mode_scores` takes them.
    modes
        Which ones; any factors of the inputs of a layer will do, those of its weight or not.

    Returns
    -------
    Of each mode, shape (indices, shots).

    >>> from phasenet.networks.layers.tucker import TuckerLinear
    >>> network = nn.Sequential(TuckerLinear((4, 3), (2,), 2)).eval()
    >>> pixels = Mode(layer="0", side="in", number=0, sizes=(12,))
    >>> found = added_losses(network, [pixels], torch.randn(9, 12), torch.arange(9) % 2, seed=0)
    >>> tuple(found[0].shape)
    (12, 9)
    """
    before = functional.cross_entropy(network(x), y, reduction="none")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    result = []
    for mode in modes:
        rows = []
        for index in range(mode.size):
            with ExitStack() as hooks:
                _hook(hooks, network, mode, _shuffled(index, order))
                after = functional.cross_entropy(network(x), y, reduction="none")
            rows.append((after - before).double())
        result.append(torch.stack(rows))
    return result


@torch.no_grad()
def site_losses(network: nn.Module, x: Tensor, y: Tensor, *, seed: int) -> Tensor:
    """Loss of each shot with a site shuffled over the shots less that without, (sites, shots).

    For any network of local states of shape (shots, sites); the other parameters are those of
    :func:`mode_scores`.

    >>> network = nn.Sequential(nn.Embedding(3, 2), nn.Flatten(), nn.Linear(8, 2))
    >>> x, y = torch.randint(3, (9, 4)), torch.arange(9) % 2
    >>> tuple(site_losses(network, x, y, seed=0).shape)
    (4, 9)
    """
    before = functional.cross_entropy(network(x), y, reduction="none")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    rows = []
    for site in range(x.shape[1]):
        shuffled = x.clone()
        shuffled[:, site] = x[order, site]
        after = functional.cross_entropy(network(shuffled), y, reduction="none")
        rows.append((after - before).double())
    return torch.stack(rows)


def step_scores(network: nn.Module) -> tuple[tuple[Mode, FloatArray, FloatArray], ...]:
    """Gradient norm and gradient x weight (with its sign) of every index, between two steps.

    A training that wants the history sums them: call it after `backward`. Over a whole training
    the products tell informative indices better than the norms, which die where it has learned.

    Returns
    -------
    Each mode of a linear layer with both scores, of shape (indices,).

    >>> from phasenet.networks.layers.tucker import TuckerLinear
    >>> network = nn.Sequential(TuckerLinear((4, 3), (2,), 2))
    >>> network(torch.ones(1, 12)).sum().backward()
    >>> [mode.name for mode, *_ in step_scores(network)]
    ['0, input mode 0', '0, input mode 1', '0, output mode 0']
    """
    found = []
    for mode in modes_of(network):
        held = factor_of(network.get_submodule(mode.layer), mode)
        if held is not None and held[0].grad is not None:
            parameter, axis = held
            assert parameter.grad is not None
            rows = unfolded(parameter.grad, axis)
            product = rows * unfolded(parameter.detach(), axis)
            found.append((mode, _array(row_norms(rows)), _array(product.sum(dim=1))))
    return tuple(found)


def _gradients(
    network: nn.Module, modes: Sequence[Mode], x: Tensor, y: Tensor, classes: int
) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Of each mode: row norms and products of the gradient for each class, row norms for all."""
    dtype = next(network.parameters()).dtype
    gates = [torch.ones(mode.size, dtype=dtype, requires_grad=True) for mode in modes]
    held = [factor_of(network.get_submodule(mode.layer), mode) for mode in modes]
    factors = [one[0] for one in held if one is not None]
    with ExitStack() as hooks, torch.enable_grad():
        for mode, gate in zip(modes, gates, strict=True):
            _hook(hooks, network, mode, _scaled(gate))
        losses = functional.cross_entropy(network(x), y, reduction="none")
        means = [losses[y == c].sum() / (y == c).sum().clamp_min(1) for c in range(classes)]
        found = [
            torch.autograd.grad(mean, [*gates, *factors], retain_graph=True, materialize_grads=True)
            for mean in means
        ]
    shares, result, place = _shares(y, classes), [], len(gates)
    for k, one in enumerate(held):
        products = torch.stack([grads[k] for grads in found])
        norms, total = torch.full_like(products, torch.nan), torch.full_like(products[0], torch.nan)
        if one is not None:
            stacked = torch.stack([unfolded(grads[place], one[1]) for grads in found])
            norms = torch.stack([row_norms(rows) for rows in stacked])
            total = row_norms(torch.tensordot(shares.to(stacked), stacked, dims=1))
            place += 1
        result.append((norms.double(), products.double(), total.double()))
    return result


@torch.no_grad()
def _moved(network: nn.Module, modes: Sequence[Mode], x: Tensor) -> list[Tensor]:
    """Standard deviation of what each index adds to the outputs, in squares summed over them."""
    seen = _inputs(network, {mode.layer for mode in modes}, x)
    result = []
    for mode in modes:
        layer, inputs = network.get_submodule(mode.layer), seen[mode.layer]
        if mode.side == "out":
            parts = _variance(layer, layer(inputs)).reshape(mode.sizes)
            squares = unfolded(parts, mode.number).sum(dim=1)
        else:
            alone = (on_index(inputs, layer, mode, _only(index)) for index in range(mode.size))
            squares = torch.stack([_variance(layer, layer(one)).sum() for one in alone])
        result.append(squares.sqrt())
    return result


def _inputs(network: nn.Module, names: set[str], x: Tensor) -> dict[str, Tensor]:
    """What layers see, evenly thinned where it is too much."""
    seen: dict[str, list[Tensor]] = {name: [] for name in names}
    with ExitStack() as hooks:
        for name in names:
            layer = network.get_submodule(name)

            def note(layer: nn.Module, inputs: tuple[Tensor, ...], name: str = name) -> None:
                linear = isinstance(layer, Linear)
                seen[name].append((inputs[0].flatten(0, -2) if linear else inputs[0]).clone())

            hooks.callback(layer.register_forward_pre_hook(note).remove)
        network(x)
    joined = {name: torch.cat(parts) for name, parts in seen.items()}
    return {name: rows[:: -(-len(rows) // _ROWS)] for name, rows in joined.items()}


def _variance(layer: nn.Module, outputs: Tensor) -> Tensor:
    """Variance of each output of a layer over shots and places, shape (outputs,)."""
    axis = -1 if isinstance(layer, Linear) else 1
    return outputs.double().movedim(axis, -1).flatten(0, -2).var(dim=0, correction=0)


def _factor_norm(layer: nn.Module, mode: Mode) -> Tensor:
    held = factor_of(layer, mode)
    if held is None:
        return torch.full((mode.size,), torch.nan)
    parameter, axis = held
    return row_norms(unfolded(parameter.detach(), axis))


def _hook(hooks: ExitStack, network: nn.Module, mode: Mode, change: Change) -> None:
    """Let a layer see changed inputs, or give changed outputs: their part without the bias."""
    layer = network.get_submodule(mode.layer)
    if mode.side == "in":

        def before(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return (on_index(inputs[0], layer, mode, change), *inputs[1:])

        hooks.callback(layer.register_forward_pre_hook(before).remove)
        return

    def after(layer: nn.Module, _: tuple[Tensor, ...], outputs: Tensor) -> Tensor:
        assert isinstance(layer, Tensorized)
        bias = torch.zeros(()) if layer.bias is None else layer.bias
        if layer.bias is not None and not isinstance(layer, Linear):
            bias = bias.reshape(-1, *(1,) * (outputs.ndim - 2))
        return on_index(outputs - bias, layer, mode, change) + bias

    hooks.callback(layer.register_forward_hook(after).remove)


def _scaled(gate: Tensor) -> Change:
    """Each index times a number of its own."""
    return lambda parts, axis: parts * gate.reshape(-1, *(1,) * (parts.ndim - 1 - axis))


def _only(index: int) -> Change:
    """All other indices zero."""

    def change(parts: Tensor, axis: int) -> Tensor:
        result = torch.zeros_like(parts)
        result.select(axis, index).copy_(parts.select(axis, index))
        return result

    return change


def _shuffled(index: int, order: Tensor) -> Change:
    """One index taken from other shots."""

    def change(parts: Tensor, axis: int) -> Tensor:
        shots = [a for a in range(axis) if parts.shape[a] == len(order)]
        if len(shots) != 1:
            raise ShapeError(
                f"a layer sees {tuple(parts.shape)} for {len(order)} shots; wanted one axis of "
                "that length, over which an index is shuffled: take another number of shots"
            )
        result = parts.clone()
        others = parts.select(axis, index).index_select(shots[0], order)
        result.select(axis, index).copy_(others)
        return result

    return change


def _shares(y: Tensor, classes: int) -> Tensor:
    return torch.bincount(y, minlength=classes).double() / len(y)


def _array(value: Tensor) -> FloatArray:
    return np.asarray(value.detach().double().cpu().numpy())
