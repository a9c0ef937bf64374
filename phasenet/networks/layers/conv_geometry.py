"""Where a convolution reads its input: kernel, stride, padding and dilation, axis by axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from phasenet.errors import SettingsError

# Names of nn.Conv and of nn.functional.pad.
PADDING_MODES = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
}


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Places of a convolution, one number (or pair) for each axis of space.

    Parameters
    ----------
    kernel, stride, dilation
        As nn.Conv2d has them.
    pads
        Places added before and after the input.
    padding_mode
        What they hold, a key of PADDING_MODES.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    padding_mode: str

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes of space."""
        return tuple(range(len(self.kernel)))

    @property
    def padded_by_convolutions(self) -> bool:
        """Whether the convolutions add the padding themselves: equal zeros on both sides."""
        return self.padding_mode == "zeros" and all(left == right for left, right in self.pads)

    def sizes_after(self, sizes: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
        """Sizes of the output of a convolution that acts on some axes only.

        >>> geometry(kernel=(3, 3), stride=2, padding=1).sizes_after((8, 8), axes=(0,))
        (4, 8)
        """
        result = list(sizes)
        for axis in axes:
            reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1
            room = sizes[axis] + sum(self.pads[axis]) - reach
            result[axis] = max(1, room // self.stride[axis] + 1)
        return tuple(result)


def geometry(
    *,
    kernel: Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    padding_mode: str = "zeros",
) -> Geometry:
    """Places of a convolution from the arguments of nn.Conv; raises SettingsError.

    >>> geometry(kernel=(4,), padding="same").pads
    ((1, 2),)
    """
    count = len(kernel)
    if count not in (1, 2):
        raise SettingsError(f"a kernel has the size {tuple(kernel)}; wanted one axis or two")
    if padding_mode not in PADDING_MODES:
        raise SettingsError(
            f"a convolution has the padding mode {padding_mode!r}; "
            f"wanted {', '.join(PADDING_MODES)}"
        )
    steps, spread = _each(stride, count, "stride"), _each(dilation, count, "dilation")
    if padding == "same" and any(step != 1 for step in steps):
        raise SettingsError(
            f"a convolution has the padding 'same' and the stride {steps}; wanted stride 1"
        )
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise SettingsError(
                f"a convolution has the padding {padding!r}; wanted 'same', 'valid' or numbers"
            )
        reach = [
            d * (k - 1) if padding == "same" else 0 for d, k in zip(spread, kernel, strict=True)
        ]
        pads = tuple((total // 2, total - total // 2) for total in reach)
    else:
        pads = tuple((places, places) for places in _each(padding, count, "padding"))
    return Geometry(
        kernel=tuple(kernel), stride=steps, dilation=spread, pads=pads, padding_mode=padding_mode
    )


def padded(x: Tensor, where: Geometry) -> Tensor:
    """Input with all the padding that the convolutions do not add themselves.

    >>> places = geometry(kernel=(3,), padding=1, padding_mode="circular")
    >>> padded(Tensor([[[1.0, 2.0, 3.0]]]), places).tolist()
    [[[3.0, 1.0, 2.0, 3.0, 1.0]]]
    """
    if where.padded_by_convolutions:
        return x
    places = [count for pair in reversed(where.pads) for count in pair]
    return nn.functional.pad(x, places, mode=PADDING_MODES[where.padding_mode])


class Call(NamedTuple):
    """Arguments of one call of a convolution along some axes; those of others do nothing."""

    weight: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int


def call_along(where: Geometry, axes: Sequence[int], channels: Sequence[int], groups: int) -> Call:
    """Arguments of a convolution along some axes, with a weight of some channels (out, in).

    >>> call_along(geometry(kernel=(5, 3), padding=1), (0,), (4, 2), 1)
    Call(weight=(4, 2, 5, 1), stride=(1, 1), padding=(1, 0), dilation=(1, 1), groups=1)
    """
    inside = where.padded_by_convolutions

    def here(values: Sequence[int], other: int) -> tuple[int, ...]:
        return tuple(v if axis in axes else other for axis, v in enumerate(values))

    return Call(
        weight=(*channels, *here(where.kernel, 1)),
        stride=here(where.stride, 1),
        padding=here([pair[0] if inside else 0 for pair in where.pads], 0),
        dilation=here(where.dilation, 1),
        groups=groups,
    )


def convolved(x: Tensor, weight: Tensor, bias: Tensor | None, call: Call) -> Tensor:
    """Convolution with a weight of as many numbers as the call says.

    >>> call = call_along(geometry(kernel=(3, 3), padding=1), (0,), (4, 2), 1)
    >>> tuple(convolved(Tensor(1, 2, 5, 5), Tensor(4, 2, 3), None, call).shape)
    (1, 4, 5, 5)
    """
    shape, stride, padding, dilation, groups = call
    if weight.ndim < len(shape):
        weight = weight.reshape(shape)
    if len(shape) == 3:
        return nn.functional.conv1d(x, weight, bias, stride, padding, dilation, groups)
    return nn.functional.conv2d(x, weight, bias, stride, padding, dilation, groups)


def _each(values: int | str | Sequence[int], count: int, what: str) -> tuple[int, ...]:
    result = (values,) * count if isinstance(values, int) else tuple(int(v) for v in values)
    least = 0 if what == "padding" else 1
    if len(result) != count or min(result) < least:
        raise SettingsError(
            f"a convolution has the {what} {values!r}; wanted {count} whole numbers from {least}"
        )
    return result
