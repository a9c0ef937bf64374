"""Perfect sampling against exact probabilities."""

import itertools

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.exact import aklt_cell, aklt_chain, large_d_chain
from phasenet.seeds import stream, uniforms
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.snapshots.places import Memory
from phasenet.snapshots.sampling import draw_shots
from phasenet.trains.cells import canonical_cell
from phasenet.trains.form import state_form
from tests.snapshots.measured_states import (
    CHAINS,
    DRAWN,
    FIXED,
    amplitudes_of,
    chi_square_excess,
    dim_of,
    form_of,
    in_order,
    random_indices,
)
from tests.trains.charged import random_cell

SHOTS = 20_000
every_chain = pytest.mark.parametrize("cores", CHAINS.values(), ids=CHAINS)


def drawn_from(form, name, shots, *, seed=0, indices=None, **window):
    """Shots, in one given basis for each site where the basis would be drawn."""
    basis = basis_of(name, form.site_dims[0])
    measured = MeasuredState(form, basis, **window)
    uniform = uniforms(seed, "test", name, start=0, rows=shots, columns=measured.columns)
    index = None if indices is None else np.tile(indices, (shots, 1))
    return measured.draw(uniform, index)


def counted(spins, dim):
    return np.bincount(in_order(spins, dim), minlength=dim ** spins.shape[1])


@every_chain
@pytest.mark.parametrize("name", [*FIXED, *DRAWN])
def test_shots_follow_the_probabilities(cores, name):
    dim = dim_of(cores)
    indices = random_indices(name, dim, len(cores)) if name in DRAWN else None
    exact = np.abs(amplitudes_of(cores, name, indices).ravel()) ** 2
    assert exact.sum() == pytest.approx(1.0, abs=1e-12)
    drawn = drawn_from(form_of(cores), name, SHOTS, indices=indices)
    assert drawn.spins.dtype == np.uint8
    assert abs(chi_square_excess(counted(drawn.spins, dim), exact)) < 5
    np.testing.assert_allclose(
        drawn.log_probability, np.log(exact[in_order(drawn.spins, dim)]), atol=1e-9
    )


@every_chain
def test_shots_are_those_of_the_definition(cores):
    # Outcome by outcome from the dense vector: the first whose cumulated conditional probability
    # is above the random number of the site. Files of earlier runs rest on this.
    dim, shots = dim_of(cores), 50
    exact = np.abs(amplitudes_of(cores, "Sz")) ** 2
    numbers = stream(7, "shots", "D=1").random((shots, len(cores)))
    basis = basis_of("Sz", dim)
    drawn, index = draw_shots(
        MeasuredState(form_of(cores), basis), basis, 7, "D=1", start=0, shots=shots
    )
    assert index is None
    for row, spins in zip(numbers, drawn.spins, strict=True):
        rest = exact
        for number, outcome in zip(row, spins, strict=True):
            weights = rest.reshape(dim, -1).sum(axis=1)
            edges = np.cumsum(weights) / weights.sum()
            assert outcome == np.searchsorted(edges[:-1], number, side="right")
            rest = rest[outcome]


@pytest.mark.parametrize("name", ["Sz", "Sx", "random"])
@pytest.mark.parametrize("chain", ["spin 1, Sz", "spin 1/2, complex"])
def test_shots_depend_on_their_place_in_the_series_alone(name, chain):
    cores = CHAINS[chain]
    basis = basis_of(name, dim_of(cores))
    measured = MeasuredState(form_of(cores), basis)
    small = MeasuredState(form_of(cores), basis, place=Memory(bytes=1))
    assert small.batch < 200 < measured.batch
    whole, index = draw_shots(measured, basis, 1, "a", start=0, shots=300)
    for state, cuts in ((measured, (0, 37, 100, 300)), (small, (0, 300)), (small, (0, 201, 300))):
        parts = [
            draw_shots(state, basis, 1, "a", start=first, shots=last - first)
            for first, last in itertools.pairwise(cuts)
        ]
        np.testing.assert_array_equal(np.concatenate([d.spins for d, _ in parts]), whole.spins)
        np.testing.assert_allclose(
            np.concatenate([d.log_probability for d, _ in parts]), whole.log_probability, rtol=1e-12
        )
        if index is not None:
            np.testing.assert_array_equal(np.concatenate([i for _, i in parts]), index)
    other, _ = draw_shots(measured, basis, 1, "b", start=0, shots=300)
    assert not np.array_equal(other.spins, whole.spins)


