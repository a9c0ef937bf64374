"""Estimates from shots against exact contractions and dense vectors."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from phasenet.criteria import StringOrder, spin_string
from phasenet.errors import SettingsError, ShapeError
from phasenet.operators import frozen
from phasenet.phases.correlations import correlation_matrix, expectations
from phasenet.phases.exact import aklt_cell, aklt_chain, cluster_chain
from phasenet.phases.spins import on_site, spin_matrix
from phasenet.phases.strings import string_pairs
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.snapshots.readouts import Readout, outcome_values
from phasenet.snapshots.sampling import draw_shots
from phasenet.snapshots.shadow_purity import purity_estimate, renyi_estimate
from phasenet.snapshots.shadow_strings import (
    measured_pairs,
    pairs_at,
    readable_pairs,
    string_distances,
    string_estimate,
    string_estimates,
)
from phasenet.snapshots.shadows import (
    correlation_estimates,
    correlation_matrix_estimates,
    local_average,
    local_estimates,
    median_of_means,
    product_estimate,
    product_estimates,
    product_values,
    sum_estimate,
)
from phasenet.storage.states import read_state
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample" / "states"
AXES = ("x", "y", "z")
PAULIS = frozen([2 * spin_matrix(axis, 2) for axis in AXES])
SPINS = frozen([spin_matrix(axis, 3) for axis in AXES])


def random_chain(sites, dim, seed, bond=4):
    """A complex random chain."""
    rng = np.random.default_rng(seed)
    bonds = [1, *[bond] * (sites - 1), 1]
    shapes = [(left, dim, right) for left, right in itertools.pairwise(bonds)]
    return TensorTrain(
        cores=tuple(rng.normal(size=shape) + 1j * rng.normal(size=shape) for shape in shapes)
    )


def dense(chain):
    vector = np.ones((1, 1))
    for core in chain.cores:
        vector = np.einsum("al,lsr->asr", vector, core).reshape(-1, core.shape[2])
    return vector[:, 0] / np.linalg.norm(vector)


def expectation(vector, operators, sites, dim):
    """Exact expectation value of a product of operators in a dense vector."""
    acted = vector.reshape((dim,) * sites)
    for site, operator in operators.items():
        acted = np.moveaxis(np.tensordot(np.asarray(operator), acted, axes=(1, site)), 0, site)
    return np.vdot(vector, acted.reshape(-1)).real


def readout_of(chain, name, shots, seed=0, **window):
    form = state_form(chain)
    basis = basis_of(name, form.site_dims[0])
    drawn, index = draw_shots(
        MeasuredState(form, basis, **window), basis, seed, "test", start=0, shots=shots
    )
    return Readout(spins=drawn.spins, basis=basis, basis_index=index)


def matrices(string, dim):
    """The same string, of matrices."""
    parts = {
        part: tuple(frozen(on_site(o, dim) for o in getattr(string, part)))
        for part in ("left", "inside", "right")
    }
    return StringOrder(
        name=string.name,
        factor=string.factor,
        start=string.start,
        period=string.period,
        **parts,
    )


def agrees(found, exact):
    return abs(found.value - exact) < 5 * found.error + 1e-12


@pytest.mark.parametrize("name", ["random", "unbiased"])
def test_shadows_of_spins_1_2_tell_every_pauli_string(name):
    chain = random_chain(6, 2, seed=3)
    vector = dense(chain)
    readout = readout_of(chain, name, 20_000)
    products = [
        dict(zip(sites, paulis, strict=True))
        for weight in (1, 2, 3)
        for sites in itertools.combinations(range(6), weight)
        for paulis in itertools.product(PAULIS, repeat=weight)
    ]
    exact = np.array([expectation(vector, operators, 6, 2) for operators in products])
    found = product_estimates(readout, products)
    errors = np.array([one.error for one in found])
    deviations = (np.array([one.value for one in found]) - exact) / errors
    # A shot tells a Pauli string of weight w with probability 3^-w, and then 3^w.
    weights = np.array(list(map(len, products)))
    assert np.allclose(errors, np.sqrt((3.0**weights - exact**2) / 20_000), rtol=0.1)
    assert len(deviations) == 18 + 15 * 9 + 20 * 27
    assert np.abs(deviations).max() < 5
    # The errors are neither too small nor too large.
    assert np.std(deviations) == pytest.approx(1.0, abs=0.1)


def test_pauli_shadows_weigh_with_three():
    values = outcome_values(basis_of("random", 2), PAULIS[2])
    assert np.allclose(values, [[0, 0], [0, 0], [3, -3]], atol=1e-12)


@pytest.mark.parametrize(("name", "dim"), [("unbiased", 2), ("unbiased", 3), ("random", 2)])
def test_outcomes_of_complete_bases_reproduce_every_operator(name, dim):
    rng = np.random.default_rng(0)
    basis = basis_of(name, dim)
    operator = rng.normal(size=(dim, dim)) + 1j * rng.normal(size=(dim, dim))
    values = outcome_values(basis, tuple(map(tuple, operator.tolist())))
    rebuilt = sum(
        value * np.outer(row.conj(), row) / len(basis.names)
        for vectors, numbers in zip(basis.vectors, values, strict=True)
        for row, value in zip(np.asarray(vectors), numbers, strict=True)
    )
    assert np.allclose(rebuilt, operator, atol=1e-12)


@pytest.mark.parametrize("name", ["unbiased", "random"])
def test_spin_one_shots_tell_products_of_spins(name):
    chain = random_chain(4, 3, seed=5)
    vector = dense(chain)
    readout = readout_of(chain, name, 20_000)
    squares = frozen([np.asarray(s) @ np.asarray(s) for s in SPINS])
    products = [
        dict(zip(sites, pair, strict=True))
        for sites in itertools.combinations(range(4), 2)
        for pair in itertools.product((*SPINS, *squares), repeat=2)
    ]
    deviations = [
        (found.value - expectation(vector, operators, 4, 3)) / found.error
        for found, operators in zip(product_estimates(readout, products), products, strict=True)
    ]
    assert np.abs(deviations).max() < 5
    assert np.std(deviations) == pytest.approx(1.0, abs=0.2)


def test_unbiased_bases_tell_what_spin_components_do_not():
    chain = random_chain(3, 3, seed=6)
    quadrupole = np.asarray(SPINS[0]) @ np.asarray(SPINS[1])
    operator = frozen([quadrupole + quadrupole.conj().T])[0]
    found = product_estimate(readout_of(chain, "unbiased", 20_000), {1: operator})
    assert agrees(found, expectation(dense(chain), {1: operator}, 3, 3))
    with pytest.raises(SettingsError, match="basis 'random', which measures at random Sx, Sy, Sz"):
        product_estimate(readout_of(chain, "random", 10), {1: operator})


@pytest.mark.parametrize(
    ("name", "axes"), [("Sz", "z"), ("Sx", "x"), ("random", "xyz"), ("unbiased", "xyz")]
)
def test_string_orders_of_aklt_at_every_short_distance(name, axes):
    chain = aklt_chain(10)
    readout = readout_of(chain, name, 30_000)
    for axis in axes:
        string = spin_string(axis, 3)
        exact = string_pairs(chain, string)
        found = string_estimates(readout, matrices(string, 3), [1, 2, 3])
        for estimate, distance in zip(found, (1, 2, 3), strict=True):
            assert agrees(estimate, np.diagonal(exact, distance).mean())
            assert estimate.error < 0.5


def test_fixed_bases_have_the_plain_mean_and_its_error():
    chain = aklt_chain(8)
    readout = readout_of(chain, "Sz", 1000)
    string = matrices(spin_string("z", 3), 3)
    found = string_estimate(readout, string, [(1, 4), (2, 5)])
    m = 1.0 - readout.spins
    parity = np.where(readout.spins == 1, 1.0, -1.0)
    each = (
        -(
            m[:, 1] * parity[:, 2] * parity[:, 3] * m[:, 4]
            + m[:, 2] * parity[:, 3] * parity[:, 4] * m[:, 5]
        )
        / 2
    )
    assert found.value == pytest.approx(each.mean(), abs=1e-12)
    assert found.error == pytest.approx(each.std(ddof=1) / np.sqrt(1000), rel=1e-9)


def test_strings_of_longer_cells_start_where_they_may():
    chain = random_chain(9, 2, seed=8)
    readout = readout_of(chain, "random", 30_000)
    string = StringOrder(
        name="cluster", left=("Z",), inside=("X", "1"), right=("X", "Z"), start=1, period=2
    )
    exact = string_pairs(chain, string)
    assert string_distances(9, string) == (1, 3, 5)
    found = string_estimates(readout, matrices(string, 2), [1, 3])
    for estimate, distance in zip(found, (1, 3), strict=True):
        pairs = pairs_at(9, string, distance)
        assert agrees(estimate, np.mean([exact[pair] for pair in pairs]))
        single = string_estimate(readout, matrices(string, 2), pairs[:1])
        assert agrees(single, exact[pairs[0]])


def test_a_pattern_of_bases_measures_the_stabilisers_of_every_second_site():
    readout = readout_of(cluster_chain(12), "Sx,Sz", 100)
    string = matrices(StringOrder.parse("Z [X 1] X Z"), 2)
    pairs = [(i, i + 3) for i in range(8)]
    assert measured_pairs(readout, string, pairs) == ((1, 4), (3, 6), (5, 8), (7, 10))
    found = string_estimate(readout, string, pairs)
    assert found.value == pytest.approx(1.0, abs=1e-12)
    assert found.error == 0.0
    assert readable_pairs(readout, string, [(0, 3)]) == ()


def test_dimer_strings_of_half_integer_spins():
    chain = random_chain(8, 2, seed=9)
    for name in ("Sz", "unbiased"):
        found = string_estimates(
            readout_of(chain, name, 30_000), matrices(spin_string("z", 2), 2), [3, 1]
        )
        exact = string_pairs(chain, "z")
        assert agrees(found[0], np.diagonal(exact, 3).mean())
        assert agrees(found[1], np.diagonal(exact, 1).mean())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["random", "unbiased"])
def test_energy_and_strings_of_a_haldane_chain_from_many_shots(name):
    """A sum over all bonds and sites, whose terms belong to the same shots."""
    _, state = read_state(SAMPLE / "D=0.4,Delta=1.finite.state.h5")
    chain, z = state.train, SPINS[2]
    (square,) = frozen([np.asarray(z) @ np.asarray(z)])
    bonds = [(1.0, {k: spin, k + 1: spin}) for k in range(chain.length - 1) for spin in SPINS]
    sites = [(0.4, {k: square}) for k in range(chain.length)]
    # The study pins both ends with a field of 1/2.
    pins = [(-0.5, {0: z}), (0.5, {chain.length - 1: z})]
    readout = readout_of(chain, name, 100_000)
    found = sum_estimate(readout, [*bonds, *sites, *pins])
    assert agrees(found, chain.length * state.energy)
    assert found.error < 0.005 * abs(chain.length * state.energy)
    for axis in AXES:
        estimates = string_estimates(readout, matrices(spin_string(axis, 3), 3), [2, 4])
        exact = string_pairs(chain, axis)
        for estimate, distance in zip(estimates, (2, 4), strict=True):
            assert agrees(estimate, np.diagonal(exact, distance).mean())


def test_energy_of_a_heisenberg_chain_from_many_shots():
    chain = random_chain(8, 2, seed=1, bond=3)
    halves = frozen([spin_matrix(axis, 2) for axis in AXES])
    terms = [(1.0, {k: spin, k + 1: spin}) for k in range(7) for spin in halves]
    found = sum_estimate(readout_of(chain, "random", 100_000), terms)
    vector = dense(chain)
    assert agrees(found, sum(expectation(vector, term, 8, 2) for _, term in terms))


@pytest.mark.parametrize("name", ["Sz", "random"])
def test_local_and_two_point_functions(name):
    chain = random_chain(7, 3, seed=11)
    readout = readout_of(chain, name, 20_000)
    z = SPINS[2]
    exact, matrix = expectations(chain, "Sz"), correlation_matrix(chain, "Sz", "Sz")
    local = local_estimates(readout, z)
    assert np.all(np.abs(local.values - exact) < 5 * local.errors)
    assert agrees(local_average(readout, z), exact.mean())
    found = correlation_matrix_estimates(readout, z, z)
    assert found.values.shape == (7, 7)
    assert np.all(np.abs(found.values - matrix) < 5 * found.errors)
    for estimate, distance in zip(
        correlation_estimates(readout, z, z, [1, 4]), (1, 4), strict=True
    ):
        assert agrees(estimate, np.diagonal(matrix, distance).mean())


def test_patterns_average_where_they_measure():
    chain = random_chain(7, 2, seed=12)
    readout = readout_of(chain, "Sz,Sz,Sx", 20_000)
    z, x = PAULIS[2], PAULIS[0]
    local = local_estimates(readout, z)
    assert np.flatnonzero(np.isnan(local.values)).tolist() == [2, 5]
    exact = correlation_matrix(chain, "Z", "Z")
    (found,) = correlation_estimates(readout, z, z, [1])
    assert agrees(found, np.mean([exact[0, 1], exact[3, 4]]))
    (mixed,) = correlation_estimates(readout, z, x, [1])
    assert agrees(mixed, np.mean([correlation_matrix(chain, "Z", "X")[k, k + 1] for k in (1, 4)]))
    matrix = correlation_matrix_estimates(readout, z, z)
    # On the diagonal acts ZZ = 1, which needs no measurement.
    assert np.flatnonzero(~np.isnan(matrix.values[2])).tolist() == [2]
    assert np.allclose(np.diagonal(matrix.values), 1.0)
    with pytest.raises(SettingsError, match="basis 'Sz,Sz,Sx', which measures Sz, Sx"):
        local_average(readout, PAULIS[1])
    string = StringOrder(name="zz", left=(z,), inside=("1",), right=(z,))
    assert measured_pairs(readout, string, [(0, 1), (0, 2), (0, 3)]) == ((0, 1), (0, 3))


def test_the_basis_must_measure_what_is_asked():
    readout = readout_of(aklt_chain(6), "Sz", 10)
    with pytest.raises(SettingsError, match=r"string 'x' cannot be estimated .* measures Sz and"):
        string_estimate(readout, matrices(spin_string("x", 3), 3), [(1, 4)])
    with pytest.raises(SettingsError, match=r"basis 'Sz'.*such as unbiased"):
        correlation_estimates(readout, SPINS[0], SPINS[0], [1])
    with pytest.raises(SettingsError, match=r"basis 'Sz'.*such as unbiased"):
        correlation_matrix_estimates(readout, SPINS[0], SPINS[0])
    with pytest.raises(SettingsError, match="'Sz' is a name; wanted its matrix"):
        local_average(readout, "Sz")


def test_lost_sites_cost_only_what_acts_there():
    chain = aklt_chain(8)
    whole = readout_of(chain, "Sz", 30_000)
    lost = np.random.default_rng(2).random(whole.spins.shape) < 0.1
    readout = Readout(spins=np.where(lost, 3, whole.spins).astype(np.uint8), basis=whole.basis)
    z = SPINS[2]
    found = product_estimate(readout, {1: z, 2: z})
    assert found.left_out == np.sum(lost[:, 1] | lost[:, 2])
    assert agrees(found, correlation_matrix(chain, "Sz", "Sz")[1, 2])
    values = product_values(readout, {1: z, 2: z})
    assert np.array_equal(np.isnan(values), lost[:, 1] | lost[:, 2])
    assert found.value == pytest.approx(np.nanmean(values), abs=1e-12)
    string = matrices(spin_string("z", 3), 3)
    (estimate,) = string_estimates(readout, string, [3])
    assert agrees(estimate, np.diagonal(string_pairs(chain, "z"), 3).mean())
    (sure,) = string_estimates(whole, string, [3])
    assert sure.error < estimate.error < 2 * sure.error
    assert sure.left_out == 0


def test_identities_need_no_reading():
    spins = np.array([[0, 2, 0], [1, 2, 1], [0, 0, 1]], dtype=np.uint8)
    readout = Readout(spins=spins, basis=basis_of("Sz", 2))
    found = product_estimate(readout, {0: PAULIS[2], 1: "1", 2: PAULIS[2]})
    assert (found.value, found.left_out) == (pytest.approx(1 / 3), 0)


def test_a_number_that_no_shot_tells_is_nan():
    readout = Readout(spins=np.array([[2, 0], [2, 1]], dtype=np.uint8), basis=basis_of("Sz", 2))
    z = PAULIS[2]
    assert np.isnan(product_estimate(readout, {0: z}).value)
    assert np.isnan(sum_estimate(readout, [(1.0, {0: z}), (1.0, {1: z})]).value)
    local = local_estimates(readout, z)
    assert np.isnan(local.values[0])
    assert local.values[1] == 0.0


def test_one_shot_has_no_error():
    found = product_estimate(
        Readout(spins=np.zeros((1, 2), np.uint8), basis=basis_of("Sz", 2)), {0: PAULIS[2]}
    )
    assert found.value == 1.0
    assert np.isnan(found.error)


@pytest.mark.parametrize(
    ("name", "dim", "window"), [("random", 2, range(1, 4)), ("unbiased", 3, range(1, 3))]
)
def test_purity_of_a_window(name, dim, window):
    chain = random_chain(5, dim, seed=4, bond=2)
    vector = dense(chain).reshape((dim,) * 5)
    inner = np.moveaxis(vector, list(window), range(len(window))).reshape(dim ** len(window), -1)
    exact = np.linalg.norm(inner @ inner.conj().T) ** 2
    readout = readout_of(chain, name, 20_000)
    found = purity_estimate(readout, window)
    assert agrees(found, exact)
    assert found.error < 0.2 * exact
    assert agrees(renyi_estimate(readout, window), -np.log(exact))


def test_purity_is_the_sum_over_all_pairs_of_shots():
    chain = random_chain(3, 2, seed=2)
    readout = readout_of(chain, "random", 12)
    rows = []
    for spins, bases in zip(readout.spins, readout.basis_index, strict=True):
        matrix = np.ones((1, 1))
        for spin, basis in zip(spins[:2], bases[:2], strict=True):
            row = np.asarray(readout.basis.vectors[basis])[spin]
            matrix = np.kron(matrix, 3 * np.outer(row.conj(), row) - np.eye(2))
        rows.append(matrix)
    pairs = [np.trace(a @ b).real for a, b in itertools.permutations(rows, 2)]
    assert purity_estimate(readout, range(2)).value == pytest.approx(np.mean(pairs), abs=1e-10)


def test_jackknife_error_of_the_purity_is_the_spread_of_repetitions():
    chain = random_chain(4, 2, seed=7, bond=2)
    found = [purity_estimate(readout_of(chain, "random", 400, seed=k), range(2)) for k in range(60)]
    spread = np.std([one.value for one in found], ddof=1)
    assert np.mean([one.error for one in found]) == pytest.approx(spread, rel=0.3)


def test_purity_needs_all_observables_and_a_short_window():
    chain = aklt_chain(12)
    with pytest.raises(SettingsError, match="basis 'random', which measures Sx, Sy, Sz"):
        purity_estimate(readout_of(chain, "random", 10), range(2))
    with pytest.raises(SettingsError, match="basis 'Sz'"):
        purity_estimate(readout_of(chain, "Sz", 10), range(2))
    readout = readout_of(chain, "unbiased", 10)
    for window in (range(7), range(11, 13), range(0)):
        with pytest.raises(SettingsError, match="wanted 1 to 6 of the sites 0 to 11"):
            purity_estimate(readout, window)


def test_windows_of_infinite_states():
    readout = readout_of(aklt_cell(), "random", 30_000, sites=6)
    (found,) = string_estimates(readout, matrices(spin_string("y", 3), 3), [2])
    assert agrees(found, 4 / 9)
    assert agrees(correlation_estimates(readout, SPINS[0], SPINS[0], [1])[0], -4 / 9)


def test_median_of_means_withstands_outliers():
    values = np.random.default_rng(0).normal(1.0, 1.0, size=10_000)
    values[:3] = [1e6, np.nan, -1e7]
    found = median_of_means(values, 25)
    assert agrees(found, 1.0)
    assert found.error < 0.05
    assert (found.shots, found.left_out) == (10_000, 1)
    with pytest.raises(SettingsError, match="1 groups of 9999 shots; wanted at least 2"):
        median_of_means(values, 1)


@pytest.mark.parametrize(("pair", "text"), [((0, 6), "within the chain"), ((-1, 2), "cannot lie")])
def test_strings_must_fit(pair, text):
    readout = readout_of(aklt_chain(6), "Sz", 5)
    with pytest.raises(SettingsError, match=text):
        string_estimate(readout, matrices(spin_string("z", 3), 3), [pair])


def test_places_must_fit():
    readout = readout_of(aklt_chain(6), "Sz", 5)
    string = matrices(spin_string("z", 3), 3)
    with pytest.raises(SettingsError, match="cannot lie at distance 6 on 6 sites; wanted one of 1"):
        string_estimates(readout, string, [6])
    with pytest.raises(SettingsError, match="distance is 6; wanted 1 to 5"):
        correlation_estimates(readout, SPINS[2], SPINS[2], [6])
    with pytest.raises(SettingsError, match="site is 6; shots have sites 0 to 5"):
        product_estimate(readout, {6: SPINS[2]})
    from_one = StringOrder(
        name="odd", left=string.left, inside=string.inside, right=string.right, start=1, period=2
    )
    with pytest.raises(SettingsError, match="cannot start at site 0; wanted 1 modulo 2"):
        string_estimate(readout, from_one, [(0, 3)])


def test_readouts_need_their_bases():
    spins = np.zeros((2, 3), dtype=np.uint8)
    with pytest.raises(ShapeError, match="give what was stored beside the shots"):
        Readout(spins=spins, basis=basis_of("random", 2))
    with pytest.raises(ShapeError, match=r"basis_index has the shape \(2, 3\)"):
        Readout(spins=spins, basis=basis_of("Sz", 2), basis_index=spins)
    with pytest.raises(ShapeError, match="no shots"):
        Readout(spins=spins[:0], basis=basis_of("Sz", 2))
    with pytest.raises(ShapeError, match=r"shape \(2, 2\) .* site of 3 states"):
        local_average(Readout(spins=spins, basis=basis_of("Sz", 3)), PAULIS[0])
