"""``phasenet fit`` as a user meets it, its file, and the train of what it makes."""

import json
from dataclasses import replace
from itertools import pairwise

import h5py
import numpy as np
import pytest

from phasenet.cli.main import main
from phasenet.errors import FileKindError, MissingInputError, SettingsError
from phasenet.networks.wavefunctions import fitting
from phasenet.networks.wavefunctions.functions import amplitude_function
from phasenet.phases.exact import aklt_cell, aklt_chain
from phasenet.pipeline.analysis import as_state, spt_invariants, string_order
from phasenet.pipeline.fit import (
    fit,
    state_of_network,
    train_tol,
    wavefunction_lines,
    wavefunction_product,
)
from phasenet.pipeline.reporting import SilentReporter
from phasenet.pipeline.show import describe
from phasenet.points import ParameterPoint
from phasenet.records import DmrgOutcome, GroundState
from phasenet.settings import FitSettings
from phasenet.storage.container import read_header
from phasenet.storage.header import Header, Kind
from phasenet.storage.states import write_state
from phasenet.storage.trains import read_black_box
from phasenet.storage.wavefunctions import read_wavefunction, write_wavefunction
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain
from phasenet.wavefunctions import FittedWavefunction, Overlap

QUICK = ("--set", "width=8", "--set", "max_epochs=2", "--set", "shots=256", "--set", "batch=64")
QUICK += ("--set", "overlap_shots=200")
NAME = "D=0.5,Delta=1"


def stored(path, train, boundary="finite"):
    """File of a state, as a run makes it."""
    form = state_form(train)
    point = ParameterPoint.of(D=0.5, Delta=1)
    state = GroundState(
        point=point,
        spin=1.0,
        train=train,
        schmidt_values=form.schmidt_values,
        charge="",
        bond_charges=(np.zeros(0, dtype=np.int64),) * (form.length + 1),
        energy=-1.0,
        variance=0.0,
        truncation=0.0,
        outcome=DmrgOutcome.CONVERGED,
        sweeps=1,
    )
    settings = {"point": point.as_dict(), "boundary": boundary}
    header = Header(kind=Kind.STATE, settings=settings, seed=0, parents=(), study=None)
    path.parent.mkdir(exist_ok=True)
    write_state(path, header, state)
    return path


@pytest.fixture
def state(tmp_path):
    return stored(tmp_path / "states" / f"{NAME}.finite.state.h5", aklt_chain(6))


@pytest.fixture
def file(tmp_path):
    return tmp_path / f"{NAME}.wavefunction.h5"


def record():
    """One that no fit made: its weights are random."""
    rng = np.random.default_rng(2)
    return FittedWavefunction(
        architecture={"kind": "recurrent", "length": 5, "is_complex": True, "modulus": 4}
        | {"total": 2, "site_dim": 2, "width": 3, "depth": 1},
        weights={"memory.weight": rng.standard_normal((2, 3)).astype(np.float32)},
        point=ParameterPoint.of(D=0.1 + 0.2),
        state="x.state.h5",
        overlap=Overlap(fidelity=1 / 3, error=1e-3 / 3, sign_agreement=0.5, shots=7),
        history={"train_loss": np.array([1.0, np.nan])},
        outcome="why",
    )


def test_a_file_keeps_everything(tmp_path):
    path = tmp_path / "a.wavefunction.h5"
    header = Header(kind=Kind.WAVEFUNCTION, settings={"a": 1}, seed=4, parents=(), study=None)
    written = write_wavefunction(path, header, record())
    read, found = read_wavefunction(path)
    assert read == written
    for name, value in vars(record()).items():
        if name in ("weights", "history"):
            for key, array in value.items():
                np.testing.assert_array_equal(getattr(found, name)[key], array)
                assert getattr(found, name)[key].dtype == array.dtype
        else:
            assert getattr(found, name) == value
    assert "5 sites of 2 local states, complex amplitudes of S^z parity 1" in describe(path)[1]
    assert "fidelity 0.333333 +- 0.000333" in describe(path)[2]


