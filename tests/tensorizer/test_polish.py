"""Least-squares polish."""

import numpy as np
import pytest

from phasenet.errors import SettingsError, ShapeError
from phasenet.tensorizer.least_squares import LocalProblem, solved
from phasenet.tensorizer.polish import group_weights, polish
from phasenet.trains.canonical import move_output, round_train
from phasenet.trains.train import TensorTrain


def wide_train(*, complex_=False, outputs=2, dims=(2,) * 7):
    rng = np.random.default_rng(0)
    bonds = (1, 2, 4, 8, 8, 4, 2, 1)
    cores = []
    for site, dim in enumerate(dims):
        shape = (bonds[site], dim, bonds[site + 1]) + ((outputs,) if site == 3 and outputs else ())
        core = rng.normal(size=shape)
        cores.append(core + 1j * rng.normal(size=shape) if complex_ else core)
    return TensorTrain(cores=tuple(cores), output_site=3 if outputs else None)


def skewed(shots, seed, length=7):
    """Samples of independent sites that are mostly in their first state."""
    return np.random.default_rng(seed).choice(2, p=[0.9, 0.1], size=(shots, length))


def error(train, reference, points):
    values = reference(points)
    return np.linalg.norm(train(points) - values) / np.linalg.norm(values)


def all_points(dims):
    return np.stack(np.meshgrid(*map(np.arange, dims), indexing="ij"), axis=-1).reshape(
        -1, len(dims)
    )


@pytest.mark.parametrize("place", ["none", "near", "core", "far"])
@pytest.mark.parametrize("complex_", [False, True])
def test_local_problem_is_solved_as_by_dense_least_squares(place, complex_):
    rng = np.random.default_rng(1)

    def draw(*shape):
        real = rng.normal(size=shape)
        return real + 1j * rng.normal(size=shape) if complex_ else real

    outputs = {"none": 1}.get(place, 2)
    near = draw(60, outputs if place == "near" else 1, 3)
    far = draw(60, outputs if place == "far" else 1, 4)
    shape = (3, 4, outputs) if place == "core" else (3, 4)
    targets, weights, pull, strength = draw(60, outputs), rng.random(60), draw(*shape), 0.7
    problem = LocalProblem(near=near, far=far, targets=targets, weights=weights)
    found = np.zeros_like(pull)
    for _ in range(30):
        found = solved(problem, found, pull, strength)
    # The same as one matrix: rows are points and outputs, the last rows are the pull.
    columns = []
    for unit in np.eye(pull.size):
        core = unit.reshape(shape)
        subscripts = "poa,ab,pqb->poq" if core.ndim == 2 else "pna,abo,pmb->po"
        columns.append(np.einsum(subscripts, near, core, far).reshape(-1))
    roots = np.repeat(np.sqrt(weights), outputs)
    matrix = np.concatenate(
        (roots[:, None] * np.stack(columns, axis=1), np.sqrt(strength) * np.eye(pull.size))
    )
    wanted = np.concatenate((roots * targets.reshape(-1), np.sqrt(strength) * pull.reshape(-1)))
    exact = np.linalg.lstsq(matrix, wanted, rcond=None)[0].reshape(shape)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-8)


def test_local_problem_without_points_gives_the_pull():
    problem = LocalProblem(
        near=np.zeros((0, 1, 2)),
        far=np.zeros((0, 1, 3)),
        targets=np.zeros((0, 1)),
        weights=np.zeros(0),
    )
    np.testing.assert_allclose(solved(problem, np.zeros((2, 3)), np.ones((2, 3)), 0.1), 1.0)


@pytest.mark.parametrize("ridge", [0.1, 1.0])
def test_one_site_has_the_closed_form(ridge):
    # f0 = (1, 1) has mean square 1; the points see only state 0, where the function is 2.
    start = TensorTrain(cores=(np.ones((1, 2, 1)),), log_scale=0.0)
    points = np.zeros((20, 1), dtype=int)
    found = polish(start, points, np.full(20, 2.0), ridge=ridge, sweeps=1)
    closed = (2.0 / 4.0 + ridge / 2.0) / (1.0 / 4.0 + ridge / 2.0)
    np.testing.assert_allclose(found.train(np.array([[0], [1]])), [closed, 1.0], rtol=1e-12)
    assert (found.sweeps, found.ridge) == (1, ridge)
    np.testing.assert_allclose(found.error_after, 1.0 - closed / 2.0, rtol=1e-10)


