"""What an interruption leaves behind, and what makes it give way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.pipeline.black_box import read_samples
from phasenet.pipeline.construction import TrainFile, curves
from phasenet.pipeline.product import Product, card_of
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.tensorize import _choose
from phasenet.records import TensorizedBlackBox
from phasenet.settings import FunctionSettings, TensorizeOptions, TensorizeSettings
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import read_snapshots
from phasenet.storage.trains import read_black_box, read_train, write_black_box
from phasenet.tensorizer import Outcome
from phasenet.tensorizer.result import HalfSweep
from phasenet.trains.train import TensorTrain

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample"
FILE = TrainFile(
    write=write_black_box,
    read=read_black_box,
    outcome=lambda found: found.outcome,
    error=lambda found: found.data_error,
)


class Listener(SilentReporter):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def found(error: float, outcome: Outcome) -> TensorizedBlackBox:
    return TensorizedBlackBox(
        name="a.py:f",
        train=TensorTrain(cores=(np.ones((1, 2, 1)), np.ones((1, 2, 1)))),
        data_error=error,
        uniform_error=1.0,
        tol=1e-6,
        evaluations=9,
        outcome=outcome.value,
        steps=(),
        history={},
    )


@pytest.fixture
def product(tmp_path):
    header = Header(kind=Kind.TRAIN, settings={"site_dim": 2}, seed=0, parents=(), study=None)
    return Product(path=tmp_path / "f.train.h5", header=header)


def make(product: Product, error: float, outcome: Outcome) -> list[str]:
    listener = Listener()
    FILE.make(product, lambda: found(error, outcome), listener)
    return listener.lines


def interrupt(product: Product, error: float) -> str:
    listener = Listener()
    with pytest.raises(KeyboardInterrupt):
        FILE.make(product, lambda: found(error, Outcome.INTERRUPTED), listener)
    (line,) = listener.lines
    return line


def stored(product: Product) -> float:
    return read_black_box(product.path)[1].data_error


def test_an_interrupted_train_is_kept_but_never_done(product):
    line = interrupt(product, 0.5)
    assert line == (
        f"interrupted: {product.path} holds the best so far (relative error 5.0e-01 on held-out "
        "samples); the same command starts again and keeps the better one"
    )
    assert stored(product) == 0.5
    assert not product.is_done()


def test_it_gives_way_to_a_better_one_and_to_a_finished_one_only(product):
    interrupt(product, 0.5)
    assert "5.0e-01" in interrupt(product, 0.7)
    assert stored(product) == 0.5
    interrupt(product, 0.3)
    assert stored(product) == 0.3
    assert make(product, 0.9, Outcome.RANK_CAP) == []
    assert stored(product) == 0.9
    assert product.is_done()


def test_one_of_other_settings_is_no_better_one(product):
    interrupt(product, 0.1)
    other = replace(product, header=replace(product.header, seed=1))
    interrupt(other, 0.6)
    assert stored(product) == 0.6


def test_a_damaged_one_is_written_anew(product):
    interrupt(product, 0.1)
    product.path.write_bytes(product.path.read_bytes()[:-9])
    interrupt(product, 0.6)
    assert stored(product) == 0.6


def test_curves_have_one_entry_for_each_half_sweep():
    sweeps = [
        HalfSweep(ranks=ranks, probe_error=0.1, data_error=0.2, uniform_error=0.3, evaluations=n)
        for ranks, n in (((1, 2), 10), ((2, 4, 3), 20), ((), 30))
    ]
    found = curves(sweeps)
    assert found["rank"].tolist() == [2, 4, 1]
    assert found["evaluations"].tolist() == [10, 20, 30]
    assert {len(curve) for curve in found.values()} == {3}


def test_options_change_only_what_they_name():
    settings = TensorizeSettings(tol=1e-4, probability_rank=99)
    assert settings.changed(TensorizeOptions()) == settings
    assert settings.changed(TensorizeOptions(tol=0.1, seed=4)) == TensorizeSettings(
        tol=0.1, probability_rank=99
    )
    changed = settings.changed(TensorizeOptions(max_rank=8, method="cross", max_evaluations=77))
    assert changed == TensorizeSettings(
        tol=1e-4, max_rank=8, probability_rank=8, method="cross", max_evaluations=77
    )


def test_a_method_enters_the_identity_of_a_classifier_only_where_it_was_chosen():
    assert "method" not in TensorizeSettings().as_dict()
    assert TensorizeSettings(method="cross").as_dict()["method"] == "cross"
    assert FunctionSettings().as_dict()["method"] == "auto"


@pytest.mark.parametrize("stopped", ["logits", "probabilities"])
def test_a_classifier_is_kept_once_both_trains_are_there(product, monkeypatch, stopped):
    """Interrupted in the first of its two functions, there is nothing whole to write."""
    from phasenet.pipeline import tensorize as step

    run = step.Construction.run

    def interrupted(self, function, samples, site_dim, reporter):
        found = run(self, function, samples, site_dim, reporter)
        outcome = Outcome.INTERRUPTED if self.title == stopped else Outcome.RANK_CAP
        return replace(found, outcome=outcome)

    monkeypatch.setattr(step.Construction, "run", interrupted)
    options = TensorizeOptions(max_rank=2, tol=1e-2, max_evaluations=1000)
    network, snapshots = SAMPLE / "haldane.network.h5", SAMPLE / "haldane.snapshots.h5"
    card = step.card_with(card_of(network), options)
    product = step.train_product(network, snapshots, product.path, card)
    with pytest.raises(KeyboardInterrupt):
        step.tensorize(network, snapshots, product, card, reporter=SilentReporter())
    assert not product.is_done()
    assert product.path.exists() == (stopped == "probabilities")
    if product.path.exists():
        assert read_train(product.path)[0].settings["interrupted"] is True


def test_the_first_samples_come_from_all_points():
    path = SAMPLE / "haldane.snapshots.h5"
    _, snapshots = read_snapshots(path)
    build, held_out = _choose(snapshots, range(8), TensorizeSettings(), 0)
    points = set(range(len(snapshots.head.points)))
    assert set(snapshots.shots.point_index[build[:64]].tolist()) == points
    assert not set(build.tolist()) & set(held_out.tolist())
    states = read_samples(path, None).states
    assert not np.array_equal(states[:64], snapshots.shots.spins[:64])
    assert np.array_equal(np.sort(states, axis=0), np.sort(snapshots.shots.spins, axis=0))
