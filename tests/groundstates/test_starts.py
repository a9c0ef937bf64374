"""Warm starts, the guard against states that only their path explains, stopping and going on."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tenpy.models.spins import SpinChain

from phasenet.errors import StudyError
from phasenet.groundstates.convert import tenpy_mps, to_mps
from phasenet.groundstates.dmrg import bond_steps
from phasenet.groundstates.mirror import mirrored
from phasenet.groundstates.solve import solve
from phasenet.groundstates.starts import built_model, chain_of, product_start, same_state
from phasenet.phases.exact import aklt_chain
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome
from phasenet.settings import RunSettings
from phasenet.study import Boundary, load_study
from phasenet.trains.inner import inner
from tests.contracts.oracles import free_fermions

ROOT = Path(__file__).resolve().parents[2]

SMALL = {
    "length": 8,
    "first_bond": 12,
    "max_bond": 24,
    "truncation_atol": 1e-20,
    "energy_atol": 1e-12,
}
CHAIN = {"length": 8, "max_bond": 12, "first_bond": 6}
CELL = {"max_bond": 8, "first_bond": 4}


def at(anisotropy, ising=1.0):
    return ParameterPoint.of(D=anisotropy, Delta=ising)


def staggered(state):
    spins = tenpy_mps(state).expectation_value("Sz")
    return float(np.mean(spins * (-1.0) ** np.arange(len(spins))))


class Stop:
    """Says stop when it has been asked as often as this."""

    def __init__(self, calls=10**6):
        self.calls, self.asked = calls, 0

    def __call__(self):
        self.asked += 1
        return self.asked >= self.calls


def same_bits(one, two):
    assert one.energy == two.energy
    for here, there in zip(one.train.cores, two.train.cores, strict=True):
        assert here.tobytes() == there.tobytes()


@pytest.mark.slow
def test_warm_and_cold_starts_end_in_the_same_state(tiny_study):
    study = tiny_study(finite=SMALL)
    before = solve(study, at(0.4), Boundary.FINITE)
    cold = solve(study, at(0.6), Boundary.FINITE)
    warm = solve(study, at(0.6), Boundary.FINITE, neighbour=before)
    assert warm.energy == pytest.approx(cold.energy, abs=1e-10)
    assert abs(inner(warm.train, cold.train)[0]) == pytest.approx(1.0, abs=1e-8)
    assert (cold.start, warm.start) == ("product state", "neighbour D=0.4,Delta=1")
    assert warm.sweeps < cold.sweeps
    assert warm.history["max_bond"].tolist() == [24]
    assert np.isnan(warm.rival) and np.isnan(warm.rival_entropy)
    again = solve(study, at(0.6), Boundary.FINITE, neighbour=before)
    same_bits(warm, again)


@pytest.mark.slow
def test_infinite_states_warm_and_cold(tiny_study):
    study = tiny_study(infinite=CELL)
    before = solve(study, at(1.8), Boundary.INFINITE)
    cold = solve(study, at(2.0), Boundary.INFINITE)
    warm = solve(study, at(2.0), Boundary.INFINITE, neighbour=before, second_start=True)
    assert warm.energy == pytest.approx(cold.energy, abs=1e-8)
    # Labels compare the last two steps, however the search began.
    assert warm.history["max_bond"].tolist() == cold.history["max_bond"].tolist() == [4, 8]
    np.testing.assert_allclose(
        warm.history["correlation_length"], cold.history["correlation_length"], rtol=1e-3
    )
    assert warm.rival == 0.0
    assert warm.rival_entropy == 0.0


@pytest.mark.slow
def test_a_neighbour_of_few_bond_states_holds_no_search_back():
    # The cluster state itself has two; a search that only follows it stays 1e-4 above.
    study = load_study(ROOT / "simulations" / "cluster_field.py")
    settings = study.settings.as_dict()
    settings["infinite"].update(max_bond=32)
    study = replace(study, settings=RunSettings.checked(settings))
    before = solve(study, ParameterPoint.of(h=0.0), Boundary.INFINITE)
    assert max(before.train.bond_dims) == 2
    warm = solve(study, ParameterPoint.of(h=0.3), Boundary.INFINITE, neighbour=before)
    assert warm.energy == pytest.approx(free_fermions(0.3), abs=1e-10)


@pytest.mark.slow
def test_close_to_a_transition_there_is_a_second_start(tiny_study):
    loose = {"max_bond": 16, "first_bond": 8, "energy_atol": 1e-6, "entropy_atol": 1e-4}
    study = tiny_study(infinite=loose)
    before = solve(study, at(0.9), Boundary.INFINITE)
    close = solve(study, at(0.97), Boundary.INFINITE, neighbour=before)
    far = solve(study, at(0.0), Boundary.INFINITE, neighbour=before)
    assert close.rival >= 0.0
    assert np.isnan(far.rival)


@pytest.fixture(scope="module")
def unpinned(haldane):
    settings = {"length": 12, "max_bond": 16, "first_bond": 8, "max_sweeps": 20}
    settings = {**settings, "pinning_field": 0.0}
    return replace(haldane, settings=RunSettings.checked({"finite": settings}))


@pytest.fixture(scope="module")
def below(unpinned):
    """Large-D state, whose neighbours across the transition are Neel states."""
    return solve(unpinned, at(5.0, 5.0), Boundary.FINITE)


NEEL = at(5.0, 7.0)


@pytest.mark.slow
def test_an_abrupt_change_asks_for_a_second_start(unpinned, below):
    """A warm start ends between both Neel states, at nearly the energy of one of them."""
    cold = solve(unpinned, NEEL, Boundary.FINITE)
    warm = solve(unpinned, NEEL, Boundary.FINITE, neighbour=below)
    assert abs(staggered(below)) < 0.1
    assert staggered(cold) > 0.9
    # Nobody has asked for it, and of equal energies that of the product state has won.
    assert warm.start == "product state"
    same_bits(warm, cold)
    assert 0.0 <= warm.rival < 1e-6
    assert warm.rival_entropy > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("boundary", list(Boundary))
@pytest.mark.parametrize("calls", [1, 2])
def test_a_search_that_was_stopped_goes_on(tiny_study, boundary, calls):
    study = tiny_study(finite=CHAIN, infinite=CELL)
    whole = solve(study, at(1.6), boundary)
    stopped = solve(study, at(1.6), boundary, should_stop=Stop(calls))
    assert stopped.outcome is DmrgOutcome.INTERRUPTED
    assert stopped.sweeps < whole.sweeps
    done = solve(study, at(1.6), boundary, resume=stopped)
    assert done.outcome is whole.outcome
    assert done.energy == pytest.approx(whole.energy, abs=1e-8)
    assert done.history["max_bond"].tolist() == whole.history["max_bond"].tolist()
    assert np.all(np.diff(done.history["sweeps"]) > 0)
    assert done.start == "product state"


@pytest.mark.slow
def test_a_search_may_be_stopped_in_its_second_start(unpinned, below):
    one = functools.partial(solve, unpinned, NEEL, Boundary.FINITE, neighbour=below)
    asked = Stop()
    whole = one(should_stop=asked)
    stopped = one(should_stop=Stop(asked.asked - 1))
    assert stopped.outcome is DmrgOutcome.INTERRUPTED
    assert stopped.start == "neighbour D=5,Delta=5"
    done = one(resume=stopped)
    assert done.outcome is whole.outcome
    same_bits(done, whole)
    assert done.rival == pytest.approx(whole.rival, abs=1e-9)


@pytest.mark.slow
def test_growth_ends_where_the_truncation_is_small(tiny_study):
    study = tiny_study(finite={**CHAIN, "first_bond": 6, "truncation_atol": 1e-2})
    state = solve(study, at(2.0), Boundary.FINITE)
    assert state.outcome is DmrgOutcome.CONVERGED
    assert state.truncation <= 1e-2
    assert state.history["max_bond"][-1] < 12
    study = tiny_study(finite={**CHAIN, "first_bond": 6, "max_bond": 6, "truncation_atol": 1e-20})
    state = solve(study, at(2.0), Boundary.FINITE)
    assert state.outcome is DmrgOutcome.BOND_LIMIT
    assert state.history["truncation"][-1] == state.truncation > 1e-20


def test_steps_of_the_bond_dimension():
    assert bond_steps(16, 48) == (24, 48)
    assert bond_steps(1, 1, least=2) == (1,)
    assert bond_steps(8, 1) == (1,)


def heisenberg(length):
    return SpinChain({"S": 1, "L": length, "bc_MPS": "finite", "conserve": "Sz"})


def test_a_superposition_with_the_mirror_image_lies_where_the_formula_says():
    model = heisenberg(8)
    psi = to_mps(aklt_chain(8, 0, 0), model.lat.mps_sites())
    lower = mirrored(psi, model, 1e-9)
    assert lower is not None
    lower.test_sanity()
    assert lower.norm_test().max() < 1e-10
    vector, image = (s.get_theta(0, 8).to_ndarray().ravel() for s in (psi, lower))
    flipped = psi.get_theta(0, 8).to_ndarray().reshape((3,) * 8)[(slice(None, None, -1),) * 8]
    candidates = [vector + sign * flipped.ravel() for sign in (1, -1)]
    assert max(abs(np.vdot(c / np.linalg.norm(c), image)) for c in candidates) == pytest.approx(1.0)
    energies = [model.H_MPO.expectation_value(s) for s in (psi, lower)]
    assert energies[1] < energies[0] - 1e-6
    np.testing.assert_allclose(lower.expectation_value("Sz"), 0.0, atol=1e-10)
    # It is its own mirror image.
    assert mirrored(lower, model, 1e-9) is None


def test_without_the_symmetry_there_is_no_mirror_image(tiny_study):
    study = tiny_study(finite=CHAIN)
    model = built_model(study, at(0.0), chain_of(study.settings.finite))
    assert mirrored(to_mps(aklt_chain(8, 0, 0), model.lat.mps_sites()), model, 1e-9) is None


@pytest.mark.slow
def test_a_broken_state_is_left_alone(tiny_study):
    study = tiny_study(finite={**CHAIN, "pinning_field": 0.0})
    state = solve(study, at(0.0, 3.0), Boundary.FINITE)
    assert state.start == "product state"
    assert abs(staggered(state)) > 0.5


@pytest.mark.slow
def test_a_neighbour_of_another_chain(tiny_study):
    other = solve(tiny_study(finite={**CHAIN, "length": 10}), at(1.6), Boundary.FINITE)
    with pytest.raises(
        StudyError, match=r"D=1\.6,Delta=1 is no start on this chain: .*10"
    ) as error:
        solve(tiny_study(finite=CHAIN), at(1.7), Boundary.FINITE, neighbour=other)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_neighbour_of_another_magnetisation_is_no_start(tiny_study):
    study = tiny_study(finite=CHAIN)
    other = replace(study, product_state=lambda _, length: ["0.0"] * (length - 1) + ["up"])
    before = solve(other, at(1.6), Boundary.FINITE)
    assert before.bond_charges[-1].tolist() == [2]
    assert solve(study, at(1.6), Boundary.FINITE, neighbour=before).start == "product state"


def test_an_option_that_the_model_does_not_use(tiny_study):
    def model(_point, chain):
        return SpinChain({"S": 1, "L": chain.length, "Jzz": 2.0, "conserve": "Sz"})

    study = replace(tiny_study(finite=CHAIN), build_model=model)
    with pytest.raises(StudyError, match=r"haldane gives its model an unused option .*Jzz"):
        solve(study, at(0.0), Boundary.FINITE)


def test_an_energy_that_is_no_number(tiny_study):
    with pytest.raises(StudyError, match=r"DMRG of haldane at D=0,Delta=1e\+308"):
        solve(tiny_study(finite=CHAIN), at(0.0, 1e308), Boundary.FINITE)


@pytest.mark.slow
def test_states_that_are_the_same(tiny_study):
    study = tiny_study(finite=CHAIN)
    model = built_model(study, at(0.0), chain_of(study.settings.finite))
    start = product_start(study, at(0.0), model, chain_of(study.settings.finite))
    other = tenpy_mps(solve(study, at(0.0), Boundary.FINITE), model.lat.mps_sites())
    assert same_state(other, other)
    assert not same_state(start, other)
