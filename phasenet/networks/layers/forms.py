"""How the weight of a layer is held, as plain values, and networks with layers so replaced."""

import copy
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.networks.layers.budgets import (
    Dense,
    Modes,
    Weight,
    numbers_of,
    ranks_to,
    ranks_within,
    useful,
    weight_of,
)
from phasenet.networks.layers.convolutions import TensorizedConvolution
from phasenet.networks.layers.cp import CPLinear
from phasenet.networks.layers.low_rank import LowRankConvolution
from phasenet.networks.layers.mpo import MPOLinear
from phasenet.networks.layers.tucker import TuckerLinear

Form = Literal["tucker", "mpo", "cp"]
FORMS: tuple[Form, ...] = get_args(Form)
Tensorized = TuckerLinear | MPOLinear | CPLinear | TensorizedConvolution | LowRankConvolution
_LOG = logging.getLogger(__name__)
_THREE_FROM = 1000
_LINEAR: Mapping[Form, type[TuckerLinear] | type[MPOLinear] | type[CPLinear]] = {
    "tucker": TuckerLinear,
    "mpo": MPOLinear,
    "cp": CPLinear,
}


@dataclass(frozen=True, kw_only=True)
class LayerForm:
    """Form of one weight.

    Parameters
    ----------
    form
        One of FORMS.
    in_modes, out_modes
        Factors of the number of inputs and of outputs; of a convolution, of its channels in a
        group, one mode each. In the form "cp", the inputs may count the taps of the kernel as
        well: then it is a matrix of low rank over all of them.
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
        if _over_taps(layer, form):
            return LowRankConvolution.like(layer, form.ranks[0])
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
        if _over_taps(layer, form):
            return LowRankConvolution.from_dense(layer, form.ranks[0], samples=samples)
        return TensorizedConvolution.from_dense(layer, form.form, form.ranks, samples=samples)
    raise SettingsError(f"a {type(layer).__name__} has no tensorized form; {_WANTED}")


_WANTED = "wanted nn.Linear, nn.Conv1d or nn.Conv2d"


def _over_taps(layer: nn.Conv1d | nn.Conv2d, form: LayerForm) -> bool:
    channels, taps = layer.weight.shape[1], math.prod(layer.kernel_size)
    return form.form == "cp" and taps > 1 and math.prod(form.in_modes) == channels * taps


def replaced(network: nn.Module, layers: Mapping[str, nn.Module]) -> nn.Module:
    """Copy of a network with other layers at some names, such as "encoder.0.linear".

    A layer that the network holds at several places is replaced at all of them.

    >>> network = replaced(nn.Sequential(nn.Linear(4, 4)), {"0": CPLinear((2, 2), (4,), (1,))})
    >>> type(network[0]).__name__
    'CPLinear'
    """
    result = copy.deepcopy(network)
    modules = dict(result.named_modules(remove_duplicate=False))
    for name, layer in layers.items():
        if name not in modules:
            raise SettingsError(
                f"the network has no layer {name!r}; wanted one of {', '.join(modules)[:400]}"
            )
        places = [other for other, module in modules.items() if module is modules[name]]
        for place in places:
            parent, _, last = place.rpartition(".")
            setattr(result.get_submodule(parent), last, layer)
    _without_shortcuts(result)
    return result


def dense_layers(network: nn.Module, pattern: str = "*") -> dict[str, Dense]:
    """Layers that have a tensorized form, by name, in the order of the network.

    The output layer of nn.MultiheadAttention is none: torch reads its weight as a matrix.

    Parameters
    ----------
    network
        Any module.
    pattern
        Of the names, as of files: "encoder.*.linear?".

    >>> network = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> list(dense_layers(network)), list(dense_layers(network, "[1-9]"))
    (['0', '2'], ['2'])
    """
    raw = {
        id(module.out_proj)
        for module in network.modules()
        if isinstance(module, nn.MultiheadAttention)
    }
    return {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, Dense) and id(layer) not in raw and fnmatchcase(name, pattern)
    }


def default_modes(layer: nn.Module, form: Form) -> Modes:
    """Modes where none are given: near-equal factors, without ones.

    Two factors, three from 1000 features. Tucker and CP keep the outputs whole: those of a trained
    layer stand in no order, and at equal size a layer with split ones lost more.

    >>> default_modes(nn.Linear(784, 300), "tucker"), default_modes(nn.Linear(784, 300), "mpo")[1]
    (Modes(inputs=(28, 28), outputs=(300,)), (20, 15))
    """
    dense = _dense(layer)
    if not isinstance(dense, nn.Linear):
        return Modes((dense.in_channels // dense.groups,), (dense.out_channels // dense.groups,))
    outputs = _split(dense.out_features) if form == "mpo" else (dense.out_features,)
    return Modes(_split(dense.in_features), outputs)


def form_for(
    layer: nn.Module,
    form: Form,
    *,
    ranks: int | Sequence[int] | None = None,
    ratio: float | None = None,
    tol: float | None = None,
    modes: tuple[Sequence[int], Sequence[int]] | None = None,
    samples: torch.Tensor | None = None,
) -> LayerForm:
    """Form for one trained layer, at given ranks, for a wanted compression or to an error.

    Parameters
    ----------
    layer
        nn.Linear, nn.Conv1d or nn.Conv2d. Its weight decides the ranks, so that an untrained one
        should be given them.
    form
        One of FORMS. "cp" with one mode each is a product of two matrices (low rank).
    ranks
        One for each bond or one for all; above the useful maximum they are clipped.
    ratio
        Numbers of the weight divided by those of the form, bias left out: the ranks of the least
        error among those that reach it.
    tol
        Relative error of the weight: the least ranks that keep it.
    modes
        Of the inputs and of the outputs; None: :func:`default_modes`. A convolution has its own.
    samples
        Inputs of the layer: errors are those of the outputs at inputs like these.

    Raises
    ------
    SettingsError
        Not one of `ranks`, `ratio` and `tol`; modes that do not fit; a ratio that rank 1 does not
        reach.

    >>> form_for(nn.Linear(784, 300), "cp", ratio=66.6).ranks
    (9,)
    """
    wanted = _Wanted(ranks, ratio, tol)
    weight, parts = _weight(layer, form, modes, samples)
    found = wanted.ranks_of(weight, form)
    if found is None:
        least = numbers_of(weight, form, useful(weight, form, 1))
        raise SettingsError(
            f"a {type(layer).__name__} of {weight.size} numbers cannot be {ratio:g} times smaller "
            f"as {form} with the modes {tuple(parts)}, rank 1 has {least}; leave it dense, or take "
            "a smaller ratio or other modes"
        )
    return LayerForm(form=form, in_modes=parts.inputs, out_modes=parts.outputs, ranks=found)


def forms_for(
    network: nn.Module,
    form: Form,
    *,
    ranks: int | None = None,
    ratio: float | None = None,
    tol: float | None = None,
    pattern: str = "*",
    samples: Mapping[str, torch.Tensor] | None = None,
) -> dict[str, LayerForm]:
    """Forms of all layers of a network that get smaller by it, by name; the log names the others.

    Parameters
    ----------
    network
        Trained.
    form, ranks, ratio, tol
        As :func:`form_for` takes them, the same for every layer.
    pattern
        As :func:`dense_layers` takes it.
    samples
        Inputs of layers, by name.

    >>> list(forms_for(nn.Sequential(nn.Linear(64, 64), nn.Linear(9, 1)), "mpo", ranks=2))
    ['0']
    """
    wanted, found = _Wanted(ranks, ratio, tol), {}
    for name, layer in dense_layers(network, pattern).items():
        weight, modes = _weight(layer, form, None, (samples or {}).get(name))
        chosen = wanted.ranks_of(weight, form)
        if chosen is None or numbers_of(weight, form, chosen) >= weight.size:
            _LOG.info("layer %s stays dense: as %s it would not get smaller", name, form)
            continue
        found[name] = LayerForm(
            form=form, in_modes=modes.inputs, out_modes=modes.outputs, ranks=chosen
        )
    return found


def balanced_modes(features: int, count: int) -> tuple[int, ...]:
    """Factors of a number, as near to one another as they get, the largest first.

    >>> balanced_modes(784, 2), balanced_modes(4096, 3), balanced_modes(7, 2)
    ((28, 28), (16, 16, 16), (7, 1))
    """
    if count == 1:
        return (features,)
    target = features ** (1 / count)
    divisors = [d for d in range(1, math.isqrt(features) + 1) if features % d == 0]
    divisors += [features // d for d in divisors]
    # Each near the root of what is left; of two as near, the smaller one.
    last = min(sorted(divisors), key=lambda d: abs(math.log(d / target)))
    return tuple(sorted((*balanced_modes(features // last, count - 1), last), reverse=True))


@dataclass(frozen=True)
class _Wanted:
    """One of three ways to say how large a form is."""

    ranks: int | Sequence[int] | None
    ratio: float | None
    tol: float | None

    def __post_init__(self) -> None:
        given = {n: v for n, v in vars(self).items() if v is not None}
        if len(given) != 1:
            raise SettingsError(
                f"a form is given {' and '.join(given) or 'no size'}; wanted one of ranks, ratio "
                "and tol"
            )
        if self.ratio is not None and not self.ratio >= 1:
            raise SettingsError(f"the ratio is {self.ratio}; wanted a number from 1")
        if self.tol is not None and not 0 <= self.tol < 1:
            raise SettingsError(f"the tol is {self.tol}; wanted a relative error below 1")

    def ranks_of(self, weight: Weight, form: Form) -> tuple[int, ...] | None:
        """Return ranks for a weight; None if the ratio cannot be reached."""
        if self.ratio is not None:
            return ranks_within(weight, form, int(weight.size / self.ratio))
        if self.tol is not None:
            return ranks_to(weight, form, self.tol)
        assert self.ranks is not None
        return useful(weight, form, self.ranks)


def _weight(
    layer: nn.Module,
    form: Form,
    modes: tuple[Sequence[int], Sequence[int]] | None,
    samples: torch.Tensor | None,
) -> tuple[Weight, Modes]:
    if form not in FORMS:
        raise SettingsError(f"a layer has the form {form!r}; wanted {', '.join(FORMS)}")
    dense = _dense(layer)
    if modes is None or not isinstance(dense, nn.Linear):
        parts = default_modes(dense, form)
    else:
        parts = Modes(tuple(modes[0]), tuple(modes[1]))
    return weight_of(dense, form, parts, samples), parts


def _dense(layer: nn.Module) -> Dense:
    if not isinstance(layer, Dense):
        raise SettingsError(f"a {type(layer).__name__} has no tensorized form; {_WANTED}")
    return layer


def _split(features: int) -> tuple[int, ...]:
    count = 3 if features >= _THREE_FROM else 2
    return tuple(mode for mode in balanced_modes(features, count) if mode > 1) or (1,)


def _without_shortcuts(network: nn.Module) -> None:
    # In inference torch hands the weights of these modules to a kernel of its own, as matrices;
    # with an activation that the kernel does not know, it calls the layers.
    for module in network.modules():
        if isinstance(module, nn.TransformerEncoderLayer) and not (
            isinstance(module.linear1, nn.Linear) and isinstance(module.linear2, nn.Linear)
        ):
            module.activation_relu_or_gelu = 0
        if isinstance(module, nn.TransformerEncoder):
            module.use_nested_tensor = False
