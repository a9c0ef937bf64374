"""The verb measure: what it asks for, prints and refuses."""

import shutil
from pathlib import Path

import pytest

from phasenet.cli.main import main
from phasenet.storage.tables import read_table

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "datasets" / "sample"
INFINITE = sorted((SAMPLE / "states").glob("*.infinite.state.h5"))


@pytest.fixture
def states(tmp_path):
    """Two infinite states in a folder of their own."""
    folder = tmp_path / "run" / "states"
    folder.mkdir(parents=True)
    for path in (INFINITE[0], INFINITE[-1]):
        shutil.copy(path, folder)
    return folder


def test_a_file_of_tenpy_is_printed_with_its_conventions_once(capsys):
    assert main(["measure", str(SAMPLE / "tenpy_aklt.h5")]) == 0
    out = capsys.readouterr().out
    assert "string_z_infinite                  0.44444444 " in out
    assert "x, y, z only with their ends" in out
    assert out.count("+4/9 for AKLT") == 1
    assert out.count("conventions:") == 1


@pytest.mark.parametrize(
    ("flags", "there", "missing"),
    [
        (["--string", "x,z"], "string_x_infinite", "string_y_infinite"),
        (["--spt"], "z2xz2_infinite", "string_x_infinite"),
        (["--entanglement"], "spectrum_infinite", "z2xz2_infinite"),
        (["--local"], "dimer_infinite", "entropy_infinite"),
        (["--correlations"], "structure_z_infinite", "entropy_infinite"),
        (["--many-body"], "many_body_z2xz2_infinite", "entropy_infinite"),
        (["--symmetry", "Rx Ry"], "rx_ry_infinite", "entropy_infinite"),
        (["--all"], "many_body_time_reversal_infinite", "nothing"),
        (["--string", "Sz [Rz] Sz", "--all"], "string_sz_rz_sz_infinite", "string_x_infinite"),
    ],
)
def test_flags_choose_what_is_measured(capsys, flags, there, missing):
    assert main(["measure", str(SAMPLE / "tenpy_aklt.h5"), *flags]) == 0
    words = capsys.readouterr().out.split()
    assert there in words
    assert missing not in words


def test_states_of_a_study_go_to_a_table_beside_them(states, capsys):
    assert main(["measure", str(states)]) == 0
    place = states.parent / "haldane.table.h5"
    assert capsys.readouterr().out.splitlines()[-1] == f"written to {place}"
    assert read_table(place)[1].labels == ("haldane", "large_d")
    assert main(["measure", str(states)]) == 0
    assert capsys.readouterr().out == f"nothing to do: {place} is up to date\n"
    before = place.read_bytes()
    assert main(["measure", str(states), "--spt", "--dry-run"]) == 0
    other = states.parent / "haldane.measured.table.h5"
    assert capsys.readouterr().out == f"would make {other} of 2 states\n"
    assert main(["measure", str(states), "--spt"]) == 0
    assert place.read_bytes() == before
    assert not any(c.name.startswith("string") for c in read_table(other)[1].columns)


def test_a_table_of_many_states_is_compact(tmp_path, capsys):
    paths = [str(path) for path in INFINITE[:4]]
    out = tmp_path / "many.csv"
    assert main(["measure", *paths, "--string", "z", "--workers", "1", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["label", "string_z_infinite"]
    assert [line.split()[0] for line in lines[1:5]] == [
        "D=0,Delta=1",
        "D=0.2,Delta=1",
        "D=0.4,Delta=1",
        "D=0.8,Delta=1",
    ]
    assert lines[-1] == f"written to {out}"
    assert "string_z_infinite [1]" in out.read_text().splitlines()[0]
    assert (tmp_path / "many.curves.csv").exists()


def test_one_bad_file_is_one_line_and_the_rest_is_measured(states, tmp_path, capsys):
    (states / "D=1,Delta=1.infinite.state.h5").write_bytes(b"nothing")
    out = tmp_path / "a.table.h5"
    assert main(["measure", str(states), "--out", str(out)]) == 1
    captured = capsys.readouterr()
    assert f"written to {out}" in captured.out
    last = captured.err.splitlines()[-1]
    assert last.startswith("phasenet: 1 of 3 files could not be measured (")
    assert "D=1,Delta=1.infinite.state.h5 is truncated" in last
    assert read_table(out)[1].labels == ("haldane", "large_d")
    assert main(["measure", str(states), "--out", str(out)]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("nothing to do")
    assert "1 of 3 files" in captured.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.h5"], "no file nowhere.h5"),
        (["nowhere/*.h5"], "no *.state.h5 in nowhere/*.h5"),
        (["{tenpy}", "--string", "a"], "--string is 'a'; wanted axes such as x,z"),
        (["{tenpy}", "--string", "X [Z X"], "is not understood; write it as"),
        (["{tenpy}", "--symmetry", "Rx"], "has 1 patterns; wanted two for a commutation"),
        (["{tenpy}", "--out", "a.txt"], "--out is a.txt; wanted a name that ends in .table.h5"),
        (["{tenpy}", "--train", "none.train.h5"], "no file none.train.h5"),
        (["{tenpy}", "--study", "none.py"], "no study at none.py"),
    ],
)
def test_what_makes_no_sense_is_one_line(arguments, words, capsys):
    filled = [text.format(tenpy=SAMPLE / "tenpy_aklt.h5") for text in arguments]
    assert main(["measure", *filled]) == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("phasenet: ")
    assert words in line
