"""The single verbs on the files of a run, and on files of strangers."""

import subprocess
import sys
import warnings

import h5py
import numpy as np
import pytest

from phasenet.storage.container import read_header
from phasenet.storage.tables import read_table

VERBS = (
    "run",
    "simulate",
    "status",
    "merge",
    "sample",
    "train",
    "discover",
    "tensorize",
    "compress",
    "fit",
    "explain",
    "protect",
    "attack",
    "measure",
    "estimate",
    "chart",
    "show",
    "export",
    "import",
)


def last_line(text: str) -> str:
    assert "Traceback" not in text
    return text.splitlines()[-1]


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_shows_an_example(finished, verb):
    text = finished.here(verb, "--help")
    assert "example" in text
    assert f"phasenet {verb}" in text


def test_importing_phasenet_loads_nothing_heavy():
    code = (
        "import sys, phasenet; heavy = {'torch', 'tenpy', 'h5py', 'numpy', 'matplotlib'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments",
    [
        ("sample", "runs/haldane/states"),
        *(
            pytest.param(arguments, marks=pytest.mark.slow)
            for arguments in (
                ("train", "runs/haldane/haldane.snapshots.h5"),
                ("tensorize", "runs/haldane/haldane.network.h5"),
                ("measure", "runs/haldane/states", "--train", "runs/haldane/haldane.train.h5"),
                ("chart", "runs/haldane/haldane.table.h5"),
            )
        ),
    ],
)
def test_verbs_know_the_files_of_a_run_as_their_own(finished, arguments):
    assert finished(*arguments).startswith("nothing to do")


@pytest.mark.slow
def test_verbs_make_what_the_run_made(finished, tmp_path):
    out = tmp_path
    finished.here("sample", "runs/haldane/states", "--out", f"{out}/a.snapshots.h5")
    finished.here("train", f"{out}/a.snapshots.h5")
    finished.here("tensorize", f"{out}/a.network.h5")
    finished.here(
        "measure", "runs/haldane/states", "--train", f"{out}/a.train.h5", "--out", str(out)
    )
    finished.here("chart", f"{out}/haldane.table.h5", "--out", f"{out}/a.chart.h5")
    for kind in ("snapshots", "network", "train", "chart"):
        wanted = read_header(finished.run_folder / f"haldane.{kind}.h5").id
        assert read_header(out / f"a.{kind}.h5").id == wanted
    assert (out / "a.csv").read_bytes() == (finished.run_folder / "haldane.csv").read_bytes()


def test_dry_runs_of_verbs_make_nothing(finished, tmp_path):
    for verb, source, kind in (
        ("sample", "runs/haldane/states", "snapshots"),
        ("train", "runs/haldane/haldane.snapshots.h5", "network"),
        ("measure", "runs/haldane/states", "table"),
        ("chart", "runs/haldane/haldane.table.h5", "chart"),
    ):
        text = finished.here(verb, source, "--dry-run", "--out", f"{tmp_path}/x.{kind}.h5")
        assert text.startswith("would make")
    assert list(tmp_path.iterdir()) == []


