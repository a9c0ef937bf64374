"""A convolution as a chain of smaller ones, of which neighbours can be put together.

Each link of the chain is a convolution along no axis of space (of channels alone), along one or
along all. No axis belongs to two links, so neighbours make one kernel, and all of them the dense
weight.
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from phasenet.errors import SettingsError
from phasenet.networks.layers.multilinear import clipped_bonds, clipped_cp_rank

Form = Literal["tucker", "mpo", "cp"]
_FEW_PRODUCTS = 100_000


class Shape(NamedTuple):
    """Channels of one link in a group, and the axes of space along which it acts.

    A diagonal link keeps its channels apart.
    """

    out: int
    into: int
    axes: tuple[int, ...]
    kernel: tuple[int, ...]
    diagonal: bool = False

    def parameter(self, groups: int) -> tuple[int, ...]:
        """Shape of its weight for all groups."""
        channels = (groups * self.out,) if self.diagonal else (groups * self.out, self.into)
        return (*channels, *self.kernel)

    @property
    def products(self) -> int:
        """Products for one place of the output."""
        return self.out * math.prod(self.kernel) * (1 if self.diagonal else self.into)


def shapes(
    form: Form, channels: tuple[int, int], kernel: Sequence[int], ranks: Sequence[int]
) -> tuple[Shape, ...]:
    """Links of a form, input first; channels in and out of one group.

    >>> [shape.parameter(1) for shape in shapes("mpo", (8, 4), (3, 3), (5, 6, 2))]
    [(5, 8), (6, 5, 3), (2, 6, 3), (4, 2)]
    """
    into, out = channels
    axes = tuple(range(len(kernel)))
    first, last = Shape(ranks[0], into, (), ()), Shape(out, ranks[-1], (), ())
    if form == "tucker":
        return first, Shape(ranks[1], ranks[0], axes, tuple(kernel)), last
    if form == "mpo":
        middle = [Shape(ranks[a + 1], ranks[a], (a,), (kernel[a],)) for a in axes]
        return first, *middle, last
    each = [Shape(ranks[0], ranks[0], (a,), (kernel[a],), True) for a in axes]
    return first, *each, last


def useful_ranks(
    form: Form, channels: tuple[int, int], kernel: Sequence[int], ranks: int | Sequence[int]
) -> tuple[int, ...]:
    """Ranks none of which is above what a kernel of this size can use; the log names those clipped.

    >>> useful_ranks("tucker", (4, 5), (3, 3), (3, 5)), useful_ranks("mpo", (4, 5), (3,), (4, 2))
    ((3, 5), (4, 2))
    """
    into, out = channels
    count = {"tucker": 2, "mpo": len(kernel) + 1, "cp": 1}[form]
    wanted = (ranks,) * count if isinstance(ranks, int) else tuple(ranks)
    if len(wanted) != count or min(wanted) < 1:
        raise SettingsError(
            f"the ranks of a {form} convolution are {ranks!r}; wanted {count} whole numbers from 1"
        )
    if form == "cp":
        return (clipped_cp_rank((into, *kernel, out), wanted[0]),)
    # Two factors and a core are a train of three sites.
    places = (math.prod(kernel),) if form == "tucker" else tuple(kernel)
    return clipped_bonds((into, *places, out), wanted)


def labels(form: Form, axes: int) -> tuple[str, ...]:
    """Names of the links, input first.

    >>> labels("cp", 2)
    ('in 0', 'kernel 0', 'kernel 1', 'out 0')
    """
    if form == "tucker":
        return "in 0", "core", "out 0"
    if form == "mpo":
        return tuple(f"core {link}" for link in range(axes + 2))
    return "in 0", *(f"kernel {axis}" for axis in range(axes)), "out 0"


def joined(
    weights: Sequence[Tensor], pairs: Sequence[tuple[Shape, Shape]], from_first: bool, groups: int
) -> Tensor:
    """Weight of some neighbours together, from the first pair on or from the last.

    Parameters
    ----------
    weights
        Of the links, input first.
    pairs
        Shapes of what is put together at each step.
    from_first
        Whether the first two are put together first.
    groups
        Of the channels.

    >>> pair = (Shape(2, 4, (), ()), Shape(5, 2, (0,), (3,)))
    >>> tuple(joined([torch.ones(2, 4), torch.ones(5, 2, 3)], [pair], True, 1).shape)
    (5, 4, 3)
    """
    whole, *others = weights if from_first else weights[::-1]
    for weight, (first, second) in zip(others, pairs, strict=True):
        before, after = (whole, weight) if from_first else (weight, whole)
        whole = _together(before, after, first, second, groups)
    return whole


def together_shape(first: Shape, second: Shape) -> Shape:
    """Shape of two neighbours put together."""
    return Shape(
        second.out,
        first.into,
        first.axes + second.axes,
        first.kernel + second.kernel,
        first.diagonal and second.diagonal,
    )


# Sizes come from the shapes alone: those of tensors are no numbers while a graph is recorded.
def _together(before: Tensor, after: Tensor, first: Shape, second: Shape, groups: int) -> Tensor:
    """Weight of two neighbours together, the kernel of the first before that of the second."""
    ones, others = (1,) * len(first.kernel), (1,) * len(second.kernel)
    if second.diagonal:
        inner = () if first.diagonal else (1,)
        spread = after.reshape(groups * second.out, *inner, *ones, *second.kernel)
        return before.reshape(*first.parameter(groups), *others) * spread
    if first.diagonal:
        spread = before.reshape(groups, 1, first.out, *first.kernel, *others)
        apart = after.reshape(groups, second.out, second.into, *ones, *second.kernel)
        return (apart * spread).flatten(0, 1)
    if groups > 1 or (second.kernel and first.into * second.products >= _FEW_PRODUCTS):
        return _by_rows(before, after, first, second, groups)
    if second.kernel:
        # More work than one matrix product, in fewer calls.
        product = torch.matmul(before.flatten(1).t(), after.flatten(2))
        whole = (second.out, first.into, *first.kernel, *second.kernel)
        return product if product.ndim == len(whole) else product.view(whole)
    product = torch.mm(after, before.flatten(1))
    return product.view(second.out, first.into, *first.kernel) if first.kernel else product


def _by_rows(before: Tensor, after: Tensor, first: Shape, second: Shape, groups: int) -> Tensor:
    """The same as one product of two matrices for each group."""
    out, places = groups * second.out, math.prod(second.kernel)
    left = after.reshape(groups, second.out, second.into, places).transpose(2, 3)
    left = left.reshape(groups, second.out * places, second.into)
    right = before.reshape(groups, first.out, first.into * math.prod(first.kernel))
    product = torch.mm(left[0], right[0]) if groups == 1 else torch.bmm(left, right)
    apart = product.view(out, places, first.into, math.prod(first.kernel))
    return apart.permute(0, 2, 3, 1).reshape(out, first.into, *first.kernel, *second.kernel)
