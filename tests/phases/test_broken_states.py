"""Orders, lengths and growth of infinite ground states of spin 1/2, beside exact values."""

import functools
import warnings

import numpy as np
import pytest

from phasenet.criteria import Order
from phasenet.phases.criticality import Verdict, criticality
from phasenet.phases.entanglement import entropies
from phasenet.phases.orders import measured_orders, order_parameter
from phasenet.trains.correlation import correlation_length
from phasenet.trains.infinite import InfiniteTrain

STAGGERED = Order(name="staggered magnetisation", operators=("Sz",), wavenumber=0.5)
DIMER = Order(name="dimer order", operators=("Sz", "Sz"), wavenumber=0.5)
MAGNETISATION = Order(name="magnetisation", operators=("X",))


def model_of(kind, value):
    from tenpy.models.spins import SpinChain
    from tenpy.models.spins_nnn import SpinChainNNN2
    from tenpy.models.tf_ising import TFIChain

    common = {"L": 2, "bc_MPS": "infinite"}
    if kind == "ising":
        return TFIChain({**common, "J": 1.0, "g": value, "conserve": "parity"})
    spins = {**common, "S": 0.5, "Jx": 1.0, "Jy": 1.0, "conserve": "Sz"}
    if kind == "xxz":
        return SpinChain({**spins, "Jz": value})
    return SpinChainNNN2({**spins, "Jz": 1.0, "Jxp": value, "Jyp": value, "Jzp": value})


@functools.cache
def ground_states(kind, value, bonds):
    """Infinite states at rising bond dimensions, each found from the one before."""
    with warnings.catch_warnings():
        # TeNPy warns about options that it never read and about its own canonical form.
        warnings.simplefilter("ignore", UserWarning)
        from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
        from tenpy.networks.mps import MPS

        model, start = model_of(kind, value), ["up", "up" if kind == "ising" else "down"]
        sites, width = model.lat.mps_sites(), model.lat.mps_unit_cell_width
        psi = MPS.from_product_state(sites, start, bc="infinite", unit_cell_width=width)
        found = []
        for step, bond in enumerate(bonds):
            options = {
                "mixer": step == 0,
                "mixer_params": {"amplitude": 1e-4, "decay": 2.0, "disable_after": 10},
                "trunc_params": {"chi_max": bond, "svd_min": 1e-10},
                "max_E_err": 1e-9,
                "max_S_err": 1e-5,
                "max_sweeps": 300,
            }
            TwoSiteDMRGEngine(psi, model, options).run()
            copy = psi.copy()
            copy.canonical_form()
            found.append(as_train(copy))
    return tuple(found)


def as_train(psi):
    order = [psi.sites[0].state_index(name) for name in ("up", "down")]
    cores = [psi.get_B(i).itranspose(["vL", "p", "vR"]).to_ndarray()[:, order] for i in (0, 1)]
    values = tuple(np.asarray(psi.get_SL(i)) for i in (0, 1))
    return InfiniteTrain(cores=tuple(cores), schmidt_values=values)


@pytest.mark.slow
@pytest.mark.parametrize("anisotropy", [1.5, 3.0])
def test_staggered_magnetisation_of_the_xxz_chain(anisotropy):
    # Baxter, J. Stat. Phys. 9, 145 (1973).
    phi = np.arccosh(anisotropy)
    wanted = 0.5 * np.prod(np.tanh(np.arange(1, 60) * phi) ** 2)
    (state,) = ground_states("xxz", anisotropy, (16,))
    assert order_parameter(state, STAGGERED) == pytest.approx(wanted, rel=1e-2)
    assert order_parameter(state, DIMER) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("field", [0.5, 0.9])
def test_magnetisation_of_an_ising_chain_whose_state_is_a_superposition(field):
    # Pfeuty, Ann. Phys. 57, 79 (1970).
    (state,) = ground_states("ising", field, (16,))
    assert entropies(state)[0] > np.log(2)
    wanted = (1 - field**2) ** (1 / 8)
    assert order_parameter(state, MAGNETISATION) == pytest.approx(wanted, rel=2e-3)
    # Within a branch, correlations fall with 1 / (2 ln (1/h)); from below at a finite bond.
    length = correlation_length(state)
    assert 0.7 / (2 * np.log(1 / field)) < length < 1 / (2 * np.log(1 / field))


@pytest.mark.slow
def test_a_paramagnet_has_no_order():
    (state,) = ground_states("ising", 1.5, (16,))
    assert order_parameter(state, MAGNETISATION) < 1e-3
    assert correlation_length(state) == pytest.approx(1 / np.log(1.5), rel=0.05)


@pytest.mark.slow
def test_dimers_of_the_majumdar_ghosh_chain():
    (state,) = ground_states("j1j2", 0.5, (8,))
    dimer, staggered = measured_orders(state, (DIMER, STAGGERED))
    assert dimer.value == pytest.approx(1 / 8, abs=1e-6)
    assert staggered.present is False


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "value", "verdict"),
    [("xxz", 0.0, Verdict.CRITICAL), ("j1j2", 0.5, Verdict.GAPPED)],
)
def test_growth_with_the_bond_dimension(kind, value, verdict):
    small, large = ground_states(kind, value, (12, 24))
    history = {
        "max_bond": np.array([12.0]),
        "entropy": entropies(small)[:1],
        "correlation_length": np.array([correlation_length(small)]),
    }
    found = criticality(
        history,
        max_bond=24,
        entropy=float(entropies(large)[0]),
        correlation_length=correlation_length(large),
        exact=False,
    )
    assert found.verdict is verdict
    if verdict is Verdict.CRITICAL:
        assert found.central_charge == pytest.approx(1.0, abs=0.1)
