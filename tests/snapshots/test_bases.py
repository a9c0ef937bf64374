"""Bases of a measurement against spin matrices and the definition of unbiased."""

import itertools

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.phases.spins import spin_matrix
from phasenet.snapshots.bases import basis_of


@pytest.mark.parametrize("dim", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_rows_are_eigenstates_highest_first(dim, axis):
    rows = basis_of(f"S{axis}", dim).vectors[0]
    np.testing.assert_allclose(rows @ rows.conj().T, np.eye(dim), atol=1e-13)
    values = (dim - 1) / 2 - np.arange(dim)
    np.testing.assert_allclose(rows @ spin_matrix(axis, dim), values[:, None] * rows, atol=1e-13)
    first = rows[:, 0] if axis != "z" else np.diag(rows)
    assert np.all(np.abs(first.imag) < 1e-15)
    assert np.all(first.real > 0)
    assert np.iscomplexobj(rows) == (axis == "y")


@pytest.mark.parametrize("dim", [2, 3, 5, 7])
def test_unbiased_bases_are_unbiased(dim):
    basis = basis_of("unbiased", dim)
    assert basis.names == tuple(f"unbiased {k}" for k in range(dim + 1))
    for rows in basis.vectors:
        np.testing.assert_allclose(rows @ rows.conj().T, np.eye(dim), atol=1e-13)
    for one, other in itertools.combinations(basis.vectors, 2):
        np.testing.assert_allclose(np.abs(one @ other.conj().T) ** 2, 1 / dim, atol=1e-13)


def test_unbiased_bases_of_a_spin_half_are_those_of_z_x_and_y():
    found = basis_of("unbiased", 2).vectors
    half = np.sqrt(0.5)
    pauli = (
        [[1, 0], [0, 1]],
        [[half, half], [half, -half]],
        [[half, -1j * half], [half, 1j * half]],
    )
    for rows, wanted in zip(found, pauli, strict=True):
        np.testing.assert_allclose(rows, wanted, atol=1e-15)


def test_first_unbiased_basis_is_that_of_sz():
    np.testing.assert_array_equal(basis_of("unbiased", 3).vectors[0], np.eye(3))


def test_patterns_repeat_along_the_chain():
    basis = basis_of("Sx, Sz,Sx", 3)
    assert (basis.name, basis.names, basis.pattern) == ("Sx,Sz,Sx", ("Sx", "Sz"), (0, 1, 0))
    assert not basis.drawn
    assert basis.indices(7).tolist() == [0, 1, 0, 0, 1, 0, 0]
    assert basis_of("Sy", 2).indices(3).tolist() == [0, 0, 0]


def test_random_bases_are_drawn_evenly():
    basis = basis_of("random", 3)
    assert basis.drawn
    assert basis.names == ("Sx", "Sy", "Sz")
    drawn = basis.draw(np.random.default_rng(0).random((300, 100)))
    assert drawn.dtype == np.uint8
    counts = np.bincount(drawn.ravel(), minlength=3)
    assert np.abs(counts - 10_000).max() < 5 * np.sqrt(30_000 * 2 / 9)


@pytest.mark.parametrize("dim", [2, 3, 5, 7, 11])
def test_the_largest_random_number_still_draws_a_basis(dim):
    basis = basis_of("unbiased", dim)
    assert basis.draw(np.array([0.0, 1.0 - 2.0**-53])).tolist() == [0, dim]


def test_vectors_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        basis_of("Sx", 2).vectors[0][0, 0] = 3.0


def test_bases_that_there_are_not():
    with pytest.raises(SettingsError, match=r"'Sq'; wanted one of Sz, Sx, .*or a pattern"):
        basis_of("Sq", 2)
    with pytest.raises(SettingsError, match="'Sx,random'"):
        basis_of("Sx,random", 2)
    with pytest.raises(SettingsError, match="site has 4: use the basis random"):
        basis_of("unbiased", 4)
    with pytest.raises(SettingsError, match="1 local states"):
        basis_of("Sz", 1)
    with pytest.raises(SettingsError, match="basis 'random' is drawn for each shot"):
        basis_of("random", 2).indices(3)
