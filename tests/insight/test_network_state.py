"""A small neural wavefunction as a state, against its dense amplitudes, and its figure."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.insight.network_state import agrees, likeness_of, state_section
from phasenet.insight.state_facts import StateQuestions, facts_of
from phasenet.networks.wavefunctions.fitting import fit_wavefunction
from phasenet.networks.wavefunctions.functions import amplitude_function
from phasenet.phases.exact import aklt_cell, aklt_chain, large_d_chain
from phasenet.plots.findings.state import state_figures
from phasenet.points import ParameterPoint
from phasenet.settings import FitSettings
from phasenet.trains.born import sample_born
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain

SPINS = StateQuestions.of(None, 3)


def silent(done, text):
    """A progress that nobody follows."""


def fitted(chain, **settings):
    return fit_wavefunction(
        state_form(chain),
        FitSettings(**{"width": 4, "max_epochs": 1, "shots": 128, "overlap_shots": 100} | settings),
        point=ParameterPoint.of(D=0.5),
        state="D=0.5.finite.state.h5",
        progress=silent,
    )


@pytest.fixture(scope="module")
def section():
    found = fitted(aklt_chain(8), width=8)
    return state_section(
        found, "rough", state_form(aklt_chain(8)), None, counts=(2, 4), runs=2, progress=silent
    )


def test_a_network_that_has_learnt_little(section):
    assert section.name == "state"
    assert "D=0.5.finite.state.h5" in section.title
    assert section.verdict.startswith("The network does not show the phase: the state has Z2xZ2 -1")
    assert section.arrays["published_fidelity"].shape == (1, 2, 2)
    assert section.arrays["adaptive_fidelity"].shape == (1, 1)
    assert section.arrays["truth_invariants"].tolist() == [[-1, -1, -1]]
    np.testing.assert_allclose(section.arrays["truth_strings"], [[4 / 9] * 3], atol=0.05)
    assert section.labels["strings"] == ("x", "y", "z")
    assert section.labels["symmetries"] == ("Z2xZ2", "time reversal", "bond inversion")
    assert len(section.tables[0].rows) == 6


def test_the_figure_of_a_network(section):
    ((caption, figure),) = state_figures(section)
    assert caption.startswith("rough as a train")
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "infidelity with the state, $1-F$",
        "block swap (SPT order)",
        r"lack of symmetry, $1-|\eta|$",
    ]
    assert {ax.get_xlabel() for ax in figure.axes} == {"pivots $N$"}
    named = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"adaptive pivots", "TT-RSS as published", "state itself", "not determined"} <= named
    figure.canvas.draw()


def test_likeness_is_the_fidelity_of_dense_vectors():
    found = fitted(aklt_chain(6))
    function, chain = amplitude_function(found), aklt_chain(6)
    states = np.array(list(product(range(3), repeat=6)))
    psi, train = function(states), chain(states)
    wanted = np.vdot(psi, train) ** 2 / np.vdot(train, train)
    weights = psi**2 / (psi**2).sum()
    shots = states[np.random.default_rng(0).choice(len(states), 20_000, p=weights)]
    turned = TensorTrain(cores=(-chain.cores[0], *chain.cores[1:]), log_scale=4.0)
    for one in (chain, turned):
        fidelity, error = likeness_of(one, function, shots, 1)
        assert 0.0 < error < 0.02
        assert abs(fidelity - wanted) < 5 * error


def test_likeness_of_orthogonal_states_is_zero():
    shots, _ = sample_born(large_d_chain(4), 50, np.random.default_rng(0))
    other = TensorTrain(cores=(np.eye(3)[:1].reshape(1, 3, 1),) * 4)
    assert likeness_of(other, large_d_chain(4), shots, 0)[0] == pytest.approx(0.0, abs=1e-12)


def test_only_invariants_that_the_state_has_are_asked_for():
    aklt, trivial = (
        facts_of(chain(16), aklt_chain(16), SPINS) for chain in (aklt_chain, large_d_chain)
    )
    open_ones = replace(aklt, invariants=tuple(replace(one, value=0) for one in aklt.invariants))
    assert agrees(aklt, aklt)
    assert not agrees(trivial, aklt)
    assert agrees(trivial, open_ones)
    assert not agrees(replace(aklt, invariants=()), aklt)


def test_states_that_the_network_is_not_of():
    found = fitted(aklt_chain(6))
    with pytest.raises(SettingsError, match="the state is infinite and has no amplitudes; give"):
        state_section(found, "a", state_form(aklt_cell()), None, progress=silent)
    with pytest.raises(SettingsError, match=r"is for 6 sites of 3 local states, the state has 8"):
        state_section(found, "a", state_form(aklt_chain(8)), None, progress=silent)


def test_signs_need_a_symmetric_bond_and_no_short_correlations():
    aklt = facts_of(aklt_chain(16), aklt_chain(16), SPINS)
    one = replace(aklt.invariants[0], value=0, eta=0.9995, raw=-0.98)
    cases = [one, replace(one, raw=0.98), replace(one, eta=0.998), replace(one, raw=-0.9)]
    found = replace(aklt, invariants=tuple(cases))
    assert found.values.tolist() == [-1, 1, 0, 0]
    assert found.determined.tolist() == [0, 0, 0, 0]


@pytest.mark.slow
def test_a_network_that_has_learnt_the_phase():
    chain = aklt_chain(24)
    found = fitted(chain, width=16, max_epochs=30, shots=2048, overlap_shots=4000, patience=30)
    section = state_section(
        found, "fine", state_form(chain), None, counts=(2, 8), runs=2, progress=silent
    )
    assert section.verdict.startswith("The network is a state of the phase it was fitted to: Z2xZ2")
    assert section.arrays["adaptive_invariants"].tolist() == [[[-1, -1, -1]]]
    assert section.arrays["adaptive_eta"][0, 0] > 0.999
    assert section.arrays["adaptive_fidelity"][0, 0] > 0.998
    # Two ways to the same number: exact trains, and shots of the network.
    lack = 1.0 - section.arrays["train_fidelity"][0]
    difference = section.arrays["adaptive_fidelity"][0, 0] - section.arrays["network_fidelity"][0]
    assert abs(difference) < 3 * np.sqrt(lack * (1 - found.overlap.fidelity)) + lack + 1e-4
    np.testing.assert_allclose(section.arrays["adaptive_strings"][0, 0], 4 / 9, atol=5e-3)
