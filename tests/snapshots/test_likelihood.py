"""Exact probabilities and amplitudes of given outcomes against dense vectors."""

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.exact import aklt_cell, aklt_chain, product_chain
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.snapshots.places import Memory
from phasenet.trains.cells import canonical_cell
from phasenet.trains.form import StateForm, state_form
from phasenet.trains.train import TensorTrain
from tests.snapshots.measured_states import (
    CHAINS,
    DRAWN,
    FIXED,
    all_outcomes,
    amplitudes_of,
    dim_of,
    form_of,
    random_indices,
)
from tests.trains.charged import random_cell, transfer_matrix

every_chain = pytest.mark.parametrize("cores", CHAINS.values(), ids=CHAINS)
every_basis = pytest.mark.parametrize("name", [*FIXED, *DRAWN])


def measured_all(cores, name, **options):
    """A state, all its outcomes, their bases and their exact amplitudes."""
    dim, sites = dim_of(cores), len(cores)
    indices = random_indices(name, dim, sites) if name in DRAWN else None
    outcomes = all_outcomes(dim, sites)
    index = None if indices is None else np.tile(indices, (len(outcomes), 1))
    measured = MeasuredState(form_of(cores), basis_of(name, dim), **options)
    return measured, outcomes, index, amplitudes_of(cores, name, indices).ravel()


@every_chain
@every_basis
def test_probability_of_every_outcome(cores, name):
    measured, outcomes, index, exact = measured_all(cores, name)
    logs = measured.log_probability(outcomes, index)
    np.testing.assert_allclose(np.exp(logs), np.abs(exact) ** 2, atol=1e-13)
    assert np.all(np.isneginf(logs[exact == 0]))


@every_chain
@every_basis
def test_amplitude_of_every_outcome(cores, name):
    measured, outcomes, index, exact = measured_all(cores, name)
    phases, logs = measured.log_amplitudes(outcomes, index)
    np.testing.assert_allclose(phases * np.exp(logs), exact, atol=1e-13)
    np.testing.assert_allclose(np.abs(phases), np.isfinite(logs), atol=1e-13)
    if name == "Sz":
        assert np.iscomplexobj(phases) == any(map(np.iscomplexobj, cores))


@pytest.mark.parametrize("name", ["Sz", "Sx", "random"])
def test_probabilities_do_not_depend_on_batches(name):
    cores = CHAINS["spin 1, Sz"]
    measured, outcomes, index, _ = measured_all(cores, name)
    small, *_ = measured_all(cores, name, place=Memory(bytes=1))
    chosen = slice(0, 500)
    bases = None if index is None else index[chosen]
    np.testing.assert_allclose(
        np.exp(small.log_probability(outcomes[chosen], bases)),
        np.exp(measured.log_probability(outcomes[chosen], bases)),
        atol=1e-14,
    )


