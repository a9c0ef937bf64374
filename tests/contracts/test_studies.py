"""What every study module must fulfil."""

from pathlib import Path

import numpy as np
import pytest

from phasenet import load_study
from phasenet.card import StudyCard
from phasenet.groundstates.convert import highest_weight_first
from phasenet.study import Boundary, Chain

ROOT = Path(__file__).resolve().parents[2]
STUDIES = sorted((ROOT / "simulations").glob("*.py"))
CHAINS = [
    Chain(boundary=Boundary.FINITE, length=6, pinning_field=0.5),
    Chain(boundary=Boundary.FINITE, length=5),
    Chain(boundary=Boundary.INFINITE, length=2),
]


def test_there_are_studies():
    assert STUDIES


@pytest.fixture(params=STUDIES, ids=lambda path: path.stem)
def study(request):
    return load_study(request.param)


def test_is_named_after_its_file_and_fits_a_page(study, request):
    path = request.node.callspec.params["study"]
    assert study.name == path.stem
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 120


def test_grid_has_points_and_denser_ones_near_a_known_transition(study):
    assert len(study.grid) >= 13
    for known in study.transitions:
        values = np.sort(dict(study.grid.axes)[known.coupling])
        steps = np.diff(values)
        nearest = np.searchsorted(values, known.value) - 1
        assert steps[nearest] < np.median(steps)


def test_phases_and_transitions_name_their_sources(study):
    assert len(study.phases) >= 2
    for item in (*study.phases, *study.transitions):
        assert any(character.isdigit() for character in item.citation)


def test_card_survives_a_file(study):
    assert StudyCard.from_dict(study.card().as_dict()) == study.card()


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_model_is_hermitian_and_fits_the_starting_state(study, chain):
    points = list(study.grid)
    for point in (points[0], points[-1]):
        model = study.build_model(point, chain)
        sites = model.lat.mps_sites()
        state = study.product_state(chain.length)
        assert len(sites) == len(state) == chain.length
        assert model.lat.bc_MPS == chain.boundary
        assert all(site.dim == round(2 * study.spin + 1) for site in sites)
        assert model.H_MPO.is_hermitian()
        order = highest_weight_first(sites[0])
        weights = np.diag(sites[0].get_op("Sz").to_ndarray()).real[order]
        assert weights.tolist() == sorted(weights, reverse=True)
        chosen = [site.state_labels[label] for site, label in zip(sites, state, strict=True)]
        assert sum(np.diag(sites[0].Sz.to_ndarray()).real[k] for k in chosen) == 0
