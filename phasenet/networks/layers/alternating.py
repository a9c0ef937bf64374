"""CP decomposition of a weight: a sum of products of vectors, by alternating least squares."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from phasenet.errors import SettingsError
from phasenet.networks.layers.multilinear import clipped_cp_rank, unfolded

# Sweeps of every start before the best one goes on.
_TRIAL_SWEEPS = 8
_STARTS = 3
# The least-squares problems of two factors pull towards the factor of the sweep before by this
# share of their scale, times the error: columns that cancel one another grow without bound else.
_PROXIMAL_TOL = 1e-3
_RIDGE_TOL = 1e-12
# While a rank is searched for an error: sweeps at each rank, and how near to the least one it ends.
_SEARCH_SWEEPS, _SEARCH_SHARE = 60, 0.05
# Growth of the extrapolation between sweeps while the error falls, and its start.
_FASTER, _FIRST_STEP, _LARGEST_STEP = 1.3, 0.3, 8.0
_STALLED_TOL = 1e-5


def cp_als(
    tensor: Tensor,
    rank: int | None = None,
    *,
    tol: float | None = None,
    sweeps: int = 200,
    seed: int = 0,
) -> tuple[Tensor, ...]:
    r"""CP decomposition, :math:`W = \sum_r a_r \circ b_r \circ \cdots`, as factors (mode, rank).

    Alternating least squares on the normal equations [1]_ with proximal regularisation and
    extrapolation, from the leading singular vectors of the unfoldings and from random vectors; two
    modes, and a rank at which every tensor of the shape is a sum of unit vectors, are solved
    outright. The norm of a column is shared evenly between the modes.

    .. [1] T. G. Kolda, B. W. Bader, SIAM Rev. 51, 455 (2009).

    Parameters
    ----------
    tensor
        Weight, one axis for each mode.
    rank
        Number of terms, clipped to what a tensor of this shape can need.
    tol
        Relative error in the Frobenius norm, without a rank: the least number of terms found that
        keeps it; with one, the rank wins.
    sweeps
        Sweeps at most.
    seed
        Of the random starts.

    >>> [tuple(factor.shape) for factor in cp_als(torch.ones(4, 3, 2), 1)]
    [(4, 1), (3, 1), (2, 1)]
    """
    if rank is None and tol is None:
        raise SettingsError("a CP decomposition has no rank and no tol; pass one of them")
    weight = tensor.detach().to(torch.float64)
    if rank is None and tol is not None:
        factors = _to_error(weight, tol, sweeps, seed)
    else:
        factors = _of_rank(weight, clipped_cp_rank(weight.shape, rank or 1), sweeps, seed)[0]
    return tuple(factor.to(tensor.dtype) for factor in factors)


def _to_error(weight: Tensor, tol: float, sweeps: int, seed: int) -> list[Tensor]:
    """Doubling until the error is kept, then halving of the interval to a share of the rank."""
    sweeps = min(sweeps, _SEARCH_SWEEPS)
    most = math.prod(weight.shape) // max(weight.shape)
    below, above = 0, 1
    factors, error = _of_rank(weight, above, sweeps, seed)
    while error > tol and above < most:
        below, above = above, min(2 * above, most)
        factors, error = _of_rank(weight, above, sweeps, seed)
    while above - below > max(1, _SEARCH_SHARE * above):
        middle = (below + above) // 2
        tried, error = _of_rank(weight, middle, sweeps, seed)
        if error <= tol:
            factors, above = tried, middle
        else:
            below = middle
    return factors


def _of_rank(weight: Tensor, rank: int, sweeps: int, seed: int) -> tuple[list[Tensor], float]:
    """Factors and their relative error."""
    norm = float(weight.norm())
    if norm == 0.0:
        return [weight.new_zeros(size, rank) for size in weight.shape], 0.0
    if weight.ndim == 1:
        return [weight[:, None]], 0.0
    if weight.ndim == 2:
        u, s, vh = torch.linalg.svd(weight, full_matrices=False)
        roots = s[:rank].sqrt()
        return [u[:, :rank] * roots, vh[:rank].T * roots], float(s[rank:].norm()) / norm
    if rank >= math.prod(weight.shape) // max(weight.shape):
        return _unit_vectors(weight), 0.0
    unit = weight / norm
    generator = torch.Generator().manual_seed(seed)
    starts = [_start(unit, rank, generator, leading=trial == 0) for trial in range(_STARTS)]
    trials = [_sweeps(unit, start, _TRIAL_SWEEPS) for start in starts]
    factors, _ = min(trials, key=lambda trial: trial[1])
    factors, error = _sweeps(unit, factors, sweeps - _TRIAL_SWEEPS)
    return [factor * norm ** (1 / weight.ndim) for factor in factors], error


def _unit_vectors(weight: Tensor) -> list[Tensor]:
    """Exact sum: fibres of the longest mode, each at its place in the others."""
    longest = max(range(weight.ndim), key=lambda mode: weight.shape[mode])
    others = [size for mode, size in enumerate(weight.shape) if mode != longest]
    places = torch.cartesian_prod(*(torch.arange(size) for size in others)).reshape(-1, len(others))
    factors = [
        torch.eye(size, dtype=weight.dtype, device=weight.device)[:, places[:, axis]]
        for axis, size in enumerate(others)
    ]
    factors.insert(longest, unfolded(weight, longest))
    return _balanced(factors)


def _start(weight: Tensor, rank: int, generator: torch.Generator, *, leading: bool) -> list[Tensor]:
    result = []
    for mode, size in enumerate(weight.shape):
        columns = torch.randn(size, rank, generator=generator, dtype=torch.float64)
        columns = (columns / columns.norm(dim=0)).to(weight.device)
        if leading:
            rows = unfolded(weight, mode)
            vectors = torch.linalg.eigh(rows @ rows.T)[1].flip(1)
            columns[:, :size] = vectors[:, :rank]
        result.append(columns)
    return result


def _sweeps(weight: Tensor, start: Sequence[Tensor], sweeps: int) -> tuple[list[Tensor], float]:
    """Factors after some sweeps, and their relative error; the weight has norm 1."""
    best, error = _sweep(weight, start, 1.0)
    previous, step = list(start), _FIRST_STEP
    for _ in range(sweeps - 1):
        ahead = [now + step * (now - old) for now, old in zip(best, previous, strict=True)]
        factors, new = _sweep(weight, ahead, error)
        if new >= error:
            # The extrapolation went too far: a plain sweep never makes the error larger.
            step = _FIRST_STEP
            factors, new = _sweep(weight, best, error)
        else:
            step = min(_FASTER * step, _LARGEST_STEP)
        previous, best = best, factors
        fall, error = error - new, new
        if fall <= _STALLED_TOL * error:
            break
    return best, error


def _sweep(weight: Tensor, start: Sequence[Tensor], error: float) -> tuple[list[Tensor], float]:
    """Every factor the best one for the others, in turn; two products with the weight in all."""
    factors, count = list(start), len(start)
    half = _halves(weight.shape)
    matrix = weight.reshape(math.prod(weight.shape[:half]), -1)
    grams = [factor.T @ factor for factor in factors]
    inner = 0.0
    for group, others, rows in (
        (range(half), range(half, count), matrix),
        (range(half, count), range(half), matrix.T),
    ):
        part = rows @ _khatri_rao([factors[mode] for mode in others])
        part = part.reshape(*(weight.shape[mode] for mode in group), -1)
        for mode in group:
            product = _contracted(part, [factors[m] for m in group], mode - group[0])
            gram = torch.stack([g for m, g in enumerate(grams) if m != mode]).prod(0)
            factors[mode] = _solved(gram, product, factors[mode], error)
            grams[mode] = factors[mode].T @ factors[mode]
            inner = float((product * factors[mode]).sum())
    squared = float(torch.stack(grams).prod(0).sum()) - 2 * inner + 1.0
    return _balanced(factors), math.sqrt(max(squared, 0.0))


def _halves(modes: Sequence[int]) -> int:
    """Where the modes part into two groups of the most equal sizes."""
    sizes = [math.log(size) for size in modes]
    return min(range(1, len(modes)), key=lambda cut: abs(sum(sizes[:cut]) - sum(sizes[cut:])))


def _khatri_rao(factors: Sequence[Tensor]) -> Tensor:
    result = factors[0]
    for factor in factors[1:]:
        result = (result[:, None] * factor).reshape(-1, factor.shape[1])
    return result


def _contracted(part: Tensor, factors: Sequence[Tensor], leave: int) -> Tensor:
    """Part (modes..., rank) with the factors of all its modes but one, column by column."""
    for mode in reversed(range(len(factors))):
        if mode != leave:
            shape = [1] * part.ndim
            shape[mode], shape[-1] = factors[mode].shape
            part = (part * factors[mode].reshape(shape)).sum(mode, keepdim=True)
    return part.reshape(-1, part.shape[-1])


def _solved(gram: Tensor, product: Tensor, before: Tensor, error: float) -> Tensor:
    r"""Factor :math:`(P + \mu A)(G + \mu 1)^{-1}`: least squares, near the factor before."""
    scale = gram.diagonal().mean()
    pull = scale * (_PROXIMAL_TOL * error**2 + _RIDGE_TOL)
    shifted = gram + pull * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    result: Tensor = torch.linalg.solve(shifted, (product + pull * before).T)
    return result.T


def _balanced(factors: Sequence[Tensor]) -> list[Tensor]:
    """The same sum with columns of equal norm in every mode."""
    norms = torch.stack([factor.norm(dim=0) for factor in factors])
    even = norms.log().mean(0).exp()
    return [
        torch.where(norm > 0, factor * (even / norm.clamp_min(1e-300)), 0.0)
        for factor, norm in zip(factors, norms, strict=True)
    ]
