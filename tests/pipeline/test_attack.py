"""``phasenet attack`` on toy files: what it prints, what it leaves, and how it goes on."""

import contextlib
import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from phasenet.cli.main import main
from phasenet.errors import FileKindError
from phasenet.findings import Report, Section
from phasenet.networks.fitting import FitJob, architecture_for, fit
from phasenet.pipeline.attack_secret import SecretTable
from phasenet.settings import RunSettings, TrainSettings
from phasenet.storage.header import Header, Kind
from phasenet.storage.network_parts import NetworkParts
from phasenet.storage.networks import read_network, write_network
from phasenet.storage.reports import read_report
from phasenet.storage.snapshots import write_snapshots
from phasenet.trained import TrainedNetwork
from tests.networks.toy import toy_line

PLACES = [
    (label, {"D": start + 0.1 * k, "Delta": 1.0}, split)
    for label, start in (("haldane", 0.0), ("large_d", 1.0))
    for k, split in enumerate(("train", "validation", "train", "test"))
]
SETTINGS = {"channels": [4], "batch": 64, "max_epochs": 2}


def phasenet(folder, *arguments, code=0):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        found = main(arguments)
    assert found == code, err.getvalue()
    return (out if code == 0 else err).getvalue()


def dataset(path, study, seed):
    """Independent sites in a file; every seed has shots of its own."""
    card = replace(study, settings=RunSettings.checked({"train": SETTINGS})).card()
    data = toy_line(PLACES)
    rng = np.random.default_rng(seed)
    order = np.arange(len(data.shots)).reshape(len(PLACES), -1)
    # Sites are independent: other rows of each column are other shots of the same states.
    spins = np.concatenate([rng.permuted(data.shots.spins[rows], axis=0) for rows in order]).astype(
        np.uint8
    )
    data = replace(data, shots=replace(data.shots, spins=spins))
    header = Header(kind=Kind.SNAPSHOTS, settings={}, seed=seed, parents=(), study=card)
    write_snapshots(path, header, data)
    return data


@pytest.fixture(scope="module")
def made(tmp_path_factory, haldane):
    """Folder with two datasets of the same states and a classifier of the first."""
    folder = tmp_path_factory.mktemp("attack")
    for seed, name in enumerate(("toy", "fresh")):
        dataset(folder / f"{name}.snapshots.h5", haldane, seed)
    phasenet(folder, "train", "toy.snapshots.h5")
    return folder


@pytest.fixture
def folder(made, tmp_path):
    for path in made.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


MEMBERSHIP = ("attack", "toy.network.h5", "--samples", "toy.snapshots.h5", "--shadows", "2")


def test_membership_of_a_stand_in_leaves_a_report(folder):
    text = phasenet(folder, *MEMBERSHIP)
    lines = text.splitlines()
    assert lines[0] == "Attack on toy.network.h5"
    assert " on a network trained like toy.network.h5 " in f"{lines[1]} "
    for name in ("right or wrong", "loss", "shadow networks", "likelihood ratio"):
        assert any(line.strip().startswith(name) for line in lines)
    made = [f"toy.attack.report.{suffix}" for suffix in ("h5", "html", "json")]
    assert lines[-1] == f"written to {', '.join(made)}"
    assert all((folder / name).is_file() for name in made)
    assert not NetworkParts.beside(folder / made[0]).path.exists()
    assert phasenet(folder, *MEMBERSHIP).startswith("nothing to do")
    section = read_report(folder / made[0])[1].section("membership")
    assert section.arrays["auc"].shape == (4, 3)
    assert json.loads((folder / made[2]).read_text())["sections"][0]["name"] == "membership"


def test_fresh_shots_attack_the_network_itself(folder):
    command = (*MEMBERSHIP, "--fresh", "fresh.snapshots.h5", "--out", "own.report.h5")
    assert phasenet(folder, *command, "--dry-run").startswith("would make own.report.h5")
    text = phasenet(folder, *command)
    assert "trained like" not in text
    [section] = read_report(folder / "own.report.h5")[1].sections
    assert section.labels["stand_in"] == ("no",)
    assert not any("does not name" in note for note in section.notes)


def test_networks_that_are_done_are_not_trained_again(folder, monkeypatch):
    count = []

    def stopping(*arguments):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        return fit(*arguments)

    monkeypatch.setattr("phasenet.networks.fitting.fit", stopping)
    assert "stopped early" in phasenet(folder, *MEMBERSHIP, code=75)
    phasenet(folder, *MEMBERSHIP)
    assert len(count) == 4


def compressed(path):
    """The classifier as if something had been done to it since its training."""
    header, record = read_network(path)
    architecture = {**record.architecture, "channels": [5]}
    write_network(path, header, replace(record, architecture=architecture))


