"""Block-wise contraction against dense contraction."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import ShapeError
from phasenet.trains.blocks import diagonal_environment, joined, overlap, through
from phasenet.trains.charges import bond_charges, graded_cores
from tests.trains.charged import chains


def dense(environment, left, right):
    """Environment as one array (ket, batch, bra)."""
    batch = next(iter(environment.values())).shape[1]
    total = np.zeros((sum(map(len, left)), batch, sum(map(len, right))), dtype=complex)
    for (above, below), values in environment.items():
        rows, columns = left[above], right[below]
        total[rows[:, None], :, columns[None, :]] = values.transpose(0, 2, 1)
    return total


def graded(cores):
    return graded_cores(cores, *bond_charges(cores, infinite=False), infinite=False)


def operators(rng, dim):
    matrix = rng.normal(size=(dim, dim))
    return (
        None,
        rng.normal(size=dim),
        matrix,
        matrix + 1j * rng.normal(size=(dim, dim)),
        # A rotation by pi about x takes each charge to its opposite.
        np.eye(dim)[::-1],
    )


@settings(max_examples=50)
@given(chains(max_length=4), st.integers(0, 4))
def test_through_a_site_is_the_dense_contraction(drawn, which):
    cores, _, _, rng = drawn
    environment = {(0, 0): np.array([[[2.0]]])}
    wanted = np.full((1, 1, 1), 2.0)
    for core, block in zip(cores, graded(cores), strict=True):
        operator = operators(rng, core.shape[1])[which]
        environment = through(environment, block, block, operator)
        matrix = np.eye(core.shape[1]) if operator is None else operator
        matrix = np.diag(matrix) if matrix.ndim == 1 else matrix
        wanted = np.einsum("ts,asb,anc,ctd->bnd", matrix, core, wanted, core.conj())
        if not environment:
            assert np.abs(wanted).max() < 1e-12
            return
        found = dense(environment, block.right, block.right)
        assert np.allclose(found, wanted, rtol=0, atol=1e-10 * (1 + np.abs(wanted).max()))


@settings(max_examples=50)
@given(chains(max_length=4))
def test_both_sides_of_a_bond_meet(drawn):
    cores, _, _, _ = drawn
    blocks = graded(cores)
    left = {(0, 0): np.ones((1, 1, 1))}
    lefts = [left := through(left, block, block) for block in blocks]
    right = {(0, 0): np.ones((1, 1, 1))}
    norms = []
    for block, left in zip(reversed(blocks), reversed(lefts), strict=True):
        norms.append(overlap(left, right)[0, 0].real)
        right = through(right, block.mirrored, block.mirrored)
    assert np.allclose(norms, norms[0], rtol=1e-10)


@settings(max_examples=50)
@given(chains())
def test_views_of_a_core(drawn):
    cores, _, _, rng = drawn
    for core, block in zip(cores, graded(cores), strict=True):
        left, right = rng.random(core.shape[0]), rng.random(core.shape[2])
        scaled = left[:, None, None] * block.dense * right
        assert np.array_equal(block.conjugate.dense, block.dense.conj())
        assert np.array_equal(block.mirrored.dense, block.dense.swapaxes(0, 2))
        assert np.allclose(block.scaled(left, right).dense, scaled, rtol=1e-12)


def test_batches_are_joined_and_what_is_missing_is_zero():
    one = {(0, 0): np.ones((2, 1, 2))}
    two = {(0, 0): np.full((2, 2, 2), 2.0), (1, 0): np.full((3, 2, 2), 3.0)}
    both = joined([one, two], [1, 2])
    assert both[0, 0].shape == (2, 3, 2) and both[1, 0].shape == (3, 3, 2)
    assert not both[1, 0][:, 0].any()
    assert overlap(both, one).tolist() == [[4.0], [8.0], [8.0]]
    assert overlap({(0, 1): np.ones((2, 3, 1))}, one).tolist() == [[0.0]] * 3


def test_an_environment_of_weights_is_diagonal():
    groups = (np.array([0, 2]), np.array([1]))
    found = dense(diagonal_environment(groups, np.array([1.0, 2.0, 3.0])), groups, groups)
    assert np.array_equal(found[:, 0], np.diag([1.0, 2.0, 3.0]))


def test_an_operator_of_another_dimension_is_an_error():
    (block,) = graded([np.ones((1, 2, 1))])
    with pytest.raises(ShapeError, match="dimension 3; the site has 2"):
        through({(0, 0): np.ones((1, 1, 1))}, block, block, np.eye(3))
