from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from phasenet.errors import SettingsError
from phasenet.findings import Section
from phasenet.insight.importance import REPLICAS, STEPS, importance_section
from phasenet.insight.importance_modes import Mode, orthonormal_network
from phasenet.insight.importance_names import index_names, state_names
from phasenet.insight.importance_null import Lesson, against_null, taught
from phasenet.insight.importance_pictures import picture_section
from phasenet.insight.importance_scores import RECOMMENDED, SCORES, ModeScores, mode_scores
from phasenet.insight.subject import Subject
from phasenet.networks.architectures.registry import build
from phasenet.networks.convolutional import load_weights, weights_of
from phasenet.networks.healing import fine_tune
from phasenet.networks.layers.tucker import TuckerLinear
from phasenet.networks.readings import Readings
from phasenet.plots.findings.importance import importance_figures, picture_figures
from phasenet.statistics import area_under_curve
from phasenet.trained import TrainedNetwork
from tests.benchmarks.insight.planted import planted, untrained
from tests.networks.toy import toy_snapshots

PLAIN = Readings(site_dim=3, lost=False, bases=())
TUCKER = {"form": "tucker", "in_modes": [6, 6], "out_modes": [4], "ranks": [3, 3, 3]}
MLP = {"kind": "mlp", "site_dim": 3, "length": 12, "width": 4, "depth": 1, "classes": 2}
CNN = {"kind": "convolutional", "site_dim": 3, "channels": [6, 6], "kernel": 3, "classes": 2}
CNN_FORM = {"form": "cp", "in_modes": [3], "out_modes": [6], "ranks": [2]}


def quiet(step, line):
    pass


def subject(architecture, name="toy.network.h5"):
    """Classifier of independent sites, of which only the first six tell the phase."""
    data = toy_snapshots(shots=150)
    data.shots.spins[:, 6:] = np.random.default_rng(0).integers(3, size=(len(data.shots.spins), 6))
    chosen = np.isin(data.shots.point_index, data.head.points_in("train"))
    x = torch.as_tensor(data.shots.spins[chosen].astype(np.int64))
    y = torch.as_tensor(data.label_index[chosen])
    torch.manual_seed(0)
    network = fine_tune(build(architecture), x, y, epochs=12, batch=64, learning_rate=2e-2)
    record = TrainedNetwork(
        architecture=architecture,
        weights=weights_of(network),
        classes=data.head.classes,
        history={},
        scores=(),
        outcome="toy",
    )
    rebuilt = build(record.architecture)
    load_weights(rebuilt, record.weights)
    return Subject(
        name=name,
        record=record,
        network=rebuilt.eval(),
        classifier=None,
        states=(),
        snapshots=data,
        card=None,
    )


@pytest.fixture(scope="module")
def mlp():
    told = []
    section = importance_section(
        subject({**MLP, "layers": {"0.linear": TUCKER}}),
        shots=300,
        replicas=1,
        epochs=1,
        progress=lambda step, line: told.append(step),
    )
    assert told == list(range(1, STEPS - REPLICAS + 1 + 1))
    return section


def test_the_sites_that_tell_the_phase_stand_out_and_the_others_do_not(mlp):
    assert mlp.labels["indices"][:2] == ("sites 0-1", "sites 2-3")
    assert mlp.labels["indices"][6 + 3] == "Sz = +1 at sites 1, 3, ..., 11"
    p, z = mlp.arrays["p"][0], mlp.arrays["z"][0]
    assert (p[:3] == 1 / 20).all()
    assert (p[3:6] > 1 / 20).all() and (np.abs(z[3:6]) < 4).all()
    assert mlp.verdict.startswith("Shuffled over the shots, sites ")
    assert "networks taught shuffled labels" in mlp.verdict


