"""``phasenet train`` on toy datasets: what it prints, what it leaves, and how it goes on."""

import contextlib
import io
import json
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from phasenet.cli.main import main
from phasenet.errors import FileKindError
from phasenet.networks.search import SearchAxis
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.train import TrainOptions, draw_learning, network_product, train
from phasenet.settings import RunSettings
from phasenet.storage.container import Content, read_content, read_header, write_file
from phasenet.storage.header import Header, Kind
from phasenet.storage.network_parts import NetworkParts
from phasenet.storage.networks import read_network
from phasenet.storage.snapshots import write_snapshots
from tests.networks.toy import toy_line

SPLITS = ("train", "validation", "train", "test", "train", "critical")


@pytest.fixture
def folder(tmp_path, haldane):
    """Folder with a dataset of independent sites."""
    return with_dataset(tmp_path, haldane)


@pytest.fixture(scope="module")
def made(tmp_path_factory, haldane):
    """Folder with the classifier of two seeds as well, to be left as it is."""
    folder = with_dataset(tmp_path_factory.mktemp("made"), haldane)
    phasenet(folder, "train", "toy.snapshots.h5", "--seeds", "2")
    return folder


@pytest.fixture
def undrawn(monkeypatch):
    """No figures, which take longer than the networks."""
    monkeypatch.setattr("phasenet.pipeline.train.draw_learning", lambda path, network: path)


def with_dataset(folder, study):
    places = [
        (label, {"D": start + 0.1 * k, "Delta": 1.0}, split)
        for label, start in (("haldane", 0.0), ("large_d", 1.0))
        for k, split in enumerate(SPLITS)
    ]
    card = card_of(study)
    header = Header(kind=Kind.SNAPSHOTS, settings={}, seed=0, parents=(), study=card)
    write_snapshots(folder / "toy.snapshots.h5", header, toy_line(places))
    return folder


def card_of(study, **changes):
    settings = {"train": {"channels": [4], "batch": 64, "max_epochs": 3, **changes}}
    return replace(study, settings=RunSettings.checked(settings)).card()


def phasenet(folder, *arguments, code=0):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        found = main(arguments)
    assert found == code, err.getvalue()
    return (out if code == 0 else err).getvalue()


def test_one_command_leaves_a_file_and_a_figure(folder):
    text = phasenet(folder, "train", "toy.snapshots.h5")
    assert text.splitlines()[-1] == "written to toy.network.h5 and toy.network.png"
    assert {p.name for p in folder.iterdir()} == {
        *("toy.snapshots.h5", "toy.network.h5", "toy.network.png")
    }
    assert (folder / "toy.network.png").read_bytes()[1:4] == b"PNG"
    for words in (
        "convolutional classifier of haldane, large_d: 50 weights",
        "(local features ",
        "calibration of the network: temperature ",
        "% by chance alone; 15 bins",
    ):
        assert words in text
    assert phasenet(folder, "train", "toy.snapshots.h5").startswith("nothing to do")
    shown = phasenet(folder, "show", "toy.network.h5")
    assert all(line in shown for line in text.splitlines()[:-1])


@pytest.mark.slow
def test_a_missing_figure_is_drawn_again_without_training(folder):
    phasenet(folder, "train", "toy.snapshots.h5")
    before = (folder / "toy.network.h5").stat().st_mtime_ns
    (folder / "toy.network.png").unlink()
    assert "drawn again: toy.network.png" in phasenet(folder, "train", "toy.snapshots.h5")
    assert (folder / "toy.network.png").is_file()
    assert (folder / "toy.network.h5").stat().st_mtime_ns == before


