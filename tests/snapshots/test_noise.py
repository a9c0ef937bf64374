"""Faults of a detector: frequencies, exact cases, batches."""

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.settings import NoiseSettings
from phasenet.shots import NO_SITE
from phasenet.snapshots.noise import (
    check_noise,
    confusion_matrix,
    noise_columns,
    with_noise,
)

CONFUSION = ((0.9, 0.06, 0.04), (0.0, 0.7, 0.3), (0.25, 0.25, 0.5))


def rng(seed=0):
    return np.random.default_rng(seed)


def drawn(shots, sites, dim, seed=1):
    return rng(seed).integers(dim, size=(shots, sites), dtype=np.uint8)


def within_five_sigma(counts, probabilities, total):
    sigma = np.sqrt(probabilities * (1 - probabilities) / total)
    return np.all(np.abs(counts / total - probabilities) <= 5 * sigma + 1e-12)


@pytest.mark.parametrize(
    ("settings", "dim"),
    [
        (NoiseSettings(confusion=CONFUSION), 3),
        (NoiseSettings(flip=0.1), 3),
        (NoiseSettings(flip=0.03), 2),
    ],
)
def test_states_are_misread_as_often_as_the_confusion_matrix_says(settings, dim):
    spins = drawn(20_000, 6, dim)
    found = with_noise(spins, dim, settings, rng())
    for state, row in enumerate(confusion_matrix(settings, dim)):
        counts = np.bincount(found[spins == state], minlength=dim)
        assert within_five_sigma(counts, row, (spins == state).sum())


def test_sites_are_misread_independently():
    spins = np.zeros((50_000, 2), dtype=np.uint8)
    found = with_noise(spins, 2, NoiseSettings(flip=0.2), rng())
    both = np.array([np.sum(found.sum(axis=1) == 2)])
    assert within_five_sigma(both, np.array([0.04]), len(spins))


def test_lost_sites_have_the_value_d_and_their_share():
    spins = drawn(20_000, 5, 3)
    found = with_noise(spins, 3, NoiseSettings(lost=0.07), rng())
    lost = found == 3
    assert within_five_sigma(np.array([lost.sum()]), np.array([0.07]), lost.size)
    assert np.array_equal(found[~lost], spins[~lost])


def test_depolarised_shots_are_uniform_and_the_others_as_they_were():
    spins = np.zeros((40_000, 3), dtype=np.uint8)
    found = with_noise(spins, 3, NoiseSettings(depolarised=0.3), rng())
    codes = found @ np.array([9, 3, 1])
    uniform = np.full(27, 0.3 / 27)
    uniform[0] += 0.7
    assert within_five_sigma(np.bincount(codes, minlength=27), uniform, len(spins))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (NoiseSettings(), [[0, 1, 0], [1, 1, NO_SITE]]),
        (NoiseSettings(flip=1.0), [[1, 0, 1], [0, 0, NO_SITE]]),
        (NoiseSettings(lost=1.0), [[2, 2, 2], [2, 2, NO_SITE]]),
        (NoiseSettings(confusion=((1, 0), (0, 1))), [[0, 1, 0], [1, 1, NO_SITE]]),
        (NoiseSettings(confusion=((0, 1), (0, 1))), [[1, 1, 1], [1, 1, NO_SITE]]),
        (NoiseSettings(depolarised=1.0, confusion=((0, 1), (0, 1))), [[1, 1, 1], [1, 1, NO_SITE]]),
        (NoiseSettings(depolarised=1.0, flip=1.0, lost=1.0), [[2, 2, 2], [2, 2, NO_SITE]]),
    ],
)
def test_exact_cases_leave_what_is_no_site(settings, expected):
    spins = np.array([[0, 1, 0], [1, 1, NO_SITE]], dtype=np.uint8)
    found = with_noise(spins, 2, settings, rng())
    assert found.dtype == np.uint8
    assert found.tolist() == expected


def test_all_depolarised_shots_are_uniform():
    found = with_noise(np.zeros((30_000, 4), np.uint8), 2, NoiseSettings(depolarised=1.0), rng())
    counts = np.bincount(found @ np.array([8, 4, 2, 1]), minlength=16)
    assert within_five_sigma(counts, np.full(16, 1 / 16), len(found))


def test_shots_do_not_depend_on_batches():
    settings = NoiseSettings(depolarised=0.3, confusion=CONFUSION, lost=0.2)
    spins = drawn(100, 7, 3)
    whole = with_noise(spins, 3, settings, rng())
    one = rng()
    parts = [with_noise(part, 3, settings, one) for part in (spins[:37], spins[37:])]
    assert np.array_equal(whole, np.concatenate(parts))
    ahead = np.random.Generator(np.random.PCG64(0).advance(37 * noise_columns(settings, 7)))
    assert np.array_equal(with_noise(spins[37:], 3, settings, ahead), parts[1])


@pytest.mark.parametrize(
    ("settings", "dim", "sentence"),
    [
        (NoiseSettings(confusion=CONFUSION, flip=0.1), 3, "wanted one of them"),
        (NoiseSettings(confusion=CONFUSION), 2, r"3 rows of \[3\] entries; wanted 2 rows of 2"),
        (NoiseSettings(confusion=((1, 0), (1,))), 2, "wanted 2 rows of 2"),
        (NoiseSettings(confusion=((1, 0), (0.5, 0.4))), 2, "row 1 sums to 0.9; wanted 1"),
    ],
)
def test_faults_that_do_not_suit_the_states_are_refused(settings, dim, sentence):
    with pytest.raises(SettingsError, match=sentence):
        check_noise(settings, dim)
    with pytest.raises(SettingsError, match=sentence):
        with_noise(np.zeros((1, 2), np.uint8), dim, settings, rng())
