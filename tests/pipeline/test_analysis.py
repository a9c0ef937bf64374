"""One state in every form that users have it in."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
from tenpy.networks.mps import MPS
from tenpy.networks.purification_mps import PurificationMPS
from tenpy.networks.site import BosonSite, SpinHalfSite, SpinSite
from tenpy.networks.uniform_mps import UniformMPS

import phasenet
from phasenet.errors import (
    FileKindError,
    MissingInputError,
    PhasenetError,
    SettingsError,
    ShapeError,
    StudyError,
)
from phasenet.groundstates.convert import to_mps
from phasenet.phases.exact import aklt_cell, aklt_chain
from phasenet.pipeline import analysis
from phasenet.storage.states import read_state

CHAIN, CELL = aklt_chain(12), aklt_cell()
SAMPLE = "datasets/sample/states/D=0.2,Delta=1.{}.state.h5"


def chain_mps(conserve="Sz"):
    return to_mps(CHAIN, [SpinSite(1.0, conserve=conserve)] * 12)


def cell_mps(conserve="Sz"):
    return to_mps(CELL, [SpinSite(1.0, conserve=conserve)])


def without_form(psi):
    """The same tensors, of which TeNPy knows no canonical form."""
    psi = psi.copy()
    psi.form = [None] * psi.L
    return psi


@pytest.mark.parametrize(
    "state",
    [
        CHAIN,
        list(CHAIN.cores),
        tuple(3.0j * core for core in CHAIN.cores),
        phasenet.as_state(CHAIN),
        *(chain_mps(conserve) for conserve in (None, "parity", "Sz")),
        without_form(chain_mps()),
    ],
)
def test_every_form_of_an_open_chain(state):
    form = phasenet.as_state(state)
    assert not form.infinite
    assert phasenet.string_order(state, "z", (3, 8)).value == pytest.approx(4 / 9, abs=1e-4)
    assert np.allclose(phasenet.entropies(state), phasenet.entropies(CHAIN))
    assert np.allclose(phasenet.expectations(state, "Sz"), phasenet.expectations(CHAIN, "Sz"))
    assert [one.value for one in phasenet.spt_invariants(state)] == [-1, -1, -1]
    assert phasenet.fidelity(state, CHAIN) == pytest.approx(0.0, abs=1e-10)


@pytest.mark.parametrize(
    "state",
    [
        CELL,
        phasenet.as_state([2.0 * core for core in CELL.cores], infinite=True),
        *(cell_mps(conserve) for conserve in (None, "parity", "Sz")),
        without_form(cell_mps()),
        "datasets/sample/tenpy_aklt.h5",
    ],
)
def test_every_form_of_an_infinite_state(state):
    form = phasenet.as_state(state)
    assert form.infinite
    assert phasenet.string_order(state, "x").value == pytest.approx(4 / 9, abs=1e-8)
    assert phasenet.partial_reflection(state, 4).value == pytest.approx(-0.9993, abs=1e-4)


def test_left_canonical_and_mixed_states_of_tenpy():
    psi = chain_mps()
    for form in ("A", "C", "B"):
        psi.convert_form(form)
        assert phasenet.string_order(psi, "z", (3, 8)).value == pytest.approx(4 / 9, abs=1e-4)
    # The centre in the middle, as a sweep leaves it.
    psi.convert_form(["A"] * 5 + ["Th"] + ["B"] * 6)
    assert phasenet.string_order(psi, "z", (3, 8)).value == pytest.approx(4 / 9, abs=1e-4)


@pytest.mark.parametrize("boundary", ["finite", "infinite"])
def test_files_and_what_is_in_them(boundary):
    path = SAMPLE.format(boundary)
    _, ground = read_state(path)
    wanted = phasenet.string_order(ground.train, "x").value
    for state in (path, ground, phasenet.as_state(path)):
        assert phasenet.string_order(state, "x").value == wanted


def spins(conserve="Sz"):
    return [SpinHalfSite(conserve=conserve)] * 4


def product(**settings):
    return MPS.from_product_state(spins(), ["up"] * 4, unit_cell_width=4, **settings)


def grouped():
    psi = product()
    psi.group_sites(2)
    return psi


def half_known():
    psi = product()
    psi.form = [None, *psi.form[1:]]
    return psi


def purified():
    return PurificationMPS.from_infiniteT(spins(), unit_cell_width=4)


def bosons():
    return MPS.from_product_state([BosonSite(2)] * 2, [1, 0], unit_cell_width=2)


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (grouped, StudyError, r"2 sites of the state are grouped into one; call psi.group_split"),
        (half_known, StudyError, "site 0 has no canonical form, others have"),
        (purified, StudyError, "is a PurificationMPS; wanted an MPS"),
        (lambda: UniformMPS.from_MPS(cell_mps()), StudyError, r"give psi.to_MPS\(\)"),
        (
            lambda: chain_mps().extract_segment(2, 8),
            StudyError,
            "boundary conditions 'segment'; wanted finite or infinite",
        ),
        (bosons, StudyError, "has no operator Sz"),
        (lambda: spins()[0], StudyError, "is a SpinHalfSite; wanted an MPS"),
        (
            lambda: list(CELL.cores),
            ShapeError,
            r"outer bonds of the cores are 2 and 2.*infinite=Tr",
        ),
        (lambda: [np.array([[["a"]]])], ShapeError, "core 0 is <U1; wanted arrays of numbers"),
        (lambda: [np.ones((1, 2))], ShapeError, "core 0 has 2 axes; wanted 3"),
        (list, ShapeError, "at least one core"),
        (lambda: np.ones(3), SettingsError, "a ndarray is no state; wanted a TeNPy MPS"),
        (lambda: "nothing.h5", MissingInputError, "nothing.h5"),
        (lambda: "README.md", FileKindError, "README.md"),
        (lambda: "datasets/sample/haldane.table.h5", FileKindError, "table"),
    ],
)
@pytest.mark.filterwarnings("ignore:UniformMPS is a new experimental feature")
def test_what_is_no_state_is_told_in_one_sentence(state, error, message):
    with pytest.raises(PhasenetError, match=message) as caught:
        phasenet.string_order(state(), "z")
    assert isinstance(caught.value, error)
    assert "\n" not in str(caught.value)


def test_only_cores_are_told_whether_they_repeat():
    with pytest.raises(SettingsError, match="infinite is for a list of arrays; a TensorTrain"):
        phasenet.as_state(CHAIN, infinite=True)


def test_public_functions_keep_their_arguments_and_texts():
    for name, home in phasenet._HOME.items():
        if home == "pipeline.analysis":
            function = getattr(phasenet, name)
            assert function is getattr(analysis, name)
            assert ">>>" in function.__doc__, name
            assert inspect.signature(function).parameters


def test_importing_phasenet_loads_nothing_heavy():
    code = (
        "import sys, phasenet; heavy = {'torch', 'tenpy', 'h5py', 'scipy', 'numpy'} & set("
        "sys.modules); assert not heavy, heavy; phasenet.string_order; "
        "heavy = {'torch', 'tenpy', 'matplotlib'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
