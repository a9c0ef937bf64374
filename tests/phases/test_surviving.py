"""What survives of an environment: maps whose eigenvalues are known."""

import numpy as np
import pytest

from phasenet.phases.surviving import survivors


def applied(matrix, start, weights=None, unbroken=0.999):
    """Survivors of a vector under a matrix, both as a bond of one group on the side of the ket."""
    size = len(start)
    ket, bra = (np.arange(size),), (np.arange(1),)

    def image(environment):
        return {
            key: (matrix @ values[:, 0, 0])[:, None, None] for key, values in environment.items()
        }

    found = survivors(
        image,
        {(0, 0): np.asarray(start)[:, None, None]},
        (ket, bra),
        np.ones(1) if weights is None else weights,
        unbroken,
    )
    return found, found.total[0, 0][:, 0, 0]


@pytest.mark.parametrize("phase", [0.0, 0.5, 1 / 3])
def test_parts_with_eigenvalues_of_modulus_one_survive(phase):
    rng = np.random.default_rng(1)
    decays = np.concatenate([[1.0, np.exp(2j * np.pi * phase)], rng.uniform(-0.9, 0.9, size=40)])
    basis = np.linalg.qr(rng.normal(size=(42, 42)))[0]
    start = rng.normal(size=42)
    found, total = applied(basis @ np.diag(decays) @ basis.T, start)
    np.testing.assert_allclose(total, basis[:, :2] @ (basis[:, :2].T @ start), atol=1e-9)
    assert found.moduli[0] == pytest.approx(1.0, abs=1e-12)
    assert found.residual < 1e-10
    assert sorted(found.turns) == pytest.approx([0.0] if phase == 0.0 else [0.0, phase], abs=1e-6)


def test_nothing_survives_below_the_threshold():
    rng = np.random.default_rng(2)
    basis = np.linalg.qr(rng.normal(size=(30, 30)))[0]
    matrix = basis @ np.diag(np.linspace(-0.5, 0.95, 30)) @ basis.T
    found, total = applied(matrix, rng.normal(size=30))
    assert found.moduli[0] == pytest.approx(0.95, abs=1e-4)
    assert not total.any()
    assert found.turns == ()


def test_a_close_neighbour_of_the_leading_eigenvalue_is_told_apart():
    rng = np.random.default_rng(3)
    basis = np.linalg.qr(rng.normal(size=(60, 60)))[0]
    decays = np.concatenate([[1.0, 0.99, 0.985], np.linspace(-0.9, 0.97, 57)])
    start = rng.normal(size=60)
    _, total = applied(basis @ np.diag(decays) @ basis.T, start)
    np.testing.assert_allclose(total, basis[:, 0] * (basis[:, 0] @ start), atol=1e-8)


@pytest.mark.parametrize("eigenvalue", [0.0, 0.5])
def test_defective_maps_leave_nothing(eigenvalue):
    matrix = eigenvalue * np.eye(5) + np.eye(5, k=1)
    found, total = applied(matrix, np.arange(1.0, 6.0))
    assert not total.any()
    assert found.moduli[0] == pytest.approx(eigenvalue, abs=0.01)


def test_an_environment_of_nothing_has_no_survivors():
    found = survivors(lambda e: dict(e), {}, ((np.arange(1),),) * 2, np.ones(1), 0.999)
    assert (dict(found.total), found.turns, found.moduli) == ({}, (), (0.0,))
