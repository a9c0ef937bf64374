"""TeNPy's states in phasenet's local basis, against TeNPy's own expectation values."""

import itertools
import warnings

import numpy as np
import pytest
import tenpy.linalg.np_conserved as npc
from tenpy.networks.mps import MPS
from tenpy.networks.site import FermionSite, SpinHalfSite, SpinSite

from phasenet.errors import StudyError
from phasenet.groundstates.convert import (
    bond_charges,
    highest_weight_first,
    right_canonical_cores,
    schmidt_values,
    to_train,
)
from phasenet.phases.spins import magnetic_numbers, pi_rotation, spin_matrix

CONSERVE = ("None", "Sz", "parity")
SITES = [
    *((SpinHalfSite, {"conserve": conserve}) for conserve in CONSERVE),
    *((SpinSite, {"S": 0.5, "conserve": conserve}) for conserve in CONSERVE),
    *((SpinSite, {"S": 1.0, "conserve": conserve}) for conserve in CONSERVE),
]
IDS = [f"{kind.__name__}-{options.get('S', '')}-{options['conserve']}" for kind, options in SITES]
LENGTH = 5

every_site = pytest.mark.parametrize(("kind", "options"), SITES, ids=IDS)


@pytest.fixture(autouse=True)
def _global_stream():
    """TeNPy draws from numpy's global stream."""
    # TeNPy draws from the global stream.
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    yield
    np.random.set_state(before)  # noqa: NPY002


def entangled(kind, options, bc="finite", length=LENGTH):
    site = kind(**options)
    start = list(itertools.islice(itertools.cycle(["up", "up", "down"]), length))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = MPS.from_product_state(
            [site] * length, start, bc=bc, dtype=np.complex128, unit_cell_width=length
        )
        psi.perturb({"N_steps": 4, "trunc_params": {"chi_max": 8}}, close_1=False)
        psi.canonical_form()
    return site, psi


def amplitudes(train):
    """All values of a train, one axis a site."""
    dims = train.site_dims
    configurations = np.array(list(itertools.product(*(range(dim) for dim in dims))))
    return train(configurations).reshape(dims)


def expectation(vector, operators):
    """<operators> of a dense state, one matrix for each named site."""
    ket = vector
    for site, operator in operators.items():
        ket = np.moveaxis(np.tensordot(operator, ket, axes=(1, site)), 0, site)
    return np.vdot(vector, ket)


def labels_highest_first(dim):
    return ["up", "down"] if dim == 2 else ["up", "0.0", "down"]


@every_site
def test_amplitudes_are_those_of_the_named_states(kind, options):
    site, psi = entangled(kind, options)
    psi.norm = 0.75
    order = [site.state_index(label) for label in labels_highest_first(site.dim)]
    theirs = psi.get_theta(0, LENGTH).to_ndarray().reshape((site.dim,) * LENGTH)
    ours = amplitudes(to_train(psi))
    np.testing.assert_allclose(ours, 0.75 * theirs[np.ix_(*[order] * LENGTH)], atol=1e-12)
    assert np.linalg.norm(ours) == pytest.approx(0.75, abs=1e-12)
    assert psi.entanglement_entropy().min() > 0.05


@every_site
def test_expectation_values_are_those_of_tenpy(kind, options):
    site, psi = entangled(kind, options)
    vector, dim = amplitudes(to_train(psi)), site.dim
    sz, sx = spin_matrix("z", dim), spin_matrix("x", dim)
    magnetisation = [expectation(vector, {i: sz}).real for i in range(LENGTH)]
    np.testing.assert_allclose(magnetisation, psi.expectation_value("Sz"), atol=1e-12)
    assert np.ptp(magnetisation) > 0.1  # a reversed basis cannot pass
    mixed = psi.correlation_function("Sp", "Sm")
    flips = 0.0 if options["conserve"] == "Sz" else psi.correlation_function("Sp", "Sp")
    # Sx Sx = (S+S- + S-S+ + S+S+ + S-S-)/4, and S-S- is the adjoint of S+S+.
    theirs = (mixed + mixed.T).real / 4 + (flips + np.conj(flips)).real / 4
    for i, j in itertools.combinations(range(LENGTH), 2):
        got = expectation(vector, {i: sx, j: sx})
        np.testing.assert_allclose(got, theirs[i, j], atol=1e-12)


@every_site
def test_string_correlators_are_those_of_tenpy(kind, options):
    site, psi = entangled(kind, options)
    string = npc.expm(1j * np.pi * site.get_op("Sz"))
    theirs = psi.correlation_function("Sz", "Sz", opstr=string, str_on_first=False, hermitian=False)
    vector, dim = amplitudes(to_train(psi)), site.dim
    sz, rotation = spin_matrix("z", dim), pi_rotation("z", dim)
    for i, j in itertools.combinations(range(LENGTH), 2):
        inside = dict.fromkeys(range(i + 1, j), rotation)
        got = expectation(vector, {i: sz, **inside, j: sz})
        np.testing.assert_allclose(got, theirs[i, j], atol=1e-12)


@every_site
def test_order_of_each_site_is_a_permutation_by_weight(kind, options):
    site = kind(**options)
    weights = np.diag(site.Sz.to_ndarray()).real
    np.testing.assert_array_equal(weights[highest_weight_first(site)], magnetic_numbers(site.dim))


