"""Schmidt values against dense decompositions; closed forms of entropy and correlation length."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.entanglement import (
    doublet_splitting,
    entanglement_spectrum,
    entropies,
    is_even_degenerate,
    odd_weight,
    renyi_entropy,
    schmidt_entropy,
    schmidt_values,
)
from phasenet.phases.exact import (
    aklt_cell,
    aklt_chain,
    cluster_cell,
    large_d_cell,
    product_cell,
    product_chain,
)
from phasenet.trains.canonical import schmidt_form
from phasenet.trains.correlation import correlation_length
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain
from tests.phases.free_fermions import hopping_correlations, ising_chain, xx_chain


def random_state(length, dim, bond, seed):
    rng = np.random.default_rng(seed)
    dims = [1, *rng.integers(1, bond + 1, size=length - 1), 1]
    shapes = [(dims[k], dim, dims[k + 1]) for k in range(length)]
    return TensorTrain(
        cores=tuple(rng.normal(size=shape) + 1j * rng.normal(size=shape) for shape in shapes)
    )


def vector(state):
    words = itertools.product(range(state.site_dims[0]), repeat=state.length)
    psi = state(np.array(list(words)))
    return psi / np.linalg.norm(psi)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(2, 3), st.integers(0, 10**6))
def test_schmidt_values_agree_with_dense_vectors(length, dim, seed):
    state = random_state(length, dim, 5, seed)
    psi = vector(state)
    for bond, values in enumerate(schmidt_values(state)):
        dense = np.linalg.svd(psi.reshape(dim ** (bond + 1), -1), compute_uv=False)
        np.testing.assert_allclose(values, dense[: len(values)], atol=1e-11)
        assert np.all(dense[len(values) :] < 1e-10)


def test_schmidt_form_is_right_canonical_and_the_same_state():
    state = random_state(6, 3, 5, 1)
    form, values = schmidt_form(state)
    cores = form.cores
    for core in cores:
        identity = np.einsum("lsr,ksr->lk", core, core.conj())
        np.testing.assert_allclose(identity, np.eye(len(core)), atol=1e-12)
    for site in range(5):
        scaled = values[site][:, None, None] * cores[site]
        weights = np.einsum("lsr,lsq->rq", scaled, scaled.conj())
        np.testing.assert_allclose(weights, np.diag(values[site + 1] ** 2), atol=1e-12)
    assert abs(np.vdot(vector(TensorTrain(cores=cores)), vector(state))) == pytest.approx(1.0)


def test_bonds_larger_than_the_rank_are_dropped():
    chain = aklt_chain(10)
    doubled = np.concatenate([chain.cores[0]] * 2, axis=2)
    folded = np.concatenate([chain.cores[1]] * 2, axis=0)
    fat = TensorTrain(cores=(doubled, folded, *chain.cores[2:]))
    assert fat.bond_dims[0] == 4
    assert [len(values) for values in schmidt_values(fat)] == [2] * 9


def test_aklt():
    np.testing.assert_allclose(entropies(aklt_chain(40))[10:30], np.log(2), atol=1e-9)
    np.testing.assert_allclose(entropies(aklt_cell()), np.log(2), atol=1e-14)
    assert correlation_length(aklt_cell()) == pytest.approx(1 / np.log(3), abs=1e-12)
    two = InfiniteTrain(cores=aklt_cell().cores * 2, schmidt_values=aklt_cell().schmidt_values * 2)
    assert correlation_length(two) == pytest.approx(1 / np.log(3), abs=1e-12)
    assert is_even_degenerate(schmidt_values(aklt_chain(40))[20])


def test_product_and_cat_states():
    assert entropies(large_d_cell()).tolist() == [0.0]
    assert correlation_length(product_cell([0, 2], 3)) == 0.0
    core = np.zeros((2, 3, 2))
    core[0, 0, 0] = core[1, 2, 1] = 1.0
    cat = InfiniteTrain(cores=(core,), schmidt_values=(np.full(2, np.sqrt(0.5)),))
    assert correlation_length(cat) == 0.0
    assert not is_even_degenerate(np.ones(1))
    assert doublet_splitting(np.array([0.6, 0.8])) == pytest.approx(0.28)
    assert schmidt_entropy(np.array([1.0, 0.0])) == 0.0


def test_krylov_and_dense_correlation_lengths_agree():
    rng = np.random.default_rng(4)
    core = rng.normal(size=(16, 3, 16))
    u, _ = np.linalg.qr(core.reshape(16, -1).T)
    train = InfiniteTrain(cores=(u.T.reshape(16, 3, 16),), schmidt_values=(np.full(16, 0.25),))
    dense = np.einsum("asc,bsd->abcd", train.cores[0], train.cores[0]).reshape(256, 256)
    moduli = np.sort(np.abs(np.linalg.eigvals(dense)))[::-1]
    wanted = -1 / np.log(moduli[1] / moduli[0])
    assert correlation_length(train) == pytest.approx(wanted, rel=1e-9)


def test_long_chains_neither_overflow_nor_underflow():
    big = TensorTrain(cores=tuple(core * 1e40 for core in aklt_chain(300).cores))
    assert entropies(big)[150] == pytest.approx(np.log(2))


def test_the_spectrum_of_aklt_is_a_doublet_of_half_spins():
    for state, bond in ((aklt_cell(), 0), (aklt_chain(60), 29)):
        found = entanglement_spectrum(state, bond)
        np.testing.assert_allclose(found.levels, np.log(2), atol=1e-12)
        assert found.multiplicities == (2,)
        assert found.even_degenerate
        assert found.renyi_entropy == pytest.approx(np.log(2), abs=1e-12)
        assert found.conserved == "Sz"
    assert entanglement_spectrum(aklt_cell()).charges.tolist() == [0.5, -0.5]
    # From the left end on, which is a half spin as well: the charges of a chain are whole.
    assert entanglement_spectrum(aklt_chain(60)).charges.tolist() == [1.0, 0.0]


def test_cells_of_any_size_have_centred_charges():
    one = aklt_cell()
    for cell in (2, 3):
        many = InfiniteTrain(cores=one.cores * cell, schmidt_values=one.schmidt_values * cell)
        for bond in range(cell):
            assert sorted(entanglement_spectrum(many, bond).charges) == [-0.5, 0.5]
    neel = product_cell([0, 2], 3)
    assert [entanglement_spectrum(neel, bond).charges.tolist() for bond in (0, 1)] == [[0.0], [0.0]]
    polarised = product_chain([0, 0, 1, 2], 3)
    found = [entanglement_spectrum(polarised, bond).charges.item() for bond in range(3)]
    assert found == [1.0, 2.0, 2.0]


@pytest.mark.parametrize("bond", [3, 5, 8])
def test_the_spectrum_of_free_fermions_level_by_level(bond):
    # Each mode of the block is filled with probability n or empty: 2^sites levels.
    sites = bond + 1
    filling = np.linalg.eigvalsh(hopping_correlations(12)[:sites, :sites]).clip(1e-15, 1 - 1e-15)
    wanted = {}
    for occupied in itertools.product((0, 1), repeat=sites):
        weight = np.prod(np.where(occupied, filling, 1 - filling))
        wanted.setdefault(sum(occupied) - sites / 2, []).append(-np.log(weight))
    found = entanglement_spectrum(xx_chain(12), bond)
    assert found.conserved == "Sz"
    assert set(found.charges[found.levels < 15]) <= set(wanted)
    for charge, levels in wanted.items():
        low = np.sort([level for level in levels if level < 15])
        np.testing.assert_allclose(found.sector(charge)[: len(low)], low, atol=1e-6)
    assert np.all(np.diff(found.levels) > -1e-8)
    assert schmidt_entropy(found.schmidt_values) == pytest.approx(found.entropy)


def test_a_conserved_parity():
    found = entanglement_spectrum(ising_chain(12, 0.3))
    assert found.conserved == "parity of Sz"
    # Six sites: S^z is whole, even or odd. An ordered chain is a cat state of both parities.
    assert sorted(found.charges[:2]) == [0.0, 1.0]
    assert found.multiplicities == (2,)
    rotated = entanglement_spectrum(random_state(6, 2, 3, 5))
    assert rotated.conserved == "nothing"
    assert not rotated.charges.any()


def test_even_degeneracy_counts_all_levels():
    assert entanglement_spectrum(cluster_cell()).multiplicities == (2,)
    values = np.sqrt([0.3, 0.3, 0.15, 0.15, 0.05, 0.05])
    assert is_even_degenerate(values)
    assert odd_weight(values) == pytest.approx(0.0, abs=1e-15)
    # The two largest agree, the others do not: a doublet, a triplet and a singlet.
    odd = np.sqrt([0.25, 0.25, 0.15, 0.15, 0.15, 0.05])
    assert doublet_splitting(odd) == pytest.approx(0.0, abs=1e-15)
    assert not is_even_degenerate(odd)
    assert odd_weight(odd) == pytest.approx(0.1)
    assert odd_weight(np.ones(1)) == 1.0


def test_renyi_entropies():
    values = np.sqrt([0.5, 0.25, 0.25])
    assert renyi_entropy(values) == pytest.approx(-np.log(0.375))
    assert renyi_entropy(values, 1 + 1e-6) == pytest.approx(schmidt_entropy(values), abs=1e-5)
    assert renyi_entropy(values, 0.5) > schmidt_entropy(values) > renyi_entropy(values)
    with pytest.raises(SettingsError, match="schmidt_entropy for 1"):
        renyi_entropy(values, 1.0)


def test_errors():
    with pytest.raises(ShapeError, match="norm zero"):
        schmidt_values(TensorTrain(cores=(np.zeros((1, 2, 1)),) * 3))
    with pytest.raises(ShapeError, match="output leg"):
        schmidt_values(TensorTrain(cores=(np.ones((1, 2, 1, 2)),), output_site=0))
    with pytest.raises(SettingsError, match="bond is 5; the state has 5 bonds"):
        entanglement_spectrum(aklt_chain(6), 5)
