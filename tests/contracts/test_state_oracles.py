"""What is read off a state, against dense vectors, free fermions, closed forms and the literature.

Everything goes through the public functions of the package.
"""

import numpy as np
import pytest
from scipy.special import xlogy

import phasenet
from phasenet.criteria import StringOrder, Symmetry
from phasenet.groundstates.solve import solve
from phasenet.phases.exact import aklt_cell, cluster_cell
from phasenet.phases.spins import spin_matrix
from phasenet.points import ParameterPoint
from phasenet.storage.states import read_state
from phasenet.study import Boundary
from tests.contracts.dense import expectation, ground_vector, reduced, vector_train

HALDANE = ("xxz_d", {"Delta": 1.0, "D": 0.3}, 6, 3)
CHAINS = {
    "spin 1": HALDANE,
    "XXZ, spin 1/2": ("xxz", {"Delta": 0.7}, 8, 2),
    "cluster in a field": ("cluster_field", {"h": 0.4}, 8, 2),
    "Ising in a field": ("ising", {"h": 0.8}, 8, 2),
}


@pytest.fixture(params=sorted(CHAINS), scope="module")
def pair(request):
    """Dense ground state, and the same in phasenet's hands."""
    name, couplings, length, dim = CHAINS[request.param]
    vector = ground_vector(name, couplings, length, dim, pinning=0.3)
    return vector, phasenet.as_state(vector_train(vector))


def test_expectations_and_correlations(pair):
    vector, state = pair
    length = vector.ndim
    for operator in ("Sz", "Sx", "Sp"):
        wanted = [expectation(vector, {site: operator}) for site in range(length)]
        assert np.allclose(phasenet.expectations(state, operator), wanted, atol=1e-9)
    for first, second in (("Sz", "Sz"), ("Sp", "Sm"), ("Sx", "Sz")):
        found = phasenet.correlation_matrix(state, first, second)
        wanted = [
            [expectation(vector, {i: first, j: second}) for j in range(length)]
            for i in range(length)
        ]
        apart = ~np.eye(length, dtype=bool)
        assert np.allclose(found[apart], np.array(wanted)[apart], atol=1e-9)
        some = phasenet.correlations(state, first, second, 1, length - 2)
        assert np.allclose(some, np.array(wanted)[1, 2:], atol=1e-9)
        means = [
            expectation(vector, {1: first}) * expectation(vector, {j: second})
            for j in range(2, length)
        ]
        found = phasenet.connected_correlations(state, first, second, 1, length - 2)
        assert np.allclose(found, np.array(wanted)[1, 2:] - means, atol=1e-9)


def test_structure_factor(pair):
    vector, state = pair
    length = vector.ndim
    spin = spin_matrix("x", vector.shape[0])
    square = tuple(map(tuple, spin @ spin))
    pairs = np.array(
        [
            [
                expectation(vector, {i: "Sx", j: "Sx"} if i != j else {i: square}).real
                for j in range(length)
            ]
            for i in range(length)
        ]
    )
    sites = np.arange(length)
    wanted = [
        (pairs * np.cos(2 * np.pi * q * (sites[:, None] - sites))).sum() / length
        for q in (0.0, 0.3, 0.5)
    ]
    assert np.allclose(phasenet.structure_factor(state, "x", [0.0, 0.3, 0.5]), wanted, atol=1e-9)


def test_strings(pair):
    vector, state = pair
    length = vector.ndim
    for axis in "xyz":
        string = StringOrder(
            name=axis, left=(f"S{axis}",), inside=(f"R{axis}",), right=(f"S{axis}",), factor=-1.0
        )
        found = phasenet.string_pairs(state, string)
        for i in range(length):
            for j in range(i + 1, length):
                inside = dict.fromkeys(range(i + 1, j), f"R{axis}")
                ends = {i: f"S{axis}", j: f"S{axis}"}
                wanted = -expectation(vector, {**inside, **ends}).real
                assert found[i, j] == pytest.approx(wanted, abs=1e-9)
        assert np.isnan(found[np.tril_indices(length)]).all()
        profile = phasenet.string_profile(state, string, 1, length - 2)
        assert np.allclose(profile.values, found[1, profile.distances + 1], atol=1e-12)
        one = phasenet.string_order(state, string, (1, length - 2))
        assert one.value == pytest.approx(found[1, length - 2], abs=1e-12) and one.error == 0.0


