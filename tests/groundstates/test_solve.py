"""Ground states against exact diagonalisation, exact states and the infinite reference points."""

import functools
import itertools
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import eigsh

from phasenet.errors import StudyError
from phasenet.groundstates.solve import solve
from phasenet.phases.entanglement import entropies
from phasenet.phases.labels import label_point
from phasenet.phases.spins import magnetic_numbers, spin_matrix
from phasenet.phases.spt import invariants
from phasenet.phases.strings import string_order
from phasenet.points import Grid, ParameterPoint
from phasenet.records import DmrgOutcome
from phasenet.settings import RunSettings
from phasenet.study import Boundary

LENGTH = 8
EXACT = {
    "length": LENGTH,
    "pinning_field": 0.5,
    "max_bond": 81,
    "truncation_atol": 1e-20,
    "cutoff": 1e-14,
    "energy_atol": 1e-13,
    "entropy_atol": 1e-10,
}


@functools.cache
def configurations(dim, length):
    return np.array(list(itertools.product(range(dim), repeat=length)))


def embedded(operators, dim, length):
    """Kronecker product with identities on all sites that are not named."""
    parts = (sp.csr_matrix(operators.get(site, np.eye(dim))) for site in range(length))
    return functools.reduce(lambda a, b: sp.kron(a, b, format="csr"), parts)


def exact_ground_state(anisotropy, ising, field):
    """Energy and vector of the lowest state of zero magnetisation, by sparse diagonalisation."""
    x, y, z = (spin_matrix(axis, 3) for axis in "xyz")
    hamiltonian = -field * embedded({0: z}, 3, LENGTH) + field * embedded(
        {LENGTH - 1: z}, 3, LENGTH
    )
    for site in range(LENGTH):
        hamiltonian = hamiltonian + anisotropy * embedded({site: z @ z}, 3, LENGTH)
    for site in range(LENGTH - 1):
        for matrix, strength in ((x, 1.0), (y, 1.0), (z, ising)):
            hamiltonian = hamiltonian + strength * embedded(
                {site: matrix, site + 1: matrix}, 3, LENGTH
            )
    total = magnetic_numbers(3)[configurations(3, LENGTH)].sum(axis=1)
    sector = np.flatnonzero(np.abs(total) < 0.5)
    assert abs(hamiltonian.imag).max() == 0
    block = hamiltonian.real.tocsr()[sector][:, sector]
    values, vectors = eigsh(block, k=1, which="SA", v0=np.ones(len(sector)), tol=1e-14)
    vector = np.zeros(3**LENGTH)
    vector[sector] = vectors[:, 0]
    return float(values[0]), vector


@pytest.mark.parametrize(
    ("anisotropy", "ising", "field"), [(0.0, 1.0, 0.5), (0.7, 0.6, 0.3), (1.5, 1.3, -0.4)]
)
def test_open_chains_agree_with_exact_diagonalisation(tiny_study, anisotropy, ising, field):
    study = tiny_study(finite={**EXACT, "pinning_field": field})
    point = ParameterPoint.of(D=anisotropy, Delta=ising)
    state = solve(study, point, Boundary.FINITE)
    energy, vector = exact_ground_state(anisotropy, ising, field)
    ours = state.train(configurations(3, LENGTH))
    assert state.energy * LENGTH == pytest.approx(energy, abs=1e-8)
    assert abs(np.vdot(vector, ours)) == pytest.approx(1.0, abs=1e-8)
    assert np.linalg.norm(ours) == pytest.approx(1.0, abs=1e-10)
    assert state.variance == pytest.approx(0.0, abs=1e-8)
    assert state.outcome is DmrgOutcome.CONVERGED
    assert state.boundary is Boundary.FINITE
    assert state.point == point
    # -h Sz on the first site: a positive field turns the first spin up.
    first = np.tensordot(magnetic_numbers(3), np.sum(ours.reshape(3, -1) ** 2, axis=1), axes=1)
    assert np.sign(first) == np.sign(field)
    middle = np.linalg.svd(vector.reshape(3**4, -1), compute_uv=False)
    kept = state.schmidt_values[4]
    np.testing.assert_allclose(np.sort(kept)[::-1], middle[: len(kept)], atol=1e-8)


