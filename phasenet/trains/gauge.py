"""Gauge freedom: matrices X and their inverses on a bond change the cores, not the function."""

from collections.abc import Callable

import numpy as np

from phasenet.errors import SettingsError
from phasenet.seeds import stream
from phasenet.trains.canonical import diagonal_form
from phasenet.trains.train import Array, TensorTrain


def orthogonal_gauge(train: TensorTrain, rng: np.random.Generator) -> TensorTrain:
    """Train of the same function with a random orthogonal matrix on every bond.

    The matrices have the Haar distribution (Mezzadri, Notices AMS 54, 592 (2007)).

    >>> train = TensorTrain(cores=(np.ones((1, 2, 2)), np.ones((2, 2, 1))))
    >>> turned = orthogonal_gauge(train, np.random.default_rng(0))
    >>> print(f"{turned(np.array([[0, 1]]))[0]:.6f}")
    2.000000
    """
    return _turned(train, lambda bond: _isometry(rng.normal(size=(bond, bond))))


def unitary_gauge(train: TensorTrain, rng: np.random.Generator) -> TensorTrain:
    """Train of the same function with a random unitary matrix on every bond; complex.

    >>> train = TensorTrain(cores=(np.ones((1, 2, 2)), np.ones((2, 2, 1))))
    >>> turned = unitary_gauge(train, np.random.default_rng(0))
    >>> print(f"{turned(np.array([[0, 1]]))[0].real:.6f}")
    2.000000
    """
    return _turned(train, lambda bond: _random_unitary(rng, bond))


def general_gauge(train: TensorTrain, rng: np.random.Generator, *, condition: float) -> TensorTrain:
    """Train of the same function with a random invertible matrix on every bond.

    Parameters
    ----------
    train
        Any train; where it is complex, so are the matrices.
    rng
        Draws the matrices: random rotations around singular values that fall from 1 to
        ``1 / condition`` in equal ratios.
    condition
        Condition number of each matrix, at least 1. Rounding errors of the function grow with it.

    >>> train = TensorTrain(cores=(np.ones((1, 2, 2)), np.ones((2, 2, 1))))
    >>> turned = general_gauge(train, np.random.default_rng(0), condition=100.0)
    >>> print(f"{turned(np.array([[0, 1]]))[0]:.6f}")
    2.000000
    """
    if not 1.0 <= condition < np.inf:
        raise SettingsError(f"condition is {condition}; a condition number is finite, at least 1")
    complex_ = any(np.iscomplexobj(core) for core in train.cores)

    def pair(bond: int) -> tuple[Array, Array]:
        if complex_:
            (u, u_inverse), (v, v_inverse) = (_random_unitary(rng, bond) for _ in range(2))
        else:
            (u, u_inverse), (v, v_inverse) = (
                _isometry(rng.normal(size=(bond, bond))) for _ in range(2)
            )
        values = condition ** -np.linspace(0.0, 1.0, bond)
        return (u * values) @ v, (v_inverse / values) @ u_inverse

    return _turned(train, pair)


def unique_gauge(train: TensorTrain) -> TensorTrain:
    r"""The representative of a function: two trains of one function have equal cores here.

    Right-canonical, with Schmidt states on every bond, largest Schmidt value first. What is left is
    a phase per Schmidt state; it makes :math:`\sum_{sr} w_{sr} B_{ksr}` positive, with fixed
    generic weights w, because the largest entry may be shared by several through a symmetry. The
    first core has norm 1 and keeps the phase of the function, ``log_scale`` its norm. Unique where
    no Schmidt value of a bond is degenerate.

    >>> train = TensorTrain(cores=(np.ones((1, 2, 1)),) * 2)
    >>> other = TensorTrain(cores=(np.full((1, 2, 1), -2.0), np.full((1, 2, 1), -0.5)))
    >>> one, two = unique_gauge(train), unique_gauge(other)
    >>> all(np.allclose(a, b) for a, b in zip(one.cores, two.cores))
    True
    """
    form, _ = diagonal_form(train)
    cores = list(form.cores)
    for site in range(len(cores) - 1, 0, -1):
        flat = cores[site].reshape(len(cores[site]), -1)
        weights = stream(0, "trains", "gauge", str(flat.shape[1])).normal(size=flat.shape[1])
        sums = flat @ weights.astype(flat.real.dtype)
        # A sum of exactly zero leaves the phase as it is.
        phases = np.where(sums == 0.0, 1.0, sums) / np.where(sums == 0.0, 1.0, np.abs(sums))
        phases = phases.astype(sums.dtype)
        cores[site] = (flat * phases.conj()[:, None]).reshape(cores[site].shape)
        cores[site - 1] = _times(cores[site - 1], np.diag(phases))
    return TensorTrain(cores=tuple(cores), output_site=form.output_site, log_scale=form.log_scale)


def _turned(train: TensorTrain, pair: Callable[[int], tuple[Array, Array]]) -> TensorTrain:
    """Train with a matrix and its inverse, drawn for each bond, between the cores."""
    cores = list(train.cores)
    for site, bond in enumerate(train.bond_dims):
        matrix, inverse = (part.astype(_dtype(part, cores[site])) for part in pair(bond))
        cores[site] = _times(cores[site], matrix)
        cores[site + 1] = np.tensordot(inverse, cores[site + 1], axes=(1, 0))
    return TensorTrain(cores=tuple(cores), output_site=train.output_site, log_scale=train.log_scale)


def _isometry(matrix: Array) -> tuple[Array, Array]:
    """Orthogonal or unitary factor of a Gaussian matrix, Haar distributed, and its inverse."""
    basis, rest = np.linalg.qr(matrix)
    diagonal = np.diagonal(rest)
    basis = basis * (diagonal / np.abs(diagonal))
    return basis, basis.conj().T


def _random_unitary(rng: np.random.Generator, bond: int) -> tuple[Array, Array]:
    return _isometry(rng.normal(size=(bond, bond)) + 1j * rng.normal(size=(bond, bond)))


def _dtype(matrix: Array, core: Array) -> np.dtype[np.generic]:
    """Kind of the matrix, precision of the core."""
    return np.result_type(core.real.dtype, np.complex64 if np.iscomplexobj(matrix) else np.float32)


def _times(core: Array, matrix: Array) -> Array:
    return np.moveaxis(np.tensordot(core, matrix, axes=(2, 0)), -1, 2)