def test_entanglement(pair):
    vector, state = pair
    for bond, entropy in enumerate(phasenet.entropies(state)):
        weights = np.linalg.eigvalsh(reduced(vector, bond + 1)).clip(0.0, 1.0)
        assert entropy == pytest.approx(-xlogy(weights, weights).sum(), abs=1e-9)
        levels = np.sort(phasenet.entanglement_spectrum(state, bond).levels)
        assert np.allclose(np.exp(-levels)[:4], weights[::-1][: len(levels)][:4], atol=1e-9)


def test_partial_reflection_and_time_reversal(pair):
    vector, state = pair
    dim, half = vector.shape[0], vector.ndim // 2
    middle = np.moveaxis(vector, range(half - 2, half + 2), range(4)).reshape(dim**2, dim**2, -1)
    density = np.einsum("abe,cde->abcd", middle, middle.conj())
    swap = np.arange(dim**4).reshape((dim,) * 4).transpose(3, 2, 1, 0).ravel()
    whole = density.reshape(dim**4, dim**4)
    found = phasenet.partial_reflection(state, 2, max_bond=81)
    assert found.raw == pytest.approx(np.trace(whole[swap]).real, abs=1e-9)
    sides = np.einsum("abcb->ac", density), np.einsum("abac->bc", density)
    mean = sum(np.trace(side @ side).real for side in sides) / 2
    assert found.value == pytest.approx(found.raw / np.sqrt(mean), rel=1e-8)
    found = phasenet.partial_time_reversal(state, 2, max_bond=81)
    assert found.value == pytest.approx(found.raw / mean**1.5, rel=1e-8)


