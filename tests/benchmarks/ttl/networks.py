"""Networks 784-300-10 whose first layer is held in one form or another, of about one size."""

from collections.abc import Callable

from torch import nn

from phasenet.networks.layers.cp import CPLinear
from phasenet.networks.layers.forms import LayerForm
from phasenet.networks.layers.mpo import MPOLinear
from phasenet.networks.layers.tucker import TuckerLinear

INPUTS, HIDDEN, CLASSES = 784, 300, 10
IMAGE = (28, 28)


def _form(form: str, in_modes: tuple[int, ...], out_modes: tuple[int, ...], *ranks: int):
    return LayerForm(form=form, in_modes=in_modes, out_modes=out_modes, ranks=ranks)


# 5 x 5 x 10 is the core behind the 66.63-fold compression of Calvi et al., arXiv:1903.06133.
FORMS: dict[str, LayerForm] = {  # of those that are made from the dense one
    "Tucker 5x5x10": _form("tucker", IMAGE, (HIDDEN,), 5, 5, 10),
    "MPO bond 4": _form("mpo", IMAGE, (15, 20), 4),
    "CP rank 10": _form("cp", IMAGE, (HIDDEN,), 10),
    "low rank 3": _form("cp", (INPUTS,), (HIDDEN,), 3),
}
_LAYERS: dict[str, Callable[[], nn.Module]] = {
    "dense": lambda: nn.Linear(INPUTS, HIDDEN),
    "Tucker 5x5x10": lambda: TuckerLinear(IMAGE, (HIDDEN,), (5, 5, 10)),
    "Tucker 10x10x20": lambda: TuckerLinear(IMAGE, (HIDDEN,), (10, 10, 20)),
    "MPO bond 4": lambda: MPOLinear(IMAGE, (15, 20), (4,)),
    "CP rank 10": lambda: CPLinear(IMAGE, (HIDDEN,), (10,)),
    "low rank 3": lambda: CPLinear((INPUTS,), (HIDDEN,), (3,)),
    "narrow dense 4": lambda: nn.Linear(INPUTS, 4),
}
NAMES = tuple(_LAYERS)


def network(name: str) -> nn.Sequential:
    """Untrained network."""
    first = _LAYERS[name]()
    width = 4 if name.startswith("narrow") else HIDDEN
    return nn.Sequential(first, nn.ReLU(), nn.Linear(width, CLASSES))


def weights(layer: nn.Module) -> int:
    """Weights of a layer without its bias."""
    return sum(p.numel() for name, p in layer.named_parameters() if name != "bias")
