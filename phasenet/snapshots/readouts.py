r"""Shots as numbers: what each outcome says of an operator, and averages over shots with errors.

A site is measured in one of B equally likely bases with outcomes k and projectors
:math:`\Pi_{bk}`. Of all numbers o with

.. math:: \frac{1}{B} \sum_{bk} o(b, k)\, \Pi_{bk} = O

those of least norm are taken, so that the mean of o over shots is the expectation value of O. In a
fixed basis (B = 1) they are eigenvalues; for spins 1/2 in random bases this is the classical shadow
of Huang, Kueng, Preskill, Nature Physics 16, 1050 (2020). Numbers of several sites multiply.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import SettingsError, ShapeError
from phasenet.operators import Operator
from phasenet.snapshots.bases import Basis
from phasenet.trains.train import Array, FloatArray

_SPAN_ATOL = 1e-9
# Of numbers that all shots agree on, such as a conserved charge, rounding is no error.
_SPREAD_ATOL = 1e-13
_BATCH = 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class Readout:
    """Shots of one state together with the bases that they were measured in.

    Parameters
    ----------
    spins
        Outcomes, uint8 of shape (shots, sites); d and above where a site was not read.
    basis
        What was measured.
    basis_index
        Basis of each site of each shot, of the shape of the spins; None if the basis is fixed.
    """

    spins: NDArray[np.uint8]
    basis: Basis
    basis_index: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if not len(self.spins):
            raise ShapeError("there are no shots; wanted at least one to estimate anything")
        drawn = None if self.basis_index is None else self.basis_index.shape
        wanted = self.spins.shape if self.basis.drawn else None
        if drawn != wanted:
            raise ShapeError(
                f"basis_index has the shape {drawn}, but shots in the basis {self.basis.name!r} "
                f"have {wanted}; give what was stored beside the shots"
            )

    @property
    def sites(self) -> int:
        """Number of sites of a shot."""
        return int(self.spins.shape[1])

    @property
    def site_dim(self) -> int:
        """Number of local states d."""
        return self.basis.site_dim

    @cached_property
    def fixed(self) -> NDArray[np.intp]:
        """Basis of each site where it is fixed, else 0."""
        if self.basis.drawn:
            return np.zeros(self.sites, dtype=np.intp)
        return np.asarray(self.basis.indices(self.sites), dtype=np.intp)

    def measured(self, operator: Operator) -> NDArray[np.bool_]:
        """Whether an operator can be estimated on each site, shape (sites,)."""
        return np.asarray(~np.isnan(outcome_values(self.basis, operator)[self.fixed, 0]))


def outcome_values(basis: Basis, operator: Operator) -> Array:
    """What each outcome says of an operator: the numbers o of the module.

    Parameters
    ----------
    basis
        Drawn: its bases are equally likely; fixed: each of its bases stands alone.
    operator
        Matrix, or ``1``.

    Returns
    -------
    Array of shape (bases, outcomes), real for a Hermitian operator; NaN in the rows of fixed bases,
    or in all, that do not measure the operator.

    >>> from phasenet.snapshots.bases import basis_of
    >>> z = ((0.5, 0.0), (0.0, -0.5))
    >>> outcome_values(basis_of("Sz", 2), z).tolist()
    [[0.5, -0.5]]
    """
    dim = basis.site_dim
    target = _matrix(operator, dim).reshape(-1)
    frame = np.stack([_projectors(vectors) for vectors in basis.vectors])
    if basis.drawn:
        return _dual(frame.reshape(-1, dim * dim) / len(frame), target).reshape(-1, dim)
    return np.stack([_dual(rows, target) for rows in frame])


def check_measured(readout: Readout, places: NDArray[np.bool_] | bool, what: str) -> None:
    """Raise SettingsError if something can be estimated nowhere.

    Parameters
    ----------
    readout
        The shots.
    places
        Where it can be estimated.
    what
        How it is called.
    """
    if not np.any(places):
        kind = "at random " if readout.basis.drawn else ""
        raise SettingsError(
            f"{what} cannot be estimated from shots in the basis {readout.basis.name!r}, which "
            f"measures {kind}{', '.join(readout.basis.names)} and their functions; draw shots in "
            "a basis that suffices, such as unbiased"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Some shots, site by site.

    Parameters
    ----------
    readout
        Where they come from.
    codes
        Outcome and basis as one number, shape (sites, shots).
    """

    readout: Readout
    codes: NDArray[np.intp]
    _known: dict[Operator, Array] = field(default_factory=dict)

    def readings(self, operator: Operator) -> Array:
        """Return what each site says of an operator, (sites, shots); NaN where it was not read."""
        if operator not in self._known:
            values = outcome_values(self.readout.basis, operator)
            lost = np.nan if operator != "1" else 1.0
            table = np.concatenate([values, np.full((len(values), 1), lost)], axis=1)
            self._known[operator] = table.reshape(-1)[self.codes]
        return self._known[operator]


