"""Correlation length of an infinite state."""

import numpy as np

from phasenet.errors import SettingsError
from phasenet.trains.form import State, StateForm
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, FloatArray, TensorTrain
from phasenet.trains.transfer import contract_site, leading_eigenpairs

UNIQUE_TOL = 1e-5
"""Eigenvalues of the transfer map this close to the leading one, relative to it, count as equal."""

# The n branches of a cat state lead to n^2 - n eigenvectors between them.
_COUNTS = (2, 12, 48)
_VANISHING = 1e-14
_IDENTITY_TOL = 0.1
# The commutator of an eigenvector with what tells the branches apart: 0 within one, 2 between two.
_WITHIN_ATOL = 0.5
# Overlap of an operator with an eigenvector: 1e-2 to 0.3 within a branch, 1e-6 between two.
_MET_TOL = 1e-3


def correlation_length(train: State) -> float:
    r"""Correlation length in sites, :math:`-c/\ln|\lambda_2/\lambda_1|` for a cell of c sites.

    :math:`\lambda_k` are the eigenvalues of the transfer map of one cell. At a finite bond
    dimension this is a lower estimate. Zero for a product state. Of a cat state, the longest
    decay within its branches: eigenvalues as large as the leading one belong to long-range order,
    and those whose eigenvectors lead from one branch to another are met by no local operator.

    Parameters
    ----------
    train
        Infinite state, near enough to its canonical form.

    Raises
    ------
    SettingsError
        The state is an open chain.

    >>> product = InfiniteTrain(cores=(np.ones((1, 1, 1)),), schmidt_values=(np.ones(1),))
    >>> print(correlation_length(product))
    0.0
    """
    if isinstance(train, TensorTrain) or (isinstance(train, StateForm) and not train.infinite):
        raise SettingsError(
            "an open chain has no transfer map; use chain_correlation_length for its bulk"
        )
    size = train.cores[0].shape[0] ** 2
    for count in _COUNTS:
        moduli, vectors = _leading(train, count)
        within = _within(train, moduli, vectors)
        if within is not None or count >= size:
            break
    if within is None:
        # Either nothing is left within the branches, or it is smaller than all that was asked for.
        within = 0.0 if count >= size else float(moduli[-1])
    if within >= 1.0 - UNIQUE_TOL:
        return float("inf")
    return float(len(train.cores) / -np.log(within)) if within > _VANISHING else 0.0


def _within(train: InfiniteTrain | StateForm, moduli: FloatArray, vectors: Array) -> float | None:
    """Largest modulus below the leading one whose eigenvector stays within every branch."""
    weights = np.asarray(train.schmidt_values[0])
    orders = int(np.sum(moduli >= 1.0 - UNIQUE_TOL))
    branches = [_without_mean(vector, weights) for vector in vectors[:orders]]
    start = orders
    while start < len(moduli):
        # Of equal eigenvalues, such as those of copies of one branch, the solver mixes the vectors.
        stop = start + int(np.sum(moduli[start:] >= moduli[start] - UNIQUE_TOL))
        alike = vectors[start:stop]
        if any(all(_commutes(b, vector, weights) for b in branches) for vector in alike):
            return float(moduli[start])
        if orders > 1 and _is_met(train, alike):
            return float(moduli[start])
        start = stop
    return None


def _is_met(train: InfiniteTrain | StateForm, vectors: Array) -> bool:
    """Whether an operator on two neighbouring sites overlaps with a combination of eigenvectors."""
    cell, cores = len(train.cores), train.cores
    roots = np.sqrt(np.asarray(train.schmidt_values[0]))
    sizes = (roots[:, None] * vectors * roots).reshape(len(vectors), -1)
    _, triangle = np.linalg.qr(sizes.T)
    if np.abs(np.diagonal(triangle)).min() < _VANISHING:
        return False
    for first in range(cell):
        # From the end of the cell after next back to the right of the two sites.
        rest = vectors
        for site in reversed(range(first + 2, 2 * cell)):
            core = cores[site % cell]
            rest = contract_site(rest, core.swapaxes(0, 2), core.swapaxes(0, 2))
        left = np.diag(np.asarray(train.schmidt_values[first]) ** 2)
        one, two = cores[first], cores[(first + 1) % cell]
        pair = np.tensordot(one, two, axes=(2, 0))
        met = np.einsum("ab,astc,buvd,kcd->kstuv", left, pair, pair.conj(), rest, optimize=True)
        shares = np.linalg.solve(triangle.T, met.reshape(len(vectors), -1))
        if np.linalg.norm(shares, ord=2) > _MET_TOL:
            return True
    return False


def _leading(train: InfiniteTrain | StateForm, count: int) -> tuple[FloatArray, Array]:
    values, vectors = leading_eigenpairs(train.cores, train.cores, count)
    moduli = np.abs(values)
    return moduli / moduli[0], vectors


def _without_mean(vector: Array, weights: FloatArray) -> Array | None:
    """Traceless part of an eigenvector, of weighted norm 1; None of the identity."""
    square = weights**2
    mean = np.sum(square * np.diagonal(vector)) / np.sum(square)
    rest = vector - mean * np.eye(len(weights))
    norm = np.linalg.norm(weights[:, None] * rest)
    whole = np.linalg.norm(weights[:, None] * vector)
    return rest / norm if norm > _IDENTITY_TOL * whole else None


def _commutes(branch: Array | None, vector: Array, weights: FloatArray) -> bool:
    """Whether an eigenvector stays within the branches that another one tells apart."""
    if branch is None:
        return True
    roots = np.sqrt(weights)
    difference = roots[:, None] * (branch @ vector - vector @ branch) * roots
    size = np.linalg.norm(roots[:, None] * vector * roots)
    return bool(np.linalg.norm(difference) <= _WITHIN_ATOL * size)