def test_the_section_has_all_numbers_by_names_and_shapes(mlp):
    count = 6 + 6 + 4
    assert mlp.labels["modes"] == (
        "0.linear, input mode 0", "0.linear, input mode 1", "0.linear, output mode 0",
    )  # fmt: skip
    assert len(mlp.labels["indices"]) == count
    for name in ("score", "z", "p"):
        assert mlp.arrays[name].shape == (len(SCORES), count)
    assert mlp.arrays["added_loss_of_class"].shape == (2, count)
    assert mlp.arrays["null_added_loss"].shape == (19, count)
    assert mlp.arrays["site_moved"].shape == (12, 3)
    sites, errors = mlp.arrays["site_added_loss"], mlp.arrays["site_added_loss_error"]
    assert (sites[:6] > 2 * errors[:6]).all() and (np.abs(sites[6:]) < 5 * errors[6:]).all()
    assert mlp.arrays["site_added_loss_of_class"].shape == (2, 12)
    moved = np.square(mlp.arrays["site_moved"]).sum(axis=1)
    assert moved[:6].sum() > 2 * moved[6:].sum()
    shown = {row[0]: row[3:5] for row in mlp.tables[1].rows}
    assert max(shown[RECOMMENDED]) < 1e-8 < 1e-2 < shown["gradient norm"][1]


def test_figures_have_axes_and_names(mlp):
    figures = importance_figures(mlp)
    assert len(figures) == 4
    axes = [figure.axes for _, figure in figures]
    assert axes[0][0].get_xlabel() == "added loss (nats)"
    assert axes[0][0].get_yticklabels()[0].get_text() == "sites 0-1"
    assert axes[1][0].get_ylabel() == "added loss (nats)" and axes[1][1].get_xlabel() == "site"
    assert figures[2][1].get_supylabel() == "added loss (nats)"
    assert all(caption.endswith(".") for caption, _ in figures)


def test_a_convolution_has_channels_and_no_map_of_sites():
    section = importance_section(
        subject({**CNN, "layers": {"convolutions.0": CNN_FORM}}),
        shots=100,
        nulls=3,
        replicas=0,
        epochs=1,
        progress=quiet,
    )
    assert section.labels["indices"][:3] == ("Sz = +1", "Sz = 0", "Sz = -1")
    assert "site_moved" not in section.arrays and "replica_added_loss" not in section.arrays
    assert np.isnan(section.arrays["gauge_change"]).all()
    assert len(importance_figures(section)[1][1].axes) == 1


def test_a_network_without_tensorized_layers_is_refused():
    with pytest.raises(SettingsError, match=r"toy\.network\.h5 has no tensorized layer; train one"):
        importance_section(subject(MLP), progress=quiet)


def test_a_split_of_one_class_is_refused():
    found = subject({**MLP, "layers": {"0.linear": TUCKER}})
    points = tuple(replace(p, split="critical" if p.split == "test" else p.split)
                   for p in found.snapshots.head.points)  # fmt: skip
    data = replace(found.snapshots, head=replace(found.snapshots.head, points=points))
    with pytest.raises(SettingsError, match="split test has labelled shots of less than two"):
        importance_section(replace(found, snapshots=data), progress=quiet)


def test_planted_rows_of_unequal_scales_are_found_against_networks_taught_shuffled_labels():
    problem = planted(2, unequal=True, side=8, lines=2, classes=2, shots=1000, signal=1.0)
    torch.manual_seed(0)
    x, y = problem.train
    network = fine_tune(untrained(problem), x, y, epochs=4, learning_rate=5e-3)
    held_x, held_y = problem.held_out
    lesson = Lesson(
        train=problem.train, held_out=(held_x.double(), held_y), classes=2, epochs=4,
        learning_rate=5e-3,
    )  # fmt: skip
    scores = mode_scores(orthonormal_network(network), *lesson.held_out, classes=2)[:2]
    null = taught(lambda: untrained(problem), lesson, networks=4, shuffled=True, seed=0,
                  progress=quiet)  # fmt: skip
    assert abs(np.mean([one.accuracy for one in null]) - 0.5) < 0.03
    found = against_null(scores, [one.scores[:2] for one in null])
    for one, known in zip(found, problem.informative, strict=True):
        assert area_under_curve(one.scores.values[RECOMMENDED], known) == 1.0
        assert one.z[RECOMMENDED][known].min() > 4
        assert one.p[RECOMMENDED][known].max() == 1 / 5


def fake(values, error=1.0):
    mode = Mode(layer="0", side="in", number=0, sizes=(len(values),))
    every = {score.name: np.abs(values) for score in SCORES[1:]}
    every[RECOMMENDED] = np.asarray(values, dtype=float)
    return (
        ModeScores(mode=mode, values=every, error=np.full(len(values), error), of_class={}),
    )  # fmt: skip


