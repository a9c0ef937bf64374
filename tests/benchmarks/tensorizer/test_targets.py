"""Targets in closed form against independent oracles, and the way a train is judged."""

import math
from itertools import product

import chains
import classifiers
import functions
import numpy as np
import pytest
from counting import BudgetSpentError, Counted, ScalarView
from judge import is_right, true_errors
from measure import run_here
from optimum import optimum_errors
from peers.built import Built, from_cores
from problem import Target
from targets import ROBUSTNESS, TARGETS

from phasenet.trains.train import TensorTrain

QUICK = [name for name in TARGETS if name not in ("xxz24", "rbm", "mlp16", "mlp16_rand", "cnn32")]


def everything(*dims):
    return np.array(list(product(*map(range, dims))))


@pytest.mark.parametrize("length", [2, 5, 6])
def test_aklt_amplitudes_are_the_product_of_their_matrices(length):
    raising = np.array([[0.0, 1.0], [0.0, 0.0]])
    matrices = [
        np.sqrt(2 / 3) * raising,
        -np.sqrt(1 / 3) * np.diag([1.0, -1.0]),
        -np.sqrt(2 / 3) * raising.T,
    ]
    states = everything(*[3] * length)
    products = [np.linalg.multi_dot([np.eye(2), *(matrices[s] for s in row)]) for row in states]
    np.testing.assert_allclose(
        chains.aklt_amplitudes(states), [each[0, 0] for each in products], atol=1e-15
    )


def test_aklt_samples_follow_the_squared_amplitudes():
    target = chains.aklt(20)
    samples = np.concatenate([target.data(seed) for seed in range(3)])
    assert np.all(target.function(samples) != 0.0)
    # Exact moments of the chain: probability of 0 on each site, from its transfer matrices.
    transfer, diagonal = np.array([[1, 2], [2, 1]]) / 3, np.eye(2) / 3
    norm = np.linalg.matrix_power(transfer, 20)[0, 0]
    for site in range(20):
        before, after = (np.linalg.matrix_power(transfer, k) for k in (site, 19 - site))
        wanted = (before @ diagonal @ after)[0, 0] / norm
        assert abs((samples[:, site] == 1).mean() - wanted) < 5 * 0.5 / np.sqrt(len(samples))


def test_a_train_function_multiplies_the_cores():
    rng = np.random.default_rng(0)
    shapes = [(1, 2, 3), (3, 3, 4), (4, 2, 2), (2, 3, 3), (3, 2, 1)]
    cores = [rng.normal(size=shape) for shape in shapes]
    dense = np.einsum("axb,byc,czd,dwe,evf->xyzwv", *cores)
    states = everything(2, 3, 2, 3, 2)
    np.testing.assert_allclose(chains.TrainFunction(cores)(states), dense.ravel())


def test_the_random_train_is_its_exact_train_and_draws_of_it_follow_its_squares():
    target = chains.rand_train(8, 4)
    states = everything(*[2] * 8)
    values = target.function(states)
    np.testing.assert_allclose(target.exact(states), values)
    np.testing.assert_allclose((values**2).sum(), 2.0**8)
    draws = chains.draw_squared(target.exact.cores, 20_000, np.random.default_rng(0))
    counts = np.bincount(draws @ 2 ** np.arange(7, -1, -1), minlength=256) / 20_000
    chances = values**2 / 256
    assert np.all(np.abs(counts - chances) < 5 * np.sqrt(chances / 20_000) + 5 / 20_000)


def test_the_cat_has_two_branches():
    target = chains.cat50()
    branches = np.array([[0] * 50, [1] * 50, [0] * 49 + [1]])
    np.testing.assert_allclose(target.function(branches), [0.5**0.5, 0.5**0.5, 0.0])
    np.testing.assert_allclose(target.exact(branches), target.function(branches))
    assert set(target.data(0).sum(axis=1)) == {0, 50}


def test_bits_and_numbers_are_inverse():
    values = np.arange(64) / 64
    bits = functions.bits_of(values, 6)
    np.testing.assert_array_equal(bits, everything(*[2] * 6))
    np.testing.assert_array_equal(functions.numbers(bits), values)


