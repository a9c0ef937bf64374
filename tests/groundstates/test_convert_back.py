"""Trains as TeNPy's states: TeNPy's own numbers come back, in whatever gauge the train was."""

import functools
import itertools
import warnings

import numpy as np
import pytest
from tenpy.models.aklt import AKLTChain
from tenpy.networks.mps import MPS
from tenpy.networks.site import SpinHalfFermionSite, SpinHalfSite, SpinSite

from phasenet.errors import SettingsError, ShapeError
from phasenet.groundstates.convert import bond_charges, to_mps, to_train
from phasenet.phases.exact import aklt_cell, aklt_chain, product_cell, product_chain
from phasenet.trains.arithmetic import add, multiple
from phasenet.trains.gauge import general_gauge, orthogonal_gauge, unitary_gauge
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.inner import log_norm
from phasenet.trains.train import TensorTrain

CONSERVE = ("None", "Sz", "parity")
KINDS = (SpinHalfSite, functools.partial(SpinSite, 0.5), functools.partial(SpinSite, 1.0))
SITES = list(itertools.product(range(3), CONSERVE))
IDS = [f"{('half', 'spin-1/2', 'spin-1')[kind]}-{conserve}" for kind, conserve in SITES]

every_site = pytest.mark.parametrize(("kind", "conserve"), SITES, ids=IDS)


@functools.cache
def entangled(kind, conserve, bc, length, steps=2, max_bond=8):
    """Random state of random blocks, canonical."""
    site = KINDS[kind](conserve=conserve)
    start = list(itertools.islice(itertools.cycle(["up", "up", "down"]), length))
    # TeNPy draws from the global stream.
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = MPS.from_product_state(
            [site] * length, start, bc=bc, dtype=np.complex128, unit_cell_width=length
        )
        psi.perturb({"N_steps": steps, "trunc_params": {"chi_max": max_bond}}, close_1=False)
        psi.canonical_form()
    np.random.set_state(before)  # noqa: NPY002
    return psi


def correlator(psi):
    """<Sz_0 Sz_j> for the first sites."""
    return psi.correlation_function("Sz", "Sz", sites1=[0], sites2=range(1, 5))


def spectra(psi):
    """Charges and Schmidt values left of each site, shape (bond, 2)."""
    found = []
    for site in range(psi.L):
        leg, values = psi.get_B(site).get_leg("vL"), psi.get_SL(site)
        charges = leg.to_qflat()[:, 0] * leg.qconj if leg.chinfo.qnumber else np.zeros(len(values))
        found.append(np.column_stack([charges, values]))
    return found


def assert_equal_spectra(back, psi, atol):
    """Equal charges and Schmidt values; charges of infinite states are known up to a constant."""
    modulus = 2 if psi.chinfo.names == ["parity_Sz"] else 100
    shifts = range(modulus) if psi.bc == "infinite" else (0,)

    def sorted_spectra(state, shift):
        moved = [np.column_stack([(s[:, 0] + shift) % modulus, s[:, 1]]) for s in spectra(state)]
        return np.concatenate([s[np.lexsort(s.T[::-1])] for s in moved])

    wanted = sorted_spectra(psi, 0)
    assert min(np.abs(sorted_spectra(back, shift) - wanted).max() for shift in shifts) < atol


def turned(cell, seed=0, *, complex_=False):
    """Infinite train in another basis of each bond, which only mixes equal Schmidt values."""
    rng = np.random.default_rng(seed)
    bases = []
    for values in cell.schmidt_values:
        assert np.ptp(values) < 1e-14
        shape = (len(values),) * 2
        bases.append(
            np.linalg.qr(rng.normal(size=shape) + 1j * complex_ * rng.normal(size=shape))[0]
        )
    bases = [basis if complex_ else basis.real for basis in bases]
    cores = tuple(
        np.einsum("ab,asc,cd->bsd", left.conj(), core, right)
        for core, left, right in zip(cell.cores, bases, (*bases[1:], bases[0]), strict=True)
    )
    return InfiniteTrain(cores=cores, schmidt_values=cell.schmidt_values)


