"""States saved by TeNPy against TeNPy's own amplitudes and expectation values."""

import itertools
import math
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tenpy.linalg.np_conserved as npc
from tenpy.networks.mpo import MPO
from tenpy.networks.mps import MPS
from tenpy.networks.purification_mps import PurificationMPS
from tenpy.networks.site import Site, SpinHalfFermionSite, SpinHalfSite, SpinSite
from tenpy.tools import hdf5_io

from phasenet.errors import FileKindError, MissingInputError
from phasenet.storage.tenpy_files import TenpyState, is_tenpy_file, read_tenpy_state
from phasenet.trains.infinite import InfiniteTrain
from phasenet.trains.train import TensorTrain

CONSERVE = ["None", "Sz", "parity"]
SITES = [
    *((SpinHalfSite, {"conserve": conserve}) for conserve in CONSERVE),
    *((SpinSite, {"S": 0.5, "conserve": conserve}) for conserve in CONSERVE),
    *((SpinSite, {"S": 1.0, "conserve": conserve}) for conserve in CONSERVE),
]
FORMS = ["A", "B", "C", "G", "Th"]
LENGTH = 5


def spin_one(conserve: str = "Sz") -> SpinSite:
    return SpinSite(1.0, conserve=conserve)


def random_state(
    site: Site, *, length: int = LENGTH, bc: str = "finite", dtype: type = np.complex128
) -> MPS:
    np.random.seed(7)  # noqa: NPY002 - TeNPy draws from the global stream
    product = list(itertools.islice(itertools.cycle(["up", "down"]), length))
    psi = MPS.from_product_state(
        [site] * length, product, bc=bc, dtype=dtype, unit_cell_width=length
    )
    psi.perturb({"N_steps": 3, "trunc_params": {"chi_max": 4}}, close_1=False)
    return psi


def saved(folder: Path, data: Any) -> Path:
    path = folder / "state.h5"
    hdf5_io.save(data, path)
    return path


def reread(folder: Path, data: Any) -> TenpyState:
    path = saved(folder, data)
    assert is_tenpy_file(path)
    return read_tenpy_state(path)


def highest_weight_first(site: Site) -> np.ndarray:
    return np.argsort(-np.real(np.diag(site.get_op("Sz").to_ndarray())))


def tenpy_amplitudes(psi: MPS) -> np.ndarray:
    """Amplitudes of a finite state in the form that it claims, highest weight first."""
    whole = psi.norm * psi.get_theta(0, psi.L).to_ndarray()[0, ..., 0]
    return whole[np.ix_(*(highest_weight_first(site) for site in psi.sites))]


def amplitudes(train: TensorTrain) -> np.ndarray:
    grid = np.asarray(list(itertools.product(*(range(dim) for dim in train.site_dims))))
    return train(grid).reshape(train.site_dims)


def spin_matrices(dim: int) -> dict[str, np.ndarray]:
    spin = (dim - 1) / 2
    m = spin - np.arange(dim)
    raising = np.diag(np.sqrt(spin * (spin + 1) - m[1:] * (m[1:] + 1)), 1)
    return {
        "Sz": np.diag(m),
        "Sp": raising,
        "Sm": raising.T,
        "Sx": (raising + raising.T) / 2,
        "string": np.diag(np.exp(1j * np.pi * m)),
        "Id": np.eye(dim),
    }


def window(state: TenpyState, sites: int) -> np.ndarray:
    """Wave function of some sites from the first on, of shape (left, local states, right)."""
    cores = state.train.cores
    theta = np.diag(state.schmidt_values[0])
    for site in range(sites):
        core = cores[site % len(cores)]
        theta = np.tensordot(theta, core, axes=(-1, 0))
    return theta.reshape(theta.shape[0], -1, theta.shape[-1])


def expectation(state: TenpyState, names: Sequence[str]) -> complex:
    theta = window(state, len(names))
    operators = spin_matrices(state.train.site_dims[0])
    operator = np.ones((1, 1))
    for name in names:
        operator = np.kron(operator, operators[name])
    norm = np.vdot(theta, theta).real
    return np.einsum("lsr,st,ltr->", theta.conj(), operator, theta) / norm