@pytest.mark.parametrize(
    ("length", "states", "wanted"), [(4, 3, 4), (5, 2, 2), (3, 4, 0), (3, 3, 6)]
)
def test_the_counter_finds_each_configuration_of_a_sum(length, states, wanted):
    grid = everything(*[states] * length)
    train = functions._counter(length, states, wanted)
    np.testing.assert_array_equal(train(grid), grid.sum(axis=1) == wanted)


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.7), (0.25, 0.26), (0.0, 0.5), (0.3, 0.3)])
def test_the_interval_train_compares_numbers(low, high):
    grid = everything(*[2] * 8)
    x = grid @ 2.0 ** -np.arange(1, 9)
    train = functions._interval_train(low, high, 8)
    np.testing.assert_array_equal(train(grid), (x >= low) & (x < high))


def test_functions_of_numbers_agree_with_one_at_a_time():
    rng = np.random.default_rng(1)
    for name, formula in {
        "quant": lambda x: math.cos(60 * x) * math.exp(-(((x - 0.5) / 0.2) ** 2)),
        "quant20": lambda x: math.cos(60 * x) * math.exp(-(((x - 0.5) / 0.2) ** 2)),
    }.items():
        target = TARGETS[name]()
        bits = rng.integers(2, size=(20, target.length))
        x = [int("".join(map(str, row)), 2) / 2**target.length for row in bits]
        np.testing.assert_allclose(target.function(bits), [formula(each) for each in x])


def test_functions_of_sums_agree_with_one_at_a_time():
    for name, formula in {
        "hilbert": lambda row: 1 / (1 + sum(row)),
        "ind_sum": lambda row: float(sum(row) == 30),
        "lorentz": lambda row: (
            1 / (1 + 0.5 * sum((x - 1.5 - 0.2 * i) ** 2 for i, x in enumerate(row)))
        ),
    }.items():
        target = TARGETS[name]()
        rows = target.data(3)[:50]
        np.testing.assert_allclose(target.function(rows), [formula(row) for row in rows.tolist()])


def test_slater_reads_its_bits_variable_by_variable():
    target = TARGETS["slater"]()
    rows = target.held_out[:20]
    wanted = []
    for row in rows:
        digits = ["".join(map(str, row[20 * k : 20 * k + 20])) for k in range(5)]
        rho = math.hypot(*(10 * (int(each, 2) + 1) / 2**20 for each in digits))
        wanted.append(math.exp(-rho) / rho)
    np.testing.assert_allclose(target.function(rows), wanted)


def test_a_known_point_lies_on_the_thin_feature():
    for name in ("quant_narrow", "ind_sum", "ind_interval"):
        target = TARGETS[name]()
        assert target.function(target.data(5)[:1])[0] >= 0.5
        assert target.function(target.peak).max() > 0.9


def test_the_convolution_is_two_layers_of_sums():
    target = classifiers.local(7)
    network, row = target.function, target.held_out[0]
    first = [
        np.tanh(sum(network.first[k, row[i + k]] for k in range(3)) + network.first_bias)
        for i in range(5)
    ]
    second = [
        np.tanh(sum(first[i + k] @ network.second[k] for k in range(3)) + network.second_bias)
        for i in range(3)
    ]
    wanted = np.mean(second, axis=0) @ network.readout + network.readout_bias
    np.testing.assert_allclose(network(row[None])[0], wanted)


def test_the_dense_network_is_three_layers():
    rng = np.random.default_rng(2)
    layers = [(rng.normal(size=s), rng.normal(size=s[1])) for s in ((6, 4), (4, 5), (5, 2))]
    network = classifiers.Dense(layers=layers, states=2)
    (w0, b0), (w1, b1), (w2, b2) = layers
    one_hot = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    wanted = np.tanh(np.tanh(one_hot @ w0 + b0) @ w1 + b1) @ w2 + b2
    np.testing.assert_allclose(network(np.array([[0, 1, 1]]))[0], wanted)


def test_the_boltzmann_amplitude_sums_over_hidden_spins_one_by_one():
    states = np.random.default_rng(3).integers(2, size=(3, 24))
    visible = classifiers._log_amplitudes(states)
    # Each hidden spin is summed over +1 and -1 on its own; 2 per spin is the constant left out.
    weights, hidden, field = classifiers._couplings()
    for row, value in zip(1 - 2 * states, visible, strict=True):
        amplitude = math.exp(sum(row * field))
        for j in range(24):
            angle = hidden[j] + sum(row[i] * weights[i, j] for i in range(24))
            amplitude *= sum(math.exp(h * angle) for h in (1, -1)) / 2
        assert math.log(amplitude) == pytest.approx(value)


