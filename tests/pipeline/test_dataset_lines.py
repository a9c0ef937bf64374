"""A dataset at a glance: its facts, its lines and its figure."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import QuadMesh

from phasenet.pipeline.dataset_facts import read_facts
from phasenet.pipeline.dataset_lines import snapshot_lines
from phasenet.plots.snapshots import dataset_figure, state_colours
from phasenet.points import ParameterPoint
from phasenet.records import Column, Curve
from phasenet.shots import (
    NO_SITE,
    MatchedPair,
    SampledPoint,
    Shots,
    Snapshots,
    SnapshotsHead,
    Source,
)
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import write_snapshots

SHOTS = 40
CHAINS = (
    Source(study="one", title="One chain", hamiltonian="H_1", sites=12, boundary="finite"),
    Source(study="two", title="Two chain", hamiltonian="H_2", sites=8, boundary="infinite"),
)


def sampled(label, split, source=0, control="", **couplings):
    return SampledPoint(
        point=ParameterPoint.of(couplings),
        label=label,
        split=split,
        reason="" if label else "|eta| is 0.31",
        source=source,
        control=control,
        soft_label={"a": (0.9, 0.1), "b": (0.2, 0.8)}.get(label, (0.5, 0.5)),
    )


POINTS = (
    sampled("a", "train", D=0.0, J=1.0),
    sampled("b", "train", D=2.0, J=1.0),
    sampled("a", "validation", D=0.2, J=1.0),
    sampled("b", "validation", D=1.8, J=1.0),
    sampled("a", "test", D=0.4, J=1.0),
    sampled("b", "test", D=1.6, J=1.0),
    sampled("a", "critical", D=0.9, J=1.0),
    sampled(None, "unlabelled", D=1.0, J=1.0),
    sampled("b", "test", source=1, h=0.5),
    sampled("a", "test", source=1, h=0.7),
    sampled("a", "control", control="sign scramble", D=0.4, J=1.0),
    sampled("b", "control", control="sign scramble", D=1.6, J=1.0),
)
ONES = np.ones(len(POINTS))
HEAD = SnapshotsHead(
    site_dim=3,
    basis="random",
    basis_names=("Sx", "Sy", "Sz"),
    classes=("a", "b"),
    sources=CHAINS,
    points=POINTS,
    targets=(
        Column(name="energy", unit="J per site", meaning="m", values=ONES, errors=ONES),
        Column(name="eta", unit="1", meaning="m", values=ONES, errors=ONES),
    ),
    features=(
        Curve(name="SzSz", unit="1", meaning="m", axes=("i", "j"), values=(np.eye(4),) * 12),
    ),
    pairs=(
        MatchedPair(
            first=4, second=5, density_difference=0.012, correlation_difference=0.034, reach=4
        ),
    ),
)


def dataset():
    rng = np.random.default_rng(2)
    index = np.repeat(np.arange(len(POINTS), dtype=np.int32), SHOTS)
    spins = rng.integers(0, 4, (len(index), 12)).astype(np.uint8)
    spins[[POINTS[k].source == 1 for k in index], 8:] = NO_SITE
    # Class a is found at the first 30 of 40 shots of its points, class b always.
    likely = np.where(HEAD.label_of_point[index] == 1, 1, 0)
    likely[(HEAD.label_of_point[index] == 0) & (np.arange(len(index)) % SHOTS >= 30)] = 1
    logs = np.log(np.where(likely[:, None] == [0, 1], 0.9, 0.1))
    logs[[POINTS[k].split in ("train", "validation", "unlabelled") for k in index]] = np.nan
    return Snapshots(
        head=HEAD,
        shots=Shots(
            spins=spins,
            point_index=index,
            log_probability=np.full(len(index), np.nan),
            class_log_likelihood=logs,
            basis_index=rng.integers(0, 3, spins.shape).astype(np.uint8),
            in_training=(index == 4) & (np.arange(len(index)) % SHOTS < 8),
        ),
    )


def header(**settings):
    return Header(kind=Kind.SNAPSHOTS, settings=settings, seed=0, parents=(), study=None)


def written(path, snapshots, **settings):
    write_snapshots(path, header(**settings), snapshots)
    return read_facts(path)


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    path = tmp_path_factory.mktemp("dataset") / "toy.snapshots.h5"
    return written(path, dataset(), noise={"lost": 0.25, "flip": 0.0})


def test_facts_are_counted_point_by_point(facts):
    assert facts.shots.tolist() == [SHOTS] * len(POINTS)
    rated = [point.split in ("test", "critical") for point in POINTS]
    assert (facts.rated > 0).tolist() == rated
    # There is one class only near the transition: whoever knows that is always right.
    assert facts.right[rated].tolist() == [30, 40, 40, 40, 30]
    assert facts.bayes_accuracy("test") == (0.875, pytest.approx(0.0266, abs=3e-3))
    assert facts.repeats.tolist() == [8 if k == 4 else 0 for k in range(len(POINTS))]
    accuracies, errors = facts.point_accuracies()
    assert (accuracies[4], accuracies[6]) == (0.75, 1.0)
    assert np.isnan(errors).tolist() == np.isnan(accuracies).tolist() == [not r for r in rated]


def test_examples_are_shots_of_points_spread_over_each_class(facts):
    assert len(facts.examples) == 8
    whole = dataset()
    for point, spins in facts.examples.items():
        assert POINTS[point].label
        assert not POINTS[point].control
        own = whole.shots.spins[whole.shots.point_index == point]
        np.testing.assert_array_equal(spins, own[: len(spins)])


def test_a_dataset_in_lines(facts):
    lines = snapshot_lines(facts)
    assert lines == [
        "480 snapshots of 12 sites and 8 sites of the infinite state with 3 local states in the "
        "basis random (Sx, Sy, Sz drawn for each site)",
        "One chain (one), 12 sites: 8 points, D = 0 to 2",
        "Two chain (two), 8 sites of the infinite state: 2 points, h = 0.5 to 0.7",
        "noise: lost 0.25; likelihoods are those before it",
        "points (snapshots) of each class, labelled by their infinite states:",
        "                 train  validation    test  critical  unlabelled",
        "  a             1 (40)      1 (40)  2 (80)    1 (40)           -",
        "  b             1 (40)      1 (40)  2 (80)         -           -",
        "  undetermined       -           -       -         -      1 (40)",
        "controls: sign scramble 2 (80)",
        "alike: D = 0.4 (a) and D = 1.6 (b); densities differ by 0.012, two-point functions by "
        "0.034 up to 4 sites",
        "targets: energy (J per site), eta",
        "features: SzSz (4 x 4)",
        "Bayes optimum: right at 87.5(27) % of the test split",
        "repeats of training snapshots in the test split: 5 %",
        "soft labels: the own class has 0.800 to 0.900",
        "undetermined at D = 1: |eta| is 0.31",
    ]


def test_a_dataset_of_one_point_says_what_it_has(tmp_path):
    whole = dataset()
    kept = np.flatnonzero(whole.shots.point_index == 0)
    arrays = {n: None if value is None else value[kept] for n, value in vars(whole.shots).items()}
    head = replace(
        HEAD,
        points=(replace(POINTS[0], soft_label=()),),
        sources=CHAINS[:1],
        targets=(),
        features=(),
        pairs=(),
        basis="Sx",
        basis_names=(),
        transform="Kennedy-Tasaki",
        labelled_by="coordinate",
    )
    shots = replace(Shots(**arrays), basis_index=None, in_training=None)
    found = written(tmp_path / "one.snapshots.h5", Snapshots(head=head, shots=shots))
    assert found.repeats is None
    assert snapshot_lines(found) == [
        "40 snapshots of 12 sites with 3 local states in the basis Sx, Kennedy-Tasaki transform",
        "One chain (one): 1 point",
        "points (snapshots) of each class, labelled by their couplings alone:",
        "      train",
        "  a  1 (40)",
    ]
    figure = dataset_figure(found.head, found.examples, *found.point_accuracies(), None)
    figure.draw_without_rendering()


def test_the_figure_shows_the_shots_and_the_bayes_optimum(facts, haldane):
    accuracy, errors = facts.point_accuracies()
    figure = dataset_figure(facts.head, facts.examples, accuracy, errors, haldane.card())
    figure.draw_without_rendering()
    meshes = [c for ax in figure.axes for c in ax.collections if isinstance(c, QuadMesh)]
    assert len(meshes) == 2
    for mesh, label in zip(meshes, "ab", strict=True):
        own = [spins for k, spins in facts.examples.items() if POINTS[k].label == label]
        wanted = np.where(np.concatenate(own) == NO_SITE, 4, np.concatenate(own))
        np.testing.assert_array_equal(mesh.get_array(), wanted)
    names = {
        text.get_text() for ax in figure.axes if ax.get_legend() for text in ax.get_legend().texts
    }
    assert {"+1", "0", "−1", "lost", "a", "b", "undetermined"} <= names
    drawn = [np.asarray(line.get_ydata(), float) for ax in figure.axes for line in ax.get_lines()]
    assert any(np.array_equal(y, accuracy[[4, 5]]) for y in drawn)


def test_a_plane_is_drawn(facts):
    points = tuple(
        replace(p, point=ParameterPoint.of(D=p.point["D"], J=float(k % 3)))
        if p.source == 0 and not p.control
        else p
        for k, p in enumerate(POINTS)
    )
    head = replace(HEAD, points=points)
    figure = dataset_figure(head, facts.examples, *facts.point_accuracies(), None)
    figure.draw_without_rendering()
    assert "$J$" in {ax.get_ylabel() for ax in figure.axes}


def test_states_have_colours_of_different_brightness():
    for dim in (2, 3, 4, 5):
        assert len(set(state_colours(dim))) == dim


def test_a_dataset_without_labels(tmp_path):
    whole = dataset()
    points = tuple(
        replace(p, label=None, split="unlabelled", control="", soft_label=()) for p in POINTS
    )
    head = replace(HEAD, points=points, classes=(), labelled_by="none", pairs=())
    shots = replace(
        whole.shots, class_log_likelihood=np.zeros((len(whole.shots), 0)), in_training=None
    )
    found = written(tmp_path / "none.snapshots.h5", Snapshots(head=head, shots=shots))
    assert len(found.examples) == 4
    lines = snapshot_lines(found)
    table = lines.index("points (snapshots) of each class, not labelled:")
    assert lines[table + 1 : table + 3] == [
        "                unlabelled",
        "  undetermined    12 (480)",
    ]
    figure = dataset_figure(found.head, found.examples, *found.point_accuracies(), None)
    figure.draw_without_rendering()
