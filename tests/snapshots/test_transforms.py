"""Controls that take an order out of shots, and the Kennedy-Tasaki transformation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from phasenet.errors import SettingsError
from phasenet.phases.exact import aklt_chain
from phasenet.phases.strings import string_pairs
from phasenet.shots import NO_SITE
from phasenet.snapshots.transforms import (
    check_control,
    control_columns,
    control_copy,
    inverse_kennedy_tasaki,
    kennedy_tasaki,
)

SITES = 6
SPIN_ONE = arrays(
    np.uint8,
    st.tuples(st.integers(1, 5), st.integers(1, 9)),
    # 3 is a lost site.
    elements=st.sampled_from([0, 1, 2, 3, NO_SITE]),
)


def all_shots(sites=SITES, dim=3):
    return np.array(list(itertools.product(range(dim), repeat=sites)), dtype=np.uint8)


def aklt_weights(shots):
    weights = aklt_chain(shots.shape[1])(shots.astype(np.int64)) ** 2
    return weights / weights.sum()


def copy(name, spins, dim=3, seed=0):
    return control_copy(name, spins, dim, np.random.default_rng(seed))


def nonzero_sequences(spins):
    return [[int(k) for k in row if k in (0, 2)] for row in spins]


@given(spins=SPIN_ONE, seed=st.integers(0, 99))
def test_sign_scramble_keeps_the_zeros_and_what_was_not_read(spins, seed):
    found = copy("sign scramble", spins, seed=seed)
    still = (spins == 1) | (spins > 2)
    assert np.array_equal(found[still], spins[still])
    assert np.isin(found[~still], [0, 2]).all()


@given(spins=SPIN_ONE, seed=st.integers(0, 99), size=st.integers(1, 10))
def test_block_flip_turns_whole_blocks_round(spins, seed, size):
    found = copy(f"block flip {size}", spins, seed=seed)
    for start in range(0, spins.shape[1], size):
        old, new = spins[:, start : start + size], found[:, start : start + size]
        turned = np.where(old < 3, 2 - old.astype(int), old)
        same, other = (new == old).all(axis=1), (new == turned).all(axis=1)
        assert (same | other).all()


@given(spins=SPIN_ONE, seed=st.integers(0, 99))
def test_zero_shuffle_keeps_the_sequence_of_the_other_spins(spins, seed):
    found = copy("zero shuffle", spins, seed=seed)
    assert nonzero_sequences(found) == nonzero_sequences(spins)
    assert np.array_equal((found == 1).sum(axis=1), (spins == 1).sum(axis=1))
    unread = spins > 2
    assert np.array_equal(found[unread], spins[unread])


@given(spins=SPIN_ONE)
def test_kennedy_tasaki_is_undone_and_keeps_magnitudes(spins):
    there = kennedy_tasaki(spins, 3)
    assert np.array_equal(inverse_kennedy_tasaki(there, 3), spins)
    assert np.array_equal(there == 1, spins == 1)
    assert np.array_equal(there[spins > 2], spins[spins > 2])


def test_kennedy_tasaki_of_larger_spins_is_undone():
    spins = all_shots(4, dim=5)
    assert np.array_equal(inverse_kennedy_tasaki(kennedy_tasaki(spins, 5), 5), spins)


def test_string_order_of_aklt_becomes_plain_order():
    shots = all_shots()
    weights = aklt_weights(shots)
    m = 1.0 - kennedy_tasaki(shots, 3)
    plain = np.einsum("n,ni,nj->ij", weights, m, m)
    strings = string_pairs(aklt_chain(SITES), "z")
    upper = np.triu_indices(SITES, k=1)
    assert np.allclose(plain[upper], strings[upper], atol=1e-12)
    # The string of the bulk, up to the edges.
    assert plain[1, 4] == pytest.approx(4 / 9, abs=0.02)


def test_every_aklt_shot_is_ordered_after_kennedy_tasaki():
    shots = all_shots()
    there = kennedy_tasaki(shots[aklt_weights(shots) > 1e-12], 3)
    assert all(len(set(sequence)) <= 1 for sequence in nonzero_sequences(there))


def test_block_flip_kills_long_strings_and_keeps_short_ones():
    rng = np.random.default_rng(5)
    shots = all_shots(8)
    drawn = shots[rng.choice(len(shots), size=60_000, p=aklt_weights(shots))]
    found = copy("block flip 4", drawn)
    m, parity = 1.0 - found, np.where(found == 1, 1, -1)
    within = -m[:, 4] * parity[:, 5] * parity[:, 6] * m[:, 7]
    across = -m[:, 2] * parity[:, 3] * parity[:, 4] * m[:, 5]
    old = 1.0 - drawn
    before = -old[:, 4] * parity[:, 5] * parity[:, 6] * old[:, 7]
    assert np.array_equal(within, before)
    assert within.mean() > 0.4
    assert abs(across.mean()) < 5 * across.std() / np.sqrt(len(across))


def test_zero_shuffle_is_uniform_over_places():
    spins = np.tile(np.array([[0, 1, 1, 2]], dtype=np.uint8), (24_000, 1))
    found = copy("zero shuffle", spins)
    counts = np.bincount((found == 1) @ np.array([8, 4, 2, 1]), minlength=16)
    used = counts[counts > 0]
    assert len(used) == 6
    assert np.abs(used - 4000).max() < 5 * np.sqrt(24_000 / 6 * 5 / 6)


def test_signs_and_blocks_turn_half_of_the_time():
    spins = np.zeros((20_000, 6), dtype=np.uint8)
    for name, drawn in (("sign scramble", 6), ("block flip 3", 2)):
        turned = (copy(name, spins) == 2)[:, :: 6 // drawn]
        pairs = turned @ np.array([2**k for k in range(drawn)])
        expected = len(spins) / 2**drawn
        counts = np.bincount(pairs, minlength=2**drawn)
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


@pytest.mark.parametrize("name", ["sign scramble", "block flip 4", "zero shuffle"])
def test_copies_do_not_depend_on_batches(name):
    spins = np.random.default_rng(1).integers(3, size=(50, 10), dtype=np.uint8)
    one = np.random.default_rng(0)
    parts = [control_copy(name, part, 3, one) for part in (spins[:13], spins[13:])]
    assert np.array_equal(np.concatenate(parts), copy(name, spins))
    ahead = np.random.Generator(np.random.PCG64(0).advance(13 * control_columns(name, 10)))
    assert np.array_equal(control_copy(name, spins[13:], 3, ahead), parts[1])


def test_block_flip_suits_half_integer_spins():
    check_control("block flip 2", 2)
    spins = np.array([[0, 1, 1]], dtype=np.uint8)
    assert copy("block flip 3", spins, dim=2).tolist() in ([[0, 1, 1]], [[1, 0, 0]])


@pytest.mark.parametrize(
    ("name", "dim", "sentence"),
    [
        ("sign scramble", 2, "needs spins with a state 0; a site has 2 states"),
        ("zero shuffle", 4, "use block flip L"),
        ("block flip", 3, "is unknown; wanted sign scramble, zero shuffle, or block flip L"),
        ("block flip 0", 3, "is unknown"),
        ("shuffle", 3, "control 'shuffle' is unknown"),
    ],
)
def test_controls_that_do_not_exist_are_refused(name, dim, sentence):
    with pytest.raises(SettingsError, match=sentence):
        check_control(name, dim)


def test_kennedy_tasaki_needs_integer_spins():
    with pytest.raises(SettingsError, match="needs integer spins; a site has 2 states"):
        kennedy_tasaki(np.zeros((1, 2), np.uint8), 2)
