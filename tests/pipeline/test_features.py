"""Features of points: correlators, density matrices, spectra."""

from pathlib import Path

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.correlations import correlation_matrix
from phasenet.phases.entanglement import schmidt_entropy, schmidt_values
from phasenet.phases.exact import aklt_cell, aklt_chain, product_cell
from phasenet.phases.spins import spin_matrix
from phasenet.pipeline.features import features_of, joined_features
from phasenet.records import Curve
from phasenet.settings import FeatureSettings
from phasenet.storage.states import read_state
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain

STATES = Path(__file__).resolve().parents[2] / "datasets" / "sample" / "states"


@pytest.fixture(scope="module")
def chain():
    _, state = read_state(STATES / "D=0.8,Delta=1.finite.state.h5")
    return state_form(state.train)


@pytest.fixture(scope="module")
def cell():
    _, state = read_state(STATES / "D=0.8,Delta=1.infinite.state.h5")
    return state_form(state.train)


def measured(forms, *, start, sites, **asked):
    settings = FeatureSettings.checked(asked)
    return {c.name: c for c in features_of(forms, settings, start=start, sites=sites)}


def whole(values):
    return values[..., 0] + 1j * values[..., 1]


def test_nothing_is_measured_unless_it_is_asked_for(chain):
    assert features_of([chain], FeatureSettings(), start=0, sites=16) == ()


def test_features_agree_with_each_other(chain, cell):
    for form, start, sites in ((chain, 0, 16), (chain, 4, 6), (cell, 0, 8), (cell, 1, 5)):
        found = measured(
            [form],
            start=start,
            sites=sites,
            correlators=("Sz Sz", "Sp Sm"),
            density_matrix=3,
            spectrum=40,
        )
        rho = whole(found["density_matrix"].values[0])
        assert rho.shape == (27, 27)
        assert np.trace(rho).real == pytest.approx(1.0, abs=1e-12)
        assert np.linalg.eigvalsh(rho).min() > -1e-12
        first = (sites - 3) // 2
        sz, sx, sy = (spin_matrix(axis, 3) for axis in ("z", "x", "y"))
        pairs = found["correlator_sz_sz"].values[0]
        assert pairs.shape == (sites, sites)
        value = np.trace(rho @ np.kron(np.kron(sz, np.eye(3)), sz)).real
        assert value == pytest.approx(pairs[first, first + 2], abs=1e-12)
        ladder = whole(found["correlator_sp_sm"].values[0])
        operator = np.kron(np.kron(sx + 1j * sy, sx - 1j * sy), np.eye(3))
        assert np.trace(rho @ operator) == pytest.approx(ladder[first, first + 1], abs=1e-12)
        spectra = found["schmidt_weights"].values[0]
        assert spectra.shape == (sites - 1, 40)
        np.testing.assert_allclose(spectra.sum(axis=1), 1.0, atol=1e-3)
        assert np.all(np.diff(spectra, axis=1) <= 0)
        for curve in found.values():
            assert curve.values[0].dtype == np.float64
            assert curve.values[0].ndim == len(curve.axes)


def test_correlators_are_those_of_the_chain(chain):
    found = measured([chain], start=0, sites=16, correlators=("Sz Sz",))
    np.testing.assert_array_equal(
        found["correlator_sz_sz"].values[0], correlation_matrix(chain, "Sz", "Sz")
    )


def test_axes_do_not_depend_on_the_state():
    rng = np.random.default_rng(0)
    shapes = [(1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 1)]
    real = [rng.normal(size=shape) for shape in shapes]
    turned = [core + 1j * rng.normal(size=core.shape) for core in real]
    forms = [state_form(TensorTrain(cores=tuple(cores))) for cores in (real, turned)]
    found = measured(
        forms, start=0, sites=4, correlators=("Sx Sy", "Sy Sy", "Rz Rz"), density_matrix=2
    )
    for name, ndim in (("sx_sy", 3), ("sy_sy", 2), ("rz_rz", 3)):
        assert [v.ndim for v in found[f"correlator_{name}"].values] == [ndim] * 2
    np.testing.assert_allclose(
        whole(found["correlator_sx_sy"].values[1]), correlation_matrix(forms[1], "Sx", "Sy")
    )
    assert np.all(found["density_matrix"].values[0][..., 1] == 0)
    assert np.abs(found["density_matrix"].values[1][..., 1]).max() > 0.01


def test_the_spectrum_of_each_cut(chain):
    found = measured([chain], start=0, sites=16, spectrum=60)["schmidt_weights"].values[0]
    for row, values in zip(found, schmidt_values(chain), strict=True):
        np.testing.assert_allclose(row[: len(values)], values**2, atol=1e-15)
        assert np.all(row[len(values) :] == 0.0)
        assert schmidt_entropy(np.sqrt(row)) == pytest.approx(schmidt_entropy(values))
    middle = measured([chain], start=5, sites=4, spectrum=2)["schmidt_weights"].values[0]
    np.testing.assert_array_equal(middle, found[5:8, :2])


def test_states_are_taken_one_after_the_other():
    forms = (state_form(state) for state in (aklt_cell(), product_cell([0, 2], 3)))
    found = measured(forms, start=0, sites=4, correlators=("Sz Sz",), spectrum=2)
    assert len(found["correlator_sz_sz"].values) == 2
    assert found["schmidt_weights"].values[1][0].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"correlators": ("Sz",)}, "features.correlators has 'Sz'; wanted two operators"),
        ({"correlators": ("Sz Sq",)}, "operator 'Sq' is unknown"),
        ({"density_matrix": 5}, "features.density_matrix is 5; shots have 4 sites"),
    ],
)
def test_what_cannot_be_measured(asked, words):
    with pytest.raises(SettingsError, match=words):
        measured([state_form(aklt_chain(8))], start=2, sites=4, **asked)


def test_density_matrices_that_are_too_large():
    cores = (np.ones((1, 4, 1)),) * 8
    form = state_form(TensorTrain(cores=cores))
    with pytest.raises(SettingsError, match="density_matrix is 5, a matrix of 1024 rows"):
        measured([form], start=0, sites=8, density_matrix=5)
    assert measured([form], start=0, sites=8, density_matrix=4)["density_matrix"].values


def curve(name, *values, unit="1", axes=("site",)):
    return Curve(name=name, unit=unit, meaning="", axes=axes, values=values)


def test_several_chains():
    one = [curve("a", np.ones(2), np.zeros(2)), curve("b", np.ones(1), np.ones(1))]
    joined = joined_features([one, [curve("a", np.ones(3))]])
    assert [c.name for c in joined] == ["a", "b"]
    assert [values.shape for values in joined[0].values] == [(2,), (2,), (3,)]
    assert [values.shape for values in joined[1].values] == [(1,), (1,), (0,)]
    assert joined_features([[], []]) == ()


def test_chains_of_two_lengths_have_the_same_axes():
    asked = {"correlators": ("Sz Sz",), "density_matrix": 2, "spectrum": 2}
    sources = [
        tuple(measured([state_form(aklt_chain(L))], start=0, sites=L, **asked).values())
        for L in (8, 11)
    ]
    joined = joined_features(sources)
    assert [len(c.values) for c in joined] == [2, 2, 2]


def test_chains_that_do_not_fit_together():
    with pytest.raises(ShapeError, match="feature a has axes site in 1 in one chain and bond in 1"):
        joined_features([[curve("a", np.ones(1))], [curve("a", np.ones(1), axes=("bond",))]])
    with pytest.raises(ShapeError, match="one chain has features and another has none"):
        joined_features([[curve("a", np.ones(1))], []])
