r"""Explained variance of a function, exact, from moments of it and of order parameters.

.. math:: R^2 = b^T G^+ b / \mathrm{Var} f

with the covariances G of the order parameters and b of these with f: the share of the variance that
the best linear combination explains, with no regression error because nothing is sampled.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phasenet.trains.train import FloatArray, IntArray

_CONSTANT_TOL = 1e-11
"""Relative to the second moment; a variance below it is rounding of a constant."""
_CUTOFF_TOL = 1e-10
"""Eigenvalues of a correlation matrix below it, relative to the largest, are linear dependence."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shares:
    """Shares of a variance that families of order parameters explain, each of shape (families,).

    Parameters
    ----------
    nested
        Of a family together with all before it.
    alone
        Of a family alone.
    unique
        What all lose without it.
    """

    nested: FloatArray
    alone: FloatArray
    unique: FloatArray

    @property
    def added(self) -> FloatArray:
        """What a family adds to all before it."""
        return np.diff(self.nested, prepend=0.0)


def explained_variance(
    covariance: FloatArray, second: FloatArray, target: int, members: Sequence[int] | IntArray
) -> float:
    """Share of the variance of one quantity that a linear combination of others explains.

    Parameters
    ----------
    covariance
        Shape (quantities, quantities).
    second
        Second moment of each, the scale that rounding errors are judged by.
    target
        Index of the explained quantity.
    members
        Indices of those that explain; they may depend on each other, or be constant.

    Returns
    -------
    Number from 0 to 1; nan where the target is constant.

    >>> covariance = np.array([[1.0, 1.0, 0.6], [1.0, 1.0, 0.6], [0.6, 0.6, 1.0]])
    >>> print(f"{explained_variance(covariance, np.ones(3), 2, [0, 1]):.3f}")
    0.360
    """
    variance = np.diagonal(covariance)
    varies = variance > _CONSTANT_TOL * second
    if not varies[target]:
        return float("nan")
    chosen = np.asarray(members, dtype=np.int64)
    chosen = chosen[varies[chosen]]
    if len(chosen) == 0:
        return 0.0
    size = np.sqrt(variance[chosen])
    values, vectors = np.linalg.eigh(covariance[np.ix_(chosen, chosen)] / np.outer(size, size))
    kept = values > _CUTOFF_TOL * values[-1]
    overlaps = (covariance[chosen, target] / size) @ vectors[:, kept]
    return float(np.sum(overlaps**2 / values[kept]) / variance[target])


def shares(
    covariance: FloatArray, second: FloatArray, target: int, families: Sequence[IntArray]
) -> Shares:
    """Shares of the variance of one quantity by families of others.

    Parameters
    ----------
    covariance, second, target
        As in :func:`explained_variance`.
    families
        Indices of the members of each, in the order in which they are added.

    >>> found = shares(np.array([[1.0, 0, 0.6], [0, 1, 0.8], [0.6, 0.8, 1]]), np.ones(3), 2,
    ...     [np.array([0]), np.array([1])])
    >>> print(found.nested.round(2).tolist(), found.unique.round(2).tolist())
    [0.36, 1.0] [0.36, 0.64]
    """

    def of(chosen: Sequence[IntArray]) -> float:
        members = np.concatenate([np.zeros(0, dtype=np.int64), *chosen])
        return explained_variance(covariance, second, target, members)

    count = range(len(families))
    whole = of(families)
    rest = [of([*families[:k], *families[k + 1 :]]) for k in count]
    return Shares(
        # More order parameters never explain less, but for rounding.
        nested=np.maximum.accumulate([of(families[: k + 1]) for k in count]),
        alone=np.array([of([family]) for family in families]),
        unique=np.maximum(whole - np.array(rest), 0.0),
    )


