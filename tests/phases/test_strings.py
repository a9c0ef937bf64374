"""String orders against dense vectors and closed forms."""

import functools
import itertools

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.phases.conditional import (
    bulk_string_of_snapshots,
    conditional_bulk_string_order,
    conditional_string_order,
    conditional_string_orders,
)
from phasenet.phases.exact import aklt_cell, aklt_chain, large_d_cell, large_d_chain, product_cell
from phasenet.phases.spins import pi_rotation, spin_matrix
from phasenet.phases.strings import (
    bulk_blocks,
    bulk_pair,
    bulk_string_order,
    identity_string,
    identity_string_limit,
    string_order,
    string_order_at,
    string_order_limit,
    string_orders,
)
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

AXES = ("x", "y", "z")


def random_state(length, dim, seed):
    rng = np.random.default_rng(seed)
    dims = [1, *rng.integers(2, 5, size=length - 1), 1]
    pairs = [(dims[k], dim, dims[k + 1]) for k in range(length)]
    return TensorTrain(
        cores=tuple(rng.normal(size=shape) + 1j * rng.normal(size=shape) for shape in pairs)
    )


def random_positive(length, dim, seed, output_site):
    rng = np.random.default_rng(seed)
    dims = [1, *[2] * (length - 1), 1]
    cores = [rng.uniform(0.1, 1.0, size=(dims[k], dim, dims[k + 1])) for k in range(length)]
    cores[output_site] = rng.uniform(0.1, 1.0, size=(*cores[output_site].shape, 2))
    return TensorTrain(cores=tuple(cores), output_site=output_site)


def words(length, dim):
    return np.array(list(itertools.product(range(dim), repeat=length)))


def vector(state):
    psi = state(words(state.length, state.site_dims[0]))
    return psi / np.linalg.norm(psi)


def dense_string(axis, dim, length, first, last, *, end):
    one, inside = np.eye(dim), pi_rotation(axis, dim)
    edge = spin_matrix(axis, dim) if end else inside
    pieces = [
        edge if k in (first, last) else inside if first < k < last else one for k in range(length)
    ]
    return functools.reduce(np.kron, pieces)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("pair", [(0, 1), (1, 4), (0, 5), (2, 4)])
def test_finite_strings_agree_with_dense_vectors(axis, pair):
    state = random_state(6, 3, 5)
    psi = vector(state)
    operator = dense_string(axis, 3, 6, *pair, end=True)
    wanted = -(psi.conj() @ operator @ psi).real
    assert string_order(state, axis, pair) == pytest.approx(wanted, abs=1e-12)
    assert string_orders(state, axis, pair[0])[pair[1] - pair[0] - 1] == pytest.approx(
        wanted, abs=1e-12
    )
    closed = (psi.conj() @ dense_string(axis, 3, 6, *pair, end=False) @ psi).real
    assert identity_string(state, axis, pair) == pytest.approx(closed, abs=1e-12)


@pytest.mark.parametrize("axis", AXES)
def test_spin_half_strings_agree_with_dense_vectors(axis):
    state = random_state(7, 2, 6)
    psi = vector(state)
    operator = dense_string(axis, 2, 7, 1, 4, end=True)
    assert string_order(state, axis, (1, 4)) == pytest.approx(
        -(psi.conj() @ operator @ psi).real, abs=1e-12
    )
    assert string_orders(state, axis, 1)[1] == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(SettingsError, match="odd number"):
        string_order(state, axis, (1, 3))


@pytest.mark.parametrize("axis", AXES)
def test_bulk_average_is_the_mean_over_its_pairs(axis):
    state = random_state(8, 3, 9)
    starts, ends = bulk_blocks(8)
    wanted = np.mean([string_order(state, axis, pair) for pair in itertools.product(starts, ends)])
    assert bulk_string_order(state, axis) == pytest.approx(wanted, abs=1e-13)


@pytest.mark.parametrize("output_site", [0, 3, 5])
def test_conditional_orders_agree_with_dense_sums(output_site):
    state, function = random_state(6, 3, 2), random_positive(6, 3, 3, output_site)
    p, f = np.abs(vector(state)) ** 2, function(words(6, 3))
    for last in range(2, 6):
        diagonal = np.diagonal(dense_string("z", 3, 6, 1, last, end=True))
        wanted = -((p * diagonal) @ f) / (p @ f)
        np.testing.assert_allclose(
            conditional_string_order(state, function, (1, last)), wanted, atol=1e-12
        )
        found = conditional_string_orders(state, function, 1)
        np.testing.assert_allclose(found[last - 2], wanted, atol=1e-12)


def test_conditional_bulk_order_is_the_mean_over_its_pairs():
    state, function = random_state(8, 3, 2), random_positive(8, 3, 3, 4)
    pairs = itertools.product(*bulk_blocks(8))
    wanted = np.mean([conditional_string_order(state, function, pair) for pair in pairs], axis=0)
    np.testing.assert_allclose(conditional_bulk_string_order(state, function), wanted, atol=1e-13)


def test_a_constant_function_conditions_on_nothing():
    state = aklt_chain(12)
    one = TensorTrain(cores=(np.ones((1, 3, 1)),) * 12)
    assert float(conditional_string_order(state, one)) == pytest.approx(
        string_order(state, "z"), abs=1e-12
    )
    assert np.isnan(conditional_string_order(state, TensorTrain(cores=(np.zeros((1, 3, 1)),) * 12)))


