"""Ground states go back to TeNPy tensor by tensor, to the last bit."""

import dataclasses
import itertools
import warnings

import numpy as np
import pytest
from tenpy.models.spins import SpinChain
from tenpy.networks.mps import MPS
from tenpy.networks.site import SpinHalfFermionSite, SpinHalfSite, SpinSite

from phasenet.errors import SettingsError, ShapeError, StudyError
from phasenet.groundstates.convert import (
    bond_charges,
    charge_name,
    right_canonical_cores,
    schmidt_values,
    spin_site,
    tenpy_mps,
    to_train,
)
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState
from phasenet.storage.header import Header, Kind
from phasenet.storage.states import read_state, write_state

CONSERVE = ("None", "Sz", "parity")
NAMES = {"None": "", "Sz": "2*Sz", "parity": "parity_Sz"}


@pytest.fixture(autouse=True)
def _global_stream():
    """TeNPy draws from numpy's global stream."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(11)  # noqa: NPY002
    yield
    np.random.set_state(before)  # noqa: NPY002


def entangled(site, bc, length, start=("up", "up", "down"), dtype=np.complex128):
    states = list(itertools.islice(itertools.cycle(start), length))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = MPS.from_product_state(
            [site] * length, states, bc=bc, dtype=dtype, unit_cell_width=length
        )
        psi.perturb({"N_steps": 3, "trunc_params": {"chi_max": 9}}, close_1=False)
        psi.canonical_form()
    return psi


def state_of(psi):
    return GroundState(
        point=ParameterPoint.of(D=0.5),
        spin=(psi.sites[0].dim - 1) / 2,
        train=to_train(psi),
        schmidt_values=schmidt_values(psi),
        charge=charge_name(psi),
        bond_charges=bond_charges(psi),
        energy=-1.0,
        variance=0.0,
        truncation=0.0,
        outcome=DmrgOutcome.CONVERGED,
        sweeps=1,
    )


def blocks(tensor):
    """Blocks by their indices."""
    return {
        tuple(key): block for key, block in zip(tensor._qdata.tolist(), tensor._data, strict=True)
    }


def assert_same_tensors(back, psi):
    assert (back.bc, back.norm, back.L, back.form) == (psi.bc, psi.norm, psi.L, psi.form)
    for site in range(psi.L):
        one, two = back.get_B(site), psi.get_B(site).itranspose(["vL", "p", "vR"])
        assert one.get_leg_labels() == two.get_leg_labels()
        np.testing.assert_array_equal(one.qtotal, two.qtotal)
        for first, second in zip(one.legs, two.legs, strict=True):
            assert (first.qconj, first.sorted, first.bunched) == (
                second.qconj,
                second.sorted,
                second.bunched,
            )
            np.testing.assert_array_equal(first.slices, second.slices)
            np.testing.assert_array_equal(first.charges, second.charges)
        ours, theirs = blocks(one), blocks(two)
        assert ours.keys() == {key for key, block in theirs.items() if block.any()}
        for key, block in ours.items():
            assert np.array_equal(block, theirs[key])
        assert back.get_SL(site).tobytes() == psi.get_SL(site).tobytes()


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("conserve", CONSERVE)
@pytest.mark.parametrize("spin", [0.5, 1.0])
@pytest.mark.parametrize(("bc", "length"), [("finite", 5), ("infinite", 3)])
def test_every_tensor_comes_back_through_a_file(bc, length, spin, conserve, dtype, tmp_path):
    site = spin_site(spin, NAMES[conserve])
    psi = entangled(site, bc, length, dtype=dtype)
    state = state_of(psi)
    assert state.charge == NAMES[conserve]
    header = Header(kind=Kind.STATE, settings={}, seed=0, parents=(), study=None)
    write_state(tmp_path / "a.state.h5", header, state)
    back = tenpy_mps(read_state(tmp_path / "a.state.h5")[1])
    assert back.dtype == dtype
    assert_same_tensors(back, psi)
    again = state_of(back)
    for one, two in zip(again.train.cores, state.train.cores, strict=True):
        assert one.tobytes() == two.tobytes()
    for one, two in zip(again.bond_charges, state.bond_charges, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_charged_cell_keeps_its_charge_in_its_last_tensor():
    psi = entangled(SpinSite(1.0, conserve="Sz"), "infinite", 3)
    assert psi.get_B(2).qtotal.tolist() == [2]
    back = tenpy_mps(state_of(psi))
    assert back.get_B(2).qtotal.tolist() == [2]
    assert back.overlap(psi, understood_infinite=True) == pytest.approx(1.0, abs=1e-9)


def test_dmrg_goes_on_where_it_was():
    model = SpinChain({"S": 1, "L": 6, "D": 0.3, "conserve": "Sz", "sort_charge": True})
    psi = entangled(model.lat.mps_sites()[0], "finite", 6, ("up", "down"), np.float64)
    back = tenpy_mps(state_of(psi), model.lat.mps_sites())
    assert model.H_MPO.expectation_value(back) == model.H_MPO.expectation_value(psi)
    np.testing.assert_array_equal(back.expectation_value("Sz"), psi.expectation_value("Sz"))


def test_sites_in_another_order_are_taken():
    """Without charges, TeNPy has two orders for the states of a spin 1/2."""
    psi = entangled(SpinSite(0.5, conserve="None"), "finite", 5)
    assert_same_tensors(tenpy_mps(state_of(psi), psi.sites), psi)
    other = tenpy_mps(state_of(psi))
    assert isinstance(other.sites[0], SpinHalfSite)
    np.testing.assert_allclose(
        other.expectation_value("Sz"), psi.expectation_value("Sz"), atol=1e-14
    )


def test_all_cores_are_real_or_none():
    site = SpinSite(1.0, conserve="Sz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = MPS.from_product_state([site] * 3, ["up", "down", "up"], dtype=np.complex128)
    psi.set_B(1, 1j * psi.get_B(1))
    assert [core.dtype for core in right_canonical_cores(psi)] == [np.complex128] * 3
    assert tenpy_mps(state_of(psi)).overlap(psi) == pytest.approx(1.0, abs=1e-15)


def test_other_charges_are_refused():
    state = state_of(entangled(SpinSite(1.0, conserve="Sz"), "finite", 4))
    with pytest.raises(SettingsError, match=r"sites conserve parity_Sz, .* conserves 2\*Sz; want"):
        tenpy_mps(state, [SpinSite(1.0, conserve="parity")] * 4)
    with pytest.raises(SettingsError, match=r"sites conserve nothing, .* conserves 2\*Sz; wanted"):
        tenpy_mps(state, [SpinSite(1.0, conserve="None")] * 4)
    with pytest.raises(SettingsError, match="no site of spin 1 that conserves 'N'; wanted"):
        tenpy_mps(dataclasses.replace(state, charge="N"))


def test_bond_charges_that_do_not_fit_are_refused():
    state = state_of(entangled(SpinSite(1.0, conserve="Sz"), "finite", 4))
    with pytest.raises(ShapeError, match=r"D=0.5 has \[\] charges on bonds .*; make it again"):
        tenpy_mps(dataclasses.replace(state, bond_charges=()))
    shifted = (state.bond_charges[0] + 1, *state.bond_charges[1:])
    with pytest.raises(ShapeError, match="differs from zero where its charges forbid it"):
        tenpy_mps(dataclasses.replace(state, bond_charges=shifted))


def test_several_charges_are_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = MPS.from_product_state([SpinHalfFermionSite()] * 2, ["up", "down"])
    with pytest.raises(StudyError, match=r"conserves N and 2\*Sz; wanted at most one charge"):
        charge_name(psi)
