"""Sampling on tensors of torch beside numpy, on the same random numbers."""

import numpy as np
import pytest
import torch

from phasenet.errors import SettingsError
from phasenet.networks.devices import torch_place
from phasenet.seeds import uniforms
from phasenet.snapshots.bases import basis_of
from phasenet.snapshots.measured import MeasuredState
from phasenet.trains.cells import canonical_cell
from phasenet.trains.form import state_form
from tests.snapshots.measured_states import CHAINS, dim_of, form_of
from tests.trains.charged import random_cell

SHOTS = 2000
# In single precision a shot changes where a random number lies within 1e-7 of an edge.
CHANGED = 4
chains = pytest.mark.parametrize("chain", ["spin 1, Sz", "spin 1/2, complex"])
bases = pytest.mark.parametrize("name", ["Sz", "Sx", "Sy,Sz", "random", "unbiased"])


def drawn_at(form, basis, place, **window):
    measured = MeasuredState(form, basis, place=place, **window)
    uniform = uniforms(3, "test", start=0, rows=SHOTS, columns=measured.columns)
    index = None
    if basis.drawn:
        index = basis.draw(uniforms(4, "test", start=0, rows=SHOTS, columns=measured.sites))
    return measured, measured.draw(uniform, index), index


@chains
@bases
def test_double_precision_gives_the_same_shots(chain, name):
    form, basis = form_of(CHAINS[chain]), basis_of(name, dim_of(CHAINS[chain]))
    ours, wanted, index = drawn_at(form, basis, torch_place("cpu"))
    theirs = MeasuredState(form, basis)
    drawn = theirs.draw(uniforms(3, "test", start=0, rows=SHOTS, columns=theirs.columns), index)
    np.testing.assert_array_equal(drawn.spins, wanted.spins)
    np.testing.assert_allclose(drawn.log_probability, wanted.log_probability, atol=1e-11)
    for one, other in zip(
        (ours.log_probability(drawn.spins, index), *ours.log_amplitudes(drawn.spins, index)),
        (theirs.log_probability(drawn.spins, index), *theirs.log_amplitudes(drawn.spins, index)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, atol=1e-11)


@chains
@bases
def test_single_precision_gives_almost_the_same_shots(chain, name):
    form, basis = form_of(CHAINS[chain]), basis_of(name, dim_of(CHAINS[chain]))
    measured, single, index = drawn_at(form, basis, torch_place("cpu", "float32"))
    theirs, double, _ = drawn_at(form, basis, torch_place("cpu", "float64"))
    same = (single.spins == double.spins).all(axis=1)
    assert np.count_nonzero(~same) <= CHANGED
    exact = theirs.log_probability(single.spins, index)
    np.testing.assert_allclose(single.log_probability, exact, atol=1e-4)
    np.testing.assert_allclose(measured.log_probability(single.spins, index), exact, atol=1e-4)


def test_windows_of_an_infinite_state():
    rng = np.random.default_rng(1)
    form = state_form(canonical_cell(random_cell(rng, 3, 2, 0)[0]))
    basis = basis_of("Sz", 3)
    ours, drawn, _ = drawn_at(form, basis, torch_place("cpu"), start=1, sites=5)
    theirs = MeasuredState(form, basis, start=1, sites=5)
    wanted = theirs.draw(uniforms(3, "test", start=0, rows=SHOTS, columns=6))
    np.testing.assert_array_equal(drawn.spins, wanted.spins)
    np.testing.assert_allclose(
        ours.log_probability(drawn.spins), theirs.log_probability(drawn.spins), atol=1e-11
    )


def test_arrays_go_there_and_come_back():
    place = torch_place("cpu", "float32")
    assert place.put(np.ones(2)).dtype == torch.float32
    assert place.put(np.ones(2, dtype=np.int16)).dtype == torch.int16
    np.testing.assert_array_equal(place.get(place.put(np.arange(3))), np.arange(3))
    source = np.zeros(2)
    torch_place("cpu").put(source)[0] = 1.0
    assert source.tolist() == [0.0, 0.0]


def test_places_that_there_are_not():
    with pytest.raises(SettingsError, match="there is no device 'cuda:77'; this machine has cpu"):
        torch_place("cuda:77")
    with pytest.raises(SettingsError, match="precision is 'half'; wanted float32 or float64"):
        torch_place("cpu", "half")
    with pytest.raises(SettingsError, match="an array of complex128 has no place here"):
        torch_place("cpu").put(np.ones(1) * 1j)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
def test_a_gpu_gives_the_same_shots():
    for chain, name in (("spin 1, Sz", "Sz"), ("spin 1/2, complex", "random")):
        form, basis = form_of(CHAINS[chain]), basis_of(name, dim_of(CHAINS[chain]))
        _, there, index = drawn_at(form, basis, torch_place("cuda"))
        theirs, here, _ = drawn_at(form, basis, torch_place("cpu"))
        assert np.count_nonzero((there.spins != here.spins).any(axis=1)) == 0
        np.testing.assert_allclose(
            there.log_probability, theirs.log_probability(there.spins, index), atol=1e-11
        )