def test_free_fermions_of_the_xx_chain():
    r"""Open XX chain: :math:`\langle S^z_i S^z_j\rangle = -|C_{ij}|^2`, entropies from C."""
    length = 12
    state = phasenet.as_state(vector_train(ground_vector("xxz", {"Delta": 0.0}, length, 2)))
    hopping = (np.eye(length, k=1) + np.eye(length, k=-1)) / 2
    filled = np.linalg.eigh(hopping)[1][:, : length // 2]
    order = filled @ filled.T
    wanted = np.diag(np.diagonal(order)) * 0.25 / 0.5 - (1 - np.eye(length)) * order**2
    assert np.allclose(phasenet.correlation_matrix(state, "Sz", "Sz"), wanted, atol=1e-8)
    for bond, entropy in enumerate(phasenet.entropies(state)):
        n = np.linalg.eigvalsh(order[: bond + 1, : bond + 1]).clip(0, 1)
        assert entropy == pytest.approx(-(xlogy(n, n) + xlogy(1 - n, 1 - n)).sum(), abs=1e-8)


@pytest.mark.parametrize("field", [0.5, 1.0, 1.7])
def test_free_fermions_of_the_ising_chain(field):
    r"""Open Ising chain :math:`-XX - hZ`: entropies and field from Majorana covariances."""
    length = 10
    state = phasenet.as_state(vector_train(ground_vector("ising", {"h": field}, length, 2)))
    coupling = np.eye(length) * field + np.eye(length, k=1)
    left, _, right = np.linalg.svd(coupling)
    order = left @ right
    assert np.allclose(2 * phasenet.expectations(state, "Sz"), np.diagonal(order), atol=1e-7)
    for bond, entropy in enumerate(phasenet.entropies(state)):
        part = order[: bond + 1, : bond + 1]
        n = (1 + np.linalg.svd(part, compute_uv=False).clip(0, 1)) / 2
        assert entropy == pytest.approx(-(xlogy(n, n) + xlogy(1 - n, 1 - n)).sum(), abs=1e-7)


def test_aklt():
    """Affleck, Kennedy, Lieb, Tasaki, PRL 59, 799 (1987)."""
    state = phasenet.as_state(aklt_cell())
    for axis in "xyz":
        assert phasenet.string_order(state, axis).value == pytest.approx(4 / 9, abs=1e-14)
        found = phasenet.correlations(state, f"S{axis}", f"S{axis}", 0, 8)
        assert np.allclose(found, 4 / 3 * (-1 / 3.0) ** np.arange(1, 9), atol=1e-14)
    assert phasenet.entropies(state) == pytest.approx([np.log(2)], abs=1e-14)
    assert phasenet.entanglement_spectrum(state).multiplicities == (2,)
    lengths = phasenet.transfer_spectrum(state).lengths
    assert np.max(lengths[np.isfinite(lengths)]) == pytest.approx(1 / np.log(3))
    assert [one.value for one in phasenet.spt_invariants(state)] == [-1, -1, -1]
    # Two angles of the static structure factor of Arovas, Auerbach, Haldane, PRL 60, 531 (1988).
    angles = np.cos(2 * np.pi * np.array([0.2, 0.5]))
    wanted = 2 * (1 - angles) / (5 + 3 * angles)
    assert np.allclose(phasenet.structure_factor(state, "z", [0.2, 0.5]), wanted, atol=1e-12)


def test_cluster():
    """Stabilisers of both sublattices are 1; Suzuki, Prog. Theor. Phys. 46, 1337 (1971)."""
    state = phasenet.as_state(cluster_cell())
    symmetry = Symmetry(name="sublattices", kind="commutation", operators=(("X", "1"), ("1", "X")))
    assert [one.value for one in phasenet.spt_invariants(state, (symmetry,))] == [-1]
    string = StringOrder.parse("Z X [1 X] Z 1")
    assert phasenet.string_order(state, string).value == pytest.approx(1.0, abs=1e-12)
    assert phasenet.string_order(state, string.trivial).value == pytest.approx(0.0, abs=1e-12)
    assert phasenet.entropies(state) == pytest.approx(np.log(2) * np.ones(state.length))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("anisotropy", "ising", "string_z", "string_x", "entropy", "values"),
    [
        # iDMRG at max_bond 48; beyond Delta_c = 1.186 the Neel phase.
        (0.0, 0.5, 0.0977, 0.3485, 1.0745, [-1, -1, -1]),
        # Strings of 200 sites are still 0.0044 here; their limit is zero by symmetry.
        (1.1, 1.0, 0.0, 0.0, 1.121, [1, 1, 1]),
        (0.0, 2.0, 0.880, 0.0, 0.148, [0, 0, 0]),
    ],
)
def test_infinite_reference_points(
    tiny_study, anisotropy, ising, string_z, string_x, entropy, values
):
    study = tiny_study(infinite={"max_bond": 48})
    state = solve(study, ParameterPoint.of(D=anisotropy, Delta=ising), Boundary.INFINITE)
    form = phasenet.as_state(state)
    assert phasenet.string_order(form, "z").value == pytest.approx(string_z, abs=5e-4)
    assert phasenet.string_order(form, "x").value == pytest.approx(string_x, abs=5e-4)
    assert phasenet.entropies(form) == pytest.approx([entropy] * 2, abs=2e-3)
    assert [one.value for one in phasenet.spt_invariants(form)] == values


@pytest.mark.slow
def test_string_order_of_the_heisenberg_chain(tiny_study):
    """White, Huse, PRB 48, 3844 (1993): 0.374325096(2)."""
    _, start = read_state("datasets/sample/states/D=0,Delta=1.infinite.state.h5")
    fine = {"truncation_atol": 1e-12, "cutoff": 1e-13, "energy_atol": 1e-10}
    study = tiny_study(infinite={"max_bond": 128, **fine})
    point = ParameterPoint.of(D=0.0, Delta=1.0)
    state = phasenet.as_state(solve(study, point, Boundary.INFINITE, neighbour=start))
    for axis in "xz":
        found = phasenet.string_order(state, axis)
        assert found.value == pytest.approx(0.374325096, abs=1e-8)
    assert [one.value for one in phasenet.spt_invariants(state)] == [-1, -1, -1]
