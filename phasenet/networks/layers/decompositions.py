"""Decompositions of a weight: Tucker, tensor train and CP, at given ranks or to an error.

All work in double precision and give back the precision of the tensor; a rank that no tensor of
its shape can use is clipped.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from phasenet.errors import ShapeError
from phasenet.networks.layers.alternating import cp_als as cp_als
from phasenet.networks.layers.multilinear import (
    along,
    clipped_bonds,
    clipped_tucker_ranks,
    unfolded,
    useful_bonds,
    useful_tucker_ranks,
)

# Squared relative errors below this are lost in the rounding of a difference of norms.
_RESOLVED = 1e-12
# A sweep that takes less than this share off the error is the last one.
_STALLED_TOL = 1e-5
# From this many numbers on, bases are eigenvectors of the products of rows: much faster, and only
# directions of relative size 1e-8 are mixed up.
_LARGE = 2**20
# The mean of the inputs is one direction, which no product over modes resembles: in the metric of
# several modes it has this share of its square, the best for images among 0, 0.03, 0.1, 0.3 and 1.
_MEAN_SHARE = 0.1


def hosvd(
    tensor: Tensor,
    ranks: Sequence[int | None] | None = None,
    *,
    tol: float | None = None,
    sweeps: int = 10,
) -> tuple[Tensor, tuple[Tensor | None, ...]]:
    r"""Tucker decomposition with orthonormal factors.

    :math:`W = G \times_1 U_1 \cdots \times_N U_N` with the leading singular vectors of each
    unfolding [1]_, refined by orthogonal iteration.

    .. [1] L. De Lathauwer, B. De Moor, J. Vandewalle, SIAM J. Matrix Anal. Appl. 21, 1253 (2000).

    Parameters
    ----------
    tensor
        Weight, one axis for each mode.
    ranks
        One for each mode, None for a mode that stays as it is; None: every mode as far as `tol`
        says, without one at its full rank.
    tol
        Relative error in the Frobenius norm: the ranks of the fewest numbers that keep it, none
        above `ranks`; those win.
    sweeps
        Refining sweeps at most.

    Returns
    -------
    tuple
        Core, and for each mode a factor (mode, rank) or None.

    >>> core, factors = hosvd(torch.ones(4, 3, 2), tol=1e-6)
    >>> tuple(core.shape), tuple(factors[0].shape)
    ((1, 1, 1), (4, 1))
    """
    weight = _double(tensor)
    wanted = tuple(weight.shape) if ranks is None else tuple(ranks)
    kept = [rank is None for rank in wanted]
    most = clipped_tucker_ranks(weight.shape, wanted)
    bases = [None if keep else _basis(weight, mode) for mode, keep in enumerate(kept)]
    if tol is not None:
        rotated = _projected(weight, bases)
        most = useful_tucker_ranks(weight.shape, _tucker_ranks_to(rotated, kept, most, tol), kept)
    factors = [
        basis if basis is None else basis[:, :rank] for basis, rank in zip(bases, most, strict=True)
    ]
    factors = _orthogonal_iteration(weight, factors, sweeps)
    core = _projected(weight, factors)
    like = tensor.dtype
    return core.to(like), tuple(f if f is None else f.to(like) for f in factors)


def tt_svd(
    tensor: Tensor, ranks: Sequence[int] | None = None, *, tol: float | None = None
) -> tuple[Tensor, ...]:
    """Tensor train by singular value decompositions from left to right, cores (left, mode, right).

    The squared error is the sum of what each cut discards, at most the number of bonds times the
    least possible one (I. V. Oseledets, SIAM J. Sci. Comput. 33, 2295 (2011)). All cores but the
    last are left-orthonormal.

    Parameters
    ----------
    tensor
        Weight, one axis for each site.
    ranks
        Inner bonds, one fewer than sites; None: as `tol` says, without one the full ones.
    tol
        Relative error in the Frobenius norm; bonds stay within `ranks`, which win.

    >>> [tuple(core.shape) for core in tt_svd(torch.ones(4, 3, 2), tol=1e-6)]
    [(1, 4, 1), (1, 3, 1), (1, 2, 1)]
    """
    rest = _double(tensor)
    sizes = tuple(rest.shape)
    full = [math.prod(sizes) for _ in sizes[1:]]
    most = useful_bonds(sizes, full) if ranks is None else clipped_bonds(sizes, ranks)
    budget = (0.0 if tol is None else tol**2) * float(rest.square().sum())
    cores, left = [], 1
    for site, size in enumerate(sizes[:-1]):
        u, s, vh = _svd(rest.reshape(left * size, -1))
        bond = min(most[site], len(s))
        if tol is not None:
            # What earlier cuts did not use is left to the later ones.
            bond = min(bond, _least_rank(s, budget / (len(sizes) - 1 - site)))
            budget = max(0.0, budget - float(s[bond:].square().sum()))
        cores.append(u[:, :bond].reshape(left, size, bond))
        rest, left = s[:bond, None] * vh[:bond], bond
    cores.append(rest.reshape(left, sizes[-1], 1))
    return tuple(core.to(tensor.dtype) for core in cores)


def input_metric(
    samples: Tensor, modes: Sequence[int], *, ridge_tol: float = 1e-3
) -> tuple[Tensor, ...]:
    r"""Root of the inputs' second moments, one symmetric matrix (mode, mode) for each mode.

    With the roots :math:`L_n`, :math:`E\,x x^T \approx \bigotimes_n L_n^2`, so that the squared
    error of the outputs, averaged over the samples, is about
    :math:`\|(W - W') \times_1 L_1 \cdots \times_N L_N\|^2`: a decomposition of the weight times the
    roots is one that is good on the samples. Each factor is the partial trace over the other modes;
    with one mode nothing is approximated.

    Parameters
    ----------
    samples
        Inputs of the layer, last axis as long as the product of the modes.
    modes
        Factors of the inputs, row-major.
    ridge_tol
        Share of the mean variance that every direction has at least, which keeps the roots
        invertible where an input is always zero.

    >>> [tuple(root.shape) for root in input_metric(torch.ones(5, 12), (4, 3))]
    [(4, 4), (3, 3)]
    """
    if samples.shape[-1] != math.prod(modes):
        raise ShapeError(
            f"samples have {samples.shape[-1]} inputs, the modes {tuple(modes)} "
            f"{math.prod(modes)}; pass the inputs of the layer"
        )
    x = _double(samples).reshape(-1, *modes)
    if len(x) == 0 or not bool(x.any()):
        raise ShapeError("there are no samples, or all of them are zero; pass inputs of the layer")
    mean = x.mean(0)
    x = x - (1 - math.sqrt(_MEAN_SHARE if len(modes) > 1 else 1.0)) * mean
    scale = float(x.square().mean()) ** (1 / len(modes))
    roots = []
    for mode, size in enumerate(modes):
        rows = unfolded(x, mode + 1)
        moment = rows @ rows.T
        moment *= size / moment.trace()
        moment += ridge_tol * torch.eye(size, dtype=moment.dtype, device=moment.device)
        values, vectors = torch.linalg.eigh(moment)
        roots.append((vectors * (scale * values.clamp_min(ridge_tol)).sqrt()) @ vectors.T)
    return tuple(root.to(samples.dtype) for root in roots)


def rank_table(rotated: Tensor, kept: Sequence[bool]) -> tuple[Tensor, Tensor]:
    """Error and size of every choice of Tucker ranks, at [R_1 - 1, R_2 - 1, ...].

    Parameters
    ----------
    rotated
        Weight in the bases of its unfoldings, which no refinement has changed.
    kept
        Modes without a factor, which have their full rank in every choice.

    Returns
    -------
    tuple
        Squared norm of what is cut off, and numbers of the core and the factors; both infinite
        where a mode that is kept is not whole.

    >>> missed, numbers = rank_table(torch.diag(torch.tensor([2.0, 1.0])), [False, False])
    >>> missed.tolist(), numbers.tolist()
    ([[1.0, 1.0], [1.0, 0.0]], [[5.0, 8.0], [8.0, 12.0]])
    """
    squares = rotated.square()
    total, inside = float(squares.sum()), squares
    missed, core, factors = (torch.zeros_like(squares[..., :1]) + c for c in (0.0, 1.0, 0.0))
    for mode, size in enumerate(rotated.shape):
        shape = [-1 if m == mode else 1 for m in range(rotated.ndim)]
        rank = torch.arange(1, size + 1, dtype=squares.dtype, device=squares.device).reshape(shape)
        shares = unfolded(squares, mode).sum(1)
        tail = (shares.flip(0).cumsum(0).flip(0) - shares).reshape(shape)
        if kept[mode]:
            tail = tail.masked_fill(rank < size, math.inf)
            core = core.masked_fill(rank < size, math.inf)
        else:
            factors = factors + size * rank
        inside, missed, core = inside.cumsum(mode), missed + tail, core * rank
    # The difference of the norms is exact as long as rounding does not hide it.
    exact = total - inside
    hidden = (exact <= _RESOLVED * total) | missed.isinf()
    return torch.where(hidden, missed, exact), core + factors


def place_of(cost: Tensor) -> tuple[int, ...]:
    """Ranks at the least entry of a table of :func:`rank_table`.

    >>> place_of(torch.tensor([[3.0, 2.0], [1.0, 2.0]]))
    (2, 1)
    """
    place, ranks = int(cost.argmin()), []
    for size in reversed(cost.shape):
        place, rank = divmod(place, size)
        ranks.append(rank + 1)
    return tuple(reversed(ranks))


def _double(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float64)


def _svd(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    # The sign of each pair is free; the largest entry is made positive.
    signs = torch.sign(u.gather(0, u.abs().argmax(0, keepdim=True)))
    return u * signs, s, vh * signs.T


def _basis(weight: Tensor, mode: int) -> Tensor:
    """Left singular vectors of an unfolding; a wide one is made square first."""
    rows = unfolded(weight, mode)
    if rows.numel() > _LARGE and rows.shape[1] > rows.shape[0]:
        vectors: Tensor = torch.linalg.eigh(rows @ rows.T)[1]
        return vectors.flip(1)
    if rows.shape[1] > rows.shape[0]:
        rows = torch.linalg.qr(rows.T, mode="r").R.T
    return _svd(rows)[0]


def _projected(
    weight: Tensor, factors: Sequence[Tensor | None], leave: int | None = None
) -> Tensor:
    """Weight in the basis of the factors, those that shrink it most first."""
    shrinking = [
        (factor.shape[1] / len(factor), mode, factor)
        for mode, factor in enumerate(factors)
        if factor is not None and mode != leave
    ]
    for _, mode, factor in sorted(shrinking, key=lambda each: each[:2]):
        weight = along(weight, factor.T, mode)
    return weight


def _orthogonal_iteration(
    weight: Tensor, factors: list[Tensor | None], sweeps: int
) -> list[Tensor | None]:
    """Each factor in turn the best one for the others (higher-order orthogonal iteration)."""
    result, total = list(factors), float(weight.square().sum())
    ranks = {m: f.shape[1] for m, f in enumerate(factors) if f is not None}
    modes = [m for m, rank in ranks.items() if rank < weight.shape[m]]
    if len(modes) < 2:
        return result
    error = total - float(_projected(weight, result).square().sum())
    for _ in range(sweeps):
        for mode in modes:
            result[mode] = _basis(_projected(weight, result, leave=mode), mode)[:, : ranks[mode]]
        before, error = error, total - float(_projected(weight, result).square().sum())
        if before - error <= _STALLED_TOL * before:
            break
    return result


def _tucker_ranks_to(
    rotated: Tensor, kept: Sequence[bool], most: Sequence[int], tol: float
) -> tuple[int, ...]:
    """Ranks of the fewest numbers whose box of the rotated weight misses at most the error."""
    missed, numbers = rank_table(rotated, kept)
    inside = tuple(slice(0, rank) for rank in most)
    allowed = missed[inside] <= tol**2 * float(rotated.square().sum())
    if not bool(allowed.any()):
        return tuple(most)
    return place_of(numbers[inside].masked_fill(~allowed, math.inf))


def _least_rank(values: Tensor, budget: float) -> int:
    """Number of singular values, at least one, whose rest has at most that squared sum."""
    tails = values.square().flip(0).cumsum(0).flip(0)
    return max(1, int((tails > budget).sum()))