@pytest.mark.parametrize("output_site", [0, 3, 6])
@pytest.mark.parametrize("complex_", [False, True])
def test_polish_lowers_the_error_on_the_data(output_site, complex_):
    exact = move_output(wide_train(complex_=complex_), output_site)
    rough, _ = round_train(exact, tol=0.0, max_rank=3)
    samples, fresh = skewed(1500, 1), skewed(1500, 2)
    found = polish(rough, samples, exact(samples), ridge=0.01)
    assert found.train.bond_dims == rough.bond_dims
    assert found.train.output_site == output_site
    assert error(found.train, exact, fresh) < 0.6 * error(rough, exact, fresh)
    assert found.error_after < found.error_before


def test_errors_are_those_of_fresh_points():
    exact = wide_train()
    rough, _ = round_train(exact, tol=0.0, max_rank=3)
    samples, fresh = skewed(4000, 1), skewed(4000, 2)
    found = polish(rough, samples, exact(samples), validation=0.5)
    np.testing.assert_allclose(found.error_before, error(rough, exact, fresh), rtol=0.3)
    np.testing.assert_allclose(found.error_after, error(found.train, exact, fresh), rtol=0.3)


@pytest.mark.parametrize("dims", [(2,) * 7, (3, 2, 2, 2, 2, 2, 3)])
@pytest.mark.parametrize("log_scale", [0.0, -300.0, 300.0])
def test_polish_recovers_an_exact_scalar_train(dims, log_scale):
    rng = np.random.default_rng(2)
    cores = wide_train(outputs=None, dims=dims).cores
    exact = TensorTrain(cores=cores, log_scale=log_scale)
    shaken = tuple(core + 0.02 * rng.normal(size=core.shape) for core in cores)
    shaken = TensorTrain(cores=shaken, log_scale=log_scale)
    samples = rng.integers(np.array(dims), size=(800, 7))
    found = polish(shaken, samples, exact(samples), ridge=1e-9, sweeps=40)
    assert error(found.train, exact, samples) < 1e-6 < error(shaken, exact, samples)


def test_the_train_stays_where_there_are_no_points():
    exact = wide_train(outputs=None)
    rough, _ = round_train(exact, tol=0.0, max_rank=4)
    points, fresh, everywhere = skewed(150, 1), skewed(500, 2), all_points((2,) * 7)
    held = polish(rough, points, exact(points)).train
    loose = polish(rough, points, exact(points), ridge=1e-9).train
    assert error(held, exact, fresh) < 0.75 * error(rough, exact, fresh)
    assert error(held, exact, everywhere) < 1.5 * error(rough, exact, everywhere)
    assert error(held, exact, everywhere) < 0.7 * error(loose, exact, everywhere)


def test_weights_decide_which_points_matter():
    exact = wide_train()
    rough, _ = round_train(exact, tol=0.0, max_rank=3)
    samples, spread = skewed(1000, 1), all_points((2,) * 7)
    points = np.concatenate((samples, spread))
    values = [exact(samples), exact(spread)]

    def errors(share):
        weights = group_weights(values, [share, 1.0 - share])
        found = polish(rough, points, np.concatenate(values), weights=weights)
        return error(found.train, exact, skewed(1000, 2)), error(found.train, exact, spread)

    data, other = errors(0.95), errors(0.05)
    assert data[0] < other[0]
    assert data[1] > other[1]


def test_group_weights_are_shares_of_relative_errors():
    rng = np.random.default_rng(0)
    groups = [rng.normal(size=(30, 2)), 5.0 * rng.normal(size=(70, 2)), np.zeros((10, 2))]
    weights = group_weights(groups, [0.5, 0.3, 0.2])
    squares = [np.sum(values**2, axis=1) for values in groups]
    np.testing.assert_allclose(weights[:30] @ squares[0], 0.5)
    np.testing.assert_allclose(weights[30:100] @ squares[1], 0.3)
    np.testing.assert_allclose(weights[100:], 0.2 / 10 / squares[0].mean())


