"""Canonical forms of chains and cells, block by block, against dense tensors."""

import numpy as np
import pytest
from hypothesis import given, settings

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.exact import aklt_core
from phasenet.trains.cells import canonical_cell, canonical_defect
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain
from tests.trains.charged import (
    cells,
    chains,
    dense_vector,
    gauged,
    padded,
    random_cell,
    random_chain,
    transfer_matrix,
)

UP, DOWN = (np.eye(2)[k].reshape(1, 2, 1) for k in (0, 1))


def right_canonical(cores, atol=1e-10):
    rows = [core.reshape(len(core), -1) for core in cores]
    return all(np.allclose(r @ r.conj().T, np.eye(len(r)), rtol=0, atol=atol) for r in rows)


def same_state(first, second):
    return abs(abs(np.vdot(first, second)) - 1.0) < 1e-10


@settings(max_examples=50)
@given(chains())
def test_any_chain_becomes_canonical_and_keeps_its_charges(drawn):
    cores, _, modulus, _ = drawn
    form = state_form(TensorTrain(cores=tuple(cores)))
    vector = dense_vector(cores)
    assert right_canonical(form.cores) and same_state(dense_vector(form.cores), vector)
    assert form.modulus in (0, 4, 1)[: (0, 4, 1).index(modulus) + 1]
    for bond in range(1, form.length):
        values = np.linalg.svd(vector.reshape(form.site_dims[0] ** bond, -1), compute_uv=False)
        found = np.sort(form.schmidt_values[bond])[::-1]
        assert np.allclose(found, values[: len(found)], rtol=0, atol=1e-11)
        assert not np.any(values[len(found) :] > 1e-11)
        left = form.left_environment(bond)
        assert sum(np.trace(part[:, 0]) for part in left.values()) == pytest.approx(1.0)


@settings(max_examples=50)
@given(chains())
def test_gauges_scales_and_dead_bonds_change_nothing(drawn):
    cores, _, _, rng = drawn
    vector = dense_vector(cores)
    for other in (
        gauged(rng, cores, infinite=False, is_complex=True),
        padded(rng, cores, infinite=False),
        [core * 10.0 ** rng.integers(-150, 150) for core in cores],
    ):
        form = state_form(TensorTrain(cores=tuple(other)))
        assert right_canonical(form.cores) and same_state(dense_vector(form.cores), vector)
    assert form.modulus == state_form(TensorTrain(cores=tuple(cores))).modulus


@settings(max_examples=50)
@given(chains())
def test_what_is_canonical_stays_to_the_last_bit(drawn):
    cores, _, _, _ = drawn
    form = state_form(TensorTrain(cores=tuple(cores)))
    again = state_form(TensorTrain(cores=(2.0 * form.cores[0], *form.cores[1:])))
    assert all(map(np.array_equal, form.cores[1:], again.cores[1:]))
    assert np.allclose(form.cores[0], again.cores[0], rtol=1e-14)
    assert again.modulus == form.modulus
    assert state_form(form) is form
    for one, two in zip(form.schmidt_values, again.schmidt_values, strict=True):
        assert np.allclose(one, two, rtol=1e-7)


@settings(max_examples=30)
@given(cells())
def test_any_cell_becomes_canonical(drawn):
    cores, _, _, rng = drawn
    eigenvalues = np.linalg.eigvals(transfer_matrix(cores))
    order = np.sort(np.abs(eigenvalues))[::-1]
    # Cat states have tests of their own; nearly degenerate cells no dense oracle.
    if not order[0] > 1e-6 or (len(order) > 1 and order[1] > 0.999 * order[0]):
        return
    for other in (
        cores,
        gauged(rng, cores, infinite=True, is_complex=True),
        padded(rng, cores, infinite=True),
    ):
        cell = canonical_cell(other)
        assert canonical_defect(cell) < 1e-9
        assert np.allclose(two_cells(cell.cores), two_cells(cores), rtol=0, atol=1e-8)


def two_cells(cores):
    """Dense density matrix of a cell of an injective state, from the dense transfer matrix."""
    transfer, size = transfer_matrix(cores), len(cores[0])
    sides = []
    for matrix in (transfer.T, transfer):
        values, vectors = np.linalg.eig(matrix)
        sides.append(vectors[:, np.argmax(np.abs(values))].reshape(size, size))
    product = cores[0]
    for core in cores[1:]:
        product = np.tensordot(product, core, axes=(-1, 0))
    product = product.reshape(size, -1, size)
    density = np.einsum("ac,asb,ctd,bd->st", sides[0], product, product.conj(), sides[1])
    return density / np.trace(density)


def test_a_charged_cell_keeps_its_charges():
    rng = np.random.default_rng(5)
    cores, _ = random_cell(rng, 3, 2, 0, bond=8)
    assert state_form(canonical_cell(cores)).modulus == 0


def test_an_infinite_state_that_is_not_canonical_is_made_so():
    rng = np.random.default_rng(6)
    cores = tuple(random_cell(rng, 2, 2, 1)[0])
    values = tuple(np.ones(len(core)) for core in cores)
    form = state_form(InfiniteTrain(cores=cores, schmidt_values=values))
    assert right_canonical(form.cores)
    assert np.allclose(two_cells(form.cores), two_cells(cores), atol=1e-10)


