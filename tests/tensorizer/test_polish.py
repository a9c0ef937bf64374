"""Least-squares polish."""

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.tensorizer.polish import polish
from phasenet.trains.canonical import move_output, round_train
from phasenet.trains.train import TensorTrain


def wide_train(*, complex_=False, outputs=2):
    rng = np.random.default_rng(0)
    bonds = (1, 2, 4, 8, 8, 4, 2, 1)
    cores = []
    for site in range(7):
        shape = (bonds[site], 2, bonds[site + 1]) + ((outputs,) if site == 3 and outputs else ())
        core = rng.normal(size=shape)
        cores.append(core + 1j * rng.normal(size=shape) if complex_ else core)
    return TensorTrain(cores=tuple(cores), output_site=3 if outputs else None)


def error(train, reference, points):
    values = reference(points)
    return np.linalg.norm(train(points) - values) / np.linalg.norm(values)


@pytest.mark.parametrize("output_site", [0, 3, 6])
@pytest.mark.parametrize("complex_", [False, True])
def test_polish_lowers_the_error_on_the_data(output_site, complex_):
    exact = move_output(wide_train(complex_=complex_), output_site)
    rough, _ = round_train(exact, tol=0.0, max_rank=3)
    rng = np.random.default_rng(1)
    weights = np.array([0.9, 0.1])
    samples, fresh = (rng.choice(2, p=weights, size=(1500, 7)) for _ in range(2))
    better = polish(rough, exact, samples=samples, sweeps=4, ridge=1e-6)
    assert better.bond_dims == rough.bond_dims
    assert error(better, exact, fresh) < 0.6 * error(rough, exact, fresh)


def test_polish_recovers_an_exact_scalar_train():
    exact = wide_train(outputs=None)
    rng = np.random.default_rng(2)
    shaken = TensorTrain(cores=tuple(c + 0.02 * rng.normal(size=c.shape) for c in exact.cores))
    samples = rng.integers(2, size=(800, 7))
    better = polish(shaken, exact, samples=samples, sweeps=4, ridge=1e-9)
    assert error(better, exact, samples) < 1e-6 < error(shaken, exact, samples)


def test_polish_keeps_a_train_that_it_cannot_improve():
    exact = wide_train()
    samples = np.random.default_rng(3).integers(2, size=(300, 7))
    assert error(polish(exact, exact, samples=samples), exact, samples) < 1e-12


def test_bad_strength_is_an_error():
    with pytest.raises(SettingsError, match=r"ridge is 0\.0"):
        polish(wide_train(), wide_train(), samples=np.zeros((9, 7), dtype=int), ridge=0.0)