def test_repeated_points_are_points_with_more_weight():
    exact = wide_train(outputs=None)
    rough, _ = round_train(exact, tol=0.0, max_rank=3)
    points = skewed(400, 1)
    twice = np.repeat(points, 2, axis=0)
    single = polish(rough, points, exact(points), sweeps=2, ridge=0.1)
    double = polish(rough, twice, exact(twice), sweeps=2, ridge=0.1)
    fresh = skewed(400, 2)
    np.testing.assert_allclose(
        error(double.train, exact, fresh), error(single.train, exact, fresh), rtol=0.1
    )


def test_polish_is_the_same_for_the_same_seed():
    exact = wide_train()
    rough, _ = round_train(exact, tol=0.0, max_rank=3)
    points = skewed(300, 1)
    one, two, other = (polish(rough, points, exact(points), seed=seed) for seed in (1, 1, 2))
    for a, b in zip(one.train.cores, two.train.cores, strict=True):
        np.testing.assert_array_equal(a, b)
    assert other.error_before != one.error_before


def test_polish_of_a_long_chain():
    cores = (np.array([[[0.5], [-0.5]]]),) * 400
    exact = TensorTrain(cores=cores)
    off = TensorTrain(cores=(np.array([[[0.55], [-0.5]]]), *cores[1:]))
    samples = skewed(300, 1, length=400)
    found = polish(off, samples, exact(samples), ridge=1e-9, sweeps=1)
    assert found.error_before > 0.05
    assert found.error_after < 1e-8


def test_polish_keeps_a_train_that_it_cannot_improve():
    exact = wide_train()
    samples = skewed(300, 3)
    assert error(polish(exact, samples, exact(samples)).train, exact, samples) < 1e-12
    rough, _ = round_train(exact, tol=0.0, max_rank=3)
    assert polish(rough, samples, exact(samples), sweeps=0).train is rough


def test_precision_of_the_train_is_kept():
    exact = wide_train()
    rough, _ = round_train(exact, tol=0.0, max_rank=3)
    single = TensorTrain(
        cores=tuple(core.astype(np.float32) for core in rough.cores), output_site=rough.output_site
    )
    samples = skewed(300, 3)
    found = polish(single, samples, exact(samples), ridge=0.1)
    assert found.error_after < found.error_before
    assert {core.dtype for core in found.train.cores} == {np.dtype(np.float32)}
    turned = polish(single, samples, 1j * exact(samples), ridge=0.1)
    assert {core.dtype for core in turned.train.cores} == {np.dtype(np.complex64)}


def test_bad_settings_are_errors():
    exact, points = wide_train(), skewed(9, 1)
    values = exact(points)
    with pytest.raises(SettingsError, match=r"ridge is 0\.0"):
        polish(exact, points, values, ridge=0.0)
    with pytest.raises(SettingsError, match=r"validation is 0\.9"):
        polish(exact, points, values, validation=0.9)
    with pytest.raises(ShapeError, match=r"values have shape \(9,\) at 9 points"):
        polish(exact, points, values[:, 0])
    with pytest.raises(ShapeError, match="wanted 9 numbers that are not negative"):
        polish(exact, points, values, weights=-np.ones(9))
    with pytest.raises(SettingsError, match="fewer than 2 points"):
        polish(exact, points, 0.0 * values)
    with pytest.raises(SettingsError, match="fewer than 2 points"):
        polish(exact, points[:1], values[:1])
    with pytest.raises(SettingsError, match="the train is zero"):
        zero = TensorTrain(cores=tuple(0.0 * core for core in exact.cores), output_site=3)
        polish(zero, points, values)
    with pytest.raises(SettingsError, match="one positive share for each group"):
        group_weights([values], [0.5, 0.5])
    with pytest.raises(SettingsError, match="first group are all zero"):
        group_weights([0.0 * values, values], [0.5, 0.5])
