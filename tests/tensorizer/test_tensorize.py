"""The public call, on functions whose trains are known."""

import logging

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.phases.exact import aklt_chain
from phasenet.seeds import stream
from phasenet.tensorizer import Outcome, tensorize
from phasenet.tensorizer.problem import prepare
from phasenet.trains.born import sample_born
from phasenet.trains.canonical import right_canonical
from phasenet.trains.inner import relative_distance
from phasenet.trains.train import TensorTrain


class Recorder:
    """Function that remembers what it was asked."""

    def __init__(self, function):
        self.function = function
        self.asked = []

    def __call__(self, configurations):
        self.asked.append(configurations.copy())
        return self.function(configurations)


def born_samples(train, shots, seed):
    return sample_born(train, shots, np.random.default_rng(seed))[0]


def convolutional_net(dim, *, channels=6, kernel=3, dtype=np.float64):
    rng = np.random.default_rng(4)
    first = rng.normal(size=(kernel * dim, channels)).astype(dtype) / np.sqrt(dtype(kernel))
    second = rng.normal(size=(kernel * channels, channels)).astype(dtype) / dtype(3)
    readout = rng.normal(size=(channels, 2)).astype(dtype)

    def net(configurations):
        hidden = np.eye(dim, dtype=dtype)[configurations]
        for weights in (first, second):
            windows = np.lib.stride_tricks.sliding_window_view(hidden, kernel, axis=1)
            hidden = np.tanh(windows.reshape(*windows.shape[:2], -1) @ weights)
        return hidden.mean(axis=1) @ readout

    return net


def dense_net(length, seed=0):
    rng = np.random.default_rng(seed)
    first = 1.5 * rng.normal(size=(2 * length, 32)) / np.sqrt(length)
    second = 1.5 * rng.normal(size=(32, 32)) / np.sqrt(32)
    readout = rng.normal(size=(32, 2))
    return lambda x: np.tanh(np.tanh(np.eye(2)[x].reshape(len(x), -1) @ first) @ second) @ readout


def uniform(length, dim, shots=2000, seed=0):
    return np.random.default_rng(seed).integers(dim, size=(shots, length))


@pytest.mark.parametrize(("length", "most"), [(20, 4_000), (100, 10_000)])
def test_aklt_amplitudes_come_out_exact(length, most):
    exact = aklt_chain(length)
    found = tensorize(exact, samples=born_samples(exact, 1000, 3), site_dims=[3] * length)
    assert found.outcome is Outcome.CONVERGED
    assert found.data_error < 1e-10
    assert relative_distance(found.train, exact) < 1e-10
    assert max(found.train.bond_dims) == 2
    assert found.evaluations < most


@pytest.mark.parametrize("seed", range(5))
def test_random_train_of_rank_eight_is_recovered(seed):
    rng = np.random.default_rng(seed)
    shapes = [(1 if s == 0 else 8, 2, 1 if s == 19 else 8) for s in range(20)]
    exact = TensorTrain(cores=tuple(rng.normal(size=shape) for shape in shapes))
    found = tensorize(exact, samples=born_samples(exact, 800, seed), site_dims=[2] * 20, seed=seed)
    assert found.outcome is Outcome.CONVERGED
    assert relative_distance(found.train, exact) < 1e-9
    assert max(found.train.bond_dims) == 8


def test_cat_state_keeps_both_branches():
    def cat(x):
        return (np.all(x == 0, axis=1) | np.all(x == 1, axis=1)) / np.sqrt(2)

    samples = np.repeat(uniform(1, 2), 50, axis=1)
    found = tensorize(cat, samples=samples, site_dims=[2] * 50)
    branches = np.array([[0] * 50, [1] * 50, [0] * 25 + [1] * 25])
    assert found.outcome is Outcome.CONVERGED
    assert set(found.train.bond_dims) == {2}
    np.testing.assert_allclose(found.train(branches), [0.5**0.5, 0.5**0.5, 0.0], atol=1e-12)


def test_outputs_of_a_network_share_their_bonds():
    net = convolutional_net(3)
    found = tensorize(net, samples=uniform(16, 3), site_dims=[3] * 16, max_rank=30)
    assert found.outcome is Outcome.CONVERGED
    assert found.train.outputs == 2
    assert max(found.train.bond_dims) <= 30
    fresh = uniform(16, 3, seed=9)
    np.testing.assert_allclose(found.train(fresh), net(fresh), atol=1e-8)


def test_single_precision_network_stops_at_its_noise():
    net = convolutional_net(3, dtype=np.float32)
    found = tensorize(net, samples=uniform(16, 3), site_dims=[3] * 16, tol=1e-9)
    assert found.outcome is Outcome.NOISE_FLOOR
    assert 1e-6 < found.tol < 1e-5
    assert found.data_error < found.tol
    assert max(found.train.bond_dims) <= 32
    assert found.evaluations < 60_000