def single_shares(covariance: FloatArray, second: FloatArray, target: int) -> FloatArray:
    """Share of the variance of one quantity that each quantity explains alone, (quantities,).

    Parameters
    ----------
    covariance, second, target
        As in :func:`explained_variance`; 0 for constants, nan of a constant target.

    >>> single_shares(np.array([[1.0, 0.6], [0.6, 1.0]]), np.ones(2), 1).round(2).tolist()
    [0.36, 1.0]
    """
    variance = np.diagonal(covariance)
    varies = variance > _CONSTANT_TOL * second
    if not varies[target]:
        return np.full(len(variance), np.nan)
    scale = np.where(varies, variance, np.inf) * variance[target]
    return np.asarray(covariance[:, target] ** 2 / scale)


def sampled_shares(
    order: FloatArray, function: FloatArray, weights: FloatArray, families: Sequence[IntArray]
) -> tuple[FloatArray, FloatArray]:
    r"""Nested shares by weighted regression on shots, and their standard errors.

    Unlike :func:`shares` they are estimates, but of the function itself, not of its train. The
    freedom of the regression is taken off, :math:`1 - (1 - R^2)(n - 1)/(n - p - 1)` with n the
    effective number of shots; the error is :math:`2 R (1 - R^2)/\sqrt n`, that of Gaussian values.

    Parameters
    ----------
    order
        Order parameters of the shots, shape (shots, order parameters).
    function
        What is explained, (shots,).
    weights
        Of the shots, (shots,).
    families
        Indices of the members of each.

    Returns
    -------
    Shares and errors, each of shape (families,); nan of a constant function.

    >>> x = np.random.default_rng(0).normal(size=(4000, 2))
    >>> found, error = sampled_shares(x, x[:, 0], np.ones(4000), [np.array([1]), np.array([0])])
    >>> print(f"{found[0]:.2f} {found[1]:.2f}")
    0.00 1.00
    """
    share = weights / weights.sum()
    effective = 1.0 / float(np.sum(share**2))
    root = np.sqrt(share)[:, None]
    target = root[:, 0] * (function - share @ function)
    columns = root * (order - share @ order)
    found = []
    if not target @ target > 0.0:
        return np.full(len(families), np.nan), np.full(len(families), np.nan)
    for k in range(len(families)):
        chosen = columns[:, np.concatenate(families[: k + 1])]
        basis, values, _ = np.linalg.svd(chosen, full_matrices=False)
        basis = basis[:, values > _CUTOFF_TOL**0.5 * values[0]]
        rest = 1.0 - float(np.sum((target @ basis) ** 2) / (target @ target))
        freedom = effective - basis.shape[1] - 1.0
        found.append(1.0 - rest * (effective - 1.0) / freedom if freedom > 0.0 else np.nan)
    result = np.array(found)
    kept = np.clip(result, 0.0, 1.0)
    return result, 2.0 * np.sqrt(kept) * (1.0 - kept) / np.sqrt(effective)


def replacement_bound(function: FloatArray, replaced: FloatArray, weights: FloatArray) -> float:
    r"""Bound on the error of any share of a variance, if a function was replaced by another one.

    A share is the squared cosine of the angle between a function and a space of functions, and by
    the triangle inequality of angles that changes by at most the angle between the two functions:
    :math:`|R^2_f - R^2_g| \le \sin\angle(f, g) = \sqrt{1 - \rho^2} \le \|f - g\| / \|f\|`, all in
    the same measure and without the means; :math:`\rho` is their correlation.

    Parameters
    ----------
    function, replaced
        Values on the same shots, shape (shots,).
    weights
        Of the shots in the measure, (shots,).

    Returns
    -------
    Sine of the angle, estimated from the shots; nan where a function is constant.

    >>> x = np.array([1.0, 2.0, 3.0])
    >>> print(f"{replacement_bound(x, 2 * x + 1, np.ones(3)):.3f}")
    0.000
    """
    share = weights / weights.sum()
    f, g = (values - share @ values for values in (function, replaced))
    total, other = share @ f**2, share @ g**2
    if not (total > 0.0 and other > 0.0):
        return float("nan")
    # The residual of a regression keeps the digits that 1 - rho^2 loses.
    residual = f - (share @ (f * g) / other) * g
    return float(np.sqrt(share @ residual**2 / total))
