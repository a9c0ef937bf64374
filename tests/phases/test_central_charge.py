"""Central charges of free fermions, whose entropies are known, and of DMRG states."""

import math
import warnings

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.central_charge import (
    central_charge_of_chain,
    central_charge_of_cuts,
    central_charge_of_growth,
)
from phasenet.phases.entanglement import entropies
from phasenet.phases.exact import aklt_cell, aklt_chain
from tests.phases.free_fermions import ising_chain, ising_entropies, xx_chain, xx_entropies


def test_entropies_of_states_are_those_of_free_fermions():
    np.testing.assert_allclose(entropies(xx_chain(12)), xx_entropies(12), atol=1e-9)
    np.testing.assert_allclose(entropies(ising_chain(12, 1.0)), ising_entropies(12, 1.0), atol=1e-9)


@pytest.mark.parametrize("length", [32, 64, 128])
def test_critical_chains_of_free_fermions(length):
    # Within 2 %, and within the quoted error: bosons with even and odd cuts apart, Majoranas.
    for charge, values in ((1.0, xx_entropies(length)), (0.5, ising_entropies(length, 1.0))):
        found = central_charge_of_cuts(values)
        assert found.value == pytest.approx(charge, rel=0.02)
        assert abs(found.value - charge) < 2.0 * found.error < 0.05


@pytest.mark.parametrize("field", [0.5, 1.5])
def test_chains_longer_than_their_correlations_have_none(field):
    assert abs(central_charge_of_cuts(ising_entropies(64, field)).value) < 1e-3
    # As long as the chain: the error says that this is neither.
    close = central_charge_of_cuts(ising_entropies(64, 1.03))
    assert close.error > 0.05


def test_the_error_covers_the_charge_of_any_conformal_ends():
    cuts = np.arange(1, 64)
    for shift in (-0.5, 0.0, 1.0):
        length = 64 + shift
        chord = 2 * length / np.pi * np.sin(np.pi * (cuts + shift / 2) / length)
        found = central_charge_of_cuts(0.7 / 6 * np.log(chord) + 0.2 + 0.1 * (-1) ** cuts / chord)
        assert abs(found.value - 0.7) < max(3.0 * found.error, 1e-9)
        assert found.value == pytest.approx(0.7, abs=2e-3)


def test_gapped_and_short_chains():
    assert abs(central_charge_of_chain(aklt_chain(40)).value) < 1e-3
    short = central_charge_of_chain(aklt_chain(8))
    assert math.isnan(short.value)
    assert "8 sites is too short" in short.method
    with pytest.raises(SettingsError, match="use central_charge_of_growth"):
        central_charge_of_chain(aklt_cell())


def test_growth():
    lengths = np.array([10.0, 30.0, 80.0, 200.0])
    exact = central_charge_of_growth(lengths, 1.5 / 6 * np.log(lengths) + 0.1)
    assert exact.value == pytest.approx(1.5, abs=1e-12)
    assert exact.error < 1e-10
    # iDMRG of the Heisenberg chain at bond dimensions 16, 32 and 64.
    found = central_charge_of_growth([24.3, 64.1, 155.0], [0.87, 1.0334, 1.184])
    assert abs(found.value - 1.0) < 3.0 * found.error < 0.1
    two = central_charge_of_growth([64.1, 155.0], [1.0334, 1.184])
    assert two.value == pytest.approx(1.0, abs=0.03)
    assert math.isnan(two.error)


def test_growth_without_two_lengths():
    for lengths in ([], [5.0], [5.0, 5.0], [np.inf, 5.0], [0.0, np.nan]):
        found = central_charge_of_growth(lengths, [0.5] * len(lengths))
        assert math.isnan(found.value)
        assert "at least two" in found.method
    with pytest.raises(ShapeError, match="wanted pairs"):
        central_charge_of_growth([1.0, 2.0], [1.0])


@pytest.mark.slow
def test_a_chain_found_by_dmrg():
    from phasenet.groundstates.convert import to_train

    with warnings.catch_warnings():
        # TeNPy warns about options that it never read.
        warnings.simplefilter("ignore", UserWarning)
        from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
        from tenpy.models.spins import SpinChain
        from tenpy.networks.mps import MPS

        length = 32
        model = SpinChain(
            {"L": length, "S": 0.5, "Jx": -1.0, "Jy": -1.0, "Jz": 0.0, "conserve": "Sz"}
        )
        psi = MPS.from_product_state(
            model.lat.mps_sites(),
            ["up", "down"] * (length // 2),
            bc="finite",
            unit_cell_width=model.lat.mps_unit_cell_width,
        )
        options = {
            "mixer": True,
            "trunc_params": {"chi_max": 32, "svd_min": 1e-9},
            "max_E_err": 1e-8,
            "max_sweeps": 8,
        }
        TwoSiteDMRGEngine(psi, model, options).run()
    train = to_train(psi)
    np.testing.assert_allclose(entropies(train), xx_entropies(length), atol=2e-4)
    found = central_charge_of_chain(train)
    assert abs(found.value - 1.0) < 2.0 * found.error < 0.05
