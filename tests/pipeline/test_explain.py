"""``phasenet explain`` on the files of a run: every section, kept sections, wrong files."""

import json
import shutil

import pytest

from phasenet.storage.reports import read_report

NETWORK = "runs/haldane/haldane.network.h5"
STATES = ("--states", "runs/haldane/states")
SECTIONS = ("observable", "interventions", "controls", "bonds", "automaton", "importance")


@pytest.fixture
def copy(finished, tmp_path):
    """Own copy of a finished run."""
    shutil.copytree(finished.folder, tmp_path / "copy")
    return type(finished)(tmp_path / "copy")


@pytest.mark.slow
def test_a_classifier_is_explained_section_by_section(copy):
    # The trains are made where they are missing.
    (copy.run_folder / "haldane.train.h5").unlink()
    would = copy.here("explain", NETWORK, *STATES, "--dry-run")
    assert "would make runs/haldane/haldane.train.h5" in would
    text = copy.here("explain", NETWORK, *STATES)
    _, report = read_report(copy.run_folder / "haldane.explained.report.h5")
    assert tuple(section.name for section in report.sections) == SECTIONS
    *shown, importance = report.sections
    assert all(section.arrays and section.tables for section in shown)
    assert importance.verdict.startswith("not shown: haldane.network.h5 has no tensorized layer")
    assert "R² within haldane" in report.verdict and "R² within haldane" in text
    page = (copy.run_folder / "haldane.explained.report.html").read_text(encoding="utf-8")
    # Every section that is shown has a figure at least.
    parts = page.split("<h2 ")[1:]
    assert [part.count("<figure>") > 0 for part in parts] == [True] * 5 + [False]
    numbers = json.loads((copy.run_folder / "haldane.explained.report.json").read_text())
    assert [section["name"] for section in numbers["sections"]] == list(SECTIONS)
    assert "nothing to do" in copy.here("explain", NETWORK, *STATES)
    lines = copy.here("show", "runs/haldane/haldane.explained.report.h5")
    assert "lineage:" in lines and "Explained variance" in lines


@pytest.mark.slow
def test_a_wavefunction_is_compared_with_its_state(copy):
    state = "runs/haldane/states/D=2,Delta=1.finite.state.h5"
    small = ("--set", "width=12", "--set", "max_epochs=6", "--set", "overlap_shots=2000")
    copy.here("fit", state, *small, "--out", "runs/D2.wavefunction.h5")
    text = copy.here("explain", "runs/D2.wavefunction.h5", *STATES)
    assert "fidelity" in text
    _, report = read_report(copy.folder / "runs" / "D2.explained.report.h5")
    assert [section.name for section in report.sections] == ["state"]
    wrong = ("--states", "runs/haldane/states/D=0,Delta=1.finite.state.h5")
    text = copy.here("explain", "runs/D2.wavefunction.h5", *wrong, code=1)
    assert "was fitted to D=2,Delta=1.finite.state.h5, which is not among" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.network.h5", *STATES), "no file none.network.h5"),
        ((NETWORK, "--states", "nowhere"), "no file nowhere"),
        (("runs/haldane/haldane.table.h5", *STATES), "is a table file; wanted a network file"),
        ((NETWORK, *STATES, "--other", "runs/haldane/haldane.table.h5"), "wanted a snapshots file"),
        (
            (NETWORK, *STATES, "--train", "runs/haldane/haldane.chart.h5"),
            "is a chart file; wanted a train file",
        ),
        (
            (NETWORK, "--states", "runs/haldane/states/D=0,Delta=1.infinite.state.h5"),
            "no open chain among",
        ),
        ((NETWORK, *STATES, "--out", "x.h5"), "wanted a name that ends in .report.h5"),
        (("x.wavefunction.h5", *STATES, "--train", "y"), "--train belongs to classifiers"),
    ],
)
def test_what_cannot_be_explained_is_one_line(finished, arguments, words):
    text = finished.here("explain", *arguments, code=1)
    assert words in text and "Traceback" not in text
