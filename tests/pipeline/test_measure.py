"""Measuring many files: mixed, damaged, interrupted, and whatever the workers."""

import csv
import dataclasses
import math
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from tenpy.networks.mps import MPS
from tenpy.networks.site import SpinHalfFermionSite
from tenpy.tools import hdf5_io

from phasenet import Order, ParameterPoint, StringOrder, Symmetry, load_study
from phasenet.criteria import spin_string
from phasenet.errors import FileKindError, PhasenetError, SettingsError, StudyError
from phasenet.phases.exact import aklt_cell, aklt_chain, cluster_chain, large_d_cell, large_d_chain
from phasenet.pipeline.intake import take_in
from phasenet.pipeline.measure import FailedFilesError, MeasurePlan, make_table
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.rows import Row, RowJournal
from phasenet.pipeline.selection import ALL, Group, Selection, strings_of, symmetry_of
from phasenet.pipeline.tabulated import measured_lines
from phasenet.pipeline.tasks import Context
from phasenet.records import DmrgOutcome, GroundState
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.states import write_state
from phasenet.storage.tables import read_table, write_table
from phasenet.trains.train import TensorTrain

ROOT = Path(__file__).resolve().parents[2]
TENPY = ROOT / "datasets" / "sample" / "tenpy_aklt.h5"
SAMPLE = ROOT / "datasets" / "sample" / "haldane.network.h5"
CARD = load_study(ROOT / "simulations" / "haldane.py").card()
LENGTH = 12
ONE_SITE = TensorTrain(cores=(np.eye(3)[1].reshape(1, 3, 1),))


class Stopping(SilentReporter):
    """Interrupts after some rows, as Ctrl-C would."""

    def __init__(self, rows):
        self.rows, self.seen = rows, []

    def advance(self, done, text):
        self.seen.append(text)
        if done == self.rows:
            raise KeyboardInterrupt


