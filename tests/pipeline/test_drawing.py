"""Shots, probabilities and amplitudes of states in any form."""

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.exact import aklt_cell, aklt_chain
from phasenet.pipeline.analysis import as_state
from phasenet.pipeline.drawing import amplitudes, draw_snapshots, log_probabilities
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.places import Memory
from phasenet.trains.train import TensorTrain
from tests.snapshots.measured_states import CHAINS, all_outcomes, amplitudes_of, dim_of

CORES = CHAINS["spin 1/2, complex"]


@pytest.mark.parametrize("name", ["Sz", "Sy,Sx", "random", "unbiased"])
def test_shots_and_their_probabilities_fit(name):
    shots = draw_snapshots(CORES, 200, basis=name, seed=3)
    assert shots.spins.shape == (200, 8)
    assert shots.basis.name == name
    assert (shots.basis_index is None) == (not shots.basis.drawn)
    again = log_probabilities(CORES, shots.spins, basis=name, basis_index=shots.basis_index)
    np.testing.assert_allclose(again, shots.log_probability, atol=1e-10)


def test_any_form_of_a_state_gives_the_same_shots():
    wanted = draw_snapshots(CORES, 50, seed=1).spins
    for form in (TensorTrain(cores=tuple(CORES)), as_state(CORES), tuple(CORES)):
        np.testing.assert_array_equal(draw_snapshots(form, 50, seed=1).spins, wanted)
    with_basis = draw_snapshots(CORES, 50, seed=1, basis=basis_of("Sz", 2))
    np.testing.assert_array_equal(with_basis.spins, wanted)
    assert not np.array_equal(draw_snapshots(CORES, 50, seed=2).spins, wanted)


def test_a_longer_series_starts_with_a_shorter_one():
    long, short = (draw_snapshots(CORES, n, basis="random") for n in (70, 30))
    np.testing.assert_array_equal(long.spins[:30], short.spins)
    np.testing.assert_array_equal(long.basis_index[:30], short.basis_index)


def test_windows():
    shots = draw_snapshots(aklt_cell(), 20, sites=6, start=3)
    assert shots.spins.shape == (20, 6)
    assert np.all(np.isnan(shots.log_probability))
    logs = log_probabilities(aklt_cell(), shots.spins, start=3)
    assert np.all(np.isfinite(logs))
    total = np.exp(log_probabilities(aklt_chain(40), all_outcomes(3, 3), start=18)).sum()
    assert total == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", ["Sz", "Sx", "Sy"])
@pytest.mark.parametrize("chain", CHAINS)
def test_amplitudes_against_the_dense_vector(chain, name):
    cores = CHAINS[chain]
    outcomes = all_outcomes(dim_of(cores), len(cores))
    phase, log_magnitude = amplitudes(cores, outcomes, basis=name)
    exact = amplitudes_of(cores, name).ravel()
    np.testing.assert_allclose(phase * np.exp(log_magnitude), exact, atol=1e-13)


def test_place_of_the_work():
    single = draw_snapshots(CORES, 50, place=Memory(precision="float32"))
    np.testing.assert_allclose(
        single.log_probability,
        log_probabilities(CORES, single.spins),
        atol=1e-4,
    )


def test_requests_that_do_not_fit():
    with pytest.raises(SettingsError, match="basis is 'Sq'"):
        draw_snapshots(CORES, 3, basis="Sq")
    with pytest.raises(SettingsError, match="window of an infinite state has None sites"):
        draw_snapshots(aklt_cell(), 3)
    with pytest.raises(ShapeError, match=r"spins have shape \(8,\); wanted \(shots, sites\)"):
        log_probabilities(CORES, np.zeros(8, dtype=int))
    with pytest.raises(ShapeError, match=r"shape \(1, 7\); wanted integers of shape \(shots, 8\)"):
        amplitudes(CORES, np.zeros((1, 7), dtype=int))
    with pytest.raises(SettingsError, match="basis random wants the basis of each site"):
        amplitudes(CORES, np.zeros((1, 8), dtype=int), basis="random")