@pytest.mark.slow
def test_everything_at_once(folder):
    command = (
        *("train", "toy.snapshots.h5", "--seeds", "2", "--cross-validate", "2"),
        *("--search", "learning_rate=1e-6,1e-2", "--search", "channels=[4],[4,4]"),
        *("--set", "max_epochs=2"),
    )
    dry = phasenet(folder, *command, "--dry-run").splitlines()
    assert dry[0] == "search over 4 settings:"
    assert dry[2] == "  learning_rate = 1e-06, channels = 4,4"
    assert dry[-1] == "would make toy.network.h5"
    text = phasenet(folder, *command)
    assert "over 2 seeds (ensemble " in text
    assert "cross-validation over 2 regions: " in text
    assert "  without D = 0 to 0.1 and D = 1 to 1.1: " in text
    assert "search over 4 settings, by the validation loss" in text
    [chosen] = [line for line in text.splitlines() if line.endswith("<- chosen")]
    assert "learning_rate = 0.01" in chosen
    header, network = read_network(folder / "toy.network.h5")
    assert network.settings["learning_rate"] == 0.01
    assert network.settings["max_epochs"] == 2
    assert header.study.run_settings().train.as_dict() == network.settings
    assert header.settings["cross_validation"] == 2
    assert len(network.candidates) == 4
    assert phasenet(folder, *command).startswith("nothing to do")
    shown = phasenet(folder, "show", "toy.network.h5")
    assert all(line in shown for line in text.splitlines()[:-1])


def test_the_winner_is_the_network_that_its_settings_give(folder, undrawn):
    phasenet(folder, "train", "toy.snapshots.h5", "--search", "learning_rate=1e-6,1e-2")
    phasenet(
        folder,
        *("train", "toy.snapshots.h5", "--set", "learning_rate=1e-2", "--out", "one.network.h5"),
    )
    found, alone = (read_network(folder / f"{n}.network.h5")[1] for n in ("toy", "one"))
    assert all(np.array_equal(found.weights[n], alone.weights[n]) for n in alone.weights)


def test_the_same_seed_gives_the_same_file(folder, made, undrawn):
    for seed in (0, 1):
        command = ("train", "toy.snapshots.h5", "--seeds", "2", "--set", f"seed={seed}")
        phasenet(folder, *command, "--out", f"{seed}.network.h5")
    ids = [read_header(folder / f"{seed}.network.h5").id for seed in (0, 1)]
    assert read_header(made / "toy.network.h5").id == ids[0] != ids[1]


class Impatient(SilentReporter):
    """Interrupts the work at a piece of a stage, and counts the pieces."""

    def __init__(self, title="", piece=0):
        self.limit, self.title, self.heard = (title, piece), "", []

    def begin(self, title, total):
        self.title = title

    def advance(self, done, text):
        self.heard.append((self.title, done, text))
        if (self.title, done) == self.limit:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "piece", "kept"),
    [
        ("search over 2 settings", 5, 1),
        ("training", 5, 2),
        ("cross-validation", 4, 4),
    ],
)
def test_networks_that_are_done_are_kept_when_the_work_is_stopped(
    folder, haldane, undrawn, stage, piece, kept
):
    card = card_of(haldane, seeds=2)
    options = TrainOptions(regions=2, axes=(SearchAxis.of("weight_decay=0,0.1"),))
    snapshots, out = folder / "toy.snapshots.h5", folder / "toy.network.h5"
    product = network_product(snapshots, out, card, options)
    with pytest.raises(KeyboardInterrupt):
        train(snapshots, product, card, options, reporter=Impatient(stage, piece))
    assert not out.exists()
    parts = NetworkParts.beside(out).path
    assert len(list(parts.iterdir())) == kept
    second = Impatient()
    network = train(snapshots, product, card, options, reporter=second)
    assert sum("validation loss" in text for *_, text in second.heard) == 3 * (5 - kept)
    assert not parts.exists()
    whole = network_product(snapshots, folder / "whole.network.h5", card, options)
    train(snapshots, whole, card, options, reporter=SilentReporter())
    assert read_header(out).id == read_header(folder / "whole.network.h5").id
    assert len(network.cross_validation) == 4