def save(folder, train, card=CARD, **couplings):
    """State file at a point."""
    bonds = [core.shape[0] for core in train.cores]
    state = GroundState(
        point=ParameterPoint.of(couplings),
        spin=(train.site_dims[0] - 1) / 2,
        train=train,
        schmidt_values=tuple(np.ones(bond) / np.sqrt(bond) for bond in bonds),
        charge="",
        bond_charges=(np.zeros(0, dtype=np.int64),) * (len(bonds) + 1),
        energy=-1.0,
        variance=math.nan,
        truncation=1e-12,
        outcome=DmrgOutcome.CONVERGED,
        sweeps=3,
    )
    header = Header(
        kind=Kind.STATE,
        settings={"point": state.point.as_dict(), "boundary": state.boundary.value},
        seed=0,
        parents=(),
        study=card,
    )
    path = folder / f"{state.point}.{state.boundary}.state.h5"
    write_state(path, header, state)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Infinite states and open chains of four points, deeper than the folder itself."""
    place = tmp_path_factory.mktemp("states")
    for D in range(4):
        save(place / "deep" / "states", aklt_cell() if D < 2 else large_d_cell(), D=D)
        save(place / "deep" / "states", aklt_chain(LENGTH), D=D)
    shutil.copy(SAMPLE, place / "deep" / "haldane.network.h5")
    return place


@pytest.fixture
def mine(folder, tmp_path):
    """Copy of the folder that a test may damage."""
    return Path(shutil.copytree(folder, tmp_path / "mine"))


def measured(plan, out, workers=1, reporter=None):
    return make_table(plan, out, workers=workers, reporter=reporter or SilentReporter())


def damage(path):
    """Change the content of a file, but not its header."""
    data = bytearray(path.read_bytes())
    place = data.index(np.float64(-1.0).tobytes(), 2000)
    data[place : place + 8] = np.float64(-2.0).tobytes()
    path.write_bytes(bytes(data))


def test_folders_patterns_and_files_are_the_same_states(folder):
    states = folder / "deep" / "states"
    whole = take_in([folder])
    assert len(whole.files) == 8
    assert (whole.lost, whole.card) == ((), CARD)
    assert [str(file.point) for file in whole.files] == [f"D={D}" for D in range(4) for _ in (0, 1)]
    for places in ([states, folder], [Path(f"{folder}/**/*.h5")], sorted(states.iterdir())[::-1]):
        assert take_in(places).files == whole.files


def test_checkpoints_and_hidden_files_are_left_out(mine):
    source = next((mine / "deep" / "states").iterdir())
    shutil.copy(source, mine / "D=9.finite.checkpoint.h5")
    shutil.copy(source, mine / ".half.state.h5")
    assert len(take_in([mine]).files) == 8


def test_what_is_named_must_be_a_state(folder, tmp_path):
    with pytest.raises(FileKindError, match="is a network file; measure needs states"):
        take_in([folder / "deep" / "haldane.network.h5"])
    with pytest.raises(PhasenetError, match=r"no \*\.state\.h5 in .*phasenet simulate"):
        take_in([tmp_path])
    with pytest.raises(FailedFilesError, match=r"no file .*nowhere\.h5"):
        measured(MeasurePlan.of([Path("nowhere.h5")]), tmp_path / "a.table.h5")


def test_states_of_two_studies_are_not_mixed(folder, tmp_path):
    save(tmp_path, aklt_cell(), card=dataclasses.replace(CARD, name="other"), D=7)
    with pytest.raises(SettingsError, match=r"of the studies haldane, other; .*--study"):
        MeasurePlan.of([folder, tmp_path])
    assert len(MeasurePlan.of([folder, tmp_path], card=CARD).tasks) == 5


def test_the_same_state_twice_is_one_line(folder, tmp_path):
    shutil.copy(next((folder / "deep" / "states").iterdir()), tmp_path / "again.state.h5")
    with pytest.raises(PhasenetError, match=r"a second time; name each state once"):
        MeasurePlan.of([folder, tmp_path])


def test_our_states_and_those_of_tenpy_in_one_table(folder, tmp_path):
    out = tmp_path / "a.table.h5"
    table = measured(MeasurePlan.of([TENPY, folder]), out).table
    assert table.rows == ("D=0", "D=1", "D=2", "D=3", "tenpy_aklt.h5")
    assert table.labels == ("haldane", "haldane", "large_d", "large_d", "")
    assert table.points[-1].couplings == ()
    strings = table.column("string_z_infinite").values
    np.testing.assert_allclose(strings, [4 / 9, 4 / 9, 0, 0, 4 / 9], atol=1e-9)
    lengths = table.column("length_finite").values
    assert lengths[:4].tolist() == [LENGTH] * 4
    assert math.isnan(lengths[4])
    assert table.reasons[0].startswith("Z2xZ2 -1, time reversal -1, bond inversion -1;")
    assert "strings of the infinite state: x, y, z only with their ends" in table.reasons[0]
    assert "Z2xZ2, time reversal, bond inversion determined" in table.reasons[4]
    assert len(read_header(out).parents) == 9
    _, stored = read_table(out)
    assert [curve.name for curve in stored.curves] == [curve.name for curve in table.curves]


def test_overlaps_with_the_next_point(folder, tmp_path):
    table = measured(MeasurePlan.of([folder]), tmp_path / "a.table.h5").table
    infinite = table.column("fidelity_D_infinite").values
    np.testing.assert_allclose(infinite[[0, 2]], 0.0, atol=1e-9)
    # Two sites of AKLT are both in the state 0 with an amplitude of 1/3.
    assert infinite[1] == pytest.approx(-np.log(3) / 2)
    assert math.isnan(infinite[3])
    finite = table.column("fidelity_D_finite").values
    np.testing.assert_allclose(finite[:3], 0.0, atol=1e-9)


def test_a_file_that_cannot_be_read_costs_only_itself(mine, tmp_path):
    out, states = tmp_path / "a.table.h5", mine / "deep" / "states"
    damage(states / "D=1.finite.state.h5")
    cut = states / "D=2.infinite.state.h5"
    cut.write_bytes(cut.read_bytes()[:1000])
    (states / "D=3.finite.state.h5").write_bytes(b"no HDF5")
    found = measured(MeasurePlan.of([mine]), out)
    assert {lost.path.name for lost in found.lost} == {
        "D=1.finite.state.h5",
        "D=2.infinite.state.h5",
        "D=3.finite.state.h5",
    }
    with pytest.raises(FailedFilesError, match="3 of 8 files could not be measured") as error:
        found.check()
    assert "\n" not in str(error.value)
    assert found.table.labels == ("haldane", "haldane", "", "large_d")
    assert np.isnan(found.table.column("length_finite").values).tolist() == [0, 1, 0, 1]
    assert found.table.reasons[2].startswith("no infinite state")
    assert len(read_header(out).parents) == 5


def test_what_was_damaged_is_measured_once_it_is_whole(mine, folder, tmp_path):
    out, name = tmp_path / "a.table.h5", "D=1.finite.state.h5"
    damage(mine / "deep" / "states" / name)
    measured(MeasurePlan.of([mine]), out)
    assert not MeasurePlan.of([mine]).product(out).is_done()
    shutil.copy(folder / "deep" / "states" / name, mine / "deep" / "states" / name)
    reporter = Stopping(99)
    found = measured(MeasurePlan.of([mine]), out, reporter=reporter)
    # The row before it has its overlap.
    assert reporter.seen == ["D=0", "D=1"]
    assert found.lost == ()
    assert np.isfinite(found.table.column("fidelity_D_finite").values[:3]).all()
    assert MeasurePlan.of([mine]).product(out).is_done()
    assert not RowJournal.beside(out).path.exists()


def test_an_interruption_leaves_finished_rows(folder, tmp_path):
    plan, out, whole = MeasurePlan.of([folder]), tmp_path / "a.table.h5", tmp_path / "b.table.h5"
    with pytest.raises(KeyboardInterrupt):
        measured(plan, out, reporter=Stopping(2))
    journal = RowJournal.beside(out)
    assert not out.exists()
    assert len(journal.read()) == 2
    # A crash in the middle of a line.
    text = journal.path.read_text()
    journal.path.write_text(text + text.splitlines()[-1][:300])
    reporter = Stopping(99)
    measured(plan, out, reporter=reporter)
    assert reporter.seen == ["D=2", "D=3"]
    measured(plan, whole)
    assert read_header(out).id == read_header(whole).id
    assert not journal.path.exists()


def test_rows_outlive_a_table_that_cannot_be_written(folder, tmp_path, monkeypatch):
    def full(*_):
        raise PhasenetError("disk full")

    out = tmp_path / "a.table.h5"
    monkeypatch.setattr("phasenet.pipeline.measure.write_table", full)
    with pytest.raises(PhasenetError, match="disk full"):
        measured(MeasurePlan.of([folder]), out)
    assert len(RowJournal.beside(out).read()) == 4


def test_rows_of_other_settings_are_measured_again(folder, tmp_path):
    out = tmp_path / "a.table.h5"
    with pytest.raises(KeyboardInterrupt):
        measured(MeasurePlan.of([folder]), out, reporter=Stopping(3))
    reporter = Stopping(99)
    selection = Selection(groups=(Group.LOCAL,))
    table = measured(MeasurePlan.of([folder], selection=selection), out, reporter=reporter).table
    assert len(reporter.seen) == 4
    assert not any(c.name.startswith(("string", "z2xz2", "entropy")) for c in table.columns)
    assert table.column("quadrupole_infinite").values[0] == pytest.approx(2 / 3)
    assert table.labels[0] == "haldane"
    assert not MeasurePlan.of([folder]).product(out).is_done()
    assert MeasurePlan.of([folder], selection=selection).product(out).is_done()


@pytest.mark.slow
def test_workers_change_no_bit(mine, tmp_path):
    damage(mine / "deep" / "states" / "D=1.finite.state.h5")
    selection = Selection(groups=(*ALL, Group.PAIRS))
    plan = MeasurePlan.of([mine, TENPY], selection=selection)
    ids = set()
    for workers in (1, 2, 3):
        out = tmp_path / f"{workers}.table.h5"
        found = measured(plan, out, workers=workers)
        assert len(found.lost) == 1
        ids.add(read_header(out).id)
    assert len(ids) == 1


def test_an_unexpected_error_names_its_file(folder, tmp_path, monkeypatch):
    def broken(state):
        raise ZeroDivisionError("nothing")

    monkeypatch.setattr("phasenet.pipeline.observing.state_form", broken)
    plan = MeasurePlan.of([folder])
    with pytest.raises(FailedFilesError, match=r"could not be .*state\.h5 .*ZeroDivisionError: n"):
        measured(plan, tmp_path / "a.table.h5")


def test_a_group_that_cannot_be_measured_says_so_and_costs_no_other(folder, tmp_path):
    wanted = Selection(groups=(Group.STRINGS, Group.LOCAL), strings=("X [Z] X",))
    table = measured(MeasurePlan.of([folder], selection=wanted), tmp_path / "a.table.h5").table
    assert all("strings not measured: the Pauli matrix" in reason for reason in table.reasons)
    assert table.column("quadrupole_finite").values[0] == pytest.approx(2 / 3, abs=1e-4)
    assert any("strings not measured: " in line for line in measured_lines(table))


def test_states_that_are_too_short_for_anything(tmp_path):
    for length in (1, 2, 3):
        save(tmp_path, large_d_chain(length) if length > 1 else ONE_SITE, D=length)
    table = measured(
        MeasurePlan.of([tmp_path], selection=Selection(groups=(*ALL, Group.PAIRS))),
        tmp_path / "a.table.h5",
    ).table
    assert table.column("length_finite").values.tolist() == [1, 2, 3]
    assert table.column("z2xz2_finite").values.tolist() == [0, 0, 0]


def test_rows_survive_their_line(folder):
    plan = MeasurePlan.of([folder], selection=Selection(groups=(*ALL, Group.PAIRS)))
    journal_line = []
    journal = type("Kept", (), {"read": dict, "append": journal_line.append})
    plan.carry_out(journal, workers=1, reporter=Stopping(99))
    for line in journal_line:
        assert "\n" not in line
        assert Row.of(line).line() == line
    with pytest.raises(ValueError, match="Unterminated"):
        Row.of(journal_line[0][:1000])


def test_thousands_of_rows_in_one_file(folder, tmp_path):
    table = measured(MeasurePlan.of([folder]), tmp_path / "a.table.h5").table
    many = dataclasses.replace(
        table,
        rows=tuple(str(k) for k in range(3000)),
        points=table.points[:1] * 3000,
        labels=table.labels[:1] * 3000,
        reasons=("x" * 200,) * 3000,
        columns=tuple(
            dataclasses.replace(c, values=np.resize(c.values, 3000), errors=np.zeros(3000))
            for c in table.columns
        ),
        curves=(),
    )
    header = read_header(tmp_path / "a.table.h5")
    write_table(tmp_path / "many.table.h5", header, many)
    assert read_table(tmp_path / "many.table.h5")[1].reasons == many.reasons


def test_csv_of_numbers_and_of_curves(folder, tmp_path):
    out = tmp_path / "a.csv"
    table = measured(MeasurePlan.of([folder]), out).table
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["state"] for row in rows] == list(table.rows)
    assert float(rows[0]["string_z_infinite [1]"]) == pytest.approx(4 / 9)
    with (tmp_path / "a.curves.csv").open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    entropies = [line for line in lines if line["curve"] == "entropies_finite"]
    assert len(entropies) == 4 * (LENGTH - 1)
    assert {line["unit"] for line in entropies} == {"nat"}
    curve = next(curve for curve in table.curves if curve.name == "entropies_finite")
    assert float(entropies[3]["value"]) == pytest.approx(curve.values[0][3], rel=1e-11)
    assert entropies[3]["index 1"] == "3"
    assert not RowJournal.beside(out).path.exists()


def test_a_users_own_model_in_states_without_a_study(tmp_path):
    save(tmp_path, cluster_chain(24), card=None, h=0)
    own = Selection(
        groups=(Group.STRINGS, Group.SPT),
        strings=strings_of(["Z [X 1] X Z"]),
        symmetries=("X,1 1,X",),
    )
    table = measured(MeasurePlan.of([tmp_path], selection=own), tmp_path / "a.table.h5").table
    values = {column.name: column.values[0] for column in table.columns}
    assert values["x_1_1_x_finite"] == -1
    assert values["string_z_x_1_x_z_finite"] == pytest.approx(1.0, abs=1e-9)
    assert not any(name.startswith(("entropy", "string_x_")) for name in values)
    assert table.labels == ("",)
    with pytest.raises(StudyError, match="acts with 'Q'"):
        Selection(symmetries=("Q Rz",))


def test_a_study_with_matrices_in_a_state_of_tenpy(tmp_path):
    swap = [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    signs = np.diag([-1, 1, -1])
    own = dataclasses.replace(
        CARD,
        symmetries=(Symmetry(name="mine", kind="commutation", operators=((swap,), (signs,))),),
        strings=(
            StringOrder(
                name="my string", left=("Sz",), inside=(signs,), right=("Sz",), factor=-1.0
            ),
        ),
        orders=(Order(name="moment", operators=(np.diag([1, 0, -1]),), wavenumber=0.5),),
        phases=(),
    )
    table = measured(MeasurePlan.of([TENPY], card=own), tmp_path / "a.table.h5").table
    values = {column.name: column.values[0] for column in table.columns}
    assert values["mine_infinite"] == -1
    assert values["string_my_string_infinite"] == pytest.approx(4 / 9)
    assert values["order_moment_infinite"] == pytest.approx(0.0, abs=1e-4)
    assert "z2xz2_infinite" not in values


def test_sites_that_are_no_spins_have_entanglement(tmp_path):
    sites = [SpinHalfFermionSite() for _ in range(8)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = MPS.from_product_state(sites, ["up", "down"] * 4, unit_cell_width=8)
        hdf5_io.save(psi, str(tmp_path / "fermions.h5"))
    selection = Selection(groups=(*ALL, Group.PAIRS))
    table = measured(MeasurePlan.of([tmp_path], selection=selection), tmp_path / "a.csv").table
    names = {column.name for column in table.columns}
    assert "entropy_finite" in names
    assert not any(name.startswith(("string", "z2xz2", "quadrupole")) for name in names)
    assert table.reasons == ("the sites tell no spin: entanglement, and what a study names",)


def test_a_symmetry_that_does_not_fit_the_cell_costs_the_label_alone(tmp_path):
    wide = Symmetry(name="wide", kind="commutation", operators=(("Rx", "1"), ("Rz", "1")))
    save(tmp_path, aklt_cell(), D=0)
    own = dataclasses.replace(CARD, symmetries=(wide,), phases=())
    table = measured(MeasurePlan.of([tmp_path], card=own), tmp_path / "a.table.h5").table
    assert table.reasons[0].startswith("no label: ")
    assert "wide" in table.reasons[0]
    assert table.column("string_z_infinite").values[0] == pytest.approx(4 / 9)


def test_which_strings_are_measured_where_none_are_asked_for():
    def names(card, dim, spin=None, **selection):
        context = Context(card=card, selection=Selection(**selection))
        return [string.name for string in context.strings((dim, dim), spin)]

    def having(*strings):
        return dataclasses.replace(CARD, strings=strings)

    own = StringOrder.parse("Z [X 1] X Z", name="own")
    assert names(None, 3, 1.0) == names(CARD, 3, 1.0) == names(CARD, 2, 0.5) == ["x", "y", "z"]
    assert names(None, 3) == []
    assert names(having(own), 3, 1.0) == ["x", "y", "z", "own"]
    assert names(having(own), 2, 0.5) == names(having(own), 2) == ["own"]
    at_a_bond = [spin_string("z", 3, start=start, period=2) for start in (0, 1)]
    assert names(having(*at_a_bond), 3, 1.0) == ["z", "z from site 1"]
    assert names(having(own), 3, 1.0, strings=("z",)) == ["z"]


@pytest.mark.parametrize("text", ["w", "x;z", "Z [X", "Q [X] Z"])
def test_strings_that_are_none(text):
    with pytest.raises(PhasenetError, match=r"--string is|not understood|'Q' is unknown"):
        strings_of([text])


def test_symmetries_in_words():
    assert symmetry_of("T Ry").kind == "time reversal"
    assert symmetry_of("I").operators == ()
    assert symmetry_of("I Rx").operators == (("Rx",),)
    for text in ("", "Rx", "Rx Ry Rz", "T", "Sz Sx"):
        with pytest.raises(StudyError, match="symmetry"):
            symmetry_of(text)
