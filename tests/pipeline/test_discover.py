"""``phasenet discover`` on the toy run, and exact likelihoods of datasets of every kind."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.cli.main import EXIT_STOPPED
from phasenet.errors import SettingsError
from phasenet.networks.discovery import learned
from phasenet.networks.discovery.indicators import Indicator
from phasenet.networks.discovery.line import line_of
from phasenet.networks.discovery.methods import METHODS
from phasenet.pipeline.discovered import diagram_of, discovery_lines, joined
from phasenet.pipeline.likelihoods import check_without_noise, line_likelihoods, states_of
from phasenet.pipeline.reporting import SilentReporter
from phasenet.plots.discovery import discovery_figure
from phasenet.points import ParameterPoint
from phasenet.records import Table
from phasenet.shots import SampledPoint, Shots, Snapshots, SnapshotsHead, Source
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.snapshots.sampling import draw_shots
from phasenet.snapshots.transforms import kennedy_tasaki
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import read_snapshots, write_snapshots
from phasenet.storage.states import read_state
from phasenet.storage.tables import read_chart
from phasenet.trains.form import state_form

STATES = Path(__file__).resolve().parents[2] / "datasets" / "sample" / "states"
SNAPSHOTS = "runs/haldane/haldane.snapshots.h5"
QUICK = ("--seeds", "1", "--set", "max_epochs=1", "--set", "batch=64")


def test_a_run_is_searched_drawn_and_shown(finished, tmp_path):
    out = f"{tmp_path}/a.chart.h5"
    command = ("discover", SNAPSHOTS, *QUICK, "--states", "runs/haldane/states", "--out", out)
    assert finished.here(*command, "--dry-run").startswith(f"would make {out}, {tmp_path}/a.png")
    assert list(tmp_path.iterdir()) == []
    text = finished.here(*command)
    assert "transition along D at 6 points, Delta = 1, without labels:" in text
    assert "literature: D = 0.96847" in text
    assert "errors are statistical" in text
    assert all(f"  {name}" in text for name in METHODS)
    assert "points of accuracy below the best possible" in text
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"a.chart.h5", "a.png", "a.pdf", "a.csv"}
    assert finished.here(*command) == f"nothing to do: {out} is up to date\n"
    shown = finished.here("show", out)
    assert set(text.splitlines()[:-1]) <= set(shown.splitlines())
    assert "state D=0,Delta=1.finite.state.h5" in shown
    _check_numbers(tmp_path)


def _check_numbers(folder):
    header, diagram = read_chart(folder / "a.chart.h5")
    assert header.settings["discover"] == {
        "at": {},
        "ends": 0,
        "max_epochs": 1,
        "seed": 0,
        "seeds": 1,
        "shots": 2000,
    }
    for boundary in diagram.boundaries:
        assert boundary.lower <= boundary.value <= boundary.upper
        assert boundary.error >= (boundary.upper - boundary.lower) / np.sqrt(12) * 0.999
        assert boundary.at == {"Delta": 1.0}
    # Both phases are far apart on this grid, so that the exact predictors must see the gap.
    values = {boundary.method: boundary.value for boundary in diagram.boundaries}
    assert 0.4 <= values["optimal confusion"] <= 1.6
    assert 0.4 <= values["optimal supervised"] <= 1.6
    places = diagram.table.column("optimal_confusion_at").values
    assert places[:5] == pytest.approx([0.1, 0.3, 1.0, 1.7, 1.9])
    assert np.isnan(places[5])
    rows = list(csv.DictReader((folder / "a.csv").read_text("utf-8").splitlines()))
    assert [row["D"] for row in rows] == ["0", "0.2", "0.4", "1.6", "1.8", "2"]
    assert float(rows[0]["optimal_confusion [1]"]) > 0.5
    assert rows[5]["optimal_confusion [1]"] == ""
    assert float(rows[5]["optimal_supervised error"]) >= 0


@pytest.mark.slow
def test_figures_that_were_removed_are_drawn_again(finished, tmp_path, monkeypatch):
    command = ("discover", SNAPSHOTS, *QUICK, "--out", f"{tmp_path}/a.chart.h5")
    first = finished.here(*command)
    assert "optimal" not in first
    assert "autoencoders" in first
    (tmp_path / "a.png").unlink()
    monkeypatch.setattr(learned, "confusion", None)
    assert finished.here(*command) == first
    assert (tmp_path / "a.png").is_file()


@pytest.mark.slow
def test_what_is_done_when_the_work_is_stopped_is_kept(finished, tmp_path, monkeypatch):
    out = tmp_path / "a.chart.h5"
    command = ("discover", SNAPSHOTS, *QUICK, "--out", str(out))

    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(learned, "confusion", stopped)
        assert "finished work is kept" in finished.here(*command, code=EXIT_STOPPED)
    assert not out.exists()
    with monkeypatch.context() as patch:
        patch.setattr(learned, "autoencoder", stopped)
        text = finished.here(*command)
    assert "autoencoders of both ends" in text
    assert not out.with_name("a.chart.h5.parts").exists()
    other = f"{tmp_path}/b.chart.h5"
    assert finished.here(*command[:-1], other) == text.replace("/a.", "/b.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--at", "J=1"), "--at names 'J'; the couplings are D, Delta"),
        (("--at", "Delta"), "--at is 'Delta'; wanted NAME=VALUE such as Delta=1"),
        (("--at", "Delta=2"), "no point lies at Delta=2"),
        (("--set", "ends=3"), "discover.ends is 3 on either side of 6 points; wanted at most 2"),
        (("--set", "shots=5"), "discover setting 'shots' is '5'"),
        (("--set", "train.patience=5"), "--set train.patience decides nothing here"),
        (("--set", "length=5"), "wanted a setting of train"),
        (("--states", "simulations"), "simulations has no finite state of study haldane at D=0"),
        (("--out", "a.h5"), "wanted a name that ends in .chart.h5"),
        (("--set", "kernel=30", *QUICK), "30"),
    ],
)
def test_errors_are_one_line(finished, arguments, words, tmp_path):
    out = () if "--out" in arguments else ("--out", f"{tmp_path}/a.chart.h5")
    text = finished.here("discover", SNAPSHOTS, *arguments, *out, code=1)
    line = text.splitlines()[-1]
    assert line.startswith("phasenet: ")
    assert words in line


def dataset(basis, *, boundary="finite", window=0, shots=20):
    """Shots of all points of the sample, and the logarithms of their probabilities."""
    made, points, spins, index, logs = basis_of(basis, 3), [], [], [], []
    paths = sorted(STATES.glob(f"*.{boundary}.state.h5"))
    for path in paths:
        header, state = read_state(path)
        form = state_form(state.train)
        measured = MeasuredState(form, made, sites=window or form.length)
        found, bases = draw_shots(measured, made, 0, state.point.id, start=0, shots=shots)
        spins.append(found.spins)
        index.append(bases)
        logs.append(measured.log_probability(found.spins, bases))
        points.append(SampledPoint(point=state.point, label=None, split="unlabelled", reason=""))
    drawn = np.concatenate(spins)
    card = header.study
    source = Source(
        study=card.name,
        title=card.title,
        hamiltonian=card.hamiltonian,
        sites=drawn.shape[1],
        boundary=boundary,
    )
    head = SnapshotsHead(
        site_dim=3,
        basis=basis,
        basis_names=made.names if made.drawn else (),
        classes=(),
        sources=(source,),
        points=tuple(points),
    )
    shots_of = Shots(
        spins=drawn,
        point_index=np.repeat(np.arange(len(points), dtype=np.int32), shots),
        log_probability=np.concatenate(logs),
        class_log_likelihood=np.zeros((len(drawn), 0)),
        basis_index=None if index[0] is None else np.concatenate(index),
    )
    return Snapshots(head=head, shots=shots_of)


def likelihoods(data):
    line = line_of(data, {}, shots=20, seed=0)
    states = states_of(STATES, data.head.sources[0], line.points)
    return line, line_likelihoods(data, line, states, SilentReporter())


@pytest.mark.parametrize(
    ("basis", "boundary", "window"),
    [("Sz", "finite", 0), ("random", "finite", 0), ("Sx,Sz", "finite", 0), ("Sz", "infinite", 4)],
)
def test_likelihoods_are_those_that_the_shots_were_drawn_with(basis, boundary, window):
    data = dataset(basis, boundary=boundary, window=window)
    line, found = likelihoods(data)
    for k, array in enumerate(found):
        wanted = data.shots.log_probability[line.held_out[k]]
        assert array.shape == (10, len(line.points))
        assert array[:, k] == pytest.approx(wanted, abs=1e-10)


def test_transformed_shots_are_transformed_back():
    data = dataset("Sz")
    turned = Snapshots(
        head=replace(data.head, transform="Kennedy-Tasaki"),
        shots=replace(data.shots, spins=kennedy_tasaki(data.shots.spins, 3)),
    )
    for one, other in zip(likelihoods(data)[1], likelihoods(turned)[1], strict=True):
        assert np.array_equal(one, other)


def test_what_states_cannot_tell_is_refused(tmp_path):
    data = dataset("Sz")
    lost = replace(data.shots, spins=np.where(data.shots.spins == 2, 3, data.shots.spins))
    with pytest.raises(SettingsError, match="the shots have lost sites"):
        likelihoods(replace(data, shots=replace(lost, spins=lost.spins.astype(np.uint8))))
    flipped = replace(data.shots, spins=np.zeros_like(data.shots.spins))
    with pytest.raises(SettingsError, match="cannot give shots of that point"):
        likelihoods(replace(data, shots=flipped))
    short = dataset("Sz", boundary="infinite", window=4)
    open_chain = replace(short.head.sources[0], boundary="finite")
    with pytest.raises(SettingsError, match="sites, the shots have 4; name the folder"):
        likelihoods(replace(short, head=replace(short.head, sources=(open_chain,))))
    (tmp_path / "more").mkdir()
    for name in ("a", "more/b"):
        source = STATES / "D=0,Delta=1.finite.state.h5"
        (tmp_path / f"{name}.finite.state.h5").write_bytes(source.read_bytes())
    with pytest.raises(SettingsError, match="both hold the finite state at D=0,Delta=1"):
        states_of(tmp_path, data.head.sources[0], [ParameterPoint.of(D=0, Delta=1)])


def test_noise_is_refused_with_states_and_a_dataset_of_no_study_is_taken(fresh):
    data = dataset("Sz")
    header = Header(
        kind=Kind.SNAPSHOTS, settings={"noise": {"flip": 0.1}}, seed=0, parents=(), study=None
    )
    with pytest.raises(SettingsError, match=r"carry the noise of a detector \(flip\)"):
        check_without_noise(header)
    write_snapshots(fresh.folder / "a.snapshots.h5", header, data)
    command = ("discover", "a.snapshots.h5", *QUICK)
    assert "noise of a detector" in fresh.here(*command, "--states", str(STATES), code=1)
    text = fresh.here(*command)
    assert "literature" not in text
    assert "written to a.discovery.chart.h5, a.discovery.png" in text
    assert "transition along D at 8 points" in fresh.here("show", "a.discovery.chart.h5")
    assert read_snapshots(fresh.folder / "a.snapshots.h5")[0].study is None


def indicator(name, x, location):
    count = len(x)
    return Indicator(
        name=name,
        x=np.asarray(x),
        values=np.linspace(0.5, 0.9, count),
        errors=np.full(count, 0.01),
        location=location,
        error=0.05,
        peaked=METHODS[name].peaked,
    )


def test_a_method_without_a_transition_is_told_and_drawn_as_such():
    grid = [0.0, 0.5, 0.51, 1.0, 1.5]
    points = tuple(ParameterPoint.of(D=value) for value in grid)
    base = Table(
        rows=tuple(map(str, points)), points=points, labels=("",) * 5, reasons=("",) * 5, columns=()
    )
    parts = [
        diagram_of(base, "D", [indicator("Fisher information", [0.25, 0.75, 1.25], np.nan)]),
        diagram_of(base, "D", [indicator("principal components of both ends", grid, 0.505)]),
    ]
    diagram = joined(parts)
    # Methods stand in their order, numbers between points in the row of the point before them.
    names = [column.name for column in diagram.table.columns]
    assert names == [
        "principal_components_of_both_ends",
        "fisher_information",
        "fisher_information_at",
    ]
    places = diagram.table.column("fisher_information_at").values
    assert np.array_equal(places, [0.25, np.nan, 0.75, 1.25, np.nan], equal_nan=True)
    assert diagram.table.column("fisher_information").unit == "1/D^2"
    [boundary] = diagram.boundaries
    assert (boundary.lower, boundary.upper) == (0.5, 0.51)
    lines = discovery_lines(diagram, None)
    assert lines[2].split("  ")[-1].strip() == "no transition inside the line"
    assert lines[1].endswith("D = 0.505(50)   steepest place between 0.5 and 0.9")
    figure = discovery_figure(diagram, None)
    labels = [text.get_text() for text in figure.axes[-1].texts]
    assert labels == ["0.505(50)", "none"]
