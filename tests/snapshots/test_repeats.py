"""Configurations of the training set, found again among others."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from phasenet.shots import NO_SITE, Shots
from phasenet.snapshots.repeats import Configurations, hashes


def shots(spins, point=0, basis=None):
    spins = np.asarray(spins, dtype=np.uint8)
    points = np.full(len(spins), point, dtype=np.int32)
    return Shots(
        spins=spins,
        point_index=points,
        log_probability=np.zeros(len(spins)),
        class_log_likelihood=np.zeros((len(spins), 0)),
        basis_index=None if basis is None else np.asarray(basis, dtype=np.uint8),
    )


def tuples(some):
    """Configurations as Python compares them."""
    bases = some.spins if some.basis_index is None else some.basis_index
    return [
        tuple((int(s), int(b)) for s, b in zip(row, basis, strict=True) if s != NO_SITE)
        for row, basis in zip(some.spins, bases, strict=True)
    ]


def drawn(rng, count, sites, point, with_basis, width):
    spins, basis = (rng.integers(0, 2, (count, sites)) for _ in range(2))
    filling = ((0, 0), (0, width - sites))
    basis = np.pad(basis, filling, constant_values=int(rng.integers(0, 256)))
    spins = np.pad(spins, filling, constant_values=NO_SITE)
    return shots(spins, point, basis if with_basis else None)


@given(
    st.integers(0, 10_000),
    st.integers(1, 18),
    st.booleans(),
    st.lists(st.integers(0, 6), min_size=1, max_size=4),
)
def test_marks_are_those_of_a_set_of_tuples(seed, sites, with_basis, more):
    rng = np.random.default_rng(seed)
    training, known = Configurations(), set()
    for k, width in enumerate(more):
        # Several lengths and any filling.
        length = min(sites, 3) if k % 2 else sites
        some = drawn(rng, 30, length, 2 * k, with_basis, length + width)
        training.add(some)
        known |= set(tuples(some))
        assert not training.marked(some).in_training.any()
        other = drawn(rng, 40, length, 2 * k + 1, with_basis, length + width)
        found = training.marked(other).in_training
        assert found.dtype == bool
        assert found.tolist() == [one in known for one in tuples(other)]


def test_all_configurations_of_small_chains_have_different_hashes():
    rows = [
        [*spins, *[NO_SITE] * (10 - len(spins))]
        for sites in range(1, 8)
        for spins in itertools.product(range(4), repeat=sites)
    ]
    assert len(np.unique(hashes(shots(rows)))) == len(rows)
    two = list(itertools.product(range(3), repeat=6))
    pairs = shots([a[:3] for a in two], basis=[a[3:] for a in two])
    assert len(np.unique(hashes(pairs))) == len(two)


@pytest.mark.parametrize("sites", [7, 8, 9, 64])
def test_hashes_do_not_depend_on_the_filling(sites):
    spins = np.random.default_rng(0).integers(0, 3, (50, sites))
    wanted = hashes(shots(spins))
    for width in (1, 7, 8, 30):
        filled = np.pad(spins, ((0, 0), (0, width)), constant_values=NO_SITE)
        np.testing.assert_array_equal(hashes(shots(filled)), wanted)


@given(hnp.arrays(np.uint8, (3, 20), elements=st.integers(0, 3)), st.integers(0, 19))
def test_a_change_at_any_site_changes_the_hash(spins, site):
    changed = spins.copy()
    changed[:, site] += 1
    assert (hashes(shots(spins)) != hashes(shots(changed))).all()


def test_hashes_are_spread_evenly():
    bits = hashes(shots(np.random.default_rng(0).integers(0, 2, (20_000, 24))))
    share = [(bits >> np.uint64(k) & np.uint64(1)).mean() for k in range(64)]
    # 5 sigma of 20 000 throws of a coin; a few of the configurations are the same.
    np.testing.assert_allclose(share, 0.5, atol=5 * 0.5 / np.sqrt(20_000))


def test_training_shots_are_not_repeats_of_each_other():
    training = Configurations()
    one = shots([[0, 1], [0, 1]], point=3)
    training.add(one)
    mixed = replace(one, point_index=np.array([3, 4], dtype=np.int32))
    assert training.marked(mixed).in_training.tolist() == [False, True]


def test_nothing_is_a_repeat_of_nothing():
    assert Configurations().marked(shots([[0], [1]])).in_training.tolist() == [False, False]
    training = Configurations()
    training.add(shots(np.zeros((0, 3))))
    assert training.marked(shots([[0], [1]])).in_training.tolist() == [False, False]
    assert training.marked(shots(np.zeros((0, 3)))).in_training.shape == (0,)