@pytest.mark.slow
def test_charges_of_a_ground_state_are_those_of_its_bonds(tiny_study):
    state = solve(tiny_study(finite=EXACT), ParameterPoint.of(D=0.0, Delta=1.0), Boundary.FINITE)
    assert state.bond_charges[0].tolist() == [0]
    assert state.bond_charges[-1].tolist() == [0]
    for site, core in enumerate(state.train.cores):
        left, right = state.bond_charges[site : site + 2]
        allowed = left[:, None, None] + np.array([2, 0, -2])[:, None] == right
        assert not np.any(core[~allowed])


def aklt_model(_point, chain):
    from tenpy.models.aklt import AKLTChain

    return AKLTChain({"L": chain.length, "bc_MPS": chain.boundary.value, "conserve": "Sz"})


def test_the_aklt_point_is_found_exactly(haldane):
    study = replace(
        haldane,
        build_model=aklt_model,
        grid=Grid.product(J=[1.0]),
        settings=RunSettings.checked({"infinite": {"max_bond": 12, "max_sweeps": 100}}),
    )
    state = solve(study, ParameterPoint.of(J=1.0), Boundary.INFINITE)
    assert state.energy == pytest.approx(-2 / 3, abs=1e-8)
    for axis in ("x", "z"):
        assert string_order(state.train, axis).value == pytest.approx(4 / 9, abs=1e-5)
    np.testing.assert_allclose(entropies(state.train), np.log(2), atol=1e-5)
    assert [invariant.value for invariant in invariants(state.train)] == [-1, -1, -1]


def free_fermions(point, chain):
    from tenpy.models.spins import SpinChain
    from tenpy.models.tf_ising import TFIChain

    options = {"L": chain.length, "bc_MPS": chain.boundary.value}
    if point["h"]:
        return TFIChain({**options, "J": 1.0, "g": point["h"], "conserve": "parity"})
    return SpinChain({**options, "S": 0.5, "Jx": 1.0, "Jy": 1.0, "Jz": 0.0, "conserve": "Sz"})


def of_free_fermions(haldane, field, **settings):
    study = replace(
        haldane,
        spin=0.5,
        build_model=free_fermions,
        product_state=lambda point, n: ["up", "up" if point["h"] else "down"] * (n // 2),
        grid=Grid.product(h=[field]),
        settings=RunSettings.checked({"infinite": settings}),
    )
    return solve(study, ParameterPoint.of(h=field), Boundary.INFINITE)


@pytest.mark.slow
def test_the_critical_chain_of_free_fermions(haldane):
    """Its energy falls towards the exact one as the bond grows, and its entropy diverges."""
    state = of_free_fermions(haldane, 0.0, max_bond=32, first_bond=8)
    assert state.outcome is DmrgOutcome.BOND_LIMIT
    assert state.history["max_bond"].tolist() == [8, 16, 32]
    excess = state.history["energy"] + 1 / np.pi
    assert np.all(np.diff(excess) < 0)
    assert 0 < excess[-1] < 2e-5
    assert np.all(np.diff(state.history["entropy"]) > 0.05)
    assert np.all(np.diff(state.history["correlation_length"]) > 1)
    assert all(core.dtype == np.float64 for core in state.train.cores)


def test_the_ising_chain_in_a_field(haldane):
    """e = -(1/pi) times the integral of sqrt(1 + h^2 + 2 h cos k) over 0 < k < pi."""
    field, k = 2.0, (np.arange(200) + 0.5) * np.pi / 200
    exact = -np.mean(np.sqrt(1 + field**2 + 2 * field * np.cos(k)))
    state = of_free_fermions(haldane, field, max_bond=16, first_bond=8)
    assert state.outcome is DmrgOutcome.CONVERGED
    assert state.charge == "parity_Sz"
    assert state.energy == pytest.approx(exact, abs=1e-9)


def infinite(study, anisotropy, **settings):
    settings = RunSettings.checked({"infinite": settings})
    point = ParameterPoint.of(D=anisotropy, Delta=1.0)
    return solve(replace(study, settings=settings), point, Boundary.INFINITE)


def label_of(study, state):
    return label_point(
        state.point,
        invariants(state.train),
        study.phases,
        correlation_length=1.0,
        longest=2.0,
        converged=True,
    ).label


@pytest.mark.slow
def test_infinite_large_d_point(haldane):
    state = infinite(haldane, 2.0, max_bond=24, truncation_atol=1e-8)
    assert state.outcome is DmrgOutcome.CONVERGED
    assert state.boundary is Boundary.INFINITE
    assert np.isnan(state.variance)
    assert state.energy == pytest.approx(-0.5324910, abs=2e-7)
    np.testing.assert_allclose(entropies(state.train), 0.516, atol=1e-3)
    assert label_of(haldane, state) == "large_d"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("anisotropy", "energy", "string_z", "string_x", "entropy", "label"),
    [
        # iDMRG at max_bond 48, chain of two-site cells, Delta = 1.
        (0.0, -1.4014840, 0.37433, 0.37433, 0.8555, "haldane"),
        (0.5, -1.0992225, 0.17934, 0.39595, 0.9398, "haldane"),
        (2.0, -0.5324910, 0.0, 0.0, 0.516, "large_d"),
    ],
)
def test_infinite_reference_points(haldane, anisotropy, energy, string_z, string_x, entropy, label):
    state = infinite(haldane, anisotropy, max_bond=48)
    assert state.energy == pytest.approx(energy, abs=2e-7)
    assert string_order(state.train, "z").value == pytest.approx(string_z, abs=5e-5)
    assert string_order(state.train, "x").value == pytest.approx(string_x, abs=5e-5)
    np.testing.assert_allclose(entropies(state.train), entropy, atol=1e-3)
    assert label_of(haldane, state) == label


