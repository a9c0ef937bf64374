"""Fits to states with signs and phases, and what a stored wavefunction gives."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from phasenet.errors import FileKindError, SettingsError
from phasenet.networks.wavefunctions.fitting import (
    INTERRUPTED,
    Batch,
    distance,
    fit_wavefunction,
    lesson_loss,
)
from phasenet.networks.wavefunctions.functions import amplitude_function, draw_of, network_of
from phasenet.networks.wavefunctions.recurrent import RecurrentWavefunction
from phasenet.networks.wavefunctions.sector import Sector
from phasenet.networks.wavefunctions.teacher import Teacher
from phasenet.phases.exact import aklt_cell, aklt_chain
from phasenet.phases.fidelity import fidelity
from phasenet.points import ParameterPoint
from phasenet.seeds import stream
from phasenet.settings import FitSettings
from phasenet.tensorizer import tensorize
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain

QUICK = FitSettings(width=12, shots=1024, batch=64, max_epochs=8, overlap_shots=2000)
NOWHERE = ParameterPoint.of({})


def fitted(train, settings=QUICK, progress=lambda epoch, text: None):
    return fit_wavefunction(
        state_form(train), settings, point=NOWHERE, state="a state", progress=progress
    )


def enumerated(dim, length):
    return np.indices((dim,) * length).reshape(length, -1).T


def normalised(train, states):
    values = train(states)
    return values / np.linalg.norm(values)


def turned_aklt(length):
    """AKLT chain with a phase of its own for each local state of each site."""
    angles = np.random.default_rng(5).uniform(0, 6, (length, 3))
    cores = aklt_chain(length).cores
    return TensorTrain(
        cores=tuple(
            core * np.exp(1j * angle)[:, None] for core, angle in zip(cores, angles, strict=True)
        )
    )


@pytest.fixture(scope="module")
def record():
    return fitted(aklt_chain(6))


def test_a_quick_fit_is_good_and_knows_how_good(record):
    states = enumerated(3, 6)
    values = amplitude_function(record)(states)
    assert values.dtype == np.float64
    assert np.sum(values**2) == pytest.approx(1.0, abs=1e-12)
    exact = abs(np.vdot(normalised(aklt_chain(6), states), values)) ** 2
    overlap = record.overlap
    assert exact > 0.97
    assert abs(overlap.fidelity - exact) < 5 * overlap.error
    assert overlap.sign_agreement == 1.0
    assert set(map(len, record.history.values())) == {8}
    assert record.outcome.startswith("max_epochs reached; best loss")


def test_the_same_seed_gives_the_same_weights(record):
    again = fitted(aklt_chain(6))
    for name, array in record.weights.items():
        np.testing.assert_array_equal(again.weights[name], array)
    assert again.overlap == record.overlap


def test_shots_of_the_network_are_its_own(record):
    drawn = draw_of(record, 4000, seed=1)
    assert np.array_equal(draw_of(record, 4000, seed=1), drawn)
    p = amplitude_function(record)(enumerated(3, 6)) ** 2
    counts = np.bincount(np.ravel_multi_index(drawn.T, (3,) * 6), minlength=len(p))
    deviation = np.abs(counts / 4000 - p) / np.sqrt(p / 4000 + 1e-6)
    assert deviation.max() < 5


def test_an_interruption_keeps_the_best_so_far():
    def interrupt(epoch, text):
        if epoch == 3:
            raise KeyboardInterrupt

    found = fitted(aklt_chain(6), progress=interrupt)
    assert found.outcome == INTERRUPTED
    assert len(found.history["train_loss"]) == 3
    assert 0.0 < found.overlap.fidelity < 1.0


def test_patience_ends_a_fit():
    settings = QUICK.model_copy(update={"learning_rate": 1e-30, "patience": 2, "max_epochs": 9})
    found = fitted(aklt_chain(6), settings)
    assert found.outcome.startswith("no better for patience epochs")
    assert len(found.history["validation_loss"]) < 9


@pytest.mark.parametrize("train", [aklt_chain(5), turned_aklt(5)], ids=["real", "complex"])
def test_the_distance_is_that_of_the_states(train):
    """Over all configurations instead of shots, in the weight of their probability."""
    form = state_form(train)
    teacher = Teacher(form)
    torch.manual_seed(0)
    network = RecurrentWavefunction(
        length=5, sector=Sector.of(form), width=4, depth=1, is_complex=teacher.is_complex
    )
    # Signs that are certain, so that their expectation values are the signs themselves.
    with torch.no_grad():
        network.heads[2].weight[3:] *= 1e6
        network.heads[2].bias[3:] *= 1e6
    states = enumerated(3, 5)
    lesson = teacher.follow(states)
    p = np.exp(lesson.log_probability)
    exact = lesson.phase * np.sqrt(p)
    own = network.double().requires_grad_(False)
    phase, log = own.log_amplitudes(torch.from_numpy(states))
    values = (phase * log.exp()).numpy()
    # The loss leaves out what the network gives to configurations of probability zero.
    wanted = np.sum(np.abs(values - exact)[p > 0] ** 2) / 2
    found = 0.0
    for row in np.flatnonzero(p):
        batch = Batch.of(lesson, slice(row, row + 1), torch.device("cpu"))
        found += p[row] * float(distance(network, batch))
    assert found == pytest.approx(wanted, rel=1e-5)


def test_the_loss_of_the_exact_conditionals_is_the_relative_entropy():
    form = state_form(aklt_chain(5))
    torch.manual_seed(0)
    network = RecurrentWavefunction(
        length=5, sector=Sector.of(form), width=4, depth=1, is_complex=False
    )
    with torch.no_grad():
        network.heads[2].weight[3:] *= 0.0
        network.heads[2].bias[3:] *= 0.0
    states = enumerated(3, 5)
    teacher = Teacher(form)
    lesson = teacher.follow(states)
    p = np.exp(lesson.log_probability)
    network = network.double().requires_grad_(False)
    _, log = network.log_amplitudes(torch.from_numpy(states))
    there = p > 0
    logs = log.numpy()
    wanted = np.sum(p[there] * (lesson.log_probability[there] - 2 * logs[there]))
    drawn = teacher.draw(stream(0, "test").random((4000, 5)))
    batch = Batch.of(drawn, slice(None), torch.device("cpu"))
    # Signs of which nothing is known cost log 2 for each site.
    found = float(lesson_loss(network, batch)) - 5 * np.log(2)
    assert found == pytest.approx(wanted, rel=0.05)


@pytest.mark.slow
def test_aklt_to_three_nines():
    settings = FitSettings(width=16, shots=2048, max_epochs=25, batch=64)
    found = fitted(aklt_chain(10), settings)
    assert found.overlap.fidelity > 0.999
    assert found.overlap.sign_agreement == 1.0


@pytest.mark.slow
def test_phases_are_learnt_too():
    train = turned_aklt(8)
    settings = FitSettings(width=16, shots=2048, max_epochs=25, batch=64)
    found = fitted(train, settings)
    assert found.overlap.fidelity > 0.995
    states = enumerated(3, 8)
    values = amplitude_function(found)(states)
    assert values.dtype == np.complex128
    exact = abs(np.vdot(normalised(train, states), values)) ** 2
    assert abs(found.overlap.fidelity - exact) < 5 * found.overlap.error


@pytest.mark.slow
def test_a_signed_state_without_a_charge():
    """A random state of few sites, whose signs follow no rule."""
    rng = np.random.default_rng(7)
    bonds = (1, 2, 4, 4, 2, 1)
    train = TensorTrain(cores=tuple(rng.standard_normal((a, 2, b)) for a, b in pairwise(bonds)))
    settings = FitSettings(width=24, shots=2048, max_epochs=25, batch=64, refine_epochs=5)
    found = fitted(train, settings)
    assert found.overlap.fidelity > 0.999
    assert len(found.history["train_loss"]) == 30


@pytest.mark.slow
def test_the_train_of_a_network_is_its_state():
    settings = FitSettings(width=16, shots=2048, max_epochs=15, batch=64)
    found = fitted(aklt_chain(8), settings)
    train = tensorize(
        amplitude_function(found), samples=draw_of(found, 2000), site_dims=(3,) * 8, tol=1e-8
    ).train
    states = enumerated(3, 8)
    np.testing.assert_allclose(train(states), amplitude_function(found)(states), atol=1e-8)
    overlap = np.exp(8 * fidelity(state_form(train), state_form(aklt_chain(8))))
    assert abs(overlap**2 - found.overlap.fidelity) < 5 * found.overlap.error


def test_what_cannot_be_fitted_or_rebuilt_is_told(record):
    with pytest.raises(SettingsError, match="an infinite state has no amplitudes"):
        fitted(aklt_cell())
    odd = {**record.weights, "place.weight": np.zeros((7, 12), np.float32)}
    with pytest.raises(FileKindError, match=r"place\.weight do not fit the architecture"):
        network_of(type(record)(**{**vars(record), "weights": odd}))
