"""Datasets of real ground states: resumed, divided, controlled, measured in other bases."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.special import logsumexp

from phasenet.cli.main import main
from phasenet.errors import SettingsError
from phasenet.overrides import Overrides, changed_settings
from phasenet.pipeline.dataset_plan import ChainOfDataset, DatasetPlan, plan_of_states
from phasenet.pipeline.product import card_of
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.sample import check_measurement, sample
from phasenet.recipes import Region
from phasenet.settings import RunSettings
from phasenet.storage.locks import Shard
from phasenet.storage.snapshots import read_snapshots
from phasenet.storage.states import read_state

STATES = sorted((Path(__file__).resolve().parents[2] / "datasets/sample/states").glob("*.h5"))
SMALL = ("shots=200",)


def plan_with(*assignments, **changes):
    card = card_of(STATES[0])
    changed = Overrides.of_options(assignments=[*SMALL, *assignments])
    groups = ("", "sample", "noise", "controls", "features")
    settings = changed_settings(card.run_settings(), changed, groups)
    plan = plan_of_states(STATES, replace(card, settings=settings.as_dict()))
    return replace(plan, **changes)


def made(plan, path, workers=1):
    sample(plan, plan.product(path), reporter=SilentReporter(), workers=workers)
    return read_snapshots(path)[1]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "a.snapshots.h5"
    return path, made(plan_with(), path)


def arrays(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_every_shot_has_its_label_its_probability_and_the_bayes_score(plain):
    _, found = plain
    head, shots = found.head, found.shots
    assert head.classes == ("haldane", "large_d")
    assert shots.spins.shape == (8 * 200, 16)
    assert [p.label for p in head.points] == ["haldane"] * 4 + ["large_d"] * 4
    for split in ("train", "validation", "test"):
        chosen = found.in_split(split)
        assert set(found.label_index[chosen]) == {0, 1}
        likely = shots.class_log_likelihood[chosen]
        assert np.isfinite(likely).all()
        right = (likely.argmax(axis=1) == found.label_index[chosen]).mean()
        assert right > 0.8
        # A shot is one of its own state's, which is part of the mixture of its class.
        own = likely[np.arange(len(chosen)), found.label_index[chosen]]
        members = [len(head.points_in(split)) for _ in chosen]
        assert (own >= shots.log_probability[chosen] - np.log(members) - 1e-9).all()
    names = {column.name for column in head.targets}
    assert {"correlation_length", "energy_infinite", "string_z_infinite"} <= names, names
    for column in head.targets:
        assert column.values.shape == (8,)
    assert all(
        len(p.soft_label) == 2 and sum(p.soft_label) == pytest.approx(1) for p in head.points
    )
    assert shots.in_training is not None
    train = {row.tobytes() for row in shots.spins[found.in_split("train")]}
    test = found.in_split("test")
    repeated = [shots.spins[k].tobytes() in train for k in test]
    assert shots.in_training[test].tolist() == repeated
    assert 0 < sum(repeated) < len(test)


def test_likelihoods_are_those_of_the_amplitudes(plain):
    _, found = plain
    head, shots = found.head, found.shots
    trains = {k: read_state(path)[1].train for k, path in enumerate(chains())}
    for split in ("train", "test"):
        chosen = found.in_split(split)[::37]
        for column, name in enumerate(head.classes):
            members = [k for k in head.points_in(split) if head.points[k].label == name]
            logs = [log_square(trains[k], shots.spins[chosen]) for k in members]
            exact = logsumexp(logs, axis=0) - np.log(len(members))
            np.testing.assert_allclose(
                shots.class_log_likelihood[chosen, column], exact, rtol=1e-9, atol=1e-9
            )
    for k, train in trains.items():
        rows = np.flatnonzero(shots.point_index == k)[:50]
        exact = log_square(train, shots.spins[rows])
        np.testing.assert_allclose(shots.log_probability[rows], exact, rtol=1e-9, atol=1e-9)


def chains():
    return [path for path in STATES if ".finite." in path.name]


def log_square(train, spins):
    values, scale = train.log_values(spins.astype(np.int64))
    with np.errstate(divide="ignore"):
        return 2 * (np.log(np.abs(values)) + scale)


@pytest.mark.slow
def test_workers_shards_and_their_merge_give_the_same_file(plain, tmp_path):
    from phasenet.pipeline.merge_snapshots import merge_snapshots

    path, _ = plain
    two = tmp_path / "two.snapshots.h5"
    made(plan_with(), two, workers=2)
    same(arrays(path), arrays(two))
    parts = [tmp_path / f"{k}.snapshots.h5" for k in (1, 2, 3)]
    for k, part in enumerate(parts, start=1):
        made(plan_with(shard=Shard(number=k, count=3)), part)
    joined = merge_snapshots([parts[2], parts[0], parts[1]], tmp_path / "all.snapshots.h5")
    same(arrays(path), arrays(tmp_path / "all.snapshots.h5"))
    header, _ = read_snapshots(path)
    assert (joined.id, joined.key) == (header.id, header.key)
    assert not list(tmp_path.glob("*.parts"))


@pytest.mark.slow
def test_a_dataset_that_was_killed_and_resumed_is_the_same(tmp_path):
    command = [sys.executable, "-m", "phasenet.cli.main", "sample", str(STATES[0].parent)]
    command += ["--set", "shots=20000", "--set", "likelihood=none", "--workers", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    whole, killed = tmp_path / "whole.snapshots.h5", tmp_path / "killed.snapshots.h5"
    process = subprocess.Popen(
        [*command, "--out", str(killed)], env=environment, start_new_session=True
    )
    parts = killed.with_name(f"{killed.name}.parts")
    deadline = time.monotonic() + 120
    while len(list(parts.glob("*.h5"))) < 3:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, "no part was written"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not killed.exists()
    before = {part: part.stat().st_mtime_ns for part in parts.glob("*.h5")}
    assert before
    told = subprocess.run(
        [*command, "--out", str(killed)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "blocks are there" in told.stderr + told.stdout
    assert not parts.exists()
    subprocess.run([*command, "--out", str(whole)], env=environment, check=True)
    same(arrays(whole), arrays(killed))
    assert read_snapshots(whole)[0].id == read_snapshots(killed)[0].id


def test_controls_are_copies_of_test_shots(plain, tmp_path):
    _, before = plain
    plan = plan_with("copies=sign scramble,block flip 4,zero shuffle", "matched=2")
    found = made(plan, tmp_path / "a.snapshots.h5")
    head, shots = found.head, found.shots
    tests = before.head.points_in("test")
    assert [p.control for p in head.points[8:]] == [
        name for name in ("sign scramble", "block flip 4", "zero shuffle") for _ in tests
    ]
    measured = shots.point_index < 8
    np.testing.assert_array_equal(shots.spins[measured], before.shots.spins)
    zeros = shots.spins == 1
    for k, point in enumerate(head.points[8:], start=8):
        origin = next(j for j in tests if head.points[j].point == point.point)
        assert (point.label, point.split) == (head.points[origin].label, "control")
        mine, theirs = shots.point_index == k, shots.point_index == origin
        assert not np.array_equal(shots.spins[mine], shots.spins[theirs])
        kept = np.array_equal(zeros[mine], zeros[theirs])
        assert kept == (point.control != "zero shuffle")
        assert np.isfinite(shots.class_log_likelihood[mine]).any()
    for column in head.targets:
        assert len(column.values) == len(head.points)
    for pair in head.pairs:
        assert {head.points[pair.first].label, head.points[pair.second].label} == set(head.classes)
    assert len(head.pairs) == 2


def test_noise_is_applied_after_sampling_and_recorded(plain, tmp_path):
    _, before = plain
    path = tmp_path / "a.snapshots.h5"
    found = made(plan_with("noise.flip=0.05", "noise.lost=0.1"), path)
    header, _ = read_snapshots(path)
    assert header.settings["noise"] == {"flip": 0.05, "lost": 0.1}
    lost = found.shots.spins == 3
    assert lost.mean() == pytest.approx(0.1, abs=0.01)
    changed = (found.shots.spins != before.shots.spins)[~lost]
    assert changed.mean() == pytest.approx(0.05, abs=0.01)
    np.testing.assert_array_equal(found.shots.log_probability, before.shots.log_probability)
    np.testing.assert_array_equal(
        found.shots.class_log_likelihood, before.shots.class_log_likelihood
    )


@pytest.mark.parametrize(
    "basis",
    [
        "random",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("Sx", "unbiased", "Sx,Sz")),
    ],
)
def test_other_bases_are_sampled_with_exact_probabilities(basis, tmp_path):
    found = made(plan_with(f"basis={basis}", "phases=true"), tmp_path / "a.snapshots.h5")
    shots = found.shots
    assert (shots.basis_index is not None) == (basis in ("random", "unbiased"))
    assert np.isfinite(shots.log_probability).all()
    assert shots.phase is not None and np.abs(shots.phase).max() <= np.pi + 1e-12
    assert found.head.basis == basis
    if basis == "random":
        assert found.head.basis_names == ("Sx", "Sy", "Sz")
        assert set(np.unique(shots.basis_index)) == {0, 1, 2}


@pytest.mark.slow
def test_windows_of_infinite_states_need_no_open_chain(tmp_path):
    plan = plan_with("window=12")
    chain = plan.chains[0]
    infinite = tuple(path for path in chain.states if "infinite" in path.name)
    plan = replace(plan, chains=(replace(chain, states=infinite),))
    found = made(plan, tmp_path / "a.snapshots.h5")
    assert found.shots.spins.shape == (8 * 200, 12)
    assert found.head.sources[0].boundary == "infinite"
    assert np.isfinite(found.shots.log_probability).all()


@pytest.mark.slow
def test_kennedy_tasaki_turns_string_order_into_magnetisation(plain, tmp_path):
    _, before = plain
    found = made(plan_with("transform=Kennedy-Tasaki"), tmp_path / "a.snapshots.h5")
    assert found.head.transform == "Kennedy-Tasaki"

    def square(shots, kind):
        chosen = kind.label_index == 0
        spins = 1 - shots.spins[chosen][:, 4:12].astype(int)
        return (spins.mean(axis=1) ** 2).mean()

    assert square(found.shots, found) > 3 * square(before.shots, before)


@pytest.mark.slow
def test_features_and_labels_by_coordinate_are_recorded(tmp_path):
    regions = (
        Region(name="left", ranges=(("D", 0, 1),)),
        Region(name="right", ranges=(("D", 1, 3),)),
    )
    plan = plan_with(
        "label=coordinate", "correlators=Sz Sz", "density_matrix=2", "spectrum=4", labels=regions
    )
    path = tmp_path / "a.snapshots.h5"
    found = made(plan, path)
    header, _ = read_snapshots(path)
    assert header.settings["sample"]["label"] == "coordinate"
    assert header.settings["labels"] == [["left", [["D", 0, 1]]], ["right", [["D", 1, 3]]]]
    assert found.head.labelled_by == "coordinate"
    # By state one point of each side is close to the transition.
    assert "critical" not in {p.split for p in found.head.points}
    assert found.head.classes == ("left", "right")
    assert all("by coordinate" in p.reason for p in found.head.points)
    assert len(found.head.features) == 3
    assert all(len(curve.values) == 8 for curve in found.head.features)


@pytest.mark.slow
def test_another_hamiltonian_is_the_test_set(tmp_path):
    plan = plan_with()
    chain = plan.chains[0]
    split = [tuple(p for p in STATES if (f"D={d}," in p.name)) for d in (0, 0.2, 0.4, 0.8)]
    low = tuple(p for part in split[:3] for p in part)
    assert low
    train = replace(chain, split="train")
    other = ChainOfDataset(
        card=replace(chain.card, name="other", title="Other"),
        states=STATES,
        split="test",
        classes={"haldane": "topological", "large_d": "trivial"},
    )
    train = replace(train, classes=other.classes)
    found = made(DatasetPlan(chains=(train, other)), tmp_path / "a.snapshots.h5")
    assert found.head.classes == ("topological", "trivial")
    assert [s.study for s in found.head.sources] == ["haldane", "other"]
    for point in found.head.points:
        assert point.split in (("train", "validation"), ("test",))[point.source] + ("critical",)
    header, _ = read_snapshots(tmp_path / "a.snapshots.h5")
    assert [p.title for p in header.study.phases] == ["topological", "trivial"]
    # Both chains have the same points here, but streams of their own.
    one, two = found.shots.spins[:200], found.shots.spins[1600:1800]
    assert not np.array_equal(one, two)


@pytest.mark.parametrize(
    ("settings", "site_dim", "said"),
    [
        ({"sample": {"transform": "Kennedy-Tasaki"}}, 2, "it is for integer spins"),
        ({"sample": {"transform": "Kennedy-Tasaki", "basis": "Sx"}}, 3, "in the basis Sz"),
        (
            {"sample": {"transform": "Kennedy-Tasaki"}, "noise": {"lost": 0.1}},
            3,
            "a lost site has no sign",
        ),
        ({"sample": {"phases": True, "window": 8}}, 3, "has none; set sample.window = 0"),
        ({"controls": {"copies": ["sign scrambel"]}}, 3, "sign scramble"),
        ({"noise": {"confusion": [[1.0, 0.0], [0.0, 1.0]]}}, 3, "confusion"),
        ({"sample": {"basis": "unbiased"}}, 4, "unbiased"),
    ],
)
def test_what_cannot_be_measured_is_one_line(settings, site_dim, said):
    with pytest.raises(SettingsError, match=said) as error:
        check_measurement(RunSettings.checked(settings), site_dim)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("finite.max_bond=8", "decides how ground states are found"),
        ("shot=8", "did you mean 'shots'"),
        ("basis=Sw", "wanted one of Sz, Sx, Sy, random, unbiased"),
    ],
)
def test_a_setting_that_cannot_be_changed_is_one_line(assignment, said, capsys):
    assert main(["sample", str(STATES[0].parent), "--set", assignment]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