def aklt_energies(psi, conserve, bc):
    model = AKLTChain({"L": max(psi.L, 2), "bc_MPS": bc, "conserve": conserve, "sort_charge": True})
    return model.bond_energies(psi)


@every_site
def test_finite_states_come_back_from_any_gauge(kind, conserve):
    psi = entangled(kind, conserve, "finite", 6)
    train = unitary_gauge(to_train(psi), np.random.default_rng(1))
    back = to_mps(train, psi.sites)
    back.test_sanity()
    assert back.overlap(psi) == pytest.approx(1.0, abs=1e-12)
    assert back.norm_test().max() < 1e-12
    assert back.chi == psi.chi
    np.testing.assert_allclose(
        back.expectation_value("Sz"), psi.expectation_value("Sz"), atol=1e-12
    )
    np.testing.assert_allclose(correlator(back), correlator(psi), atol=1e-12)
    np.testing.assert_allclose(back.entanglement_entropy(), psi.entanglement_entropy(), atol=1e-12)
    assert_equal_spectra(back, psi, 1e-12)
    for physical in (True, False):
        np.testing.assert_array_equal(
            back.get_total_charge(only_physical_legs=physical),
            psi.get_total_charge(only_physical_legs=physical),
        )


@every_site
def test_infinite_states_come_back(kind, conserve):
    psi = entangled(kind, conserve, "infinite", 3)
    back = to_mps(to_train(psi), psi.sites)
    back.test_sanity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The state itself is canonical only up to TeNPy's own rounding.
        assert abs(back.overlap(psi)) == pytest.approx(abs(psi.overlap(psi)), abs=1e-12)
    assert back.norm_test().max() < psi.norm_test().max() + 1e-11
    assert back.chi == psi.chi
    np.testing.assert_allclose(back.expectation_value("Sz"), psi.expectation_value("Sz"), atol=1e-9)
    np.testing.assert_allclose(correlator(back), correlator(psi), atol=1e-9)
    np.testing.assert_allclose(back.entanglement_entropy(), psi.entanglement_entropy(), atol=1e-9)
    assert_equal_spectra(back, psi, 1e-9)
    np.testing.assert_array_equal(
        back.get_total_charge(only_physical_legs=False),
        psi.get_total_charge(only_physical_legs=False),
    )


@pytest.mark.parametrize("conserve", CONSERVE)
@pytest.mark.parametrize("ends", [(0, 0), (0, 1), (1, 1)])
def test_aklt_chains_have_their_energy_whatever_mixes_equal_schmidt_values(ends, conserve):
    site = SpinSite(1.0, conserve=conserve)
    train = orthogonal_gauge(aklt_chain(12, *ends), np.random.default_rng(2))
    psi = to_mps(train, [site] * 12)
    np.testing.assert_allclose(aklt_energies(psi, conserve, "finite"), -2 / 3, atol=1e-12)
    assert psi.chi == [2] * 11
    assert psi.dtype == np.float64
    if conserve == "Sz":
        # Each end carries a spin 1/2.
        assert psi.get_total_charge(only_physical_legs=True) == [2 * (ends[1] - ends[0])]


@pytest.mark.parametrize("conserve", CONSERVE)
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("cell", [1, 2])
def test_infinite_aklt_state_has_its_energy_in_any_gauge(cell, complex_, conserve):
    one = aklt_cell()
    train = InfiniteTrain(cores=one.cores * cell, schmidt_values=one.schmidt_values * cell)
    train = turned(train, complex_=complex_)
    assert not np.any(np.abs(train.cores[0]) < 1e-3)
    psi = to_mps(train, [SpinSite(1.0, conserve=conserve)] * cell)
    assert psi.dtype == (np.complex128 if complex_ else np.float64)
    assert psi.norm_test().max() < 1e-13
    if conserve != "None":
        assert [psi.get_B(site).get_leg("vL").block_number for site in range(cell)] == [2] * cell
    if cell == 1:
        psi.enlarge_mps_unit_cell(2)
    np.testing.assert_allclose(aklt_energies(psi, conserve, "infinite"), -2 / 3, atol=1e-12)


