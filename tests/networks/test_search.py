"""Search over settings: the better wins, by the validation loss and nothing else."""

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.networks.fitting import FitJob, fit
from phasenet.networks.search import SearchAxis, candidate_of, chosen_of, trials_of
from phasenet.networks.training import search_settings, train_classifier
from phasenet.settings import TrainSettings
from phasenet.trained import Member
from tests.networks.toy import SETTINGS, toy_snapshots


def axes(*texts):
    return [SearchAxis.of(text) for text in texts]


def test_the_grid_holds_all_combinations():
    trials = list(trials_of(TrainSettings(), axes("width=32,64", "learning_rate=1e-3, 1e-2,0.1")))
    assert len(trials) == 6
    assert trials[1].values == {"width": 32, "learning_rate": 0.01}
    assert (trials[1].settings.width, trials[1].settings.learning_rate) == (32, 0.01)
    assert trials[1].settings.batch == TrainSettings().batch
    assert len({trial.title for trial in trials}) == 6


def test_lists_stand_in_brackets():
    assert axes("train.channels=[8, 8],[4]")[0].values == ((8, 8), (4,))
    assert axes("architecture=gru,mlp")[0].values == ("gru", "mlp")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("width", "is no list; write --search"),
        ("=1,2", "is no list; write --search"),
        ("width=32,,64", "is no list; write --search"),
        ("widht=32", "train setting 'widht' is unknown; did you mean 'width'"),
        ("width=0", "train setting 'width' is '0'"),
        ("architecture=dense", "train setting 'architecture' is 'dense'"),
        ("width=32,32", "names a value twice"),
        ("seeds=1,2", "cannot vary train.seeds"),
    ],
)
def test_a_bad_axis_is_one_sentence(text, words):
    with pytest.raises(SettingsError, match=words):
        SearchAxis.of(text)


def test_an_axis_is_given_once():
    with pytest.raises(SettingsError, match="varies width twice"):
        list(trials_of(TrainSettings(), axes("width=32", "train.width=64")))


def member(losses, accuracies=None):
    found = np.asarray(losses)
    accuracy = np.linspace(0.5, 0.9, len(found)) if accuracies is None else np.asarray(accuracies)
    history = {"validation_loss": found, "validation_accuracy": accuracy}
    return Member(weights={"w": np.zeros((2, 3))}, history=history, outcome="")


def test_the_least_loss_of_all_epochs_counts_even_where_some_are_no_number():
    trials = list(trials_of(TrainSettings(), axes("width=8,16,32,48")))
    curves = ([0.5, 0.4], [np.nan, np.nan], [0.1, np.nan, 0.3], [0.1])
    found = [candidate_of(t, member(curve)) for t, curve in zip(trials, curves, strict=True)]
    assert [c.validation_loss for c in found] == [0.4, np.inf, 0.1, 0.1]
    assert chosen_of(found) == 2
    assert found[2].validation_accuracy == 0.5
    assert (found[2].epochs, found[2].parameters) == (3, 6)


@pytest.mark.slow
def test_the_better_setting_wins_and_is_the_network_that_is_then_trained():
    snapshots = toy_snapshots()
    trials = list(trials_of(SETTINGS, axes("learning_rate=1e-6,1e-2")))
    done = {}

    def fitter(data, job, progress):
        if job.key not in done:
            done[job.key] = fit(data, job, progress)
        return done[job.key]

    heard = []
    found, candidates = search_settings(
        snapshots,
        trials,
        seed=0,
        progress=lambda epoch, text: heard.append((epoch, text)),
        fitter=fitter,
    )
    assert found == SETTINGS.model_copy(update={"learning_rate": 1e-2})
    assert candidates[1].validation_loss < candidates[0].validation_loss - 0.1
    assert heard[-1][0] <= 2 * SETTINGS.max_epochs
    assert heard[-1][1].startswith("learning_rate = 0.01: validation loss")
    network = train_classifier(
        snapshots, found, seed=0, progress=lambda *_: pytest.fail("trained twice"), fitter=fitter
    )
    alone = train_classifier(snapshots, found, seed=0, progress=lambda *_: None)
    assert all(np.array_equal(network.weights[n], alone.weights[n]) for n in alone.weights)
    assert min(network.history["validation_loss"]) == candidates[1].validation_loss


def test_settings_that_do_not_fit_are_told_before_any_training():
    trials = list(trials_of(SETTINGS, axes("kernel=3,13")))
    with pytest.raises(SettingsError, match="the network sees 13 at once"):
        search_settings(toy_snapshots(), trials, seed=0, progress=lambda *_: pytest.fail("trained"))


def test_a_job_is_known_by_all_that_decides_it():
    job = FitJob(settings=SETTINGS, seed=0)
    other = SETTINGS.model_copy(update={"weight_decay": 0.1})
    assert (
        len({job.key, FitJob(settings=SETTINGS, seed=1).key, FitJob(settings=other, seed=0).key})
        == 3
    )
    assert FitJob(settings=SETTINGS.model_copy(update={"seeds": 4}), seed=0).key == job.key
