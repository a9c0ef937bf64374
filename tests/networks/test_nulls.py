"""The null of local features, and the Bayes optimum."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from phasenet.networks import nulls
from phasenet.networks.bayes import bayes_decisions
from phasenet.networks.nulls import fit_local_classifier, local_features
from phasenet.networks.readings import readings_of
from phasenet.points import ParameterPoint
from phasenet.shots import SampledPoint, Shots, Snapshots, SnapshotsHead, Source

chains = hnp.arrays(np.uint8, (4, 7), elements=st.integers(0, 2))


@given(chains)
def test_local_features_are_frequencies(spins):
    features = local_features(spins, 3)
    assert features.shape == (4, 3 + 9)
    np.testing.assert_allclose(features[:, :3].sum(axis=1), 1.0)
    np.testing.assert_allclose(features[:, 3:].sum(axis=1), 1.0)
    for row, chain in zip(features, spins.tolist(), strict=True):
        for state in range(3):
            assert row[state] == pytest.approx(chain.count(state) / 7)
        pairs = list(itertools.pairwise(chain))
        for a, b in itertools.product(range(3), repeat=2):
            assert row[3 + 3 * a + b] == pytest.approx(pairs.count((a, b)) / 6)


@given(chains, hnp.arrays(np.float64, 3, elements=st.floats(-2, 2)), st.data())
def test_every_local_observable_is_linear_in_them(spins, one_site, data):
    two_sites = data.draw(hnp.arrays(np.float64, (3, 3), elements=st.floats(-2, 2)))
    direct = one_site[spins].mean(axis=1) + two_sites[spins[:, :-1], spins[:, 1:]].mean(axis=1)
    coefficients = np.concatenate([one_site, two_sites.reshape(-1)])
    np.testing.assert_allclose(local_features(spins, 3) @ coefficients, direct, atol=1e-12)


def test_local_features_do_not_see_the_hidden_order():
    # Only the sign of the last spin differs in what the string sees; neighbours are the same.
    hidden = np.array([[0, 1, 1, 2, 1, 1, 0, 1, 1, 2]])
    broken = np.array([[0, 1, 1, 0, 1, 1, 2, 1, 1, 2]])
    np.testing.assert_allclose(local_features(hidden, 3), local_features(broken, 3), atol=1e-12)


def snapshots_of(spins, truth, site_dim):
    points = tuple(
        SampledPoint(point=ParameterPoint.of(D=k), label=name, split="train", reason="")
        for k, name in enumerate("ab")
    )
    sites = spins.shape[1]
    source = Source(study="toy", title="Toy", hamiltonian="", sites=sites, boundary="finite")
    return Snapshots(
        head=SnapshotsHead(
            site_dim=site_dim, basis="Sz", classes=("a", "b"), sources=(source,), points=points
        ),
        shots=Shots(
            spins=spins.astype(np.uint8),
            point_index=truth.astype(np.int32),
            log_probability=np.zeros(len(spins)),
            class_log_likelihood=np.zeros((len(spins), 2)),
        ),
    )


def fitted(snapshots):
    return fit_local_classifier(snapshots, readings_of(snapshots))


def test_local_classifier_finds_what_is_locally_separable_and_nothing_else():
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], 400)
    zeros = rng.random((800, 10)) < np.where(truth == 0, 0.2, 0.6)[:, None]
    spins = np.where(zeros, 1, 2 * rng.integers(0, 2, (800, 10)))
    logits = fitted(snapshots_of(spins, truth, 3))
    best = np.where(zeros.sum(axis=1) > 4, 1, 0)  # threshold of the likelihood ratio: 3.9
    accuracy = np.mean(logits(spins).argmax(axis=1) == truth)
    assert accuracy > np.mean(best == truth) - 0.02
    assert logits(spins).shape == (800, 2)

    # The parity of a chain, as of a string, is invisible to local features.
    spins = rng.integers(0, 2, (800, 10))
    truth = spins.sum(axis=1) % 2
    fresh = rng.integers(0, 2, (4000, 10))
    guess = fitted(snapshots_of(spins, truth, 2))(fresh).argmax(axis=1)
    accuracy = np.mean(guess == fresh.sum(axis=1) % 2)
    assert abs(accuracy - 0.5) < 5 * 0.5 / np.sqrt(4000) + 0.02


def test_local_classifier_is_balanced():
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1], [900, 60])
    spins = (rng.random((960, 8)) < np.where(truth == 0, 0.4, 0.6)[:, None]).astype(int)
    guess = fitted(snapshots_of(spins, truth, 2))(spins).argmax(axis=1)
    assert np.mean(guess[truth == 1]) > 0.6


def test_bayes_decisions_beat_every_other_rule():
    """All 2^6 rules on six outcomes, with the expected accuracy of each."""
    rng = np.random.default_rng(7)
    for _ in range(20):
        p = rng.dirichlet(np.ones(6), size=2)
        counts = rng.integers(1, 50, 2)
        shares = counts / counts.sum()
        rule = bayes_decisions(np.log(p.T), np.repeat([0, 1], counts))
        accuracies = [
            sum(shares[c] * p[c, k] for k, c in enumerate(other))
            for other in itertools.product((0, 1), repeat=6)
        ]
        ours = sum(shares[c] * p[c, k] for k, c in enumerate(rule))
        assert ours == pytest.approx(max(accuracies), abs=1e-12)


def test_bayes_decisions_use_shares_and_ignore_classes_that_are_not_there():
    logs = np.log(np.array([[0.5, 0.4, np.nan]] * 10))
    assert bayes_decisions(logs, np.repeat([0, 1], [5, 5])).tolist() == [0] * 10
    assert bayes_decisions(logs, np.repeat([0, 1], [1, 9])).tolist() == [1] * 10
    assert bayes_decisions(logs, np.zeros(10, dtype=int)).tolist() == [0] * 10


def test_bayes_decisions_with_impossible_shots():
    logs = np.array([[-np.inf, -3.0], [-2.0, -np.inf]])
    assert bayes_decisions(logs, np.array([0, 1])).tolist() == [1, 0]
    # Where no class can give a shot, the commonest class is as good as any.
    impossible = np.full((4, 2), -np.inf)
    assert bayes_decisions(impossible, np.array([1, 1, 1, 0])).tolist() == [1] * 4


def test_bayes_decisions_know_the_shares_of_each_kind_of_shot():
    logs = np.log(np.full((8, 2), 0.3))
    truth, kind = np.array([0, 0, 0, 1, 1, 1, 1, 0]), np.repeat([16, 32], 4)
    assert bayes_decisions(logs, truth, kind).tolist() == [0] * 4 + [1] * 4


def test_many_shots_are_counted_in_blocks(monkeypatch):
    spins = np.random.default_rng(0).integers(0, 3, (50, 6)).astype(np.uint8)
    whole = local_features(spins, 3)
    monkeypatch.setattr(nulls, "_BLOCK", 7)
    np.testing.assert_array_equal(local_features(spins, 3), whole)