def test_real_states_may_need_complex_bond_states():
    """Its parity acts on the bond as the second Pauli matrix."""
    paulis = [np.array([[0, 1], [1, 0]]), np.array([[0, 1], [-1, 0]]), np.diag([1, -1])]
    cell = InfiniteTrain(
        cores=(np.stack(paulis, axis=1) / np.sqrt(3),), schmidt_values=aklt_cell().schmidt_values
    )
    psi = to_mps(cell, [SpinSite(1.0, conserve="parity")])
    plain = to_mps(cell, [SpinSite(1.0, conserve="None")])
    assert (psi.dtype, plain.dtype) == (np.complex128, np.float64)
    operators = ["Sz Sz", "Sp Sm", "Sm Sp", "Sp Sp"]
    for first, second in (pair.split() for pair in operators):
        np.testing.assert_allclose(
            psi.correlation_function(first, second, sites1=[0], sites2=range(1, 4)),
            plain.correlation_function(first, second, sites1=[0], sites2=range(1, 4)),
            atol=1e-13,
        )


@pytest.mark.parametrize("conserve", ["Sz", "parity"])
def test_large_infinite_states_come_back(conserve):
    psi = entangled(2, conserve, "infinite", 3, steps=3, max_bond=20)
    assert max(psi.chi) > 15
    back = to_mps(to_train(psi), psi.sites)
    assert back.chi == psi.chi
    assert_equal_spectra(back, psi, 1e-9)
    assert back.norm_test().max() < psi.norm_test().max() + 1e-10


def test_phase_is_kept_and_norm_is_one():
    psi = entangled(2, "Sz", "finite", 6)
    train = multiple(to_train(psi), 0.75j)
    train = TensorTrain(cores=train.cores, log_scale=train.log_scale + 5000.0)
    back = to_mps(train, psi.sites)
    assert back.norm == 1.0
    assert psi.overlap(back) == pytest.approx(1j, abs=1e-12)
    assert log_norm(to_train(back)) == pytest.approx(0.0, abs=1e-12)


def test_amplitudes_are_those_of_the_train():
    psi = entangled(2, "parity", "finite", 6)
    train = general_gauge(to_train(psi), np.random.default_rng(3), condition=50.0)
    back = to_train(to_mps(train, psi.sites))
    configurations = np.array(list(itertools.product(range(3), repeat=6)))
    np.testing.assert_allclose(back(configurations), train(configurations), atol=1e-12)


def test_charges_are_those_that_the_package_reads():
    psi = to_mps(product_chain((0, 2, 1, 0), 3), [SpinSite(1.0, conserve="Sz")] * 4)
    assert [charges.tolist() for charges in bond_charges(psi)] == [[0], [2], [0], [0], [2]]
    cell = to_mps(product_cell((0, 1, 0), 2), [SpinHalfSite(conserve="Sz")] * 3)
    charges = np.concatenate(bond_charges(cell))
    np.testing.assert_array_equal(charges - charges[0], [0, 1, 0, 1])
    site = to_mps(product_cell((0,), 2), [SpinHalfSite(conserve="Sz")])
    assert site.get_total_charge() == [1]


def test_spins_may_differ_from_site_to_site():
    sites = [SpinSite(0.5, conserve="Sz"), SpinSite(1.0, conserve="Sz")] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = MPS.from_product_state(sites, ["up", "down"] * 2)
    back = to_mps(to_train(psi), sites)
    assert back.overlap(psi) == pytest.approx(1.0, abs=1e-14)