def check_expectations(psi: MPS, state: TenpyState) -> None:
    """Compare with TeNPy: <Sz>, <S+ S->, <Sx Sx> where it has Sx, and the string correlation."""
    sites = 4
    phases = np.exp(1j * np.pi * np.diag(psi.sites[0].get_op("Sz").to_ndarray()))
    for site in set(psi.sites):
        if "string" not in site.opnames:
            site.add_op("string", np.diag(phases), permute_dense=False)
    ends = [["Sz", "Sz", None], ["Sp", "Sm", None], ["Sz", "Sz", "string"]]
    if "Sx" in psi.sites[0].opnames:
        ends.append(["Sx", "Sx", None])
    for i in range(sites):
        names = ["Id"] * i + ["Sz"]
        wanted = psi.expectation_value("Sz", [i])[0]
        assert expectation(state, names) == pytest.approx(wanted, abs=1e-10)
    for (first, last, between), j in itertools.product(ends, range(1, sites)):
        wanted = psi.correlation_function(
            first, last, sites1=[0], sites2=[j], opstr=between, str_on_first=False
        )[0, 0]
        names = [first, *[between or "Id"] * (j - 1), last]
        assert expectation(state, names) == pytest.approx(wanted, abs=1e-10)


def check_right_canonical(state: TenpyState) -> None:
    cores = state.train.cores
    for site, core in enumerate(cores):
        unit = np.tensordot(core, core.conj(), axes=([1, 2], [1, 2]))
        assert np.allclose(unit, np.eye(len(unit)), atol=1e-10)
        theta = core * state.schmidt_values[site][:, None, None]
        after = state.schmidt_values[(site + 1) % len(cores)]
        left = np.tensordot(theta.conj(), theta, axes=([0, 1], [0, 1]))
        assert np.allclose(left, np.diag(after**2), atol=1e-10)


# There are many kinds of sites: half of them is enough for the fast tests.
DTYPES = [np.float64, pytest.param(np.complex128, marks=pytest.mark.slow)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kind", "options"), SITES)
def test_finite_states(kind: type, options: dict, dtype: type, tmp_path: Path) -> None:
    site = kind(**options)
    psi = random_state(site, dtype=dtype)
    psi.norm = 0.7
    state = reread(tmp_path, psi)
    assert isinstance(state.train, TensorTrain)
    assert state.spin == (site.dim - 1) / 2
    assert all(core.dtype == dtype for core in state.train.cores)
    assert state.train.log_scale == pytest.approx(math.log(0.7))
    assert np.allclose(amplitudes(state.train), tenpy_amplitudes(psi), atol=1e-12)
    assert [len(values) for values in state.schmidt_values] == [1, *psi.chi]
    check_right_canonical(state)
    check_expectations(psi, state)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("kind", "options"), [*SITES[:3], *SITES[-3:]])
def test_infinite_states(kind: type, options: dict, dtype: type, tmp_path: Path) -> None:
    site = kind(**options)
    psi = random_state(site, length=2, bc="infinite", dtype=dtype)
    state = reread(tmp_path, psi)
    assert isinstance(state.train, InfiniteTrain)
    assert state.spin == (site.dim - 1) / 2
    assert all(core.dtype == dtype for core in state.train.cores)
    for values, wanted in zip(state.schmidt_values, [psi.get_SL(0), psi.get_SL(1)], strict=True):
        assert np.allclose(values, wanted)
    check_right_canonical(state)
    check_expectations(psi, state)


@pytest.mark.slow
@pytest.mark.parametrize(
    "forms", [*([form] * LENGTH for form in FORMS), ["A", "Th", "G", "B", "C"]]
)
def test_every_form_of_a_finite_state(forms: list[str], tmp_path: Path) -> None:
    psi = random_state(spin_one())
    wanted = tenpy_amplitudes(psi)
    psi.convert_form(forms)
    state = reread(tmp_path, psi)
    assert np.allclose(amplitudes(state.train), wanted, atol=1e-12)
    check_right_canonical(state)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_an_infinite_state(form: str, tmp_path: Path) -> None:
    psi = random_state(spin_one("parity"), length=2, bc="infinite")
    psi.convert_form(form)
    state = reread(tmp_path, psi)
    check_right_canonical(state)
    check_expectations(psi, state)


def test_a_finite_state_in_no_form_is_taken_as_it_is(tmp_path: Path) -> None:
    psi = random_state(spin_one())
    psi.norm = 2.0
    wanted = 2.0 * 3.0 * tenpy_amplitudes(psi) / psi.norm
    for site in range(LENGTH):
        psi.set_B(site, psi.get_B(site) * (3.0 if site == 2 else 1.0), form=None)
    state = reread(tmp_path, psi)
    assert np.allclose(amplitudes(state.train), wanted, atol=1e-12)
    check_right_canonical(state)


