"""States to TeNPy's files and back."""

import argparse
import dataclasses
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from tenpy.networks.mps import MPS
from tenpy.networks.site import SpinHalfFermionSite, SpinSite
from tenpy.tools import hdf5_io

from phasenet.cli import export, import_
from phasenet.errors import FileKindError, MissingInputError, PhasenetError, SettingsError
from phasenet.groundstates.convert import tenpy_mps
from phasenet.pipeline.exchange import export_state, exports, imports
from phasenet.pipeline.intake import take_in
from phasenet.pipeline.product import ordered_states
from phasenet.pipeline.show import describe
from phasenet.pipeline.sources import states_by_point
from phasenet.records import DmrgOutcome
from phasenet.storage.states import read_state, write_state
from phasenet.study import Boundary

SAMPLE = Path(__file__).resolve().parents[2] / "datasets" / "sample" / "states"
FROZEN = Path(__file__).resolve().parents[1] / "formats"
STATES = [
    SAMPLE / "D=0.4,Delta=1.finite.state.h5",
    SAMPLE / "D=0.4,Delta=1.infinite.state.h5",
    FROZEN / "format_2.state.h5",
    FROZEN / "format_2_infinite.state.h5",
]


def product(states=("up", "down"), sites=4, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MPS.from_product_state(
            [SpinSite(1.0, conserve="Sz")] * sites, list(states) * (sites // 2), **options
        )


def saved(folder, name, **data):
    path = folder / name
    hdf5_io.save(data, path)
    return path


def imported(path, **options):
    """Only state of one file, as its state file has it."""
    (one,) = imports([path], **{"couplings": {}, **options})
    one.make()
    assert one.product.is_done()
    return one.product.path, read_state(one.product.path)[1]


def run(module, *arguments):
    """One verb from the command line."""
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers()
    module.add_parser(verbs)
    options = parser.parse_args([*verbs.choices, *(str(argument) for argument in arguments)])
    options.execute(options)


@pytest.mark.parametrize("path", STATES, ids=lambda path: path.name)
def test_tenpy_loads_what_dmrg_left(path, tmp_path):
    (one,) = exports([path], tmp_path)
    assert not one.is_done()
    export_state(one)
    loaded, (_, state) = hdf5_io.load(one.target), read_state(path)
    psi, wanted = loaded["psi"], tenpy_mps(state)
    psi.test_sanity()
    for site in range(psi.L):
        assert psi.get_B(site).legs == wanted.get_B(site).legs
        assert np.array_equal(psi.get_B(site).to_ndarray(), wanted.get_B(site).to_ndarray())
        assert np.array_equal(psi.get_SL(site), wanted.get_SL(site))
    sites = psi.L if psi.bc == "finite" else 1
    assert loaded["energy"] == state.energy * sites
    assert loaded["couplings"] == state.point.as_dict()


@pytest.mark.parametrize("path", STATES, ids=lambda path: path.name)
def test_there_and_back_nothing_is_lost(path, tmp_path):
    (one,) = exports([path], tmp_path)
    export_state(one)
    place, back = imported(one.target, folder=tmp_path / "states")
    state = read_state(path)[1]
    assert place.name == f"{state.point}.{state.boundary}.state.h5"
    assert back.train.__class__ is state.train.__class__
    for name in ("schmidt_values", "bond_charges"):
        for ours, theirs in zip(getattr(back, name), getattr(state, name), strict=True):
            assert np.array_equal(ours, theirs)
    for ours, theirs in zip(back.train.cores, state.train.cores, strict=True):
        assert (ours.dtype, ours.tobytes()) == (theirs.dtype, theirs.tobytes())
    for name in ("point", "spin", "charge", "energy", "truncation", "outcome", "sweeps"):
        assert getattr(back, name) == getattr(state, name)
    np.testing.assert_equal(back.variance, state.variance)


def test_nothing_to_do_is_noticed(tmp_path):
    source = tmp_path / "a.state.h5"
    shutil.copy(STATES[0], source)
    (one,) = exports([source], None)
    assert one.target == tmp_path / "a.tenpy.h5"
    export_state(one)
    assert one.is_done()
    header, state = read_state(source)
    write_state(source, header, dataclasses.replace(state, energy=-1.0))
    assert not one.is_done()
    one.target.write_bytes(one.target.read_bytes()[:5000])
    assert not one.is_done()


@pytest.mark.parametrize("bc", ["finite", "infinite"])
def test_a_file_of_tenpys_own(bc, tmp_path):
    psi = product(bc=bc)
    path = saved(tmp_path, "mine.h5", psi=psi, energy=-2.0)
    place, state = imported(path, couplings={"D": 0.5})
    assert place == tmp_path / f"D=0.5.{bc}.state.h5"
    assert state.energy == (-0.5 if bc == "finite" else -2.0)
    assert state.outcome is DmrgOutcome.IMPORTED
    assert np.isnan([state.variance, state.truncation]).all()
    assert [charges.tolist() for charges in state.bond_charges] == [[0], [2], [0], [2], [0]]
    assert take_in([place]).files[0].is_ours
    assert ordered_states([place]) == [place]
    assert states_by_point([place])[state.point][Boundary(bc)].energy == state.energy
    lines = describe(place)
    assert lines[2].endswith("0 sweeps: " + DmrgOutcome.IMPORTED.value)
    assert lines[-1].startswith("  file of TeNPy mine.h5 (id ")


def test_what_is_not_known_is_not_made_up(tmp_path):
    path = saved(tmp_path, "mine.h5", psi=product())
    place, state = imported(path)
    assert place == tmp_path / "mine.state.h5"
    assert np.isnan(state.energy)
    assert state.point.couplings == ()
    path, state = imported(path, energy=-1.25, converged=True, couplings={"D": 0.5})
    assert (state.energy, state.outcome) == (-1.25, DmrgOutcome.CONVERGED)


@pytest.mark.parametrize("conserve", ["Sz", "parity", "None"])
def test_states_in_another_form_get_new_bonds_with_charges(conserve, tmp_path):
    state = np.random.get_state()  # noqa: NPY002 - TeNPy draws from the global stream
    np.random.seed(4)  # noqa: NPY002
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        site = SpinSite(1.0, conserve=conserve)
        psi = MPS.from_product_state([site] * 4, ["up", "down"] * 2)
        psi.perturb({"N_steps": 3, "trunc_params": {"chi_max": 5}}, close_1=False)
    np.random.set_state(state)  # noqa: NPY002
    psi.convert_form("A")
    _, found = imported(saved(tmp_path, "mine.h5", psi=psi))
    assert found.charge == {"Sz": "2*Sz", "parity": "parity_Sz", "None": ""}[conserve]
    assert all(len(bond) == 0 for bond in found.bond_charges) == (conserve == "None")
    back = tenpy_mps(found)
    assert abs(back.overlap(psi)) == pytest.approx(1.0, abs=1e-12)
    assert back.norm_test().max() < 1e-12


def test_states_of_a_study(haldane, tmp_path):
    path = saved(tmp_path, "mine.h5", psi=product(), couplings={"D": 0.5})
    with pytest.raises(SettingsError, match=r"couplings D=0\.5, study haldane has D, Delta; give"):
        imported(path, study=haldane)
    place, state = imported(path, study=haldane, couplings={"Delta": 1.0})
    assert str(state.point) == "D=0.5,Delta=1"
    assert read_state(place)[0].study == haldane.card()
    with pytest.raises(SettingsError, match=r"has spins 1, those of study haldane are 0\.5"):
        imported(path, study=dataclasses.replace(haldane, spin=0.5))


def test_two_files_that_would_become_one(tmp_path):
    paths = [saved(tmp_path, f"{name}.h5", psi=product()) for name in "ab"]
    with pytest.raises(SettingsError, match=r"several files would become .*D=1\.finite\.state\.h5"):
        list(imports(paths, couplings={"D": 1.0}))
    other = tmp_path / "other" / STATES[0].name
    with pytest.raises(SettingsError, match="several files would become"):
        exports([STATES[0], other], tmp_path)


def test_files_that_are_no_states_of_spins(tmp_path):
    with pytest.raises(MissingInputError, match="no file"):
        imported(tmp_path / "none.h5")
    with pytest.raises(FileKindError, match="holds no MPS that phasenet reads"):
        imported(STATES[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psi = MPS.from_product_state([SpinHalfFermionSite()] * 2, ["up", "down"])
    path = saved(tmp_path, "fermions.h5", psi=psi)
    with pytest.raises(FileKindError, match="are no spins, all of them the same"):
        imported(path)
    half = tmp_path / "half.h5"
    half.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(FileKindError, match="truncated, locked or no HDF5 file"):
        imported(half)


@pytest.mark.parametrize("note", ["CONVERGED; rm -rf", 3.0, "nan"])
def test_odd_notes_are_not_believed(note, tmp_path):
    odd = {"outcome": note, "sweeps": note, "variance": note, "energy": float("nan")}
    path = saved(tmp_path, "mine.h5", psi=product(), phasenet=odd, couplings={"D": "word"})
    _, state = imported(path)
    assert state.outcome is DmrgOutcome.IMPORTED
    assert state.sweeps == (3 if note == 3.0 else 0)
    assert state.point.couplings == ()


def test_the_command_line(tmp_path, capsys):
    out = tmp_path / "out"
    run(export, STATES[0], "--out", out, "--dry-run")
    assert not out.exists()
    run(export, STATES[0], "--out", out)
    run(export, STATES[0], "--out", out)
    target = out / "D=0.4,Delta=1.finite.tenpy.h5"
    assert capsys.readouterr().out.splitlines() == [
        f"would make {target}",
        f"written to {target}",
        f"nothing to do: {target} is up to date",
    ]
    arguments = [target, "--coupling", "D=0.5", "--converged"]
    run(import_, *arguments, "--dry-run")
    run(import_, *arguments)
    run(import_, *arguments)
    made = out / "D=0.5,Delta=1.finite.state.h5"
    assert capsys.readouterr().out.splitlines() == [
        f"would make {made}",
        f"written to {made}: {DmrgOutcome.CONVERGED.value}",
        f"nothing to do: {made} is up to date",
    ]
    with pytest.raises(SystemExit):
        run(import_, target, "--coupling", "D")
    assert "'D' is no NAME=VALUE with a number" in capsys.readouterr().err
    with pytest.raises(SettingsError, match="coupling"):
        run(import_, target, "--coupling", "D=nan")


def test_a_folder_without_room_gives_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (one,) = exports([STATES[0]], tmp_path / "file")
    with pytest.raises(PhasenetError, match=r"cannot write .*; free space there or choose"):
        export_state(one)
