"""``phasenet protect`` on the committed sample of a run."""

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

import phasenet
from phasenet.cli.main import main
from phasenet.networks.compression.whole import logits_of, samples_of
from phasenet.privacy.gauges import ProtectSettings
from phasenet.privacy.protect import bench_of, retrained
from phasenet.storage.container import read_header
from phasenet.storage.networks import read_network
from phasenet.storage.reports import read_report
from phasenet.storage.snapshots import read_snapshots
from phasenet.tensorizer.sketch import sketch
from phasenet.trains.canonical import canonical

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A network and its dataset."""
    place = tmp_path_factory.mktemp("protected")
    for kind in ("network", "snapshots"):
        shutil.copy(SAMPLE / f"haldane.{kind}.h5", place)
    return place


@pytest.fixture(scope="module")
def published(folder):
    """Path of the published network, made once."""
    assert main(["protect", str(folder / "haldane.network.h5"), "--rank", "8"]) == 0
    return folder / "haldane.protected.network.h5"


def logits(path, folder):
    _, data = read_snapshots(folder / "haldane.snapshots.h5")
    states = torch.from_numpy(data.configurations(data.in_split("test")).astype(np.int64))
    with torch.no_grad():
        return phasenet.load_network(path)(states).double().numpy()


def test_published_network_is_the_function(published, folder):
    _, report = read_report(folder / "haldane.protected.report.h5")
    section = report.sections[0]
    stored = section.arrays["published_logits"]
    read = logits(published, folder)
    assert np.abs(read - stored).max() < 1e-4 * np.abs(stored).max()
    original = logits(folder / "haldane.network.h5", folder)
    assert np.mean(read.argmax(axis=1) == original.argmax(axis=1)) > 0.9
    assert section.arrays["gauge_change"] < 1e-10
    assert section.arrays["orthogonal_changes"].max() < 1e-13
    assert section.arrays["twin_changes"].max() < 1e-8
    assert section.arrays["published_changes"].max() > 0.01


def test_published_file_holds_nothing_of_the_original(published, folder):
    header, record = read_network(published)
    original, first = read_network(folder / "haldane.network.h5")
    assert (header.parents, header.seed, dict(header.settings)) == ((), 0, {})
    assert (dict(record.history), dict(record.settings), record.members) == ({}, {}, ())
    assert {score.split for score in record.scores} == {"test"}
    image = published.read_bytes()
    for text in (original.id, original.created, *(p.id for p in original.parents)):
        assert text.encode() not in image
    with h5py.File(published) as file:
        assert set(file) == {"record", "weights"}
    numbers = np.concatenate([array.ravel() for array in record.weights.values()])
    weights = np.concatenate([array.ravel() for array in first.weights.values()])
    assert not np.isin(np.abs(numbers), np.abs(weights)).mean() > 0.01
    assert header.study is not None
    assert header.study.settings != original.study.settings


def test_it_is_up_to_date_until_another_is_asked_for(published, folder, capsys):
    network = str(folder / "haldane.network.h5")
    assert main(["protect", network, "--rank", "8"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["protect", network, "--rank", "4", "--dry-run"]) == 0
    assert "would make" in capsys.readouterr().out


def test_show_and_tensorize_read_it(published, folder, capsys):
    assert main(["show", str(published)]) == 0
    shown = capsys.readouterr().out
    assert "train classifier of haldane, large_d" in shown
    samples = str(folder / "haldane.snapshots.h5")
    arguments = ["tensorize", str(published), "--samples", samples, "--max-rank", "16"]
    assert main([*arguments, "--dry-run"]) == 0
    assert "haldane.protected.train.h5" in capsys.readouterr().out


@pytest.mark.slow
def test_seed_repeats_a_gauge_and_entropy_does_not(published, folder, capsys):
    def cores(name, *options):
        out = folder / f"{name}.network.h5"
        arguments = [str(folder / "haldane.network.h5"), "--rank", "8", "--out", str(out)]
        assert main(["protect", *arguments, *options]) == 0
        return read_network(out)[1].weights["cores.3"]

    again = cores("again")
    assert not np.allclose(again, read_network(published)[1].weights["cores.3"])
    one, two = (cores(f"seeded{k}", "--seed", "4", "--gauge", "orthogonal") for k in range(2))
    assert np.array_equal(one, two)
    assert "whoever knows it can take the gauge off" in capsys.readouterr().out


@pytest.mark.slow
def test_retraining_raises_the_accuracy_of_a_bad_train(folder):
    _, record = read_network(folder / "haldane.network.h5")
    _, data = read_snapshots(folder / "haldane.snapshots.h5")
    bench = bench_of(record, data, ProtectSettings(), seed=0)
    shots, dim = samples_of(bench, 0)
    dims = (dim,) * shots.shape[1]
    good = sketch(logits_of(bench.subject), samples=shots, site_dims=dims, max_rank=8).train
    good, rng = canonical(good, len(dims) - 1), np.random.default_rng(0)
    noise = [0.3 * np.sqrt(np.mean(c**2)) * rng.normal(size=c.shape) for c in good.cores]
    bad = replace(good, cores=tuple(c + n for c, n in zip(good.cores, noise, strict=True)))
    test = bench.task.test
    before, after = (
        float((train(test.x.numpy()).argmax(axis=1) == test.y.numpy()).mean())
        for train in (bad, retrained(bench, bad, ProtectSettings(epochs=40)))
    )
    assert after > before + 0.05
    assert retrained(bench, bad, ProtectSettings()) is bad


def test_report_is_told_from_what_is_published(published, folder):
    report = folder / "haldane.protected.report.h5"
    names = [parent.name for parent in read_header(report).parents]
    assert names == ["haldane.network.h5", "haldane.snapshots.h5"]
    page = (folder / "haldane.protected.report.html").read_text(encoding="utf-8")
    assert "hides parameters, not the function" in page


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--samples", "none.snapshots.h5"), "no file none.snapshots.h5"),
        (("--epochs", "-1"), "protect setting 'epochs' is -1"),
        (("--seed", "-1"), "the seed of the gauge is -1"),
        (("--condition", "0"), "protect setting 'condition' is 0.0"),
    ],
)
def test_bad_options_are_one_line(folder, capsys, options, message):
    assert main(["protect", str(folder / "haldane.network.h5"), *options]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_network_is_never_overwritten(folder, capsys):
    network = folder / "haldane.network.h5"
    before = network.read_bytes()
    assert main(["protect", str(network), "--out", str(network)]) == 1
    assert "is the network itself" in capsys.readouterr().err
    assert network.read_bytes() == before
