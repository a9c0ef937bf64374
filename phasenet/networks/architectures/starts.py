"""Cores that a tensor-train classifier starts from."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch

from phasenet.errors import SettingsError

Start = Literal["identity", "random", "unitary"]
STARTS: tuple[Start, ...] = get_args(Start)


def started(
    shapes: Sequence[tuple[int, int, int]], output_site: int, classes: int, start: Start
) -> list[torch.Tensor]:
    """Random cores of real trains, by torch's global generator.

    Each start keeps the length of a vector that runs along the chain, in the mean at least. The
    core of the class leg is drawn from the normal distribution.

    Parameters
    ----------
    shapes
        (left, site, right) of each core, without the class leg.
    output_site
        Site whose core gets the class leg as its last axis.
    classes
        Dimension of the class leg.
    start
        ``identity``: the identity for each local state, plus noise that adds up to order one over
        the chain; ``random``: normal numbers; ``unitary``: for each local state a random
        orthogonal matrix.

    >>> cores = started([(1, 3, 2), (2, 3, 2), (2, 3, 1)], 1, 5, "identity")
    >>> [tuple(core.shape) for core in cores]
    [(1, 3, 2), (2, 3, 2, 5), (2, 3, 1)]
    """
    if start not in STARTS:
        raise SettingsError(f"a train starts as {start!r}; wanted one of {', '.join(STARTS)}")
    cores = []
    for site, (left, states, right) in enumerate(shapes):
        # Vectors run from both ends to the class leg.
        before = left if site < output_site else right
        if site == output_site:
            # Vectors that arrive have length one, or elements of order one in a random train.
            length = math.sqrt(left * right) if start == "random" else 1.0
            cores.append(torch.randn(left, states, right, classes) / length)
        elif start == "identity":
            noise = torch.randn(left, states, right) / math.sqrt(len(shapes) * max(left, right))
            cores.append(torch.eye(left, right)[:, None] + noise)
        elif start == "random":
            cores.append(torch.randn(left, states, right) / math.sqrt(before))
        else:
            cores.append(_orthogonal(left, states, right))
    return cores


def _orthogonal(left: int, states: int, right: int) -> torch.Tensor:
    most = max(left, right)
    drawn = torch.linalg.qr(torch.randn(states, most, most))
    # Without the signs of R, Q is not distributed evenly.
    even: torch.Tensor = drawn.Q * drawn.R.diagonal(dim1=1, dim2=2).sign()[:, None]
    return even[:, :left, :right].transpose(0, 1).contiguous()