def test_the_file_of_a_stranger_needs_nothing_but_hdf5(tmp_path):
    path = tmp_path / "a.wavefunction.h5"
    header = Header(kind=Kind.WAVEFUNCTION, settings={}, seed=0, parents=(), study=None)
    write_wavefunction(path, header, record())
    with h5py.File(path) as opened:
        assert opened.attrs["kind"] == "wavefunction"
        assert json.loads(opened["record"].attrs["architecture"])["length"] == 5
        assert opened["weights/memory.weight"][()].shape == (2, 3)


def test_files_that_are_none(tmp_path, state):
    with pytest.raises(FileKindError, match="is a state file; wanted a wavefunction file"):
        read_wavefunction(state)
    with pytest.raises(MissingInputError, match="no file"):
        read_wavefunction(tmp_path / "b.wavefunction.h5")
    path = tmp_path / "a.wavefunction.h5"
    header = Header(kind=Kind.WAVEFUNCTION, settings={}, seed=0, parents=(), study=None)
    odd = replace(record(), architecture={**record().architecture, "kind": "mean field"})
    write_wavefunction(path, header, odd)
    with pytest.raises(FileKindError, match="architecture 'mean field'; wanted 'recurrent'"):
        amplitude_function(read_wavefunction(path)[1])
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FileKindError, match="truncated"):
        read_wavefunction(path)


def test_the_verb_fits_and_then_has_nothing_to_do(state, file, capsys):
    assert main(["fit", str(state), *QUICK, "--dry-run"]) == 0
    assert f"would make {file}" in capsys.readouterr().out
    assert not file.exists()
    assert main(["fit", str(state), *QUICK]) == 0
    out = capsys.readouterr().out
    assert f"recurrent wavefunction of {NAME}.finite.state.h5: 6 sites" in out
    assert "real amplitudes of total S^z 0" in out
    assert "fidelity 0." in out
    assert main(["fit", str(state), *QUICK]) == 0
    assert "nothing to do" in capsys.readouterr().out
    header, found = read_wavefunction(file)
    assert header.settings["fit"]["width"] == 8
    assert [parent.name for parent in header.parents] == [state.name]
    assert found.point == ParameterPoint.of(D=0.5, Delta=1)
    assert main(["show", str(file)]) == 0
    assert f"state {state.name}" in capsys.readouterr().out
    assert wavefunction_lines(found)[0] in "\n".join(describe(file))


def test_mistakes_are_told_in_one_line(state, tmp_path, capsys):
    infinite = stored(tmp_path / "states" / "a.infinite.state.h5", aklt_cell(), "infinite")
    for arguments, words in (
        ([str(state), "--set", "widht=3"], "'widht' is unknown; did you mean 'width'?"),
        ([str(state), "--set", "width"], "write --set NAME=VALUE"),
        ([str(state), "--set", "width=0"], "fit setting 'width' is '0'"),
        ([str(infinite)], "holds an infinite state, which has no amplitudes"),
        ([str(tmp_path / "no.state.h5")], "no file"),
        ([str(state), *QUICK, "--device", "abacus"], "there is no device 'abacus'"),
    ):
        assert main(["fit", *arguments]) == 1
        assert words in capsys.readouterr().err


def test_an_interruption_keeps_a_file_that_is_not_done(state, file, monkeypatch):
    settings = FitSettings(width=4, max_epochs=3, shots=128, overlap_shots=100)
    product = wavefunction_product(state, file, settings)
    said = []

    class Impatient(SilentReporter):
        def advance(self, done, text):
            if done == stop:
                raise KeyboardInterrupt

        def say(self, line):
            said.append(line)

    def run():
        with pytest.raises(KeyboardInterrupt):
            fit(state, product, settings, reporter=Impatient())

    stop = 2
    run()
    assert "interrupted: " in said[0] and "holds the best so far (fidelity 0." in said[0]
    assert not product.is_done()
    better = read_wavefunction(file)[1].overlap.fidelity
    stop = 1
    run()
    assert read_wavefunction(file)[1].overlap.fidelity >= better
    fit(state, product, settings, reporter=SilentReporter())
    assert product.is_done()
    assert read_wavefunction(file)[1].outcome != fitting.INTERRUPTED