def test_a_finite_state_that_only_claims_its_form_keeps_its_amplitudes(tmp_path: Path) -> None:
    psi = random_state(spin_one("parity"))
    operator = psi.sites[0].get_op("Sz") + 2.0 * psi.sites[0].get_op("Id")
    changed = npc.tensordot(operator, psi.get_B(2), axes=["p*", "p"])
    psi.set_B(2, changed.itranspose(["vL", "p", "vR"]), form="B")
    state = reread(tmp_path, psi)
    assert np.allclose(amplitudes(state.train), tenpy_amplitudes(psi), atol=1e-12)
    check_right_canonical(state)


def test_singular_values_of_a_mixing_dmrg(tmp_path: Path) -> None:
    psi = random_state(spin_one())
    wanted = tenpy_amplitudes(psi)
    psi.convert_form(["A", "A", "B", "B", "B"])
    leg = psi.get_B(2).get_leg("vL")
    psi._S[2] = npc.diag(psi.get_SL(2), leg, labels=["vL", "vR"])
    state = reread(tmp_path, psi)
    assert np.allclose(amplitudes(state.train), wanted, atol=1e-12)
    check_right_canonical(state)


@pytest.mark.parametrize("norm", [1.5, -0.5, 0.3 + 0.4j])
def test_norm(norm: complex, tmp_path: Path) -> None:
    psi = random_state(spin_one(), dtype=np.float64)
    psi.norm = norm
    state = reread(tmp_path, psi)
    assert np.iscomplexobj(state.train.cores[0]) == isinstance(norm, complex)
    assert np.allclose(amplitudes(state.train), tenpy_amplitudes(psi), atol=1e-12)


def test_the_shortest_chain_and_cell(tmp_path: Path) -> None:
    psi = random_state(spin_one("None"), length=2)
    state = reread(tmp_path, psi)
    assert np.allclose(amplitudes(state.train), tenpy_amplitudes(psi), atol=1e-12)
    psi = MPS.from_product_state([spin_one()], ["down"], bc="infinite", unit_cell_width=1)
    state = reread(tmp_path, psi)
    assert [core.ravel().tolist() for core in state.train.cores] == [[0.0, 0.0, 1.0]]


def test_mixed_spins_have_no_common_spin(tmp_path: Path) -> None:
    sites = [SpinSite(0.5, conserve="None"), spin_one("None")]
    psi = MPS.from_product_state(sites, ["down", "up"], bc="finite", unit_cell_width=2)
    state = reread(tmp_path, psi)
    assert state.spin is None
    assert amplitudes(state.train)[1, 0] == 1.0


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda psi: {"psi": psi},
        lambda psi: {"ground state": psi, "energy": -1.4},
        lambda psi: {"psi": psi, ("a", 1): 2, "other": psi},
        lambda psi: {"psi": psi, 1: {"psi": psi}},
        lambda psi: [psi, -1.4],
        lambda psi: {
            "simulation_parameters": {"model_params": {"D": 0.1}, "directory": None},
            "finished_run": True,
            "energy": np.float64(-1.4),
            "sweep_stats": {"E": [-1.3, -1.4], "max_chi": [2, 6]},
            "psi": psi,
            "resume_data": {"psi": psi, "sequential": None},
        },
    ],
)
def test_where_the_state_lies(wrapped: Any, tmp_path: Path) -> None:
    psi = random_state(spin_one())
    state = reread(tmp_path, wrapped(psi))
    assert np.allclose(amplitudes(state.train), tenpy_amplitudes(psi), atol=1e-12)


@pytest.mark.parametrize("layout", ["blocks", "compact", "flat"])
@pytest.mark.parametrize("conserve", CONSERVE)
def test_layouts_of_charges(layout: str, conserve: str, tmp_path: Path) -> None:
    psi = random_state(spin_one(conserve))
    path = tmp_path / "state.h5"
    with h5py.File(path, "w") as file:
        hdf5_io.Hdf5Saver(file, {"LegCharge": layout}).save(psi, "/psi")
    assert is_tenpy_file(path)
    state = read_tenpy_state(path)
    assert np.allclose(amplitudes(state.train), tenpy_amplitudes(psi), atol=1e-12)