def test_family_wise_p_values_are_uniform_where_there_is_nothing():
    rng = np.random.default_rng(0)
    least = []
    for _ in range(100):
        rows = rng.standard_normal((20, 10))
        found = against_null(fake(rows[0]), [fake(row) for row in rows[1:]])
        least.append(found[0].p[RECOMMENDED].min())
    # Five standard deviations of a share of 100 around 0.2.
    assert abs(np.mean(np.asarray(least) <= 0.2) - 0.2) < 5 * np.sqrt(0.2 * 0.8 / 100)
    assert min(least) == pytest.approx(1 / 20)


def test_one_index_that_matters_does_not_lend_its_weight_to_others():
    rng = np.random.default_rng(1)
    least = []
    for _ in range(50):
        rows = rng.standard_normal((20, 10))
        rows[0, 0] = 1000
        found = against_null(fake(rows[0]), [fake(row) for row in rows[1:]])
        assert found[0].p[RECOMMENDED][0] == pytest.approx(1 / 20)
        least.append(found[0].p[RECOMMENDED][1:].min())
    assert np.mean(np.asarray(least) <= 0.2) < 0.2 + 5 * np.sqrt(0.2 * 0.8 / 50)


def test_added_losses_are_compared_in_their_standard_errors():
    null = [fake([value]) for value in (-1.0, 0.0, 1.0)]
    # Another value beside these three has the variance 1 + 1/3; a network whose losses are all
    # larger is not told from it.
    for scale in (1.0, 100.0):
        found = against_null(fake([5.0 * scale], error=scale), null)[0]
        assert found.z[RECOMMENDED][0] == pytest.approx(5 / np.sqrt(4 / 3))
    assert against_null(fake([0.0], error=0.0), null)[0].z[RECOMMENDED][0] == 0


def test_two_null_networks_are_too_few():
    with pytest.raises(SettingsError, match="2 null networks; wanted at least 3"):
        against_null(fake([1.0]), [fake([0.0])] * 2)


def test_names_of_modes_that_do_not_respect_sites():
    network = nn.Sequential(nn.Identity())
    mode = Mode(layer="0", side="out", number=0, sizes=(2, 3))
    assert index_names(network, mode, ()) == ("index 0", "index 1")
    network = build({**MLP, "length": 32})
    states = state_names(PLAIN, "Sz")
    blocks, strides = (
        index_names(network, Mode(layer="0.linear", side="in", number=k, sizes=(12, 8)), states)
        for k in range(2)
    )
    assert blocks[0] == "sites 0-2, the ends in part"
    assert strides[5] == "one input in 8 from Sz = -1 at site 1"


def pictures(rows=5, columns=4):
    """Two classes that the upper left pixel alone tells."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((600, rows * columns))
    y = rng.integers(2, size=600)
    x[:, 0] += 4 * y
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def test_the_pixel_that_tells_the_class_is_the_one_in_the_picture():
    x, y = pictures()
    torch.manual_seed(0)
    network = nn.Sequential(TuckerLinear((5, 4), (4,), 2), nn.Tanh(), nn.Linear(4, 2))
    network = fine_tune(network, x[:400], y[:400], epochs=20, learning_rate=1e-2)
    section = picture_section(network, x[400:], y[400:], classes=("dark", "bright"))
    assert isinstance(section, Section)
    for name in ("outer", "pixels"):
        assert section.arrays[name].shape == (2, 5, 4)
        assert (section.arrays[name].reshape(2, -1).argmax(axis=1) == 0).all()
    assert "need row 0 most" in section.verdict and "column 0 (" in section.verdict
    ((caption, figure),) = picture_figures(section)
    assert figure.axes[0].get_title() == "dark" and "pixel" in caption


def test_pictures_need_one_mode_for_rows_and_one_for_columns():
    network = nn.Sequential(TuckerLinear((20,), (4,), 2))
    with pytest.raises(SettingsError, match=r"has the modes \(20,\)"):
        picture_section(network, *pictures(), classes=("dark", "bright"))


def test_a_class_without_pictures_is_refused():
    network = nn.Sequential(TuckerLinear((5, 4), (3,), 2))
    with pytest.raises(SettingsError, match="no held-out picture of the class grey"):
        picture_section(network, *pictures(), classes=("dark", "bright", "grey"))