def test_the_train_of_a_wavefunction_is_a_state(state, file, tmp_path, capsys):
    assert main(["fit", str(state), *QUICK, "--set", "max_epochs=6"]) == 0
    assert main(["tensorize", str(file), "--tol", "1e-6"]) == 0
    assert "written to" in capsys.readouterr().out
    train = tmp_path / f"{NAME}.train.h5"
    header, found = read_black_box(train)
    assert header.settings["samples"] == f"8000 shots drawn from {file.name}"
    assert header.parents[0].id == read_header(file).id
    assert any(step.startswith("squared norm 1.0000") for step in found.steps)
    states = np.indices((3,) * 6).reshape(6, -1).T
    wanted = amplitude_function(read_wavefunction(file)[1])(states)
    np.testing.assert_allclose(found.train(states), wanted, atol=1e-6)
    values = wanted.reshape((3,) * 6) ** 2
    sz = 1 - np.arange(3)
    exact = np.einsum("abcdef,b,c,d,e->", values, sz, (-1.0) ** sz, (-1.0) ** sz, sz)
    assert string_order(as_state(found.train), "z", (1, 4)).value == pytest.approx(-exact, abs=1e-5)
    assert main(["tensorize", str(file), "--tol", "1e-6"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    np.save(tmp_path / "own.npy", states[::7])
    own = ["--samples", str(tmp_path / "own.npy"), "--out", str(tmp_path / "own.train.h5")]
    assert main(["tensorize", str(file), *own, "--tol", "1e-4"]) == 0
    assert read_header(tmp_path / "own.train.h5").parents[0].name == file.name


def test_the_tolerance_of_a_train_follows_from_the_fidelity(tmp_path):
    path = tmp_path / "a.wavefunction.h5"
    header = Header(kind=Kind.WAVEFUNCTION, settings={}, seed=0, parents=(), study=None)
    for fidelity, wanted in ((0.9999, 1e-3), (1.0000001, 1e-6), (0.5, 1e-2)):
        overlap = Overlap(fidelity=fidelity, error=0.0, sign_agreement=1.0, shots=2)
        write_wavefunction(path, header, replace(record(), overlap=overlap))
        assert train_tol(path) == pytest.approx(wanted)


def test_the_state_of_a_network_is_without_its_noise():
    """AKLT with a little of another state: the invariants are those of AKLT again."""
    form = state_form(aklt_chain(32))
    rng = np.random.default_rng(0)
    shapes = [(a, 3, b) for a, b in pairwise((1, *[6] * 31, 1))]
    other = state_form(TensorTrain(cores=tuple(rng.standard_normal(shape) for shape in shapes)))
    cores = []
    for site, (a, b) in enumerate(zip(form.cores, other.cores, strict=True)):
        core = np.zeros((len(a) + len(b), 3, a.shape[2] + b.shape[2]))
        core[: len(a), :, : a.shape[2]] = a
        core[len(a) :, :, a.shape[2] :] = b * (2e-3 if site == 0 else 1.0)
        core = core.sum(axis=0, keepdims=True) if site == 0 else core
        cores.append(core.sum(axis=2, keepdims=True) if site == 31 else core)
    overlap = Overlap(fidelity=0.9998, error=1e-6, sign_agreement=1.0, shots=100)
    found = state_of_network(TensorTrain(cores=tuple(cores)), overlap)
    assert max(found.bond_dims) == 2
    invariants = spt_invariants(found)
    assert [(i.value, i.eta > 0.9999) for i in invariants] == [(-1, True)] * 3


def test_settings_of_a_fit_are_checked():
    with pytest.raises(SettingsError, match="fit setting 'overlap_shots' is 1"):
        FitSettings.checked({"overlap_shots": 1})
