"""Reports in files: words and numbers come back, JSON has no NaN, damage is noticed."""

import json

import h5py
import numpy as np
import pytest

from phasenet.errors import FileKindError, ShapeError
from phasenet.findings import FindingTable, Report, Section
from phasenet.storage.header import Header, Kind
from phasenet.storage.reports import read_report, write_report, write_report_json

HEADER = Header(kind=Kind.REPORT, settings={"explain": {}}, seed=3, parents=(), study=None)
TABLE = FindingTable(
    title="R² by family", columns=("state", "R²"), rows=(("D = 0", 0.874), ("D = 2", None))
)
SECTION = Section(
    name="observable",
    title="The classifier as an observable",
    verdict="reads the density of zeros: R² 0.874",
    notes=("exact but for the train", "β"),
    tables=(TABLE,),
    arrays={
        "mean": np.array([[1.0, np.nan], [np.inf, -2.5]]),
        "count": np.arange(3),
        "state/phase": np.array([1 + 2j]),
        "empty": np.zeros((0, 2)),
    },
    labels={"families": ("local", "string")},
)
REPORT = Report(
    title="What net has learned",
    verdict="reads zeros",
    sections=(SECTION, Section(name="bonds", title="Bonds", verdict="not shown: none")),
)


def test_everything_comes_back(tmp_path):
    path = tmp_path / "a.report.h5"
    header = write_report(path, HEADER, REPORT)
    found_header, found = read_report(path)
    assert found_header == header
    assert (found.title, found.verdict) == (REPORT.title, REPORT.verdict)
    for got, wanted in zip(found.sections, REPORT.sections, strict=True):
        assert (got.name, got.title, got.verdict, got.notes) == (
            (wanted.name, wanted.title, wanted.verdict, wanted.notes)
        )
        assert (got.tables, got.labels) == (wanted.tables, dict(wanted.labels))
        assert got.arrays.keys() == wanted.arrays.keys()
        for name in wanted.arrays:
            np.testing.assert_array_equal(got.arrays[name], wanted.arrays[name])
    assert found.section("bonds").title == "Bonds"
    with pytest.raises(KeyError):
        found.section("modes")


def test_json_that_any_reader_takes(tmp_path):
    path = tmp_path / "a.json"
    write_report_json(path, REPORT)
    text = path.read_text(encoding="utf-8")
    assert "NaN" not in text and "Infinity" not in text
    section = json.loads(text)["sections"][0]
    assert section["arrays"]["mean"] == [[1.0, None], [None, -2.5]]
    assert section["arrays"]["state/phase"] == {"real": [1.0], "imaginary": [2.0]}
    assert section["tables"][0]["rows"] == [["D = 0", 0.874], ["D = 2", None]]


def test_a_damaged_file_is_one_error(tmp_path):
    path = tmp_path / "a.report.h5"
    write_report(path, HEADER, REPORT)
    with h5py.File(path, "a") as file:
        del file["sections/0/words"]
        file["sections/0/words"] = np.frombuffer(b'{"name": 3', dtype=np.uint8)
    with pytest.raises(FileKindError, match=r"a\.report\.h5"):
        read_report(path)


def test_rows_have_a_cell_for_each_column():
    with pytest.raises(ShapeError, match="a row of the table 't' has 1 cells; wanted 2"):
        FindingTable(title="t", columns=("a", "b"), rows=((1.0,),))
