"""Perfect sampling of a matrix product state in its local basis, many shots at once."""

import numpy as np
from numpy.typing import NDArray

from phasenet.errors import ShapeError
from phasenet.trains.train import Array, FloatArray, TensorTrain

_CANONICAL_ATOL = 1e-6
_CHUNK = 4096


def sample(
    state: TensorTrain, shots: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], FloatArray]:
    r"""Independent shots from :math:`|\psi(\sigma)|^2`, with their exact log-probabilities.

    Site by site, the conditional probability of a local state is the squared norm of its branch,
    because everything to the right of a right-canonical core contracts to the identity
    (Ferris and Vidal, Phys. Rev. B 85, 165146 (2012)).

    Parameters
    ----------
    state
        Right-canonical train of norm 1 (up to its first core).
    shots
        How many.
    rng
        Each shot uses as many numbers as there are sites; shots do not depend on chunks.

    Returns
    -------
    Local states, uint8 of shape (shots, length), and ln p of each shot, shape (shots,).

    Raises
    ------
    ShapeError
        The train is not right-canonical, or has an output leg.
    """
    _check_canonical(state)
    uniform = rng.random((shots, state.length))
    spins = np.empty((shots, state.length), dtype=np.uint8)
    logs = np.empty(shots)
    for start in range(0, shots, _CHUNK):
        part = slice(start, start + _CHUNK)
        spins[part], logs[part] = _sample_chunk(state, uniform[part])
    return spins, logs


def log_probability(state: TensorTrain, spins: Array) -> FloatArray:
    r"""Natural logarithm of :math:`|\psi(\sigma)|^2` of given configurations, -inf where zero.

    Parameters
    ----------
    state
        Train of norm 1.
    spins
        Local states, shape (shots, length).
    """
    values, log_magnitude = state.log_values(spins.astype(np.int64))
    with np.errstate(divide="ignore"):
        return np.asarray(2 * (np.log(np.abs(values)) + log_magnitude))


def _sample_chunk(state: TensorTrain, uniform: FloatArray) -> tuple[NDArray[np.uint8], FloatArray]:
    shots = len(uniform)
    rows = np.ones((shots, 1), dtype=state.cores[0].dtype)
    spins = np.empty(uniform.shape, dtype=np.uint8)
    logs = np.zeros(shots)
    everyone = np.arange(shots)
    for site, core in enumerate(state.cores):
        left, dim, right = core.shape
        branches = (rows @ core.reshape(left, dim * right)).reshape(shots, dim, right)
        weights = np.einsum("ndr,ndr->nd", branches, branches.conj()).real
        weights /= weights.sum(axis=1, keepdims=True)
        cumulative = weights.cumsum(axis=1)
        chosen = (uniform[:, site, None] * cumulative[:, -1:] > cumulative).sum(axis=1)
        probability = weights[everyone, chosen]
        rows = branches[everyone, chosen]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        spins[:, site] = chosen
        logs += np.log(probability)
    return spins, logs


def _check_canonical(state: TensorTrain) -> None:
    if state.output_site is not None:
        raise ShapeError("a train with an output leg is no state; wanted one value a configuration")
    for site, core in enumerate(state.cores[1:], start=1):
        gram = np.tensordot(core, core.conj(), axes=((1, 2), (1, 2)))
        deviation = float(np.abs(gram - np.eye(len(gram))).max())
        if deviation > _CANONICAL_ATOL:
            raise ShapeError(
                f"core {site} is off right-canonical form by {deviation:.1e}; bring the train "
                "into right-canonical form first"
            )
