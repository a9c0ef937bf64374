"""Importance of pixels, class by class, for a network whose first layer takes pictures by modes."""

import numpy as np
from torch import Tensor, nn

from phasenet.errors import SettingsError
from phasenet.findings import FindingTable, Section
from phasenet.insight.importance_modes import Mode, modes_of, orthonormal_network
from phasenet.insight.importance_null import accuracy_of
from phasenet.insight.importance_scores import added_losses
from phasenet.trains.train import FloatArray

NAME = "importance of pixels"


def picture_section(
    network: nn.Module, x: Tensor, y: Tensor, *, classes: tuple[str, ...], seed: int = 0
) -> Section:
    """Section with what rows, columns and single pixels add to the loss of each class.

    Parameters
    ----------
    network
        Its first tensorized layer takes the inputs as they are, with one mode for the rows and one
        for the columns of a picture.
    x, y
        Held-out pictures of shape (pictures, rows * columns), and the class of each.
    classes
        Their names.
    seed
        Of the order in which pixels are shuffled over the pictures.

    >>> import torch
    >>> from phasenet.networks.layers.tucker import TuckerLinear
    >>> network = nn.Sequential(TuckerLinear((4, 3), (2,), 2))
    >>> section = picture_section(
    ...     network, torch.randn(9, 12), torch.arange(9) % 2, classes=("0", "1")
    ... )
    >>> section.arrays["pixels"].shape
    (2, 4, 3)
    """
    fixed = orthonormal_network(network)
    first = modes_of(fixed)[0]
    name, shape = first.layer, first.sizes
    _check(shape, x, y, classes)
    x = x.double()
    modes = [Mode(layer=name, side="in", number=k, sizes=shape) for k in range(2)]
    modes += [Mode(layer=name, side="in", number=0, sizes=(shape[0] * shape[1],))]
    losses = [part.numpy() for part in added_losses(fixed, modes, x, y, seed=seed)]
    truth, pictures = y.numpy(), x.numpy().reshape(-1, *shape)
    chosen = [truth == k for k in range(len(classes))]
    rows, columns, pixels = (np.stack([p[:, c].mean(axis=1) for c in chosen]) for p in losses)
    outer = np.maximum(rows, 0)[:, :, None] * np.maximum(columns, 0)[:, None, :]
    return Section(
        name=NAME,
        title="Which pixels the decisions need, class by class",
        verdict=_verdict(losses, accuracy_of(fixed, x, y)),
        notes=(
            "Each row, column or pixel is shuffled over the held-out pictures in turn; what that "
            "adds to the loss in nats is averaged over the pictures of a class. Where it is "
            "negative, a typical value says more for the class than the own one does.",
            "The outer product of rows and columns is all that the two modes tell; the pixels are "
            "measured one by one.",
        ),
        tables=(_table(losses[0], "row"), _table(losses[1], "column")),
        arrays={
            "mean_picture": np.stack([pictures[c].mean(axis=0) for c in chosen]),
            "rows": rows,
            "columns": columns,
            "outer": np.sqrt(outer),
            "pixels": pixels.reshape(-1, *shape),
        },
        labels={"classes": classes},
    )


def _check(shape: tuple[int, ...], x: Tensor, y: Tensor, classes: tuple[str, ...]) -> None:
    if len(shape) != 2 or x.shape[1:] != (shape[0] * shape[1],):
        raise SettingsError(
            f"the first tensorized layer has the modes {shape} for inputs of "
            f"{tuple(x.shape)}; wanted one mode for the rows and one for the columns of a picture"
        )
    missing = [name for k, name in enumerate(classes) if not bool((y == k).any())]
    if missing:
        raise SettingsError(
            f"there is no held-out picture of the class {missing[0]}; wanted some of each"
        )


def _verdict(losses: list[FloatArray], accuracy: float) -> str:
    tops = [part.mean(axis=1) for part in losses[:2]]
    row, column = (int(top.argmax()) for top in tops)
    return (
        f"At {100 * accuracy:.1f} % held-out accuracy the decisions need row {row} most "
        f"({tops[0][row]:.2f} nats of added loss; the least, row {int(tops[0].argmin())}, "
        f"{tops[0].min():.2f}) and column {column} ({tops[1][column]:.2f} nats; the least, column "
        f"{int(tops[1].argmin())}, {tops[1].min():.2f})"
    )


def _table(losses: FloatArray, kind: str) -> FindingTable:
    errors = losses.std(axis=1) / np.sqrt(losses.shape[1] - 1)
    return FindingTable(
        title=f"Loss that is added when a {kind} is shuffled over the pictures (nats)",
        columns=(kind, "added loss", "added loss ±"),
        rows=tuple(
            (float(k), float(value), float(error))
            for k, (value, error) in enumerate(zip(losses.mean(axis=1), errors, strict=True))
        ),
    )
