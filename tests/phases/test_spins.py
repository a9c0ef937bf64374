"""Spin matrices against their algebra and the matrix exponential."""

import numpy as np
import pytest
import scipy.linalg

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.spins import (
    magnetic_numbers,
    on_site,
    pi_rotation,
    spin_matrix,
)


@pytest.mark.parametrize("dim", [2, 3, 4, 5])
def test_commutation_and_length(dim):
    x, y, z = (spin_matrix(axis, dim) for axis in "xyz")
    np.testing.assert_allclose(x @ y - y @ x, 1j * z, atol=1e-12)
    np.testing.assert_allclose(y @ z - z @ y, 1j * x, atol=1e-12)
    spin = (dim - 1) / 2
    np.testing.assert_allclose(x @ x + y @ y + z @ z, spin * (spin + 1) * np.eye(dim), atol=1e-12)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("dim", [2, 3, 4, 5])
def test_rotations_are_exponentials(axis, dim):
    wanted = scipy.linalg.expm(1j * np.pi * spin_matrix(axis, dim))
    np.testing.assert_allclose(pi_rotation(axis, dim), wanted, atol=1e-12)
    if dim % 2:
        assert np.isrealobj(pi_rotation(axis, dim))


def test_highest_weight_comes_first():
    assert magnetic_numbers(3).tolist() == [1.0, 0.0, -1.0]
    assert spin_matrix("z", 2)[0, 0] == 0.5


def test_errors():
    with pytest.raises(SettingsError, match="at least 2 local states"):
        spin_matrix("z", 1)
    with pytest.raises(SettingsError, match="must be x, y or z"):
        spin_matrix("w", 3)
    with pytest.raises(SettingsError, match="must be x, y or z"):
        pi_rotation("w", 3)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_operators_by_name(axis):
    np.testing.assert_array_equal(on_site(f"S{axis}", 3), spin_matrix(axis, 3))
    np.testing.assert_array_equal(on_site(f"R{axis}", 3), pi_rotation(axis, 3))
    pauli = on_site(axis.upper(), 2)
    np.testing.assert_allclose(pauli @ pauli.conj().T, np.eye(2))
    np.testing.assert_array_equal(pauli, on_site(axis.upper(), 2))
    np.testing.assert_array_equal(pauli, 2 * spin_matrix(axis, 2))
    np.testing.assert_array_equal(on_site("1", 3), np.eye(3))


def test_unknown_operators_are_one_line():
    with pytest.raises(SettingsError, match="'Sw' is unknown; wanted 1, Rx"):
        on_site("Sw", 3)
    with pytest.raises(ShapeError, match=r"shape \(2, 2\) acts on a site of 3 states"):
        on_site(((0, 1), (1, 0)), 3)
    with pytest.raises(SettingsError, match=r"Pauli matrix Z acts on 2 .* has 3: use Rz or Sz"):
        on_site("Z", 3)
