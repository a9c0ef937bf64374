"""``phasenet tensorize`` as a user meets it: any function, any mistake, any interruption."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from phasenet.cli.main import main
from phasenet.storage.container import read_header
from phasenet.storage.trains import read_black_box, read_train

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "datasets" / "sample"

FUNCTIONS = """
import os
import time

import numpy as np

RANDOM = np.random.default_rng(1)
TABLE = RANDOM.normal(size=(3, 8))
LIST = [1, 2]


def weight(states):
    sz = 1 - states
    return np.exp(-0.2 * (sz[:, 1:] * sz[:, :-1]).sum(axis=1))


def wave(states):
    return np.exp(1j * states.sum(axis=1))


def two(states):
    states[:, 0] = 0  # our own copy
    return np.stack([states.sum(axis=1), states.prod(axis=1)], axis=1)


def rough(states):
    time.sleep(float(os.environ.get("NAP", "0")))
    return np.cos(sum(TABLE[column, site] for site, column in enumerate(states.T)) ** 2)


class Model:
    def __call__(self, states):
        return states.sum(axis=1)


model = Model()


def fails(states):
    raise ValueError("no such\\n   thing")


def leaves(states):
    raise SystemExit(3)


def flat(states):
    return np.zeros(3)


def ragged(states):
    return [[1], [1, 2]]


def blank(states):
    return np.where(states[:, 0] == 0, np.nan, 1.0)


