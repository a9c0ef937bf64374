"""Labelled snapshots: splits by point, streams by point, exact class likelihoods."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phasenet.errors import SettingsError
from phasenet.phases.exact import aklt_cell
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState, PointLabel
from phasenet.settings import SampleSettings
from phasenet.snapshots.dataset import assign_splits, draw_snapshots
from phasenet.trains.canonical import right_canonical
from phasenet.trains.train import TensorTrain

LENGTH = 6
CLASSES = ("haldane", "large_d")


def labels_of(haldane=5, large_d=4, critical=0, unlabelled=0):
    kinds = (
        [("haldane", "train")] * haldane
        + [("haldane", "critical")] * critical
        + [(None, "unlabelled")] * unlabelled
        + [("large_d", "train")] * large_d
    )
    return [
        PointLabel(point=ParameterPoint.of(D=k), label=label, split=split, reason="test")
        for k, (label, split) in enumerate(kinds)
    ]


def state_of(point, seed, dim=2):
    rng = np.random.default_rng(seed)
    bonds = [1, 2, 3, 3, 3, 2, 1]
    cores = [rng.standard_normal((a, dim, b)) for a, b in itertools.pairwise(bonds)]
    train = TensorTrain(cores=right_canonical(TensorTrain(cores=tuple(cores))).cores)
    return GroundState(
        point=point,
        spin=(dim - 1) / 2,
        train=train,
        schmidt_values=(np.ones(1),),
        charge="",
        bond_charges=(),
        energy=0.0,
        variance=0.0,
        truncation=0.0,
        outcome=DmrgOutcome.CONVERGED,
        sweeps=1,
    )


def splits_of(labels):
    return {label.point: label.split for label in labels}


@given(
    haldane=st.integers(3, 12),
    large_d=st.integers(3, 12),
    validation=st.floats(0.01, 0.99),
    test=st.floats(0.01, 0.99),
    seed=st.integers(0, 100),
)
def test_each_class_is_in_each_split(haldane, large_d, validation, test, seed):
    settings = SampleSettings(validation=validation, test=test)
    labels = labels_of(haldane, large_d, critical=2, unlabelled=1)
    assigned = assign_splits(labels, settings, seed)
    assert [a.point for a in assigned] == [b.point for b in labels]
    assert [a.label for a in assigned] == [b.label for b in labels]
    counts = Counter((a.label, a.split) for a in assigned)
    for label, total in (("haldane", haldane), ("large_d", large_d)):
        parts = [counts[label, split] for split in ("train", "validation", "test")]
        assert min(parts) >= 1
        assert sum(parts) == total
    assert counts["haldane", "critical"] == 2
    assert counts[None, "unlabelled"] == 1


def test_fractions_are_kept():
    settings = SampleSettings(validation=0.2, test=0.3)
    assigned = assign_splits(labels_of(haldane=20, large_d=10), settings, 0)
    counts = Counter((label.label, label.split) for label in assigned)
    assert [counts["haldane", s] for s in ("validation", "test", "train")] == [4, 6, 10]
    assert [counts["large_d", s] for s in ("validation", "test", "train")] == [2, 3, 5]


def test_the_split_follows_from_seed_and_order_of_the_points():
    labels = labels_of(haldane=8, large_d=8)
    settings = SampleSettings()
    one = splits_of(assign_splits(labels, settings, 0))
    assert splits_of(assign_splits(labels, settings, 0)) == one
    assert splits_of(assign_splits(labels, settings, 1)) != one
    # Classes are divided independently: the other class may come first, or change in number.
    blocks = splits_of(assign_splits(labels[8:] + labels[:8], settings, 0))
    assert blocks == one
    fewer = splits_of(assign_splits(labels[:-3], settings, 0))
    assert all(fewer[label.point] == one[label.point] for label in labels[:8])
    # Within a class the order of the points counts: it is that of the grid.
    turned = splits_of(assign_splits(labels[::-1], settings, 0))
    assert turned != one


@pytest.mark.parametrize("members", [1, 2])
def test_a_class_with_fewer_than_three_points(members):
    with pytest.raises(SettingsError, match=f"class haldane has {members} points .*at least 3"):
        assign_splits(labels_of(haldane=members), SampleSettings(), 0)


def test_a_class_with_critical_points_only():
    with pytest.raises(SettingsError, match="class haldane has 0 points") as error:
        assign_splits(labels_of(haldane=0, critical=5), SampleSettings(), 0)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def drawn():
    labels = assign_splits(
        labels_of(haldane=7, large_d=6, critical=1, unlabelled=1),
        SampleSettings(test=0.3),
        seed=2,
    )
    states = {label.point: state_of(label.point, seed) for seed, label in enumerate(labels)}
    settings = SampleSettings(shots=3000)
    return states, labels, draw_snapshots(states, labels, CLASSES, settings, seed=4)


def test_all_shots_of_a_point_are_in_its_split(drawn):
    _, labels, snapshots = drawn
    assert snapshots.spins.shape == (len(labels) * 3000, LENGTH)
    assert np.bincount(snapshots.point_index).tolist() == [3000] * len(labels)
    in_splits = [snapshots.in_split(s) for s in ("train", "validation", "test", "critical")]
    seen = [set(snapshots.point_index[chosen].tolist()) for chosen in in_splits]
    assert all(not a & b for a, b in itertools.combinations(seen, 2))
    assert sum(len(chosen) for chosen in in_splits) == (len(labels) - 1) * 3000
    for label, index in zip(labels, range(len(labels)), strict=True):
        expected = -1 if label.label is None else CLASSES.index(label.label)
        assert set(snapshots.label_index[snapshots.point_index == index].tolist()) == {expected}


def test_every_point_draws_from_its_own_stream(drawn):
    states, labels, snapshots = drawn
    turned = draw_snapshots(states, labels[::-1], CLASSES, SampleSettings(shots=3000), seed=4)
    blocks = snapshots.spins.reshape(len(labels), 3000, LENGTH)
    np.testing.assert_array_equal(turned.spins.reshape(blocks.shape)[::-1], blocks)
    same_state = dict.fromkeys(states, states[labels[0].point])
    twins = draw_snapshots(same_state, labels, CLASSES, SampleSettings(shots=50), seed=4)
    assert len({part.tobytes() for part in np.split(twins.spins, len(labels))}) == len(labels)
    other = draw_snapshots(states, labels, CLASSES, SampleSettings(shots=3000), seed=5)
    assert not np.array_equal(other.spins, snapshots.spins)


def dense_probability(state):
    vector = np.ones((1, 1))
    for core in state.train.cores:
        vector = np.tensordot(vector, core, axes=(1, 0)).reshape(-1, core.shape[2])
    return np.abs(vector[:, 0]) ** 2


def test_class_likelihoods_are_the_mixtures_and_sum_to_one(drawn):
    states, labels, snapshots = drawn
    chosen = snapshots.in_split("test")
    index = np.ravel_multi_index(snapshots.spins[chosen].T, (2,) * LENGTH)
    configurations, first = np.unique(index, return_index=True)
    assert len(configurations) == 2**LENGTH  # every configuration was drawn
    for column, name in enumerate(CLASSES):
        members = [p.point for p in labels if (p.split, p.label) == ("test", name)]
        assert len(members) >= 2
        exact = np.mean([dense_probability(states[point]) for point in members], axis=0)
        likelihood = np.exp(snapshots.class_log_likelihood[chosen, column])
        np.testing.assert_allclose(likelihood, exact[index], rtol=1e-9)
        assert likelihood[first].sum() == pytest.approx(1.0, abs=1e-10)


def test_likelihoods_are_there_where_they_are_needed(drawn):
    _, _, snapshots = drawn
    logs = snapshots.class_log_likelihood
    for split in ("train", "validation", "unlabelled"):
        assert np.all(np.isnan(logs[snapshots.in_split(split)]))
    assert np.all(np.isfinite(logs[snapshots.in_split("test")]))
    critical = logs[snapshots.in_split("critical")]
    assert np.all(np.isfinite(critical[:, 0]))
    assert np.all(np.isnan(critical[:, 1]))  # no critical point of the other class


def test_log_probability_of_each_shot_in_its_own_state(drawn):
    states, labels, snapshots = drawn
    for index in (0, 5, len(labels) - 1):
        rows = np.flatnonzero(snapshots.point_index == index)[:200]
        configuration = np.ravel_multi_index(snapshots.spins[rows].T, (2,) * LENGTH)
        exact = dense_probability(states[labels[index].point])[configuration]
        np.testing.assert_allclose(snapshots.log_probability[rows], np.log(exact), atol=1e-9)


def test_classes_keep_the_order_of_the_phases_and_only_those_that_occur(drawn):
    states, labels, snapshots = drawn
    assert snapshots.classes == CLASSES
    names = ("neel", "large_d", "haldane")
    again = draw_snapshots(states, labels, names, SampleSettings(shots=2), seed=0)
    assert again.classes == ("large_d", "haldane")
    assert again.class_log_likelihood.shape == (2 * len(labels), 2)


def test_an_infinite_state_has_no_snapshots():
    labels = labels_of(1, 0)
    cell = aklt_cell()
    state = GroundState(**{**vars(state_of(labels[0].point, 0)), "train": cell})
    with pytest.raises(SettingsError, match="is infinite; snapshots need an open chain"):
        draw_snapshots({labels[0].point: state}, labels, CLASSES, SampleSettings(shots=2), 0)
