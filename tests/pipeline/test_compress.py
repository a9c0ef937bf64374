"""``phasenet compress`` from the command line, on a stranger's module and on a run of ours."""

import csv
import re

import numpy as np
import pytest
import torch

import phasenet
from phasenet.compression import NARROW
from phasenet.networks.compression import curve as curve_module
from phasenet.pipeline import compress_choice
from phasenet.storage.compression import read_compression
from phasenet.storage.container import read_header
from phasenet.storage.header import Kind

SOURCE = """
import torch
from torch import nn


def net():
    torch.manual_seed(0)
    hidden = [nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU()]
    return nn.Sequential(*hidden, nn.Linear(24, 3))


def number():
    return 3
"""
QUICK = (
    "--seeds",
    "2",
    "--set",
    "epochs=1",
    "--set",
    "scratch_epochs=4",
    "--set",
    "batch=64",
    "--set",
    "least_steps=1",
)
FEW = (*QUICK, "--families", "low rank,narrow dense", "--ratios", "2,5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A module, its trained weights and its data."""
    place = tmp_path_factory.mktemp("strangers")
    (place / "nets.py").write_text(SOURCE, encoding="utf-8")
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=900)
    x = (rng.standard_normal((900, 12)) + 1.5 * np.eye(3, 12)[y]).astype(np.float32)
    np.savez(place / "data.npz", x=x, y=y, split=np.repeat([0, 1, 2], 300))
    space: dict = {}
    exec(SOURCE, space)
    network = space["net"]()
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(40):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(
            network(torch.tensor(x[:300])), torch.tensor(y[:300])
        )
        loss.backward()
        optimiser.step()
    torch.save(network.state_dict(), place / "net.pt")
    return place


@pytest.fixture
def strangers(folder, fresh):
    """Command line in a folder of its own with the files of the stranger."""
    for path in folder.iterdir():
        (fresh.folder / path.name).write_bytes(path.read_bytes())
    return fresh


COMMAND = ("compress", "nets.py:net", "--weights", "net.pt", "--data", "data.npz", *FEW)