@pytest.mark.parametrize("conserve", CONSERVE)
def test_the_operator_tells_the_basis_where_labels_do_not(conserve: str, tmp_path: Path) -> None:
    psi = random_state(spin_one(conserve))
    path = saved(tmp_path, psi)
    with h5py.File(path, "r+") as file:
        for site in file["sites"].values():
            site.pop("state_labels", None)
    state = read_tenpy_state(path)
    assert state.spin == 1.0
    assert np.allclose(amplitudes(state.train), tenpy_amplitudes(psi), atol=1e-12)


def test_other_sites_keep_the_basis_that_they_have_without_charges(tmp_path: Path) -> None:
    product = ["full", "down", "empty", "up"]
    found = []
    for charges in ("N", None):
        site = SpinHalfFermionSite(cons_N=charges, cons_Sz="Sz" if charges else None)
        psi = MPS.from_product_state([site] * 4, product, bc="finite", unit_cell_width=4)
        state = reread(tmp_path, psi)
        assert state.spin is None
        found.append(np.argwhere(np.abs(amplitudes(state.train)) > 0.5).tolist())
    assert found[0] == found[1]


def test_segments_are_refused(tmp_path: Path) -> None:
    psi = random_state(spin_one()).extract_segment(1, 3)
    with pytest.raises(FileKindError, match="boundary conditions are 'segment'; wanted finite or"):
        reread(tmp_path, psi)


def test_grouped_sites_are_refused(tmp_path: Path) -> None:
    psi = random_state(spin_one(), length=4)
    psi.group_sites(2)
    with pytest.raises(FileKindError, match=r"sites are grouped; call psi\.group_split\(\)"):
        reread(tmp_path, psi)


def test_purifications_are_refused(tmp_path: Path) -> None:
    psi = PurificationMPS.from_infiniteT([spin_one()] * 3, bc="finite", unit_cell_width=3)
    with pytest.raises(FileKindError, match="tensor 0 has legs vL, p, q, vR; wanted vL, p, vR"):
        reread(tmp_path, psi)


def test_infinite_states_in_no_form_are_refused(tmp_path: Path) -> None:
    psi = random_state(spin_one(), length=2, bc="infinite")
    tensor = psi.get_B(0)
    psi.set_B(0, tensor, form=None)
    with pytest.raises(FileKindError, match=r"as they do from A, B, C, G and Th; call psi\.canon"):
        reread(tmp_path, psi)
    psi.set_B(0, 1.1 * tensor, form="B")
    with pytest.raises(FileKindError, match=r"2\.\de-01 off its canonical form; call psi\.canon"):
        reread(tmp_path, psi)


def test_two_states_without_a_psi_are_refused(tmp_path: Path) -> None:
    psi = random_state(spin_one())
    with pytest.raises(FileKindError, match="it has the states a, b; wanted one state, or one"):
        reread(tmp_path, {"a": psi, "b": psi.copy()})


@pytest.mark.parametrize("norm", [0.0, np.nan])
def test_useless_norms_are_refused(norm: float, tmp_path: Path) -> None:
    psi = random_state(spin_one())
    psi.norm = norm
    with pytest.raises(FileKindError, match="its norm is"):
        reread(tmp_path, psi)


def test_infinite_numbers_are_refused(tmp_path: Path) -> None:
    psi = random_state(spin_one())
    psi.set_B(1, psi.get_B(1) * np.inf)
    with pytest.raises(FileKindError, match="tensor 1 holds NaN or infinity"):
        reread(tmp_path, psi)


def test_a_missing_file(tmp_path: Path) -> None:
    assert not is_tenpy_file(tmp_path / "none.h5")
    with pytest.raises(MissingInputError, match=r"no file .*none\.h5"):
        read_tenpy_state(tmp_path / "none.h5")


def test_a_file_cut_short_at_any_length(tmp_path: Path) -> None:
    path = saved(tmp_path, {"psi": random_state(spin_one()), "more": np.arange(1000)})
    whole = path.read_bytes()
    for length in [0, 1, 8, 100, *np.linspace(500, len(whole) - 1, 40).astype(int)]:
        path.write_bytes(whole[:length])
        assert not is_tenpy_file(path)
        with pytest.raises(
            FileKindError, match=r"is truncated, locked or no HDF5 file .*; save the"
        ):
            read_tenpy_state(path)


