"""No observable depends on the gauge, the norm, or dead bonds; nor on the local basis."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import phasenet
from phasenet.criteria import StringOrder, Symmetry
from phasenet.phases.exact import aklt_cell, aklt_chain, cluster_cell, cluster_chain, large_d_cell
from phasenet.phases.spins import pi_rotation, spin_matrix
from phasenet.storage.states import read_state
from phasenet.trains.cells import canonical_cell
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain
from tests.contracts.observables import ASYMMETRIC, FINITE, INFINITE
from tests.trains.charged import chains, gauged, padded, random_cell

ATOL = 1e-8
UP, DOWN = (np.eye(2)[k].reshape(1, 2, 1) for k in (0, 1))
WAYS = ("real gauge", "complex gauge", "dead bonds", "phases and norms", "everything")


def changed(rng, cores, way, *, infinite):
    """The same state, as others might hand it over."""
    if way == "phases and norms":
        factors = rng.uniform(0.1, 9, len(cores)) * np.exp(2j * np.pi * rng.random(len(cores)))
        return [factor * core for factor, core in zip(factors, cores, strict=True)]
    if way in ("dead bonds", "everything"):
        cores = padded(rng, cores, infinite=infinite)
    if way != "dead bonds":
        cores = gauged(rng, cores, infinite=infinite, is_complex=way != "real gauge")
    return cores


def cell_of(name):
    file = f"datasets/sample/states/{name}.infinite.state.h5"
    return read_state(file)[1].train.cores


CELLS = {
    "AKLT": lambda: aklt_cell().cores,
    "cluster": lambda: cluster_cell().cores,
    "large D": lambda: large_d_cell().cores,
    "Neel": lambda: (UP, DOWN),
    "Haldane": lambda: cell_of("D=0.4,Delta=1"),
    "random": lambda: random_cell(np.random.default_rng(3), 2, 2, 1)[0],
    "random, charged": lambda: random_cell(np.random.default_rng(4), 3, 2, 0, bond=6)[0],
}


def differences(first, second, observables):
    """Observables that differ."""
    for name, observable in observables.items():
        one, two = observable(first), observable(second)
        if not np.allclose(one, two, rtol=0.0, atol=ATOL, equal_nan=True):
            yield name, one, two


@settings(max_examples=15)
@given(chains(max_length=6), st.sampled_from(WAYS))
def test_finite_states(drawn, way):
    cores, _, _, rng = drawn
    if len(cores) < 6:
        cores = (*cores, *(np.eye(cores[0].shape[1])[:1].reshape(1, -1, 1),) * (6 - len(cores)))
    other = TensorTrain(cores=tuple(changed(rng, cores, way, infinite=False)))
    form = state_form(TensorTrain(cores=tuple(cores)))
    assert not list(differences(form, state_form(other), ASYMMETRIC))
    assert abs(phasenet.fidelity(form, other)) < ATOL


@settings(max_examples=10)
@given(
    st.sampled_from((aklt_chain(6), cluster_chain(6))), st.sampled_from(WAYS), st.integers(0, 99)
)
def test_finite_states_with_symmetries(train, way, seed):
    other = changed(np.random.default_rng(seed), train.cores, way, infinite=False)
    other = TensorTrain(cores=tuple(other))
    assert not list(differences(state_form(train), state_form(other), FINITE))


@settings(max_examples=15)
@given(st.sampled_from(sorted(CELLS)), st.sampled_from(WAYS), st.integers(0, 99))
def test_infinite_states(name, way, seed):
    cores = CELLS[name]()
    form = state_form(canonical_cell(cores))
    other = canonical_cell(changed(np.random.default_rng(seed), cores, way, infinite=True))
    assert not list(differences(form, state_form(other), INFINITE))
    assert abs(phasenet.fidelity(form, other)) < ATOL


def rotated(cores, unitaries):
    return [np.einsum("st,atb->asb", u, core) for u, core in zip(unitaries, cores, strict=True)]


def matrices(operators):
    return tuple(tuple(map(tuple, np.asarray(operator, dtype=complex))) for operator in operators)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("train", [aklt_chain(6), cluster_chain(6)])
def test_a_local_basis_of_each_site(train, seed):
    rng, dim = np.random.default_rng(seed), train.site_dims[0]
    unitaries = scipy.stats.unitary_group.rvs(dim, size=6, random_state=rng)

    def turned(operator):
        return matrices(u @ operator @ u.conj().T for u in unitaries)

    state = state_form(train)
    other = state_form(TensorTrain(cores=tuple(rotated(train.cores, unitaries))))
    spins = turned(spin_matrix("z", dim))
    flips = {axis: turned(pi_rotation(axis, dim)) for axis in "xz"}
    one = phasenet.correlations(state, "Sz", "Sz", 1, 3)[-1]
    assert phasenet.correlations(other, spins[1], spins[4], 1, 3)[-1] == pytest.approx(
        one, abs=ATOL
    )
    string = StringOrder(name="z", left=("Sz",), inside=("Rz",), right=("Sz",))
    moved = StringOrder(
        name="z", left=(spins[1],), inside=flips["z"][2:4], right=(spins[4],), factor=1.0
    )
    wanted = phasenet.string_order(state, string, (1, 4)).value
    assert phasenet.string_order(other, moved, (1, 4)).value == pytest.approx(wanted, abs=ATOL)
    plain = Symmetry(name="s", kind="commutation", operators=(("Rx",), ("Rz",)))
    turn = Symmetry(name="s", kind="commutation", operators=(flips["x"], flips["z"]))
    (one,) = phasenet.spt_invariants(state, (plain,))
    (two,) = phasenet.spt_invariants(other, (turn,))
    assert (two.value, two.eta) == (one.value, pytest.approx(one.eta, abs=ATOL))


@pytest.mark.parametrize("name", ["AKLT", "cluster", "Haldane"])
def test_a_local_basis_of_each_site_of_a_cell(name):
    cores = CELLS[name]()
    cores = cores * 2 if len(cores) == 1 else cores
    dim = cores[0].shape[1]
    unitaries = scipy.stats.unitary_group.rvs(dim, size=2, random_state=np.random.default_rng(8))
    state = canonical_cell(cores)
    other = canonical_cell(rotated(cores, unitaries))
    turns = [matrices(u @ pi_rotation(axis, dim) @ u.conj().T for u in unitaries) for axis in "xz"]
    # Time reversal is not linear: its unitary takes one basis change on each side.
    reversal = matrices(u @ pi_rotation("y", dim) @ u.T for u in unitaries)
    plain = phasenet.spt_invariants(
        state,
        (
            Symmetry(name="s", kind="commutation", operators=(("Rx",), ("Rz",))),
            Symmetry(name="t", kind="time reversal", operators=(("Ry",),)),
        ),
    )
    turned = phasenet.spt_invariants(
        other,
        (
            Symmetry(name="s", kind="commutation", operators=tuple(turns)),
            Symmetry(name="t", kind="time reversal", operators=(reversal,)),
        ),
    )
    for one, two in zip(plain, turned, strict=True):
        assert (two.value, two.eta) == (one.value, pytest.approx(one.eta, abs=ATOL))
    assert np.allclose(phasenet.entropies(state), phasenet.entropies(other), atol=ATOL)


@pytest.mark.parametrize("way", WAYS[::2])
def test_a_ground_state_with_charges(way):
    """What a search leaves, and what is left of it when its charges are lost."""
    _, ground = read_state("datasets/sample/states/D=0.4,Delta=1.finite.state.h5")
    rng = np.random.default_rng(1)
    other = TensorTrain(cores=tuple(changed(rng, ground.train.cores, way, infinite=False)))
    state, moved = phasenet.as_state(ground), phasenet.as_state(other)
    assert state.modulus == 0
    assert moved.modulus == (0 if way == "dead bonds" else 1)
    assert not list(differences(state, moved, FINITE))
    one, two = (phasenet.central_charge_of_chain(each) for each in (state, moved))
    assert two.value == pytest.approx(one.value, abs=ATOL, nan_ok=True)
    for one, two in zip(
        phasenet.many_body_invariants(state), phasenet.many_body_invariants(moved), strict=True
    ):
        assert (two.sign, two.reason) == (one.sign, one.reason)
        assert two.value == pytest.approx(one.value, abs=ATOL)
    reports = [str(phasenet.string_report(each, ("x", "z"))) for each in (state, moved)]
    assert reports[0] == reports[1]