@pytest.mark.slow
def test_dense_network_is_honest_about_its_rank():
    net = dense_net(16)
    found = tensorize(net, samples=uniform(16, 2), site_dims=[2] * 16, max_rank=24)
    assert found.outcome is Outcome.RANK_CAP
    assert max(found.train.bond_dims) == 24
    fresh = uniform(16, 2, seed=9)
    error = np.linalg.norm(found.train(fresh) - net(fresh)) / np.linalg.norm(net(fresh))
    assert found.data_error == pytest.approx(error, rel=0.3)
    assert 0.02 < error < 0.4


@pytest.mark.slow
def test_random_numbers_do_not_converge():
    table = np.random.default_rng(0).normal(size=2**14)
    found = tensorize(
        lambda x: table[x @ (1 << np.arange(14))], samples=uniform(14, 2), site_dims=[2] * 14
    )
    assert found.outcome in (Outcome.RANK_CAP, Outcome.STAGNATED)
    assert found.data_error > 0.1


def test_spent_budget_is_an_outcome():
    net = dense_net(16)
    found = tensorize(net, samples=uniform(16, 2), site_dims=[2] * 16, max_evaluations=6000)
    assert found.outcome is Outcome.BUDGET_SPENT
    assert found.evaluations <= 6000
    assert found.data_error > found.tol


def interrupted_after(function, calls):
    """Function during whose n-th call the user presses Ctrl-C."""
    done = []

    def slow(x):
        done.append(len(x))
        if len(done) == calls:
            raise KeyboardInterrupt
        return function(x)

    return slow


def test_interruption_gives_the_best_train_so_far():
    net = interrupted_after(dense_net(16), 60)
    found = tensorize(net, samples=uniform(16, 2), site_dims=[2] * 16)
    assert found.outcome is Outcome.INTERRUPTED
    assert found.data_error == pytest.approx(found.history[-1].data_error, rel=0.5)
    assert "best train so far" in str(found)


def test_interruption_of_the_first_progress_report_keeps_the_train():
    def impatient(sweep):
        raise KeyboardInterrupt

    found = tensorize(dense_net(16), samples=uniform(16, 2), site_dims=[2] * 16, progress=impatient)
    assert found.outcome is Outcome.INTERRUPTED
    assert len(found.history) == 1


def test_interruption_of_the_least_squares_keeps_the_interpolation(monkeypatch):
    def polish(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("phasenet.tensorizer.finish.polish", polish)
    found = tensorize(dense_net(16), samples=uniform(16, 2), site_dims=[2] * 16, max_rank=8)
    assert found.outcome is Outcome.INTERRUPTED
    assert max(found.train.bond_dims) == 8


def test_interruption_before_there_is_a_train_goes_on_its_way():
    with pytest.raises(KeyboardInterrupt):
        tensorize(interrupted_after(dense_net(16), 5), samples=uniform(16, 2), site_dims=[2] * 16)


def test_budget_below_one_half_sweep_is_an_error():
    with pytest.raises(SettingsError, match="ends within the first half sweep"):
        tensorize(dense_net(16), samples=uniform(16, 2), site_dims=[2] * 16, max_evaluations=100)


def test_every_configuration_is_asked_once_and_counted():
    recorder = Recorder(convolutional_net(2))
    found = tensorize(recorder, samples=uniform(12, 2), site_dims=[2] * 12, batch_bytes=50 * 12 * 8)
    asked = np.concatenate(recorder.asked)
    # Sixteen are asked once more, to see whether the function is deterministic.
    assert len(asked) - 16 == found.evaluations == len(np.unique(asked, axis=0))
    assert max(len(batch) for batch in recorder.asked) <= 50
    assert asked.dtype == np.int64


def test_same_inputs_give_the_same_bits():
    samples = uniform(12, 2)
    first, second = (
        tensorize(dense_net(12), samples=samples, site_dims=[2] * 12, max_rank=12, seed=7)
        for _ in range(2)
    )
    assert first.history == second.history
    for one, other in zip(first.train.cores, second.train.cores, strict=True):
        assert np.array_equal(one, other)


def test_progress_sees_the_history(caplog):
    seen = []
    with caplog.at_level(logging.INFO, logger="phasenet"):
        found = tensorize(
            aklt_chain(8),
            samples=born_samples(aklt_chain(8), 200, 0),
            site_dims=[3] * 8,
            progress=seen.append,
        )
    assert tuple(seen) == found.history
    assert found.history[-1].ranks == (2,) * 7
    assert str(found) in caplog.text
    assert "rank 2" in str(seen[-1])


def test_held_out_samples_can_refute_the_construction(monkeypatch):
    monkeypatch.setattr("phasenet.tensorizer.search._SEED_CANDIDATES", 4)
    samples = uniform(10, 2, shots=400)
    order = stream(0, "tensorizer", "split").permutation(len(samples))
    odd = {tuple(row) for row in samples[order[:100]]} - {
        tuple(row) for row in samples[order[100:]]
    }

    def trap(x):
        return 1.0 + np.array([tuple(row) in odd for row in x.tolist()])

    found = tensorize(trap, samples=samples, site_dims=[2] * 10, max_rank=2)
    assert found.outcome is not Outcome.CONVERGED


@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("outputs", [None, 1, 3])
def test_short_chains(length, outputs):
    weights = np.arange(1.0, length * (outputs or 1) + 1).reshape(length, -1)

    def function(x):
        values = np.exp(0.1j * x @ weights)
        return values[:, 0] if outputs is None else values

    samples = uniform(length, 3, shots=50)
    found = tensorize(function, samples=samples, site_dims=[3] * length)
    assert found.train.outputs == outputs
    np.testing.assert_allclose(found.train(samples), function(samples), atol=1e-12)


def test_unequal_site_dims():
    dims = (2, 5, 1, 3, 4)
    samples = np.random.default_rng(0).integers(dims, size=(300, 5))
    found = tensorize(lambda x: 1.0 / (1 + x.sum(axis=1)), samples=samples, site_dims=dims)
    assert found.outcome is Outcome.CONVERGED
    assert found.train.site_dims == dims


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: np.zeros((len(x), 2, 2)), r"returned shape \(\d+, 2, 2\)"),
        (lambda x: np.zeros(3), r"wanted \(\d+,\) or \(\d+, outputs\)"),
        (lambda x: np.array(["a"] * len(x)), "wanted numbers"),
        (lambda x: np.ones((len(x), len(x))), "number of outputs must stay the same"),
    ],
)
def test_wrong_shape_is_one_clear_error(function, message):
    with pytest.raises(ShapeError, match=message):
        tensorize(function, samples=uniform(8, 2), site_dims=[2] * 8, batch_bytes=20 * 8 * 8)


