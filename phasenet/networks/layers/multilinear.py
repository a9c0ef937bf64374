"""Axes of a weight, and the largest ranks that its shape can use.

A rank above them is clipped, and the log says so: without that, a Tucker decomposition has factors
that are not orthonormal and is wrong.
"""

import logging
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from phasenet.errors import SettingsError

_LOG = logging.getLogger(__name__)


def unfolded(tensor: Tensor, mode: int) -> Tensor:
    """Matrix with one axis as its rows and the others, in their order, as its columns.

    >>> tuple(unfolded(torch.zeros(2, 3, 4), 1).shape)
    (3, 8)
    """
    return tensor.movedim(mode, 0).reshape(tensor.shape[mode], -1)


def along(tensor: Tensor, matrix: Tensor, mode: int) -> Tensor:
    """Tensor with a matrix (new, old) applied to one axis.

    >>> tuple(along(torch.zeros(2, 3, 4), torch.zeros(5, 3), 1).shape)
    (2, 5, 4)
    """
    result: Tensor = torch.tensordot(matrix, tensor, dims=([1], [mode]))
    return result.movedim(0, mode)


def clipped_tucker_ranks(modes: Sequence[int], ranks: Sequence[int | None]) -> tuple[int, ...]:
    """Ranks of a Tucker form, none above its mode or the product of the other ranks.

    None is a mode without a factor, whose rank is its size.

    >>> clipped_tucker_ranks((4, 3, 2), (1, None, 2))
    (1, 3, 2)
    """
    _check_ranks(ranks, len(modes), "modes")
    wanted = tuple(size if rank is None else rank for size, rank in zip(modes, ranks, strict=True))
    result = useful_tucker_ranks(modes, wanted, [rank is None for rank in ranks])
    _say_clipped("Tucker ranks", wanted, result)
    return result


def clipped_bonds(modes: Sequence[int], ranks: Sequence[int]) -> tuple[int, ...]:
    """Inner bonds of a train, none above what the sites on either side of it can use.

    >>> clipped_bonds((2, 3, 4), (2, 3))
    (2, 3)
    """
    _check_ranks(ranks, len(modes) - 1, "bonds")
    result = useful_bonds(modes, ranks)
    _say_clipped("bonds", tuple(ranks), result)
    return result


def clipped_cp_rank(modes: Sequence[int], rank: int) -> int:
    """Rank of a CP form, not above the product of all modes but the largest.

    >>> clipped_cp_rank((4, 3, 2), 5)
    5
    """
    _check_ranks((rank,), 1, "forms")
    most = math.prod(modes) // max(modes)
    _say_clipped("CP rank", (rank,), (min(rank, most),))
    return min(rank, most)


def useful_tucker_ranks(
    modes: Sequence[int], ranks: Sequence[int], kept: Sequence[bool]
) -> tuple[int, ...]:
    """Ranks as :func:`clipped_tucker_ranks` gives them, without a word in the log.

    >>> useful_tucker_ranks((4, 3, 2), (9, 1, 2), [False, False, False])
    (2, 1, 2)
    """
    result = [min(size, rank) for size, rank in zip(modes, ranks, strict=True)]
    before: list[int] = []
    while before != result:
        before = list(result)
        for mode, keep in enumerate(kept):
            if not keep:
                others = math.prod(result[:mode] + result[mode + 1 :])
                result[mode] = min(result[mode], others)
    return tuple(result)


def useful_bonds(modes: Sequence[int], ranks: Sequence[int]) -> tuple[int, ...]:
    """Bonds as :func:`clipped_bonds` gives them, without a word in the log.

    >>> useful_bonds((2, 3, 4), (9, 9))
    (2, 4)
    """
    result = list(ranks)
    for bond in range(len(result)):
        result[bond] = min(result[bond], modes[bond] * (result[bond - 1] if bond else 1))
    for bond in reversed(range(len(result))):
        right = result[bond + 1] if bond + 1 < len(result) else 1
        result[bond] = min(result[bond], modes[bond + 1] * right)
    return tuple(result)


def _check_ranks(ranks: Sequence[int | None], count: int, what: str) -> None:
    if len(ranks) != count or any(r is not None and r < 1 for r in ranks):
        raise SettingsError(
            f"the ranks are {tuple(ranks)} for {count} {what}; wanted {count} whole numbers from 1"
        )


def _say_clipped(what: str, wanted: tuple[int, ...], clipped: tuple[int, ...]) -> None:
    if wanted != clipped:
        _LOG.warning("%s above the useful maximum: %s taken as %s", what, wanted, clipped)
