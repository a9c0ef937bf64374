"""Correlation length of an infinite state."""

import numpy as np

from phasenet.errors import SettingsError
from phasenet.trains.form import State, StateForm
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import Array, FloatArray, TensorTrain
from phasenet.trains.transfer import leading_eigenpairs

UNIQUE_TOL = 1e-5
"""Eigenvalues of the transfer map this close to the leading one, relative to it, count as equal."""

# The n branches of a cat state lead to n^2 - n eigenvectors between them.
_COUNTS = (2, 12, 48)
_VANISHING = 1e-14
_IDENTITY_TOL = 0.1
# The commutator of an eigenvector with what tells the branches apart: 0 within one, 2 between two.
_WITHIN_ATOL = 0.5


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
        within = _within(moduli, vectors, np.asarray(train.schmidt_values[0]))
        if within is not None or count >= size:
            break
    if within is None:
        # Either nothing is left within the branches, or it is smaller than all that was asked for.
        within = 0.0 if count >= size else float(moduli[-1])
    if within >= 1.0 - UNIQUE_TOL:
        return float("inf")
    return float(len(train.cores) / -np.log(within)) if within > _VANISHING else 0.0


def _within(moduli: FloatArray, vectors: Array, weights: FloatArray) -> float | None:
    """Largest modulus below the leading one whose eigenvector stays within every branch."""
    orders = int(np.sum(moduli >= 1.0 - UNIQUE_TOL))
    branches = [_without_mean(vector, weights) for vector in vectors[:orders]]
    for modulus, vector in zip(moduli[orders:], vectors[orders:], strict=True):
        if all(_commutes(branch, vector, weights) for branch in branches):
            return float(modulus)
    return None


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
