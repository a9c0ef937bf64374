"""Trains of classifiers of datasets with lost sites, controls and other bases."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.networks.functions import stored_functions
from phasenet.networks.training import train_classifier
from phasenet.pipeline.black_box import read_samples
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.tensorize import _choose, _tensorized_classifier
from phasenet.settings import RunSettings, TensorizeSettings, TrainSettings
from phasenet.shots import Shots, Snapshots
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import read_snapshots, write_snapshots

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample"
SETTINGS = RunSettings.checked({"tensorize": {"samples": 300, "tol": 1e-2, "max_rank": 8}})


def joined(*parts):
    names = ("spins", "point_index", "log_probability", "class_log_likelihood")
    return Shots(**{n: np.concatenate([getattr(part, n) for part in parts]) for n in names})


@pytest.fixture(scope="module")
def lossy():
    """The sample dataset; some of its shots have lost sites, and one point has a control."""
    _, whole = read_snapshots(SAMPLE / "haldane.snapshots.h5")
    spins = whole.shots.spins.copy()
    spins[::3, 5] = 3
    copied = np.flatnonzero(whole.shots.point_index == 4)
    control = replace(whole.head.points[4], split="control", control="zero shuffle")
    arrays = {n: None if v is None else v[copied] for n, v in vars(whole.shots).items()}
    arrays["point_index"] = np.full(len(copied), len(whole.head.points), dtype=np.int32)
    return Snapshots(
        head=replace(whole.head, points=(*whole.head.points, control)),
        shots=joined(replace(whole.shots, spins=spins), Shots(**arrays)),
    )


def test_trains_are_functions_of_whole_configurations(lossy):
    settings = TrainSettings(channels=(4,), max_epochs=2)
    record = train_classifier(lossy, settings, seed=0, progress=lambda *_: None)
    assert record.architecture["site_dim"] == 4
    found = _tensorized_classifier(record, lossy, SETTINGS, "cpu", SilentReporter())
    assert set(found.logits.train.site_dims) == {3}
    assert found.points == tuple(point.point for point in lossy.head.points[:-1])
    assert np.isfinite(found.probability_errors).all()
    whole = lossy.shots.spins[(lossy.shots.spins < 3).all(axis=1)][:200].astype(np.int64)
    wanted = stored_functions(record)[0](whole)
    assert np.linalg.norm(found.logits.train(whole) - wanted) < 0.05 * np.linalg.norm(wanted)


def test_a_dataset_without_whole_shots(lossy):
    spins = lossy.shots.spins.copy()
    spins[:, 2] = 3
    bare = replace(lossy, shots=replace(lossy.shots, spins=spins))
    with pytest.raises(SettingsError, match=r"of a point were read on all sites; .* lower noise"):
        _choose(bare, range(8), TensorizeSettings(), 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"basis": "Sx"}, "are of the basis Sx, but the trains"),
        ({"basis": "random", "basis_names": ("Sx", "Sy", "Sz")}, "are of the basis random, but"),
        ({"transform": "Kennedy-Tasaki"}, "basis Sz, transformed by Kennedy-Tasaki, but the"),
    ],
)
def test_other_bases_are_refused(lossy, changes, words):
    other = replace(lossy, head=replace(lossy.head, **changes))
    record = train_classifier(
        lossy, TrainSettings(channels=(2,), max_epochs=1), seed=0, progress=lambda *_: None
    )
    with pytest.raises(SettingsError, match=words):
        _tensorized_classifier(record, other, SETTINGS, "cpu", SilentReporter())


def test_samples_of_a_function_have_no_lost_sites_unless_there_is_a_state_for_them(lossy, tmp_path):
    path = tmp_path / "lossy.snapshots.h5"
    header = Header(kind=Kind.SNAPSHOTS, settings={}, seed=0, parents=(), study=None)
    write_snapshots(path, header, lossy)
    measured = lossy.shots.spins[lossy.shots.point_index < 8]
    whole = (measured < 3).all(axis=1)
    samples = read_samples(path, None)
    assert samples.site_dim == 3
    assert samples.states.shape == (whole.sum(), 16)
    with_lost = read_samples(path, 4)
    assert with_lost.site_dim == 4
    assert np.array_equal(np.sort(with_lost.states, axis=0), np.sort(measured, axis=0))
    write_snapshots(
        tmp_path / "none.snapshots.h5",
        header,
        replace(lossy, shots=replace(lossy.shots, spins=np.full_like(lossy.shots.spins, 3))),
    )
    with pytest.raises(SettingsError, match=r"none.snapshots.h5 was read on all sites; .* of 4"):
        read_samples(tmp_path / "none.snapshots.h5", None)
