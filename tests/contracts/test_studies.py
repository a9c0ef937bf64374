"""What every study module must fulfil."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tenpy.algorithms.exact_diag import ExactDiag
from tenpy.networks.mps import MPS

from phasenet import load_study
from phasenet.card import StudyCard
from phasenet.groundstates.convert import charge_name, highest_weight_first, tenpy_mps
from phasenet.groundstates.solve import solve
from phasenet.pipeline.sources import labelled
from phasenet.points import ParameterPoint
from phasenet.settings import RunSettings
from phasenet.study import Boundary, Chain
from tests.contracts import oracles
from tests.contracts.deep_points import DEEP, SHALLOW

ROOT = Path(__file__).resolve().parents[2]
STUDIES = sorted((ROOT / "simulations").glob("*.py"))
NAMES = [path.stem for path in STUDIES]
CHAINS = [
    Chain(boundary=Boundary.FINITE, length=6, pinning_field=0.5),
    Chain(boundary=Boundary.FINITE, length=5),
    Chain(boundary=Boundary.INFINITE, length=4),
]


@pytest.fixture(scope="module", params=NAMES)
def study(request):
    return load_study(ROOT / "simulations" / f"{request.param}.py")


def some_points(study):
    """First, middle and last point of the grid."""
    points = list(study.grid)
    return [points[k] for k in (0, len(points) // 2, -1)]


def dense(model, length):
    """TeNPy's Hamiltonian of an open chain as a matrix, highest weight first."""
    exact = ExactDiag(model)
    exact.build_full_H_from_mpo()
    orders = [highest_weight_first(site) for site in model.lat.mps_sites()]
    dim = model.lat.mps_sites()[0].dim
    matrix = exact.full_H.split_legs().to_ndarray()
    labels = exact.full_H.split_legs().get_leg_labels()
    wanted = [f"p{k}{star}" for star in ("", "*") for k in range(length)]
    matrix = matrix.transpose([labels.index(label) for label in wanted])
    return matrix[np.ix_(*orders, *orders)].reshape(dim**length, dim**length)


def start(study, point, model, length):
    """TeNPy's product state that the search of an open chain starts from."""
    sites = model.lat.mps_sites()
    return MPS.from_product_state(sites, study.product_state(point, length), unit_cell_width=length)


def test_all_of_the_catalogue_is_checked():
    assert set(NAMES) == set(oracles.MODELS)


def test_is_named_after_its_file_and_fits_a_page(study):
    path = ROOT / "simulations" / f"{study.name}.py"
    assert study.name in NAMES
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 125


def test_grid_is_a_phase_diagram_that_holds_the_known_transitions(study):
    assert 13 <= len(study.grid) <= 60
    axes = {name: sorted(values) for name, values in study.grid.axes}
    for known in study.transitions:
        assert axes[known.coupling][0] < known.value < axes[known.coupling][-1]
        assert {known.coupling, *known.at} <= set(axes)
        assert all(value in axes[name] for name, value in known.at.items())
        if len(study.grid.varied) == 1:
            steps = np.diff(axes[known.coupling])
            nearest = np.searchsorted(axes[known.coupling], known.value) - 1
            # Either denser there, or left out on purpose, which the docstring says.
            assert steps[nearest] < np.median(steps) or "Left out" in module_text(study)


def module_text(study):
    return (ROOT / "simulations" / f"{study.name}.py").read_text(encoding="utf-8")


def test_phases_and_transitions_name_their_sources(study):
    assert len(study.phases) >= 2
    assert len({phase.label for phase in study.phases}) == len(study.phases)
    for item in (*study.phases, *study.transitions):
        assert any(character.isdigit() for character in item.citation)


def test_symmetries_and_orders_are_used_and_fit_the_cell(study):
    cell = study.settings.infinite.cell
    asked = {name for phase in study.phases for name in (*phase.invariants, *phase.orders)}
    assert {each.name for each in (*study.symmetries, *study.orders)} == asked or not asked
    for symmetry in study.symmetries:
        assert all(cell % len(pattern) == 0 for pattern in symmetry.operators)
        assert symmetry.cut < cell
    for order in study.orders:
        assert (order.wavenumber * cell) % 1 == 0


def test_every_coupling_matters(study):
    point = some_points(study)[1].as_dict()
    chain = Chain(boundary=Boundary.FINITE, length=4)
    before = dense(study.build_model(ParameterPoint.of(point), chain), 4)
    for name in point:
        changed = ParameterPoint.of({**point, name: point[name] + 0.1})
        assert np.abs(dense(study.build_model(changed, chain), 4) - before).max() > 1e-3


def test_card_survives_a_file(study):
    assert StudyCard.from_dict(study.card().as_dict()) == study.card()


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_model_is_real_and_fits_the_starting_state(study, chain):
    for point in some_points(study):
        model = study.build_model(point, chain)
        sites = model.lat.mps_sites()
        assert len(sites) == len(study.product_state(point, chain.length)) == chain.length
        assert model.lat.bc_MPS == chain.boundary
        assert all(site.dim == round(2 * study.spin + 1) for site in sites)
        assert model.H_MPO.is_hermitian()
        assert model.H_MPO.dtype == np.float64
        weights = np.diag(sites[0].get_op("Sz").to_ndarray()).real[highest_weight_first(sites[0])]
        assert weights.tolist() == sorted(weights, reverse=True)