def noisy(states):
    return RANDOM.random(len(states))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Folder of a user, from which our own process may import."""
    (tmp_path / "mine_for_tests.py").write_text(FUNCTIONS, encoding="utf-8")
    shots = np.random.default_rng(0).integers(3, size=(600, 8))
    np.save(tmp_path / "shots.npy", shots.astype(np.uint8))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    terminate = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, terminate)
    for name in set(sys.modules) - before:
        if "mine_for_tests" in name:
            del sys.modules[name]


def tensorize(function: str, *options: str, samples: str = "shots.npy") -> int:
    return main(["tensorize", function, "--samples", samples, *options])


def test_a_function_of_a_module_by_its_name(folder, capsys):
    assert tensorize("mine_for_tests:weight", "--max-rank", "8", "--tol", "1e-3") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("site dimension 3: shots.npy goes up to 2")
    assert len(out) == 2
    for words in ("written to weight.train.h5", "rank 3", "evaluations", " s: ", "error below tol"):
        assert words in out[1]
    header, found = read_black_box("weight.train.h5")
    assert (header.study, header.parents) == (None, ())
    assert found.name == header.settings["function"] == "mine_for_tests:weight"
    assert found.data_error < 1e-12 > found.uniform_error
    assert found.tol == 1e-3
    assert found.steps
    assert found.history["evaluations"][-1] <= found.evaluations
    states = np.random.default_rng(5).integers(3, size=(50, 8))
    sz = 1 - states
    wanted = np.exp(-0.2 * (sz[:, 1:] * sz[:, :-1]).sum(axis=1))
    np.testing.assert_allclose(found.train(states), wanted, rtol=1e-10)


def test_the_same_call_does_nothing_and_another_one_works_again(folder, capsys):
    file = "mine_for_tests.py:weight"
    assert tensorize(file) == 0
    made = Path("weight.train.h5").stat().st_mtime_ns
    capsys.readouterr()
    assert tensorize(file) == 0
    assert tensorize(file, "--tol", "1e-6", "--site-dim", "3", "--seed", "0") == 0
    assert capsys.readouterr().out.count("nothing to do") == 2
    assert Path("weight.train.h5").stat().st_mtime_ns == made
    Path("mine_for_tests.py").write_text(FUNCTIONS + "\n# changed\n", encoding="utf-8")
    for options in ((), ("--seed", "1"), ("--max-rank", "9"), ("--max-evaluations", "5000")):
        before = read_header("weight.train.h5").key
        assert tensorize(file, *options) == 0
        assert "written to" in capsys.readouterr().out
        assert read_header("weight.train.h5").key != before


def test_a_file_lies_anywhere_and_imports_what_is_beside_it(folder, capsys):
    away = folder / "away"
    away.mkdir()
    shutil.move("mine_for_tests.py", away / "mine_for_tests.py")
    (away / "other.py").write_text("from mine_for_tests import weight\n", encoding="utf-8")
    assert tensorize("away/other.py:weight", "--out", "x.train.h5", "--seed", "3") == 0
    header, found = read_black_box("x.train.h5")
    assert (found.name, header.seed) == ("other.py:weight", 3)


@pytest.mark.parametrize(
    ("name", "dtype", "outputs"),
    [("two", np.float64, (2,)), ("wave", np.complex128, ()), ("model", np.float64, ())],
)
def test_every_kind_of_value_comes_through(folder, name, dtype, outputs):
    assert tensorize(f"mine_for_tests:{name}") == 0
    train = read_black_box(f"{name}.train.h5")[1].train
    values = train(np.zeros((4, 8), dtype=int))
    assert (values.dtype, values.shape) == (dtype, (4, *outputs))


@pytest.mark.parametrize("method", ["auto", "cross", "sketch"])
def test_every_method_can_be_asked_for_and_is_stored(folder, method):
    assert tensorize("mine_for_tests:weight", "--method", method) == 0
    header, found = read_black_box("weight.train.h5")
    assert header.settings["tensorize"]["method"] == method
    assert ("cross interpolation" in " ".join(found.steps)) == (method != "sketch")
    assert found.data_error < 1e-6


def test_snapshots_of_ours_are_parents_and_know_the_site_dimension(folder, capsys):
    snapshots = str(SAMPLE / "haldane.snapshots.h5")
    assert tensorize("mine_for_tests:weight", samples=snapshots) == 0
    assert "site dimension" not in capsys.readouterr().out
    header, found = read_black_box("weight.train.h5")
    assert [parent.name for parent in header.parents] == ["haldane.snapshots.h5"]
    assert found.train.site_dims == (3,) * 16
    assert tensorize("mine_for_tests:weight", "--site-dim", "4", "--out", "4.train.h5") == 0
    assert read_black_box("4.train.h5")[1].train.site_dims == (4,) * 8


def test_show_prints_it_in_a_few_lines(folder, capsys):
    assert tensorize("mine_for_tests:two") == 0
    capsys.readouterr()
    assert main(["show", "two.train.h5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 9
    text = "\n".join(lines)
    for words in (
        "train of phasenet",
        "tensor train of mine_for_tests:two: 8 sites of dimension 3, 2 outputs",
        "held-out samples",
        "uniform configurations",
        "error below tol",
        "samples shots.npy",
    ):
        assert words in text


def test_dry_run_makes_nothing(folder, capsys):
    assert tensorize("mine_for_tests:weight", "--dry-run") == 0
    assert "would make weight.train.h5" in capsys.readouterr().out
    assert not list(folder.glob("*.h5"))


@pytest.mark.parametrize(
    ("function", "options", "sentence"),
    [
        ("nowhere_at_all:f", (), "no module nowhere_at_all in "),
        ("mine_for_tests:wieght", (), "has no function wieght; did you mean weight?"),
        ("mine_for_tests:LIST", (), "mine_for_tests:LIST is of type list; wanted a function"),
        ("mine_for_tests:fails", (), "of shape (150, 8): ValueError: no such thing"),
        ("mine_for_tests:leaves", (), "of shape (150, 8): SystemExit: 3"),
        ("mine_for_tests:flat", (), "returned shape (3,) for 150 configurations"),
        ("mine_for_tests:ragged", (), "ragged failed when called with an int64 array"),
        ("mine_for_tests:blank", (), "every value must be finite"),
        ("mine_for_tests:noisy", (), "wanted a deterministic function"),
        ("mine_for_tests:weight", ("--site-dim", "2"), "holds the state 2; a site dimension of 2"),
        ("mine_for_tests:weight", ("--tol", "0"), "setting 'tol' is 0.0; Input should be greater"),
        ("mine_for_tests:weight", ("--seed", "-1"), "setting 'seed' is -1"),
        ("mine_for_tests:weight", ("--device", "cuda"), "--device belongs to networks"),
        ("mine_for_tests:weight", ("--study", "a.py"), "--study belongs to classifiers"),
        ("mine_for_tests:weight", ("--out", "a.h5"), "wanted a name that ends in .train.h5"),
        ("mine_for_tests:weight", ("--samples", "none.npy"), "no file none.npy"),
        ("mine_for_tests:weight", ("--samples", "a.csv"), "wanted a *.snapshots.h5 or a .npy"),
        ("mine_for_tests:weight", ("--samples", "boxed.npy"), "Object arrays cannot be loaded"),
        ("mine_for_tests:weight", ("--samples", "floats.npy"), "holds float64 of shape (4, 3)"),
        ("mine_for_tests:weight", ("--samples", "negative.npy"), "holds the state -1"),
        ("mine_for_tests:weight", ("--samples", "cut.npy"), "is no .npy file of integers"),
        ("mine_for_tests.py", (), "wanted mine_for_tests.py:FUNCTION"),
        ("mine_for_tests", (), "names no network and no function"),
        ("not-a-name:f", (), "is no module and no .py file"),
        ("nowhere.py:f", (), "no file nowhere.py"),
        ("broken.py:f", (), "broken.py cannot be loaded: ZeroDivisionError: division by zero"),
        ("hungry.py:f", (), "hungry.py cannot be loaded: ModuleNotFoundError: No module named"),
        ("nowhere.pt", (), "no file nowhere.pt"),
        ("junk.pt", (), "junk.pt is no TorchScript file"),
        ("junk.network.h5", ("--samples", "junk.snapshots.h5"), "junk.network.h5 is truncated"),
    ],
)
def test_a_mistake_is_one_line(folder, capsys, function, options, sentence):
    np.save("boxed.npy", np.array([{}, 1], dtype=object))
    np.save("floats.npy", np.zeros((4, 3)))
    np.save("negative.npy", np.full((4, 3), -1))
    Path("cut.npy").write_bytes(Path("shots.npy").read_bytes()[:200])
    Path("broken.py").write_text("1 / 0\n", encoding="utf-8")
    Path("hungry.py").write_text("import nowhere_at_all\n", encoding="utf-8")
    for name in ("junk.pt", "junk.network.h5"):
        Path(name).write_bytes(b"junk")
    assert tensorize(function, *options) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("phasenet: ")
    assert sentence in last
    assert not list(folder.glob("*.train.h5"))


def test_samples_are_asked_for(folder, capsys):
    assert main(["tensorize", "mine_for_tests:weight"]) == 1
    assert "mine_for_tests:weight needs --samples" in capsys.readouterr().err


@pytest.mark.slow
def test_options_override_the_settings_of_a_classifier_and_are_stored(folder, capsys):
    network, out = str(SAMPLE / "haldane.network.h5"), "a.train.h5"
    options = ("--max-rank", "2", "--tol", "1e-3", "--seed", "7", "--out", out)
    snapshots = str(SAMPLE / "haldane.snapshots.h5")
    assert tensorize(network, *options, samples=snapshots) == 0
    text = capsys.readouterr().out.splitlines()
    assert text[0].startswith("tensor train of the logits: rank 2, ")
    assert text[-1].startswith("written to a.train.h5 in ")
    header, found = read_train(out)
    used = header.settings["tensorize"]
    assert (used["max_rank"], used["probability_rank"], used["tol"]) == (2, 2, 1e-3)
    assert header.seed == 7
    assert max(found.probabilities.train.bond_dims) <= 2
    assert found.logits.tol == 1e-3
    assert found.logits.steps
    assert tensorize(network, *options, samples=snapshots) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_a_classifier_wants_its_kind_of_samples_and_a_device_that_is_there(folder, capsys):
    network, snapshots = str(SAMPLE / "haldane.network.h5"), str(SAMPLE / "haldane.snapshots.h5")
    assert tensorize(network) == 1
    assert "its samples are a *.snapshots.h5" in capsys.readouterr().err
    assert tensorize(network, "--device", "abacus", "--out", ".", samples=snapshots) == 1
    assert "there is no device 'abacus'; this machine has cpu" in capsys.readouterr().err


def test_the_train_of_a_function_is_no_classifier(folder, capsys):
    assert tensorize("mine_for_tests:weight") == 0
    states = str(SAMPLE / "states")
    assert main(["measure", states, "--train", "weight.train.h5", "--out", "a.table.h5"]) == 1
    assert "holds the train of a function, not of a classifier" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_signal_keeps_the_best_train_and_the_same_command_goes_on(folder, capsys, number):
    command = ("mine_for_tests.py:rough", "--samples", "shots.npy", "--max-rank", "8")
    process = subprocess.Popen(
        [sys.executable, "-m", "phasenet.cli.main", "tensorize", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NAP": "0.01"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    # There is a train once the second half sweep that is told of is over.
    while " 8/8 rank" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(number)
    with process:
        err = process.stderr.read()
    assert process.returncode == 75
    assert "Traceback" not in err
    told, last = err.splitlines()[-2:]
    assert told.startswith("interrupted: rough.train.h5 holds the best so far")
    assert last.startswith("phasenet: stopped early")
    header, found = read_black_box("rough.train.h5")
    assert found.outcome.startswith("interrupted")
    assert header.settings["interrupted"] is True
    assert main(["tensorize", *command, "--dry-run"]) == 0
    assert "would make rough.train.h5" in capsys.readouterr().out
    assert main(["tensorize", *command]) == 0
    header, finished = read_black_box("rough.train.h5")
    assert "interrupted" not in header.settings
    assert not finished.outcome.startswith("interrupted")
    assert main(["tensorize", *command]) == 0
    assert "nothing to do" in capsys.readouterr().out.splitlines()[-1]
