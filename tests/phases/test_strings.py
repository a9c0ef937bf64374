"""String orders against dense vectors and closed forms."""

import functools
import itertools

import numpy as np
import pytest

from phasenet.criteria import StringOrder, spin_string
from phasenet.errors import SettingsError
from phasenet.phases.conditional import (
    bulk_string_of_snapshots,
    conditional_bulk_string_order,
    conditional_string_order,
    conditional_string_orders,
)
from phasenet.phases.exact import aklt_cell, aklt_chain, cluster_chain, product_cell, product_chain
from phasenet.phases.spins import on_site
from phasenet.phases.strings import (
    bulk_blocks,
    bulk_pair,
    bulk_string_order,
    string_order,
    string_pairs,
    string_profile,
)
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

AXES = ("x", "y", "z")
TURN = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3, 2)) @ np.array([1, 1j]))[0]
SPIN_ONE = (
    *(spin_string(axis, 3) for axis in AXES),
    spin_string("x", 3).trivial,
    StringOrder.parse("Sp [Ry] Sm"),
    StringOrder.parse("Sz Sx [Rz 1] Sx"),
    StringOrder(name="matrix", left=("Sz",), inside=(TURN,), right=("1", TURN), factor=0.5),
    StringOrder(name="sublattice", left=("Sz",), inside=("Rz",), right=("Sz",), start=1, period=2),
)
SPIN_HALF = (
    *(spin_string(axis, 2) for axis in AXES),
    StringOrder.parse("Z [X 1] X Z"),
    StringOrder.parse("X [Z Z 1] Y X"),
    StringOrder(
        name="dimers",
        left=("Sz",),
        inside=("Rz",) * 2,
        right=("Sz",),
        factor=-4.0,
        start=1,
        period=2,
    ),
)


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


def dense_string(string, dim, length, first, last):
    """Matrix of a string on the whole chain, None where it cannot lie."""
    p, q, r = (len(part) for part in (string.left, string.inside, string.right))
    inside = last - first - p
    if inside < 0 or inside % q or last + r > length or (first - string.start) % string.period:
        return None
    names = ["1"] * length
    names[first : first + p] = string.left
    names[first + p : last] = string.inside * (inside // q)
    names[last : last + r] = string.right
    return string.factor * functools.reduce(np.kron, [on_site(name, dim) for name in names])


def dense_pairs(string, psi, dim, length):
    pairs = np.full((length, length), np.nan)
    for first, last in itertools.combinations(range(length), 2):
        operator = dense_string(string, dim, length, first, last)
        if operator is not None:
            pairs[first, last] = (psi.conj() @ operator @ psi).real
    return pairs


@pytest.mark.parametrize(
    ("dim", "length", "string"),
    [(3, 6, string) for string in SPIN_ONE] + [(2, 8, string) for string in SPIN_HALF],
    ids=str,
)
def test_every_pair_agrees_with_dense_vectors(dim, length, string):
    state = random_state(length, dim, 5)
    form, wanted = state_form(state), dense_pairs(string, vector(state), dim, length)
    assert np.isfinite(wanted).any()
    np.testing.assert_allclose(string_pairs(state, string), wanted, atol=1e-12)
    for first, last in np.argwhere(np.isfinite(wanted)):
        found = string_order(form, string, (first, last))
        assert found.value == pytest.approx(wanted[first, last], abs=1e-12)
        assert (found.error, found.method) == (0.0, "exact")
    for first in np.flatnonzero(np.isfinite(wanted).any(axis=1)):
        profile = string_profile(form, string, first)
        assert profile.first == first
        np.testing.assert_array_equal(
            profile.distances, np.flatnonzero(np.isfinite(wanted[first])) - first
        )
        np.testing.assert_allclose(
            profile.values, wanted[first, first + profile.distances], atol=1e-12
        )


@pytest.mark.parametrize("axis", AXES)
def test_charges_change_nothing(axis):
    plain, graded = aklt_chain(6), state_form(aklt_chain(6))
    assert graded.modulus == 0
    wanted = dense_pairs(spin_string(axis, 3), vector(plain), 3, 6)
    np.testing.assert_allclose(string_pairs(graded, axis), wanted, atol=1e-12)


@pytest.mark.parametrize("axis", AXES)
def test_the_block_average_is_the_mean_over_its_pairs(axis):
    state = random_state(8, 3, 9)
    starts, ends = bulk_blocks(8)
    pairs = itertools.product(starts, ends)
    wanted = np.mean([string_order(state, axis, pair).value for pair in pairs])
    assert bulk_string_order(state, axis) == pytest.approx(wanted, abs=1e-13)


def test_the_block_average_takes_the_pairs_that_fit():
    state = random_state(16, 2, 4)
    found = [string_order(state, "z", pair).value for pair in ((4, 11), (5, 10))]
    assert bulk_string_order(state, "z") == pytest.approx(np.mean(found), abs=1e-13)
    odd = StringOrder(name="odd", left=("Z",), inside=("1",), right=("Z",), start=6, period=16)
    assert np.isnan(bulk_string_order(state, odd))


@pytest.mark.parametrize("axis", AXES)
def test_aklt_string_order_is_four_ninths_at_every_distance(axis):
    found = string_profile(aklt_chain(32), axis)
    assert found.first == 8
    np.testing.assert_allclose(found.values[:16], 4 / 9, atol=1e-6)
    cell = string_profile(aklt_cell(), axis)
    np.testing.assert_array_equal(cell.distances, np.arange(1, 101))
    np.testing.assert_allclose(cell.values, 4 / 9, atol=1e-12)
    assert string_order(aklt_cell(), axis, (0, 1000)).value == pytest.approx(4 / 9, abs=1e-11)


@pytest.mark.parametrize("start", [0, 1])
def test_stabilisers_of_the_cluster_chain_are_one(start):
    string = StringOrder(
        name="stabiliser", left=("Z",), inside=("X", "1"), right=("X", "Z"), start=start, period=2
    )
    pairs = string_pairs(cluster_chain(12), string)
    known = pairs[np.isfinite(pairs)]
    assert len(known) > 10
    np.testing.assert_allclose(known, 1.0, atol=1e-12)


def test_infinite_strings_agree_with_a_long_chain():
    chain = aklt_chain(60)
    string = StringOrder.parse("Sz Sx [Ry] Sx Sz")
    wanted = string_order(chain, string, (20, 30)).value
    assert string_order(aklt_cell(), string, (7, 17)).value == pytest.approx(wanted, abs=1e-8)


def test_strings_of_products_over_a_cell():
    neel = product_cell([0, 2], 3)
    assert string_order(neel, "z", (1, 102)).value == pytest.approx(1.0, abs=1e-12)
    assert string_order(neel, "x", (0, 5)).value == 0.0


@pytest.mark.parametrize("output_site", [0, 3, 5])
def test_conditional_orders_agree_with_dense_sums(output_site):
    state, function = random_state(6, 3, 2), random_positive(6, 3, 3, output_site)
    p, f = np.abs(vector(state)) ** 2, function(words(6, 3))
    found = conditional_string_orders(state, function, 1)
    for last in range(2, 6):
        diagonal = np.diagonal(dense_string(spin_string("z", 3), 3, 6, 1, last))
        wanted = ((p * diagonal) @ f) / (p @ f)
        np.testing.assert_allclose(
            conditional_string_order(state, function, (1, last)), wanted, atol=1e-12
        )
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
        string_order(state, "z", bulk_pair(12)).value, abs=1e-12
    )
    assert np.isnan(conditional_string_order(state, TensorTrain(cores=(np.zeros((1, 3, 1)),) * 12)))


