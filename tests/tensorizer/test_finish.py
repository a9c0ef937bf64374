"""What is done where the rank does not suffice."""

import numpy as np
import pytest

from phasenet.errors import SettingsError
from phasenet.tensorizer import Outcome, magnetisation, tensorize


def dense_net(x):
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(x.shape[1], 24)) / 2.0, rng.normal(size=(24, 2))
    return np.tanh(np.tanh((1 - 2 * x) @ first) @ second)


def samples_of(length, shots=1500, seed=0):
    """Configurations that are far from uniform."""
    return (np.random.default_rng(seed).random((shots, length)) < 0.15).astype(int)


def test_least_squares_lower_the_error_where_samples_are():
    errors = {}
    for method in ("cross", "auto"):
        found = tensorize(
            dense_net, samples=samples_of(14), site_dims=[2] * 14, max_rank=12, method=method
        )
        assert found.outcome is Outcome.RANK_CAP
        assert max(found.train.bond_dims) == 12
        fresh = samples_of(14, seed=3)
        wanted = dense_net(fresh)
        errors[method] = np.linalg.norm(found.train(fresh) - wanted) / np.linalg.norm(wanted)
        assert found.data_error == pytest.approx(errors[method], rel=0.25)
    assert errors["auto"] < 0.6 * errors["cross"]
    assert "least squares on" in str(found)


@pytest.mark.parametrize("budget", [3000, 6000, 12_000])
def test_the_budget_holds_for_everything_together(budget):
    found = tensorize(
        dense_net,
        samples=samples_of(16),
        site_dims=[2] * 16,
        max_rank=16,
        max_evaluations=budget,
    )
    assert found.evaluations <= budget
    assert found.data_error < 1.0


@pytest.mark.slow
def test_a_train_worse_than_zero_gives_way_to_a_smaller_rank():
    rng = np.random.default_rng(0)
    cores = [rng.normal(size=(1 if s == 0 else 10, 2, 1 if s == 39 else 10)) for s in range(40)]

    def values(x):
        rows = cores[0][0, x[:, 0]]
        for site in range(1, 40):
            rows = np.einsum("nl,nlr->nr", rows, cores[site].transpose(1, 0, 2)[x[:, site]])
        return rows[:, 0]

    for rank in (2, 4):
        found = tensorize(
            values,
            samples=np.random.default_rng(5).integers(2, size=(1500, 40)),
            site_dims=[2] * 40,
            max_rank=rank,
        )
        assert found.data_error < 1.05


@pytest.mark.parametrize("rank", [4, 64])
def test_charges_that_a_late_probe_refutes_are_given_up(rank, monkeypatch):
    """The function conserves its charge but at configurations that the first test never asks."""
    monkeypatch.setattr("phasenet.tensorizer.problem._OFF_SECTOR", 1)
    rng = np.random.default_rng(0)
    samples = np.argsort(rng.random((1500, 12)), axis=1) % 2

    def leaky(x):
        far = np.abs(x.sum(axis=1) - 6) > 2
        return np.where(x.sum(axis=1) == 6, dense_net(x)[:, 0], 0.0) + 0.5 * far

    found = tensorize(leaky, samples=samples, site_dims=[2] * 12, max_rank=rank, tol=1e-4)
    assert "conserved" not in str(found)
    every = (np.arange(2**12)[:, None] >> np.arange(12)) & 1
    error = np.linalg.norm(found.train(every) - leaky(every)) / np.linalg.norm(leaky(every))
    assert error < (1.0 if rank == 4 else 1e-3)
    with pytest.raises(SettingsError, match="not zero outside the sector of its charges"):
        tensorize(leaky, samples=samples, site_dims=[2] * 12, charges=magnetisation((2,) * 12, 6))
