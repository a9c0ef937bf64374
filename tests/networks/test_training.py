"""Training of the convolutional classifier: it learns, repeats, and says how it ended."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from phasenet.errors import FileKindError, SettingsError, ShapeError
from phasenet.networks.architectures.registry import build
from phasenet.networks.convolutional import load_weights, weights_of
from phasenet.networks.readings import readings_of
from phasenet.networks.training import logits_function, stored_functions, train_classifier
from phasenet.settings import TrainSettings
from phasenet.shots import NO_SITE, Shots, Snapshots
from phasenet.storage.networks import read_network
from phasenet.storage.snapshots import read_snapshots
from tests.networks.toy import (
    CLASSES,
    LENGTH,
    ROLES,
    SETTINGS,
    chain,
    toy_snapshots,
    with_points,
    with_shots,
)

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample"


def trained(snapshots, settings=SETTINGS, seed=0, progress=lambda epoch, line: None):
    return train_classifier(snapshots, settings, seed=seed, progress=progress)


@pytest.fixture(scope="module")
def snapshots():
    return toy_snapshots()


@pytest.fixture(scope="module")
def network(snapshots):
    return trained(snapshots)


def score(network, classifier, split):
    found = [s for s in network.scores if (s.classifier, s.split) == (classifier, split)]
    assert len(found) == 1
    return found[0]


def test_separable_classes_are_learned(network):
    for split in ("test", "critical"):
        ours = score(network, "network", split)
        best = score(network, "Bayes optimum", split)
        assert best.accuracy > 0.97
        assert ours.accuracy > 0.95
        assert ours.accuracy <= best.accuracy + 5 * best.error + 1e-12
        assert score(network, "local features", split).accuracy > 0.95
        assert ours.shots == 300
        # One right and one wrong decision more: never zero.
        smoothed = (300 * ours.accuracy + 1) / 302
        assert ours.error == pytest.approx(np.sqrt(smoothed * (1 - smoothed) / 300))
    assert {s.split for s in network.scores} == {"test", "critical"}


def test_what_carries_no_information_is_not_learned():
    network = trained(toy_snapshots(zeros=(0.4, 0.4)))
    ours = score(network, "network", "test")
    assert abs(ours.accuracy - 0.5) < 5 * 0.5 / np.sqrt(ours.shots)


def test_the_scores_are_the_accuracies_of_the_stored_weights(network, snapshots):
    logits, probabilities = stored_functions(network)
    chosen = snapshots.in_split("test")
    guess = logits(snapshots.shots.spins[chosen]).argmax(axis=1)
    accuracy = np.mean(guess == snapshots.label_index[chosen])
    assert accuracy == score(network, "network", "test").accuracy
    values = probabilities(snapshots.shots.spins[chosen])
    np.testing.assert_allclose(values.sum(axis=1), 1.0, atol=1e-12)
    exponentials = np.exp(logits(snapshots.shots.spins[chosen]))
    np.testing.assert_allclose(values, exponentials / exponentials.sum(axis=1, keepdims=True))


def same_weights(one, two):
    return all(one[name].tobytes() == two[name].tobytes() for name in one)


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(network, snapshots):
    torch.manual_seed(99)  # the global stream must not matter
    again, other = trained(snapshots), trained(snapshots, seed=1)
    assert again.weights.keys() == network.weights.keys()
    assert same_weights(again.weights, network.weights)
    assert again.outcome == network.outcome
    for name, curve in network.history.items():
        np.testing.assert_array_equal(again.history[name], curve)
    assert again.scores == network.scores
    assert not same_weights(other.weights, network.weights)


def test_the_initial_weights_follow_from_the_seed(snapshots):
    # One step on the whole split: the order of the shots does not matter.
    settings = TrainSettings(channels=(2,), max_epochs=1, batch=10**6, learning_rate=1e-12)
    one, two = (trained(snapshots, settings, seed=seed).weights for seed in (0, 1))
    name = "convolutions.0.weight"
    assert np.abs(one[name] - two[name]).max() > 0.01


def test_training_leaves_torch_as_it_was(snapshots):
    threads = torch.get_num_threads()
    trained(snapshots, TrainSettings(channels=(2,), max_epochs=1))
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_weights_survive_as_plain_arrays(network, snapshots):
    module = build(network.architecture)
    before = logits_function(module)(snapshots.shots.spins[:5])
    load_weights(module, network.weights)
    after = logits_function(module)(snapshots.shots.spins[:5])
    assert not np.allclose(before, after)
    assert same_weights(weights_of(module), network.weights)
    assert all(array.dtype == np.float32 for array in network.weights.values())
    # Arrays, not views of the module.
    taken = weights_of(module)
    load_weights(module, {name: np.zeros_like(array) for name, array in taken.items()})
    assert same_weights(taken, network.weights)


def test_logits_function_is_the_module(network, snapshots):
    module = build(network.architecture)
    load_weights(module, network.weights)
    module.double()
    spins = snapshots.shots.spins[:40]
    with torch.no_grad():
        direct = module(torch.from_numpy(spins)).numpy()
    for dtype in (np.uint8, np.int64):
        np.testing.assert_array_equal(logits_function(module)(spins.astype(dtype)), direct)
    np.testing.assert_array_equal(stored_functions(network)[0](spins), direct)
    every_other = snapshots.shots.spins[:80][::2]
    np.testing.assert_allclose(
        logits_function(module)(every_other),
        [logits_function(module)(s[None])[0] for s in every_other],
        atol=1e-12,
    )


def silu(x):
    return x / (1 + np.exp(-x))


def test_the_architecture_is_what_it_says(network, snapshots):
    weights = {name: array.astype(np.float64) for name, array in network.weights.items()}
    spins = snapshots.shots.spins[0]
    kernel, bias = weights["convolutions.0.weight"], weights["convolutions.0.bias"]
    windows = range(LENGTH - 2)
    hidden = [silu(bias + sum(kernel[:, spins[site + k], k] for k in range(3))) for site in windows]
    wanted = weights["readout.weight"] @ np.mean(hidden, axis=0) + weights["readout.bias"]
    np.testing.assert_allclose(stored_functions(network)[0](spins[None])[0], wanted, atol=1e-12)


def test_early_stopping_keeps_the_best_epoch_and_says_so(snapshots):
    settings = TrainSettings(channels=(4,), learning_rate=0.5, batch=32, max_epochs=30, patience=3)
    heard = []
    network = trained(snapshots, settings, progress=lambda epoch, line: heard.append((epoch, line)))
    curve = network.history["validation_loss"]
    best, epochs = int(np.argmin(curve)) + 1, len(curve)
    assert epochs == best + 3 < 30
    assert network.outcome == (
        f"no better for patience epochs; best validation loss {curve.min():.4f} "
        f"at epoch {best} of {epochs}"
    )
    assert [epoch for epoch, _ in heard] == list(range(1, epochs + 1))
    assert heard[0][1] == f"validation loss {curve[0]:.4f}"
    assert len(network.history["train_loss"]) == epochs
    # The weights are those of the best epoch, not of the last.
    chosen = snapshots.in_split("validation")
    probabilities = stored_functions(network)[1](snapshots.shots.spins[chosen])
    right = probabilities[np.arange(len(chosen)), snapshots.label_index[chosen]]
    assert -np.log(right).mean() == pytest.approx(curve.min(), rel=1e-4)


def test_all_epochs_used_is_said(snapshots):
    network = trained(snapshots, TrainSettings(channels=(2,), max_epochs=2))
    assert network.outcome.startswith("max_epochs reached; best validation loss")
    assert network.outcome.endswith("of 2")


@pytest.mark.slow
def test_unequal_classes_are_balanced():
    whole = toy_snapshots(shots=2400, zeros=(0.3, 0.5), roles=ROLES[:3])
    keep = np.flatnonzero((whole.label_index == 0) | (np.arange(len(whole.shots.spins)) % 24 == 0))
    kept = {name: None if v is None else v[keep] for name, v in vars(whole.shots).items()}
    few = with_shots(whole, **kept)
    network = trained(few)
    chosen = few.in_split("test")
    guess = stored_functions(network)[0](few.shots.spins[chosen]).argmax(axis=1)
    truth = few.label_index[chosen]
    # The rule that is right most often finds 7 % of the rare class, a balanced one 80 %.
    assert np.mean(guess[truth == 1] == 1) > 0.5
    assert np.mean(guess[truth == 0] == 0) > 0.5


def test_a_chain_shorter_than_the_window():
    settings = TrainSettings(channels=(2, 2, 2), kernel=5)
    with pytest.raises(SettingsError, match="chain has 12 sites, the network sees 13 at once"):
        trained(toy_snapshots(), settings)
    trained(toy_snapshots(length=13), settings.model_copy(update={"max_epochs": 1}))


@pytest.mark.parametrize(
    ("roles", "classes", "split"),
    [
        (("validation", "test"), CLASSES, "train"),
        (("train", "test"), CLASSES, "validation"),
    ],
)
def test_a_split_that_lacks_a_class(roles, classes, split):
    with pytest.raises(SettingsError, match=f"split {split} holds snapshots of") as error:
        trained(toy_snapshots(roles=roles, classes=classes))
    assert "\n" not in str(error.value)


def test_one_class_is_not_enough():
    with pytest.raises(SettingsError, match="the labels haldane only; a classifier needs two"):
        trained(toy_snapshots(roles=ROLES, classes=("haldane",)))


def test_no_held_out_points_mean_no_scores():
    assert trained(toy_snapshots(roles=("train", "validation"))).scores == ()


def test_weights_of_another_architecture(network):
    module = build({**network.architecture, "channels": [5]})
    with pytest.raises(FileKindError, match=r"weights .*convolutions.0.weight.* do not fit"):
        load_weights(module, network.weights)
    lacking = {name: a for name, a in network.weights.items() if name != "readout.bias"}
    with pytest.raises(FileKindError, match=r"weights readout.bias do not fit .* got \[None\]"):
        load_weights(build(network.architecture), lacking)


def test_an_unknown_architecture():
    with pytest.raises(
        SettingsError, match="architecture is 'dense'; wanted one of 'convolutional'"
    ):
        build({"kind": "dense"})


def marked_by(rng, spins, share, value):
    return np.where(rng.random(spins.shape) < share, value, spins).astype(np.uint8)


def test_lost_sites_are_one_more_state_that_the_network_and_the_null_see(network):
    rng = np.random.default_rng(5)
    whole = toy_snapshots(zeros=(0.4, 0.4))
    # All that tells the classes apart is how many sites are lost.
    shares = np.where(whole.label_index == 0, 0.05, 0.4)[:, None]
    found = trained(with_shots(whole, spins=marked_by(rng, whole.shots.spins, shares, 3)))
    assert found.architecture == {**network.architecture, "site_dim": 4, "lost": True}
    assert score(found, "network", "test").accuracy > 0.9
    assert score(found, "local features", "test").accuracy > 0.9


def test_a_basis_that_is_drawn_is_seen_as_well():
    rng = np.random.default_rng(6)
    whole = toy_snapshots(zeros=(0.4, 0.4))
    bases = (rng.random(whole.shots.spins.shape) < 0.5).astype(np.uint8)
    # The same outcomes on average: only those in the second basis depend on the class.
    other = np.where(whole.label_index == 0, 0, 2)[:, None]
    spins = np.where(bases == 1, other, marked_by(rng, whole.shots.spins, 0.3, 0))
    spins = np.where(bases == 0, 2 - other, spins).astype(np.uint8)
    drawn = with_shots(whole, spins=spins, basis_index=bases)
    drawn = with_points(drawn, lambda p: p, basis="random", basis_names=("Sx", "Sy"))
    found = trained(drawn)
    assert found.architecture["site_dim"] == 6
    assert found.architecture["bases"] == ["Sx", "Sy"]
    assert score(found, "network", "test").accuracy == 1.0
    blind = trained(with_shots(whole, spins=spins))
    assert score(blind, "network", "test").accuracy < 0.6


def test_a_basis_that_changes_along_the_chain_is_seen_as_well(snapshots):
    turned = with_points(snapshots, lambda p: p, basis="Sx,Sz,Sx")
    readings = readings_of(turned)
    assert readings.bases == ("Sx", "Sz")
    numbers = readings.of(turned, np.arange(5))
    np.testing.assert_array_equal(numbers % 3, snapshots.shots.spins[:5])
    assert (numbers // 3).tolist() == [[0, 1, 0] * 4] * 5


def test_a_test_set_of_a_longer_chain_is_scored_by_itself_and_with_the_others():
    short, long = toy_snapshots(), toy_snapshots(roles=("test",), length=20)
    padded = np.full((len(short.shots), 20), NO_SITE, dtype=np.uint8)
    padded[:, :LENGTH] = short.shots.spins
    count = len(short.head.points)
    head = replace(
        short.head,
        sources=(chain(LENGTH, "One"), chain(20, "Other")),
        points=(*short.head.points, *(replace(p, source=1) for p in long.head.points)),
    )
    both = {
        name: np.concatenate([getattr(short.shots, name), getattr(long.shots, name)])
        for name in ("log_probability", "class_log_likelihood")
    }
    shots = Shots(
        spins=np.concatenate([padded, long.shots.spins]),
        point_index=np.concatenate([short.shots.point_index, long.shots.point_index + count]),
        **both,
    )
    found = trained(Snapshots(head=head, shots=shots))
    alone = trained(short)
    assert same_weights(found.weights, alone.weights)
    assert score(found, "network", "test").shots == 600
    assert (
        score(found, "network", "test: of One").accuracy == score(alone, "network", "test").accuracy
    )
    other = score(found, "network", "test: of Other")
    assert (other.shots, other.accuracy > 0.95) == (300, True)
    assert score(found, "Bayes optimum", "test: of Other").accuracy > 0.97


def as_control(point):
    control = {"split": "control", "control": "block flip 4"}
    return replace(point, **control) if point.split == "critical" else point


def test_controls_are_scored_by_their_names_even_where_no_class_can_give_a_shot(snapshots):
    control = with_points(snapshots, as_control)
    chosen = control.in_split("control")
    logs = control.shots.class_log_likelihood.copy()
    logs[chosen[:10]], logs[chosen[10:30]] = -np.inf, np.nan
    found = trained(with_shots(control, class_log_likelihood=logs))
    assert {s.split for s in found.scores} == {"test", "control: block flip 4"}
    assert score(found, "network", "control: block flip 4").shots == 300
    assert score(found, "Bayes rule", "control: block flip 4").shots == 280


def test_without_likelihoods_there_is_no_bayes_optimum(snapshots):
    logs = np.full((len(snapshots.shots), 2), np.nan)
    found = trained(with_shots(snapshots, class_log_likelihood=logs))
    assert {s.classifier for s in found.scores} == {"network", "local features"}


def test_repeats_of_training_shots_are_left_out_of_a_score(snapshots, network):
    chosen = snapshots.in_split("test")
    again = np.zeros(len(snapshots.shots), dtype=bool)
    again[chosen[::3]] = True
    found = trained(with_shots(snapshots, in_training=again))
    assert score(found, "network", "test") == score(network, "network", "test")
    fresh = score(found, "network", "test: not in training")
    guess = stored_functions(found)[0](snapshots.shots.spins[chosen]).argmax(axis=1)
    right = guess == snapshots.label_index[chosen]
    assert fresh.shots == 200
    assert fresh.accuracy == right[~again[chosen]].mean()
    again[chosen] = True
    none = score(
        trained(with_shots(snapshots, in_training=again)), "network", "test: not in training"
    )
    assert none.shots == 0
    assert np.isnan(none.accuracy)


def test_a_test_split_may_hold_fewer_classes(snapshots):
    lacking = with_points(
        snapshots,
        lambda p: replace(p, split="train") if (p.split, p.label) == ("test", "large_d") else p,
    )
    logs = lacking.shots.class_log_likelihood.copy()
    logs[lacking.in_split("test"), 1] = np.nan
    found = trained(with_shots(lacking, class_log_likelihood=logs))
    assert score(found, "network", "test").shots == 150
    assert score(found, "Bayes optimum", "test").accuracy == 1.0


def test_splits_of_several_lengths_cannot_be_trained_on(snapshots):
    mixed = with_points(
        snapshots,
        lambda p: replace(p, source=1) if p.point["D"] == 0 else p,
        sources=(chain(LENGTH), chain(LENGTH - 2)),
    )
    with pytest.raises(ShapeError, match="these shots have 10, 12 sites; wanted chains of one"):
        trained(mixed)


def test_a_large_validation_split_is_evaluated_in_blocks(snapshots, network, monkeypatch):
    monkeypatch.setattr("phasenet.networks.fitting._BLOCK", 70)
    again = trained(snapshots)
    np.testing.assert_allclose(
        again.history["validation_loss"], network.history["validation_loss"], rtol=1e-6
    )


def test_the_network_of_a_single_seed_is_that_of_the_first_version():
    header, first = read_network(SAMPLE / "haldane.network.h5")
    _, snapshots = read_snapshots(SAMPLE / "haldane.snapshots.h5")
    run = header.study.run_settings()
    again = trained(snapshots, run.train, seed=run.seed)
    assert again.architecture == first.architecture
    for name, curve in first.history.items():
        # Bit for bit on one machine; other libraries may differ in last bits, which then grow.
        np.testing.assert_allclose(again.history[name][:5], curve[:5], rtol=1e-3)
    for score, before in zip(again.scores, first.scores, strict=True):
        assert (score.classifier, score.split) == (before.classifier, before.split)
        assert abs(score.accuracy - before.accuracy) < 5 * before.error