def cat(dim, places):
    """One core whose branches are product states."""
    core = np.zeros((len(places), dim, len(places)))
    for branch, place in enumerate(places):
        core[branch, place, branch] = 1.0
    return core


def aklt_and_product():
    """One core of two branches, of bond dimensions 2 and 1."""
    core = np.zeros((3, 3, 3))
    core[:2, :, :2] = aklt_core()
    core[2, 1, 2] = 1.0
    return core


def twice(core, phase):
    size = len(core)
    both = np.zeros((2 * size, core.shape[1], 2 * size), dtype=np.result_type(core, phase))
    both[:size, :, :size], both[size:, :, size:] = core, phase * core
    return both


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ([cat(2, (0, 1))], [0.5, 0.5]),
        ([cat(3, (0, 1, 2))], [1 / 3] * 3),
        # Both Neel states in a cell of one site: a transfer eigenvalue -1.
        ([cat(2, (0, 1))[:, :, ::-1]], [0.5, 0.5]),
        ([UP, DOWN], [1.0]),
        ([aklt_and_product()], [1 / 3] * 3),
        # What is there twice counts once, also with another phase per cell.
        ([twice(aklt_core(), 1.0)], [1 / 2] * 2),
        ([twice(aklt_core(), -1.0)], [1 / 2] * 2),
        ([twice(aklt_core(), 1j)], [1 / 2] * 2),
        ([twice(aklt_and_product(), 1.0)], [1 / 3] * 3),
    ],
)
def test_cat_states_keep_their_branches_in_every_gauge(cell, wanted, is_complex):
    rng = np.random.default_rng(7)
    for other in (cell, gauged(rng, cell, infinite=True, is_complex=is_complex)):
        found = canonical_cell(padded(rng, other, infinite=True))
        assert canonical_defect(found) < 1e-10
        assert np.allclose(found.schmidt_values[0] ** 2, wanted, atol=1e-9)


def test_small_schmidt_values_are_found_to_more_than_half_the_digits():
    form = canonical_cell([np.ones((1, 2, 1))])
    assert form.bond_dims == (1,)
    core = np.zeros((2, 2, 2))
    # Pairs of flipped neighbours with amplitude 1e-7: the weight of the second value is 1e-14.
    core[0, 0, 0], core[0, 1, 1], core[1, 1, 0] = 1.0, 1e-7, 1.0
    assert canonical_cell([core]).schmidt_values[0].min() == pytest.approx(1e-7, rel=1e-6)


@pytest.mark.parametrize(
    ("cores", "message"),
    [
        ([np.zeros((1, 2, 1))], "norm zero"),
        ([np.ones((2, 2, 3))], "starts with bond 2 and ends in 3"),
        ([np.full((1, 2, 1), np.nan)], "core 0 has entries that are not finite"),
        # Domain walls: one branch leads into another of equal norm.
        (
            [cat(2, (0, 1)) + np.eye(2)[0][:, None, None] * np.ones((1, 2, 1)) * np.eye(2)[1]],
            "no fixed point",
        ),
        ([], "needs at least one core"),
    ],
)
def test_cells_without_a_state(cores, message):
    with pytest.raises(ShapeError, match=message):
        canonical_cell(cores)


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (TensorTrain(cores=(np.zeros((1, 2, 1)), UP)), "norm zero"),
        (TensorTrain(cores=(np.zeros((1, 2, 1)),)), "norm zero"),
        (TensorTrain(cores=(UP, np.zeros((1, 2, 1)))), "norm zero"),
        (
            TensorTrain(cores=(np.ones((1, 2, 2)), np.array([1.0, -1.0]).reshape(2, 1, 1))),
            "norm zero",
        ),
        (TensorTrain(cores=(UP, np.full((1, 2, 1), np.inf))), "core 1 of the state has entries"),
        (TensorTrain(cores=(np.ones((1, 2, 1, 2)),), output_site=0), "output leg at site 0"),
    ],
)
def test_chains_without_a_state(train, message):
    with pytest.raises(ShapeError, match=message):
        state_form(train)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.complex64])
def test_cores_of_other_precisions(dtype):
    rng = np.random.default_rng(9)
    cores = [(4 * core).round().astype(dtype) for core in random_chain(rng, 3, 4, 0)[0]]
    form = state_form(TensorTrain(cores=tuple(cores)))
    assert right_canonical(form.cores, atol=1e-12) and form.modulus == 0
    assert same_state(
        dense_vector(form.cores), dense_vector([1.0j * core.astype(complex) for core in cores])
    )
    assert state_form(TensorTrain(cores=(np.array([[[3], [4]]], dtype=dtype),))).length == 1


def test_sites_of_a_form():
    rng = np.random.default_rng(8)
    form = state_form(TensorTrain(cores=tuple(random_chain(rng, 2, 3, 1)[0])))
    with pytest.raises(SettingsError, match="site is 3; the chain has sites 0 to 2"):
        form.site(3)
    cell = state_form(canonical_cell([UP, DOWN]))
    assert cell.site(7) is cell.site(1)
