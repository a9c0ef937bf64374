"""A whole run: what it leaves, what it skips, and what an interruption costs."""

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import phasenet
from phasenet.phases.conditional import bulk_string_of_snapshots
from phasenet.storage.container import read_header


def ids(folder: Path) -> dict[str, str]:
    return {p.name: read_header(p).id for p in sorted(folder.rglob("*.h5"))}


def times(folder: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in sorted(folder.rglob("*.*")) if p.is_file()}


def wait_for_states(folder: Path, count: int) -> None:
    limit = time.monotonic() + 120
    while len(list(folder.glob("*.state.h5"))) < count:
        assert time.monotonic() < limit, "no ground states appeared"
        time.sleep(0.02)


def copy_of(finished, fresh):
    shutil.copytree(finished.run_folder, fresh.run_folder)
    shutil.copy(finished.study, fresh.study)
    return fresh


def test_leaves_every_file_and_says_where(finished):
    names = {p.name for p in finished.run_folder.iterdir()}
    kinds = ("snapshots", "network", "train", "table", "chart")
    wanted = {f"haldane.{kind}.h5" for kind in kinds}
    pictures = {"haldane.png", "haldane.pdf", "haldane.snapshots.png", "haldane.network.png"}
    assert wanted | pictures | {"haldane.csv", "states", "journal"} == names
    assert len(list((finished.run_folder / "states").iterdir())) == 12


def test_second_call_does_nothing_and_summarises_in_twelve_lines(finished):
    before = times(finished.run_folder)
    lines = finished("run", "simulations/haldane.py").splitlines()
    assert times(finished.run_folder) == before
    assert lines[0].startswith("nothing to do")
    assert len(lines) - 1 <= 12
    text = "\n".join(lines)
    for word in ("0.96847", "local features", "Bayes optimum", "evaluations", "haldane.png"):
        assert word in text


def test_bracket_encloses_the_literature_value_and_is_no_copy_of_it(finished):
    from phasenet.storage.tables import read_chart

    _, diagram = read_chart(finished.run_folder / "haldane.chart.h5")
    bracket = diagram.boundaries[0]
    assert (bracket.lower, bracket.upper) == (0.4, 1.6)
    assert bracket.lower < 0.9684713 < bracket.upper


def test_exact_contractions_agree_with_the_snapshots(finished):
    """The whole chain at once: states, sampling, trains, strings; 5 sigma at every point."""
    _, table = phasenet.read_table(finished.run_folder / "haldane.table.h5")
    _, data = phasenet.read_snapshots(finished.run_folder / "haldane.snapshots.h5")
    _, classifier = phasenet.read_train(finished.run_folder / "haldane.train.h5")
    spins = data.shots.spins.astype(np.int64)
    probability = classifier.probabilities.train(spins)[:, 0]
    string = bulk_string_of_snapshots(spins, data.head.site_dim)
    quadrupole = (spins[:, 2:6] != 1).mean(axis=1)
    sampled = {
        f"probability_{classifier.classes[0]}": probability,
        "string_z_finite": string,
        "quadrupole_finite": quadrupole,
    }
    for name, values in sampled.items():
        for row, label in enumerate(data.head.points):
            assert table.points[row] == label.point
            here = values[data.shots.point_index == row]
            error = here.std() / np.sqrt(len(here))
            assert error < 0.1
            assert abs(here.mean() - table.column(name).values[row]) < 5 * error, name


@pytest.mark.slow
def test_kill_and_resume_give_bit_identical_results(finished, fresh):
    # Half of the states are there already, which saves time and is one more interruption.
    states = fresh.run_folder / "states"
    states.mkdir(parents=True)
    for path in sorted((finished.run_folder / "states").iterdir())[:6]:
        shutil.copy(path, states)
    process = fresh.start("run", "simulations/haldane.py")
    wait_for_states(states, 8)
    process.send_signal(signal.SIGKILL)
    # Returns only when the workers have let go of the pipes too.
    process.communicate(timeout=20)
    survivors = set(ids(fresh.run_folder))
    assert 8 <= len(survivors) < 12
    fresh("run", "simulations/haldane.py")
    assert ids(fresh.run_folder) == ids(finished.run_folder)
    csv = "haldane.csv"
    assert (fresh.run_folder / csv).read_bytes() == (finished.run_folder / csv).read_bytes()
    assert not list(fresh.run_folder.rglob("*.partial"))


