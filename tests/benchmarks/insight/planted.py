"""A problem of which it is known what matters: classes told by some rows and columns alone.

Pictures of noise, each row with a scale of its own, hold the pattern of their class where four
rows and four columns cross. Whatever the scale, all those rows say equally much.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from phasenet.insight.importance_modes import orthonormal_network
from phasenet.insight.importance_scores import mode_scores, step_scores
from phasenet.networks.layers.tucker import TuckerLinear
from phasenet.statistics import area_under_curve

Scores = Mapping[str, NDArray[np.float64]]
_BATCH, _EARLY = 64, 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Planted:
    """Pictures and their classes, and which rows and columns tell them."""

    train: tuple[Tensor, Tensor]
    held_out: tuple[Tensor, Tensor]
    informative: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    classes: int
    side: int


def planted(
    seed: int,
    *,
    unequal: bool,
    side: int = 20,
    lines: int = 4,
    classes: int = 3,
    shots: int = 2000,
    signal: float = 0.7,
) -> Planted:
    """Problem of a seed; unequal rows have standard deviations from 1/4 to 4."""
    rng = np.random.default_rng([seed, 1])
    rows, columns = (np.sort(rng.choice(side, lines, replace=False)) for _ in range(2))
    scale = np.exp2(rng.uniform(-2, 2, side)) if unequal else np.ones(side)
    patterns = rng.standard_normal((classes, lines, lines))
    patterns -= patterns.mean(axis=0)
    y = rng.integers(classes, size=2 * shots)
    x = rng.standard_normal((2 * shots, side, side))
    x[:, rows[:, None], columns] += signal * patterns[y]
    inputs = torch.tensor((x * scale[:, None]).reshape(-1, side**2), dtype=torch.float32)
    labels = torch.tensor(y)
    return Planted(
        train=(inputs[:shots], labels[:shots]),
        held_out=(inputs[shots:], labels[shots:]),
        informative=tuple(np.isin(np.arange(side), one) for one in (rows, columns)),
        classes=classes,
        side=side,
    )


def untrained(problem: Planted) -> nn.Module:
    """Network of a Tucker layer and one more, its weights from torch's generator."""
    modes = (problem.side, problem.side)
    first = TuckerLinear(modes, (32,), (6, 6, 12))
    return nn.Sequential(first, nn.ReLU(), nn.Linear(32, problem.classes))


def trained(
    problem: Planted, seed: int, *, epochs: int = 10
) -> tuple[nn.Module, tuple[Scores, ...]]:
    """Network and, for rows and columns, what the gradients of its training said."""
    x, y = problem.train
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = untrained(problem)
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        history = [{name: np.zeros(problem.side) for name in _HISTORY} for _ in range(2)]
        for epoch in range(epochs):
            for batch in torch.split(torch.randperm(len(x)), _BATCH):
                _backward(network, optimiser, x[batch], y[batch])
                for sums, (_, norm, product) in zip(history, step_scores(network), strict=False):
                    sums[_HISTORY[0]] += norm * (epoch == 0)
                    sums[_HISTORY[1]] += norm
                    sums[_HISTORY[3]] += product
                optimiser.step()
            if epoch < _EARLY:
                _backward(network, optimiser, x, y)
                for sums, (_, norm, _) in zip(history, step_scores(network), strict=False):
                    sums[_HISTORY[2]] += norm
    return network.eval(), tuple({n: abs(v) for n, v in sums.items()} for sums in history)


_HISTORY = (
    "gradient norm, first epoch",
    "gradient norm, all steps",
    "gradient norm, full batch, ends of 4 epochs",
    "gradient x weight, all steps",
)


def all_scores(problem: Planted, seed: int, *, epochs: int = 10) -> tuple[Scores, ...]:
    """All scores of rows and of columns: of the trained network, and of its training."""
    network, history = trained(problem, seed, epochs=epochs)
    x, y = problem.held_out
    fixed = orthonormal_network(network)
    found = mode_scores(fixed, x.double(), y, classes=problem.classes, seed=seed)
    return tuple({**one.values, **sums} for one, sums in zip(found[:2], history, strict=True))


def areas(seed: int, *, unequal: bool) -> dict[str, tuple[float, float]]:
    """Area of each score for rows and for columns, of one seed."""
    problem = planted(seed, unequal=unequal)
    scores = all_scores(problem, seed)
    pairs = list(zip(scores, problem.informative, strict=True))
    return {
        name: tuple(float(area_under_curve(one[name], known)) for one, known in pairs)
        for name in scores[0]
    }


def _backward(network: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    optimiser.zero_grad()
    nn.functional.cross_entropy(network(x), y).backward()