BAD = {
    "odd": (("--shadows", "3"), "wanted an even number"),
    "no file": (("--samples", "none.h5"), "no file none.h5"),
    "kind": (("--samples", "toy.network.h5"), "is a network file; wanted a snapshots file"),
    "same": (("--fresh", "toy.snapshots.h5"), "are those that the network was trained on"),
    "out": (("--out", "x.h5"), "wanted a name that ends in .report.h5"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(made, name):
    options, words = BAD[name]
    line = phasenet(made, *MEMBERSHIP, *options, code=1)
    assert len(line.splitlines()) <= 2
    assert words in line
    assert not (made / "toy.attack.report.h5").exists()


def test_a_network_that_was_not_trained_by_its_settings_wants_fresh_shots(folder):
    compressed(folder / "toy.network.h5")
    assert "name --fresh snapshots and --shadows 0" in phasenet(folder, *MEMBERSHIP, code=1)


def test_what_is_asked_for_is_one_thing(made):
    assert "wanted either networks to attack or --reproduce" in phasenet(made, "attack", code=1)
    two = ("attack", "toy.network.h5", "toy.network.h5")
    assert "name --secret FILE.csv" in phasenet(made, *two, code=1)
    assert "wants --samples" in phasenet(made, *two[:2], code=1)


@pytest.fixture(scope="module")
def population(tmp_path_factory, haldane):
    """Networks of two kinds of data, which differ in their share of zeros."""
    folder = tmp_path_factory.mktemp("population")
    data = dataset(folder / "toy.snapshots.h5", haldane, 0)
    settings = TrainSettings(
        architecture="mlp", width=4, depth=1, batch=64, max_epochs=3, learning_rate=3e-2
    )
    architecture, lines = architecture_for(data, settings), ["file,zeros,subset"]
    for k in range(24):
        truth = "few" if k % 2 else "many"
        zeros = (0.1, 0.6) if k % 2 else (0.4, 0.9)
        member = fit(
            toy_line(PLACES, zeros=zeros), FitJob(settings=settings, seed=k), lambda d, t: None
        )
        record = TrainedNetwork(
            architecture=architecture,
            weights=member.weights,
            classes=data.head.classes,
            history={},
            scores=(),
            outcome="",
        )
        header = Header(kind=Kind.NETWORK, settings={}, seed=k, parents=(), study=None)
        write_network(folder / f"n{k:02d}.network.h5", header, record)
        lines.append(f"n{k:02d}.network.h5,{truth},{k // 2}")
    (folder / "secrets.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_secret_of_many_networks_is_guessed(population):
    names = sorted(path.name for path in population.glob("*.network.h5"))
    command = ("attack", *names, "--secret", "secrets.csv", "--attackers", "logistic,neural")
    text = phasenet(population, *command, "--samples", "toy.snapshots.h5", "--folds", "3")
    lines = text.splitlines()
    assert lines[0] == "Attack on 24 networks"
    assert lines[1] == "the networks give zeros away"
    [section] = read_report(population / "secrets.attack.report.h5")[1].sections
    assert section.labels["views"] == (
        *("raw parameters", "canonical form", "weight spectra", "answers", "right or wrong"),
    )
    assert section.labels["classes"] == ("few", "many")
    again = phasenet(population, *command, "--samples", "toy.snapshots.h5", "--folds", "3")
    assert again.startswith("nothing to do")


def test_a_bad_table_is_one_line(population, tmp_path):
    shutil.copy(population / "n00.network.h5", tmp_path)
    command = ("attack", "n00.network.h5", "--secret", "secrets.csv")
    assert "no file secrets.csv" in phasenet(tmp_path, *command, code=1)
    table = tmp_path / "secrets.csv"
    for text, words in {
        "file,p,group\n": "has 1 rows; wanted a head",
        "file,p,group\na,b\n": "has the row 'a,b'",
        "file,p,group\na.h5,1,1\na.h5,2,1\n": "names a file twice",
        "file,p,group\na.h5,1,1\n": "n00.network.h5 is no file of the table",
        "file,p,group\nn00.network.h5,1,1\n": "all networks have the same secret",
    }.items():
        table.write_text(text)
        assert words in phasenet(tmp_path, *command, code=1)
    bad = phasenet(tmp_path, *command, "--attackers", "guess", code=1)
    assert "wanted some of logistic, boosted, neural" in bad
    table.write_bytes(b"\xff\xfe")
    with pytest.raises(FileKindError, match="is no CSV"):
        SecretTable.read(table)


def test_a_study_is_run_and_its_parts_go(tmp_path, monkeypatch):
    asked = []

    def study(name, *, models, seed, reporter, parts):
        asked.append((name, models, seed))
        parts.mkdir()
        section = Section(name="privacy", title="Privacy?", verdict="the parameters tell: 0.97")
        return Report(title="A study", verdict="the parameters tell", sections=(section,))

    monkeypatch.setattr("phasenet.pipeline.privacy_study.run_study", study)
    command = ("attack", "--reproduce", "digits", "--models", "40", "--seed", "2")
    assert phasenet(tmp_path, *command).startswith("A study\nthe parameters tell\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"digits.attack.report.{suffix}" for suffix in ("h5", "html", "json")
    ]
    assert phasenet(tmp_path, *command).startswith("nothing to do")
    assert asked == [("digits", 40, 2)]