def test_foreign_files(tmp_path: Path) -> None:
    text = tmp_path / "text.h5"
    text.write_text("no HDF5 at all\n")
    foreign = tmp_path / "foreign.h5"
    with h5py.File(foreign, "w") as file:
        file["kind_of_data"] = np.arange(3)
    ours = tmp_path / "ours.state.h5"
    with h5py.File(ours, "w") as file:
        file.attrs["kind"] = "state"
        file.create_group("record").attrs["type"] = "list"
    for path in (text, foreign, ours):
        assert not is_tenpy_file(path)
        with pytest.raises(FileKindError, match=path.name):
            read_tenpy_state(path)


def test_an_operator_is_no_state(tmp_path: Path) -> None:
    site = spin_one()
    grids = [[[site.Id, site.Sz], [None, site.Id]]] * 3
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="unit_cell_width is a new argument")
        mpo = MPO.from_grids([site] * 3, grids, bc="finite", IdL=0, IdR=-1)
    path = saved(tmp_path, {"H": mpo})
    assert is_tenpy_file(path)
    with pytest.raises(FileKindError, match="it has no state; wanted one state"):
        read_tenpy_state(path)


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("tensors/0/block_inds", np.full((2, 3), 99)),
        ("tensors/0/block_inds", np.full((2, 2), 0)),
        ("tensors/2/legs/0/slices", np.array([0, 7, 3])),
        ("singular_values/2", np.ones(2)),
        ("tensors/2/blocks/0", "a text"),
        ("tensors/2/blocks/0", np.void(b"\x80\x04N.")),
        ("sites/1/state_labels/1.0", 99),
        ("boundary_condition", 3),
        ("canonical_form/3", np.zeros(2)),
        ("sites", 0),
    ],
)
def test_damaged_entries_give_one_clear_error(entry: str, value: Any, tmp_path: Path) -> None:
    path = saved(tmp_path, random_state(spin_one()))
    with h5py.File(path, "r+") as file:
        del file[entry]
        file[entry] = value
    if entry.startswith("singular_values"):
        assert np.allclose(np.linalg.norm(amplitudes(read_tenpy_state(path).train)), 1.0)
        return
    with pytest.raises(FileKindError, match=r"state\.h5 holds no MPS that phasenet reads: \S+"):
        read_tenpy_state(path)


def test_nothing_that_a_file_names_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    psi = random_state(spin_one())
    path = saved(tmp_path, {"psi": psi, "extra": [1]})
    trace = tmp_path / "imported"
    (tmp_path / "side_effect.py").write_text(
        f"open({str(trace)!r}, 'w').close()\nMPS = Site = print\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def rename(_: str, item: Any) -> None:
        if item.attrs.get("type") == "instance":
            item.attrs["module"] = "side_effect"
        if item.name == "/extra":
            item.attrs["type"] = "reduce"

    with h5py.File(path, "r+") as file:
        file.visititems(rename)
        file["extra/func"] = 0
        file["extra/func"].attrs.update(type="function", module="side_effect", **{"class": "MPS"})
        file["psi/sites/0/Sz"].attrs["type"] = "reduce"
        file["psi/pickled"] = np.void(b"cside_effect\nMPS\n.")
    state = read_tenpy_state(path)
    assert np.allclose(amplitudes(state.train), tenpy_amplitudes(psi), atol=1e-12)
    assert not trace.exists()
    assert "side_effect" not in sys.modules


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    path = saved(tmp_path, random_state(spin_one()))
    path.rename(tmp_path / "other.h5")
    with h5py.File(path, "w") as file:
        file["psi"] = h5py.ExternalLink("other.h5", "/")
    with pytest.raises(FileKindError, match="it has no state"):
        read_tenpy_state(path)
    with h5py.File(tmp_path / "other.h5", "r+") as file:
        del file["tensors/0/blocks/0"]
        raw = [("/etc/hostname", 0, 8)]
        block = file["tensors/0/blocks"].create_dataset("0", (1, 1, 1), "f8", external=raw)
        block.attrs["type"] = "array"
    with pytest.raises(FileKindError, match="no array of plain numbers"):
        read_tenpy_state(tmp_path / "other.h5")


def test_reading_does_not_load_tenpy(tmp_path: Path) -> None:
    path = saved(tmp_path, random_state(spin_one()))
    code = (
        "import sys; from pathlib import Path\n"
        "from phasenet.storage.tenpy_files import read_tenpy_state\n"
        "print(read_tenpy_state(Path(sys.argv[1])).spin)\n"
        "print([name for name in ('tenpy', 'torch', 'pickle_tools') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1.0\n[]\n"