def test_model_is_the_formula(study):
    dim = round(2 * study.spin + 1)
    for point, pinning, length in zip(some_points(study), (0.3, 0.0, 0.3), (4, 4, 3), strict=True):
        chain = Chain(boundary=Boundary.FINITE, length=length, pinning_field=pinning)
        wanted = oracles.hamiltonian(study.name, point, length, dim, pinning).toarray()
        assert dense(study.build_model(point, chain), length) == pytest.approx(wanted, abs=1e-12)


def test_starting_state_lies_in_the_sector_of_the_ground_state(study):
    length, dim = 8 if study.spin == 0.5 else 6, round(2 * study.spin + 1)
    pinning = study.settings.finite.pinning_field
    chain = Chain(boundary=Boundary.FINITE, length=length, pinning_field=pinning)
    for point in some_points(study):
        psi = start(study, point, study.build_model(point, chain), length)
        matrix = oracles.hamiltonian(study.name, point, length, dim, pinning)
        labels = oracles.charges(length, dim, charge_name(psi))
        total = psi.get_total_charge()
        own = int(total[0]) if len(total) else 0
        everywhere = oracles.lowest(matrix, np.ones(len(labels), dtype=bool))
        assert oracles.lowest(matrix, labels == own) == pytest.approx(everywhere, abs=1e-9)


def with_settings(study, boundary, **changes):
    """Study with other settings of one boundary."""
    settings = study.settings.as_dict()
    settings[boundary.value].update(changes)
    return replace(study, settings=RunSettings.checked(settings))


@pytest.mark.slow
def test_open_chain_agrees_with_exact_diagonalisation(study):
    length, dim = (8, 2) if study.spin == 0.5 else (6, 3)
    small = with_settings(
        study, Boundary.FINITE, length=length, max_bond=27, energy_atol=1e-11, max_sweeps=60
    )
    pinning = study.settings.finite.pinning_field
    for point in some_points(study):
        state = solve(small, point, Boundary.FINITE)
        matrix = oracles.hamiltonian(study.name, point, length, dim, pinning)
        wanted = oracles.lowest(matrix, np.ones(dim**length, dtype=bool)) / length
        assert state.energy == pytest.approx(wanted, abs=1e-8)
        assert not any(np.iscomplexobj(core) for core in state.train.cores)
        # What a file holds is enough to go on with TeNPy.
        chain = Chain(boundary=Boundary.FINITE, length=length, pinning_field=pinning)
        model = study.build_model(point, chain)
        psi = tenpy_mps(state)
        assert model.H_MPO.expectation_value(psi) == pytest.approx(length * wanted, abs=1e-7)


KNOWN = {(name, ParameterPoint.of(at)): exact for name, at, *exact in oracles.EXACT}
LABELLED = {(name, ParameterPoint.of(at)) for name, _, at in DEEP}


def check_energy(name, state):
    wanted, energy_atol = KNOWN[name, state.point]
    assert -1e-9 < state.energy - wanted < energy_atol
    again = oracles.energy_per_site(name, state.point.as_dict(), state.train)
    assert again == pytest.approx(state.energy, abs=2e-7)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "point"), sorted(KNOWN.keys() - LABELLED, key=str), ids=str)
def test_infinite_chain_has_the_known_energy(name, point):
    study = load_study(ROOT / "simulations" / f"{name}.py")
    small = with_settings(study, Boundary.INFINITE, max_bond=32)
    check_energy(name, solve(small, point, Boundary.INFINITE))


def test_each_phase_has_a_point_deep_inside_it():
    studies = [load_study(path) for path in STUDIES]
    wanted = {(study.name, phase.label) for study in studies for phase in study.phases}
    assert {(name, label) for name, label, _ in DEEP} == wanted - SHALLOW
    grids = {study.name: set(study.grid) for study in studies}
    assert all(ParameterPoint.of(couplings) in grids[name] for name, _, couplings in DEEP)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "label", "couplings"), DEEP, ids=[f"{name}-{at}" for name, _, at in DEEP]
)
def test_a_point_deep_inside_a_phase_is_labelled(name, label, couplings):
    study = load_study(ROOT / "simulations" / f"{name}.py")
    phase = next(phase for phase in study.phases if phase.label == label)
    if phase.central_charge is not None:
        # A search without a gap is slow, and half of the bond dimension tells the phase.
        study = with_settings(study, Boundary.INFINITE, max_bond=32)
    state = solve(study, ParameterPoint.of(couplings), Boundary.INFINITE)
    found = labelled(state, study.card(), longest=study.settings.finite.length / 2).label
    assert found.label == label, found.reason
    if (name, state.point) in KNOWN:
        check_energy(name, state)
