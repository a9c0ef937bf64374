"""Spectra of transfer maps by sector: closed forms, dense maps, decays of correlations."""

import math
import warnings

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.phases.decay import chain_correlation_length
from phasenet.phases.exact import aklt_cell, aklt_chain, cluster_cell, product_cell, product_chain
from phasenet.phases.transfer_spectrum import transfer_spectrum
from phasenet.trains.canonical import schmidt_form
from phasenet.trains.cells import canonical_cell
from phasenet.trains.correlation import correlation_length
from phasenet.trains.form import state_form
from phasenet.trains.infinite import InfiniteTrain


def dense_moduli(state):
    """Moduli of all eigenvalues of the transfer map of one cell, falling."""
    bond = state.cores[0].shape[0]
    whole = np.eye(bond**2)
    for core in state.cores:
        step = np.einsum("asc,bsd->abcd", core, core.conj())
        whole = whole @ step.reshape(core.shape[0] ** 2, core.shape[2] ** 2)
    return np.sort(np.abs(np.linalg.eigvals(whole)))[::-1]


def graded_cell(seed, groups=3, size=4):
    """Random spin-1 cell of two sites whose S^z is conserved."""
    rng = np.random.default_rng(seed)
    cores = []
    for _ in range(2):
        core = np.zeros((groups * size, 3, groups * size))
        for group in range(groups):
            for state, change in enumerate((1, 0, -1)):
                if 0 <= group + change < groups:
                    rows = slice(group * size, (group + 1) * size)
                    columns = slice((group + change) * size, (group + change + 1) * size)
                    core[rows, state, columns] = rng.normal(size=(size, size))
        cores.append(core)
    return canonical_cell(cores)


@pytest.mark.parametrize("cell", [1, 2, 3])
def test_aklt(cell):
    # S^z, S^+ and S^- all decay with -1/3: the vector of one virtual spin with another.
    one = aklt_cell()
    many = InfiniteTrain(cores=one.cores * cell, schmidt_values=one.schmidt_values * cell)
    found = transfer_spectrum(many)
    np.testing.assert_allclose(found.moduli, [1.0, 3.0**-cell, 3.0**-cell], atol=1e-14)
    assert found.sectors.tolist() == [0.0, 0.0, 1.0]
    np.testing.assert_allclose(np.abs(found.phases), [0.0, cell % 2 / 2, cell % 2 / 2], atol=1e-12)
    for sector in (0, 1):
        assert found.correlation_length(sector) == pytest.approx(1 / np.log(3), abs=1e-12)
    assert math.isnan(found.correlation_length(2))
    assert found.lengths[0] == math.inf


@pytest.mark.parametrize("real", [True, False])
def test_krylov_vectors_of_states_without_a_charge(real):
    rng = np.random.default_rng(8)
    shape = (14, 2, 14)
    core = rng.normal(size=shape)
    state = canonical_cell([core if real else core + 1j * rng.normal(size=shape)])
    found = transfer_spectrum(state, 5)
    np.testing.assert_allclose(found.moduli, dense_moduli(state)[:5], atol=1e-9)


@pytest.mark.parametrize("seed", [0, 1])
def test_sectors_hold_the_whole_spectrum(seed):
    state = graded_cell(seed)
    form = state_form(state)
    assert form.modulus == 0
    found = transfer_spectrum(state, 200)
    # The sectors of opposite change have the same moduli.
    both = np.concatenate([found.moduli, found.moduli[found.sectors > 0]])
    np.testing.assert_allclose(np.sort(both)[::-1][:40], dense_moduli(state)[:40], atol=1e-7)
    longest = max(found.correlation_length(sector) for sector in (0, 1, 2))
    assert longest == pytest.approx(correlation_length(form), rel=1e-8)
    few = transfer_spectrum(state, 2)
    assert len(few.moduli) == 6
    for sector in (0, 1, 2):
        wanted = found.moduli[found.sectors == sector][:2]
        np.testing.assert_allclose(few.moduli[few.sectors == sector], wanted, atol=1e-9)


def test_krylov_vectors_find_the_same_as_dense_maps():
    state = graded_cell(5, groups=3, size=9)
    found = transfer_spectrum(state, 3)
    dense = dense_moduli(state)
    np.testing.assert_allclose(found.moduli[:2], dense[:2], atol=1e-9)


def test_complex_states_without_a_charge():
    rng = np.random.default_rng(3)
    cores = [rng.normal(size=(4, 2, 4)) + 1j * rng.normal(size=(4, 2, 4)) for _ in range(2)]
    state = canonical_cell(cores)
    found = transfer_spectrum(state, 16)
    np.testing.assert_allclose(found.moduli, dense_moduli(state), atol=1e-9)
    assert not found.sectors.any()
    assert found.correlation_length(0) == pytest.approx(correlation_length(state), rel=1e-9)


def test_long_range_order_and_no_correlations():
    core = np.zeros((2, 2, 2))
    core[0, 0, 1] = core[1, 1, 0] = 1.0
    neel = InfiniteTrain(cores=(core,), schmidt_values=(np.full(2, np.sqrt(0.5)),))
    found = transfer_spectrum(neel)
    assert sorted(np.abs(found.phases[found.moduli > 0.5]).tolist())[:2] == [0.0, 0.5]
    assert np.isinf(found.lengths[:2]).all()
    assert transfer_spectrum(product_cell([0, 2], 3)).moduli.tolist() == [1.0]
    assert transfer_spectrum(cluster_cell()).lengths[1:].max() == 0.0


def test_errors():
    with pytest.raises(SettingsError, match="4 eigenvalues of an open chain"):
        transfer_spectrum(aklt_chain(4))
    with pytest.raises(SettingsError, match="wanted at least 1"):
        transfer_spectrum(aklt_cell(), 0)


def test_open_chains_of_known_length():
    found = chain_correlation_length(aklt_chain(64))
    assert abs(found.value - 1 / np.log(3)) < max(found.error, 1e-3)
    for state in (product_chain([0, 2] * 20, 3), aklt_chain(10)):
        assert math.isnan(chain_correlation_length(state).value)
    with pytest.raises(SettingsError, match="the state is infinite"):
        chain_correlation_length(aklt_cell())
    with pytest.raises(SettingsError, match="use chain_correlation_length"):
        correlation_length(state_form(aklt_chain(10)))


@pytest.mark.slow
@pytest.mark.parametrize("field", [1.15, 1.4])
def test_the_length_of_an_ising_chain(field):
    # 1 / ln(field), known from Pfeuty, Ann. Phys. 57, 79 (1970); X X decays with r^(-1/2).
    from phasenet.groundstates.convert import to_train

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
        from tenpy.models.tf_ising import TFIChain
        from tenpy.networks.mps import MPS

        model = TFIChain({"L": 48, "J": 1.0, "g": field, "conserve": "parity"})
        psi = MPS.from_product_state(
            model.lat.mps_sites(), ["up"] * 48, unit_cell_width=model.lat.mps_unit_cell_width
        )
        options = {"trunc_params": {"chi_max": 16, "svd_min": 1e-9}, "max_sweeps": 6}
        TwoSiteDMRGEngine(psi, model, options).run()
    found = chain_correlation_length(to_train(psi))
    assert abs(found.value - 1 / np.log(field)) < 3.0 * found.error < 0.5 / np.log(field)


def test_a_form_and_its_train_have_one_length():
    form, _ = schmidt_form(aklt_chain(30))
    assert chain_correlation_length(form).value == pytest.approx(
        chain_correlation_length(state_form(form)).value, abs=1e-9
    )