@dataclass(frozen=True, kw_only=True, eq=False)
class Average:
    """Means over shots of a group of numbers, and their common mean.

    Parameters
    ----------
    values, errors
        Mean and standard error of each number, (numbers,); NaN where no shot tells it.
    shots
        How many shots tell each number.
    value, error
        Mean of the means, with the standard error that follows from averaging within each shot
        first: the numbers of one shot belong together.
    """

    values: FloatArray
    errors: FloatArray
    shots: FloatArray
    value: float
    error: float


def averages(readout: Readout, groups: Callable[[Batch], Iterator[Array]]) -> list[Average]:
    r"""Means and standard errors of groups of numbers that each shot tells.

    A shot that does not tell a number is left out of its mean m alone. The error of the common mean
    of P numbers is that of the sum of

    .. math:: z_n = \frac{1}{P} \sum_p \frac{x_{np} - m_p}{N_p}

    over the shots n, over those numbers p that shot n tells; :math:`N_p` shots tell p.

    Parameters
    ----------
    readout
        The shots.
    groups
        Yields for a batch one array (numbers, shots) after the other, always of the same groups.
    """
    sums: list[Array] = []
    for batch in batches(readout):
        for index, rows in enumerate(groups(batch)):
            known = ~np.isnan(rows)
            total = np.stack([np.where(known, rows.real, 0.0).sum(axis=1), known.sum(axis=1)])
            sums[index : index + 1] = [total + sums[index] if index < len(sums) else total]
    counts = [np.where(total[1] > 0, total[1], np.nan) for total in sums]
    means = [total[0] / count for total, count in zip(sums, counts, strict=True)]
    squares = [np.zeros(len(mean)) for mean in means]
    spread = np.zeros(len(means))
    for batch in batches(readout):
        for index, rows in enumerate(groups(batch)):
            parts = (rows.real - means[index][:, None]) / counts[index][:, None]
            parts[np.isnan(parts)] = 0.0
            squares[index] += np.einsum("pn,pn->p", parts, parts)
            told = max(1, np.isfinite(counts[index]).sum())
            spread[index] += np.sum((parts.sum(axis=0) / told) ** 2)
    shots = len(readout.spins)
    return [
        _average(mean, np.nan_to_num(count), square, whole, shots)
        for mean, count, square, whole in zip(means, counts, squares, spread, strict=True)
    ]


def batches(readout: Readout) -> Iterator[Batch]:
    """All shots in their order, some thousands at a time."""
    dim = readout.site_dim
    for start in range(0, len(readout.spins), _BATCH):
        part = slice(start, start + _BATCH)
        outcomes = np.minimum(readout.spins[part], dim).T.astype(np.intp)
        if readout.basis_index is None:
            codes = readout.fixed[:, None] * (dim + 1) + outcomes
        else:
            codes = readout.basis_index[part].T.astype(np.intp) * (dim + 1) + outcomes
        yield Batch(readout=readout, codes=np.ascontiguousarray(codes))


def _average(
    mean: FloatArray, count: FloatArray, square: FloatArray, whole: float, shots: int
) -> Average:
    known = count > 0
    # One shot tells nothing of its own error.
    few = np.where(count > 1, count, np.nan)
    return Average(
        values=mean,
        errors=np.sqrt(square * few / (few - 1)),
        shots=count,
        value=float(mean[known].mean()) if known.any() else np.nan,
        error=_error(whole, shots) if known.any() else np.nan,
    )


def _error(square: float, shots: int) -> float:
    if shots < 2:
        return math.nan
    error = math.sqrt(square * shots / (shots - 1))
    return error if error > _SPREAD_ATOL else 0.0


def _dual(frame: Array, target: Array) -> Array:
    found = np.linalg.lstsq(frame.T, target, rcond=None)[0]
    if np.abs(frame.T @ found - target).max() > _SPAN_ATOL * max(1.0, np.abs(target).max()):
        return np.full(len(frame), np.nan)
    return found.real if np.abs(found.imag).max() < _SPAN_ATOL else found


def _projectors(vectors: Array) -> Array:
    """Projector of each outcome, of shape (outcomes, d d)."""
    return np.stack([np.outer(row.conj(), row).reshape(-1) for row in np.asarray(vectors)])


def _matrix(operator: Operator, dim: int) -> Array:
    if operator == "1":
        return np.eye(dim)
    if isinstance(operator, str):
        raise SettingsError(
            f"operator {operator!r} is a name; wanted its matrix, from phasenet.phases.spins"
        )
    matrix = np.asarray(operator)
    if matrix.shape != (dim, dim):
        raise ShapeError(
            f"a matrix of shape {matrix.shape} is to be estimated on a site of {dim} states; "
            f"wanted ({dim}, {dim})"
        )
    return matrix