def test_one_site_is_a_chain():
    core = np.array([[[0.0], [0.6j], [0.0]]])
    psi = to_mps(TensorTrain(cores=(core,)), [SpinSite(1.0, conserve="Sz")])
    assert to_train(psi)(np.array([[1]]))[0] == pytest.approx(1j, abs=1e-15)


@pytest.mark.parametrize(
    ("train", "dim"),
    [
        (TensorTrain(cores=(np.ones((1, 2, 1)),) * 5), 2),
        (add(product_chain((0, 2, 1, 1), 3), product_chain((0, 2, 1, 2), 3)), 3),
        (InfiniteTrain(cores=(np.full((1, 2, 1), 0.5**0.5),), schmidt_values=(np.ones(1),)), 2),
    ],
    ids=["product", "sum", "infinite"],
)
@pytest.mark.parametrize("conserve", ["Sz", "parity"])
def test_trains_without_the_charge_are_refused(train, dim, conserve):
    sites = [SpinSite((dim - 1) / 2, conserve=conserve)] * len(train.cores)
    name = "2\\*Sz" if conserve == "Sz" else "parity_Sz"
    with pytest.raises(SettingsError, match=f"lies outside the sector {name} = .*do not conserve"):
        to_mps(train, sites)


@pytest.mark.parametrize("bc", ["finite", "infinite"])
def test_parity_is_not_enough_for_a_conserved_magnetisation(bc):
    psi = entangled(0, "parity", bc, 6 if bc == "finite" else 3)
    with pytest.raises(SettingsError, match=r"part .* of the train lies outside the sector 2"):
        to_mps(to_train(psi), [SpinHalfSite(conserve="Sz")] * psi.L)


def test_what_may_lie_outside_is_dropped():
    psi = entangled(2, "Sz", "finite", 6)
    stray = product_chain((1, 1, 1, 1, 1, 1), 3)
    assert psi.get_total_charge(only_physical_legs=True) != [0]
    train = add(to_train(psi), multiple(stray, 1e-5))
    with pytest.raises(SettingsError, match=r"a part 1\.0e-05 of the train"):
        to_mps(train, psi.sites)
    back = to_mps(train, psi.sites, charge_tol=2e-5)
    assert back.overlap(psi) == pytest.approx(1.0, abs=1e-13)
    # Canonical up to the square of what was dropped.
    assert back.norm_test().max() < 1e-9


def test_sites_that_do_not_fit_are_refused():
    train = aklt_chain(4)
    spin_one = SpinSite(1.0, conserve="Sz")
    with pytest.raises(ShapeError, match=r"3 sites have dimensions .3., 4 cores have .3."):
        to_mps(train, [spin_one] * 3)
    with pytest.raises(ShapeError, match=r"4 sites have dimensions .2., 4 cores have .3."):
        to_mps(train, [SpinHalfSite()] * 4)
    with pytest.raises(SettingsError, match=r"conserve 2\*Sz or nothing; wanted the same on all"):
        to_mps(train, [spin_one] * 3 + [SpinSite(1.0, conserve="None")])
    fermions = [SpinHalfFermionSite()] * 2
    with pytest.raises(SettingsError, match=r"conserve N and 2\*Sz; wanted .* at most one charge"):
        to_mps(product_chain((0, 0), 4), fermions)


def test_vector_valued_and_vanishing_trains_are_refused():
    sites = [SpinHalfSite(conserve="None")] * 2
    vector = TensorTrain(cores=(np.ones((1, 2, 1)), np.ones((1, 2, 1, 3))), output_site=1)
    with pytest.raises(ShapeError, match="output leg at site 1"):
        to_mps(vector, sites)
    with pytest.raises(ShapeError, match="norm zero"):
        to_mps(TensorTrain(cores=(np.zeros((1, 2, 1)),) * 2), sites)
