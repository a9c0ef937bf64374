"""How the weight of a layer is held, as plain values, and networks with layers so replaced."""

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.networks.layers.convolutions import TensorizedConvolution
from phasenet.networks.layers.cp import CPLinear
from phasenet.networks.layers.mpo import MPOLinear
from phasenet.networks.layers.tucker import TuckerLinear

Form = Literal["tucker", "mpo", "cp"]
FORMS: tuple[Form, ...] = get_args(Form)
Tensorized = TuckerLinear | MPOLinear | CPLinear | TensorizedConvolution
_LINEAR = {"tucker": TuckerLinear, "mpo": MPOLinear, "cp": CPLinear}


@dataclass(frozen=True, kw_only=True)
class LayerForm:
    """Form of one weight.

    Parameters
    ----------
    form
        One of FORMS.
    in_modes, out_modes
        Factors of the number of inputs and of outputs; of a convolution, of its channels in a
        group, one mode each.
    ranks
        As the layer of that form takes them.

    >>> LayerForm.of({"form": "cp", "in_modes": [4], "out_modes": [3], "ranks": [2]}).ranks
    (2,)
    """

    form: Form
    in_modes: tuple[int, ...]
    out_modes: tuple[int, ...]
    ranks: tuple[int, ...]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "LayerForm":
        """Form from plain values, as a file holds them; raises SettingsError."""
        if values.get("form") not in FORMS:
            raise SettingsError(
                f"a layer has the form {values.get('form')!r}; wanted {', '.join(FORMS)}"
            )
        numbers = {n: tuple(int(v) for v in values[n]) for n in ("in_modes", "out_modes", "ranks")}
        return cls(form=values["form"], **numbers)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def untrained(layer: nn.Module, form: LayerForm) -> Tensorized:
    """Tensorized layer with random weights in place of a dense one."""
    if isinstance(layer, nn.Linear):
        kind = _LINEAR[form.form]
        return kind(form.in_modes, form.out_modes, form.ranks, bias=layer.bias is not None)
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return TensorizedConvolution.like(layer, form.form, form.ranks)
    raise SettingsError(f"a {type(layer).__name__} has no tensorized form; {_WANTED}")


def from_dense(
    layer: nn.Module, form: LayerForm, *, samples: torch.Tensor | None = None
) -> Tensorized:
    """Tensorized layer nearest to a dense one, on samples of its inputs if there are any."""
    if isinstance(layer, nn.Linear):
        kind = _LINEAR[form.form]
        return kind.from_dense(layer, form.in_modes, form.out_modes, form.ranks, samples=samples)
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return TensorizedConvolution.from_dense(layer, form.form, form.ranks, samples=samples)
    raise SettingsError(f"a {type(layer).__name__} has no tensorized form; {_WANTED}")


_WANTED = "wanted nn.Linear, nn.Conv1d or nn.Conv2d"


def replaced(network: nn.Module, layers: Mapping[str, nn.Module]) -> nn.Module:
    """Copy of a network with other layers at some names, such as "encoder.0.linear"."""
    result = copy.deepcopy(network)
    for name, layer in layers.items():
        parent, _, last = name.rpartition(".")
        setattr(result.get_submodule(parent), last, layer)
    return result


def dense_layers(network: nn.Module) -> dict[str, nn.Module]:
    """Layers that have a tensorized form, by name, in the order of the network."""
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d)
    return {name: layer for name, layer in network.named_modules() if isinstance(layer, kinds)}


def balanced_modes(features: int, count: int) -> tuple[int, ...]:
    """Factors of a number, as near to one another as they get, the largest first.

    >>> balanced_modes(784, 2), balanced_modes(300, 2), balanced_modes(4096, 3), balanced_modes(7, 2)
    ((28, 28), (20, 15), (16, 16, 16), (7, 1))
    """
    if count == 1:
        return (features,)
    target = round(features ** (1 / count))
    divisors = [d for d in range(1, features + 1) if features % d == 0]
    # Taken from the smallest up, each near the root of what is left.
    last = min(divisors, key=lambda d: abs(math.log(d / max(target, 1))))
    rest = balanced_modes(features // last, count - 1)
    return tuple(sorted((*rest, last), reverse=True))
