"""Perfect sampling against exact probabilities."""

import itertools

import numpy as np
import pytest

from phasenet.errors import ShapeError
from phasenet.phases.exact import aklt_chain, product_chain
from phasenet.snapshots import sampling
from phasenet.snapshots.sampling import log_probability, sample
from phasenet.trains.canonical import right_canonical
from phasenet.trains.train import TensorTrain


def normalised(train):
    """The same ray, right-canonical and of norm 1."""
    canonical = right_canonical(train)
    return TensorTrain(cores=canonical.cores)


def random_state(dims, bond, seed, *, dtype=np.float64):
    rng = np.random.default_rng(seed)
    bonds = [1, *[bond] * (len(dims) - 1), 1]
    cores = []
    for left, dim, right in zip(bonds, dims, bonds[1:], strict=False):
        core = rng.standard_normal((left, dim, right))
        if dtype == np.complex128:
            core = core + 1j * rng.standard_normal(core.shape)
        cores.append(core)
    return normalised(TensorTrain(cores=tuple(cores)))


def all_configurations(dims):
    return np.array(list(itertools.product(*(range(dim) for dim in dims))))


def dense(train):
    """Vector of a train by plain contraction, independent of its own evaluation."""
    vector = np.ones((1, 1))
    for core in train.cores:
        vector = np.tensordot(vector, core, axes=(1, 0)).reshape(-1, core.shape[2])
    return vector[:, 0] * np.exp(train.log_scale)


CASES = {
    "spin-1": random_state((3,) * 6, 4, 0),
    "complex": random_state((3,) * 6, 3, 1, dtype=np.complex128),
    "mixed sites": random_state((2, 3, 4, 2, 3, 2), 4, 2),
    "AKLT": normalised(aklt_chain(6)),
    "product": product_chain((0, 2, 1, 0, 2, 1), 3),
}
every_state = pytest.mark.parametrize("state", CASES.values(), ids=CASES)


@every_state
def test_shots_follow_the_probabilities(state):
    probabilities = np.abs(dense(state)) ** 2
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-12)
    shots = 40_000
    spins, _ = sample(state, shots, np.random.default_rng(5))
    index = np.ravel_multi_index(spins.T, state.site_dims)
    counts = np.bincount(index, minlength=len(probabilities))
    assert counts[probabilities < 1e-14].sum() == 0
    often = probabilities * shots > 5
    expected = np.append(probabilities[often] * shots, probabilities[~often].sum() * shots)
    seen = np.append(counts[often], counts[~often].sum())
    kept = expected > 5
    if np.count_nonzero(kept) == 1:
        assert seen[kept] == shots
        return
    chi_square = np.sum((seen[kept] - expected[kept]) ** 2 / expected[kept])
    freedom = np.count_nonzero(kept) - 1
    assert abs(chi_square - freedom) < 5 * np.sqrt(2 * freedom)


@every_state
def test_log_probabilities_are_exact(state):
    vector = dense(state)
    spins, logs = sample(state, 300, np.random.default_rng(6))
    index = np.ravel_multi_index(spins.T, state.site_dims)
    np.testing.assert_allclose(logs, np.log(np.abs(vector[index]) ** 2), atol=1e-10)
    np.testing.assert_allclose(log_probability(state, spins), logs, atol=1e-10)
    assert spins.dtype == np.uint8
    assert spins.shape == (300, 6)


@every_state
def test_log_probability_of_every_configuration(state):
    configurations = all_configurations(state.site_dims)
    logs = log_probability(state, configurations.astype(np.uint8))
    exact = np.abs(dense(state)) ** 2
    np.testing.assert_allclose(np.exp(logs), exact, atol=1e-14)
    assert np.all(np.isneginf(logs[exact == 0]))


def test_log_probability_of_a_long_chain_does_not_underflow():
    state = TensorTrain(cores=(np.full((1, 3, 1), 3**-0.5),) * 2000)
    spins, logs = sample(state, 3, np.random.default_rng(0))
    np.testing.assert_allclose(logs, -2000 * np.log(3), rtol=1e-10)
    np.testing.assert_allclose(log_probability(state, spins), logs, rtol=1e-10)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_shots_do_not_depend_on_chunks(monkeypatch, chunk):
    whole = sample(CASES["spin-1"], 50, np.random.default_rng(1))
    monkeypatch.setattr(sampling, "_CHUNK", chunk)
    parts = sample(CASES["spin-1"], 50, np.random.default_rng(1))
    np.testing.assert_array_equal(parts[0], whole[0])
    np.testing.assert_allclose(parts[1], whole[1], atol=1e-12)


def test_shots_depend_on_the_generator_alone():
    one, two, other = (sample(CASES["AKLT"], 60, np.random.default_rng(s))[0] for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_norm_and_phase_of_the_first_core_do_not_matter():
    state = CASES["spin-1"]
    scaled = TensorTrain(cores=(-3.0 * state.cores[0], *state.cores[1:]), log_scale=2.0)
    np.testing.assert_array_equal(
        sample(scaled, 40, np.random.default_rng(3))[0],
        sample(state, 40, np.random.default_rng(3))[0],
    )


def test_string_order_of_aklt_shots():
    length, shots = 24, 6000
    spins, _ = sample(normalised(aklt_chain(length)), shots, np.random.default_rng(11))
    sz = 1.0 - spins
    parity = (-1.0) ** sz
    for first, last in ((8, 9), (8, 13), (8, 16)):
        inside = parity[:, first + 1 : last].prod(axis=1)
        values = -sz[:, first] * inside * sz[:, last]
        error = values.std(ddof=1) / np.sqrt(shots)
        # An end of the chain is felt as (1/3)^8 here.
        assert abs(values.mean() - 4 / 9) < 5 * error
        assert error < 0.01
    # The hidden order: without their zeros, the spins alternate.
    for row in sz[:100]:
        signs = row[row != 0]
        assert np.all(signs[:-1] * signs[1:] == -1)


def test_a_train_that_is_not_right_canonical():
    rng = np.random.default_rng(0)
    train = TensorTrain(cores=(rng.random((1, 3, 2)), rng.random((2, 3, 2)), rng.random((2, 3, 1))))
    with pytest.raises(ShapeError, match="core 1 is off right-canonical form by") as error:
        sample(train, 3, rng)
    assert "\n" not in str(error.value)


def test_a_train_with_an_output_leg():
    cores = (np.ones((1, 3, 1)) / np.sqrt(3), np.ones((1, 3, 1, 2)) / np.sqrt(3))
    with pytest.raises(ShapeError, match="output leg is no state"):
        sample(TensorTrain(cores=cores, output_site=1), 3, np.random.default_rng(0))