@pytest.mark.parametrize("name", QUICK)
def test_each_target_keeps_its_promises(name):
    target = TARGETS[name]()
    assert target.name == name
    for points in (target.data(0), target.held_out, target.uniform(), target.peak):
        if points is not None:
            assert points.shape[1] == target.length
            assert np.all((points >= 0) & (points < np.array(target.site_dims)))
    np.testing.assert_array_equal(target.data(1), TARGETS[name]().data(1))
    assert not np.array_equal(target.data(1), target.data(2)) or name == "cat50"
    if target.exact is not None:
        errors = true_errors(target, target.exact)
        assert is_right(target.limits, errors)
        assert max(errors.values()) < 1e-10


def test_the_robustness_list_names_targets():
    assert set(ROBUSTNESS) <= set(TARGETS)


@pytest.fixture
def small() -> Target:
    return chains.rand_train(8, 4)


def test_a_wrong_train_is_judged_wrong(small):
    cores = [core.copy() for core in small.exact.cores]
    cores[3][0, 0, 0] += 0.1
    assert is_right(small.limits, true_errors(small, TensorTrain(cores=tuple(cores)))) is False
    infinite = TensorTrain(cores=(small.exact.cores[0] * np.nan, *small.exact.cores[1:]))
    assert set(true_errors(small, infinite).values()) == {np.inf}


def test_the_optimum_of_a_train_within_the_rank_is_exact(small):
    assert max(optimum_errors(small).values()) < 1e-6
    assert optimum_errors(chains.rand_train(20, 4)) is None


def test_points_are_counted_once_and_the_budget_ends_a_run(small):
    counted = Counted(small, 30)
    points = small.held_out[:10]
    counted(points)
    counted(points[:5])
    assert (counted.requested, counted.calls) == (15, 2)
    assert counted.distinct() == len(np.unique(points, axis=0))
    with pytest.raises(BudgetSpentError):
        counted(small.held_out[:20])


def test_outputs_are_a_site_for_scalar_tensorizers():
    rng = np.random.default_rng(4)
    cores = [rng.normal(size=shape) for shape in ((1, 2, 3), (3, 2, 2), (2, 3, 2), (2, 2, 1))]
    table = np.einsum("axb,byc,czd,dwe->xyzw", *cores)
    # The scalar train has its outputs at site 1.
    train = from_cores(cores, 1)
    states = everything(2, 3, 2)
    wanted = table.transpose(0, 2, 3, 1).reshape(-1, 2)
    np.testing.assert_allclose(train(states), wanted)
    np.testing.assert_allclose(from_cores(cores, None)(everything(2, 2, 3, 2)), table.ravel())

    layers = [(rng.normal(size=(6, 2)), rng.normal(size=2))]
    target = Target(
        name="three",
        function=classifiers.Dense(layers=layers, states=2),
        site_dims=(2, 2, 2),
        data=lambda seed: everything(2, 2, 2),
        held_out=everything(2, 2, 2),
        tol=1e-6,
        max_rank=4,
    )
    view = ScalarView(target, Counted(target, 100))
    assert view.site_dims == (2, 2, 2, 2)
    assert view.output_site == 1
    scalar = view(np.array([[0, 1, 1, 0], [0, 0, 1, 0]]))
    np.testing.assert_allclose(scalar, target.function(np.array([[0, 1, 0]]))[0][::-1])


def test_a_failure_is_a_row(small):
    def broken(target, counted, seed):
        counted(target.held_out[:7])
        raise ValueError("singular")

    def spent(target, counted, seed):
        try:
            while True:
                counted(np.tile(target.held_out, (50, 1)))
        except BudgetSpentError as error:
            raise RuntimeError("hidden") from error

    def endless(target, counted, seed):
        while True:
            counted(target.held_out[:1])

    row = run_here(small, broken, 0, 5.0)
    assert row["status"].startswith("ValueError in broken: singular")
    assert row["evaluations"] <= row["requested"] == 7
    assert run_here(small, spent, 0, 5.0)["status"] == "budget"
    assert run_here(small, endless, 0, 0.05)["status"] == "timeout"


def test_a_result_is_a_row_with_its_true_errors(small):
    def perfect(target, counted, seed):
        counted(target.held_out)
        return Built(train=target.exact, claim="sure")

    row = run_here(small, perfect, 0, 5.0)
    assert (row["status"], row["claim"], row["right"], row["rank"]) == ("done", "sure", True, 4)
    assert row["errors"]["norm"] < 1e-12
    assert 0.0 <= row["function_seconds"] <= row["cpu_seconds"]
