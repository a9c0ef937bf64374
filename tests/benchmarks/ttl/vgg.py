"""A small network in the manner of VGG-16, and forms of its layers, for images of one channel."""

from collections import OrderedDict

from torch import nn

from phasenet.networks.layers.forms import LayerForm

SIDE = 28
# Channels of the convolutions, with a pooling after each group but the last.
WIDTHS = ((32, 32), (64, 64), (128,))
HIDDEN = 300


def small_vgg(classes: int, *, side: int = SIDE) -> nn.Sequential:
    """Untrained network of inputs (batch, 1, side, side).

    Convolutions 3 x 3 with 32, 32, 64, 64 and 128 channels, two poolings of 2 x 2, and two dense
    layers: "conv1" to "conv5", "dense1", "dense2".
    """
    layers: list[tuple[str, nn.Module]] = []
    before, count = 1, 0
    for group, widths in enumerate(WIDTHS):
        if group:
            layers.append((f"pool{group}", nn.MaxPool2d(2)))
            side //= 2
        for width in widths:
            count += 1
            layers.append((f"conv{count}", nn.Conv2d(before, width, 3, padding=1)))
            layers.append((f"relu{count}", nn.ReLU()))
            before = width
    layers.append(("flat", nn.Flatten()))
    layers.append(("dense1", nn.Linear(before * side * side, HIDDEN)))
    layers.append((f"relu{count + 1}", nn.ReLU()))
    layers.append(("dense2", nn.Linear(HIDDEN, classes)))
    return nn.Sequential(OrderedDict(layers))


def small_vgg_forms(form: str, share: float, *, side: int = SIDE) -> dict[str, LayerForm]:
    """Forms of all layers but the first and the last, by their names.

    Convolutions have a rank of this share of their channels on the inputs and on the outputs, with
    "cp" as many terms as outputs. The dense layer takes channels and pixels apart, with this share
    of the channels and of the outputs; "mpo" has a quarter of that as its bond.
    """
    channels = [width for widths in WIDTHS for width in widths]
    forms = {}
    for place in range(1, len(channels)):
        into, out = channels[place - 1], channels[place]
        few, many = round(share * into), round(share * out)
        ranks = {"tucker": (few, many), "mpo": (few, max(few, many), many), "cp": (out,)}[form]
        forms[f"conv{place + 1}"] = _form(form, (into,), (out,), ranks)
    pixels = side // 2 ** (len(WIDTHS) - 1)
    modes, out_modes = (channels[-1], pixels * pixels), (15, 20)
    if form == "tucker":
        modes, out_modes = (channels[-1], pixels, pixels), (HIDDEN,)
        ranks = (round(share * channels[-1]), pixels, pixels, round(share * HIDDEN))
    else:
        ranks = (round(share * HIDDEN / (4 if form == "mpo" else 1)),)
    forms["dense1"] = _form(form, modes, out_modes, ranks)
    return forms


def _form(form: str, into: tuple[int, ...], out: tuple[int, ...], ranks: tuple[int, ...]):
    return LayerForm(form=form, in_modes=into, out_modes=out, ranks=ranks)