def test_a_part_that_is_damaged_counts_as_missing(made, tmp_path):
    parts = NetworkParts.beside(tmp_path / "toy.network.h5")
    member, _ = read_network(made / "toy.network.h5")[1].all_members
    parts.write("aa", member)
    assert parts.read("aa").outcome == member.outcome
    (parts.path / "bb.h5").write_bytes((parts.path / "aa.h5").read_bytes())
    (parts.path / "cc.h5").write_bytes((parts.path / "aa.h5").read_bytes()[:1000])
    assert [parts.read(key) for key in ("bb", "cc", "dd")] == [None, None, None]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "architecture=dense"), "train.architecture' is 'dense'"),
        (("--set", "kernel=99"), "the network sees 99 at once"),
        (("--set", "width=8"), "does not use it"),
        (("--set", "shots=8"), "wanted a setting of train"),
        (("--search", "widht=1,2"), "did you mean 'width'"),
        (("--search", "kernel=3,99"), "the network sees 99 at once"),
        (("--cross-validate", "1"), "wanted 2 or more"),
        (("--cross-validate", "6"), "phase haldane has 5 points to train and test on"),
    ],
)
def test_what_cannot_be_done_is_one_line(folder, arguments, words):
    text = phasenet(folder, "train", "toy.snapshots.h5", *arguments, code=1)
    last = text.splitlines()[-1]
    assert last.startswith("phasenet: ")
    assert words in last
    assert not (folder / "toy.network.h5").exists()


def changed(path, change):
    """The file with other content, and the id of that content."""
    header, content = read_content(path, Kind.NETWORK)
    arrays, values = dict(content.arrays), dict(content.values)
    change(arrays, values)
    write_file(path, header, Content(arrays=arrays, values=values))


STRANGE = {
    "history": lambda a, v: a.update({"history/train_loss": np.zeros((2, 2))}),
    "weights": lambda a, v: a.update({"weights/readout.bias": np.zeros(2, dtype=complex)}),
    "members": lambda a, v: a.update({"members/1/weights/readout.bias": np.zeros(3)}),
    "members-missing": lambda a, v: v.update({"outcomes": '["one", "two", "three"]'}),
    "bins": lambda a, v: a.update({"calibration/network/before": np.zeros((2, 5))}),
    "temperature": lambda a, v: v.update({"temperatures": '{"network": -1.0}'}),
    "temperature-text": lambda a, v: v.update({"temperatures": '["network"]'}),
    "scores": lambda a, v: v.update({"scores": '[{"classifier": "network"}]'}),
    "score-text": lambda a, v: v.update({"scores": v["scores"].replace("0.", '"x", "y": 0.')}),
    "architecture": lambda a, v: v.update({"architecture": "[1]"}),
    "candidates": lambda a, v: v.update({"candidates": "[[1]]"}),
    "json": lambda a, v: v.update({"classes": "{"}),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_file_of_a_stranger_is_one_line(made, tmp_path, name):
    path = tmp_path / "toy.network.h5"
    shutil.copy(made / "toy.network.h5", path)
    changed(path, STRANGE[name])
    with pytest.raises(FileKindError, match=r"toy\.network\.h5"):
        read_network(path)
    assert len(phasenet(tmp_path, "show", "toy.network.h5", code=1).splitlines()) == 1


def test_files_of_format_1_are_read_shown_and_drawn(made, tmp_path):
    path = tmp_path / "toy.network.h5"
    shutil.copy(made / "toy.network.h5", path)

    def older(arrays, values):
        for name in list(arrays):
            if name.startswith(("calibration", "members")) or name.endswith("accuracy"):
                del arrays[name]
        known = ("architecture", "classes", "scores", "outcome")
        for name in list(values):
            if name not in known:
                del values[name]

    changed(path, older)
    _, network = read_network(path)
    assert (network.members, network.calibrations, network.temperature) == ((), {}, 1.0)
    assert network.cross_validation == network.candidates == ()
    assert np.isnan(network.flops)
    assert "calibration" not in phasenet(tmp_path, "show", "toy.network.h5")
    assert draw_learning(path).is_file()


def test_the_file_holds_plain_arrays_and_json(made):
    with h5py.File(made / "toy.network.h5") as file:
        assert file.attrs["format_version"] == 2
        assert file["members/1/weights/readout.bias"].shape == (2,)
        assert file["calibration/ensemble/after"].shape[0] == 3
        for name, value in file["record"].attrs.items():
            if name not in ("outcome", "flops"):
                json.loads(value)