def test_a_module_is_compressed_drawn_chosen_and_put_together_again(strangers):
    text = strangers.here(*COMMAND, "--ratio", "4")
    here = strangers.folder
    header, curve = read_compression(here / "net.compression.h5")
    assert header.kind is Kind.COMPRESSION
    assert [str(row.candidate) for row in curve.rows if not row.candidate.method] == [
        "low rank 2x",
        "narrow dense 2x",
        "low rank 5x",
        "narrow dense 5x",
    ]
    trains = [row for row in curve.rows if row.candidate.method]
    assert {row.note for row in trains} == {"inputs are no chains of local states"}
    assert {score.classifier for score in curve.nulls} == {"largest class", "logistic regression"}
    assert "chosen on the validation shots (best at 4x)" in text
    assert "narrow dense network" in text
    chosen = phasenet.read_network(here / "net.compressed.network.h5")[1]
    weights = sum(array.size for array in chosen.weights.values())
    assert weights <= curve.original.parameters / 4
    for suffix in ("png", "pdf", "csv"):
        assert (here / f"net.compression.{suffix}").stat().st_size > 500
    with (here / "net.compression.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["chosen"] for row in rows].count("yes") == 1
    assert float(rows[1]["test"]) == pytest.approx(float(curve.rows[0].test.mean()), rel=1e-5)
    assert not (here / "net.compression.h5.part").exists()
    network = phasenet.load_compressed(here / "net.compressed.network.h5", _net(here))
    data = np.load(here / "data.npz")
    guesses = network(torch.tensor(data["x"][600:])).argmax(dim=1).numpy()
    assert (guesses == data["y"][600:]).mean() == pytest.approx(chosen.scores[0].accuracy)


def _net(folder):
    space: dict = {}
    exec((folder / "nets.py").read_text(encoding="utf-8"), space)
    return space["net"]()


@pytest.fixture
def undrawn(monkeypatch):
    """Figures are empty files, which saves the time of drawing them."""

    def draw(curve, row, compression):
        for path in compress_choice.drawings(compression):
            path.touch()

    monkeypatch.setattr(compress_choice, "draw", draw)


def test_an_interruption_keeps_what_is_done_and_another_rule_needs_no_work(
    strangers, undrawn, monkeypatch
):
    made = []
    true = curve_module.compressed

    def compressed(bench, candidate, *, tell):
        if len(made) == 2 and candidate not in made:
            raise KeyboardInterrupt
        made.append(candidate)
        return true(bench, candidate, tell=tell)

    monkeypatch.setattr(curve_module, "compressed", compressed)
    assert "stopped early" in strangers.here(*COMMAND, code=75)
    assert len(made) == 2
    assert re.search(
        r"low rank 2x \(done\)\n.*\n  low rank 5x\n", strangers.here(*COMMAND, "--dry-run")
    )
    monkeypatch.setattr(
        curve_module, "compressed", lambda *a, **k: made.append(a[1]) or true(*a, **k)
    )
    strangers.here(*COMMAND, "--within", "50")
    assert len(made) == len(set(made)) == 4
    first = read_header(strangers.folder / "net.compressed.network.h5")
    assert strangers.here(*COMMAND, "--within", "50").startswith("nothing to do")
    strangers.here(*COMMAND, "--ratio", "2")
    second = read_header(strangers.folder / "net.compressed.network.h5")
    text = strangers.here(*COMMAND, "--ratio", "1000", code=1)
    assert "none of 4 networks is 1000 times smaller" in text
    assert len(made) == 4
    assert first.settings == {"compressed": {"rule": "smallest within 50 points"}}
    assert second.settings == {"compressed": {"rule": "best at 2x"}}
    assert second.parents[0].id == read_header(strangers.folder / "net.compression.h5").id


def test_a_dry_run_names_all_candidates_and_makes_nothing(strangers):
    text = strangers.here("compress", "nets.py:net", "--data", "data.npz", "--dry-run")
    assert "33 candidates of nets.py:net, 3 seeds each" in text
    assert f"  {NARROW} 50x\n" in text
    assert "one train, sketch, rank 16\n" in text
    assert "choice: smallest within 0.5 points" in text
    assert not list(strangers.folder.glob("*.h5"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nets.py:net",), "nets.py:net needs --data: an .npz of x, y and perhaps split"),
        (("nets.py:net", "--data", "none.npz"), "no file none.npz"),
        (("nets.py:number", "--data", "data.npz"), "returned a int; wanted a torch module"),
        (("nets.py:nett", "--data", "data.npz"), "did you mean net?"),
        (("net.pt", "--data", "data.npz"), "net.pt is a TorchScript file, which holds no Python"),
        (("none.network.h5",), "no file none.network.h5"),
        (("a.network.h5", "--data", "data.npz"), "neither --data nor --weights"),
        (("nets.py:net", "--data", "data.npz", "--families", "svd"), "'families.0' is 'svd'"),
        (("nets.py:net", "--data", "data.npz", "--ratios", "x"), "'ratios.0' is 'x'"),
        (("nets.py:net", "--data", "data.npz", "--set", "epoch=2"), "did you mean 'epochs'?"),
        (("nets.py:net", "--data", "data.npz", "--snapshots", "a.h5"), "--snapshots belongs to"),
        (("nets.py:net", "--data", "data.npz", "--out", "a.h5"), "ends in .compression.h5"),
    ],
)
def test_what_cannot_be_compressed_is_one_line(strangers, arguments, message):
    text = strangers.here("compress", *arguments, code=1)
    assert text.count("\n") == 1
    assert message in text


@pytest.mark.slow
def test_a_classifier_of_ours_is_compressed_and_taken_by_other_verbs(finished, tmp_path):
    name, few = "runs/haldane/haldane.network.h5", ("--families", "cp,narrow dense")
    trains = ("--set", "ranks=4", "--set", "methods=cross", "--set", "start_rank=4")
    out = ("--out", str(tmp_path), "--ratios", "1.5", "--within", "60")
    finished.here("compress", name, *QUICK, *few, *trains, "--set", "start_epochs=1", *out)
    curve = read_compression(tmp_path / "haldane.compression.h5")[1]
    assert {score.classifier for score in curve.nulls} == {"local features", "Bayes optimum"}
    assert curve.starts is not None
    assert [row.candidate.method for row in curve.rows] == [None, None, "cross"]
    shown = finished.here("show", f"{tmp_path}/haldane.compression.h5")
    assert "one train, cross, rank 4" in shown
    small = f"{tmp_path}/haldane.compressed.network.h5"
    assert "before compression" in finished.here("show", small)
    snapshots = "runs/haldane/haldane.snapshots.h5"
    finished.here("tensorize", small, "--samples", snapshots, "--out", f"{tmp_path}/a.train.h5")
    again = ("--snapshots", snapshots, "--families", "low rank,narrow dense", *out[2:])
    finished.here("compress", small, *QUICK, *again, "--set", "start_epochs=0", *trains)
    assert (tmp_path / "haldane.compressed.compressed.network.h5").is_file()