def test_tenpy_orders_differ_so_that_these_tests_can_fail():
    spin_one = {tuple(highest_weight_first(SpinSite(1.0, conserve=name))) for name in CONSERVE}
    spin_half = {tuple(highest_weight_first(SpinHalfSite(conserve=name))) for name in CONSERVE}
    assert spin_one == {(2, 1, 0), (1, 2, 0)}
    assert spin_half == {(0, 1), (1, 0)}


@pytest.mark.parametrize("bc", ["finite", "infinite"])
@pytest.mark.parametrize(("kind", "options"), [SITES[1], SITES[7]], ids=["spin-1/2", "spin-1"])
def test_bond_charges_label_the_bonds(kind, options, bc):
    _, psi = entangled(kind, options, bc=bc, length=3 if bc == "infinite" else LENGTH)
    charges, cores = bond_charges(psi), right_canonical_cores(psi)
    assert len(charges) == len(cores) + 1
    forbidden_entries = 0
    for core, left, right in zip(cores, charges, charges[1:], strict=False):
        site = np.rint(2 * magnetic_numbers(core.shape[1])).astype(int)
        allowed = left[:, None, None] + site[:, None] == right[None, None, :]
        assert not np.any(core[~allowed])
        assert np.any(core[allowed])
        forbidden_entries += np.count_nonzero(~allowed)
    assert forbidden_entries > 0
    if bc == "finite":
        # up, up, down, up, up
        assert charges[0].tolist() == [0]
        assert charges[-1].tolist() == [3 * (cores[0].shape[1] - 1)]
    else:
        # up, up, down: the charge of the cell
        np.testing.assert_array_equal(charges[-1], charges[0] + cores[0].shape[1] - 1)


@pytest.mark.parametrize("bc", ["finite", "infinite"])
@pytest.mark.parametrize(("kind", "options"), [SITES[2], SITES[8]], ids=["spin-1/2", "spin-1"])
def test_parities_label_the_bonds(kind, options, bc):
    _, psi = entangled(kind, options, bc=bc, length=3 if bc == "infinite" else LENGTH)
    charges, cores = bond_charges(psi), right_canonical_cores(psi)
    assert {charge for bond in charges for charge in bond.tolist()} == {0, 1}
    # How often the lowest weight was raised.
    local = np.arange(cores[0].shape[1])[::-1] % 2
    for core, left, right in zip(cores, charges, charges[1:], strict=False):
        forbidden = (left[:, None, None] + local[:, None] - right) % 2 == 1
        assert not np.any(core[forbidden])
        assert np.any(core[~forbidden])


def test_bond_charges_are_empty_without_a_conserved_charge():
    _, psi = entangled(SpinSite, {"S": 1.0, "conserve": "None"})
    assert [charge.shape for charge in bond_charges(psi)] == [(0,)] * (LENGTH + 1)


@every_site
def test_finite_states_are_right_canonical_with_their_schmidt_values(kind, options):
    _, psi = entangled(kind, options)
    vector = amplitudes(to_train(psi))
    for core in right_canonical_cores(psi)[1:]:
        gram = np.tensordot(core, core.conj(), axes=((1, 2), (1, 2)))
        np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-12)
    for site, values in enumerate(schmidt_values(psi)):
        rows = int(np.prod(vector.shape[:site], dtype=int))
        exact = np.linalg.svd(vector.reshape(rows, -1), compute_uv=False)
        np.testing.assert_allclose(np.sort(values)[::-1], exact[: len(values)], atol=1e-12)


@every_site
def test_infinite_states_are_right_canonical_and_carry_their_expectation_values(kind, options):
    site, psi = entangled(kind, options, bc="infinite", length=3)
    train = to_train(psi)
    assert train.cell == 3
    for core, left, right in zip(
        train.cores,
        train.schmidt_values,
        (*train.schmidt_values[1:], train.schmidt_values[0]),
        strict=True,
    ):
        gram = np.tensordot(core, core.conj(), axes=((1, 2), (1, 2)))
        np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-10)
        centre = left[:, None, None] * core
        density = np.tensordot(centre.conj(), centre, axes=((0, 1), (0, 1)))
        np.testing.assert_allclose(density, np.diag(right**2), atol=1e-8)
        assert np.sum(left**2) == pytest.approx(1.0, abs=1e-10)
    sz = magnetic_numbers(site.dim)
    magnetisation = [
        np.einsum("l,lsr,s,lsr->", values**2, core.conj(), sz, core).real
        for core, values in zip(train.cores, train.schmidt_values, strict=True)
    ]
    np.testing.assert_allclose(magnetisation, psi.expectation_value("Sz"), atol=1e-8)


def test_real_states_have_real_cores():
    site = SpinSite(1.0, conserve="Sz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = MPS.from_product_state([site] * 4, ["up", "down"] * 2, dtype=np.complex128)
    assert all(core.dtype == np.float64 for core in right_canonical_cores(psi))


def test_a_site_without_sz_is_refused():
    with pytest.raises(StudyError, match="no operator Sz"):
        highest_weight_first(FermionSite(conserve="N"))


def test_a_segment_is_refused():
    _, psi = entangled(SpinSite, {"S": 1.0, "conserve": "Sz"})
    segment = psi.extract_segment(1, 3)
    with pytest.raises(StudyError, match="'segment'; wanted finite or infinite"):
        to_train(segment)
