"""Diagnostics on ground states of the spin-1 Heisenberg chain with single-ion anisotropy D."""

import functools
import warnings

import numpy as np
import pytest

from phasenet.criteria import spin_string
from phasenet.phases.entanglement import (
    entropies,
    is_even_degenerate,
    schmidt_values,
)
from phasenet.phases.local_orders import local_orders
from phasenet.phases.spt import invariants
from phasenet.phases.strings import (
    bulk_string_order,
    string_order,
)
from phasenet.trains.correlation import correlation_length
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

pytestmark = pytest.mark.slow


@functools.cache
def ground_state(anisotropy, ising, length, boundary):
    with warnings.catch_warnings():
        # TeNPy warns about options that it never read and about its own canonical form.
        warnings.simplefilter("ignore", UserWarning)
        from tenpy.algorithms.dmrg import TwoSiteDMRGEngine
        from tenpy.models.spins import SpinChain
        from tenpy.networks.mps import MPS

        couplings = {"S": 1, "Jx": 1.0, "Jy": 1.0, "Jz": ising, "D": anisotropy, "conserve": "Sz"}
        field = np.zeros(length)
        if boundary == "finite":
            # Pins the free spins at the ends of a Haldane chain; without it, DMRG takes minutes.
            field[0], field[-1] = 0.5, -0.5
        model = SpinChain({**couplings, "hz": field, "L": length, "bc_MPS": boundary})
        start = ["up", "down"] * (length // 2)
        psi = MPS.from_product_state(
            model.lat.mps_sites(), start, bc=boundary, unit_cell_width=model.lat.mps_unit_cell_width
        )
        mixer = {"amplitude": 1e-4, "decay": 2.0, "disable_after": 10}
        truncation = {"chi_max": 32, "svd_min": 1e-10}
        options = {"mixer": True, "mixer_params": mixer, "trunc_params": truncation}
        TwoSiteDMRGEngine(psi, model, {**options, "max_E_err": 1e-9, "max_sweeps": 200}).run()
        psi.canonical_form()
    # With conserved Sz, TeNPy orders the states (-1, 0, +1).
    cores = [
        psi.get_B(i).itranspose(["vL", "p", "vR"]).to_ndarray()[:, ::-1] for i in range(length)
    ]
    if boundary == "finite":
        return TensorTrain(cores=tuple(cores))
    schmidt = tuple(np.asarray(psi.get_SL(i)) for i in range(length))
    return InfiniteTrain(cores=tuple(cores), schmidt_values=schmidt)


def test_haldane():
    train = ground_state(0.0, 1.0, 2, "infinite")
    for axis in ("x", "y", "z"):
        assert string_order(train, axis).value == pytest.approx(0.3743, abs=1e-4)
        assert string_order(train, axis, (0, 101)).value == pytest.approx(0.3743, abs=1e-4)
        assert string_order(train, spin_string(axis, 3).trivial).value == pytest.approx(
            0.0, abs=1e-4
        )
    assert [invariant.value for invariant in invariants(train)] == [-1, -1, -1]
    np.testing.assert_allclose(entropies(train), 0.8555, atol=1e-3)
    # White and Huse (1993) have 6.03; a finite bond dimension comes out lower.
    assert correlation_length(train) == pytest.approx(5.05, rel=0.1)
    assert all(is_even_degenerate(values) for values in schmidt_values(train))
    np.testing.assert_allclose(local_orders(train).neighbours, -1.401484 / 3, atol=1e-4)


def test_large_d():
    train = ground_state(2.0, 1.0, 2, "infinite")
    for axis in ("x", "z"):
        assert string_order(train, axis).value == pytest.approx(0.0, abs=1e-9)
    assert string_order(train, spin_string("x", 3).trivial).value == pytest.approx(0.7355, abs=1e-3)
    assert [invariant.value for invariant in invariants(train)] == [1, 1, 1]
    np.testing.assert_allclose(entropies(train), 0.516, atol=1e-3)
    assert not is_even_degenerate(schmidt_values(train)[0])


def test_neel():
    train = ground_state(0.0, 2.0, 2, "infinite")
    assert string_order(train, "z").value == pytest.approx(0.880, abs=1e-3)
    assert string_order(train, "x").value == 0.0
    for invariant in invariants(train):
        assert invariant.value == 0
        assert invariant.eta == pytest.approx(0.33, abs=0.02)


def test_another_gauge_and_phase_change_no_invariant():
    train = ground_state(0.0, 1.0, 2, "infinite")
    rng = np.random.default_rng(0)
    phases = [np.exp(2j * np.pi * rng.uniform(size=dim)) for dim in train.bond_dims]
    orders = [rng.permutation(dim) for dim in train.bond_dims]
    cores = [
        (phases[i][:, None, None] * core * phases[1 - i].conj() * 1j)[orders[i]][
            :, :, orders[1 - i]
        ]
        for i, core in enumerate(train.cores)
    ]
    schmidt = tuple(
        values[order] for values, order in zip(train.schmidt_values, orders, strict=True)
    )
    turned = InfiniteTrain(cores=tuple(cores), schmidt_values=schmidt)
    assert [invariant.value for invariant in invariants(turned)] == [-1, -1, -1]
    assert string_order(turned, "x").value == pytest.approx(
        string_order(train, "x").value, abs=1e-8
    )


@pytest.mark.parametrize(
    ("anisotropy", "length", "sign", "order"), [(0.0, 32, -1, 0.374), (2.0, 20, 1, 0.0)]
)
def test_finite_chains_agree_with_infinite_ones(anisotropy, length, sign, order):
    chain = ground_state(anisotropy, 1.0, length, "finite")
    found = invariants(chain)
    assert [invariant.value for invariant in found] == [sign] * 3
    # The polarised ends of the Haldane chain reach the middle with exp(-L / 2 xi).
    assert all(invariant.eta > 0.997 for invariant in found)
    assert found[0].correlation_length == pytest.approx({-1: 5.0, 1: 4.4}[sign], rel=0.06)
    assert bulk_string_order(chain, "z") == pytest.approx(order, abs=0.02)


def test_a_chain_as_long_as_its_correlations_is_undetermined():
    for invariant in invariants(ground_state(0.9, 1.0, 12, "finite")):
        assert invariant.value == 0
        assert "4 xi > L" in invariant.reason


def test_an_open_chain_in_the_neel_phase_has_no_invariant():
    for invariant in invariants(ground_state(0.0, 2.0, 16, "finite")):
        assert invariant.value == 0
        assert "symmetry broken" in invariant.reason
        assert invariant.eta == pytest.approx(0.33, abs=0.02)