def test_a_function_that_changes_is_one_clear_error():
    rng = np.random.default_rng(0)
    with pytest.raises(SettingsError, match="wanted a deterministic function"):
        tensorize(lambda x: rng.normal(size=len(x)), samples=uniform(8, 2), site_dims=[2] * 8)


def test_nan_and_zero_are_one_clear_error():
    with pytest.raises(SettingsError, match=r"returned \[nan\] at configuration \["):
        tensorize(
            lambda x: np.where(x[:, 0] == 1, np.nan, 1.0), samples=uniform(8, 2), site_dims=[2] * 8
        )
    with pytest.raises(SettingsError, match="zero on all of"):
        tensorize(lambda x: np.zeros(len(x)), samples=uniform(8, 2), site_dims=[2] * 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tol": 0.0}, "tol is 0.0"),
        ({"max_rank": 0}, "max_rank is 0"),
        ({"batch_bytes": 0}, "batch_bytes is 0"),
        ({"max_evaluations": 3}, "max_evaluations is 3"),
        ({"samples": np.zeros((1, 4), dtype=int)}, "there are 1 samples"),
        ({"site_dims": []}, "site_dims is"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    usual = {"samples": uniform(4, 2), "site_dims": [2] * 4}
    with pytest.raises(SettingsError, match=message):
        tensorize(lambda x: x.sum(axis=1), **{**usual, **arguments})


def charged_train(length, multiplicity, seed):
    """Random spin-1 train of total magnetisation zero: almost every amplitude vanishes."""
    rng = np.random.default_rng(seed)
    inner = np.repeat(np.arange(-1, 2), multiplicity)
    cores = []
    for site in range(length):
        left = inner if site else np.zeros(1, dtype=int)
        right = inner if site < length - 1 else np.zeros(1, dtype=int)
        allowed = right == left[:, None, None] + np.array([1, 0, -1])[:, None]
        cores.append(allowed * rng.normal(size=allowed.shape))
    return right_canonical(TensorTrain(cores=tuple(cores)))


@pytest.mark.parametrize("seed", range(3))
def test_conserved_charge_hides_no_sector(seed):
    exact = charged_train(16, 3, seed)
    samples = born_samples(exact, 1500, seed)
    found = tensorize(exact, samples=samples, site_dims=[3] * 16, seed=seed)
    assert found.outcome is Outcome.CONVERGED
    assert max(found.train.bond_dims) == 9
    assert relative_distance(found.train, exact) < 1e-5


def test_the_held_out_error_is_stated_for_the_rounded_train():
    net = dense_net(12)
    samples = uniform(12, 2)
    found = tensorize(net, samples=samples, site_dims=[2] * 12, max_rank=6)
    problem = prepare(
        net,
        samples=samples,
        site_dims=[2] * 12,
        tol=1e-6,
        charges=None,
        max_evaluations=10_000,
        batch_bytes=2**20,
        seed=0,
    )
    held_out = problem.data.points
    wanted = net(held_out)
    error = np.linalg.norm(found.train(held_out) - wanted) / np.linalg.norm(wanted)
    assert found.data_error == pytest.approx(error)
