"""What a state knows along its shots, against the enumeration of all its amplitudes."""

from itertools import pairwise

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.networks.wavefunctions.sector import Sector
from phasenet.networks.wavefunctions.teacher import Teacher
from phasenet.phases.exact import aklt_cell, aklt_chain
from phasenet.seeds import stream
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain

LENGTH = 5


def random_train(dim, is_complex, bond=4):
    rng = np.random.default_rng(3)
    bonds = [1, *[bond] * (LENGTH - 1), 1]
    shapes = [(a, dim, b) for a, b in pairwise(bonds)]
    cores = [rng.standard_normal(shape) for shape in shapes]
    if is_complex:
        cores = [core + 1j * rng.standard_normal(core.shape) for core in cores]
    return TensorTrain(cores=tuple(cores))


STATES = {
    "charge": aklt_chain(LENGTH, 0, 1),
    "no charge": random_train(3, False),
    "complex": random_train(2, True),
}


def enumerated(dim):
    return np.indices((dim,) * LENGTH).reshape(LENGTH, -1).T


@pytest.fixture(params=STATES)
def form(request):
    return state_form(STATES[request.param])


def test_amplitudes_and_conditionals_of_all_configurations(form):
    teacher = Teacher(form)
    states = enumerated(teacher.site_dim)
    lesson = teacher.follow(states)
    phase, log = MeasuredState(form, basis_of("Sz", teacher.site_dim)).log_amplitudes(states)
    np.testing.assert_allclose(
        lesson.phase * np.exp(lesson.log_probability / 2), phase * np.exp(log), atol=1e-14
    )
    p = np.exp(2 * log).reshape((teacher.site_dim,) * LENGTH)
    for site in range(LENGTH):
        joint = p.sum(axis=tuple(range(site + 1, LENGTH)))
        total = joint.sum(axis=-1, keepdims=True)
        there = np.broadcast_to(total, joint.shape)[tuple(states[:, : site + 1].T)] > 1e-14
        wanted = (joint / np.where(total > 0, total, 1.0))[tuple(states[:, : site + 1].T)]
        got = lesson.conditionals[np.arange(len(states)), site, states[:, site]]
        np.testing.assert_allclose(got[there], wanted[there], atol=1e-12)


def test_turns_multiply_to_the_phase(form):
    teacher = Teacher(form)
    lesson = teacher.draw(stream(0, "test").random((200, LENGTH)))
    turns = np.take_along_axis(lesson.turns, lesson.spins[..., None].astype(int), axis=2)
    np.testing.assert_allclose(turns[..., 0].prod(axis=1), lesson.phase, atol=1e-13)
    np.testing.assert_allclose(np.abs(lesson.turns), 1.0, atol=1e-13)
    assert teacher.is_complex == np.iscomplexobj(lesson.turns)


def test_shots_come_with_their_probabilities(form):
    teacher = Teacher(form)
    shots = 20_000
    lesson = teacher.draw(stream(1, "test").random((shots, LENGTH)))
    states = enumerated(teacher.site_dim)
    p = np.exp(teacher.follow(states).log_probability)
    places = np.ravel_multi_index(lesson.spins.T.astype(int), (teacher.site_dim,) * LENGTH)
    counts = np.bincount(places, minlength=len(states))
    assert not counts[p < 1e-20].any()
    there = p > 1e-20
    chi_squared = np.sum((counts - shots * p)[there] ** 2 / (shots * p[there]))
    freedom = there.sum() - 1
    assert abs(chi_squared - freedom) < 5 * np.sqrt(2 * freedom)


def test_a_sign_of_aklt_follows_from_few_sites():
    """No turn depends on more than the state, the site before, and the charge so far."""
    teacher = Teacher(state_form(aklt_chain(12)))
    lesson = teacher.draw(stream(2, "test").random((500, 12)))
    charge = np.cumsum(1 - lesson.spins.astype(int), axis=1)
    charge = np.pad(charge[:, :-1], ((0, 0), (1, 0)))
    for site in range(12):
        for value in np.unique(charge[:, site]):
            rows = charge[:, site] == value
            there = lesson.conditionals[rows, site] > 1e-12
            turns = np.where(there, lesson.turns[rows, site], 0.0)
            assert len(np.unique(turns, axis=0)) == 1


def test_the_sector_of_a_state(form):
    sector = Sector.of(form)
    states = enumerated(sector.site_dim)
    lesson = Teacher(form).follow(states)
    outside = ~sector.contains(states)
    assert np.isneginf(lesson.log_probability[outside]).all()
    assert outside.any() == (sector.modulus != 1)


def test_a_parity_is_a_sector():
    sector = Sector(site_dim=2, modulus=4, total=2)
    assert sector.contains(np.array([[0, 0], [1, 1], [0, 1]])).tolist() == [True, True, False]


def test_what_has_no_amplitudes_is_told_in_one_sentence():
    with pytest.raises(SettingsError, match="an infinite state has no amplitudes"):
        Teacher(state_form(aklt_cell()))
    mixed = TensorTrain(cores=(np.ones((1, 2, 1)), np.ones((1, 3, 1))))
    with pytest.raises(ShapeError, match="wanted equal sites"):
        Teacher(state_form(mixed))
    with pytest.raises(ShapeError, match=r"rows have shape \(4, 3\); wanted \(shots, 5\)"):
        Teacher(state_form(aklt_chain(5))).draw(np.zeros((4, 3)))