def test_bases_come_from_a_stream_of_their_own():
    cores = CHAINS["spin 1/2"]
    basis = basis_of("random", 2)
    _, index = draw_shots(MeasuredState(form_of(cores), basis), basis, 5, "a", start=2, shots=4)
    numbers = stream(5, "bases", "a").random((6, len(cores)))[2:]
    np.testing.assert_array_equal(index, (3 * numbers).astype(int))


@pytest.mark.parametrize("name", ["Sz", "Sx,Sz", "Sy"])
def test_windows_of_an_infinite_state(name):
    rng = np.random.default_rng(2)
    for dim, modulus, is_complex in ((2, 1, True), (3, 0, False), (3, 4, False)):
        cell = canonical_cell(random_cell(rng, dim, 2, modulus, is_complex=is_complex)[0])
        form = state_form(cell)
        for start in (1, 4):
            exact = window_probabilities(cell, name, start, 4)
            drawn = drawn_from(form, name, SHOTS, start=start, sites=4)
            assert abs(chi_square_excess(counted(drawn.spins, dim), exact)) < 5
            assert np.all(np.isnan(drawn.log_probability))


def window_probabilities(cell, name, start, sites):
    """Diagonal of the reduced density matrix of a window, contracted on its own."""
    places = [(start + k) % cell.cell for k in range(sites)]
    basis = basis_of(name, cell.site_dims[0])
    rows = np.diag(cell.schmidt_values[places[0]])[:, None]
    for place, index in zip(places, basis.indices(sites), strict=True):
        core = np.einsum("ks,lsr->lkr", basis.vectors[index], cell.cores[place])
        rows = np.einsum("anl,lkr->ankr", rows, core).reshape(len(rows), -1, core.shape[2])
    return (np.abs(rows) ** 2).sum(axis=(0, 2))


@pytest.mark.parametrize("window", [(0, 3), (2, 4), (5, 3)])
@pytest.mark.parametrize("name", ["Sz", "Sx,Sz"])
def test_windows_of_a_chain(window, name):
    cores = CHAINS["spin 1, Sz"]
    start, sites = window
    form, basis = form_of(cores), basis_of(name, 3)
    # The pattern of a window starts at its first site.
    indices = np.roll(np.resize(basis.indices(len(basis.pattern)), len(cores)), start)
    outside = tuple(k for k in range(len(cores)) if not start <= k < start + sites)
    exact = (np.abs(amplitudes_of(cores, name, indices)) ** 2).sum(axis=outside).ravel()
    drawn = drawn_from(form, name, SHOTS, start=start, sites=sites)
    assert abs(chi_square_excess(counted(drawn.spins, 3), exact)) < 5
    logs = MeasuredState(form, basis, start=start, sites=sites).log_probability(drawn.spins)
    np.testing.assert_allclose(np.exp(logs), exact[in_order(drawn.spins, 3)], rtol=1e-9)
    assert np.all(np.isnan(drawn.log_probability)) == (start > 0)


