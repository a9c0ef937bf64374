"""Leading fixed points of positive maps, against dense eigenvectors."""

import numpy as np
import pytest

from phasenet.trains.krylov import leading_projection


def positive_map(rng, size, count=3, is_complex=False):
    kraus = rng.normal(size=(count, size, size))
    return kraus + 1j * rng.normal(size=kraus.shape) if is_complex else kraus


def image_of(kraus):
    size = kraus.shape[1]

    def image(vector):
        square = vector.reshape(size, size)
        return sum(k @ square @ k.conj().T for k in kraus).ravel()

    return image


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5, 12])
def test_a_single_fixed_point(size, is_complex):
    kraus = positive_map(np.random.default_rng(size), size, is_complex=is_complex)
    found = leading_projection(image_of(kraus), np.eye(size, dtype=kraus.dtype).ravel())
    matrix = sum(np.kron(k, k.conj()) for k in kraus)
    values, vectors = np.linalg.eig(matrix)
    wanted = vectors[:, np.argmax(values.real)]
    assert abs(np.vdot(wanted, found)) == pytest.approx(1.0, abs=1e-12)
    assert np.linalg.eigvalsh(found.reshape(size, size)).min() > 0.0


def test_slow_decay_is_waited_for():
    """A gap of 1e-4: more steps than one Krylov space has."""
    values = np.concatenate([[1.0], 1.0 - np.linspace(1e-4, 0.9, 400)])
    found = leading_projection(lambda v: values * v, np.ones(401))
    assert np.linalg.norm(found[1:]) < 1e-8


def test_degenerate_eigenvalues_keep_the_shares_of_the_start():
    values = np.array([1.0, 1.0 - 1e-9, 1.0, -1.0, 0.5])
    start = np.array([1.0, 2.0, 3.0, 1.0, 1.0])
    found = leading_projection(lambda v: values * v, start)
    assert np.allclose(found / found[0], [1.0, 2.0, 3.0, 0.0, 0.0], atol=1e-6)


@pytest.mark.parametrize("matrix", [np.zeros((3, 3)), np.eye(3, k=1), np.eye(3) + np.eye(3, k=1)])
def test_no_fixed_point(matrix):
    assert leading_projection(lambda v: matrix @ v, np.ones(3)) is None