@pytest.mark.parametrize("axis", AXES)
def test_aklt_string_order_is_four_ninths_at_every_distance(axis):
    chain, cell = aklt_chain(32), aklt_cell()
    np.testing.assert_allclose(string_orders(chain, axis, 8)[:16], 4 / 9, atol=1e-12)
    assert string_order(chain, axis) == pytest.approx(4 / 9, abs=1e-12)
    assert bulk_string_order(chain, axis) == pytest.approx(4 / 9, abs=1e-12)
    for distance in (1, 2, 3, 10, 101):
        assert string_order_at(cell, axis, distance) == pytest.approx(4 / 9, abs=1e-12)
    assert string_order_limit(cell, axis) == pytest.approx(4 / 9, abs=1e-12)
    assert identity_string_limit(cell, axis) == pytest.approx(0.0, abs=1e-12)
    assert abs(identity_string(chain, axis)) < 1e-6


@pytest.mark.parametrize("cell", [1, 2, 3])
def test_the_limit_does_not_depend_on_the_cell(cell):
    one = aklt_cell()
    many = InfiniteTrain(cores=one.cores * cell, schmidt_values=one.schmidt_values * cell)
    for start, end in itertools.product(range(cell), repeat=2):
        assert string_order_limit(many, "x", start, end) == pytest.approx(4 / 9, abs=1e-12)


@pytest.mark.parametrize("axis", AXES)
def test_large_d_has_no_string_order_but_identity_strings(axis):
    assert string_order(large_d_chain(16), axis) == 0.0
    assert string_order_limit(large_d_cell(), axis) == 0.0
    assert identity_string_limit(large_d_cell(), axis) == pytest.approx(1.0, abs=1e-12)


def test_neel_has_string_order_along_z_only():
    neel = product_cell([0, 2], 3)
    assert string_order_limit(neel, "z") == pytest.approx(1.0, abs=1e-12)
    assert string_order_limit(neel, "x") == 0.0
    assert string_order_at(neel, "x", 5) == 0.0


def test_degenerate_leading_eigenvalues_are_all_counted():
    core = np.zeros((2, 3, 2))
    core[0, 0, 0] = core[1, 2, 1] = 1.0
    cat = InfiniteTrain(cores=(core,), schmidt_values=(np.full(2, np.sqrt(0.5)),))
    # Both branches are ferromagnetic, so the string alternates: even distances inside give -1.
    assert string_order_limit(cat, "z") == pytest.approx(-1.0, abs=1e-12)
    assert string_order_at(cat, "z", 101) == pytest.approx(-1.0, abs=1e-12)
    assert string_order_limit(cat, "x") == pytest.approx(0.0, abs=1e-12)


def test_spin_half_dimers_have_string_order_across_a_cell_of_two():
    singlet = (np.array([[[1.0, 0.0], [0.0, 1.0]]]), np.array([[[0.0], [1.0]], [[-1.0], [0.0]]]))
    cores = (singlet[0] * np.sqrt(0.5), singlet[1])
    dimers = InfiniteTrain(cores=cores, schmidt_values=(np.ones(1), np.full(2, np.sqrt(0.5))))
    # Each end with its partner inside gives -i/2, each singlet between gives 1, so O = -1/4.
    assert string_order_limit(dimers, "z", 0, 1) == pytest.approx(0.25, abs=1e-12)
    assert string_order_limit(dimers, "z", 1, 0) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(
        string_order_limit(dimers, "z"), string_order_at(dimers, "z", 101), atol=1e-12
    )


def test_default_pairs_and_errors():
    assert bulk_pair(32) == (8, 23)
    assert bulk_blocks(32) == (range(8, 12), range(20, 24))
    with pytest.raises(SettingsError, match="does not fit a chain of 8 sites"):
        string_order(aklt_chain(8), "z", (3, 3))
    with pytest.raises(SettingsError, match="must be within 0"):
        string_orders(aklt_chain(8), "z", 7)
    with pytest.raises(SettingsError, match="must be within 0"):
        conditional_string_orders(aklt_chain(8), aklt_chain(8), 7)
    with pytest.raises(SettingsError, match="distance 1 or more"):
        string_order_at(aklt_cell(), "z", 0)
    with pytest.raises(SettingsError, match="need integer spins"):
        bulk_string_order(random_state(8, 2, 0), "z")
    with pytest.raises(SettingsError, match="no bulk pair"):
        bulk_pair(2)


def test_string_of_snapshots_equals_the_string_order_of_product_states():
    rng = np.random.default_rng(5)
    spins = rng.integers(3, size=(20, 12))
    found = bulk_string_of_snapshots(spins, 3)
    for row, value in zip(spins, found, strict=True):
        cores = tuple(np.eye(3)[state].reshape(1, 3, 1) for state in row)
        assert value == pytest.approx(bulk_string_order(TensorTrain(cores=cores), "z"), abs=1e-12)


def test_string_of_snapshots_needs_integer_spins():
    with pytest.raises(SettingsError, match="integer spins"):
        bulk_string_of_snapshots(np.zeros((1, 8), dtype=np.int64), 2)
