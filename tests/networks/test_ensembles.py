"""Networks of several seeds: their mean, their spread, and the ensemble."""

import numpy as np
import pytest

from phasenet.networks.training import mean_probability, stored_functions, train_classifier
from phasenet.settings import TrainSettings
from phasenet.trained import TrainedNetwork
from tests.networks.toy import SETTINGS, toy_snapshots

SEVERAL = SETTINGS.model_copy(update={"seeds": 3, "max_epochs": 4})


@pytest.fixture(scope="module")
def snapshots():
    # Hard enough that seeds differ.
    return toy_snapshots(zeros=(0.35, 0.5))


def trained(snapshots, settings, seed=0, progress=lambda *_: None):
    return train_classifier(snapshots, settings, seed=seed, progress=progress)


@pytest.fixture(scope="module")
def ensemble(snapshots):
    return trained(snapshots, SEVERAL)


def scores(network, split="test"):
    return {s.classifier: s for s in network.scores if s.split == split}


def member_functions(network):
    for member in network.all_members:
        one = TrainedNetwork(
            architecture=network.architecture,
            weights=member.weights,
            classes=network.classes,
            history={},
            scores=(),
            outcome="",
        )
        yield stored_functions(one)


def test_the_first_network_is_that_of_a_single_seed(snapshots, ensemble):
    alone = trained(snapshots, SEVERAL.model_copy(update={"seeds": 1}))
    assert len(ensemble.members) == 2
    assert all(np.array_equal(ensemble.weights[n], alone.weights[n]) for n in alone.weights)
    assert scores(ensemble)["network 1"].accuracy == scores(alone)["network"].accuracy
    assert alone.members == ()
    assert np.isnan(scores(alone)["network"].spread)
    assert "ensemble" not in scores(alone)
    other = [m.weights["readout.weight"] for m in ensemble.all_members]
    assert not np.array_equal(other[0], other[1])
    assert not np.array_equal(other[1], other[2])


def test_more_seeds_leave_those_before_as_they_are(snapshots, ensemble):
    two = trained(snapshots, SEVERAL.model_copy(update={"seeds": 2}))
    weights = two.members[0].weights
    assert all(np.array_equal(ensemble.members[0].weights[n], weights[n]) for n in weights)


def test_the_score_is_the_mean_of_the_seeds_with_its_spread(ensemble):
    for split in ("test", "critical"):
        found = scores(ensemble, split)
        each = [found[f"network {k}"].accuracy for k in (1, 2, 3)]
        assert found["network"].accuracy == pytest.approx(np.mean(each))
        assert found["network"].spread == pytest.approx(np.std(each, ddof=1))
        assert found["network"].spread > 0
        assert set(found) == {
            *("network", "network 1", "network 2", "network 3"),
            *("ensemble", "local features", "Bayes optimum"),
        }


def test_scores_are_those_of_the_stored_networks(snapshots, ensemble):
    chosen = snapshots.in_split("test")
    spins, truth = snapshots.shots.spins[chosen], snapshots.label_index[chosen]
    probabilities = [p(spins) for _, p in member_functions(ensemble)]
    for k, values in enumerate(probabilities):
        accuracy = np.mean(values.argmax(axis=1) == truth)
        assert accuracy == scores(ensemble)[f"network {k + 1}"].accuracy
    accuracy = np.mean(np.mean(probabilities, axis=0).argmax(axis=1) == truth)
    assert accuracy == scores(ensemble)["ensemble"].accuracy


def test_the_mean_probability_is_the_mean_of_softmaxes(snapshots, ensemble):
    functions = list(member_functions(ensemble))
    spins = snapshots.shots.spins[:7]
    mean = mean_probability([logits for logits, _ in functions])(spins)
    np.testing.assert_allclose(mean, np.mean([p(spins) for _, p in functions], axis=0), atol=1e-12)


def test_both_the_network_and_the_ensemble_are_calibrated(snapshots, ensemble):
    assert set(ensemble.calibrations) == {"network", "ensemble"}
    assert ensemble.temperature == ensemble.calibrations["network"].temperature
    for name, found in ensemble.calibrations.items():
        assert 0.05 < found.temperature < 20
        for when in (found.before, found.after):
            assert when.shots.sum() == len(snapshots.in_split("test"))
        # Dividing by a temperature changes no decision.
        share = (found.after.accuracy * found.after.shots).sum() / found.after.shots.sum()
        which = "network 1" if name == "network" else "ensemble"
        assert share == pytest.approx(scores(ensemble)[which].accuracy)


def test_curves_hold_loss_and_accuracy_of_each_epoch(ensemble):
    for member in ensemble.all_members:
        assert set(member.history) == {
            f"{split}_{what}" for split in ("train", "validation") for what in ("loss", "accuracy")
        }
        assert {len(curve) for curve in member.history.values()} == {4}
        assert f"at epoch {member.best_epoch} of 4" in member.outcome
        assert all(((c >= 0) & (c <= 1)).all() for n, c in member.history.items() if "acc" in n)


def test_progress_counts_the_epochs_of_all_networks(snapshots):
    heard = []
    trained(snapshots, SEVERAL, progress=lambda epoch, text: heard.append((epoch, text)))
    assert [epoch for epoch, _ in heard] == list(range(1, 13))
    assert heard[4][1].startswith("seed 2 of 3: validation loss")


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "mlp", "width": 8},
        {"architecture": "correlator", "channels": (4,)},
        {"architecture": "train", "bond": 4},
        pytest.param({"architecture": "gru", "width": 8}, marks=pytest.mark.slow),
        pytest.param(
            {"architecture": "transformer", "width": 8, "heads": 2, "depth": 1},
            marks=pytest.mark.slow,
        ),
        {"architecture": "mlp", "width": 32, "layers": "mpo", "rank": 2},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_every_architecture_is_trained_and_repeats_itself(changes):
    easy = toy_snapshots()
    settings = TrainSettings.checked({**changes, "batch": 64, "max_epochs": 6})
    one, two = trained(easy, settings), trained(easy, settings)
    assert one.architecture["kind"] == changes["architecture"]
    assert all(one.weights[n].tobytes() == two.weights[n].tobytes() for n in one.weights)
    assert scores(one)["network"].accuracy > 0.9
    assert one.flops > 0
    assert one.parameters == sum(a.size for a in one.weights.values())
    assert one.settings == settings.as_dict()