def test_reaching_the_sweep_limit_is_an_outcome(tiny_study):
    study = tiny_study(finite={**EXACT, "max_sweeps": 2})
    state = solve(study, ParameterPoint.of(D=0.9, Delta=1.0), Boundary.FINITE)
    assert state.outcome is DmrgOutcome.SWEEP_LIMIT
    assert state.sweeps == 2


@pytest.mark.slow
@pytest.mark.parametrize("boundary", list(Boundary))
def test_the_same_point_twice_gives_the_same_bits(tiny_study, boundary):
    study = tiny_study(
        finite={"length": 8, "max_bond": 20}, infinite={"max_bond": 6, "max_sweeps": 20}
    )
    point = ParameterPoint.of(D=0.3, Delta=1.0)
    one, two = solve(study, point, boundary), solve(study, point, boundary)
    assert one.energy == two.energy
    for here, there in zip(one.train.cores, two.train.cores, strict=True):
        assert here.dtype == there.dtype
        assert here.tobytes() == there.tobytes()
    for here, there in zip(one.schmidt_values, two.schmidt_values, strict=True):
        assert here.tobytes() == there.tobytes()


def one_line(error):
    return "\n" not in str(error.value)


def test_a_coupling_that_the_study_does_not_know(tiny_study):
    study = tiny_study(finite=EXACT)
    with pytest.raises(StudyError, match=r"haldane cannot build its model at .*'D'") as error:
        solve(study, ParameterPoint.of(Dx=0.0, Delta=1.0), Boundary.FINITE)
    assert one_line(error)


def test_a_model_of_another_spin(tiny_study):
    study = replace(tiny_study(finite=EXACT), spin=0.5)
    with pytest.raises(StudyError, match=r"says spin 0.5, its model has sites of spin") as error:
        solve(study, ParameterPoint.of(D=0.0, Delta=1.0), Boundary.FINITE)
    assert one_line(error)


@pytest.mark.parametrize(
    "product_state",
    [lambda length: ["up"] * (length - 1), lambda length: ["sideways"] * length],
    ids=["too short", "unknown name"],
)
def test_a_starting_state_that_does_not_fit(tiny_study, product_state):
    study = replace(tiny_study(finite=EXACT), product_state=product_state)
    with pytest.raises(StudyError, match="haldane cannot start from its product state") as error:
        solve(study, ParameterPoint.of(D=0.0, Delta=1.0), Boundary.FINITE)
    assert one_line(error)