def test_string_order_of_aklt_shots():
    shots = 20_000
    for form, window in (
        (state_form(aklt_chain(24)), {"start": 0, "sites": 24}),
        (state_form(aklt_cell()), {"start": 0, "sites": 24}),
    ):
        sz = 1.0 - drawn_from(form, "Sz", shots, seed=11, **window).spins
        parity = (-1.0) ** sz
        for first, last in ((8, 9), (8, 13), (8, 16)):
            values = -sz[:, first] * parity[:, first + 1 : last].prod(axis=1) * sz[:, last]
            error = values.std(ddof=1) / np.sqrt(shots)
            # An end of the chain is felt as (1/3)^8 here.
            assert abs(values.mean() - 4 / 9) < 5 * error + 3**-8
        # The hidden order: without their zeros, the spins alternate.
        for row in sz[:100]:
            signs = row[row != 0]
            assert np.all(signs[:-1] * signs[1:] == -1)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("number", [0.0, 1.0 - 2.0**-53])
def test_the_first_and_the_last_random_number_draw_nothing_impossible(number, precision):
    # All zeros: the first and the last outcome have probability zero.
    form, basis = state_form(large_d_chain(5)), basis_of("Sz", 3)
    measured = MeasuredState(form, basis, place=Memory(precision=precision))
    drawn = measured.draw(np.full((2, 5), number))
    np.testing.assert_array_equal(drawn.spins, 1)
    np.testing.assert_array_equal(drawn.log_probability, 0.0)


def test_norm_and_gauge_of_the_cores_do_not_matter():
    cores = CHAINS["spin 1"]
    scaled = [-3.0 * cores[0], *cores[1:]]
    one, other = (drawn_from(form_of(c), "Sx", 60).spins for c in (cores, scaled))
    np.testing.assert_array_equal(one, other)


def test_single_precision_gives_almost_the_same_shots():
    cores = CHAINS["spin 1, Sz"]
    shots = 5000
    exact = drawn_from(form_of(cores), "Sz", shots)
    single = drawn_from(form_of(cores), "Sz", shots, place=Memory(precision="float32"))
    same = (exact.spins == single.spins).all(axis=1)
    assert np.count_nonzero(~same) <= 3
    np.testing.assert_allclose(single.log_probability[same], exact.log_probability[same], atol=1e-4)


def test_no_shots():
    drawn = drawn_from(form_of(CHAINS["spin 1"]), "Sz", 0)
    assert drawn.spins.shape == (0, 6)
    assert drawn.log_probability.shape == (0,)


def test_what_cannot_be_drawn():
    form, sz = form_of(CHAINS["spin 1"]), basis_of("Sz", 3)
    with pytest.raises(ShapeError, match=r"numbers have shape \(2, 5\); wanted \(shots, 6\)"):
        MeasuredState(form, sz).draw(np.zeros((2, 5)))
    with pytest.raises(SettingsError, match="basis Sz wants none as basis_index"):
        MeasuredState(form, sz).draw(np.zeros((2, 6)), np.zeros((2, 6), dtype=np.uint8))
    drawn = MeasuredState(form, basis_of("random", 3))
    with pytest.raises(SettingsError, match="basis random wants the basis of each site"):
        drawn.draw(np.zeros((2, 6)))
    with pytest.raises(ShapeError, match=r"basis_index has shape \(2, 5\); wanted \(2, 6\)"):
        drawn.draw(np.zeros((2, 6)), np.zeros((2, 5), dtype=np.uint8))
    with pytest.raises(ShapeError, match=r"bases outside 0 \.\. 2"):
        drawn.draw(np.zeros((1, 6)), np.full((1, 6), 3, dtype=np.uint8))
    with pytest.raises(ShapeError, match="site 0 has 3 local states; basis Sz is for 2"):
        MeasuredState(form, basis_of("Sz", 2))
    with pytest.raises(SettingsError, match=r"window of 3 sites from site 4 .* chain of 6 sites"):
        MeasuredState(form, sz, start=4, sites=3)
    with pytest.raises(SettingsError, match="window of an infinite state has None sites"):
        MeasuredState(state_form(aklt_cell()), sz)
    with pytest.raises(SettingsError, match="wanted none below 0"):
        draw_shots(MeasuredState(form, sz), sz, 0, start=-1, shots=3)
    with pytest.raises(SettingsError, match="'half'; wanted float32 or float64"):
        Memory(precision="half")
