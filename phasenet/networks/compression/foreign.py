"""Torch modules of strangers: taken in, and put together again from a compressed file."""

import copy
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from phasenet.errors import FileKindError, MissingInputError, SettingsError
from phasenet.networks.compression.measures import accuracy_of, outputs_of
from phasenet.networks.compression.narrow import narrow_sequential
from phasenet.networks.compression.task import Labelled, Network, Subject, Task, task_of_arrays
from phasenet.networks.convolutional import load_weights
from phasenet.networks.layers.forms import LayerForm, dense_layers, replaced, untrained
from phasenet.statistics import binomial_error
from phasenet.storage.networks import read_network
from phasenet.trained import Score

KIND = "foreign"
"""Kind of an architecture that phasenet cannot build by itself."""
_WIDTH = "width"
_RIDGE = 1e-4


def task_of_file(path: Path, *, seed: int) -> Task:
    """Task of an ``.npz`` with arrays x, y and perhaps split; nothing in it is executed.

    Raises
    ------
    MissingInputError, FileKindError, ShapeError, SettingsError
    """
    if not path.is_file():
        raise MissingInputError(f"no file {path}")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, EOFError) as error:
        raise FileKindError(
            f"{path} is no .npz of plain arrays; make one with np.savez(path, x=x, y=y)"
        ) from error
    if not {"x", "y"} <= found.keys():
        raise FileKindError(f"{path} holds {', '.join(found) or 'nothing'}; wanted x, y and split")
    return task_of_arrays(found["x"], found["y"], found.get("split"), seed=seed)


def subject_of_module(
    make: Callable[..., Any], weights: Path | None, task: Task, *, name: str
) -> Subject:
    """Trained module that a function returns, checked on a few shots.

    Parameters
    ----------
    make
        Called without arguments. If it has an argument ``width``, a share between 0 and 1, that
        is how narrower networks of the kind are made; else only a Sequential has them.
    weights
        A state_dict saved by torch, read with ``weights_only``; None: the module comes trained.
    task
        Shots.
    name
        What messages call the module.

    Raises
    ------
    SettingsError, FileKindError, MissingInputError
        It returns no module, its weights do not fit, or it fails on the shots.
    """
    network = made_by(make, name)
    if weights is not None:
        _load(network, weights)
    network = network.float().eval()
    _check(network, task, name)
    return Subject(
        network=network,
        dense=network,
        architecture={"kind": KIND, "name": name},
        narrowed=_narrowed(make, network, name),
    )


def made_by(make: Callable[..., Any], name: str, **width: float) -> nn.Module:
    """Module that a function returns; raises SettingsError."""
    try:
        network = make(**width)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise SettingsError(f"{name} failed: {type(error).__name__}: {reason}") from error
    if not isinstance(network, nn.Module):
        raise SettingsError(f"{name} returned a {type(network).__name__}; wanted a torch module")
    return network


def load_compressed(path: Path | str, module: nn.Module) -> nn.Module:
    """Compressed copy of a module, from the file that ``phasenet compress`` chose.

    Parameters
    ----------
    path
        A ``*.compressed.network.h5`` that was made from this module.
    module
        The dense one, trained or not; it is left as it is. For a narrow network of a function with
        an argument ``width``, what the function returns for the width that the file names.

    Raises
    ------
    MissingInputError, FileKindError, SettingsError
        The file is of another kind of network, or does not fit the module.
    """
    _, record = read_network(path)
    architecture = record.architecture
    if architecture.get("kind") != KIND:
        raise FileKindError(
            f"{path} holds a network of phasenet's own; read it with phasenet.read_network"
        )
    network = copy.deepcopy(module)
    shapes = {name: array.shape for name, array in record.weights.items()}
    fits = shapes == {name: tuple(value.shape) for name, value in module.state_dict().items()}
    if _WIDTH in architecture and not fits:
        network = narrow_sequential(module, float(architecture[_WIDTH])) or module
    dense = dense_layers(network)
    forms = {n: LayerForm.of(form) for n, form in architecture.get("layers", {}).items()}
    missing = sorted(forms.keys() - dense.keys())
    if missing:
        raise FileKindError(
            f"{path} has tensorized layers {', '.join(missing)}, which the module lacks"
        )
    network = replaced(
        network, {name: untrained(dense[name], form) for name, form in forms.items()}
    )
    load_weights(network, record.weights)
    return network.eval()


def nulls_of_task(task: Task) -> tuple[Score, ...]:
    """What the largest class and a logistic regression tell on the test shots."""
    most = int(torch.bincount(task.train.y).argmax())
    flat = [part.x.flatten(1).float() for part in (task.train, task.test)]
    centre, width = flat[0].mean(dim=0), flat[0].std(dim=0) + 1e-6
    train, test = ((x - centre) / width for x in flat)
    linear = _logistic(Labelled(x=train, y=task.train.y), task)
    found = {
        "largest class": float((task.test.y == most).float().mean()),
        "logistic regression": accuracy_of(linear, Labelled(x=test, y=task.test.y)),
    }
    shots = len(task.test.y)
    return tuple(
        Score(classifier=n, split="test", accuracy=a, error=binomial_error(a, shots), shots=shots)
        for n, a in found.items()
    )


def _logistic(train: Labelled, task: Task) -> nn.Module:
    linear = nn.Linear(train.x.shape[1], task.classes)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    loss = nn.CrossEntropyLoss(weight=task.balance)
    optimiser = torch.optim.LBFGS(linear.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value: torch.Tensor = loss(linear(train.x), train.y) + _RIDGE * (linear.weight**2).sum()
        torch.autograd.backward(value)
        return value

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return linear


def _load(network: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise MissingInputError(f"no file {path}")
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        raise FileKindError(
            f"{path} holds no state_dict of this module: {reason[:160]}; save one with "
            "torch.save(module.state_dict(), path)"
        ) from error


def _check(network: nn.Module, task: Task, name: str) -> None:
    x = task.train.x[:2]
    try:
        found: Any = outputs_of(network, x)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise SettingsError(
            f"{name} failed when called with a {x.dtype} tensor of shape {tuple(x.shape)}: {reason}"
        ) from error
    if found.ndim != 2 or found.shape[1] < task.classes:
        raise SettingsError(
            f"{name} returned logits of shape {tuple(found.shape)} for {len(x)} shots; wanted "
            f"({len(x)}, classes) with {task.classes} classes"
        )


def _narrowed(
    make: Callable[..., Any], network: nn.Module, name: str
) -> Callable[[float], Network] | None:
    if _WIDTH in _arguments(make):

        def by_argument(share: float) -> Network:
            return made_by(make, name, width=share), _architecture(name, share)

        return by_argument
    if narrow_sequential(network, 1.0) is None:
        return None

    def by_layers(share: float) -> Network:
        slim = narrow_sequential(network, share)
        assert slim is not None
        return slim, _architecture(name, share)

    return by_layers


def _architecture(name: str, share: float) -> dict[str, Any]:
    return {"kind": KIND, "name": name, _WIDTH: share}


def _arguments(make: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(make).parameters)
    except (TypeError, ValueError):
        return set()