def test_rows_of_several_bases_at_once():
    cores = CHAINS["spin 1/2, complex"]
    basis, rng = basis_of("random", 2), np.random.default_rng(0)
    spins = rng.integers(0, 2, size=(30, 8))
    index = basis.draw(rng.random((30, 8)))
    logs = MeasuredState(form_of(cores), basis).log_probability(spins, index)
    for row, bases, log in zip(spins, index, logs, strict=True):
        exact = np.abs(amplitudes_of(cores, "random", bases)[tuple(row)]) ** 2
        assert np.exp(log) == pytest.approx(exact, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("name", [*FIXED, *DRAWN])
@pytest.mark.parametrize(
    "case", [(2, 1, True, 0), (3, 0, False, 0), (3, 0, False, 2), (3, 4, False, 0)]
)
def test_windows_of_an_infinite_state(name, case):
    dim, modulus, is_complex, shift = case
    rng = np.random.default_rng(2)
    cores, _ = random_cell(rng, dim, 2, modulus, is_complex=is_complex, shift=shift)
    cell = canonical_cell(cores)
    assert state_form(cell).modulus == modulus
    sites, start, basis = 4, 1, basis_of(name, dim)
    indices = random_indices(name, dim, sites) if basis.drawn else basis.indices(sites)
    outcomes = all_outcomes(dim, sites)
    index = np.tile(indices, (len(outcomes), 1)) if basis.drawn else None
    measured = MeasuredState(state_form(cell), basis, start=start, sites=sites)
    logs = measured.log_probability(outcomes, index)
    cores = [
        np.einsum("ks,lsr->lkr", basis.vectors[k], cell.cores[(start + site) % 2])
        for site, k in enumerate(indices)
    ]
    left = np.diag(cell.schmidt_values[start] ** 2).ravel()
    exact = [
        left
        @ transfer_matrix([c[:, [s]] for c, s in zip(cores, row, strict=True)])
        @ np.eye(cores[-1].shape[2]).ravel()
        for row in outcomes
    ]
    np.testing.assert_allclose(np.exp(logs), np.real(exact), atol=1e-13)
    assert np.exp(logs).sum() == pytest.approx(1.0, abs=1e-12)


def test_a_window_of_aklt_against_the_middle_of_a_long_chain():
    outcomes = all_outcomes(3, 4)
    basis = basis_of("Sx,Sz", 3)
    window = MeasuredState(state_form(aklt_cell()), basis, sites=4).log_probability(outcomes)
    middle = MeasuredState(state_form(aklt_chain(64)), basis, start=30, sites=4)
    np.testing.assert_allclose(np.exp(window), np.exp(middle.log_probability(outcomes)), atol=1e-13)


def test_a_configuration_that_leaves_the_charge_sector():
    measured = MeasuredState(form_of(CHAINS["spin 1, Sz"]), basis_of("Sz", 3))
    spins = np.zeros((2, 8), dtype=np.uint8)
    assert np.all(np.isneginf(measured.log_probability(spins)))
    phases, logs = measured.log_amplitudes(spins)
    assert phases.tolist() == [0.0, 0.0]
    assert np.all(np.isneginf(logs))


def test_a_bond_of_one():
    neel = state_form(product_chain((0, 2, 0, 2), 3))
    logs = MeasuredState(neel, basis_of("Sz", 3)).log_probability([[0, 2, 0, 2], [0, 2, 2, 0]])
    assert logs.tolist() == [0.0, -np.inf]
    logs = MeasuredState(neel, basis_of("Sx", 3)).log_probability([[0, 0, 0, 0], [1, 1, 1, 1]])
    np.testing.assert_allclose(logs, 4 * np.log([0.25, 0.5]), rtol=1e-12)


def test_the_probability_of_a_product_state_is_not_squared_again_at_each_site():
    # (1/2)^6; squaring what has been collected at every site would give 2^-63 = 1.1e-19.
    plus = state_form(TensorTrain(cores=(np.full((1, 2, 1), 0.5**0.5),) * 6))
    measured = MeasuredState(plus, basis_of("Sz", 2))
    drawn = measured.draw(np.random.default_rng(0).random((20, 6)))
    np.testing.assert_allclose(np.exp(drawn.log_probability), 1 / 64, rtol=1e-12)
    np.testing.assert_allclose(np.exp(measured.log_probability(drawn.spins)), 1 / 64, rtol=1e-12)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_long_chain_neither_underflows_nor_overflows(precision):
    tilted = np.array([np.cos(1e-3), np.sin(1e-3)]).reshape(1, 2, 1)
    state = state_form(TensorTrain(cores=(tilted,) * 500))
    measured = MeasuredState(state, basis_of("Sz", 2), place=Memory(precision=precision))
    spins = np.array([[0] * 500, [1] * 500, [0, 1] * 250], dtype=np.uint8)
    one, other = 2 * np.log(np.abs(tilted.ravel()))
    wanted = [500 * one, 500 * other, 250 * (one + other)]
    tolerance = 1e-12 if precision == "float64" else 1e-6
    np.testing.assert_allclose(measured.log_probability(spins), wanted, rtol=tolerance, atol=1e-4)
    drawn = measured.draw(np.random.default_rng(0).random((50, 500)))
    np.testing.assert_allclose(
        drawn.log_probability, measured.log_probability(drawn.spins), atol=1e-4
    )


def test_amplitudes_far_below_any_that_is_drawn():
    core = np.array([1.0, -1e-120]).reshape(1, 2, 1)
    form = StateForm(
        cores=(core,) * 9,
        schmidt_values=(np.ones(1),) * 9,
        charges=(np.zeros(1, dtype=np.int64),) * 10,
        modulus=1,
        infinite=False,
    )
    phases, logs = MeasuredState(form, basis_of("Sz", 2)).log_amplitudes([[1] * 9, [0] * 9])
    assert phases.tolist() == [-1.0, 1.0]
    np.testing.assert_allclose(logs, [9 * np.log(1e-120), 0.0], rtol=1e-12)


def test_single_precision_is_good_to_four_digits():
    cores = CHAINS["spin 1, Sz"]
    for name in ("Sz", "Sy"):
        measured, outcomes, _, exact = measured_all(cores, name, place=Memory(precision="float32"))
        likely = np.abs(exact) ** 2 > 1e-6
        logs = measured.log_probability(outcomes[likely])
        np.testing.assert_allclose(logs, 2 * np.log(np.abs(exact[likely])), atol=1e-3)


def test_what_has_no_likelihood():
    form = form_of(CHAINS["spin 1"])
    measured = MeasuredState(form, basis_of("Sz", 3))
    with pytest.raises(ShapeError, match=r"shape \(2, 5\); wanted integers of shape \(shots, 6\)"):
        measured.log_probability(np.zeros((2, 5), dtype=int))
    with pytest.raises(ShapeError, match="spins are float64"):
        measured.log_probability(np.zeros((2, 6)))
    with pytest.raises(ShapeError, match=r"outcomes outside 0 \.\. 2"):
        measured.log_probability(np.full((2, 6), 3))
    with pytest.raises(ShapeError, match=r"outcomes outside 0 \.\. 2"):
        measured.log_probability(np.full((2, 6), -1))
    with pytest.raises(SettingsError, match="a window of a state has no amplitudes"):
        MeasuredState(form, basis_of("Sz", 3), sites=3).log_amplitudes(np.zeros((1, 3), dtype=int))
