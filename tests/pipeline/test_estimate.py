"""Observables estimated from datasets of every basis, against the states that they came from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from phasenet.cli.main import main
from phasenet.errors import SettingsError
from phasenet.pipeline.estimate import EstimatePlan, estimate, estimate_lines
from phasenet.pipeline.estimate_targets import Asked
from phasenet.shots import SampledPoint, Shots, Snapshots, SnapshotsHead, Source
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.snapshots.sampling import draw_shots
from phasenet.snapshots.transforms import control_copy, kennedy_tasaki
from phasenet.storage.header import Header, Kind
from phasenet.storage.snapshots import write_snapshots
from phasenet.storage.states import read_state
from phasenet.storage.tables import read_table
from phasenet.trains.form import state_form

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample"
STATES = SAMPLE / "states"
COUPLINGS = ("D=0,Delta=1", "D=1.2,Delta=1")
LABELS = ("haldane", "large_d")


def drawn(path, basis, shots, sites=None):
    state = read_state(path)[1]
    form = state_form(state.train)
    measured = MeasuredState(form, basis, sites=sites or form.length)
    found, index = draw_shots(measured, basis, 0, state.point.id, start=0, shots=shots)
    return state.point, found.spins, index


def dataset(
    folder, basis="Sz", *, shots=4000, window=0, change=None, control="", transform="none", **given
):
    """A dataset of two states of the sample, as ``sample`` makes it."""
    boundary = "infinite" if window else "finite"
    made = basis_of(basis, 3)
    paths = [STATES / f"{name}.{boundary}.state.h5" for name in COUPLINGS]
    found = [drawn(path, made, shots, window or None) for path in paths]
    spins = np.concatenate([spins for _, spins, _ in found])
    bases = None if found[0][2] is None else np.concatenate([index for _, _, index in found])
    card = read_state(paths[0])[0].study
    source = Source(
        study=card.name,
        title=card.title,
        hamiltonian=card.hamiltonian,
        sites=spins.shape[1],
        boundary=boundary,
    )
    head = SnapshotsHead(
        site_dim=3,
        basis=basis,
        basis_names=made.names if made.drawn else (),
        transform=transform,
        classes=LABELS,
        sources=(source,),
        points=tuple(
            SampledPoint(point=point, label=label, split=split, reason="", control=control)
            for (point, _, _), label, split in zip(found, LABELS, ("train", "test"), strict=True)
        ),
    )
    rows = Shots(
        spins=spins if change is None else change(spins),
        point_index=np.repeat(np.arange(2, dtype=np.int32), shots),
        log_probability=np.full(2 * shots, np.nan),
        class_log_likelihood=np.full((2 * shots, 2), np.nan),
        basis_index=bases,
    )
    header = Header(
        kind=Kind.SNAPSHOTS, settings={"sample": {}, **given}, seed=0, parents=(), study=card
    )
    path = folder / "made.snapshots.h5"
    write_snapshots(path, header, Snapshots(head=head, shots=rows))
    return path


def table_of(path, states=STATES, **asked):
    return estimate(EstimatePlan.of(path, Asked(**asked), states))


def names(table):
    return [c.name for c in table.columns if not c.name.endswith(("_exact", "_sigmas"))]


def all_sigmas(table):
    return np.concatenate([c.values for c in table.columns if c.name.endswith("_sigmas")])


@pytest.mark.parametrize(
    ("basis", "expected"),
    [
        ("Sz", ["string_z", "local_sz", "correlation_sz_sz_r1"]),
        ("Sx", ["string_x", "local_sx", "correlation_sx_sx_r1"]),
        (
            "random",
            ["string_x_r2", "string_y_r2", "string_z_r2", "local_sz", "correlation_sz_sz_r1"],
        ),
        (
            "unbiased",
            ["string_x_r2", "string_y_r2", "string_z_r2", "local_sz", "correlation_sz_sz_r1"],
        ),
    ],
)
def test_without_a_wish_it_is_what_the_basis_measures(tmp_path, basis, expected):
    table = table_of(dataset(tmp_path, basis))
    assert names(table) == expected
    assert np.abs(all_sigmas(table)).max() < 5
    assert table.rows == COUPLINGS
    assert table.labels == LABELS
    assert table.reasons == tuple(f"4000 shots of 16 sites, {name}" for name in ("train", "test"))


def test_a_pattern_has_no_strings_but_averages_where_it_measures(tmp_path):
    table = table_of(dataset(tmp_path, "Sz,Sz,Sx"))
    assert names(table) == ["local_sz", "correlation_sz_sz_r1"]
    assert np.abs(all_sigmas(table)).max() < 5
    profile = next(curve for curve in table.curves if curve.name == "profile_sz")
    assert np.flatnonzero(np.isnan(profile.values[0])).tolist() == [2, 5, 8, 11, 14]


@pytest.mark.slow
def test_windows_of_the_infinite_state(tmp_path):
    path = dataset(tmp_path, "unbiased", window=6, shots=20_000)
    table = table_of(path, strings=("x,y,z",), distances=(2, 3), purity=2, correlations=("Sx Sx",))
    assert np.abs(all_sigmas(table)).max() < 5
    assert table.column("purity_2").errors[0] < 0.1
    assert table.column("renyi_2_exact").values[0] == pytest.approx(
        -np.log(table.column("purity_2_exact").values[0])
    )
    assert table.column("renyi_2").unit == "nat"


def test_fixed_windows_have_strings_of_the_bulk(tmp_path):
    table = table_of(dataset(tmp_path, window=16, shots=20_000), strings=("z", "Sz [Rz] Sz"))
    assert np.abs(all_sigmas(table)).max() < 5
    assert table.column("string_z").values[0] > 0.3
    assert np.array_equal(table.column("string_sz_rz_sz").values, -table.column("string_z").values)


def test_transformed_shots_are_transformed_back(tmp_path):
    path = dataset(tmp_path)
    plain = table_of(path)
    other = dataset(
        tmp_path, change=lambda spins: kennedy_tasaki(spins, 3), transform="Kennedy-Tasaki"
    )
    for one, two in zip(plain.columns, table_of(other).columns, strict=True):
        assert np.array_equal(one.values, two.values, equal_nan=True)


def test_controls_are_named_and_have_no_exact_values(tmp_path):
    path = dataset(
        tmp_path,
        change=lambda spins: control_copy("sign scramble", spins, 3, np.random.default_rng(0)),
        control="sign scramble",
    )
    table = table_of(path, states=None)
    assert table.rows == tuple(f"{name} [sign scramble]" for name in COUPLINGS)
    assert names(table) == [column.name for column in table.columns]
    string = table.column("string_z")
    assert abs(string.values[0]) < 5 * string.errors[0]
    with pytest.raises(SettingsError, match=r"none of the 16 states .* belongs to a point"):
        table_of(path)


def test_lost_sites_and_noise_are_told(tmp_path):
    lost = np.random.default_rng(1).random((8000, 16)) < 0.05
    path = dataset(
        tmp_path,
        change=lambda spins: np.where(lost, 3, spins).astype(np.uint8),
        noise={"lost": 0.05},
    )
    table = table_of(path, strings=("z",), distances=(2, 5))
    assert np.abs(all_sigmas(table)).max() < 5
    assert "shots with a lost site are left out" in table.reasons[0]
    assert "the shots carry the noise of a detector" in table.reasons[0]


def test_splits_are_chosen(tmp_path):
    path = dataset(tmp_path)
    assert table_of(path, split="test").rows == COUPLINGS[1:]
    with pytest.raises(SettingsError, match=r"split 'critical' of .* has no shots"):
        table_of(path, split="critical")
    with pytest.raises(SettingsError, match="split is 'tests'; wanted one of train"):
        table_of(path, split="tests")


@pytest.mark.parametrize(
    ("basis", "asked", "sentence"),
    [
        ("Sz", {"strings": ("x",)}, "string 'x' cannot be estimated"),
        ("Sz", {"local": ("Sx",)}, "cannot be estimated from shots in the basis 'Sz'"),
        ("Sz", {"purity": 2}, "purities cannot be estimated from shots in the basis 'Sz'"),
        ("random", {"purity": 2}, "draw shots in the basis unbiased"),
        ("unbiased", {"purity": 7}, "wanted 1 to 6 of the sites"),
        ("Sz", {"strings": ("z",), "distances": (16,)}, "cannot lie at distance 16 on 16 sites"),
        ("Sz", {"correlations": ("Sz Sz",), "distances": (16,)}, "distance is 16; wanted 1 to 15"),
        ("Sz", {"local": ("Z",)}, "the Pauli matrix Z acts on 2 local states"),
    ],
)
def test_what_the_shots_do_not_tell_is_refused(tmp_path, basis, asked, sentence):
    path = dataset(tmp_path, basis, shots=10)
    with pytest.raises(SettingsError, match=sentence):
        table_of(path, states=None, **asked)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"local": ("Sa",)}, "'Sa' is no operator; wanted one of 1, Rx"),
        ({"correlations": ("Sz",)}, "'Sz' is no pair of operators; wanted two of"),
        ({"strings": ("w",)}, "--string is 'w'"),
    ],
)
def test_unknown_operators_are_refused_at_once(asked, sentence):
    with pytest.raises(SettingsError, match=sentence):
        Asked(**asked)


def test_two_files_of_one_state_are_refused(tmp_path):
    path = dataset(tmp_path, shots=10)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        state = STATES / f"{COUPLINGS[0]}.finite.state.h5"
        (tmp_path / folder / state.name).write_bytes(state.read_bytes())
    with pytest.raises(SettingsError, match="both hold the finite state at D=0,Delta=1"):
        table_of(path, states=tmp_path)
    with pytest.raises(SettingsError, match=r"no \*.state.h5 in"):
        EstimatePlan.of(path, Asked(), tmp_path / "none")


def test_text_has_value_exact_and_deviation(tmp_path):
    table = table_of(dataset(tmp_path))
    lines = estimate_lines(table)
    assert lines[0] == "D=0,Delta=1: 4000 shots of 16 sites, train"
    row = next(line for line in lines if line.startswith("  D=0,Delta=1"))
    assert row.split()[1] == "haldane"
    assert "exact 0.413279" in row
    assert row.endswith("sigma")
    assert lines[-1].startswith("deviations of 4 estimates from exact values: root mean square ")


def test_what_all_shots_agree_on_has_no_error_and_must_be_exact(tmp_path):
    table = table_of(dataset(tmp_path), local=("Sz",))
    # S^z of the whole chain is conserved.
    assert table.column("local_sz").errors.tolist() == [0.0, 0.0]
    assert table.column("local_sz_sigmas").values.tolist() == [0.0, 0.0]
    wrong = replace(
        table.column("local_sz_sigmas"), values=np.array([np.inf, 0.0]), errors=np.zeros(2)
    )
    columns = tuple(wrong if c.name == wrong.name else c for c in table.columns)
    assert "largest inf sigma" in estimate_lines(replace(table, columns=columns))[-1]


def test_the_verb_prints_writes_and_does_nothing_twice(tmp_path, capsys):
    path = dataset(tmp_path)
    command = ["estimate", str(path), "--string", "z", "--distance", "2", "4"]
    assert main(command) == 0
    assert "string_z_r4: -<Sz [Rz] Sz> at distance 4" in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == [path]
    command += ["--states", str(STATES), "--out", str(tmp_path)]
    assert main([*command, "--dry-run"]) == 0
    out = tmp_path / "made.estimated.table.h5"
    assert capsys.readouterr().out == f"would estimate from {path} and write {out}\n"
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"written to {out}"
    header, table = read_table(out)
    assert header.settings["estimated"]["distances"] == [2, 4]
    assert table.column("string_z_r2_sigmas").values.shape == (2,)
    assert main(command) == 0
    assert capsys.readouterr().out == f"nothing to do: {out} is up to date\n"


def test_the_verb_writes_csv(tmp_path, capsys):
    out = tmp_path / "found.csv"
    assert main(["estimate", str(dataset(tmp_path)), "--local", "Sz", "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"written to {out}"
    head = out.read_text(encoding="utf-8").splitlines()[0]
    assert head == "state,D,Delta,label,local_sz [1],local_sz error,reason"
    assert (tmp_path / "found.curves.csv").is_file()


def test_the_verb_refuses_in_one_line(tmp_path, capsys):
    assert main(["estimate", str(dataset(tmp_path, shots=10)), "--string", "x"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("phasenet: string 'x' cannot be estimated")
    assert len(error.splitlines()) == 1


def test_older_files_are_read_too():
    table = estimate(EstimatePlan.of(SAMPLE / "haldane.snapshots.h5", Asked(), STATES))
    assert np.abs(all_sigmas(table)[np.isfinite(all_sigmas(table))]).max() < 5
    assert len(table.rows) == 8