@pytest.mark.slow
def test_shards_and_one_worker_give_the_same_states(finished, fresh):
    for shard in ("2/2", "1/2"):
        fresh("simulate", "simulations/haldane.py", "--shard", shard, "--workers", "1")
    assert ids(fresh.run_folder / "states") == ids(finished.run_folder / "states")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_in_good_order(fresh, number):
    process = fresh.start("simulate", "simulations/haldane.py")
    wait_for_states(fresh.run_folder / "states", 1)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 75
    assert "Traceback" not in out + err
    assert err.splitlines()[-1].startswith("phasenet: stopped early")
    kept = [name for name in ids(fresh.run_folder) if name.endswith(".state.h5")]
    dry = fresh("simulate", "simulations/haldane.py", "--dry-run")
    assert dry.startswith(f"{12 - len(kept)} of 12 ground states")


@pytest.mark.slow
def test_changed_setting_redoes_what_depends_on_it_and_nothing_else(finished, fresh):
    command = copy_of(finished, fresh)
    before = times(command.run_folder)
    source = command.study.read_text(encoding="utf-8")
    command.study.write_text(source.replace('"max_epochs": 3', '"max_epochs": 4'), "utf-8")
    command("run", "simulations/haldane.py")
    after = times(command.run_folder)
    redone = {name for name in after if after[name] != before[name]}
    suffixes = (
        "network.h5",
        "network.png",
        "train.h5",
        "table.h5",
        "chart.h5",
        "png",
        "pdf",
        "csv",
    )
    assert redone == {f"haldane.{suffix}" for suffix in suffixes}


@pytest.mark.slow
def test_comment_and_citation_redo_no_state(finished, fresh):
    command = copy_of(finished, fresh)
    before = times(command.run_folder)
    source = command.study.read_text(encoding="utf-8")
    source = source.replace("Tzeng et al.", "Y.-C. Tzeng et al.").replace(
        "def build_model", "# a comment\ndef build_model"
    )
    command.study.write_text(source, "utf-8")
    command("run", "simulations/haldane.py")
    after = times(command.run_folder)
    redone = {name for name in after if after[name] != before[name]}
    assert redone == {f"haldane.{suffix}" for suffix in ("chart.h5", "png", "pdf", "csv")}


@pytest.mark.slow
def test_damaged_state_is_found_again(finished, fresh):
    command = copy_of(finished, fresh)
    victim = command.run_folder / "states" / "D=2,Delta=1.finite.state.h5"
    wanted = read_header(victim).id
    os.truncate(victim, 1000)
    assert "1 of 12" in command("simulate", "simulations/haldane.py", "--dry-run")
    command("simulate", "simulations/haldane.py")
    assert read_header(victim).id == wanted


def test_dry_run_touches_nothing(fresh):
    out = fresh("run", "simulations/haldane.py", "--dry-run")
    assert "12 of 12 ground states to find" in out
    assert out.count("to make") == 5
    assert not fresh.run_folder.exists()


@pytest.mark.slow
def test_one_failing_point_costs_only_itself(fresh):
    source = fresh.study.read_text(encoding="utf-8")
    broken = source.replace(
        "    field = np.zeros(chain.length)\n",
        '    if point["D"] == 1.8:\n        raise ValueError("no such point")\n'
        "    field = np.zeros(chain.length)\n",
    )
    assert broken != source
    fresh.study.write_text(broken, "utf-8")
    text = fresh("simulate", "simulations/haldane.py", code=1)
    line = text.splitlines()[-1]
    assert line.startswith("phasenet: 2 of 12 ground states failed")
    assert "no such point" in line
    assert "D=1.8" in line
    assert len(list((fresh.run_folder / "states").glob("*.state.h5"))) == 10
