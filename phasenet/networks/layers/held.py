"""A tensor made of the parameters of a layer, held until one of them changes."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

# Other kinds of tensors, such as those of a transformation, have no memory that could be compared.
_PLAIN = (nn.Parameter, Tensor)


class Held:
    """Place for one tensor that is computed anew only if a parameter has changed.

    A change is seen by the count that torch keeps of writes to a tensor, by the memory that it
    lies in, and by the tensor itself; so optimisers, `load_state_dict`, `to`, and other parameters
    or lists of them put in the place of these are all seen. What is written in place through
    `.data` is not: torch does not count it. Copies and pickles of a place are empty.

    >>> layer, held = nn.Linear(1, 1, bias=False), Held()
    >>> first = held.get(layer, lambda: 2 * layer.weight.detach())
    >>> held.get(layer, lambda: 2 * layer.weight.detach()) is first
    True
    >>> with torch.no_grad():
    ...     layer.weight += 1
    >>> held.get(layer, lambda: 2 * layer.weight.detach()) is first
    False
    """

    def __init__(self) -> None:
        self._value: Tensor | None = None
        self._sources: list[tuple[dict[str, nn.Parameter | None], str, Tensor, int, int]] = []
        self._aliases: list[Tensor] = []
        self._parts: list[tuple[dict[str, nn.Module | None], str, nn.Module | None]] = []

    def __reduce__(self) -> tuple[type["Held"], tuple[()]]:
        return Held, ()

    def get(self, layer: nn.Module, made: Callable[[], Tensor]) -> Tensor:
        """Tensor that is held, or one just made if there is none or a parameter has changed."""
        if self._value is not None and self._same():
            return self._value
        value = made()
        found = list(_slots(layer))
        if all(type(p) in _PLAIN and not p.is_inference() for _, _, p in found):
            self._value = value
            self._sources = [(d, k, p, p._version, p.data_ptr()) for d, k, p in found]
            # They keep the memory from being given out again, to a parameter of other values.
            self._aliases = [p.detach() for _, _, p in found]
            self._parts = [
                (part._modules, name, inner)
                for part in layer.modules()
                for name, inner in part._modules.items()
            ]
        return value

    def _same(self) -> bool:
        if any(slots.get(name) is not known for slots, name, known in self._parts):
            return False
        for slots, name, known, version, pointer in self._sources:
            source = slots.get(name)
            if source is not known or known._version != version or known.data_ptr() != pointer:
                return False
        return True


def _slots(layer: nn.Module) -> Iterator[tuple[dict[str, nn.Parameter | None], str, Tensor]]:
    """Where each parameter is looked up, and the parameter."""
    for module in layer.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                yield module._parameters, name, parameter


def tensors_of(group: nn.ParameterList) -> tuple[Tensor, ...]:
    """Parameters of a list, as a tuple; several times faster than going through the list.

    >>> len(tensors_of(nn.ParameterList([torch.ones(1), torch.ones(2)])))
    2
    """
    found = tuple(p for p in group._parameters.values() if p is not None)
    # A parametrised one is not among them.
    return found if len(found) == len(group) else tuple(group)


def graph_is_recorded(x: Tensor) -> bool:
    """Whether operations are read by a compiler, a tracer or a transformation, cast, or not done.

    Then there are plain operations only, and nothing is held.

    >>> graph_is_recorded(torch.ones(1))
    False
    """
    return (
        x.device.type == "meta"
        or torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        or torch._C._are_functorch_transforms_active()
        or torch.is_autocast_enabled(x.device.type)
    )
