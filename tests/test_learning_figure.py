"""The figure of a training: every seed, the best epochs, the nulls, the reliability."""

from dataclasses import replace

import numpy as np
import pytest

from phasenet.plots.learning import learning_figure
from phasenet.plots.style import save_figure
from phasenet.trained import Calibration, Member, Reliability, Score, TrainedNetwork

LOSSES = (np.array([0.7, 0.5, 0.2, 0.3]), np.array([0.8, 0.3, 0.4]))


def member(losses):
    accuracy = 1 - losses / 2
    history = {
        "train_loss": losses * 0.9,
        "validation_loss": losses,
        "train_accuracy": accuracy,
        "validation_accuracy": accuracy,
    }
    return Member(weights={"w": np.zeros((3, 4))}, history=history, outcome="")


def network(seeds=2):
    first, *others = [member(losses) for losses in LOSSES[:seeds]]
    bins = Reliability(
        confidence=np.array([0.6, 0.9]), accuracy=np.array([0.5, 0.95]), shots=np.array([40, 40])
    )
    accuracies = {"network": 0.9, "ensemble": 0.91, "local features": 0.8, "Bayes optimum": 0.95}
    return TrainedNetwork(
        architecture={"kind": "gru"},
        weights=first.weights,
        classes=("one", "two"),
        history=first.history,
        scores=tuple(
            Score(
                classifier=name,
                split="test",
                accuracy=accuracy,
                error=0.01,
                shots=80,
                spread=0.03 if name == "network" and seeds > 1 else np.nan,
            )
            for name, accuracy in accuracies.items()
        ),
        outcome="",
        members=tuple(others),
        calibrations={"network": Calibration(temperature=1.5, before=bins, after=bins)},
    )


def curves(ax, marker="None"):
    return [line for line in ax.lines if line.get_marker() == marker and len(line.get_xdata()) > 2]


@pytest.fixture(scope="module")
def figure():
    return learning_figure(network())


def test_each_seed_has_its_curves(figure):
    for ax, curve in zip(figure.axes, (lambda x: x, lambda x: 1 - x / 2), strict=False):
        found = [line.get_ydata() for line in curves(ax) if line.get_linestyle() == "-"]
        assert [len(y) for y in found] == [4, 3]
        for drawn, losses in zip(found, LOSSES, strict=True):
            np.testing.assert_array_equal(drawn, curve(losses))


def test_the_best_epoch_of_each_seed_is_marked(figure):
    for ax in figure.axes[:2]:
        marks = [line for line in ax.lines if line.get_marker() == "o"]
        assert [mark.get_xdata()[0] for mark in marks] == [3, 2]
    losses = [line.get_ydata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert losses == [0.2, 0.3]


def test_nulls_are_lines_and_the_network_a_bar(figure):
    ax = figure.axes[1]
    lines = {line.get_label(): line.get_ydata()[0] for line in ax.lines}
    assert lines["local features (test)"] == 0.8
    assert lines["Bayes optimum (test)"] == 0.95
    assert lines["ensemble (test)"] == 0.91
    [bar] = [c for c in ax.containers if c.get_label() == "network (test, mean and spread)"]
    [segment] = bar.lines[2][0].get_segments()
    np.testing.assert_allclose(segment[:, 1], [0.87, 0.93])


def test_the_reliability_names_its_errors(figure):
    labels = figure.axes[2].get_legend_handles_labels()[1]
    assert labels == ["before: ECE 7.5 %", "temperature 1.50: ECE 7.5 %"]
    assert "gru classifier, 12 weights, 2 seeds" in figure.get_suptitle()


@pytest.mark.parametrize(
    "changes",
    [{}, {"calibrations": {}, "scores": ()}, {"history": {}}],
    ids=["one seed", "bare", "no curves"],
)
def test_what_is_missing_is_left_out(changes):
    assert len(learning_figure(replace(network(1), **changes)).axes) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("losses", "scale"),
    [((1.0, 1e-6), "log"), ((np.nan, 1.0), "linear"), ((np.nan, np.nan), "linear")],
)
def test_losses_of_any_size_are_drawn(losses, scale, tmp_path):
    path = tmp_path / "x.network.png"
    curve = np.asarray(losses)
    history = {"train_loss": curve, "validation_loss": curve}
    figure = learning_figure(replace(network(1), history=history, calibrations={}))
    assert figure.axes[0].get_yscale() == scale
    figure.set_layout_engine("none")
    save_figure(figure, path)
    assert path.read_bytes()[1:4] == b"PNG"
