"""Autoregressive networks with any weights: normalised, in their sector, and drawn exactly."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from phasenet.errors import FileKindError
from phasenet.networks.wavefunctions.overlap import amplitudes_of, overlap_of
from phasenet.networks.wavefunctions.recurrent import RecurrentWavefunction
from phasenet.networks.wavefunctions.sector import Sector
from phasenet.networks.wavefunctions.teacher import Teacher
from phasenet.seeds import stream
from phasenet.trains.form import state_form
from phasenet.trains.train import TensorTrain

LENGTH = 6
SECTORS = {
    "S^z": Sector(site_dim=3, modulus=0, total=2),
    "parity": Sector(site_dim=2, modulus=4, total=2),
    "nothing": Sector(site_dim=3, modulus=1, total=0),
}


def random_network(sector, *, is_complex=False, width=5, depth=1, length=LENGTH):
    torch.manual_seed(4)
    network = RecurrentWavefunction(
        length=length, sector=sector, width=width, depth=depth, is_complex=is_complex
    ).double()
    for weights in network.parameters():
        torch.nn.init.normal_(weights, std=0.7)
    return network.requires_grad_(False)


def enumerated(dim, length=LENGTH):
    return np.indices((dim,) * length).reshape(length, -1).T


def amplitudes(network, states):
    phase, log = amplitudes_of(network, states)
    return phase * np.exp(log)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("name", SECTORS)
def test_norm_one_and_zero_outside_the_sector(name, is_complex):
    sector = SECTORS[name]
    states = enumerated(sector.site_dim)
    values = amplitudes(random_network(sector, is_complex=is_complex, depth=2), states)
    assert np.sum(np.abs(values) ** 2) == pytest.approx(1.0, abs=1e-12)
    inside = sector.contains(states)
    assert not values[~inside].any()
    assert values[inside].all()
    assert np.iscomplexobj(values) == is_complex
    if not is_complex:
        assert (values < 0).any() and (values > 0).any()


@pytest.mark.parametrize("name", SECTORS)
def test_shots_follow_the_amplitudes(name):
    sector, shots = SECTORS[name], 30_000
    network = random_network(sector)
    p = np.abs(amplitudes(network, enumerated(sector.site_dim))) ** 2
    drawn = network.draw(torch.from_numpy(stream(0, "test").random((shots, LENGTH)))).numpy()
    counts = np.bincount(
        np.ravel_multi_index(drawn.T, (sector.site_dim,) * LENGTH), minlength=len(p)
    )
    assert not counts[p == 0.0].any()
    often = shots * p > 5
    rest = shots * p[~often].sum()
    expected = np.append(shots * p[often], rest)
    chi_squared = np.sum(
        (np.append(counts[often], counts[~often].sum()) - expected) ** 2 / expected
    )
    assert abs(chi_squared - often.sum()) < 5 * np.sqrt(2 * often.sum())


def test_conditionals_do_not_see_what_follows():
    network = random_network(SECTORS["nothing"])
    states = torch.from_numpy(enumerated(3)[:50])
    other = states.clone()
    other[:, 4:] = 2 - other[:, 4:]
    for one, two in zip(network(states), network(other), strict=True):
        assert torch.equal(one[:, :5], two[:, :5])


def test_the_architecture_rebuilds_the_network():
    network = random_network(SECTORS["parity"], is_complex=True, depth=2)
    again = RecurrentWavefunction.of(network.architecture).double()
    again.load_state_dict(network.state_dict())
    states = enumerated(2)
    np.testing.assert_array_equal(amplitudes(again, states), amplitudes(network, states))
    assert list(network.state_dict())[:3] == ["before.weight", "place.weight", "charge.weight"]
    with pytest.raises(FileKindError, match="architecture 'convolutional'; wanted 'recurrent'"):
        RecurrentWavefunction.of({"kind": "convolutional"})


@pytest.mark.parametrize("is_complex", [False, True])
def test_the_estimate_of_the_fidelity_is_that_of_the_enumeration(is_complex):
    """Of a network that is far from the state: 5 sigma, and an error bar that is not idle."""
    rng = np.random.default_rng(1)
    shapes = [(a, 3, b) for a, b in pairwise((1, *[3] * (LENGTH - 1), 1))]
    form = state_form(TensorTrain(cores=tuple(rng.random(shape) for shape in shapes)))
    network = random_network(SECTORS["nothing"], is_complex=is_complex)
    for weights in network.parameters():
        weights *= 0.3
    # Most phases near that of the state, which is the same everywhere.
    network.heads[2].bias[3:] += torch.tensor([1.0, 0.2] * 3 if is_complex else [0.6] * 3)
    teacher = Teacher(form)
    states = enumerated(3)
    lesson = teacher.follow(states)
    exact = lesson.phase * np.exp(lesson.log_probability / 2)
    wanted = abs(np.vdot(exact, amplitudes(network, states))) ** 2
    assert 0.1 < wanted < 0.95
    found = [overlap_of(network, teacher, shots=2000, seed=seed) for seed in range(12)]
    values, errors = np.array([f.fidelity for f in found]), np.array([f.error for f in found])
    assert abs(values.mean() - wanted) < 5 * errors.mean() / np.sqrt(12)
    assert 0.5 < np.std(values) / errors.mean() < 1.6
    signs = [np.sign(f.sign_agreement) for f in found]
    assert set(signs) == {1.0}
    assert str(found[0]).startswith("fidelity 0.")


def test_a_wrong_sign_that_no_shot_shows_is_seen():
    """That of an outcome of probability 1e-6 at each of three sites."""
    rare = 1e-6
    core = np.sqrt([1 - rare, rare]).reshape(1, 2, 1)
    form = state_form(TensorTrain(cores=(core,) * 3))
    network = random_network(Sector(site_dim=2, modulus=1, total=0), length=3)
    network.heads[2].weight.zero_()
    network.heads[2].bias.copy_(torch.tensor([np.log(1 - rare), np.log(rare), 1.0, -1.0]))
    found = overlap_of(network, Teacher(form), shots=50, seed=0)
    assert found.sign_agreement == 1.0
    assert found.fidelity == pytest.approx((1 - 2 * rare) ** 6, abs=1e-10)