def test_show_prints_every_kind_with_its_lineage(finished):
    state = "runs/haldane/states/D=0,Delta=1.infinite.state.h5"
    assert "grid of haldane" in finished.here("show", state)
    for kind in ("snapshots", "network", "train", "table", "chart"):
        text = finished.here("show", f"runs/haldane/haldane.{kind}.h5")
        assert text.startswith(f"runs/haldane/haldane.{kind}.h5: {kind} of phasenet")
        assert "grid of haldane" in text
        assert "no longer here" not in text
    assert "network haldane.network.h5" in text or kind == "chart"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "nowhere.py"), "no study at nowhere.py"),
        (("run", "simulations/haldane.py", "--set", "basis=Sx"), "call phasenet sample and"),
        (("sample", "nowhere.toml"), "no recipe at nowhere.toml"),
        (("estimate", "runs/haldane/haldane.table.h5"), "wanted a snapshots file"),
        (("show", "nowhere.h5"), "nowhere.h5"),
        (("train", "runs/haldane/haldane.table.h5"), "wanted a snapshots file"),
        (("chart", "runs/haldane/haldane.snapshots.h5"), "wanted a table file"),
        (("measure", "runs/haldane/haldane.chart.h5"), "measure needs states"),
        (("sample", "runs"), "no *.state.h5 in runs"),
        (("train", "runs/haldane/haldane.snapshots.h5", "--out", "x.h5"), ".network.h5"),
        (("show", "simulations/haldane.py"), "simulations/haldane.py"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(finished, arguments, words):
    text = finished.here(*arguments, code=1)
    assert last_line(text).startswith("phasenet: ")
    assert words in last_line(text)


def test_usage_errors_exit_with_2(finished):
    finished.here("launch", code=2)
    finished.here("run", "simulations/haldane.py", "--workers", "0", code=2)


def test_truncated_file_is_one_line(finished, tmp_path):
    source = finished.run_folder / "haldane.snapshots.h5"
    for size in (0, 100, 3000, source.stat().st_size - 100):
        victim = tmp_path / "broken.snapshots.h5"
        victim.write_bytes(source.read_bytes()[:size])
        text = finished.here("show", str(victim), code=1)
        assert "broken.snapshots.h5" in last_line(text)


def test_files_are_plain_arrays_for_h5py_alone(finished):
    with h5py.File(finished.run_folder / "haldane.snapshots.h5") as file:
        assert file.attrs["kind"] == "snapshots"
        spins, label, split = file["spins"][:], file["label"][:], file["split"][:]
    assert spins.dtype == np.uint8
    assert spins.shape == (1200, 8)
    assert set(label.tolist()) == {0, 1}
    assert len(split) == 1200


def save_tenpy_aklt(path, boundary: str, length: int):
    """AKLT state of TeNPy, saved as a user would; returned for TeNPy's own numbers."""
    from tenpy.models.aklt import AKLTChain
    from tenpy.tools import hdf5_io

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = AKLTChain({"L": length, "bc_MPS": boundary, "conserve": "Sz"}).psi_AKLT()
        hdf5_io.save({"psi": psi, "energy": -1.0}, str(path))
    return psi


def test_measure_reads_a_finite_state_of_tenpy(finished, tmp_path):
    path, out = tmp_path / "mine.h5", tmp_path / "mine.table.h5"
    psi = save_tenpy_aklt(path, "finite", 12)
    assert "string_z_finite" in finished.here("measure", str(path))
    finished.here("measure", str(path), "--out", str(out))
    _, table = read_table(out)
    string = [["Sz"], ["Sz"]]
    rotation = np.diag(np.exp(1j * np.pi * np.diag(psi.sites[0].Sz.to_ndarray()))).real
    from tenpy.linalg import np_conserved as npc

    operator = npc.Array.from_ndarray(rotation, [psi.sites[0].leg, psi.sites[0].leg.conj()])
    operator.iset_leg_labels(["p", "p*"])
    wanted = psi.correlation_function(
        *string, sites1=[3], sites2=[8], opstr=operator, str_on_first=False
    )[0, 0]
    # The two bulk blocks of 12 sites are (3,) and (8,).
    assert table.column("string_z_finite").values[0] == pytest.approx(-wanted.real, abs=1e-12)
    assert wanted.real == pytest.approx(-4 / 9, abs=1e-5)
    assert finished.here("measure", str(path), "--out", str(out)).startswith("nothing to do")
    assert "saved with TeNPy" in finished.here("show", str(path))


def test_measure_finds_every_invariant_of_an_infinite_state_of_tenpy(finished, tmp_path):
    path, out = tmp_path / "mine.h5", tmp_path / "mine.table.h5"
    save_tenpy_aklt(path, "infinite", 2)
    finished.here("measure", str(path), "--out", str(out))
    _, table = read_table(out)
    found = {column.name: column.values[0] for column in table.columns}
    for axis in "xz":
        assert found[f"string_{axis}_infinite"] == pytest.approx(4 / 9, abs=1e-10)
    for name in ("z2xz2", "time_reversal", "bond_inversion"):
        assert found[f"{name}_infinite"] == -1
    assert found["entropy_infinite"] == pytest.approx(np.log(2), abs=1e-10)
    assert found["correlation_length"] == pytest.approx(1 / np.log(3), abs=1e-8)


def test_reading_a_tenpy_file_imports_nothing_that_it_names(finished, tmp_path):
    path = tmp_path / "evil.h5"
    save_tenpy_aklt(path, "finite", 12)
    with h5py.File(path, "a") as file:
        file.attrs["module"] = "trap"
    (finished.folder / "trap.py").write_text("open('sprung', 'w')\n", encoding="utf-8")
    finished("measure", str(path))
    assert not (finished.folder / "sprung").exists()


def test_a_place_that_cannot_be_written_is_one_line(finished, tmp_path):
    target = tmp_path / "taken"
    target.write_text("a file where a folder should be", encoding="utf-8")
    text = finished.here(
        "sample", "runs/haldane/states", "--out", f"{target}/x.snapshots.h5", code=1
    )
    assert last_line(text).startswith("phasenet: cannot write")