def test_string_of_snapshots_equals_the_string_order_of_product_states():
    rng = np.random.default_rng(5)
    spins = rng.integers(3, size=(20, 12))
    found = bulk_string_of_snapshots(spins, 3)
    for row, value in zip(spins, found, strict=True):
        assert value == pytest.approx(bulk_string_order(product_chain(row, 3), "z"), abs=1e-12)


def test_default_pairs_and_blocks():
    assert bulk_pair(32) == (8, 23)
    assert bulk_blocks(32) == (range(8, 12), range(20, 24))


def test_strings_that_cannot_lie_are_refused():
    chain, sublattice = aklt_chain(8), SPIN_ONE[-1]
    with pytest.raises(
        SettingsError, match="does not fit a chain of 8 sites; wanted 0 <= i < j <= 7"
    ):
        string_order(chain, "z", (3, 3))
    with pytest.raises(SettingsError, match="does not fit a chain of 8 sites"):
        string_profile(chain, "z", 7)
    with pytest.raises(SettingsError, match=r"leaves 1 sites inside .* wanted a multiple of 2"):
        string_order(random_state(7, 2, 6), "z", (1, 3))
    with pytest.raises(SettingsError, match="leaves -1 sites inside"):
        string_order(aklt_cell(), "z", (4, 4))
    with pytest.raises(SettingsError, match="cannot start at site 2; wanted 1 modulo 2"):
        string_order(chain, sublattice, (2, 5))
    with pytest.raises(SettingsError, match="all pairs are asked of an infinite state"):
        string_pairs(aklt_cell(), "z")
    with pytest.raises(SettingsError, match="wanted x, y, z or a StringOrder"):
        string_order(chain, "w")
    mixed = TensorTrain(cores=(np.ones((1, 2, 1)), np.ones((1, 3, 1))))
    with pytest.raises(SettingsError, match=r"sites have \[2, 3\] states.*give a StringOrder"):
        string_order(mixed, "z", (0, 1))
    with pytest.raises(SettingsError, match="must be within 0"):
        conditional_string_orders(chain, chain, 7)
    with pytest.raises(SettingsError, match="no bulk pair"):
        bulk_pair(2)


def test_string_of_snapshots_needs_integer_spins():
    with pytest.raises(SettingsError, match="integer spins"):
        bulk_string_of_snapshots(np.zeros((1, 8), dtype=np.int64), 2)
    with pytest.raises(SettingsError, match="need integer spins"):
        conditional_bulk_string_order(random_state(8, 2, 0), random_positive(8, 2, 0, 0))


def test_a_state_of_two_site_dimensions_takes_named_strings():
    cores = tuple(np.eye(dim)[0].reshape(1, dim, 1) for dim in (2, 3) * 3)
    string = StringOrder(name="mixed", left=("Sz",), inside=("Rz", "Rz"), right=("Sz",), factor=1.0)
    found = string_order(TensorTrain(cores=cores), string, (0, 5))
    # Spins 1/2 and 1 up: each pair inside turns by exp(3 i pi / 2), and two of them by -1.
    assert found.value == pytest.approx(-0.5, abs=1e-12)
    infinite = InfiniteTrain(cores=cores[:2], schmidt_values=(np.ones(1),) * 2)
    assert string_order(infinite, string, (0, 5)).value == pytest.approx(-0.5, abs=1e-12)
